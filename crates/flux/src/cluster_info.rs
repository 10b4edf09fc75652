//! What is known of the Flux that a cluster runs: labels of its CRDs, its controllers' Deployments.

use cluster::{Cluster, Error, ListParams, Scope, Target};
use objects::{Object, Value};

use crate::kinds::builtin;

/// Selects everything that a Flux installation brought.
pub const PART_OF_FLUX: &str = "app.kubernetes.io/part-of=flux";

const CRD_GROUP: &str = "apiextensions.k8s.io";

/// Labels of the GitRepository CRD.
#[derive(Debug, Default)]
pub struct ClusterInfo {
    /// Installed by `flux bootstrap`: a Kustomization applied the CRD.
    pub bootstrapped: bool,
    part_of: Option<String>,
    version: String,
}

impl ClusterInfo {
    /// Returns `part-of-version`, if the installation is labelled at all.
    pub fn distribution(&self) -> Option<String> {
        match &self.part_of {
            Some(part_of) => Some(format!("{part_of}-{}", self.version)),
            None => Some(self.version.clone()).filter(|version| !version.is_empty()),
        }
    }
}

/// Reads the labels; `None` where the CRD does not exist.
pub async fn read(cluster: &dyn Cluster) -> Result<Option<ClusterInfo>, Error> {
    let resource = builtin(
        CRD_GROUP,
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    );
    let target = Target::new(&resource, "", "gitrepositories.source.toolkit.fluxcd.io");
    let crd = match cluster.get(&target).await {
        Ok(crd) => crd,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(ClusterInfo {
        bootstrapped: crd.label("kustomize.toolkit.fluxcd.io/namespace").is_some(),
        part_of: crd.label("app.kubernetes.io/part-of").map(str::to_owned),
        version: crd
            .label("app.kubernetes.io/version")
            .unwrap_or_default()
            .to_owned(),
    }))
}

/// Lists the controllers' Deployments of a namespace; may be empty.
pub async fn controllers(cluster: &dyn Cluster, namespace: &str) -> Result<Vec<Object>, Error> {
    labelled(cluster, "apps", "Deployment", "deployments", namespace).await
}

/// Lists the CRDs of the installation.
pub async fn crds(cluster: &dyn Cluster) -> Result<Vec<Object>, Error> {
    let plural = "customresourcedefinitions";
    labelled(cluster, CRD_GROUP, "CustomResourceDefinition", plural, "").await
}

async fn labelled(
    cluster: &dyn Cluster,
    group: &str,
    kind: &str,
    plural: &str,
    namespace: &str,
) -> Result<Vec<Object>, Error> {
    let scope = Scope {
        resource: builtin(group, kind, plural, !namespace.is_empty()),
        namespace: namespace.to_owned(),
    };
    let params = ListParams {
        label_selector: PART_OF_FLUX.to_owned(),
        ..ListParams::default()
    };
    Ok(cluster.list(&scope, &params).await?.items)
}

/// Returns the images of a Deployment's containers.
pub fn images(deployment: &Object) -> Vec<&str> {
    deployment
        .get(&["spec", "template", "spec", "containers"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|container| container["image"].as_str())
        .collect()
}

//! The objects that `flux dev` puts into its cluster before the controllers start: what
//! `flux install` and `flux bootstrap` put into a real one, with the source pointing at the given place.

use cluster::{Cluster, Error, Patch, Target, WriteParams};
use objects::{Gvk, Object, json};

use super::board::ROOT;
use super::installed;

/// Owner of the fields that `flux dev` sets.
const FIELD_MANAGER: &str = "flux";

/// The repository to follow, as it stands in the GitRepository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// URL: `file://`, `http://` or `https://`.
    pub url: String,
    /// Branch; empty follows the remote's own choice.
    pub branch: String,
}

/// What the root Kustomization says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSpec {
    /// Directory of the repository.
    pub path: String,
    /// Namespace of objects that name none; may be empty.
    pub target_namespace: String,
    /// Account to act as; empty means the controller's own.
    pub service_account: String,
}

/// Creates CRDs, namespace, accounts, source and root Kustomization; returns nothing else than errors.
///
/// May be repeated: what is there already is brought to the same state.
pub async fn install(
    cluster: &dyn Cluster,
    source: &SourceSpec,
    root: &RootSpec,
    request: &str,
) -> Result<(), Error> {
    for definition in installed::definitions() {
        apply(cluster, definition).await?;
    }
    cluster.rediscover().await?;
    for object in installed::accounts_and_roles() {
        apply(cluster, object).await?;
    }
    apply(cluster, git_repository(source, request)).await?;
    apply(cluster, kustomization(root)).await
}

async fn apply(cluster: &dyn Cluster, object: Object) -> Result<(), Error> {
    let resource = cluster.resolve(&object.gvk()).await?;
    let target = Target::new(&resource, object.namespace(), object.name());
    let params = WriteParams {
        field_manager: FIELD_MANAGER.to_owned(),
        force: true,
        ..WriteParams::default()
    };
    cluster
        .patch(&target, &Patch::Apply(object), &params)
        .await
        .map(drop)
}

fn git_repository(source: &SourceSpec, request: &str) -> Object {
    let gvk = Gvk::new("source.toolkit.fluxcd.io", "v1", "GitRepository");
    let mut object = Object::new(&gvk, ROOT, ROOT);
    // The repository usually carries this very object with its remote URL: keep the local one.
    object.set_annotation("kustomize.toolkit.fluxcd.io/reconcile", "disabled");
    object.set_annotation("reconcile.fluxcd.io/requestedAt", request);
    object.set(&["spec"], json!({"interval": "1m0s", "url": source.url}));
    if !source.branch.is_empty() {
        object.set(&["spec", "ref"], json!({"branch": source.branch}));
    }
    object
}

fn kustomization(root: &RootSpec) -> Object {
    let gvk = Gvk::new("kustomize.toolkit.fluxcd.io", "v1", "Kustomization");
    let mut object = Object::new(&gvk, ROOT, ROOT);
    object.set(
        &["spec"],
        json!({
            "interval": "10m0s",
            "path": root.path,
            "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": ROOT},
        }),
    );
    for (field, value) in [
        ("targetNamespace", &root.target_namespace),
        ("serviceAccountName", &root.service_account),
    ] {
        if !value.is_empty() {
            object.set(&["spec", field], value.as_str());
        }
    }
    object
}

//! What a HelmRelease has installed, read from Helm's release record in the cluster.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::{Cluster, ListParams, Scope, Target};
use objects::{Object, ObjectKey, Value};

use crate::error::{CliError, CliResult};
use crate::kinds::{HELM_RELEASE, builtin};

/// Largest release record read; a Secret holds a MiB, which compresses manifests about tenfold.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Lists the objects of a release and the definitions it brought; empty where there is no record, or another cluster
/// holds the release.
pub async fn read(cluster: &dyn Cluster, key: &ObjectKey) -> CliResult<Vec<ObjectKey>> {
    let release = cluster
        .get(&HELM_RELEASE.target(&key.namespace, &key.name))
        .await?;
    let Some(mut keys) = recorded(cluster, &release).await? else {
        return Ok(Vec::new());
    };
    if installs_crds(&release) {
        add_crds(cluster, &release, &mut keys).await;
    }
    Ok(keys)
}

/// Lists the objects in the newest record of a release, none where there is no record or another cluster holds it.
pub async fn recorded(
    cluster: &dyn Cluster,
    release: &Object,
) -> CliResult<Option<Vec<ObjectKey>>> {
    let storage = release.str_at(&["status", "storageNamespace"]);
    let latest = release
        .get(&["status", "history"])
        .and_then(|history| history.get(0));
    let remote = release
        .get(&["spec", "kubeConfig"])
        .is_some_and(|v| !v.is_null());
    let (false, Some(latest)) = (remote || storage.is_empty(), latest) else {
        return Ok(None);
    };
    let name = format!(
        "sh.helm.release.v1.{}.v{}",
        latest["name"].as_str().unwrap_or_default(),
        latest["version"].as_i64().unwrap_or_default()
    );
    let subject = format!("{}/{}", release.namespace(), release.name());
    let target = Target::new(&builtin("", "Secret", "secrets", true), storage, &name);
    let record = match cluster.get(&target).await {
        Ok(record) => record,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => {
            return Err(CliError::from(error).context(format_args!(
                "failed to find the Helm storage object for HelmRelease '{subject}'"
            )));
        }
    };
    let manifest = manifest(&record).ok_or_else(|| {
        CliError::cluster(format!(
            "failed to decode the Helm storage object for HelmRelease '{subject}'"
        ))
    })?;
    let namespace = latest["namespace"].as_str().unwrap_or_default();
    let keys = keys(cluster, &manifest, namespace).await.map_err(|error| {
        error.context(format_args!(
            "failed to read the Helm storage object for HelmRelease '{subject}'"
        ))
    })?;
    Ok(Some(keys))
}

/// Unpacks the manifests: base64 of Kubernetes, base64 of Helm, gzip, JSON.
fn manifest(record: &Object) -> Option<String> {
    let outer = STANDARD.decode(record.str_at(&["data", "release"])).ok()?;
    let mut bytes = STANDARD.decode(outer).ok()?;
    if bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .take(RECORD_BYTES_MAX)
            .read_to_end(&mut unpacked)
            .ok()?;
        bytes = unpacked;
    }
    let release: Value = serde_json::from_slice(&bytes).ok()?;
    Some(release["manifest"].as_str().unwrap_or_default().to_owned())
}

async fn keys(cluster: &dyn Cluster, manifest: &str, namespace: &str) -> CliResult<Vec<ObjectKey>> {
    let failed = |error: &dyn std::fmt::Display| CliError::cluster(error.to_string());
    let options = kyaml::ReadOptions::v11();
    let documents = kyaml::parse(manifest.as_bytes(), &options).map_err(|error| failed(&error))?;
    let discovery = cluster.discovery().await?;
    let mut keys = Vec::new();
    for document in &documents {
        let value =
            kyaml::to_json(document, kyaml::Dialect::V11).map_err(|error| failed(&error))?;
        for mut object in listed(value) {
            if object.kind().is_empty() || object.name().is_empty() {
                continue;
            }
            let gvk = object.gvk();
            let namespaced = discovery
                .by_gvk(&gvk)
                .is_some_and(|resource| resource.namespaced);
            if object.namespace().is_empty() && namespaced {
                object.set_namespace(namespace);
            }
            keys.push(object.key());
        }
    }
    Ok(keys)
}

/// Returns the object of a document, or those of a list.
fn listed(value: Value) -> Vec<Object> {
    let list = value["kind"].as_str().is_some_and(|k| k.ends_with("List"));
    match (list, value.get("items")) {
        (true, Some(Value::Array(items))) => items
            .iter()
            .filter_map(|item| Object::from_value(item.clone()).ok())
            .collect(),
        _ => Object::from_value(value).into_iter().collect(),
    }
}

fn installs_crds(release: &Object) -> bool {
    ["install", "upgrade"].into_iter().any(|action| {
        let policy = release.str_at(&["spec", action, "crds"]);
        !policy.is_empty() && policy != "Skip"
    })
}

async fn add_crds(cluster: &dyn Cluster, release: &Object, keys: &mut Vec<ObjectKey>) {
    const GROUP: &str = "apiextensions.k8s.io";
    const KIND: &str = "CustomResourceDefinition";
    let scope = Scope {
        resource: builtin(GROUP, KIND, "customresourcedefinitions", false),
        namespace: String::new(),
    };
    let group = HELM_RELEASE.group;
    let params = ListParams {
        label_selector: format!(
            "{group}/name={},{group}/namespace={}",
            release.name(),
            release.namespace()
        ),
        ..ListParams::default()
    };
    // A list that fails leaves the tree without them, as upstream does.
    for crd in cluster
        .list(&scope, &params)
        .await
        .unwrap_or_default()
        .items
    {
        if !keys
            .iter()
            .any(|key| key.kind == KIND && key.name == crd.name())
        {
            keys.push(ObjectKey::new(GROUP, KIND, "", crd.name()));
        }
    }
}

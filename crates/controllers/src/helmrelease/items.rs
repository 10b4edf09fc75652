//! Manifests as objects with their addresses: what Helm calls resources.

use std::sync::Arc;

use cluster::{ApiResource, Cluster, Target};
use helm::Version;
use helm::manifest::split;
use objects::{Gvk, Object, ObjectKey, Value};

/// Marks of ownership that Helm puts on every object of a release.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(super) const RELEASE_NAME: &str = "meta.helm.sh/release-name";
pub(super) const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// One object of a release with its address.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) object: Object,
    resource: Arc<ApiResource>,
}

impl Item {
    /// Returns the address.
    pub(super) fn target(&self) -> Target {
        Target::new(&self.resource, self.object.namespace(), self.object.name())
    }

    /// Returns the identity.
    pub(super) fn key(&self) -> ObjectKey {
        self.object.key()
    }

    /// Tells whether two items are the same object.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (a, b) = (&self.object, &other.object);
        a.kind() == b.kind()
            && a.name() == b.name()
            && a.namespace() == b.namespace()
            && a.gvk().group == b.gvk().group
    }

    /// Writes `namespace/name group/version, Kind=Kind`.
    pub(super) fn describe(&self) -> String {
        let object = &self.object;
        format!(
            "{}/{} {}, Kind={}",
            object.namespace(),
            object.name(),
            object.api_version(),
            object.kind()
        )
    }

    /// Marks the object as part of a release.
    pub(super) fn own(&mut self, release: &str, namespace: &str) {
        self.object.set_label(MANAGED_BY, "Helm");
        self.object.set_annotation(RELEASE_NAME, release);
        self.object.set_annotation(RELEASE_NAMESPACE, namespace);
    }
}

/// Reads the objects of a manifest; Lists are expanded, documents without content left out.
pub(super) fn parse(manifest: &str) -> Result<Vec<Object>, String> {
    let mut objects = Vec::new();
    for document in split(manifest, Version::V4) {
        let value = kyaml::yaml_to_json(document.as_bytes());
        let value = value.map_err(|e| format!("error parsing : {e}"))?;
        match value {
            Value::Null => {}
            Value::Object(map) if map.is_empty() => {}
            value => expand(value, &mut objects)?,
        }
    }
    Ok(objects)
}

fn expand(value: Value, objects: &mut Vec<Object>) -> Result<(), String> {
    let object = Object::from_value(value)
        .map_err(|_| "error validating \"\": a manifest is no object".to_owned())?;
    let is_list =
        object.kind().ends_with("List") && object.0.get("items").is_some_and(Value::is_array);
    if !is_list {
        if object.kind().is_empty() {
            return Err("unable to decode \"\": Object 'Kind' is missing".to_owned());
        }
        objects.push(object);
        return Ok(());
    }
    let Value::Object(mut map) = object.into_value() else {
        return Ok(());
    };
    if let Some(Value::Array(items)) = map.remove("items") {
        for item in items {
            expand(item, objects)?;
        }
    }
    Ok(())
}

/// Finds the addresses of the objects of a manifest; objects of namespaced kinds get the release's namespace where
/// they name none.
pub(super) async fn build(
    cluster: &dyn Cluster,
    manifest: &str,
    namespace: &str,
) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    for object in parse(manifest)? {
        items.push(locate(cluster, object, namespace).await?);
    }
    Ok(items)
}

/// Finds the address of one object.
pub(super) async fn locate(
    cluster: &dyn Cluster,
    mut object: Object,
    namespace: &str,
) -> Result<Item, String> {
    let gvk = object.gvk();
    let resource = match cluster.resolve(&gvk).await {
        Ok(resource) => resource,
        Err(error) if error.is_no_match() => return Err(no_match(&object, &gvk)),
        Err(error) => return Err(error.to_string()),
    };
    if !resource.namespaced {
        object.metadata_mut().remove("namespace");
    } else if object.namespace().is_empty() {
        object.set_namespace(namespace);
    }
    Ok(Item { object, resource })
}

fn no_match(object: &Object, gvk: &Gvk) -> String {
    format!(
        "resource mapping not found for name: \"{}\" namespace: \"{}\" from \"\": no matches for kind \"{}\" in version \"{}\"\nensure CRDs are installed first",
        object.name(),
        object.namespace(),
        gvk.kind,
        gvk.api_version()
    )
}

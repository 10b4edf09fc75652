//! What the appliers, Kustomization and HelmRelease, have in common: references, patches, health checks, inventory.
//!
//! Upstream keeps these types in `fluxcd/pkg/apis`; both kinds read and write them the same way.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::meta::{KeyReference, LocalObjectReference};

/// A source, possibly in another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CrossNamespaceReference {
    /// Group and version; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind of the source; the CRDs say which ones a field takes.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; the own one where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl CrossNamespaceReference {
    /// Returns the namespace, with the referring object's own as default.
    pub fn namespace_or<'a>(&'a self, own: &'a str) -> &'a str {
        match self.namespace.as_str() {
            "" => own,
            namespace => namespace,
        }
    }
}

impl fmt::Display for CrossNamespaceReference {
    /// Writes `Kind/name` or `Kind/namespace/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{}/{}", self.kind, self.name),
            namespace => write!(f, "{}/{namespace}/{}", self.kind, self.name),
        }
    }
}

/// An object of the same kind that must be ready first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DependencyReference {
    /// Name.
    pub name: String,
    /// Namespace; the own one where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// CEL over `self` and `dep` that replaces the built-in check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_expr: Option<String>,
}

impl DependencyReference {
    /// Returns namespace and name, with the own namespace as default.
    pub fn resolve<'a>(&'a self, own_namespace: &'a str) -> (&'a str, &'a str) {
        let namespace = self.namespace.as_deref().filter(|n| !n.is_empty());
        (namespace.unwrap_or(own_namespace), &self.name)
    }
}

/// Another cluster; exactly one of the two is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeConfig {
    /// Secret with a kubeconfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyReference>,
    /// ConfigMap with a cloud cluster's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalObjectReference>,
}

/// Labels and annotations for every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CommonMetadata {
    /// Labels; they override equal keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations; they override equal keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A patch with the objects it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Patch {
    /// YAML of a strategic merge or a JSON patch.
    pub patch: String,
    /// Objects to patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}

/// Which objects; every set field must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Annotation selector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub annotation_selector: String,
    /// Label selector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label_selector: String,
}

/// An image replacement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// Image name without tag.
    pub name: String,
    /// New name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub new_name: String,
    /// New tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub new_tag: String,
    /// New digest; it wins over the tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// Health of one custom kind, in CEL over the object's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomHealthCheck {
    /// Group and version; the version does not matter.
    pub api_version: String,
    /// Kind; all kinds of the group where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// True when work goes on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub in_progress: String,
    /// True when it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub failed: String,
    /// True when it is done.
    pub current: String,
}

/// Fields whose drift is not corrected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IgnoreRule {
    /// JSON pointers.
    pub paths: Vec<String>,
    /// Objects concerned; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}

/// Objects applied by one Kustomization or installed by one HelmRelease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inventory {
    /// Unique by id, in order of ids.
    pub entries: Vec<InventoryEntry>,
}

/// One applied object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct InventoryEntry {
    /// `<namespace>_<name>_<group>_<kind>`.
    pub id: String,
    /// API version without group.
    pub v: String,
}

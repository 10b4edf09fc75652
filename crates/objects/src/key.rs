//! Names of kinds, resources and objects.
//!
//! The text form of an [`ObjectKey`] is the inventory id of cli-utils, `<namespace>_<name>_<group>_<kind>`,
//! in which RBAC names with `:` are written with `__`.

use std::fmt;

/// A kind without its version, ordered by group, then kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, as in the manifest.
    pub kind: String,
}

/// A kind in one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    /// API group; empty for the core group.
    pub group: String,
    /// Version, such as `v1`.
    pub version: String,
    /// Kind, as in the manifest.
    pub kind: String,
}

/// A resource (plural, lower case) in one version: what a URL names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvr {
    /// API group; empty for the core group.
    pub group: String,
    /// Version, such as `v1`.
    pub version: String,
    /// Plural resource name, such as `deployments`.
    pub resource: String,
}

/// Identity of one object in one cluster, independent of the version it was written in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, as in the manifest.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Text that is no inventory id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse stored object metadata: {0}")]
pub struct ParseKeyError(pub String);

/// Splits `group/version` (or a bare version of the core group).
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl GroupKind {
    /// Builds from parts.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
        }
    }
}

impl Gvk {
    /// Builds from parts.
    pub fn new(
        group: impl Into<String>,
        version: impl Into<String>,
        kind: impl Into<String>,
    ) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    /// Reads the `apiVersion` and `kind` of a manifest.
    pub fn from_api_version(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self::new(group, version, kind)
    }

    /// Returns `group/version`, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        join_api_version(&self.group, &self.version)
    }

    /// Drops the version.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.group, &self.kind)
    }
}

impl Gvr {
    /// Builds from parts.
    pub fn new(
        group: impl Into<String>,
        version: impl Into<String>,
        resource: impl Into<String>,
    ) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
        }
    }

    /// Returns `group/version`, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        join_api_version(&self.group, &self.version)
    }
}

fn join_api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

impl fmt::Display for GroupKind {
    /// Writes `Kind.group`, or `Kind` in the core group, as apimachinery does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

impl fmt::Display for Gvk {
    /// Writes `group/version, Kind=kind`, as apimachinery does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

impl ObjectKey {
    /// Builds from parts; an empty namespace means cluster-scoped.
    pub fn new(
        group: impl Into<String>,
        kind: impl Into<String>,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Returns the kind without version.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.group, &self.kind)
    }

    /// Writes the inventory id `<namespace>_<name>_<group>_<kind>`.
    pub fn to_id(&self) -> String {
        let name = if self.has_rbac_name() {
            self.name.replace(':', "__")
        } else {
            self.name.clone()
        };
        format!("{}_{}_{}_{}", self.namespace, name, self.group, self.kind)
    }

    /// Reads an inventory id.
    ///
    /// The first `_` ends the namespace, the last begins the kind, the one before begins the group.
    ///
    /// # Errors
    /// Fails on a text with fewer than three `_`, without name or kind, or with a name that no object can have.
    pub fn from_id(id: &str) -> Result<Self, ParseKeyError> {
        let error = || ParseKeyError(id.to_owned());
        let (namespace, rest) = id.split_once('_').ok_or_else(error)?;
        let (rest, kind) = rest.rsplit_once('_').ok_or_else(error)?;
        let (name, group) = rest.rsplit_once('_').ok_or_else(error)?;
        if name.is_empty() || kind.is_empty() {
            return Err(error());
        }
        let mut key = Self::new(group, kind, namespace, name);
        if key.has_rbac_name() {
            key.name = key.name.replace("__", ":");
        } else if key.name.contains('_') {
            return Err(error());
        }
        Ok(key)
    }

    fn has_rbac_name(&self) -> bool {
        self.group == "rbac.authorization.k8s.io"
            && matches!(
                self.kind.as_str(),
                "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding"
            )
    }
}

impl fmt::Display for ObjectKey {
    /// Writes `Kind/namespace/name` or `Kind/name`: the subject form of Flux's logs and events.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_ids_round_trip() {
        for id in [
            "default_podinfo__Service",
            "_podinfo__Namespace",
            "apps_web_apps_Deployment",
            "_system__node_rbac.authorization.k8s.io_ClusterRole",
        ] {
            assert_eq!(ObjectKey::from_id(id).unwrap().to_id(), id);
        }
        let role =
            ObjectKey::from_id("_system__node_rbac.authorization.k8s.io_ClusterRole").unwrap();
        assert_eq!(role.name, "system:node");
    }

    #[test]
    fn malformed_ids_are_refused() {
        for id in ["", "a", "a_b", "a_b_c", "a___", "a_b_c_d_E"] {
            assert!(ObjectKey::from_id(id).is_err(), "{id}");
        }
    }
}

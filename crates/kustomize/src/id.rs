//! Kinds and identities as kustomize sees them: what must be unique, what patches and selectors name.
//!
//! A cluster-scoped object lives in one fixed pseudo-namespace, and no namespace is the namespace
//! `default`. An empty part of a selector matches anything.

use std::fmt;

use kyaml::Text;

/// Where cluster-scoped objects live.
pub(crate) const NO_NAMESPACE: &str = "_non_namespaceable_";
/// What an empty namespace means.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// Group, version and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gvk {
    pub group: Text,
    pub version: Text,
    pub kind: Text,
}

/// An object's place: kind, name, namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ResId {
    pub gvk: Gvk,
    pub name: Text,
    pub namespace: Text,
    /// Known to the schemas as cluster-scoped; never set for former identities, which name the
    /// pseudo-namespace instead.
    pub cluster_scoped: bool,
}

/// Splits an API version at its first slash.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl Gvk {
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    pub fn from_api_version(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self::new(group, version, kind)
    }

    /// Tells whether every part that the selector names agrees.
    pub fn is_selected(&self, selector: &Gvk) -> bool {
        let agrees = |want: &str, have: &str| want.is_empty() || want == have;
        agrees(&selector.group, &self.group)
            && agrees(&selector.version, &self.version)
            && agrees(&selector.kind, &self.kind)
    }
}

fn or<'a>(text: &'a str, placeholder: &'a str) -> &'a str {
    if text.is_empty() { placeholder } else { text }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = or(&self.kind, "[noKind]");
        let version = or(&self.version, "[noVer]");
        write!(f, "{kind}.{version}.{}", or(&self.group, "[noGrp]"))
    }
}

/// Returns the namespace that counts.
pub(crate) fn effective_namespace(namespace: &str, cluster_scoped: bool) -> &str {
    if cluster_scoped {
        NO_NAMESPACE
    } else {
        or(namespace, DEFAULT_NAMESPACE)
    }
}

impl ResId {
    pub fn effective_namespace(&self) -> &str {
        effective_namespace(&self.namespace, self.cluster_scoped)
    }

    pub fn in_same_namespace(&self, other: &ResId) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    pub fn same_kind_and_name(&self, other: &ResId) -> bool {
        self.name == other.name && self.gvk == other.gvk
    }

    pub fn same(&self, other: &ResId) -> bool {
        self.same_kind_and_name(other) && self.in_same_namespace(other)
    }

    /// Tells whether this is one of the objects that a literal selector names.
    pub fn is_selected_by(&self, selector: &ResId) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.in_same_namespace(self))
            && self.gvk.is_selected(&selector.gvk)
    }
}

impl fmt::Display for ResId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = or(&self.name, "[noName]");
        write!(f, "{}/{name}.{}", self.gvk, or(&self.namespace, "[noNs]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_print_placeholders() {
        let id = ResId {
            gvk: Gvk::from_api_version("apps/v1", "StatefulSet"),
            name: "my-sts".into(),
            ..ResId::default()
        };
        assert_eq!(id.to_string(), "StatefulSet.v1.apps/my-sts.[noNs]");
        assert_eq!(
            ResId::default().to_string(),
            "[noKind].[noVer].[noGrp]/[noName].[noNs]"
        );
    }

    #[test]
    fn no_namespace_is_default() {
        let with = |namespace: &str| ResId {
            namespace: namespace.into(),
            ..ResId::default()
        };
        assert!(with("").same(&with("default")));
        assert!(!with("").same(&with("other")));
    }
}

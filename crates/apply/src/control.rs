//! Labels and annotations on objects that control how they are applied and pruned.

use objects::Object;

/// Tells whether an object carries one of the pairs as label or annotation; values compare without case.
pub fn any_in_metadata(object: &Object, pairs: &[(String, String)]) -> bool {
    pairs.iter().any(|(key, value)| {
        let carries = |found: Option<&str>| found.is_some_and(|f| f.eq_ignore_ascii_case(value));
        carries(object.label(key)) || carries(object.annotation(key))
    })
}

/// The pairs of one controller, below its API group.
#[derive(Clone, Debug)]
pub struct Controls {
    /// Objects that are never applied: `reconcile: disabled`, `ssa: Ignore`.
    pub exclude: Vec<(String, String)>,
    /// Objects that are only created: `ssa: IfNotPresent`.
    pub if_not_present: Vec<(String, String)>,
    /// Objects whose foreign fields are left alone: `ssa: Merge`.
    pub merge: Vec<(String, String)>,
    /// Objects that are recreated on immutable changes: `force: enabled`.
    pub force: Vec<(String, String)>,
    /// Objects that are never deleted: `prune: disabled` and the excluded ones.
    pub keep: Vec<(String, String)>,
}

impl Controls {
    /// Builds the pairs below an API group, such as `kustomize.toolkit.fluxcd.io`.
    pub fn of_group(group: &str) -> Self {
        let pair = |key: &str, value: &str| (format!("{group}/{key}"), value.to_owned());
        let exclude = vec![pair("reconcile", "disabled"), pair("ssa", "Ignore")];
        let mut keep = vec![pair("prune", "disabled")];
        keep.extend(exclude.iter().cloned());
        Self {
            exclude,
            if_not_present: vec![pair("ssa", "IfNotPresent")],
            merge: vec![pair("ssa", "Merge")],
            force: vec![pair("force", "enabled")],
            keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Gvk, Object};

    #[test]
    fn values_compare_without_case_on_labels_and_annotations() {
        let controls = Controls::of_group("kustomize.toolkit.fluxcd.io");
        let mut object = Object::new(&Gvk::new("", "v1", "ConfigMap"), "ns", "a");
        assert!(!any_in_metadata(&object, &controls.exclude));
        object.set_label("kustomize.toolkit.fluxcd.io/ssa", "ignore");
        assert!(any_in_metadata(&object, &controls.exclude));
        object.set_label("kustomize.toolkit.fluxcd.io/ssa", "merge");
        object.set_annotation("kustomize.toolkit.fluxcd.io/prune", "Disabled");
        assert!(any_in_metadata(&object, &controls.merge));
        assert!(any_in_metadata(&object, &controls.keep));
    }
}

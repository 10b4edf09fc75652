//! Stages, and the order of kinds within them.

use objects::{GroupKind, Object, ObjectKey};

/// Kinds that go first, in this order (fluxcd/pkg ssa `sort.go`).
const FIRST: &[&str] = &[
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that go last, in this order.
const LAST: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// A stage of an apply; stages run one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// CRDs, Namespaces, ClusterRoles; waited for.
    Definitions,
    /// Kinds whose names end in `Class`; waited for.
    Classes,
    /// Kinds that the operator chose.
    Custom,
    /// Everything else.
    Rest,
}

/// Returns the stage of an object.
pub fn stage_of(object: &Object, custom: &[GroupKind]) -> Stage {
    let key = object.key();
    let definition = match key.kind.as_str() {
        "CustomResourceDefinition" => key.group == "apiextensions.k8s.io",
        "Namespace" => key.group.is_empty(),
        "ClusterRole" => key.group == "rbac.authorization.k8s.io",
        _ => false,
    };
    if definition {
        Stage::Definitions
    } else if key.kind.ends_with("Class") {
        Stage::Classes
    } else if custom.contains(&key.group_kind()) {
        Stage::Custom
    } else {
        Stage::Rest
    }
}

/// Returns the place of a kind: before, among or after the others.
pub(crate) fn rank(kind: &str) -> i32 {
    let place = |list: &[&str]| list.iter().position(|k| *k == kind);
    let small = |index: usize| i32::try_from(index).unwrap_or(i32::MAX);
    if let Some(index) = place(FIRST) {
        return small(index) - small(FIRST.len());
    }
    place(LAST).map_or(0, |index| small(index) + 1)
}

/// Compares by rank, then group, kind, namespace, name.
pub(crate) fn compare(a: &ObjectKey, b: &ObjectKey) -> std::cmp::Ordering {
    rank(&a.kind).cmp(&rank(&b.kind)).then_with(|| {
        (&a.group, &a.kind, &a.namespace, &a.name).cmp(&(&b.group, &b.kind, &b.namespace, &b.name))
    })
}

/// Sorts objects into order of application.
pub fn sort(objects: &mut [Object]) {
    objects.sort_by_cached_key(|object| {
        let key = object.key();
        (rank(&key.kind), key)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Gvk;

    #[test]
    fn kinds_have_their_place() {
        let mut objects: Vec<Object> = [
            (
                "admissionregistration.k8s.io",
                "ValidatingWebhookConfiguration",
            ),
            ("batch", "Job"),
            ("apps", "Deployment"),
            ("", "ConfigMap"),
            ("", "Namespace"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ]
        .map(|(group, kind)| Object::new(&Gvk::new(group, "v1", kind), "", "x"))
        .into();
        sort(&mut objects);
        let kinds: Vec<&str> = objects.iter().map(Object::kind).collect();
        assert_eq!(
            kinds,
            [
                "CustomResourceDefinition",
                "Namespace",
                "ConfigMap",
                "Deployment",
                "Job",
                "ValidatingWebhookConfiguration"
            ]
        );
    }

    #[test]
    fn stages_follow_kind_and_choice() {
        let custom = [GroupKind::new("batch", "Job")];
        for (group, kind, stage) in [
            (
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                Stage::Definitions,
            ),
            ("", "Namespace", Stage::Definitions),
            ("storage.k8s.io", "StorageClass", Stage::Classes),
            ("batch", "Job", Stage::Custom),
            ("apps", "Deployment", Stage::Rest),
        ] {
            let object = Object::new(&Gvk::new(group, "v1", kind), "", "x");
            assert_eq!(stage_of(&object, &custom), stage, "{kind}");
        }
    }
}

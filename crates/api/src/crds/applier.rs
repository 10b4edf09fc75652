//! What the schemas of Kustomization and HelmRelease have in common.

use objects::Value;

use super::schema::{Schema, list, local_reference, object, string, strings_by_key};
use super::{age_column, ready_columns};

pub(super) const CATEGORIES: &[&str] = &["all", "fluxcd", "fluxcd-appliers"];

pub(super) fn columns() -> Vec<Value> {
    let mut columns = vec![age_column()];
    columns.extend(ready_columns());
    columns
}

pub(super) fn common_metadata() -> Schema {
    object([
        ("annotations", strings_by_key()),
        ("labels", strings_by_key()),
    ])
}

pub(super) fn dependencies() -> Schema {
    list(object([
        ("name!", string()),
        ("namespace", string()),
        ("readyExpr", string()),
    ]))
}

pub(super) fn health_checks() -> Schema {
    list(object([
        ("apiVersion!", string()),
        ("current!", string()),
        ("failed", string()),
        ("inProgress", string()),
        ("kind", string()),
    ]))
}

pub(super) fn kube_config() -> Schema {
    const EXACTLY_ONE: &str = "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified";
    object([
        ("configMapRef", local_reference()),
        (
            "secretRef",
            object([("key", string()), ("name!", string())]),
        ),
    ])
    .rule("has(self.configMapRef) || has(self.secretRef)", EXACTLY_ONE)
    .rule(
        "!has(self.configMapRef) || !has(self.secretRef)",
        EXACTLY_ONE,
    )
}

pub(super) fn selector() -> Schema {
    object([
        ("annotationSelector", string()),
        ("group", string()),
        ("kind", string()),
        ("labelSelector", string()),
        ("name", string()),
        ("namespace", string()),
        ("version", string()),
    ])
}

/// Fields whose drift is left alone.
pub(super) fn ignore_rules() -> Schema {
    list(object([("paths!", list(string())), ("target", selector())]))
}

pub(super) fn images() -> Schema {
    list(object([
        ("digest", string()),
        ("name!", string()),
        ("newName", string()),
        ("newTag", string()),
    ]))
}

pub(super) fn patches() -> Schema {
    list(object([("patch!", string()), ("target", selector())]))
}

pub(super) fn inventory() -> Schema {
    object([(
        "entries!",
        list(object([("id!", string()), ("v!", string())])),
    )])
}

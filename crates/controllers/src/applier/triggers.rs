//! What triggers of appliers look at in objects.

use api::names;
use controller_runtime::Change;
use objects::{Object, Value};

/// Returns the status of a condition.
pub(crate) fn condition<'a>(object: &'a Object, type_: &str) -> Option<&'a str> {
    let conditions = object.get(&["status", "conditions"])?.as_array()?;
    conditions.iter().find(|c| c["type"] == type_)?["status"].as_str()
}

/// Tells whether an object is Ready, or at work.
pub(crate) fn is_settled(object: &Object) -> bool {
    condition(object, names::READY) == Some("True")
        || condition(object, names::RECONCILING) == Some("True")
}

fn depends_on(object: &Object) -> impl Iterator<Item = &Value> {
    let entries = object.get(&["spec", "dependsOn"]).and_then(Value::as_array);
    entries.into_iter().flatten()
}

/// Returns `namespace/name` of every dependency.
pub(crate) fn dependencies_of(object: &Object) -> Vec<String> {
    depends_on(object)
        .filter_map(|entry| {
            let namespace = entry["namespace"].as_str().filter(|n| !n.is_empty());
            let namespace = namespace.unwrap_or(object.namespace());
            Some(format!("{namespace}/{}", entry["name"].as_str()?))
        })
        .collect()
}

/// Tells whether any dependency is judged by an expression, and the object is not Ready.
pub(crate) fn waits_by_expression(object: &Object) -> bool {
    let by_expression = depends_on(object).any(|entry| entry["readyExpr"].is_string());
    by_expression && condition(object, names::READY) != Some("True")
}

/// Returns `Kind/namespace/name` of objects that a list in the spec refers to, and of the kubeconfig.
pub(crate) fn configs_of(object: &Object, list: &[&str]) -> Vec<String> {
    let namespace = object.namespace();
    let mut configs = Vec::new();
    let entries = object.get(list).and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        if let (Some(kind), Some(name)) = (entry["kind"].as_str(), entry["name"].as_str()) {
            configs.push(format!("{kind}/{namespace}/{name}"));
        }
    }
    for (kind, field) in [("Secret", "secretRef"), ("ConfigMap", "configMapRef")] {
        let name = object.str_at(&["spec", "kubeConfig", field, "name"]);
        if !name.is_empty() {
            configs.push(format!("{kind}/{namespace}/{name}"));
        }
    }
    configs
}

/// Returns `Kind/namespace/name` of a changed object.
pub(crate) fn label_of(change: &Change) -> String {
    let object = change.object();
    format!("{}/{}/{}", object.kind(), object.namespace(), object.name())
}

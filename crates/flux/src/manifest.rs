//! Objects as the manifests that people keep: YAML with sorted keys, nothing that only a cluster fills in.

use objects::{Map, Object, Value};

use crate::error::{CliError, CliResult};
use crate::kinds::FluxKind;

/// Writes a value as Go's sigs.k8s.io/yaml does.
pub fn to_yaml(value: &Value) -> CliResult<String> {
    kyaml::emit_sigs(value).map_err(|error| CliError::internal(error.to_string()))
}

/// Returns a document of an export: a separator, then the object.
pub fn document(object: &Value) -> CliResult<String> {
    Ok(format!("---\n{}\n", to_yaml(object)?.trim()))
}

/// Keeps what a user wrote of an object: type, name, labels, annotations, spec.
pub fn tidy(kind: &FluxKind, object: &Object) -> Value {
    let mut kept = Object::new(&kind.gvk(), object.namespace(), object.name());
    for key in ["labels", "annotations"] {
        let filled = |value: &&Value| value.as_object().is_some_and(|map| !map.is_empty());
        if let Some(value) = object.get(&["metadata", key]).filter(filled) {
            kept.set(&["metadata", key], value.clone());
        }
    }
    let mut spec = object
        .get(&["spec"])
        .cloned()
        .unwrap_or_else(|| Map::new().into());
    normalize(&mut spec, "");
    kept.set(&["spec"], spec);
    kept.into_value()
}

/// Fields of Flux specs that hold durations.
const DURATIONS: [&str; 6] = [
    "interval",
    "timeout",
    "retryInterval",
    "lookback",
    "scanTimeout",
    "period",
];
/// Fields that Go's structs write even when they are zero.
const ALWAYS_WRITTEN: [&str; 2] = ["prune", "interval"];
/// Fields whose contents belong to the user alone.
const FREE_FORM: [&str; 7] = [
    "values",
    "substitute",
    "patch",
    "labels",
    "annotations",
    "matchLabels",
    "accessFrom",
];

/// Brings a value to the form that Go's structs give it: zero values left out, durations in full.
fn normalize(value: &mut Value, field: &str) {
    match value {
        Value::Object(map) if !FREE_FORM.contains(&field) => {
            map.retain(|key, value| ALWAYS_WRITTEN.contains(&key.as_str()) || !is_zero(value));
            for (key, value) in map {
                normalize(value, key);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normalize(item, field)),
        Value::String(text) if DURATIONS.contains(&field) => {
            if let Ok(nanoseconds) = gocompat::duration::parse(text) {
                *text = gocompat::duration::format(nanoseconds);
            }
        }
        _ => {}
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use objects::json;

    #[test]
    fn exports_are_written_as_go_structs_are() {
        let object = Object::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1beta2", "kind": "Kustomization",
            "metadata": {"name": "apps", "namespace": "flux-system", "uid": "1", "labels": {}},
            "spec": {"interval": "10m", "suspend": false, "prune": false, "path": "", "timeout": "90s",
                "postBuild": {"substitute": {"empty": ""}}},
            "status": {"observedGeneration": 1}
        })).unwrap();
        assert_eq!(
            document(&tidy(&kinds::KUSTOMIZATION, &object)).unwrap(),
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  namespace: flux-system\nspec:\n  interval: 10m0s\n  postBuild:\n    substitute:\n      empty: \"\"\n  prune: false\n  timeout: 1m30s\n"
        );
    }
}

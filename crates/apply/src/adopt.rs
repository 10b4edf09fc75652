//! Taking over objects that kubectl or an older controller applied: one JSON patch on the live object.
//!
//! `managedFields` entries of known managers are folded into our own apply entry, so that fields they set and
//! we do not are removed by the next apply; leftover annotations and labels of older tools go as well.

use objects::{Map, Object, Value, json};

/// Annotations of older tools.
const ANNOTATIONS: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];

/// Labels of older tools.
const LABELS: &[&str] = &["fluxcd.io/sync-gc-mark"];

/// A manager (by prefix) and operation whose fields are taken over.
struct Taken<'a> {
    prefix: &'a str,
    operation: &'a str,
}

/// Returns the JSON patch that cleans a live object up; `None` where nothing is to be done.
pub(crate) fn clean_up(live: &Object, manager: &str, overridden: &[String]) -> Option<Value> {
    let mut operations = Vec::new();
    for (field, keys) in [("annotations", ANNOTATIONS), ("labels", LABELS)] {
        for key in keys {
            if live.get(&["metadata", field, key]).is_some() {
                let escaped = key.replace('/', "~1");
                operations
                    .push(json!({"op": "remove", "path": format!("/metadata/{field}/{escaped}")}));
            }
        }
    }
    if let Some(entries) = fold(live, manager, overridden) {
        operations
            .push(json!({"op": "replace", "path": "/metadata/managedFields", "value": entries}));
    }
    (!operations.is_empty()).then_some(Value::Array(operations))
}

/// Folds entries of taken managers into the apply entry of `manager`, which moves to the end.
fn fold(live: &Object, manager: &str, overridden: &[String]) -> Option<Vec<Value>> {
    let entries = live.get(&["metadata", "managedFields"])?.as_array()?;
    let taken = taken(manager, overridden);
    let mut own = entries
        .iter()
        .find(|e| e["manager"] == manager && e["operation"] == "Apply" && !has_subresource(e))
        .cloned();
    let present = own.clone();
    let mut rest = Vec::new();
    let mut edited = false;
    for entry in entries {
        if Some(entry) == present.as_ref() {
            continue;
        }
        if !is_taken(entry, &taken) {
            rest.push(entry.clone());
            continue;
        }
        edited = true;
        own = Some(match own {
            Some(own) => joined(own, entry),
            None => renamed(entry.clone(), manager),
        });
    }
    rest.extend(own);
    edited.then_some(rest)
}

fn taken<'a>(manager: &'a str, overridden: &'a [String]) -> Vec<Taken<'a>> {
    let mut taken = vec![
        Taken {
            prefix: "kubectl",
            operation: "Apply",
        },
        Taken {
            prefix: "kubectl",
            operation: "Update",
        },
        Taken {
            prefix: "before-first-apply",
            operation: "Update",
        },
        Taken {
            prefix: manager,
            operation: "Update",
        },
    ];
    for prefix in overridden {
        taken.push(Taken {
            prefix,
            operation: "Apply",
        });
        taken.push(Taken {
            prefix,
            operation: "Update",
        });
    }
    taken
}

fn has_subresource(entry: &Value) -> bool {
    entry["subresource"].as_str().is_some_and(|s| !s.is_empty())
}

fn is_taken(entry: &Value, taken: &[Taken<'_>]) -> bool {
    let manager = entry["manager"].as_str().unwrap_or("");
    !has_subresource(entry)
        && taken
            .iter()
            .any(|t| entry["operation"] == t.operation && manager.starts_with(t.prefix))
}

fn renamed(mut entry: Value, manager: &str) -> Value {
    entry["manager"] = manager.into();
    entry["operation"] = "Apply".into();
    entry
}

fn joined(mut own: Value, other: &Value) -> Value {
    let fields = match (own["fieldsV1"].as_object(), other["fieldsV1"].as_object()) {
        (Some(own), Some(other)) => union(own, other),
        (None, Some(other)) => other.clone(),
        (Some(own), None) => own.clone(),
        (None, None) => return own,
    };
    own["fieldsV1"] = Value::Object(fields);
    own
}

/// Joins two field sets. An empty map is a leaf; a leaf that gets children keeps itself as `.`.
fn union(a: &Map, b: &Map) -> Map {
    let mut joined = a.clone();
    for (key, other) in b {
        let value = match (
            joined.get(key).and_then(Value::as_object),
            other.as_object(),
        ) {
            (Some(own), Some(other)) => {
                let mut both = union(own, other);
                if own.is_empty() != other.is_empty() {
                    both.insert(".".into(), json!({}));
                }
                Value::Object(both)
            }
            _ => other.clone(),
        };
        joined.insert(key.clone(), value);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(entries: Value) -> Object {
        Object::from_value(json!({
            "metadata": {"name": "a", "managedFields": entries}
        }))
        .unwrap()
    }

    #[test]
    fn fields_of_kubectl_become_ours() {
        let live = live(json!([
            {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:a": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {"f:x": {}}, "f:b": {}}}},
            {"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:c": {}}}},
            {"manager": "hpa", "operation": "Update", "fieldsV1": {"f:spec": {"f:d": {}}}}
        ]));
        let patch = clean_up(&live, "kustomize-controller", &[]).unwrap();
        let entries = patch[0]["value"].as_array().unwrap();
        let managers: Vec<_> = entries
            .iter()
            .map(|e| e["manager"].as_str().unwrap())
            .collect();
        assert_eq!(managers, ["kubectl", "hpa", "kustomize-controller"]);
        assert_eq!(
            entries[2]["fieldsV1"],
            json!({"f:spec": {"f:a": {".": {}, "f:x": {}}, "f:b": {}}})
        );
    }

    #[test]
    fn the_first_taken_entry_becomes_ours_where_there_is_none() {
        let live =
            live(json!([{"manager": "helm", "operation": "Update", "fieldsV1": {"f:a": {}}}]));
        assert_eq!(clean_up(&live, "kustomize-controller", &[]), None);
        let patch = clean_up(&live, "kustomize-controller", &["helm".into()]).unwrap();
        assert_eq!(patch[0]["value"][0]["manager"], "kustomize-controller");
        assert_eq!(patch[0]["value"][0]["operation"], "Apply");
    }

    #[test]
    fn leftovers_of_older_tools_go() {
        let mut live = live(json!([]));
        live.set_annotation("kubectl.kubernetes.io/last-applied-configuration", "{}");
        let patch = clean_up(&live, "kustomize-controller", &[]).unwrap();
        assert_eq!(
            patch,
            json!([{"op": "remove", "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"}])
        );
    }
}

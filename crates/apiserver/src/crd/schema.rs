//! Structural schemas at work: defaults, and what a schema does not know.

use objects::{Map, Value};

/// Bound on nesting of schemas and objects.
pub(super) const DEPTH_MAX: usize = 200;

/// Drops nulls that the schema does not allow and fills in its defaults.
pub fn apply_defaults(schema: &Value, object: &mut Map) {
    defaults_of_map(schema, object, 0, true);
}

fn defaults_of_map(schema: &Value, map: &mut Map, depth: usize, root: bool) {
    if depth > DEPTH_MAX {
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if root && matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
            continue;
        }
        if map.get(name).is_some_and(Value::is_null) && !nullable(property) {
            map.remove(name);
        }
        if !map.contains_key(name)
            && let Some(default) = property.get("default")
        {
            map.insert(name.clone(), default.clone());
        }
        if let Some(value) = map.get_mut(name) {
            defaults_of(property, value, depth + 1);
        }
    }
    if let Some(additional) = schema.get("additionalProperties").filter(|a| a.is_object()) {
        let known = |key: &String| properties.is_some_and(|p| p.contains_key(key));
        if !nullable(additional) {
            map.retain(|key, value| known(key) || !value.is_null() || root);
        }
        for (key, value) in map.iter_mut() {
            if !known(key) {
                defaults_of(additional, value, depth + 1);
            }
        }
    }
}

fn defaults_of(schema: &Value, value: &mut Value, depth: usize) {
    match value {
        Value::Object(map) => defaults_of_map(schema, map, depth, false),
        Value::Array(items) => {
            if let Some(element) = schema.get("items") {
                for item in items {
                    defaults_of(element, item, depth + 1);
                }
            }
        }
        _ => {}
    }
}

pub(super) fn nullable(schema: &Value) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
        || (flag(schema, "x-kubernetes-preserve-unknown-fields") && schema.get("type").is_none())
}

pub(super) fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

/// Tells whether a value has members that its schema does not know.
pub fn has_unknown(schema: &Value, value: &Value, depth: usize) -> bool {
    if depth > DEPTH_MAX || flag(schema, "x-kubernetes-preserve-unknown-fields") {
        return false;
    }
    match value {
        Value::Array(items) => schema.get("items").is_some_and(|element| {
            items
                .iter()
                .any(|item| has_unknown(element, item, depth + 1))
        }),
        Value::Object(map) => map.iter().any(|(key, value)| {
            let property = schema.get("properties").and_then(|p| p.get(key));
            let more = schema.get("additionalProperties");
            let embedded = flag(schema, "x-kubernetes-embedded-resource")
                && matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
            match property.or(more.filter(|more| more.is_object())) {
                Some(inner) => has_unknown(inner, value, depth + 1),
                None => !embedded && more != Some(&Value::Bool(true)),
            }
        }),
        _ => false,
    }
}

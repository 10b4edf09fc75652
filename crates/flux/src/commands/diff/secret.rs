//! Secrets in a diff: values are never shown, encrypted ones are compared by their keys only.

use base64::Engine as _;
use objects::{Map, Object, Value};

const MASK: &str = "*****";

/// Replaces the values of two states of a Secret; a changed value is only told to be another.
pub fn sanitize(live: &mut Object, merged: &mut Object) {
    let before = data(live).cloned().unwrap_or_default();
    let after = data(merged).cloned().unwrap_or_default();
    let mask = |own: &Map, other: &Map, changed: &str| -> Map {
        own.iter()
            .map(|(key, value)| {
                let masked = match other.get(key) {
                    Some(found) if found != value => changed,
                    _ => MASK,
                };
                (key.clone(), masked.into())
            })
            .collect()
    };
    if !before.is_empty() {
        live.set(&["data"], mask(&before, &after, "*** (before)"));
    }
    if !after.is_empty() {
        merged.set(&["data"], mask(&after, &before, "*** (after)"));
    }
}

/// Tells whether a built Secret is encrypted and has the same keys as the live one; masks all values if it is encrypted.
pub fn is_same_encrypted(built: &Object, live: &mut Object, merged: &mut Object) -> bool {
    let encrypted = |value: &Value| {
        base64::engine::general_purpose::STANDARD
            .decode(value.as_str().unwrap_or_default())
            .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains("**SOPS**"))
    };
    if !data(built).is_some_and(|data| data.values().any(encrypted)) {
        return false;
    }
    for object in [&mut *live, merged] {
        if let Some(Value::Object(data)) = object.0.get_mut("data") {
            data.values_mut().for_each(|value| *value = MASK.into());
        }
    }
    let keys = |object: &Object| -> Vec<String> {
        data(object)
            .into_iter()
            .flat_map(Map::keys)
            .cloned()
            .collect()
    };
    keys(live) == keys(merged)
}

fn data(object: &Object) -> Option<&Map> {
    object.get(&["data"]).and_then(Value::as_object)
}

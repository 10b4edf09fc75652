//! JSON merge patches (RFC 7396).

use crate::{Map, Value};

/// Merges a patch into a value: maps merge by key, null removes, anything else replaces.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge_patch(target.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// Computes the merge patch that turns one value into another; an empty map where they are equal.
///
/// Nulls inside the new value cannot be expressed and are lost.
pub fn create_merge_patch(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return new.clone();
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(before) if before == value => {}
            Some(before) if before.is_object() && value.is_object() => {
                patch.insert(key.clone(), create_merge_patch(before, value));
            }
            _ => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn the_examples_of_the_rfc() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!(["a"]), json!(["c"]), json!(["c"])),
            (json!({"a": "b"}), json!(null), json!(null)),
            (
                json!([1, 2]),
                json!({"a": "b", "c": null}),
                json!({"a": "b"}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            let mut actual = target.clone();
            merge_patch(&mut actual, &patch);
            assert_eq!(actual, expected, "{target} + {patch}");
        }
    }

    #[test]
    fn a_created_patch_leads_to_the_new_value() {
        let old = json!({"a": 1, "b": {"c": 2, "d": [1]}, "e": "x"});
        let new = json!({"a": 1, "b": {"c": 3, "d": [1]}, "f": {}});
        let patch = create_merge_patch(&old, &new);
        assert_eq!(patch, json!({"b": {"c": 3}, "e": null, "f": {}}));
        let mut actual = old;
        merge_patch(&mut actual, &patch);
        assert_eq!(actual, new);
    }
}

//! Computing strategic patches from two or three states of an object.

use std::cmp::Ordering;

use crate::schema::{Schema, TypeId};
use crate::smd::gotext::go_v;
use crate::{Map, Value};

use super::apply::{Merger, deduplicated};
use super::{
    At, DELETE_FROM_LIST, DEPTH_MAX, DIRECTIVE, RETAIN_KEYS, SET_ORDER, StrategicError,
    element_type, key_of, map_of, order, same_type,
};

/// Computes the patch that turns `original` into `modified`; empty where they are equal.
///
/// # Errors
/// Fails on objects that are nested too deeply, and on directives in the objects themselves.
pub fn two_way(
    original: &Map,
    modified: &Map,
    schema: &Schema,
    ty: Option<TypeId>,
) -> Result<Map, StrategicError> {
    let differ = Differ {
        additions: true,
        deletions: true,
    };
    differ.maps(original, modified, At { schema, ty }, false, 0)
}

/// Computes the patch of a client-side apply: what `modified` adds to or changes in `current`, and what it no longer has
/// of `original` (the last applied object). Changes by others are overwritten without a conflict.
///
/// # Errors
/// As [`two_way`].
pub fn three_way(
    original: &Map,
    modified: &Map,
    current: &Map,
    schema: &Schema,
    ty: Option<TypeId>,
) -> Result<Map, StrategicError> {
    let at = At { schema, ty };
    let changes = Differ {
        additions: true,
        deletions: false,
    };
    let delta = changes.maps(current, modified, at, false, 0)?;
    let removals = Differ {
        additions: false,
        deletions: true,
    };
    let deletions = removals.maps(original, modified, at, false, 0)?;
    let merger = Merger {
        parallel_lists: false,
    };
    merger.map(deletions, delta, at, 0)
}

struct Differ {
    /// Report what was added or changed.
    additions: bool,
    /// Report what was removed.
    deletions: bool,
}

/// Parts of a patch for one list.
#[derive(Default)]
struct ListDiff {
    patch: Vec<Value>,
    deletions: Vec<Value>,
    order: Vec<Value>,
}

impl Differ {
    fn maps(
        &self,
        original: &Map,
        modified: &Map,
        at: At<'_>,
        retain_keys: bool,
        depth: usize,
    ) -> Result<Map, StrategicError> {
        if depth > DEPTH_MAX {
            return Err(StrategicError::Other("object is nested too deeply".into()));
        }
        let mut patch = Map::new();
        for (key, after) in modified {
            match original.get(key) {
                Some(before) if key == DIRECTIVE => {
                    self.directive(before, after, &mut patch)?;
                }
                Some(before) if same_type(before, after) => {
                    self.entry(key, before, after, at, &mut patch, depth)?;
                }
                _ if self.additions => {
                    patch.insert(key.clone(), after.clone());
                }
                _ => {}
            }
        }
        if self.deletions {
            for key in original.keys().filter(|key| !modified.contains_key(*key)) {
                patch.insert(key.clone(), Value::Null);
            }
        }
        let gained = || modified.keys().any(|key| !original.contains_key(key));
        let kept: Vec<&String> = modified
            .iter()
            .filter_map(|(key, value)| (!value.is_null()).then_some(key))
            .collect();
        if retain_keys && !kept.is_empty() && (!patch.is_empty() || gained()) {
            patch.insert(RETAIN_KEYS.into(), kept.into_iter().cloned().collect());
        }
        Ok(patch)
    }

    fn entry(
        &self,
        key: &str,
        before: &Value,
        after: &Value,
        at: At<'_>,
        patch: &mut Map,
        depth: usize,
    ) -> Result<(), StrategicError> {
        let (below, rule) = at.field(key);
        match (before, after) {
            (Value::Object(_), Value::Object(_)) if rule.replaces() => {
                if self.additions {
                    patch.insert(key.to_owned(), after.clone());
                }
            }
            (Value::Object(before), Value::Object(after)) => {
                let inner = self.maps(before, after, below, rule.retains_keys(), depth + 1)?;
                if !inner.is_empty() {
                    patch.insert(key.to_owned(), Value::Object(inner));
                }
            }
            (Value::Array(before), Value::Array(after)) if rule.merges() => {
                let retain = rule.retains_keys();
                let diff = self.lists(before, after, below, rule.key(), retain, depth)?;
                let mut put = |key: String, list: Vec<Value>| {
                    if !list.is_empty() {
                        patch.insert(key, Value::Array(list));
                    }
                };
                put(key.to_owned(), diff.patch);
                put(format!("{DELETE_FROM_LIST}/{key}"), diff.deletions);
                put(format!("{SET_ORDER}/{key}"), diff.order);
            }
            _ => {
                if self.additions && before != after {
                    patch.insert(key.to_owned(), after.clone());
                }
            }
        }
        Ok(())
    }

    fn directive(
        &self,
        before: &Value,
        after: &Value,
        patch: &mut Map,
    ) -> Result<(), StrategicError> {
        let (Some(before), Some(after)) = (before.as_str(), after.as_str()) else {
            return Err(StrategicError::Other("invalid patch directive".into()));
        };
        if before != after {
            patch.insert(DIRECTIVE.into(), after.into());
        }
        Ok(())
    }

    fn lists(
        &self,
        original: &[Value],
        modified: &[Value],
        at: At<'_>,
        key: &str,
        retain_keys: bool,
        depth: usize,
    ) -> Result<ListDiff, StrategicError> {
        let mut diff = ListDiff::default();
        if original.is_empty() {
            if self.additions {
                diff.patch = modified.to_vec();
            }
            return Ok(diff);
        }
        if element_type(&[original, modified])?.is_object() {
            let (patch, deletions) =
                self.lists_of_maps(original, modified, at, key, retain_keys, depth)?;
            diff.patch = order::sort_by(patch, modified, key, true)?;
            let changed = !deletions.is_empty() || !diff.patch.is_empty();
            diff.patch.extend(deletions);
            let reordered = !same_order(original, modified, key)?;
            if (self.additions && (changed || reordered)) || (self.deletions && changed) {
                for item in modified {
                    let mut named = Map::new();
                    named.insert(key.to_owned(), key_of(map_of(item)?, key)?.clone());
                    diff.order.push(Value::Object(named));
                }
            }
            return Ok(diff);
        }
        let (patch, deletions) = self.lists_of_scalars(original, modified);
        diff.patch = order::sort_by(patch, modified, "", false)?;
        if (self.deletions && !deletions.is_empty()) || (self.additions && original != modified) {
            diff.order = modified.to_vec();
        }
        diff.deletions = deletions;
        Ok(diff)
    }

    fn lists_of_scalars(&self, original: &[Value], modified: &[Value]) -> (Vec<Value>, Vec<Value>) {
        let sorted = |items: &[Value]| {
            let mut items: Vec<(String, Value)> =
                items.iter().map(|v| (go_v(v), v.clone())).collect();
            items.sort_by(|a, b| a.0.cmp(&b.0));
            items
        };
        let (mut added, mut deleted) = (Vec::new(), Vec::new());
        let mut left = sorted(original).into_iter().peekable();
        let mut right = sorted(modified).into_iter().peekable();
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(l), Some(r)) => l.0.cmp(&r.0),
            };
            let l = if order.is_le() { left.next() } else { None };
            let r = if order.is_ge() { right.next() } else { None };
            if order.is_lt() && self.deletions {
                deleted.extend(l.map(|(_, value)| value));
            }
            if order.is_gt() && self.additions {
                added.extend(r.map(|(_, value)| value));
            }
        }
        (added, deduplicated(deleted))
    }

    fn lists_of_maps(
        &self,
        original: &[Value],
        modified: &[Value],
        at: At<'_>,
        key: &str,
        retain_keys: bool,
        depth: usize,
    ) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
        let (mut patch, mut deleted) = (Vec::new(), Vec::new());
        let mut left = sorted_by_key(original, key)?.into_iter().peekable();
        let mut right = sorted_by_key(modified, key)?.into_iter().peekable();
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(l), Some(r)) => l.0.cmp(&r.0),
            };
            let l = if order.is_le() { left.next() } else { None };
            let r = if order.is_ge() { right.next() } else { None };
            match (l, r) {
                (Some((_, before)), Some((_, after))) => {
                    let mut inner = self.maps(before, after, at, retain_keys, depth + 1)?;
                    if !inner.is_empty() {
                        inner.insert(key.to_owned(), key_of(after, key)?.clone());
                        patch.push(Value::Object(inner));
                    }
                }
                (None, Some((_, after))) if self.additions => {
                    patch.push(Value::Object(after.clone()));
                }
                (Some((_, before)), None) if self.deletions => {
                    let mut directive = Map::new();
                    directive.insert(key.to_owned(), key_of(before, key)?.clone());
                    directive.insert(DIRECTIVE.into(), "delete".into());
                    deleted.push(Value::Object(directive));
                }
                _ => {}
            }
        }
        Ok((patch, deleted))
    }
}

/// Sorts items by the text of their key.
fn sorted_by_key<'v>(
    items: &'v [Value],
    key: &str,
) -> Result<Vec<(String, &'v Map)>, StrategicError> {
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let map = map_of(item)?;
        keyed.push((go_v(key_of(map, key)?), map));
    }
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(keyed)
}

fn same_order(original: &[Value], modified: &[Value], key: &str) -> Result<bool, StrategicError> {
    if original.len() != modified.len() {
        return Ok(false);
    }
    for (before, after) in original.iter().zip(modified) {
        if key_of(map_of(before)?, key)? != key_of(map_of(after)?, key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::strategic::apply;
    use crate::{Gvk, json};

    fn deployment() -> (&'static Schema, Option<TypeId>) {
        let schema = crate::schema::builtin::builtin();
        (schema, schema.kind(&Gvk::new("apps", "v1", "Deployment")))
    }

    fn map(value: Value) -> Map {
        match value {
            Value::Object(map) => map,
            other => panic!("not a map: {other}"),
        }
    }

    fn with_containers(containers: Value) -> Map {
        map(json!({"spec": {"template": {"spec": {"containers": containers}}}}))
    }

    #[test]
    fn a_container_is_patched_by_name() {
        let (schema, ty) = deployment();
        let original = with_containers(json!([{"name": "a", "image": "a:1"}, {"name": "b"}]));
        let patch = with_containers(json!([{"name": "a", "image": "a:2"}, {"name": "c"}]));
        let merged = apply(original, patch, schema, ty).unwrap();
        let expected =
            with_containers(json!([{"name": "a", "image": "a:2"}, {"name": "c"}, {"name": "b"}]));
        assert_eq!(merged, expected);
    }

    #[test]
    fn directives_delete_and_replace() {
        let (schema, ty) = deployment();
        let original = || with_containers(json!([{"name": "a", "image": "a:1"}, {"name": "b"}]));
        let patch = with_containers(json!([{"name": "a", "$patch": "delete"}]));
        let merged = apply(original(), patch, schema, ty).unwrap();
        assert_eq!(merged, with_containers(json!([{"name": "b"}])));
        let patch = with_containers(json!([{"$patch": "replace"}, {"name": "z"}]));
        let merged = apply(original(), patch, schema, ty).unwrap();
        assert_eq!(merged, with_containers(json!([{"name": "z"}])));
        let patch = with_containers(json!([{"image": "x"}]));
        let error = apply(original(), patch, schema, ty).unwrap_err();
        assert_eq!(
            error.to_string(),
            "map: map[image:x] does not contain declared merge key: name"
        );
    }

    #[test]
    fn two_way_patches_apply_back() {
        let (schema, ty) = deployment();
        let original = with_containers(json!([{"name": "a", "image": "a:1"}, {"name": "b"}]));
        let modified = with_containers(json!([{"name": "c"}, {"name": "a", "image": "a:2"}]));
        let patch = two_way(&original, &modified, schema, ty).unwrap();
        assert_eq!(
            Value::Object(patch.clone()),
            json!({"spec": {"template": {"spec": {
                "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
                "containers": [{"name": "c"}, {"image": "a:2", "name": "a"}, {"$patch": "delete", "name": "b"}],
            }}}})
        );
        assert_eq!(apply(original, patch, schema, ty).unwrap(), modified);
    }

    #[test]
    fn three_way_patches_keep_what_others_added() {
        let (schema, ty) = deployment();
        let last =
            map(json!({"metadata": {"labels": {"a": "1", "b": "1"}}, "spec": {"replicas": 1}}));
        let modified = map(json!({"metadata": {"labels": {"a": "2"}}, "spec": {}}));
        let current = map(json!({
            "metadata": {"labels": {"a": "1", "b": "1", "c": "1"}}, "spec": {"replicas": 1, "paused": true},
        }));
        let patch = three_way(&last, &modified, &current, schema, ty).unwrap();
        assert_eq!(
            Value::Object(patch),
            json!({"metadata": {"labels": {"a": "2", "b": null}}, "spec": {"replicas": null}})
        );
    }

    #[test]
    fn scalar_lists_merge_as_sets() {
        let (schema, ty) = deployment();
        let finalizers = |list: Value| map(json!({"metadata": {"finalizers": list}}));
        let merged = apply(
            finalizers(json!(["x/a", "x/b"])),
            finalizers(json!(["x/c"])),
            schema,
            ty,
        );
        assert_eq!(merged.unwrap(), finalizers(json!(["x/c", "x/a", "x/b"])));
        let patch = map(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"]}}));
        let merged = apply(finalizers(json!(["x/a", "x/b"])), patch, schema, ty);
        assert_eq!(merged.unwrap(), finalizers(json!(["x/b"])));
    }

    #[test]
    fn retained_keys_drop_the_others() {
        let (schema, ty) = deployment();
        let strategy = |value: Value| map(json!({"spec": {"strategy": value}}));
        let original = strategy(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}));
        let modified = strategy(json!({"type": "Recreate"}));
        let patch = two_way(&original, &modified, schema, ty).unwrap();
        assert_eq!(
            Value::Object(patch.clone()),
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": null, "type": "Recreate"}}})
        );
        assert_eq!(apply(original, patch, schema, ty).unwrap(), modified);
    }
}

//! Which fields a value has.

use std::collections::BTreeSet;

use crate::Value;
use crate::schema::{List, Map, Schema, TypeId};

use super::path::{KeyField, PathElement};
use super::set::FieldSet;
use super::typed::{Handler, item_element, select};

/// Returns the fields of a value: leaves, list items, items of plain maps, empty maps and nulls.
pub(super) fn to_field_set(schema: &Schema, ty: TypeId, value: Option<&Value>) -> FieldSet {
    walk(schema, ty, value).1
}

/// Returns whether the node itself is a member, and the set below it.
fn walk(schema: &Schema, ty: TypeId, value: Option<&Value>) -> (bool, FieldSet) {
    match select(schema.get(ty), value).handler() {
        Ok(Handler::Map(map)) if map.is_atomic() => (true, FieldSet::new()),
        Ok(Handler::Map(map)) => (false, map_items(schema, map, value)),
        Ok(Handler::Scalar(_)) => (true, FieldSet::new()),
        Ok(Handler::List(list)) if list.is_atomic() => (true, FieldSet::new()),
        Ok(Handler::List(list)) => (false, list_items(schema, list, value)),
        Err(_) => (false, FieldSet::new()),
    }
}

fn map_items(schema: &Schema, map: &Map, value: Option<&Value>) -> FieldSet {
    let mut set = FieldSet::new();
    let Some(Value::Object(items)) = value else {
        return set;
    };
    set.entries.reserve_exact(items.len());
    for (key, item) in items {
        let named = map.field(key);
        let ty = named.map(|f| f.ty).or(map.element);
        let (member, below) = ty.map_or_else(Default::default, |ty| walk(schema, ty, Some(item)));
        let bare = item.is_null() || item.as_object().is_some_and(|m| m.is_empty());
        set.push(
            PathElement::field(key),
            member || bare || named.is_none(),
            below,
        );
    }
    set
}

fn list_items(schema: &Schema, list: &List, value: Option<&Value>) -> FieldSet {
    let mut set = FieldSet::new();
    let Some(Value::Array(items)) = value else {
        return set;
    };
    let elements: Vec<Option<PathElement>> = items
        .iter()
        .map(|item| item_element(schema, list, item).ok())
        .collect();
    let mut seen = BTreeSet::new();
    let repeated: BTreeSet<&PathElement> = elements
        .iter()
        .flatten()
        .filter(|element| !seen.insert(*element))
        .collect();
    for (element, item) in elements.iter().zip(items) {
        let Some(element) = element else { continue };
        let below = if repeated.contains(element) {
            FieldSet::new()
        } else {
            walk(schema, list.element, Some(item)).1
        };
        set.push(element.clone(), true, below);
    }
    set
}

/// Names of fields that make a list of maps look keyed where no schema is known.
const GUESSED_KEYS: [&str; 3] = ["key", "id", "name"];

/// Returns the leaves of a value without a schema; list items are named by `key`, `id` and `name`, else by position.
pub fn set_from_value(value: &Value) -> FieldSet {
    let mut set = FieldSet::new();
    match value {
        Value::Object(items) => {
            for (key, item) in items {
                let leaf = !item.is_object() && !item.is_array();
                set.push(PathElement::field(key), leaf, set_from_value(item));
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let leaf = !item.is_object() && !item.is_array();
                set.push(guessed_element(i, item), leaf, set_from_value(item));
            }
        }
        _ => {}
    }
    set
}

fn guessed_element(index: usize, item: &Value) -> PathElement {
    let keys: Vec<KeyField> = GUESSED_KEYS
        .iter()
        .filter_map(|name| {
            let value = item.as_object()?.get(*name)?;
            let scalar = !value.is_null() && !value.is_array() && !value.is_object();
            scalar.then(|| KeyField {
                name: (*name).into(),
                value: value.clone(),
            })
        })
        .collect();
    if keys.is_empty() {
        PathElement::Index(index as i64)
    } else {
        PathElement::key(keys)
    }
}

//! Cutting fields out of a value, and keeping only some.

use crate::schema::{List, Map, Schema, TypeId};
use crate::{Map as JsonMap, Value};

use super::path::PathElement;
use super::set::FieldSet;
use super::typed::{Handler, item_element, select};

/// Returns the value without `items`; a map or list that loses everything becomes null.
pub(super) fn remove_items(
    schema: &Schema,
    ty: TypeId,
    value: Option<&Value>,
    items: &FieldSet,
) -> Value {
    let cut = Cut {
        schema,
        extract: false,
    };
    cut.node(Some(ty), value, items)
}

/// Returns only `items` of the value.
pub(super) fn extract_items(
    schema: &Schema,
    ty: TypeId,
    value: Option<&Value>,
    items: &FieldSet,
) -> Value {
    let cut = Cut {
        schema,
        extract: true,
    };
    cut.node(Some(ty), value, items)
}

struct Cut<'a> {
    schema: &'a Schema,
    /// Keep what the set names instead of removing it.
    extract: bool,
}

impl Cut<'_> {
    fn node(&self, ty: Option<TypeId>, value: Option<&Value>, set: &FieldSet) -> Value {
        let Some(value) = value else {
            return Value::Null;
        };
        match select(self.schema.get_or_invalid(ty), Some(value)).handler() {
            Ok(Handler::Map(map)) => match value {
                Value::Object(items) if map.is_atomic() || items.is_empty() => self.whole(value),
                Value::Object(items) => self.map(map, items, set),
                _ => Value::Null,
            },
            Ok(Handler::Scalar(_)) => value.clone(),
            Ok(Handler::List(list)) => match value {
                Value::Array(items) if list.is_atomic() || items.is_empty() => self.whole(value),
                Value::Array(items) => self.list(list, items, set),
                _ => Value::Null,
            },
            Err(_) => Value::Null,
        }
    }

    fn whole(&self, value: &Value) -> Value {
        if self.extract {
            value.clone()
        } else {
            Value::Null
        }
    }

    fn map(&self, map: &Map, items: &JsonMap, set: &FieldSet) -> Value {
        let mut out = JsonMap::new();
        for (key, item) in items {
            let element = PathElement::field(key);
            let ty = map.type_of(key);
            if set.has_element(&element) {
                if self.extract {
                    // The set of this level, not of the level below: harmless, as leaves ignore it.
                    out.insert(key.clone(), self.node(ty, Some(item), set));
                }
                continue;
            }
            match set.below(&element).filter(|below| !below.is_empty()) {
                Some(below) => {
                    out.insert(key.clone(), self.node(ty, Some(item), below));
                }
                None if self.extract => {}
                None => {
                    out.insert(key.clone(), item.clone());
                }
            }
        }
        if out.is_empty() {
            Value::Null
        } else {
            Value::Object(out)
        }
    }

    fn list(&self, list: &List, items: &[Value], set: &FieldSet) -> Value {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let element = item_element(self.schema, list, item).ok();
            let exact = element.as_ref().is_some_and(|e| set.has_element(e));
            let below = element
                .as_ref()
                .and_then(|e| set.below(e))
                .filter(|below| !below.is_empty());
            if exact && !self.extract {
                continue;
            }
            if self.extract && !exact && below.is_none() {
                continue;
            }
            out.push(match below {
                Some(below) => self.node(Some(list.element), Some(item), below),
                None => item.clone(),
            });
        }
        if out.is_empty() {
            Value::Null
        } else {
            Value::Array(out)
        }
    }
}

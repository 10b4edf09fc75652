//! Strategic merge patches: lists merge by the keys that the schema names.
//!
//! [`apply`] merges a patch with its directives (`$patch`, `$retainKeys`, `$setElementOrder/F`,
//! `$deleteFromPrimitiveList/F`); [`two_way`] and [`three_way`] compute patches. Follows apimachinery's strategicpatch,
//! including the order of merged lists: items of the patch in its order, others before them only where they stood before.

mod apply;
mod diff;
mod order;

use crate::schema::{PatchRule, Schema, TypeId};
use crate::smd::gotext::{go_type, go_v};
use crate::{Map, Value};

pub use apply::apply;
pub use diff::{three_way, two_way};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
const SET_ORDER: &str = "$setElementOrder";

/// Bound on nesting of patched values.
const DEPTH_MAX: usize = 500;

/// Why a patch does not apply or cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategicError {
    /// A list item lacks the key that names it.
    #[error("map: {map} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The item, as Go prints it.
        map: String,
        /// The key.
        key: String,
    },
    /// A value of another type than the directive or the schema asks for.
    #[error("expected a {expected}, but received a {actual}")]
    BadType {
        /// Go type asked for.
        expected: &'static str,
        /// Go type found.
        actual: &'static str,
    },
    /// `$patch` with an unknown word.
    #[error("unknown patch type: {word} in map: {map}")]
    UnknownDirective {
        /// The word.
        word: String,
        /// The map, as Go prints it.
        map: String,
    },
    /// `$retainKeys` is no list, or the patch sets a key it does not list.
    #[error("invalid patch format of retainKeys")]
    RetainKeys,
    /// `$setElementOrder` is no list, or has no field name.
    #[error("invalid patch format of setElementOrder list")]
    SetElementOrder,
    /// `$deleteFromPrimitiveList` is no list, or has no field name.
    #[error("invalid patch format of primitive list")]
    PrimitiveList,
    /// A list of lists cannot be merged.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// Anything else, in upstream's words.
    #[error("{0}")]
    Other(String),
}

/// A place in a schema: a type that may be unknown.
#[derive(Clone, Copy)]
struct At<'a> {
    schema: &'a Schema,
    ty: Option<TypeId>,
}

impl<'a> At<'a> {
    /// Looks up a field: the place of its value (of its items, for a list) and its rule.
    fn field(self, key: &str) -> (Self, Rule<'a>) {
        let map = self.ty.and_then(|ty| self.schema.get(ty).map.as_ref());
        let field = map.and_then(|map| map.field(key));
        let ty = field.map(|f| f.ty).or(map.and_then(|map| map.element));
        let list = ty.and_then(|ty| self.schema.get(ty).list.as_ref());
        let ty = match list {
            Some(list) if ty.is_some_and(|ty| self.schema.get(ty).map.is_none()) => {
                Some(list.element)
            }
            _ => ty,
        };
        let at = Self {
            schema: self.schema,
            ty,
        };
        (at, Rule(field.map(|f| &f.patch)))
    }

    fn name(self) -> String {
        self.ty
            .and_then(|ty| self.schema.get(ty).name.as_deref())
            .unwrap_or_default()
            .to_owned()
    }
}

/// The rule of a field; fields that are not declared have none.
#[derive(Clone, Copy)]
struct Rule<'a>(Option<&'a PatchRule>);

impl<'a> Rule<'a> {
    fn merges(self) -> bool {
        self.0.is_some_and(|rule| rule.merge)
    }

    fn replaces(self) -> bool {
        self.0.is_some_and(|rule| rule.replace)
    }

    fn retains_keys(self) -> bool {
        self.0.is_some_and(|rule| rule.retain_keys)
    }

    /// The key of the items; empty for lists of scalars.
    fn key(self) -> &'a str {
        self.0
            .and_then(|rule| rule.merge_key.as_deref())
            .unwrap_or("")
    }
}

/// Go's types of JSON values, as far as patches tell them apart.
fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Returns a value of the type all items share; an empty list has none.
fn element_type<'v>(lists: &[&'v [Value]]) -> Result<&'v Value, StrategicError> {
    let mut first: Option<&Value> = None;
    for item in lists.iter().flat_map(|list| list.iter()) {
        match first {
            None if item.is_array() => return Err(StrategicError::ListOfLists),
            None => first = Some(item),
            Some(first) if !same_type(first, item) => {
                let shown: Vec<String> = lists
                    .iter()
                    .map(|l| go_v(&Value::Array(l.to_vec())))
                    .collect();
                return Err(StrategicError::Other(format!(
                    "list element types are not identical: [{}]",
                    shown.join(" ")
                )));
            }
            Some(_) => {}
        }
    }
    first.ok_or_else(|| StrategicError::Other("no elements in any of the given slices".into()))
}

fn list_of(value: &Value) -> Result<&Vec<Value>, StrategicError> {
    value.as_array().ok_or_else(|| StrategicError::BadType {
        expected: "[]interface {}",
        actual: type_name(value),
    })
}

fn map_of(value: &Value) -> Result<&Map, StrategicError> {
    value.as_object().ok_or_else(|| StrategicError::BadType {
        expected: "map[string]interface {}",
        actual: type_name(value),
    })
}

fn key_of<'v>(map: &'v Map, key: &str) -> Result<&'v Value, StrategicError> {
    map.get(key).ok_or_else(|| StrategicError::NoMergeKey {
        map: go_v(&Value::Object(map.clone())),
        key: key.to_owned(),
    })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        other => go_type(other),
    }
}

/// Finds the first item with a key value.
fn position(items: &[Value], key: &str, value: &Value) -> Result<Option<usize>, StrategicError> {
    for (at, item) in items.iter().enumerate() {
        let Value::Object(item) = item else {
            return Err(StrategicError::Other(format!(
                "value for key {at} is not a map"
            )));
        };
        if item.get(key) == Some(value) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Returns the field behind `$directive/field`.
fn directive_field<'k>(key: &'k str, directive: &str) -> Option<&'k str> {
    key.strip_prefix(directive)?.strip_prefix('/')
}

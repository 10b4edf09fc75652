//! Values with their type, and the check that a value fits its type.

use std::fmt;
use std::sync::Arc;

use crate::schema::{List, Map, Scalar, Schema, Type, TypeId};
use crate::{Map as JsonMap, Value};

use super::compare::{self, Comparison};
use super::gotext::{go_sharp_v, go_type, go_v, push_go_quoted};
use super::path::{KeyField, PathElement};
use super::set::FieldSet;
use super::{merge, remove, to_set};

/// A value and its type in a schema. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Schema that knows the type.
    pub schema: Arc<Schema>,
    /// Type of the value.
    pub ty: TypeId,
    /// The value; absent after a merge that left nothing.
    pub value: Option<Arc<Value>>,
}

/// Whether a set or a keyed list may hold the same item twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// They may: stored objects.
    Allowed,
    /// They may not: applied objects.
    Refused,
}

/// One way in which a value does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    /// Path in human form, such as `.spec.ports[port=80]`; empty for the root.
    pub path: String,
    /// What is wrong, in upstream's words.
    pub message: String,
}

/// All ways in which a value does not fit its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidationErrors(pub Vec<ValidationError>);

impl Typed {
    /// Wraps a value that is known to fit.
    pub fn new_unchecked(schema: &Arc<Schema>, ty: TypeId, value: Value) -> Self {
        Self {
            schema: Arc::clone(schema),
            ty,
            value: Some(Arc::new(value)),
        }
    }

    /// Wraps a value after checking that it fits.
    ///
    /// # Errors
    /// Lists what in the value does not fit.
    pub fn new(
        schema: &Arc<Schema>,
        ty: TypeId,
        value: Value,
        duplicates: Duplicates,
    ) -> Result<Self, ValidationErrors> {
        validate(schema, ty, &value, duplicates)?;
        Ok(Self::new_unchecked(schema, ty, value))
    }

    /// Returns the fields the value has: leaves, list items, empty maps and nulls.
    pub fn to_field_set(&self) -> FieldSet {
        to_set::to_field_set(&self.schema, self.ty, self.value.as_deref())
    }

    /// Merges an applied value into this one.
    ///
    /// # Errors
    /// Lists what in either value does not fit the schema.
    pub fn merge(&self, applied: &Self) -> Result<Self, ValidationErrors> {
        let value = merge::merge(
            &self.schema,
            self.ty,
            self.value.as_deref(),
            applied.value.as_deref(),
        )?;
        Ok(self.with_value(value))
    }

    /// Lists the fields in which the other value differs.
    ///
    /// # Errors
    /// Lists what in either value does not fit the schema.
    pub fn compare(&self, other: &Self) -> Result<Comparison, ValidationErrors> {
        if let (Some(a), Some(b)) = (&self.value, &other.value)
            && Arc::ptr_eq(a, b)
        {
            return Ok(Comparison::default());
        }
        compare::compare(
            &self.schema,
            self.ty,
            self.value.as_deref(),
            other.value.as_deref(),
        )
    }

    /// Returns the value without the given fields and what lies below them.
    #[must_use]
    pub fn remove_items(&self, items: &FieldSet) -> Self {
        if items.is_empty() {
            return self.clone();
        }
        self.with_value(Some(remove::remove_items(
            &self.schema,
            self.ty,
            self.value.as_deref(),
            items,
        )))
    }

    /// Returns only the given fields of the value.
    #[must_use]
    pub fn extract_items(&self, items: &FieldSet) -> Self {
        self.with_value(Some(remove::extract_items(
            &self.schema,
            self.ty,
            self.value.as_deref(),
            items,
        )))
    }

    /// Returns only the given fields of the value, and the key fields of the list items on the way.
    #[must_use]
    pub fn extract_items_with_keys(&self, items: &FieldSet) -> Self {
        let own = self.to_field_set();
        let mut keys = FieldSet::new();
        items.for_each(&mut |path| {
            if own.has(path) {
                insert_key_fields(&mut keys, path);
            }
        });
        self.extract_items(&items.union(&keys))
    }

    fn with_value(&self, value: Option<Value>) -> Self {
        Self {
            schema: Arc::clone(&self.schema),
            ty: self.ty,
            value: value.map(Arc::new),
        }
    }
}

fn insert_key_fields(keys: &mut FieldSet, path: &[PathElement]) {
    for (at, element) in path.iter().enumerate() {
        let PathElement::Key(fields) = element else {
            continue;
        };
        for field in fields.iter() {
            let mut to_key = path[..=at].to_vec();
            to_key.push(PathElement::Field(field.name.clone()));
            keys.insert(&to_key);
        }
    }
}

/// Checks that a value fits a type.
///
/// Stops at the first undeclared field of a map; reports every wrong type beside it.
pub fn validate(
    schema: &Schema,
    ty: TypeId,
    value: &Value,
    duplicates: Duplicates,
) -> Result<(), ValidationErrors> {
    let errors = Validator { schema, duplicates }.value(ty, value);
    if errors.0.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

struct Validator<'a> {
    schema: &'a Schema,
    duplicates: Duplicates,
}

impl Validator<'_> {
    fn value(&self, ty: TypeId, value: &Value) -> ValidationErrors {
        match select(self.schema.get(ty), Some(value)).handler() {
            Ok(Handler::Map(map)) => self.map(map, value),
            Ok(Handler::Scalar(scalar)) => check_scalar(scalar, Some(value), ""),
            Ok(Handler::List(list)) => self.list(list, value),
            Err(errors) => errors,
        }
    }

    fn map(&self, map: &Map, value: &Value) -> ValidationErrors {
        let items = match value {
            Value::Object(items) => items,
            Value::Null => return ValidationErrors::default(),
            _ => return ValidationErrors::one(format!("expected map, got &{{{}}}", go_v(value))),
        };
        let mut errors = ValidationErrors::default();
        for (key, item) in items {
            let Some(ty) = map.type_of(key) else {
                let undeclared = ValidationErrors::one("field not declared in schema".into());
                errors.extend(undeclared.below(&PathElement::field(key)));
                break;
            };
            let below = self.value(ty, item);
            if !below.0.is_empty() {
                errors.extend(below.below(&PathElement::field(key)));
            }
        }
        errors
    }

    fn list(&self, list: &List, value: &Value) -> ValidationErrors {
        let items = match value {
            Value::Array(items) => items,
            Value::Null => return ValidationErrors::default(),
            _ => return ValidationErrors::one(format!("expected list, got &{{{}}}", go_v(value))),
        };
        let mut errors = ValidationErrors::default();
        let mut seen = std::collections::BTreeSet::new();
        for (i, item) in items.iter().enumerate() {
            let element = if list.is_atomic() {
                PathElement::Index(i as i64)
            } else {
                match item_element(self.schema, list, item) {
                    Ok(element) => element,
                    Err(error) => {
                        errors.extend(ValidationErrors::one(format!("element {i}: {error}")));
                        return errors;
                    }
                }
            };
            let below = self.value(list.element, item);
            if !list.is_atomic()
                && !seen.insert(element.clone())
                && self.duplicates == Duplicates::Refused
            {
                errors.extend(ValidationErrors::one(format!(
                    "duplicate entries for key {element}"
                )));
            }
            if !below.0.is_empty() {
                errors.extend(below.below(&element));
            }
        }
        errors
    }
}

impl ValidationErrors {
    pub(super) fn one(message: String) -> Self {
        Self(vec![ValidationError {
            path: String::new(),
            message,
        }])
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Puts an element in front of every path.
    pub(super) fn below(mut self, element: &PathElement) -> Self {
        for error in &mut self.0 {
            error.path.insert_str(0, &element.to_string());
        }
        self
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return only.fmt(f);
        }
        f.write_str("errors:")?;
        for error in &self.0 {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ValidationErrors {}

/// Which of a type's shapes apply to a value: one where the value decides it, else all.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    ty: &'a Type,
    scalar: bool,
    list: bool,
    map: bool,
}

/// The shape to handle a value by.
pub(super) enum Handler<'a> {
    Scalar(Scalar),
    List(&'a List),
    Map(&'a Map),
}

/// Narrows a type to the shape of a value.
pub(super) fn select<'a>(ty: &'a Type, value: Option<&Value>) -> Selection<'a> {
    let (scalar, list, map) = (ty.scalar.is_some(), ty.list.is_some(), ty.map.is_some());
    let only = match value {
        Some(Value::Number(_) | Value::String(_) | Value::Bool(_)) if scalar => {
            (true, false, false)
        }
        Some(Value::Array(_)) if list => (false, true, false),
        Some(Value::Object(_)) if map => (false, false, true),
        _ => (scalar, list, map),
    };
    Selection {
        ty,
        scalar: only.0,
        list: only.1,
        map: only.2,
    }
}

impl<'a> Selection<'a> {
    /// Tells whether two selections of one type are the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        (self.scalar, self.list, self.map) == (other.scalar, other.list, other.map)
    }

    /// Picks the shape: a map before a scalar before a list.
    pub(super) fn handler(&self) -> Result<Handler<'a>, ValidationErrors> {
        if let Some(map) = self.ty.map.as_ref().filter(|_| self.map) {
            return Ok(Handler::Map(map));
        }
        if let Some(scalar) = self.ty.scalar.filter(|_| self.scalar) {
            return Ok(Handler::Scalar(scalar));
        }
        if let Some(list) = self.ty.list.as_ref().filter(|_| self.list) {
            return Ok(Handler::List(list));
        }
        let message = match &self.ty.name {
            Some(name) if self.ty.missing => {
                format!("schema error: no type found matching: {name}")
            }
            Some(name) => format!("schema error: invalid atom: named type: {name}"),
            None => "schema error: invalid atom: inlined".into(),
        };
        Err(ValidationErrors::one(message))
    }
}

/// Checks a value against a scalar type; absent and null values pass.
pub(super) fn check_scalar(
    scalar: Scalar,
    value: Option<&Value>,
    prefix: &str,
) -> ValidationErrors {
    let Some(value) = value.filter(|v| !v.is_null()) else {
        return ValidationErrors::default();
    };
    let message = match (scalar, value) {
        (Scalar::Numeric, Value::Number(_))
        | (Scalar::String, Value::String(_))
        | (Scalar::Boolean, Value::Bool(_))
        | (Scalar::Untyped, Value::Number(_) | Value::String(_) | Value::Bool(_)) => {
            return ValidationErrors::default();
        }
        (Scalar::Numeric, _) => {
            format!("expected numeric (int or float), got {}", go_type(value))
        }
        (Scalar::String, _) => format!(
            "expected string, got &value.valueUnstructured{{Value:{}}}",
            go_sharp_v(value)
        ),
        (Scalar::Boolean, _) => format!("expected boolean, got &{{{}}}", go_v(value)),
        (Scalar::Untyped, _) => format!("expected any scalar, got &{{{}}}", go_v(value)),
    };
    ValidationErrors::one(format!("{prefix}{message}"))
}

/// Names an item of an associative list by its keys or its value.
pub(super) fn item_element(
    schema: &Schema,
    list: &List,
    item: &Value,
) -> Result<PathElement, String> {
    if list.keys.is_empty() {
        return match item {
            Value::Object(_) => {
                Err("associative list without keys has an element that's a map type".into())
            }
            Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
            Value::Null => {
                Err("associative list without keys has an element that's an explicit null".into())
            }
            value => Ok(PathElement::Value(Arc::new(value.clone()))),
        };
    }
    match item {
        Value::Object(item) => keyed_element(schema, list, item),
        Value::Null => Err("associative list with keys may not have a null element".into()),
        _ => Err("associative list with keys may not have non-map elements".into()),
    }
}

fn keyed_element(schema: &Schema, list: &List, item: &JsonMap) -> Result<PathElement, String> {
    let mut fields = Vec::with_capacity(list.keys.len());
    for key in &list.keys {
        let value = match item.get(key.as_str()) {
            Some(value) => Some(value),
            None => key_default(schema, list, key)?,
        };
        fields.extend(value.map(|value| KeyField {
            name: key.clone(),
            value: value.clone(),
        }));
    }
    if fields.is_empty() {
        return Err(format!(
            "associative list with keys has an element that omits all key fields {} (and doesn't have default values for any key fields)",
            quoted_names(&list.keys)
        ));
    }
    Ok(PathElement::key(fields))
}

fn key_default<'a>(
    schema: &'a Schema,
    list: &List,
    key: &str,
) -> Result<Option<&'a Value>, String> {
    let item = schema.get(list.element);
    if item.missing {
        return Err(format!(
            "couldn't find default value for {key}: invalid elementType for list"
        ));
    }
    let Some(map) = &item.map else {
        return Err(format!(
            "couldn't find default value for {key}: associative list may not have non-map types"
        ));
    };
    Ok(map.field(key).and_then(|field| field.default.as_ref()))
}

fn quoted_names(names: &[compact_str::CompactString]) -> String {
    let mut out = String::from("[");
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        push_go_quoted(&mut out, name);
    }
    out.push(']');
    out
}

//! FieldsV1: field sets as JSON text, byte for byte, and as JSON values.

use std::fmt;

use compact_str::CompactString;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::{Map, Value};

use super::gotext::push_json_string;
use super::path::{PathElement, PathElementError};
use super::set::FieldSet;

/// Text or a value that is no FieldsV1.
#[derive(Debug, thiserror::Error)]
pub enum FieldSetError {
    /// Not JSON, or JSON of another shape, or a malformed path element as a key.
    #[error("malformed field set: {0}")]
    Json(#[from] serde_json::Error),
    /// A malformed path element as a key.
    #[error(transparent)]
    Element(#[from] PathElementError),
    /// A value that is neither a map nor null.
    #[error("malformed field set: expected a map below {0:?}")]
    NotAMap(String),
    /// Deeper than 200 levels.
    #[error("malformed field set: nested too deeply")]
    TooDeep,
}

/// Bound on nesting, beyond any real object.
const DEPTH_MAX: usize = 200;

impl FieldSet {
    /// Reads FieldsV1 text; elements of unknown kinds are skipped.
    ///
    /// # Errors
    /// Fails on text that is no JSON, and as [`FieldSet::from_value`].
    pub fn from_json(text: &str) -> Result<Self, FieldSetError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let (set, _) = Level.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(set)
    }

    /// Reads a FieldsV1 value, as it stands in `metadata.managedFields[].fieldsV1`.
    ///
    /// # Errors
    /// Fails on a value that is no map of maps, and on malformed elements.
    pub fn from_value(value: &Value) -> Result<Self, FieldSetError> {
        Ok(read_level(value, "", DEPTH_MAX)?.0)
    }

    /// Writes FieldsV1 text, byte for byte as upstream writes it.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(256);
        self.push_json(&mut out);
        out
    }

    /// Appends FieldsV1 text.
    pub fn push_json(&self, out: &mut String) {
        self.push_level(out, false, &mut String::new());
    }

    /// Returns the FieldsV1 value.
    pub fn to_value(&self) -> Value {
        self.level_value(false)
    }

    fn push_level(&self, out: &mut String, member: bool, element: &mut String) {
        out.push('{');
        let mut first = !member;
        if member && !self.entries.is_empty() {
            out.push_str("\".\":{}");
        } else {
            first = true;
        }
        for entry in &self.entries {
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            push_element(out, &entry.element, element);
            out.push(':');
            entry.children.push_level(out, entry.member, element);
        }
        out.push('}');
    }

    fn level_value(&self, member: bool) -> Value {
        let mut map = Map::new();
        if member && !self.entries.is_empty() {
            map.insert(".".into(), Value::Object(Map::new()));
        }
        for entry in &self.entries {
            map.insert(
                entry.element.serialized(),
                entry.children.level_value(entry.member),
            );
        }
        Value::Object(map)
    }

    /// Adds what one key of a level says.
    fn read_entry(&mut self, element: PathElement, children: Self, member: bool) {
        let in_order = self.entries.last().is_none_or(|e| e.element < element);
        if in_order {
            self.push(element, member, children);
            return;
        }
        // A repeated element stays a member; its last children win.
        let entry = self.entry(&element);
        entry.member |= member;
        if !children.entries.is_empty() {
            entry.children = children;
        }
    }
}

fn push_element(out: &mut String, element: &PathElement, scratch: &mut String) {
    scratch.clear();
    element.push_serialized(scratch);
    push_json_string(out, scratch);
}

/// Reads one level from a value: the set below, and whether the node itself is a member.
fn read_level(value: &Value, at: &str, depth: usize) -> Result<(FieldSet, bool), FieldSetError> {
    let map = match value {
        Value::Null => return Ok((FieldSet::new(), true)),
        Value::Object(map) => map,
        _ => return Err(FieldSetError::NotAMap(at.to_owned())),
    };
    let depth = depth.checked_sub(1).ok_or(FieldSetError::TooDeep)?;
    let mut set = FieldSet::new();
    let mut member = false;
    for (key, value) in map {
        if key == "." {
            member = true;
            continue;
        }
        let element = match PathElement::parse(key) {
            Ok(element) => element,
            Err(PathElementError::UnknownType) => continue,
            Err(error) => return Err(error.into()),
        };
        let (children, is_member) = read_level(value, key, depth)?;
        set.read_entry(element, children, is_member);
    }
    let member = member || set.entries.is_empty();
    Ok((set, member))
}

/// Reads one level from text.
struct Level;

impl<'de> DeserializeSeed<'de> for Level {
    type Value = (FieldSet, bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = (FieldSet, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of path elements")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok((FieldSet::new(), true))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut set = FieldSet::new();
        let mut member = false;
        while let Some(key) = map.next_key::<CompactString>()? {
            if key == "." {
                member = true;
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match PathElement::parse(&key) {
                Ok(element) => {
                    let (children, is_member) = map.next_value_seed(Level)?;
                    set.read_entry(element, children, is_member);
                }
                Err(PathElementError::UnknownType) => {
                    map.next_value::<IgnoredAny>()?;
                }
                Err(error) => return Err(A::Error::custom(error)),
            }
        }
        let member = member || set.entries.is_empty();
        Ok((set, member))
    }
}

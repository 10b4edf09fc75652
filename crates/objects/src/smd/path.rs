//! Path elements: one step from a value to a part of it, in their serialised and their human form.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::de::{Deserializer as _, MapAccess, Visitor};

use crate::Value;

use super::gotext;
use super::order::{compare_values, values_equal};

/// One step of a path. Sorts fields, then keys, then values, then indices.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// A field of a map (`f:`).
    Field(CompactString),
    /// The item of a keyed list that has these key fields (`k:`); sorted by name, not empty in well-formed sets.
    Key(Arc<[KeyField]>),
    /// The item of a set that has this value (`v:`).
    Value(Arc<Value>),
    /// The item of a list at this position (`i:`).
    Index(i64),
}

/// One key field of a list item.
#[derive(Clone, Debug)]
pub struct KeyField {
    /// Name of the field.
    pub name: CompactString,
    /// Its value, or the default of the schema where the item omits it.
    pub value: Value,
}

/// A path from the root of an object.
pub type Path = Vec<PathElement>;

/// Text that is no path element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathElementError {
    /// The kind before the colon is none of `f`, `k`, `v`, `i`. Readers skip such elements.
    #[error("unknown path element type")]
    UnknownType,
    /// Too short, without a colon, or with a value that is not what its kind asks for.
    #[error("malformed path element {0:?}")]
    Malformed(String),
}

impl PathElement {
    /// Names a field.
    pub fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    /// Names a list item by key fields, which are sorted here.
    pub fn key(mut fields: Vec<KeyField>) -> Self {
        if fields.len() > 1 {
            fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Self::Key(fields.into())
    }

    /// Reads the serialised form, such as `f:spec` or `k:{"name":"a"}`.
    ///
    /// # Errors
    /// Fails on a prefix that there is not, and on malformed JSON behind it.
    pub fn parse(text: &str) -> Result<Self, PathElementError> {
        let malformed = || PathElementError::Malformed(text.to_owned());
        let bytes = text.as_bytes();
        if bytes.len() < 2 || bytes[1] != b':' {
            return Err(malformed());
        }
        let rest = text.get(2..).ok_or_else(malformed)?;
        match bytes[0] {
            b'f' => Ok(Self::Field(rest.into())),
            b'v' => serde_json::from_str(rest)
                .map(|value| Self::Value(Arc::new(plain_numbers(value))))
                .map_err(|_| malformed()),
            b'k' => parse_key(rest).map(Self::key).map_err(|_| malformed()),
            b'i' => parse_index(rest).map(Self::Index).ok_or_else(malformed),
            _ => Err(PathElementError::UnknownType),
        }
    }

    /// Writes the serialised form.
    pub fn serialized(&self) -> String {
        let mut out = String::new();
        self.push_serialized(&mut out);
        out
    }

    /// Appends the serialised form.
    pub(super) fn push_serialized(&self, out: &mut String) {
        match self {
            Self::Field(name) => {
                out.push_str("f:");
                out.push_str(name);
            }
            Self::Key(fields) => {
                out.push_str("k:{");
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    gotext::push_json_string(out, &field.name);
                    out.push(':');
                    gotext::push_json_value(out, &field.value);
                }
                out.push('}');
            }
            Self::Value(value) => {
                out.push_str("v:");
                gotext::push_json_value(out, value);
            }
            Self::Index(index) => {
                out.push_str("i:");
                out.push_str(&index.to_string());
            }
        }
    }

    /// Appends the human form of conflict messages: `.spec`, `[name="a"]`, `[="v"]`, `[0]`.
    pub(super) fn push_display(&self, out: &mut String) {
        match self {
            Self::Field(name) => {
                out.push('.');
                out.push_str(name);
            }
            Self::Key(fields) => {
                out.push('[');
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&field.name);
                    out.push('=');
                    gotext::push_display(out, &field.value);
                }
                out.push(']');
            }
            Self::Value(value) => {
                out.push_str("[=");
                gotext::push_display(out, value);
                out.push(']');
            }
            Self::Index(index) => {
                out.push('[');
                out.push_str(&index.to_string());
                out.push(']');
            }
        }
    }

    /// Writes a whole path in human form; empty for the root.
    pub fn display_path(path: &[Self]) -> String {
        let mut out = String::new();
        for element in path {
            element.push_display(&mut out);
        }
        out
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.push_display(&mut out);
        f.write_str(&out)
    }
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Key(a), Self::Key(b)) => compare_keys(a, b),
            (Self::Value(a), Self::Value(b)) => compare_values(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a == b,
            (Self::Key(a), Self::Key(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b.iter())
                        .all(|(a, b)| a.name == b.name && values_equal(&a.value, &b.value))
            }
            (Self::Value(a), Self::Value(b)) => values_equal(a, b),
            (Self::Index(a), Self::Index(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for PathElement {}

fn compare_keys(a: &[KeyField], b: &[KeyField]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            a.name
                .cmp(&b.name)
                .then_with(|| compare_values(&a.value, &b.value))
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// Accepts an optional sign and decimal digits, as Go's `strconv.Atoi`.
fn parse_index(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

/// Reads the JSON object of a key in written order, keeping repeated names.
fn parse_key(text: &str) -> Result<Vec<KeyField>, serde_json::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<KeyField>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of key fields")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some((name, value)) = map.next_entry::<CompactString, Value>()? {
                fields.push(KeyField {
                    name,
                    value: plain_numbers(value),
                });
            }
            Ok(fields)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = deserializer.deserialize_map(Fields)?;
    deserializer.end()?;
    Ok(fields)
}

/// Turns integral floats within 2^53 into integers: the reference prints both forms alike.
fn plain_numbers(value: Value) -> Value {
    match value {
        Value::Number(n) => match n.as_f64() {
            Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0 => {
                Value::from(f as i64)
            }
            // The reference reads every number as a float, so large integers are rounded.
            Some(f) if !n.is_f64() && f.abs() >= 9_007_199_254_740_992.0 => Value::from(f),
            _ => Value::Number(n),
        },
        Value::Array(items) => items.into_iter().map(plain_numbers).collect(),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(k, v)| (k, plain_numbers(v)))
                .collect(),
        ),
        other => other,
    }
}

//! Between template values and JSON values.
//!
//! Into templates every number becomes a float, as Go's untyped decoding has it, unless it comes from
//! `--set`, which makes integers ([`from_json_typed`]).

use gotemplate::{Element, List, Map, Text, Tree, Value};
use serde_json::Number;

/// Deepest nesting that is converted.
const DEPTH_MAX: usize = 1_000;
/// Most nodes that one conversion may produce: shared structure could otherwise grow without bound.
const NODES_MAX: usize = 1_000_000;

/// A value that JSON cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// An infinity, NaN, or values without end.
    #[error("json: unsupported value: {0}")]
    Value(String),
    /// A type of Go that has no form in JSON.
    #[error("json: unsupported type: {0}")]
    Type(&'static str),
}

/// JSON as Go decodes it into untyped data: all numbers are floats.
pub fn from_json(value: &serde_json::Value) -> Value {
    convert(value, false)
}

/// JSON with integers kept, as values set on the command line are.
pub fn from_json_typed(value: &serde_json::Value) -> Value {
    convert(value, true)
}

fn convert(value: &serde_json::Value, typed: bool) -> Value {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) if typed => Value::Int64(integer),
            _ => Value::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::text(text.as_str()),
        serde_json::Value::Array(items) => Value::List(List::appended(
            Element::Any,
            items.iter().map(|item| convert(item, typed)).collect(),
        )),
        serde_json::Value::Object(map) => Value::Map(Map::new(from_map(map, typed))),
    }
}

/// The entries of a JSON object.
pub fn from_map(map: &serde_json::Map<String, serde_json::Value>, typed: bool) -> Tree {
    let entries = map.iter();
    entries
        .map(|(key, value)| (Text::from(key.as_str()), convert(value, typed)))
        .collect()
}

/// A value as JSON; integral floats become integers, as they do on Go's way through JSON text.
///
/// # Errors
/// Infinities, NaN, complex numbers; nesting or size beyond the bounds.
pub fn to_json(value: &Value) -> Result<serde_json::Value, Unsupported> {
    Writer {
        nodes: 0,
        keep_floats: false,
    }
    .value(value, 0)
}

/// A value as JSON with floats kept as floats, for `toYamlPretty`.
///
/// # Errors
/// As [`to_json`].
pub fn to_json_floats(value: &Value) -> Result<serde_json::Value, Unsupported> {
    Writer {
        nodes: 0,
        keep_floats: true,
    }
    .value(value, 0)
}

struct Writer {
    nodes: usize,
    keep_floats: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<serde_json::Value, Unsupported> {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            return Err(Unsupported::Value("encountered a cycle".to_owned()));
        }
        Ok(match value {
            Value::Nil => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Int(number) | Value::Int64(number) => (*number).into(),
            Value::Uint8(number) => (*number).into(),
            Value::Uint64(number) => (*number).into(),
            Value::Float(number) => self.float(*number)?,
            Value::Complex(..) => return Err(Unsupported::Type("complex128")),
            Value::Text(text) => text.to_str().into_owned().into(),
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD
                    .encode(&**bytes)
                    .into()
            }
            Value::List(list) if list.is_nil() && !self.keep_floats => serde_json::Value::Null,
            Value::List(list) => {
                let items = list.items().iter().map(|item| self.value(item, depth + 1));
                serde_json::Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Map(map) if map.is_nil() && !self.keep_floats => serde_json::Value::Null,
            Value::Map(map) => {
                let mut object = serde_json::Map::new();
                for (key, item) in map.snapshot() {
                    object.insert(key.to_str().into_owned(), self.value(&item, depth + 1)?);
                }
                serde_json::Value::Object(object)
            }
            Value::Object(object) => self.value(&object.json(), depth + 1)?,
        })
    }

    fn float(&self, number: f64) -> Result<serde_json::Value, Unsupported> {
        let Some(text) = gocompat::number::json_float(number) else {
            return Err(Unsupported::Value(gocompat::number::format_float(
                number, 'g', None, 64,
            )));
        };
        if !self.keep_floats {
            if let Ok(integer) = text.parse::<i64>() {
                return Ok(integer.into());
            }
            if let Ok(integer) = text.parse::<u64>() {
                return Ok(integer.into());
            }
        }
        Ok(Number::from_f64(number).map_or(serde_json::Value::Null, serde_json::Value::Number))
    }
}

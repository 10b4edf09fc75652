//! sigs.k8s.io/yaml in one call: a text to a value, with its error texts.

use serde_json::Value;

use crate::{ConvertError, Dialect, ReadError, ReadOptions, parse_first, to_json};

/// Why a text gave no value, worded as sigs.k8s.io/yaml words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigsError {
    /// The text is no YAML.
    #[error("error converting YAML to JSON: {0}")]
    Read(#[from] ReadError),
    /// The text has values that JSON cannot hold.
    #[error("error converting YAML to JSON: {0}")]
    Convert(#[from] ConvertError),
    /// The value has another shape than the caller asked for.
    #[error(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type {wanted}"
    )]
    Shape {
        /// `object`, `array`, `string`, `number` or `bool`.
        found: &'static str,
        /// Go type asked for.
        wanted: &'static str,
    },
}

/// Reads the first document of a text by YAML 1.1 rules as sigs.k8s.io/yaml does; nothing gives null.
///
/// # Errors
/// As sigs.k8s.io/yaml; never [`SigsError::Shape`], which is for callers that ask for a shape.
pub fn yaml_to_json(text: &[u8]) -> Result<Value, SigsError> {
    match parse_first(text, &ReadOptions::v11())? {
        None => Ok(Value::Null),
        Some(node) => Ok(to_json(&node, Dialect::V11)?),
    }
}

/// Names the JSON kind of a value as Go's decoder errors do.
pub fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

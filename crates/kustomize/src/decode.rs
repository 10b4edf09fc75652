//! JSON into typed structures by the rules of Go's `encoding/json`, whose words users know.
//!
//! Field names match exactly or else regardless of case; `null` leaves a field as it is; the first wrong
//! type is reported after everything else was read; unknown fields are errors only where asked for.

mod values;

use serde_json::Value;

use crate::error::{BuildError, Result};

/// State of one decoding: where it is, and the first thing that was wrong.
pub(crate) struct Decoder {
    strict: bool,
    /// Whether numbers and booleans become text where text is wanted, as sigs.k8s.io/yaml lets them.
    coerce: bool,
    owner: &'static str,
    /// Go's name for the string type of the field at hand.
    string_type: &'static str,
    path: Vec<Step>,
    first_error: Option<DecodeError>,
}

/// One step from the root of the document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A field.
    Key(String),
    /// Structures that Go embeds: messages name them, documents do not.
    Embedded(&'static str),
    /// An entry of a map; messages do not name it.
    Entry(String),
    Index(usize),
}

/// What was wrong, and where.
#[derive(Clone, Debug)]
pub(crate) struct DecodeError {
    pub message: String,
    pub path: Vec<Step>,
}

/// A type that can be read from JSON, over its present value.
pub(crate) trait Decode: Default {
    /// Go's name of the type, for messages.
    fn go_type() -> String;

    fn decode(&mut self, value: Value, decoder: &mut Decoder);

    /// Returns the value as Go prints it, null where Go leaves it out because it says nothing.
    fn encode(&self) -> Value;
}

/// Go's name of texts.
const STRING: &str = "string";

/// Reads a value; unknown fields are errors when `strict`.
pub(crate) fn decode<T: Decode>(value: Value, strict: bool) -> std::result::Result<T, DecodeError> {
    decode_with(value, strict, false)
}

fn decode_with<T: Decode>(
    value: Value,
    strict: bool,
    coerce: bool,
) -> std::result::Result<T, DecodeError> {
    let mut decoder = Decoder {
        strict,
        coerce,
        owner: "",
        string_type: STRING,
        path: Vec::new(),
        first_error: None,
    };
    let mut result = T::default();
    result.decode(value, &mut decoder);
    match decoder.first_error {
        Some(error) => Err(error),
        None => Ok(result),
    }
}

/// Reads a value leniently, as plugin configurations are read.
pub(crate) fn decode_lenient<T: Decode>(value: Value) -> Result<T> {
    decode_with(value, false, true).map_err(|error| BuildError::new(error.message))
}

/// Reads a file that sigs.k8s.io/yaml reads strictly.
pub(crate) fn decode_file<T: Decode>(value: Value) -> Result<T> {
    decode_with(value, true, true).map_err(|error| {
        let message = error.message;
        BuildError::new(format!(
            "error unmarshaling JSON: while decoding JSON: {message}"
        ))
    })
}

impl Decoder {
    /// Reports a value of the wrong type.
    pub fn mismatch<T: Decode>(&mut self, value: &Value) {
        self.mismatched(kyaml::json_kind(value), &T::go_type());
    }

    fn mismatched(&mut self, got: &str, wanted: &str) {
        let wanted = match wanted.strip_suffix(STRING) {
            // Only lists and single texts have a string type of their own.
            Some(list @ ("" | "[]")) => format!("{list}{}", self.string_type),
            _ => wanted.to_owned(),
        };
        let keys = self.path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Embedded(name) => Some(*name),
            Step::Entry(_) | Step::Index(_) => None,
        });
        let keys: Vec<&str> = keys.collect();
        let message = if keys.is_empty() || self.owner.is_empty() {
            format!("json: cannot unmarshal {got} into Go value of type {wanted}")
        } else {
            let field = format!("{}.{}", self.owner, keys.join("."));
            format!("json: cannot unmarshal {got} into Go struct field {field} of type {wanted}")
        };
        self.report(message);
    }

    /// Reports a value that is no structure.
    pub fn mismatched_struct(&mut self, name: &str, value: &Value) {
        self.mismatched(kyaml::json_kind(value), &format!("types.{name}"));
    }

    /// Returns the text of a value where text is wanted.
    fn text<T: Decode>(&mut self, value: Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Bool(flag) if self.coerce => Some(flag.to_string()),
            Value::Number(number) if self.coerce => Some(match number.as_f64() {
                Some(float) if number.is_f64() => {
                    gocompat::number::format_float(float, 'g', None, 64)
                }
                _ => number.to_string(),
            }),
            other => {
                self.mismatch::<T>(&other);
                None
            }
        }
    }

    pub fn unknown_field(&mut self, key: &str) {
        if self.strict {
            self.path.push(Step::Key(key.to_owned()));
            self.report(format!("json: unknown field {key:?}"));
            self.path.pop();
        }
    }

    pub fn within(&mut self, step: Step, read: impl FnOnce(&mut Self)) {
        self.path.push(step);
        read(self);
        self.path.pop();
    }

    /// Reads a field: through the structures that hold it in Go, and by Go's name for its texts.
    pub fn field(
        &mut self,
        embedded: Option<&'static str>,
        name: &'static str,
        string_type: Option<&'static str>,
        read: impl FnOnce(&mut Self),
    ) {
        let outer = std::mem::replace(&mut self.string_type, string_type.unwrap_or(STRING));
        // sigs.k8s.io/yaml does not see the types of embedded structures.
        let coerced = self.coerce;
        self.coerce &= embedded.is_none();
        let depth = self.path.len();
        self.path.extend(embedded.map(Step::Embedded));
        self.path.push(Step::Key(name.to_owned()));
        read(self);
        self.path.truncate(depth);
        self.coerce = coerced;
        self.string_type = outer;
    }

    pub fn owned_by(&mut self, owner: &'static str, read: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.owner, owner);
        read(self);
        self.owner = outer;
    }

    fn report(&mut self, message: String) {
        let path = self.path.clone();
        self.first_error
            .get_or_insert(DecodeError { message, path });
    }
}

/// Declares a structure read from a JSON object: `struct Name: "GoName" { field: Type = "jsonName", … }`.
///
/// `in "Name"` behind a field names the structures that Go embeds to hold it, `as "Type"` Go's type of its texts;
/// messages show both.
macro_rules! json_struct {
    (@option) => { None };
    (@option $text:literal) => { Some($text) };
    ($(#[$meta:meta])* $vis:vis struct $name:ident : $go:literal {
        $($(#[$field_meta:meta])* $field:ident : $ty:ty = $json:literal
            $(in $embedded:literal)? $(as $string_type:literal)?,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $vis struct $name { $($(#[$field_meta])* pub $field: $ty,)* }

        #[allow(dead_code, reason = "only some structures are listed by name")]
        impl $name {
            const NAMES: &[&str] = &[$($json),*];

            /// Reads the structure under another name of Go's, without some of its fields.
            fn decode_as(
                &mut self,
                owner: &'static str,
                without: &[&str],
                value: serde_json::Value,
                decoder: &mut $crate::decode::Decoder,
            ) {
                let entries = match value {
                    serde_json::Value::Null => return,
                    serde_json::Value::Object(entries) => entries,
                    other => return decoder.mismatched_struct(owner, &other),
                };
                decoder.owned_by(owner, |decoder| {
                    for (key, item) in entries {
                        let name = $crate::decode::known_name(Self::NAMES, &key);
                        match name.filter(|name| !without.contains(name)) {
                            $(Some($json) => decoder.field(
                                $crate::decode::json_struct!(@option $($embedded)?),
                                $json,
                                $crate::decode::json_struct!(@option $($string_type)?),
                                |d| $crate::decode::Decode::decode(&mut self.$field, item, d),
                            ),)*
                            _ => decoder.unknown_field(&key),
                        }
                    }
                });
            }
        }

        impl $crate::decode::Decode for $name {
            fn go_type() -> String {
                concat!("types.", $go).into()
            }

            fn decode(&mut self, value: serde_json::Value, decoder: &mut $crate::decode::Decoder) {
                self.decode_as($go, &[], value, decoder);
            }

            fn encode(&self) -> serde_json::Value {
                let mut entries = serde_json::Map::new();
                $(match $crate::decode::Decode::encode(&self.$field) {
                    serde_json::Value::Null => {}
                    value => {
                        entries.insert($json.to_owned(), value);
                    }
                })*
                serde_json::Value::Object(entries)
            }
        }
    };
}
pub(crate) use json_struct;

/// Finds the field that a key means: the exact name, or else the first that agrees regardless of case.
pub(crate) fn known_name(names: &[&'static str], key: &str) -> Option<&'static str> {
    let exact = names.iter().find(|name| **name == key);
    let folded = || names.iter().find(|name| name.eq_ignore_ascii_case(key));
    exact.or_else(folded).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use serde_json::json;

    json_struct! {
        struct Sample: "Sample" {
            name: String = "name",
            labels: BTreeMap<String, String> = "commonLabels",
            list: Vec<String> = "list",
        }
    }

    #[test]
    fn names_match_regardless_of_case() {
        let sample: Sample = decode(json!({"Name": "a", "LIST": ["b", null]}), true).unwrap();
        assert_eq!(sample.name, "a");
        assert_eq!(sample.list, ["b", ""]);
    }

    #[test]
    fn errors_speak_as_go_does() {
        let error = |value| decode::<Sample>(value, true).unwrap_err().message;
        assert_eq!(
            error(json!({"commonLabels": {"a": 1}})),
            "json: cannot unmarshal number into Go struct field Sample.commonLabels of type string"
        );
        assert_eq!(error(json!({"foo": 1})), "json: unknown field \"foo\"");
        let wrong_type = error(json!({"list": "x"}));
        assert!(
            wrong_type.ends_with("Sample.list of type []string"),
            "{wrong_type}"
        );
    }
}

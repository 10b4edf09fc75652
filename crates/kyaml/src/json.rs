//! Nodes to JSON values and back.
//!
//! YAML 1.1 follows sigs.k8s.io/yaml over go-yaml v2: keys become text, the last of equal keys wins, merge
//! keys act where they stand, timestamps stay text. v3 follows go-yaml v3 over `encoding/json`: keys must be
//! strings and unique, own entries win over merged ones, timestamps are printed as RFC 3339.

use serde_json::{Map, Number, Value};

use gocompat::number::{format_float, write_float};
use gocompat::quote::quote;

use crate::alias::{has_aliases, replace_aliases};
use crate::emit::refolded;
use crate::{
    ConvertError, Dialect, Node, NodeValue, ReadOptions, Resolved, Style, Tag, Text,
    check_duplicate_keys, resolve,
};

/// Converts a tree to the value that Go has after printing it as JSON and reading that again.
///
/// Numbers that JSON prints without fraction and exponent become integers where they fit 64 bits; bytes of
/// `!!binary` that are no UTF-8 become U+FFFD.
///
/// # Errors
/// Whatever keeps Go from it: scalars that do not fit their tag, keys that cannot be text, duplicate keys
/// (v3), infinite numbers, bad merges and aliases.
pub fn to_json(node: &Node, dialect: Dialect) -> Result<Value, ConvertError> {
    convert(node, dialect, false)
}

/// Converts a tree to the value that it has after being printed and read again: go-yaml v3 rules, and folded
/// text as go-yaml's printer leaves it. This is how kustomize turns resources into JSON.
///
/// # Errors
/// As [`to_json`].
pub fn printed_to_json(node: &Node) -> Result<Value, ConvertError> {
    convert(node, Dialect::V3, true)
}

fn convert(node: &Node, dialect: Dialect, printed: bool) -> Result<Value, ConvertError> {
    if has_aliases(node) {
        let plain = replace_aliases(node, &ReadOptions::v3())?;
        return Converter {
            root: &plain,
            dialect,
            printed,
        }
        .root_value();
    }
    Converter {
        root: node,
        dialect,
        printed,
    }
    .root_value()
}

struct Converter<'a> {
    /// Where duplicate keys are looked for once one is met.
    root: &'a Node,
    dialect: Dialect,
    /// Whether folded text changes as printing changes it.
    printed: bool,
}

impl Converter<'_> {
    fn root_value(&self) -> Result<Value, ConvertError> {
        self.value(self.root)
            .map_err(|error| duplicates_first(self.root, error))
    }

    fn value(&self, node: &Node) -> Result<Value, ConvertError> {
        match &node.value {
            NodeValue::Scalar(text) => match resolve(node, self.dialect)? {
                Resolved::Timestamp(_) if self.dialect == Dialect::V11 => {
                    Ok(Value::String(text.to_string()))
                }
                Resolved::String(text) if self.printed && node.style == Style::Folded => {
                    Ok(Value::String(refolded(node, &text)))
                }
                scalar => scalar_value(scalar),
            },
            NodeValue::Alias(name) => Err(ConvertError::UnknownAnchor(name.to_string())),
            NodeValue::Sequence(items) => {
                let items = items.iter().map(|item| self.value(item));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            NodeValue::Mapping(entries) => {
                let mut map = Map::new();
                match self.dialect {
                    Dialect::V11 => self.insert_last_wins(entries, &mut map)?,
                    Dialect::V3 => self.insert_unique(entries, &mut map)?,
                }
                Ok(Value::Object(map))
            }
        }
    }

    fn insert_last_wins(
        &self,
        entries: &[(Node, Node)],
        map: &mut Map<String, Value>,
    ) -> Result<(), ConvertError> {
        for (key, value) in entries {
            if key.tag == Tag::Merge {
                for source in merge_slices(value)?.into_iter().rev() {
                    self.insert_last_wins(source, map)?;
                }
                continue;
            }
            let key = self.key_text(key, value)?;
            let value = self.value(value)?;
            map.insert(key, value);
        }
        Ok(())
    }

    fn insert_unique(
        &self,
        entries: &[(Node, Node)],
        map: &mut Map<String, Value>,
    ) -> Result<(), ConvertError> {
        let mut merge = None;
        for (key, value) in entries {
            if key.tag == Tag::Merge {
                merge = Some(value);
                continue;
            }
            if key.as_str().is_none() {
                return Err(self.invalid_key(key)?);
            }
            let text = string_key(key)?;
            let value = self.value(value)?;
            if map.insert(text.to_string(), value).is_some() {
                check_duplicate_keys(self.root)?;
            }
        }
        match merge {
            None => Ok(()),
            Some(value) => merge_slices(value)?
                .into_iter()
                .try_for_each(|source| self.merge_missing(source, map)),
        }
    }

    fn merge_missing(
        &self,
        entries: &[(Node, Node)],
        map: &mut Map<String, Value>,
    ) -> Result<(), ConvertError> {
        let mut merged = Map::new();
        self.insert_unique(entries, &mut merged)?;
        for (key, value) in merged {
            map.entry(key).or_insert(value);
        }
        Ok(())
    }

    fn invalid_key(&self, key: &Node) -> Result<ConvertError, ConvertError> {
        let value = self.value(key)?;
        Ok(ConvertError::InvalidKey(go_syntax(&value, self.dialect)))
    }

    /// Turns a key into text by the rules of sigs.k8s.io/yaml.
    fn key_text(&self, key: &Node, value: &Node) -> Result<String, ConvertError> {
        if key.as_str().is_none() {
            return Err(self.invalid_key(key)?);
        }
        let unsupported = |kind: &str, text: String| {
            let value = match self.value(value)? {
                Value::Null => "<nil>".to_owned(),
                value => go_syntax(&value, self.dialect),
            };
            Err(ConvertError::UnsupportedKey {
                kind: kind.to_owned(),
                key: text,
                value,
            })
        };
        Ok(match resolve(key, self.dialect)? {
            Resolved::String(text) => text.into_owned(),
            Resolved::Bool(value) => value.to_string(),
            Resolved::Int(value) => value.to_string(),
            // sigs.k8s.io/yaml prints keys with the precision of 32 bits.
            Resolved::Float(value) if value.is_nan() => ".nan".to_owned(),
            Resolved::Float(value) if value.is_infinite() => {
                if value > 0.0 { ".inf" } else { "-.inf" }.to_owned()
            }
            Resolved::Float(value) => format_float(value, 'g', None, 32),
            Resolved::Timestamp(_) | Resolved::Merge => key.as_str().unwrap_or("").to_owned(),
            Resolved::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Resolved::Uint(value) => return unsupported("uint64", format!("{value:#x}")),
            Resolved::Null => return unsupported("%!s(<nil>)", "<nil>".to_owned()),
        })
    }
}

/// Prints a value as Go's `%#v` does, for the messages that show one.
fn go_syntax(value: &Value, dialect: Dialect) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::String(text) => quote(text.as_bytes()),
        Value::Number(number) if number.is_f64() => {
            format_float(number.as_f64().unwrap_or(0.0), 'g', None, 64)
        }
        Value::Number(number) => match number.as_i64() {
            Some(value) => value.to_string(),
            None => format!("{:#x}", number.as_u64().unwrap_or(0)),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| go_syntax(item, dialect)).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let key = match dialect {
                Dialect::V11 => "interface {}",
                Dialect::V3 => "string",
            };
            let entries = map.iter().map(|(key, value)| {
                format!("{}:{}", quote(key.as_bytes()), go_syntax(value, dialect))
            });
            let entries: Vec<String> = entries.collect();
            format!("map[{key}]interface {{}}{{{}}}", entries.join(", "))
        }
    }
}

/// Duplicate keys keep go-yaml v3 from ever seeing that a key is no string.
pub(crate) fn duplicates_first(root: &Node, error: ConvertError) -> ConvertError {
    match error {
        ConvertError::KeyType | ConvertError::DuplicateKeys(_) => {
            check_duplicate_keys(root).err().unwrap_or(error)
        }
        error => error,
    }
}

/// Returns the text of a key that must be a string.
pub(crate) fn string_key(key: &Node) -> Result<std::borrow::Cow<'_, str>, ConvertError> {
    if key.as_str().is_none() || key.tag == Tag::Custom {
        return Err(ConvertError::KeyType);
    }
    match resolve(key, Dialect::V3)? {
        Resolved::String(text) => Ok(text),
        Resolved::Merge => Ok(std::borrow::Cow::Borrowed("<<")),
        _ => Err(ConvertError::KeyType),
    }
}

/// Returns the entries that a merge value brings in, in order of precedence.
fn merge_slices(value: &Node) -> Result<Vec<&[(Node, Node)]>, ConvertError> {
    match &value.value {
        NodeValue::Mapping(entries) => Ok(vec![entries]),
        NodeValue::Sequence(items) => items
            .iter()
            .map(|item| item.entries().ok_or(ConvertError::Merge))
            .collect(),
        NodeValue::Scalar(_) | NodeValue::Alias(_) => Err(ConvertError::Merge),
    }
}

fn scalar_value(scalar: Resolved<'_>) -> Result<Value, ConvertError> {
    Ok(match scalar {
        Resolved::Null => Value::Null,
        Resolved::Bool(value) => Value::Bool(value),
        Resolved::Int(value) => Value::Number(value.into()),
        Resolved::Uint(value) => Value::Number(value.into()),
        Resolved::Float(value) => Value::Number(float_number(value)?),
        Resolved::String(text) => Value::String(text.into_owned()),
        Resolved::Timestamp(text) => Value::String(text),
        Resolved::Binary(bytes) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        Resolved::Merge => Value::String("<<".to_owned()),
    })
}

/// Returns what is left of a float after JSON: an integer where JSON prints one that fits 64 bits.
fn float_number(value: f64) -> Result<Number, ConvertError> {
    if let Some(number) = integral(value) {
        return Ok(match number {
            Integral::Signed(value) => value.into(),
            Integral::Unsigned(value) => value.into(),
        });
    }
    Number::from_f64(value).ok_or(ConvertError::Number(non_finite_name(value)))
}

/// Names an infinite or undefined number as Go prints it.
pub(crate) fn non_finite_name(value: f64) -> &'static str {
    match value {
        _ if value.is_nan() => "NaN",
        _ if value > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

/// A float without fraction that fits an integer.
pub(crate) enum Integral {
    Signed(i64),
    Unsigned(u64),
}

/// Finds the integer that a float's JSON form reads back as.
#[expect(clippy::cast_possible_truncation, reason = "ranges are checked first")]
pub(crate) fn integral(value: f64) -> Option<Integral> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() != 0.0 || !value.is_finite() {
        return None;
    }
    // JSON prints the shortest digits and zeros behind them, so large floats read back as printed.
    if value.abs() < 9_007_199_254_740_992.0 {
        return Some(Integral::Signed(value as i64));
    }
    if !(-TWO_63..2.0 * TWO_63).contains(&value) {
        return None;
    }
    let text = format_float(value, 'f', None, 64);
    match text.parse() {
        Ok(value) => Some(Integral::Signed(value)),
        Err(_) => text.parse().ok().map(Integral::Unsigned),
    }
}

/// Makes a tree of a value: strings are tagged as such, numbers spelled as Go prints them.
pub fn from_json(value: &Value) -> Node {
    match value {
        Value::Null => Node::null(),
        Value::Bool(value) => Node::new(
            NodeValue::Scalar(Text::const_new(if *value { "true" } else { "false" })),
            Tag::Bool,
        ),
        Value::Number(number) => number_node(number),
        Value::String(text) => string_node(text),
        Value::Array(items) => Node::new(
            NodeValue::Sequence(items.iter().map(from_json).collect()),
            Tag::Seq,
        ),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| (string_node(key), from_json(value)));
            Node::new(NodeValue::Mapping(entries.collect()), Tag::Map)
        }
    }
}

fn string_node(text: &str) -> Node {
    let mut node = Node::string(text);
    if text.contains('\n') {
        node.style = Style::Literal;
    }
    node
}

fn number_node(number: &Number) -> Node {
    if number.is_f64() {
        let mut text = String::new();
        write_float(&mut text, number.as_f64().unwrap_or(0.0), 'g', None, 64);
        let tag = match crate::resolve_text(&text, Dialect::V3) {
            Resolved::Int(_) | Resolved::Uint(_) => Tag::Int,
            _ => Tag::Float,
        };
        return Node::new(NodeValue::Scalar(Text::from(text)), tag);
    }
    Node::new(NodeValue::Scalar(Text::from(number.to_string())), Tag::Int)
}

//! Nodes into what leaves the build: typed values, JSON, text.

use kyaml::{Dialect, Node, NodeValue, Resolved, Style, Tag};
use serde_json::Value;

use crate::error::{BuildError, Result};

fn failed(error: kyaml::ConvertError) -> BuildError {
    BuildError::new(error.to_string())
}

/// Tells whether YAML 1.1 reads plain text as something other than a string.
pub(crate) fn reads_as_non_string(text: &str) -> bool {
    !matches!(
        kyaml::resolve_text(text, Dialect::V11),
        Resolved::String(_) | Resolved::Merge
    )
}

/// Types a tree as upstream does when it prints it.
pub(crate) fn to_json(node: &Node) -> Result<Value> {
    kyaml::printed_to_json(node).map_err(failed)
}

/// Makes a tree of a value; numbers pass through floating point, as upstream's do.
pub(crate) fn from_json(value: Value) -> Node {
    let mut node = kyaml::from_json(&through_floats(value));
    quote_strings(&mut node);
    node
}

/// Gives strings the quotes that upstream's printed form has: they stay when the text changes later.
fn quote_strings(node: &mut Node) {
    match &mut node.value {
        NodeValue::Mapping(entries) => entries
            .iter_mut()
            .for_each(|(_, value)| quote_strings(value)),
        NodeValue::Sequence(items) => items.iter_mut().for_each(quote_strings),
        NodeValue::Scalar(text) if node.tag == Tag::Str && node.style == Style::Plain => {
            if reads_as_non_string(text) {
                node.style = Style::DoubleQuoted;
            } else if !can_be_plain(text) {
                node.style = Style::SingleQuoted;
            }
        }
        _ => {}
    }
}

fn can_be_plain(text: &str) -> bool {
    const INDICATORS: &str = "#,[]{}&*!|>'\"%@`";
    let starts_with_indicator = text.starts_with(|c| INDICATORS.contains(c))
        || matches!(text, "-" | "?" | ":")
        || ["- ", "? ", ": ", "---", "..."]
            .iter()
            .any(|start| text.starts_with(start));
    !starts_with_indicator
        && text.trim() == text
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
}

/// Turns every number into a float, as Go's decoder does with JSON of no known type.
pub(crate) fn through_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64().and_then(serde_json::Number::from_f64) {
            Some(float) => Value::Number(float),
            None => Value::Number(number),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(through_floats).collect()),
        Value::Object(map) => {
            let entries = map.into_iter();
            Value::Object(entries.map(|(k, v)| (k, through_floats(v))).collect())
        }
        other => other,
    }
}

/// Prints an object on one line, for messages.
pub(crate) fn to_json_text(node: &Node) -> String {
    to_json(node).map_or_else(|error| format!("<{error}>"), |value| go_json(&value))
}

/// Prints a value as Go's `json.Marshal`: no blanks, Go's spelling of numbers, and `<`, `>`, `&`, U+2028 and
/// U+2029 escaped.
pub(crate) fn go_json(value: &Value) -> String {
    let mut out = String::new();
    write_go_json(value, &mut out);
    out
}

fn write_go_json(value: &Value, out: &mut String) {
    let separated = |out: &mut String, index: usize| {
        if index > 0 {
            out.push(',');
        }
    };
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separated(out, index);
                write_go_json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                separated(out, index);
                out.push_str(&escape_html(&Value::from(key.as_str()).to_string()));
                out.push(':');
                write_go_json(item, out);
            }
            out.push('}');
        }
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().and_then(gocompat::number::json_float);
            out.push_str(&float.unwrap_or_else(|| number.to_string()));
        }
        Value::String(_) => out.push_str(&escape_html(&value.to_string())),
        other => out.push_str(&other.to_string()),
    }
}

fn escape_html(json: &str) -> String {
    if !json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return json.to_owned();
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Prints a node as YAML with its styles, for messages and for matching by regular expressions.
pub(crate) fn node_text(node: &Node) -> String {
    kyaml::emit(node)
}

/// Appends an object as the build prints it.
pub(crate) fn print(out: &mut String, node: &Node) -> Result<()> {
    kyaml::write_sigs_node(out, node).map_err(failed)
}

/// Tells whether two objects are the same.
pub(crate) fn same(left: &Node, right: &Node) -> bool {
    match (&left.value, &right.value) {
        (NodeValue::Scalar(l), NodeValue::Scalar(r)) => l == r && left.tag == right.tag,
        (NodeValue::Sequence(l), NodeValue::Sequence(r)) => {
            l.len() == r.len() && l.iter().zip(r).all(|(l, r)| same(l, r))
        }
        (NodeValue::Mapping(l), NodeValue::Mapping(r)) => {
            l.len() == r.len()
                && l.iter()
                    .zip(r)
                    .all(|((lk, lv), (rk, rv))| same(lk, rk) && same(lv, rv))
        }
        _ => left.value == right.value,
    }
}

//! JSON and Go renderings of values, byte for byte as the Go libraries print them.

use crate::Value;

use super::order::Number;

/// Appends a JSON string as the JSON library behind FieldsV1 writes object keys: only `"`, `\` and controls escaped.
pub(crate) fn push_json_string(out: &mut String, text: &str) {
    push_escaped(out, text, false);
}

/// Appends a value as JSON with HTML characters escaped, as values inside keys are written.
pub(crate) fn push_json_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => push_number(out, n),
        Value::String(s) => push_escaped(out, s, true),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_json_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_escaped(out, key, true);
                out.push(':');
                push_json_value(out, item);
            }
            out.push('}');
        }
    }
}

/// Appends a value in the form of conflict paths and duplicate-key messages.
pub(crate) fn push_display(out: &mut String, value: &Value) {
    match value {
        Value::String(s) => push_go_quoted(out, s),
        Value::Number(n) => match Number::of(n) {
            Number::Int(i) => out.push_str(&i.to_string()),
            Number::Float(f) => push_go_float(out, f, true),
        },
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_display(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            for (key, item) in map {
                out.push_str(key);
                out.push('=');
                push_display(out, item);
            }
        }
        other => push_json_value(out, other),
    }
}

/// Renders a value as Go's `%v` prints it.
pub fn go_v(value: &Value) -> String {
    let mut out = String::new();
    push_go_v(&mut out, value);
    out
}

/// Renders a value as Go's `%#v` prints it.
pub(crate) fn go_sharp_v(value: &Value) -> String {
    let mut out = String::new();
    push_go_sharp_v(&mut out, value);
    out
}

/// Names a value's Go type, as `%T` prints it.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) => match Number::of(n) {
            Number::Int(_) => "int64",
            Number::Float(_) => "float64",
        },
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Appends a string as Go's `%q` prints it.
pub(crate) fn push_go_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            // Go escapes what it calls not printable; these are the classes met in practice.
            '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push_go_v(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::String(s) => out.push_str(s),
        Value::Number(n) => match Number::of(n) {
            Number::Int(i) => out.push_str(&i.to_string()),
            Number::Float(f) => push_go_float(out, f, true),
        },
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                push_go_v(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push_str("map[");
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                push_go_v(out, item);
            }
            out.push(']');
        }
    }
}

fn push_go_sharp_v(out: &mut String, value: &Value) {
    match value {
        Value::String(s) => push_go_quoted(out, s),
        Value::Array(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                push_go_sharp_v(out, item);
            }
            out.push('}');
        }
        Value::Object(map) => {
            out.push_str("map[string]interface {}{");
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                push_go_quoted(out, key);
                out.push(':');
                push_go_sharp_v(out, item);
            }
            out.push('}');
        }
        other => push_go_v(out, other),
    }
}

fn push_number(out: &mut String, number: &serde_json::Number) {
    match Number::of(number) {
        Number::Int(i) => out.push_str(&i.to_string()),
        Number::Float(f) => push_go_float(out, f, false),
    }
}

/// Appends a float: plain digits between 1e-6 (1e-4 for `%v`) and 1e21, else an exponent.
///
/// JSON writes `1e-7`, `%v` writes `1e-07`.
fn push_go_float(out: &mut String, f: f64, percent_v: bool) {
    let size = f.abs();
    let small = if percent_v { 1e-4 } else { 1e-6 };
    if f == 0.0 || (small..1e21).contains(&size) {
        out.push_str(&format!("{f}"));
        return;
    }
    let text = format!("{f:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let width = if percent_v || sign == '+' { 2 } else { 1 };
    out.push_str(&format!("{mantissa}e{sign}{digits:0>width$}"));
}

fn push_escaped(out: &mut String, text: &str, html: bool) {
    out.push('"');
    let mut start = 0;
    for (i, c) in text.char_indices() {
        let escape: Option<String> = match c {
            '"' => Some("\\\"".into()),
            '\\' => Some("\\\\".into()),
            '\n' => Some("\\n".into()),
            '\r' => Some("\\r".into()),
            '\t' => Some("\\t".into()),
            c if (c as u32) < 0x20 => Some(format!("\\u{:04x}", c as u32)),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html => {
                Some(format!("\\u{:04x}", c as u32))
            }
            _ => None,
        };
        if let Some(escape) = escape {
            out.push_str(&text[start..i]);
            out.push_str(&escape);
            start = i + c.len_utf8();
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

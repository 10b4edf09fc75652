//! Conversions to numbers by the rules of the `cast` library (v1.7): what does not convert is 0.

use gocompat::number::{parse_float, parse_int};

use crate::value::Value;

/// Any value as an integer.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Bool(flag) => i64::from(*flag),
        Value::Uint8(number) => i64::from(*number),
        Value::Uint64(number) => *number as i64,
        Value::Float(number) => truncate(*number),
        Value::Text(text) => {
            let text = text.to_str();
            parse_int(without_zero_fraction(&text), 0, 64).unwrap_or(0)
        }
        Value::Int(number) | Value::Int64(number) => *number,
        // Of the named integer types only those of `int` convert.
        Value::Object(object) if object.kind() == crate::value::Kind::Int => {
            object.int().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Go's conversion on amd64: what does not fit is the smallest integer.
pub(super) fn truncate(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// `12.00` is `12`; any other fraction stays and makes the text no integer.
fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') && !fraction.is_empty() => {
            whole
        }
        _ => text,
    }
}

/// Any value as a float.
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        Value::Text(text) => parse_float(&text.to_str()).unwrap_or(0.0),
        Value::Uint64(number) => *number as f64,
        other => to_int(other) as f64,
    }
}

//! The total order and the equality of JSON values that sort field sets.
//!
//! Numbers compare by value whatever their form; kinds sort number, string, boolean, list, map, null.

use std::cmp::Ordering;

use crate::{Map, Value};

/// A JSON number in the two forms Go knows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// Fits a signed 64-bit integer and was written as one.
    Int(i64),
    /// Everything else.
    Float(f64),
}

impl Number {
    /// Reads a JSON number; integers beyond 64 bits become floats.
    pub(crate) fn of(number: &serde_json::Number) -> Self {
        number.as_i64().map_or_else(
            || Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            Self::Int,
        )
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Float(f) => f,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            _ => self
                .as_f64()
                .partial_cmp(&other.as_f64())
                .unwrap_or(Ordering::Equal),
        }
    }
}

/// Tells whether two values are equal, comparing numbers by value.
pub fn values_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Number::of(a).compare(Number::of(b)).is_eq(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| values_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((ka, a), (kb, b))| ka == kb && values_equal(a, b))
        }
        _ => a == b,
    }
}

/// Orders two values: numbers, strings, booleans, lists, maps, null.
pub fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Number::of(a).compare(Number::of(b)),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| compare_values(a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Value::Object(a), Value::Object(b)) => compare_maps(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

/// Walks the union of keys in order: the map that lacks a key sorts after, but one that has ended sorts before.
///
/// "Ended" counts visited keys against the map's length, as the reference does.
fn compare_maps(a: &Map, b: &Map) -> Ordering {
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    for visited in 0.. {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            _ if visited == a.len() => Ordering::Less,
            _ if visited == b.len() => Ordering::Greater,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some((ka, va)), Some((kb, vb))) => match ka.cmp(kb) {
                Ordering::Less => Ordering::Less,
                Ordering::Greater => Ordering::Greater,
                Ordering::Equal => compare_values(va, vb),
            },
        };
        if order.is_ne() {
            return order;
        }
        left.next();
        right.next();
    }
    Ordering::Equal
}

//! `eq` and `lt` over basic kinds.

use crate::format::display;
use crate::function::CallError;
use crate::value::{Kind, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    None,
    Bool,
    Complex,
    Int,
    Float,
    Text,
    Uint,
}

fn basic(value: &Value) -> Basic {
    match value.kind() {
        Kind::Bool => Basic::Bool,
        Kind::Complex128 => Basic::Complex,
        Kind::Int | Kind::Int64 => Basic::Int,
        Kind::Float64 => Basic::Float,
        Kind::String => Basic::Text,
        Kind::Uint8 | Kind::Uint64 => Basic::Uint,
        _ => Basic::None,
    }
}

fn incompatible(left: &Value, right: &Value) -> CallError {
    CallError::text(format!(
        "incompatible types for comparison: {} and {}",
        left.type_name(),
        right.type_name()
    ))
}

/// Equality as `eq` has it.
pub(crate) fn equal(left: &Value, right: &Value) -> Result<bool, CallError> {
    let (kind, other) = (basic(left), basic(right));
    if kind != other {
        return match (kind, other) {
            (Basic::Int, Basic::Uint) | (Basic::Uint, Basic::Int) => Ok(wide(left) == wide(right)),
            _ if left.is_nil() || right.is_nil() => Ok(false),
            _ => Err(incompatible(left, right)),
        };
    }
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Complex(a, b), Value::Complex(c, d)) => Ok(a == c && b == d),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        _ if kind != Basic::None => Ok(wide(left) == wide(right)),
        _ => composite(left, right),
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Map(map) => map.is_nil(),
        Value::List(list) => list.is_nil(),
        _ => false,
    }
}

fn composite(left: &Value, right: &Value) -> Result<bool, CallError> {
    let text = |value: &Value| {
        String::from_utf8_lossy(&gocompat::fmt::sprintf(b"%s", std::slice::from_ref(value)))
            .into_owned()
    };
    if left.kind() != right.kind() && !left.is_nil() && !right.is_nil() {
        let shown = String::from_utf8_lossy(&display(right)).into_owned();
        let (left_type, right_type) = (left.type_name(), right.type_name());
        return Err(CallError::text(format!(
            "non-comparable types {}: {left_type}, {right_type}: {shown}",
            text(left)
        )));
    }
    if is_nil(left) || is_nil(right) {
        return Ok(is_nil(left) == is_nil(right));
    }
    match (left, right) {
        (Value::Object(a), Value::Object(b))
            if !matches!(right.kind(), Kind::Slice | Kind::Map) =>
        {
            Ok(std::sync::Arc::ptr_eq(a, b) || a.kind() == Kind::Struct && left.deep_equal(right))
        }
        _ => Err(CallError::text(format!(
            "non-comparable type {}: {}",
            text(right),
            right.type_name()
        ))),
    }
}

fn wide(value: &Value) -> i128 {
    value
        .as_int()
        .map(i128::from)
        .or_else(|| value.as_uint().map(i128::from))
        .unwrap_or_default()
}

/// Order as `lt` has it.
pub(crate) fn less(left: &Value, right: &Value) -> Result<bool, CallError> {
    let (kind, other) = (basic(left), basic(right));
    if kind == Basic::None || other == Basic::None {
        return Err(CallError::text("invalid type for comparison"));
    }
    let integers = |kind| matches!(kind, Basic::Int | Basic::Uint);
    if kind != other && !(integers(kind) && integers(other)) {
        return Err(incompatible(left, right));
    }
    match (left, right) {
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Text(a), Value::Text(b)) => Ok(a < b),
        _ if integers(kind) => Ok(wide(left) < wide(right)),
        _ => Err(CallError::text("invalid type for comparison")),
    }
}

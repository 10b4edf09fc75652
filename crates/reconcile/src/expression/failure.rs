//! Failures at run time in cel-go's words, which users find in conditions.

use cel::{ExecutionError, Value};
use objects::expression::{Reference, reference};

/// Words a failure of an expression.
pub(super) fn words(text: &str, error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::UnsupportedMapIndex(key) => format!("no such key: {}", shown(key)),
        ExecutionError::UndeclaredReference(name) => undeclared(text, name),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::IndexOutOfBounds(index) => format!("index out of bounds: {}", shown(index)),
        ExecutionError::UnsupportedListIndex(index) => {
            format!("unsupported index type '{}' in list", kind(index))
        }
        ExecutionError::UnsupportedIndex(index, Value::List(_)) => {
            format!("unsupported index type '{}' in list", kind(index))
        }
        ExecutionError::UnsupportedIndex(index, _) => format!("no such key: {}", shown(index)),
        ExecutionError::FunctionError { function, message } => function_failed(function, message),
        ExecutionError::NoSuchOverload
        | ExecutionError::InvalidArgumentCount { .. }
        | ExecutionError::MissingArgumentOrTarget
        | ExecutionError::NotSupportedAsMethod { .. }
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::UnsupportedTargetType { .. }
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnsupportedUnaryOperator(..)
        | ExecutionError::ValuesNotComparable(..) => "no such overload".to_owned(),
        other => other.to_string(),
    }
}

/// What does not exist may be a variable, named with the fields selected of it, or a function.
fn undeclared(text: &str, name: &str) -> String {
    match reference(text, name) {
        Some(Reference::Attribute(path)) => format!("no such attribute(s): {path}"),
        Some(Reference::Function) => format!("no such overload: {name}"),
        _ => "no such overload".to_owned(),
    }
}

/// Words a failure of a function; the evaluator's own words would show whole objects.
fn function_failed(function: &str, message: &str) -> String {
    let to = match function {
        "int" | "uint" | "double" | "bool" => function,
        "timestamp" => "google.protobuf.Timestamp",
        "duration" => "google.protobuf.Duration",
        "size" => return "no such overload: size".to_owned(),
        "string" => return unprintable(message),
        _ => return out_of_range(message).unwrap_or_else(|| message.to_owned()),
    };
    if message.contains("overflow") {
        let unsigned = to == "uint";
        return format!(
            "{}integer overflow",
            if unsigned { "unsigned " } else { "" }
        );
    }
    format!("type conversion error from 'string' to '{to}'")
}

/// `string(x)` of a map or a list: the message names its kind, as in `cannot convert map to string`.
fn unprintable(message: &str) -> String {
    let value = message.strip_prefix("cannot convert ").unwrap_or_default();
    let kind = value.split(' ').next().unwrap_or_default();
    format!("no such overload: string({})", kind.to_lowercase())
}

/// `start index 5 out of range for string of length 3`, and the like.
fn out_of_range(message: &str) -> Option<String> {
    let (before, _) = message.split_once(" out of range for string")?;
    let (_, index) = before.rsplit_once("index ")?;
    Some(format!("index out of range: {index}"))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::String(text) => text.to_string(),
        Value::Bool(truth) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Int(_) => "int",
        Value::UInt(_) => "uint",
        Value::Float(_) => "double",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Bytes(_) => "bytes",
        Value::Null => "null_type",
        Value::List(_) => "list",
        Value::Map(_) => "map",
        _ => "dyn",
    }
}

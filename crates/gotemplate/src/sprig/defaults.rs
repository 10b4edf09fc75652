//! Defaults, conditions and JSON.

use super::is_empty;
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::json::{self, Style};
use crate::value::Value;

const T: Type = Type::Text;
const A: Type = Type::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("default", &[A, A], A, |c| {
        Ok(match c.args.get(1) {
            Some(given) if !is_empty(given) => given.clone(),
            _ => c.value(0),
        })
    }),
    Function::fixed("empty", &[A], Type::Bool, |c| {
        Ok(Value::Bool(is_empty(&c.args[0])))
    }),
    Function::variadic("coalesce", &[A], A, |c| {
        Ok(c.args
            .iter()
            .find(|value| !is_empty(value))
            .cloned()
            .unwrap_or_default())
    }),
    Function::variadic("all", &[A], Type::Bool, |c| {
        Ok(Value::Bool(!c.args.iter().any(is_empty)))
    }),
    Function::variadic("any", &[A], Type::Bool, |c| {
        Ok(Value::Bool(!c.args.iter().all(is_empty)))
    }),
    Function::fixed("ternary", &[A, A, Type::Bool], A, |c| {
        Ok(c.value(if c.args[2].truth() { 0 } else { 1 }))
    }),
    Function::fixed("toJson", &[A], T, |c| {
        Ok(json::write(&c.args[0], Style::Compact)
            .unwrap_or_default()
            .into())
    }),
    Function::fixed("mustToJson", &[A], T, |c| {
        Ok(json::write(&c.args[0], Style::Compact)
            .map_err(plain)?
            .into())
    }),
    Function::fixed("toPrettyJson", &[A], T, |c| {
        Ok(json::write(&c.args[0], Style::Pretty)
            .unwrap_or_default()
            .into())
    }),
    Function::fixed("mustToPrettyJson", &[A], T, |c| {
        Ok(json::write(&c.args[0], Style::Pretty)
            .map_err(plain)?
            .into())
    }),
    Function::fixed("toRawJson", &[A], T, raw_json),
    Function::fixed("mustToRawJson", &[A], T, raw_json),
    Function::fixed("fromJson", &[T], A, |c| {
        Ok(json::parse(c.text(0)).unwrap_or_default())
    }),
    Function::fixed("mustFromJson", &[T], A, |c| {
        json::parse(c.text(0)).map_err(plain)
    }),
];

fn plain(error: json::JsonError) -> CallError {
    CallError::text(error.to_string())
}

fn raw_json(c: &mut Call<'_, '_>) -> CallResult {
    Ok(json::write(&c.args[0], Style::Raw).map_err(plain)?.into())
}

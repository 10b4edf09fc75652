//! Rules with optional selections (`self.?a`, `self[?0]`), which the library for rules cannot read: evaluated here, one by one.
//!
//! Left out: timestamps and durations are texts here, and items of lists are not compared with their former state.

use cluster::StatusCause;
use objects::{Map, Value};

use super::typing;
use crate::admission::expression::{Expression, Scope};
use crate::catalog::text;

/// Bound on nesting of schemas.
const DEPTH_MAX: usize = 100;

/// Tells whether a rule can be read only with optional selections.
pub fn is_needed(rule: &str) -> bool {
    let marked = rule.contains(".?") || rule.contains("[?");
    marked && cel::Program::compile(rule).is_err() && Expression::compile(rule).is_readable()
}

/// Tells whether a schema has such a rule.
pub fn is_needed_in(schema: &Value, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    match schema {
        Value::Object(map) => {
            rules(schema).any(|rule| is_needed(text(rule, "rule")))
                || map.values().any(|inner| is_needed_in(inner, depth + 1))
        }
        Value::Array(items) => items.iter().any(|inner| is_needed_in(inner, depth + 1)),
        _ => false,
    }
}

fn rules(schema: &Value) -> impl Iterator<Item = &Map> {
    let rules = schema
        .get("x-kubernetes-validations")
        .and_then(Value::as_array);
    rules.into_iter().flatten().filter_map(Value::as_object)
}

/// Evaluates the rules of a schema and below on a value; `old` is its state before an update.
pub fn evaluate(
    schema: &Value,
    value: &Value,
    old: Option<&Value>,
    path: &str,
    causes: &mut Vec<StatusCause>,
    depth: usize,
) {
    if depth > DEPTH_MAX {
        return;
    }
    for rule in rules(schema).filter(|rule| is_needed(text(rule, "rule"))) {
        causes.extend(judge(schema, rule, value, old, path));
    }
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let inner = schema.get("properties").and_then(|p| p.get(name));
                let more = schema.get("additionalProperties").filter(|a| a.is_object());
                if let Some(inner) = inner.or(more) {
                    let old = old.and_then(|old| old.get(name));
                    evaluate(inner, value, old, &below(name), causes, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = schema.get("items") else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                evaluate(inner, item, None, &path, causes, depth + 1);
            }
        }
        _ => {}
    }
}

fn judge(
    schema: &Value,
    rule: &Map,
    value: &Value,
    old: Option<&Value>,
    path: &str,
) -> Option<StatusCause> {
    let source = text(rule, "rule");
    if typing::mentions(source, "oldSelf") && old.is_none() {
        return None;
    }
    let mut variables = vec![("self", escaped(schema, value, 0))];
    if let Some(old) = old {
        variables.push(("oldSelf", escaped(schema, old, 0)));
    }
    let scope = Scope::new(&variables);
    let message = match scope.holds(&Expression::compile(source)) {
        Ok(true) => return None,
        Ok(false) => {
            let computed = text(rule, "messageExpression");
            let computed =
                (!computed.is_empty()).then(|| scope.text(&Expression::compile(computed)));
            match (computed.flatten(), text(rule, "message")) {
                (Some(message), _) => message,
                (None, "") => format!("failed rule: {}", source.trim()),
                (None, message) => message.to_owned(),
            }
        }
        Err(why) => format!("rule evaluation error: {why}"),
    };
    let target = text(rule, "fieldPath");
    let path = format!("{path}{target}");
    let value = if target.is_empty() { Some(value) } else { None };
    let reason = rule.get("reason").and_then(Value::as_str);
    Some(super::cel::cause(
        path.trim_start_matches('.'),
        value,
        &message,
        reason,
    ))
}

/// Gives the members of objects the names that rules call them by.
fn escaped(schema: &Value, value: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return value.clone();
    }
    let inner = |name: &str| {
        let property = schema.get("properties").and_then(|p| p.get(name));
        property.or_else(|| schema.get("additionalProperties"))
    };
    match value {
        Value::Object(map) => {
            let declared = schema.get("properties").is_some();
            let member = |(name, value): (&String, &Value)| {
                let value = escaped(inner(name).unwrap_or(&Value::Null), value, depth + 1);
                let name = if declared {
                    typing::escaped(name)
                } else {
                    name.clone()
                };
                (name, value)
            };
            Value::Object(map.iter().map(member).collect())
        }
        Value::Array(items) => {
            let element = schema.get("items").unwrap_or(&Value::Null);
            items
                .iter()
                .map(|item| escaped(element, item, depth + 1))
                .collect()
        }
        scalar => scalar.clone(),
    }
}

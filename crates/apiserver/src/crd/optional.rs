//! Rules that the library for rules cannot evaluate: those with optional selections (`self.?a`, `self[?0]`), with an optional former
//! state, and those over the former state of items of lists. They are evaluated here, one by one.
//!
//! Left out: timestamps and durations are texts here.

use cluster::StatusCause;
use objects::{Map, Value};

use super::typing;
use crate::admission::expression::{Expression, Scope};
use crate::catalog::text;

/// Bound on nesting of schemas.
const DEPTH_MAX: usize = 100;

/// Tells whether a rule can be read only with optional selections.
pub fn is_needed(rule: &Map) -> bool {
    if rule.get("optionalOldSelf") == Some(&Value::Bool(true)) {
        return true;
    }
    let rule = text(rule, "rule");
    let marked = rule.contains(".?") || rule.contains("[?");
    marked && cel::Program::compile(rule).is_err() && Expression::compile(rule).is_readable()
}

/// Keeps of a schema's rules those that are evaluated here, or the others; tells whether one is left.
pub fn keep(schema: &mut Value, here: bool, in_list: bool, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    let mut any = false;
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(rules)) = map.get_mut("x-kubernetes-validations") {
                rules.retain(|rule| {
                    let rule = rule.as_object();
                    let own = rule.is_some_and(|rule| {
                        let former = in_list && typing::mentions(text(rule, "rule"), "oldSelf");
                        former || is_needed(rule)
                    });
                    own == here
                });
                any |= !rules.is_empty();
            }
            for (key, inner) in map {
                any |= keep(inner, here, in_list || key == "items", depth + 1);
            }
        }
        Value::Array(items) => {
            for inner in items {
                any |= keep(inner, here, in_list, depth + 1);
            }
        }
        _ => {}
    }
    any
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
    for rule in rules(schema) {
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
            let before = old.and_then(Value::as_array);
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                let old = before.and_then(|before| former(schema, item, before));
                evaluate(inner, item, old, &path, causes, depth + 1);
            }
        }
        _ => {}
    }
}

/// Finds the former state of a list's item by its keys; items of other lists have none.
fn former<'a>(schema: &Value, item: &Value, before: &'a [Value]) -> Option<&'a Value> {
    let keys = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)?;
    let same = |other: &&Value| {
        let keys = keys.iter().filter_map(Value::as_str);
        keys.into_iter().all(|key| other.get(key) == item.get(key))
    };
    before.iter().find(same)
}

fn judge(
    schema: &Value,
    rule: &Map,
    value: &Value,
    old: Option<&Value>,
    path: &str,
) -> Option<StatusCause> {
    let source = text(rule, "rule");
    let optional = rule.get("optionalOldSelf") == Some(&Value::Bool(true));
    if typing::mentions(source, "oldSelf") && old.is_none() && !optional {
        return None;
    }
    let mut variables = vec![("self", escaped(schema, value, 0))];
    let before = old.map(|old| escaped(schema, old, 0));
    if let Some(before) = before.as_ref().filter(|_| !optional) {
        variables.push(("oldSelf", before.clone()));
    }
    let mut scope = Scope::new(&variables);
    if optional {
        scope.optional("oldSelf", before.as_ref());
    }
    let message = match scope.evaluate(&Expression::compile(source)) {
        Ok(cel::Value::Bool(true)) => return None,
        Ok(_) => {
            let computed = text(rule, "messageExpression");
            let computed =
                (!computed.is_empty()).then(|| scope.text(&Expression::compile(computed)));
            let computed = computed.flatten().unwrap_or_default();
            super::cel::said(&computed, source, Some(rule))
        }
        Err(why) => {
            return Some(super::cel::unevaluated(
                path,
                value,
                &why,
                source,
                Some(rule),
            ));
        }
    };
    let target = text(rule, "fieldPath");
    let path = format!("{path}{target}");
    let shown = target.is_empty().then_some(value);
    let reason = rule.get("reason").and_then(Value::as_str);
    let place = path.trim_start_matches('.');
    let mut cause = super::cel::cause(place, shown, &message, reason);
    if old == Some(value) && !typing::mentions(source, "oldSelf") {
        cause.reason = super::cel::RATCHETED.to_owned();
    }
    Some(cause)
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

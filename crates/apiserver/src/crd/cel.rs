//! CEL rules of custom kinds (`x-kubernetes-validations`).

use cluster::StatusCause;
use kube_cel::{CompiledSchema, Validator, compile_schema};
use objects::{Map, Value, expression};

use crate::catalog::text;
use crate::failure::field;

/// The compiled rules of one version.
pub struct Rules {
    compiled: CompiledSchema,
    schema: Value,
    /// The schema with the rules that [`super::optional`] evaluates.
    own: Option<Value>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rules")
    }
}

impl Rules {
    /// Compiles the rules of a schema; `None` where it has none.
    pub fn compile(schema: &Value) -> Option<Self> {
        if !has_rules(schema, 0) {
            return None;
        }
        let schema = bounded_rules(schema.clone());
        let (mut theirs, mut own) = (schema.clone(), schema.clone());
        super::optional::keep(&mut theirs, false, false, 0);
        let any = super::optional::keep(&mut own, true, false, 0);
        Some(Self {
            compiled: compile_schema(&theirs),
            own: any.then_some(own),
            schema,
        })
    }

    /// Evaluates all rules; failures over parts that an update did not change have the reason [`RATCHETED`].
    pub fn evaluate(&self, object: &Map, live: Option<&Map>) -> Vec<StatusCause> {
        let object = Value::Object(object.clone());
        let live = live.map(|live| Value::Object(live.clone()));
        let outcome = Validator::new().validate_compiled(&self.compiled, &object, live.as_ref());
        let mut causes = Vec::new();
        if let Some(own) = &self.own {
            super::optional::evaluate(own, &object, live.as_ref(), "", &mut causes, 0);
        }
        let errors = outcome.err().map(kube_cel::ValidationErrors::into_vec);
        let errors = errors.into_iter().flatten();
        for error in errors {
            let rule = definition(&self.schema, &error.rule, 0);
            let path = error.field_path.trim_start_matches('.');
            let target = rule.map_or("", |rule| text(rule, "fieldPath"));
            // What a rule is about, whatever field it points at.
            let own = path.strip_suffix(target).unwrap_or(path);
            let own = own.trim_end_matches('.');
            let judged = at(&object, own);
            let unchanged = live
                .as_ref()
                .is_some_and(|live| judged.is_some() && at(live, own) == judged);
            let reason = error.reason.as_deref();
            let mut cause = match error.message.strip_prefix(UNEVALUATED) {
                Some(why) => {
                    let judged = judged.unwrap_or(&Value::Null);
                    unevaluated(own, judged, &reworded(why), &error.rule, rule)
                }
                None => {
                    let message = said(&error.message, &error.rule, rule);
                    cause(path, at(&object, path), &message, reason)
                }
            };
            if unchanged && !error.rule.contains("oldSelf") {
                cause.reason = RATCHETED.to_owned();
            }
            causes.push(cause);
        }
        causes
    }
}

/// Reason of what only warns, because an update left it as it was.
pub const RATCHETED: &str = "Ratcheted";
/// Longest message that an expression may give, in bytes.
const MESSAGE_BYTES_MAX: usize = 5 * 1024;

/// What the library says before the fault of a rule that cannot be evaluated.
const UNEVALUATED: &str = "rule evaluation error: ";

/// Words the fault of a rule as cel-go does.
fn reworded(why: &str) -> String {
    let quantity = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    match why {
        _ if why.starts_with("Division by zero") => "division by zero".to_owned(),
        _ if why.starts_with("Remainder by zero") => "modulus by zero".to_owned(),
        _ if why.starts_with("Error executing function 'quantity'") => quantity.to_owned(),
        _ => match why.strip_prefix("No such key: ") {
            Some(key) => format!("no such key: {key}"),
            None => why.to_owned(),
        },
    }
}

/// A rule that cannot be evaluated: of the value its type is shown.
pub(super) fn unevaluated(
    path: &str,
    value: &Value,
    why: &str,
    source: &str,
    rule: Option<&Map>,
) -> StatusCause {
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Null => "",
    };
    let name = match rule.map_or("", |rule| text(rule, "message")) {
        "" => source.trim(),
        message => message,
    };
    let why = format!("{why} evaluating rule: {name}");
    field::invalid(path.trim_start_matches('.'), &kind.into(), &why)
}

/// Finds a rule by its text.
fn definition<'a>(schema: &'a Value, rule: &str, depth: usize) -> Option<&'a Map> {
    if depth > DEPTH_MAX {
        return None;
    }
    match schema {
        Value::Object(map) => {
            let rules = map
                .get("x-kubernetes-validations")
                .and_then(Value::as_array);
            let rules = rules.into_iter().flatten().filter_map(Value::as_object);
            let own = rules.into_iter().find(|own| text(own, "rule") == rule);
            own.or_else(|| {
                map.values()
                    .find_map(|inner| definition(inner, rule, depth + 1))
            })
        }
        Value::Array(items) => items
            .iter()
            .find_map(|inner| definition(inner, rule, depth + 1)),
        _ => None,
    }
}

/// The message of a rule that does not hold; an expression that gave none that can be shown gives way to the fixed one.
pub(super) fn said(message: &str, source: &str, rule: Option<&Map>) -> String {
    let shown = !message.trim().is_empty()
        && !message.contains(['\n', '\r'])
        && message.len() <= MESSAGE_BYTES_MAX;
    if shown {
        return message.to_owned();
    }
    match rule.map_or("", |rule| text(rule, "message")) {
        "" => format!("failed rule: {}", source.trim()),
        fixed => fixed.to_owned(),
    }
}

/// Evaluates the rules of a schema on a default of it.
pub fn default_faults(schema: &Value, default: &Value) -> Vec<StatusCause> {
    if !has_rules(schema, 0) {
        return Vec::new();
    }
    let compiled = compile_schema(schema);
    let outcome = Validator::new().validate_compiled(&compiled, default, None);
    let errors = outcome.err().map(kube_cel::ValidationErrors::into_vec);
    let faults = errors.into_iter().flatten().map(|error| {
        let path = error.field_path.trim_start_matches('.');
        let reason = error.reason.as_deref();
        cause(path, at(default, path), &error.message, reason)
    });
    faults.collect()
}

/// Words a rule that does not hold.
pub(super) fn cause(
    path: &str,
    value: Option<&Value>,
    message: &str,
    reason: Option<&str>,
) -> StatusCause {
    match reason {
        Some("FieldValueForbidden") => field::forbidden(path, message),
        Some("FieldValueRequired") => field::required(path, message),
        // Upstream leaves the value out.
        Some("FieldValueDuplicate") => StatusCause {
            reason: "FieldValueDuplicate".into(),
            message: "Duplicate value".into(),
            field: path.to_owned(),
        },
        _ => match value {
            Some(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => {
                field::invalid(path, value, message)
            }
            // Objects and lists are not printed.
            _ => StatusCause {
                reason: "FieldValueInvalid".into(),
                message: format!("Invalid value: {message}"),
                field: path.to_owned(),
            },
        },
    }
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(object);
    }
    path.replace('[', ".")
        .replace(']', "")
        .split('.')
        .try_fold(object, |value, key| match value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            value => value.get(key),
        })
}

/// Bound on nesting of schemas.
const DEPTH_MAX: usize = 100;

fn has_rules(schema: &Value, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    match schema {
        Value::Object(map) => {
            map.contains_key("x-kubernetes-validations")
                || map.values().any(|value| has_rules(value, depth + 1))
        }
        Value::Array(items) => items.iter().any(|item| has_rules(item, depth + 1)),
        _ => false,
    }
}

/// Puts a text that does not compile in the place of rules beyond the bounds: they fail when they are evaluated.
fn bounded_rules(mut schema: Value) -> Value {
    fn visit(schema: &mut Value) {
        match schema {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if RULE_KEYS.contains(&key.as_str()) => {
                            if expression::check_bounds(text).is_err() {
                                "this rule is too large".clone_into(text);
                            }
                        }
                        value => visit(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(visit),
            _ => {}
        }
    }
    visit(&mut schema);
    schema
}

const RULE_KEYS: &[&str] = &["rule", "messageExpression"];

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;
    use proptest::prelude::*;

    fn faults(rule: &str, spec: Value, live: Option<Value>) -> Vec<StatusCause> {
        let schema = json!({
            "type": "object",
            "properties": {"spec": {
                "type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}},
                "x-kubernetes-validations": [{"rule": rule, "message": "no"}],
            }},
        });
        let object = |spec: Value| json!({ "spec": spec }).as_object().cloned().unwrap();
        let live = live.map(object);
        let rules = Rules::compile(&schema).unwrap();
        rules.evaluate(&object(spec), live.as_ref())
    }

    #[test]
    fn a_rule_holds_or_fails() {
        assert!(faults("self.n > 1", json!({"n": 2}), None).is_empty());
        assert_eq!(faults("self.n > 1", json!({"n": 1}), None).len(), 1);
        let grows = "self.n >= oldSelf.n";
        assert!(faults(grows, json!({"n": 2}), Some(json!({"n": 1}))).is_empty());
        assert_eq!(
            faults(grows, json!({"n": 1}), Some(json!({"n": 2}))).len(),
            1
        );
    }

    #[test]
    fn a_deeply_nested_rule_is_a_fault_and_no_crash() {
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("!", ""),
            ("-", ""),
            ("1+", ""),
            ("self.", ""),
        ] {
            let rule = format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
            assert!(!faults(&rule, json!({"n": 1}), None).is_empty(), "{open}");
        }
    }

    #[test]
    fn rules_at_the_bound_are_evaluated() {
        for rule in [
            format!("{}self.n == 1{}", "(".repeat(39), ")".repeat(39)),
            format!("self.n{} == 1", " + 0".repeat(390)),
            format!("true{}", " && self.n == 1".repeat(90)),
        ] {
            assert!(faults(&rule, json!({"n": 1}), None).is_empty(), "{rule}");
        }
    }

    /// Texts made of what rules are made of.
    fn rule_text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("self"),
            Just(".n"),
            Just(".s"),
            Just("oldSelf"),
            Just(" == "),
            Just(" && "),
            Just("!"),
            Just("("),
            Just(")"),
            Just("["),
            Just("]"),
            Just("1"),
            Just("'a'"),
            Just(".size()"),
            Just("?"),
            Just(":"),
            Just(".all(x, x)"),
            Just(" in "),
            Just("has(self.n)"),
            Just("{"),
            Just("}"),
            Just("-"),
            Just(".matches('(')"),
            Just("/ 0"),
            Just("9223372036854775807"),
            Just(" + "),
            Just(","),
            Just("'"),
        ];
        prop::collection::vec(token, 1..10).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn arbitrary_rules_never_panic(plausible in rule_text(), any: String) {
            for rule in [plausible, any] {
                let _ = faults(&rule, json!({"n": 1, "s": "a"}), Some(json!({"n": 2})));
            }
        }
    }
}

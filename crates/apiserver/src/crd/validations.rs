//! `x-kubernetes-validations` of a schema: whether each rule is complete, can be read, and fits the types of the schema.

use cluster::StatusCause;
use objects::{Map, Value};

use super::typing::{self, Type};
use crate::catalog::text;
use crate::failure::field;

/// Bound on nesting of schemas.
const DEPTH_MAX: usize = 100;
const REASONS: [&str; 4] = [
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
];

/// Checks all rules of a schema.
pub fn check(schema: &Value, path: &str, causes: &mut Vec<StatusCause>) {
    node(schema, path, true, None, causes, 0);
}

/// `loose` is the path of the list around whose items cannot be told apart between two states of an object.
fn node(
    schema: &Value,
    path: &str,
    root: bool,
    loose: Option<&str>,
    causes: &mut Vec<StatusCause>,
    depth: usize,
) {
    if depth > DEPTH_MAX {
        return;
    }
    let rules = schema
        .get("x-kubernetes-validations")
        .and_then(Value::as_array);
    let rules = rules.into_iter().flatten().filter_map(Value::as_object);
    for (index, rule) in rules.enumerate() {
        let place = format!("{path}.x-kubernetes-validations[{index}]");
        let mut judge = Judge {
            schema,
            rule,
            place: &place,
            root,
            causes,
        };
        judge.members();
        judge.expressions(loose);
    }
    let mut below = |inner: &Value, name: String, loose: Option<&str>| {
        node(
            inner,
            &format!("{path}.{name}"),
            false,
            loose,
            causes,
            depth + 1,
        );
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in properties.into_iter().flatten() {
        below(inner, format!("properties[{name}]"), loose);
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|a| a.is_object()) {
        below(inner, "additionalProperties".into(), loose);
    }
    if let Some(inner) = schema.get("items") {
        let list = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
        let loose = loose.or((list != Some("map")).then_some(path));
        below(inner, "items".into(), loose);
    }
}

struct Judge<'a> {
    schema: &'a Value,
    rule: &'a Map,
    place: &'a str,
    root: bool,
    causes: &'a mut Vec<StatusCause>,
}

impl Judge<'_> {
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    fn members(&mut self) {
        let message = text(self.rule, "message");
        let broken = |text: &str| text.contains(['\n', '\r']);
        if !message.is_empty() && message.trim().is_empty() {
            let why = "must be non-empty if specified";
            self.causes
                .push(field::invalid(&self.at("message"), &message.into(), why));
        } else if broken(message) {
            let why = "must not contain line breaks";
            self.causes
                .push(field::invalid(&self.at("message"), &message.into(), why));
        } else if broken(text(self.rule, "rule").trim()) && message.is_empty() {
            let why = "message must be specified if rule contains line breaks";
            self.causes.push(field::required(&self.at("message"), why));
        }
        let expression = text(self.rule, "messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let why = "messageExpression must be non-empty if specified";
            self.causes
                .push(field::required(&self.at("messageExpression"), why));
        }
        let reason = text(self.rule, "reason");
        if !reason.is_empty() && !REASONS.contains(&reason) {
            let cause = field::not_supported(&self.at("reason"), &reason.into(), &REASONS);
            self.causes.push(cause);
        }
        let target = text(self.rule, "fieldPath");
        if !target.is_empty() && !leads_somewhere(self.schema, target) {
            let cause = field::invalid(
                &self.at("fieldPath"),
                &target.into(),
                "must be a valid path",
            );
            self.causes.push(cause);
        }
    }

    fn expressions(&mut self, loose: Option<&str>) {
        let rule = text(self.rule, "rule");
        if rule.trim().is_empty() {
            self.causes
                .push(field::required(&self.at("rule"), "rule is not specified"));
            return;
        }
        if self.rule.get("message").is_none() && rule.trim().contains('\n') {
            return;
        }
        let uses_old = typing::mentions(rule, "oldSelf");
        match typing::check(rule, self.schema, self.root) {
            Err(why) => self.uncompiled("rule", &why),
            Ok(Type::Bool | Type::Dyn) => {}
            Ok(_) => self.refused("rule", "cel expression must evaluate to a bool"),
        }
        if uses_old && let Some(list) = loose {
            let why = format!(
                "oldSelf cannot be used on the uncorrelatable portion of the schema within {list}"
            );
            self.causes
                .push(field::invalid(&self.at("rule"), &rule.into(), &why));
        }
        if let Some(value) = self.rule.get("optionalOldSelf").filter(|_| !uses_old) {
            let why = "may not be set if oldSelf is not used in rule";
            self.causes
                .push(field::invalid(&self.at("optionalOldSelf"), value, why));
        }
        let message = text(self.rule, "messageExpression");
        if message.trim().is_empty() {
            return;
        }
        match typing::check(message, self.schema, self.root) {
            Err(why) => self.uncompiled("messageExpression", &why),
            Ok(Type::Text | Type::Dyn) => {}
            Ok(_) => {
                self.refused(
                    "messageExpression",
                    "messageExpression must evaluate to a string",
                );
            }
        }
    }

    fn uncompiled(&mut self, key: &str, why: &str) {
        let start = if key == "rule" {
            ""
        } else {
            "messageExpression "
        };
        let why = format!("{start}compilation failed: {why}");
        self.refused(key, &why);
    }

    fn refused(&mut self, key: &str, why: &str) {
        let shown = self.shown();
        self.causes
            .push(field::invalid_shown(&self.at(key), &shown, why));
    }

    /// Writes the rule as Go writes its struct: members in order, `<`, `>` and `&` escaped.
    fn shown(&self) -> String {
        let word = |key: &str| Value::from(text(self.rule, key)).to_string();
        let other = |key: &str| self.rule.get(key).map_or("null".into(), Value::to_string);
        format!(
            "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{},\"FieldPath\":{},\"OptionalOldSelf\":{}}}",
            word("rule"),
            word("message"),
            word("messageExpression"),
            other("reason"),
            word("fieldPath"),
            other("optionalOldSelf"),
        )
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
    }
}

/// Tells whether a path leads through properties and maps of a schema; lists are not entered.
fn leads_somewhere(schema: &Value, path: &str) -> bool {
    let mut at = schema;
    let mut rest = path;
    while !rest.is_empty() {
        let name;
        if let Some(after) = rest.strip_prefix("['") {
            let Some((quoted, after)) = after.split_once("']") else {
                return false;
            };
            (name, rest) = (quoted, after);
        } else if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (name, rest) = after.split_at(end);
        } else {
            return false;
        }
        let next = at.get("properties").and_then(|p| p.get(name));
        let Some(next) = next.or_else(|| at.get("additionalProperties").filter(|a| a.is_object()))
        else {
            return false;
        };
        at = next;
    }
    true
}

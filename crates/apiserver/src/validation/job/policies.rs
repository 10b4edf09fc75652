//! Policies of jobs: which failures count, when a job has succeeded early, when pods are replaced.

use cluster::StatusCause;
use objects::{Map, Value, names};

use super::super::{Faults, NO_FIELDS, at, items, map_at, number, text};
use crate::failure::field;

/// Most rules of a policy.
const RULES_MAX: usize = 20;

pub(super) fn check(spec: &Map, path: &str, faults: &mut Faults) {
    let failure = map_at(spec, &["podFailurePolicy"]);
    if let Some(policy) = failure {
        failure_policy(
            spec,
            policy,
            &format!("{path}.podFailurePolicy.rules"),
            faults,
        );
    }
    if let Some(policy) = map_at(spec, &["successPolicy"]) {
        success_policy(spec, policy, &format!("{path}.successPolicy"), faults);
    }
    if let Some(policy) = at(spec, &["podReplacementPolicy"]).and_then(Value::as_str) {
        let own = format!("{path}.podReplacementPolicy");
        match failure {
            Some(_) => faults.one_of(&own, policy, &["Failed"]),
            None => faults.one_of(&own, policy, &["Failed", "TerminatingOrFailed"]),
        }
    }
}

fn too_many(path: &str, count: usize, faults: &mut Faults) {
    if count > RULES_MAX {
        faults.0.push(field::too_many(path, count, RULES_MAX));
    }
}

fn success_policy(spec: &Map, policy: &Map, path: &str, faults: &mut Faults) {
    if text(spec, "completionMode") != "Indexed" {
        let rules = policy.get("rules").cloned().unwrap_or_default();
        let why = "requires indexed completion mode";
        return faults.invalid_text(path, &format!("{{\"Rules\":{rules}}}"), why);
    }
    let own = format!("{path}.rules");
    let rules = items(policy, &["rules"]).count();
    if rules == 0 {
        let why = "at least one rules must be specified when the successPolicy is specified";
        faults.required(&own, why);
    }
    too_many(&own, rules, faults);
    for (i, rule) in items(policy, &["rules"]) {
        success_rule(spec, rule, &format!("{own}[{i}]"), faults);
    }
}

fn success_rule(spec: &Map, rule: &Map, path: &str, faults: &mut Faults) {
    let count = at(rule, &["succeededCount"]).and_then(Value::as_i64);
    if count.is_none() && at(rule, &["succeededIndexes"]).is_none() {
        let why = "at least one of succeededCount or succeededIndexes must be specified";
        faults.required(path, why);
    }
    faults.not_negative(rule, path, "succeededCount");
    let completions = number(spec, "completions");
    if let Some(count) = count.filter(|count| *count > completions) {
        let why = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        faults.invalid(&format!("{path}.succeededCount"), &count.into(), &why);
    }
}

fn failure_policy(spec: &Map, policy: &Map, path: &str, faults: &mut Faults) {
    too_many(path, items(policy, &["rules"]).count(), faults);
    for (i, rule) in items(policy, &["rules"]) {
        failure_rule(spec, rule, &format!("{path}[{i}]"), faults);
    }
}

fn failure_rule(spec: &Map, rule: &Map, path: &str, faults: &mut Faults) {
    action(
        spec,
        text(rule, "action"),
        &format!("{path}.action"),
        faults,
    );
    let codes = map_at(rule, &["onExitCodes"]);
    if let Some(codes) = codes {
        exit_codes(spec, codes, &format!("{path}.onExitCodes"), faults);
    }
    let conditions = items(rule, &["onPodConditions"]).count();
    too_many(&format!("{path}.onPodConditions"), conditions, faults);
    for (j, pattern) in items(rule, &["onPodConditions"]) {
        condition(pattern, &format!("{path}.onPodConditions[{j}]"), faults);
    }
    let why = match (codes.is_some(), conditions > 0) {
        (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    faults.0.push(StatusCause {
        reason: "FieldValueInvalid".into(),
        message: format!("Invalid value: {why}"),
        field: path.to_owned(),
    });
}

fn action(spec: &Map, action: &str, path: &str, faults: &mut Faults) {
    match action {
        "" => {
            let why = "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
            faults.required(path, why);
        }
        "FailIndex" if at(spec, &["backoffLimitPerIndex"]).is_none() => {
            let why = "requires the backoffLimitPerIndex to be set";
            faults.invalid(path, &"FailIndex".into(), why);
        }
        action => faults.one_of(path, action, &["Count", "FailIndex", "FailJob", "Ignore"]),
    }
}

fn condition(pattern: &Map, path: &str, faults: &mut Faults) {
    let kind = text(pattern, "type");
    faults.problems(&format!("{path}.type"), kind, names::qualified_name(kind));
    let own = format!("{path}.status");
    match text(pattern, "status") {
        "" => faults.required(&own, "valid values: [\"False\" \"True\" \"Unknown\"]"),
        status => faults.one_of(&own, status, &["False", "True", "Unknown"]),
    }
}

fn exit_codes(spec: &Map, codes: &Map, path: &str, faults: &mut Faults) {
    let own = format!("{path}.operator");
    let operator = text(codes, "operator");
    match operator {
        "" => faults.required(&own, "valid values: [\"In\" \"NotIn\"]"),
        operator => faults.one_of(&own, operator, &["In", "NotIn"]),
    }
    let pod = map_at(spec, &["template", "spec"]).unwrap_or(&NO_FIELDS);
    if let Some(name) = at(codes, &["containerName"]).and_then(Value::as_str) {
        let mut known = items(pod, &["containers"]).chain(items(pod, &["initContainers"]));
        if !known.any(|(_, container)| text(container, "name") == name) {
            let why = "must be one of the container or initContainer names in the pod template";
            faults.invalid(&format!("{path}.containerName"), &name.into(), why);
        }
    }
    exit_values(codes, operator, &format!("{path}.values"), faults);
}

fn exit_values(codes: &Map, operator: &str, path: &str, faults: &mut Faults) {
    let values = at(codes, &["values"]).and_then(Value::as_array);
    let numbers = values.into_iter().flatten().filter_map(Value::as_i64);
    let numbers: Vec<i64> = numbers.collect();
    let shown = values.map_or(Value::Null, |values| Value::Array(values.clone()));
    if numbers.is_empty() {
        faults.invalid(path, &shown, "at least one value is required");
    }
    for (i, number) in numbers.iter().enumerate() {
        let own = format!("{path}[{i}]");
        if operator == "In" && *number == 0 {
            faults.invalid(&own, &0.into(), "must not be 0 for the In operator");
        }
        if numbers[..i].contains(number) {
            faults.0.push(field::duplicate(&own, &(*number).into()));
        }
    }
    if !numbers.is_sorted() {
        faults.invalid(path, &shown, "must be ordered");
    }
}

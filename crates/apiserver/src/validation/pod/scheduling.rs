//! Where a pod may run: affinities, spreading, tolerations; and the selectors that other kinds use too.

use objects::{Map, Value, names};

use super::super::{Faults, NO_FIELDS, at, items, map_at, number, text};

const BARE: &str = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
const LISTED: &str = "must be specified when `operator` is 'In' or 'NotIn'";
const OPERATOR: &str = "not a valid selector operator";
const WEIGHT: &str = "must be in the range 1-100";

/// Checks keys and values of labels.
pub(in super::super) fn labels(labels: Option<&Map>, path: &str, faults: &mut Faults) {
    for (key, value) in labels.unwrap_or(&NO_FIELDS) {
        faults.problems(path, key, names::qualified_name(key));
        let value = value.as_str().unwrap_or("");
        faults.problems(path, value, names::label_value(value));
    }
}

fn texts<'a>(object: &'a Map, key: &str) -> Vec<&'a str> {
    let list = object.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Checks a label selector.
pub(in super::super) fn label_selector(selector: Option<&Map>, path: &str, faults: &mut Faults) {
    let Some(selector) = selector else { return };
    let equal = map_at(selector, &["matchLabels"]);
    labels(equal, &format!("{path}.matchLabels"), faults);
    for (i, expression) in items(selector, &["matchExpressions"]) {
        let own = format!("{path}.matchExpressions[{i}]");
        let (key, operator) = (text(expression, "key"), text(expression, "operator"));
        let values = texts(expression, "values");
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                faults.required(&format!("{own}.values"), LISTED)
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if values.is_empty() => {}
            "Exists" | "DoesNotExist" => faults.forbidden(&format!("{own}.values"), BARE),
            _ => faults.invalid(&format!("{own}.operator"), &operator.into(), OPERATOR),
        }
        faults.problems(&format!("{own}.key"), key, names::qualified_name(key));
        for (j, value) in values.iter().enumerate() {
            faults.problems(
                &format!("{own}.values[{j}]"),
                value,
                names::label_value(value),
            );
        }
    }
}

pub(super) fn affinity(spec: &Map, path: &str, faults: &mut Faults) {
    let Some(affinity) = map_at(spec, &["affinity"]) else {
        return;
    };
    let path = format!("{path}.affinity");
    if let Some(nodes) = map_at(affinity, &["nodeAffinity"]) {
        self::nodes(nodes, &format!("{path}.nodeAffinity"), faults);
    }
    for key in ["podAffinity", "podAntiAffinity"] {
        if let Some(pods) = map_at(affinity, &[key]) {
            self::pods(pods, &format!("{path}.{key}"), faults);
        }
    }
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn nodes(affinity: &Map, path: &str, faults: &mut Faults) {
    if let Some(required) = map_at(affinity, &[REQUIRED]) {
        node_selector(required, &format!("{path}.{REQUIRED}"), faults);
    }
    for (i, term) in items(affinity, &[PREFERRED]) {
        let own = format!("{path}.{PREFERRED}[{i}]");
        weight(term, &own, faults);
        let preference = map_at(term, &["preference"]).unwrap_or(&NO_FIELDS);
        node_term(preference, &format!("{own}.preference"), true, faults);
    }
}

fn weight(term: &Map, path: &str, faults: &mut Faults) {
    let weight = number(term, "weight");
    if !(1..=100).contains(&weight) {
        faults.invalid(&format!("{path}.weight"), &weight.into(), WEIGHT);
    }
}

/// Checks a selector of nodes.
pub(in super::super) fn node_selector(selector: &Map, path: &str, faults: &mut Faults) {
    let path = format!("{path}.nodeSelectorTerms");
    if items(selector, &["nodeSelectorTerms"]).next().is_none() {
        return faults.required(&path, "must have at least one node selector term");
    }
    for (i, term) in items(selector, &["nodeSelectorTerms"]) {
        node_term(term, &format!("{path}[{i}]"), false, faults);
    }
}

fn node_term(term: &Map, path: &str, any_value: bool, faults: &mut Faults) {
    for (i, expression) in items(term, &["matchExpressions"]) {
        node_expression(
            expression,
            &format!("{path}.matchExpressions[{i}]"),
            any_value,
            faults,
        );
    }
    for (i, field) in items(term, &["matchFields"]) {
        let own = format!("{path}.matchFields[{i}]");
        let (key, operator) = (text(field, "key"), text(field, "operator"));
        let values = texts(field, "values");
        match operator {
            "In" | "NotIn" if values.len() == 1 => {}
            "In" | "NotIn" => {
                let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                faults.required(&format!("{own}.values"), why);
            }
            _ => faults.invalid(&format!("{own}.operator"), &operator.into(), OPERATOR),
        }
        if key == "metadata.name" {
            for (j, value) in values.iter().enumerate() {
                let problems = names::dns_subdomain(value);
                faults.problems(&format!("{own}.values[{j}]"), value, problems);
            }
        } else {
            let why = "not a valid field selector key";
            faults.invalid(&format!("{own}.key"), &key.into(), why);
        }
    }
}

fn node_expression(expression: &Map, path: &str, any_value: bool, faults: &mut Faults) {
    let (key, operator) = (text(expression, "key"), text(expression, "operator"));
    let values = texts(expression, "values");
    let own = format!("{path}.values");
    match (operator, values.len()) {
        ("In" | "NotIn", 0) => faults.required(&own, LISTED),
        ("Exists" | "DoesNotExist", 0) | ("In" | "NotIn", _) | ("Gt" | "Lt", 1) => {}
        ("Exists" | "DoesNotExist", _) => faults.forbidden(&own, BARE),
        ("Gt" | "Lt", _) => {
            let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            faults.required(&own, why);
        }
        _ => faults.invalid(&format!("{path}.operator"), &operator.into(), OPERATOR),
    }
    faults.problems(&format!("{path}.key"), key, names::qualified_name(key));
    for (i, value) in values.iter().enumerate().filter(|_| !any_value) {
        faults.problems(&format!("{own}[{i}]"), value, names::label_value(value));
    }
}

fn pods(affinity: &Map, path: &str, faults: &mut Faults) {
    for (i, term) in items(affinity, &[REQUIRED]) {
        pod_term(term, &format!("{path}.{REQUIRED}[{i}]"), faults);
    }
    for (i, term) in items(affinity, &[PREFERRED]) {
        let own = format!("{path}.{PREFERRED}[{i}]");
        weight(term, &own, faults);
        let inner = map_at(term, &["podAffinityTerm"]).unwrap_or(&NO_FIELDS);
        pod_term(inner, &format!("{own}.podAffinityTerm"), faults);
    }
}

fn pod_term(term: &Map, path: &str, faults: &mut Faults) {
    for key in ["labelSelector", "namespaceSelector"] {
        label_selector(map_at(term, &[key]), &format!("{path}.{key}"), faults);
    }
    for namespace in texts(term, "namespaces") {
        let problems = names::dns_label(namespace);
        faults.problems(&format!("{path}.namespace"), namespace, problems);
    }
    for key in ["matchLabelKeys", "mismatchLabelKeys"] {
        label_keys(term, path, key, faults);
    }
    let key = text(term, "topologyKey");
    let own = format!("{path}.topologyKey");
    if key.is_empty() {
        faults.required(&own, "can not be empty");
    }
    faults.problems(&own, key, names::qualified_name(key));
}

/// Checks keys of labels whose values are those of the pod itself.
fn label_keys(term: &Map, path: &str, key: &str, faults: &mut Faults) {
    let own = format!("{path}.{key}");
    let keys = texts(term, key);
    if at(term, &["labelSelector"]).is_none() {
        if !keys.is_empty() {
            faults.forbidden(&own, "must not be specified when labelSelector is not set");
        }
        return;
    }
    for (i, label) in keys.iter().enumerate() {
        let own = format!("{own}[{i}]");
        faults.problems(&own, label, names::qualified_name(label));
    }
}

pub(super) fn spread(spec: &Map, path: &str, faults: &mut Faults) {
    const POSITIVE: &str = "must be greater than zero";
    let all: Vec<&Map> = items(spec, &["topologySpreadConstraints"])
        .map(|(_, c)| c)
        .collect();
    for (i, constraint) in all.iter().enumerate() {
        let own = format!("{path}.topologySpreadConstraints[{i}]");
        let skew = number(constraint, "maxSkew");
        if skew <= 0 {
            faults.invalid(&format!("{own}.maxSkew"), &skew.into(), POSITIVE);
        }
        let (key, action) = (
            text(constraint, "topologyKey"),
            text(constraint, "whenUnsatisfiable"),
        );
        if key.is_empty() {
            faults.required(&format!("{own}.topologyKey"), "can not be empty");
        }
        let actions = ["DoNotSchedule", "ScheduleAnyway"];
        faults.one_of(&format!("{own}.whenUnsatisfiable"), action, &actions);
        let again = all.iter().skip(i + 1).any(|other| {
            text(other, "topologyKey") == key && text(other, "whenUnsatisfiable") == action
        });
        if again {
            let own = format!("{own}.{{topologyKey, whenUnsatisfiable}}");
            faults.duplicate(&own, &format!("{{{key}, {action}}}"));
        }
        if let Some(least) = at(constraint, &["minDomains"]).and_then(Value::as_i64) {
            let own = format!("{own}.minDomains");
            if least <= 0 {
                faults.invalid(&own, &least.into(), POSITIVE);
            }
            if action != "DoNotSchedule" {
                let why = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                faults.invalid(&own, &least.into(), &why);
            }
        }
        for key in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = at(constraint, &[key]).and_then(Value::as_str) {
                faults.one_of(&format!("{own}.{key}"), policy, &["Honor", "Ignore"]);
            }
        }
        label_keys(constraint, &own, "matchLabelKeys", faults);
        let selector = map_at(constraint, &["labelSelector"]);
        label_selector(selector, &format!("{own}.labelSelector"), faults);
    }
}

pub(in super::super) fn tolerations(spec: &Map, path: &str, faults: &mut Faults) {
    const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    for (i, toleration) in items(spec, &["tolerations"]) {
        let own = format!("{path}.tolerations[{i}]");
        let [key, operator, value, effect] =
            ["key", "operator", "value", "effect"].map(|key| text(toleration, key));
        if !key.is_empty() {
            faults.problems(&format!("{own}.key"), key, names::qualified_name(key));
        }
        let at_operator = format!("{own}.operator");
        if key.is_empty() && operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            faults.invalid(&at_operator, &operator.into(), why);
        }
        if at(toleration, &["tolerationSeconds"]).is_some() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            faults.invalid(&format!("{own}.effect"), &effect.into(), why);
        }
        match operator {
            "" | "Equal" => {
                let problems = names::label_value(value);
                if !problems.is_empty() {
                    faults.invalid(&at_operator, &value.into(), &problems.join(";"));
                }
            }
            "Exists" if value.is_empty() => {}
            "Exists" => {
                let why = "value must be empty when `operator` is 'Exists'";
                faults.invalid(&at_operator, &value.into(), why);
            }
            "Lt" | "Gt" => {
                faults.not_supported(&at_operator, operator, &["Equal", "Exists", "Lt", "Gt"]);
            }
            _ => faults.not_supported(&at_operator, operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            faults.one_of(&format!("{own}.effect"), effect, &EFFECTS);
        }
    }
}

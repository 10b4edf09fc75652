//! Autoscalers: bounds, target, metrics and behaviour.

use objects::quantity::Quantity;
use objects::{Map, Value, names};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, pod, text};

/// Metrics by type: the member that holds each, in upstream's order.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];
const TYPES: [&str; 5] = [
    "ContainerResource",
    "External",
    "Object",
    "Pods",
    "Resource",
];
/// Longest window to look back, and longest period of a policy, in seconds.
const WINDOW_MAX: i64 = 3_600;
const PERIOD_MAX: i64 = 1_800;

pub(super) fn autoscaler(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let most = number(spec, "maxReplicas");
    let least = at(spec, &["minReplicas"]).and_then(Value::as_i64);
    if let Some(least) = least.filter(|least| *least < 1) {
        let why = "must be greater than or equal to 1";
        faults.invalid("spec.minReplicas", &least.into(), why);
    }
    if most < 1 {
        faults.invalid("spec.maxReplicas", &most.into(), "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        let why = "must be greater than or equal to `minReplicas`";
        faults.invalid("spec.maxReplicas", &most.into(), why);
    }
    let target = map_at(spec, &["scaleTargetRef"]).unwrap_or(&NO_FIELDS);
    reference(target, "spec.scaleTargetRef", true, faults);
    metrics(spec, least == Some(0), faults);
    for key in ["scaleUp", "scaleDown"] {
        if let Some(rules) = at(spec, &["behavior", key]).and_then(Value::as_object) {
            behaviour(rules, &format!("spec.behavior.{key}"), faults);
        }
    }
}

/// Checks a reference to an object of any version.
fn reference(reference: &Map, path: &str, grouped: bool, faults: &mut Faults) {
    for key in ["kind", "name"] {
        let own = format!("{path}.{key}");
        match text(reference, key) {
            "" => faults.required(&own, ""),
            value => faults.problems(&own, value, names::path_segment(value)),
        }
    }
    let version = text(reference, "apiVersion");
    let why = match version.matches('/').count() {
        0 if grouped => "apiVersion must specify API group".to_owned(),
        0 | 1 => return,
        _ => format!("unexpected GroupVersion string: {version}"),
    };
    faults.invalid(&format!("{path}.apiVersion"), &version.into(), &why);
}

fn metrics(spec: &Map, idle: bool, faults: &mut Faults) {
    let mut outside = false;
    let list = at(spec, &["metrics"]).and_then(Value::as_array);
    for (i, metric) in list.into_iter().flatten().enumerate() {
        let metric = metric.as_object().unwrap_or(&NO_FIELDS);
        outside |= matches!(text(metric, "type"), "Object" | "External");
        self::metric(metric, &format!("spec.metrics[{i}]"), faults);
    }
    if idle && !outside {
        let why = "must specify at least one Object or External metric to support scaling to zero replicas";
        faults.forbidden("spec.metrics", why);
    }
}

fn metric(metric: &Map, path: &str, faults: &mut Faults) {
    let kind = text(metric, "type");
    let own = format!("{path}.type");
    if kind.is_empty() {
        faults.required(&own, "must specify a metric source type");
    }
    faults.one_of(&own, kind, &TYPES);
    let present: Vec<&str> = SOURCES
        .iter()
        .map(|(_, key)| *key)
        .filter(|key| map_at(metric, &[key]).is_some())
        .collect();
    if let Some(first) = present.first() {
        let source = map_at(metric, &[first]).unwrap_or(&NO_FIELDS);
        self::source(first, source, &format!("{path}.{first}"), faults);
    }
    let expected = SOURCES
        .iter()
        .find(|(name, _)| *name == kind)
        .map(|(_, key)| *key);
    if expected.is_none() {
        faults.not_supported(&own, kind, &TYPES);
    }
    if let Some(key) = expected.filter(|key| !present.contains(key)) {
        let why = "must populate information for the given metric source";
        faults.required(&format!("{path}.{key}"), why);
    }
    if present.len() != 1 {
        for key in present.iter().filter(|key| Some(**key) != expected) {
            let why = "must populate the given metric source only";
            faults.forbidden(&format!("{path}.{key}"), why);
        }
    }
}

fn source(kind: &str, source: &Map, path: &str, faults: &mut Faults) {
    let target = map_at(source, &["target"]).unwrap_or(&NO_FIELDS);
    let own = format!("{path}.target");
    let set = |key: &str| at(target, &[key]).is_some();
    match kind {
        "resource" | "containerResource" => {
            if text(source, "name").is_empty() {
                faults.required(&format!("{path}.name"), "must specify a resource name");
            } else if kind == "containerResource" {
                pod::container_resource(&format!("{path}.name"), text(source, "name"), faults);
            }
            if kind == "containerResource" {
                let own = format!("{path}.container");
                match text(source, "container") {
                    "" => faults.required(&own, "must specify a container"),
                    name => faults.problems(&own, name, names::dns_label(name)),
                }
            }
            self::target(target, &own, faults);
            match (set("averageUtilization"), set("averageValue")) {
                (false, false) => {
                    let why = "must set either a target raw value or a target utilization";
                    faults.required(&format!("{own}.averageUtilization"), why);
                }
                (true, true) => {
                    let why = "may not set both a target raw value and a target utilization";
                    faults.forbidden(&format!("{own}.averageValue"), why);
                }
                _ => {}
            }
        }
        _ => {
            if kind == "object" {
                let object = map_at(source, &["describedObject"]).unwrap_or(&NO_FIELDS);
                reference(object, &format!("{path}.describedObject"), false, faults);
            }
            let name = at(source, &["metric", "name"])
                .and_then(Value::as_str)
                .unwrap_or("");
            let at_name = format!("{path}.metric.name");
            match name {
                "" => faults.required(&at_name, "must specify a metric name"),
                name => faults.problems(&at_name, name, names::path_segment(name)),
            }
            self::target(target, &own, faults);
            let average = format!("{own}.averageValue");
            match kind {
                "pods" if !set("averageValue") => {
                    faults.required(&average, "must specify a positive target averageValue");
                }
                "object" if !set("value") && !set("averageValue") => {
                    faults.required(&average, "must set either a target value or averageValue");
                }
                "external" if !set("value") && !set("averageValue") => {
                    let why = "must set either a target value for metric or a per-pod target";
                    faults.required(&average, why);
                }
                "external" if set("value") && set("averageValue") => {
                    let why = "may not set both a target value for metric and a per-pod target";
                    faults.forbidden(&format!("{own}.value"), why);
                }
                _ => {}
            }
        }
    }
}

fn target(target: &Map, path: &str, faults: &mut Faults) {
    let own = format!("{path}.type");
    let kind = text(target, "type");
    if kind.is_empty() {
        faults.required(&own, "must specify a metric target type");
    }
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        let why = "must be either Utilization, Value, or AverageValue";
        faults.invalid(&own, &kind.into(), why);
    }
    for key in ["value", "averageValue"] {
        let Some(value) = at(target, &[key]) else {
            continue;
        };
        let amount = Quantity::parse(value.as_str().unwrap_or(""));
        if amount.is_ok_and(|amount| amount.is_negative() || amount.is_zero()) {
            faults.invalid(&format!("{path}.{key}"), value, "must be positive");
        }
    }
    let share = at(target, &["averageUtilization"]).and_then(Value::as_i64);
    if let Some(share) = share.filter(|share| *share < 1) {
        let own = format!("{path}.averageUtilization");
        faults.invalid(&own, &share.into(), "must be greater than 0");
    }
}

fn behaviour(rules: &Map, path: &str, faults: &mut Faults) {
    if let Some(window) = at(rules, &["stabilizationWindowSeconds"]).and_then(Value::as_i64) {
        let own = format!("{path}.stabilizationWindowSeconds");
        if window < 0 {
            faults.invalid(
                &own,
                &window.into(),
                "must be greater than or equal to zero",
            );
        }
        if window > WINDOW_MAX {
            let why = format!("must be less than or equal to {WINDOW_MAX}");
            faults.invalid(&own, &window.into(), &why);
        }
    }
    if let Some(choice) = at(rules, &["selectPolicy"]).and_then(Value::as_str) {
        let own = format!("{path}.selectPolicy");
        faults.one_of(&own, choice, &["Disabled", "Max", "Min"]);
    }
    if items(rules, &["policies"]).next().is_none() {
        let why = "must specify at least one Policy";
        faults.required(&format!("{path}.policies"), why);
    }
    for (i, policy) in items(rules, &["policies"]) {
        let own = format!("{path}.policies[{i}]");
        faults.one_of(
            &format!("{own}.type"),
            text(policy, "type"),
            &["Percent", "Pods"],
        );
        for key in ["value", "periodSeconds"] {
            let value = number(policy, key);
            if value <= 0 {
                let why = "must be greater than zero";
                faults.invalid(&format!("{own}.{key}"), &value.into(), why);
            }
        }
        let period = number(policy, "periodSeconds");
        if period > PERIOD_MAX {
            let why = format!("must be less than or equal to {PERIOD_MAX}");
            faults.invalid(&format!("{own}.periodSeconds"), &period.into(), &why);
        }
    }
}

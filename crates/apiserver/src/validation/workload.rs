//! The kinds that make pods.

use objects::{LabelSelector, Map, Value, json};

use super::{Faults, NO_FIELDS, Subject, at, map_at, number, pod, text};

const MISMATCH: &str = "`selector` does not match template `labels`";
const LABELS: &str = "spec.template.metadata.labels";

pub(super) fn spec_of(object: &Map) -> &Map {
    map_at(object, &["spec"]).unwrap_or(&NO_FIELDS)
}

/// Tells whether a selector selects everything.
fn is_bare(selector: &Map) -> bool {
    let bare = |key: &str| match selector.get(key) {
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        _ => true,
    };
    bare("matchLabels") && bare("matchExpressions")
}

/// Tells whether a selector can be evaluated at all.
fn is_sound(selector: &Map) -> bool {
    let mut faults = Faults::default();
    pod::label_selector(Some(selector), "", &mut faults);
    faults.0.is_empty()
}

/// Checks a selector; `kind` is the word of upstream's message, `unsound` what it says of one that is useless.
pub(super) fn selector(spec: &Map, kind: &str, unsound: &str, faults: &mut Faults) -> bool {
    let Some(selector) = map_at(spec, &["selector"]) else {
        faults.required("spec.selector", "");
        return true;
    };
    pod::label_selector(Some(selector), "spec.selector", faults);
    if is_bare(selector) {
        let why = format!("empty selector is invalid for {kind}");
        faults.invalid("spec.selector", &json!({}), &why);
    }
    let sound = is_sound(selector);
    if !sound {
        faults.invalid("spec.selector", &Value::Object(selector.clone()), unsound);
    }
    sound
}

/// Requires that a selector selects the pods of the template; everything is selected by an empty one.
pub(super) fn selects_template(spec: &Map, faults: &mut Faults) {
    let labels = at(spec, &["template", "metadata", "labels"]);
    let selector = map_at(spec, &["selector"]);
    if !selector.is_some_and(|selector| is_bare(selector) || matches(selector, labels)) {
        faults.invalid(LABELS, &labels.cloned().unwrap_or_default(), MISMATCH);
    }
}

/// Pods of these kinds run for ever.
pub(super) fn lasting(spec: &Map, kind: &str, faults: &mut Faults) {
    let template = map_at(spec, &["template", "spec"]).unwrap_or(&NO_FIELDS);
    let policy = text(template, "restartPolicy");
    if policy != "Always" {
        faults.not_supported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
    if at(template, &["activeDeadlineSeconds"]).is_some() {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        faults.forbidden("spec.template.spec.activeDeadlineSeconds", &why);
    }
}

pub(super) fn template(spec: &Map) -> &Map {
    map_at(spec, &["template"]).unwrap_or(&NO_FIELDS)
}

/// Tells whether labels satisfy a label selector.
pub(super) fn matches(selector: &Map, labels: Option<&Value>) -> bool {
    let labels = labels.and_then(Value::as_object).unwrap_or(&NO_FIELDS);
    LabelSelector::of_object(selector).matches_map(labels)
}

pub(super) fn deployment(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = spec_of(subject.object);
    faults.not_negative(spec, "spec", "replicas");
    if selector(spec, "deployment", "invalid label selector", faults) {
        selects_template(spec, faults);
        pod::template(template(spec), "spec.template", faults);
        lasting(spec, "ReplicaSet", faults);
    }
    strategy(spec, faults);
    for key in [
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    ] {
        faults.not_negative(spec, "spec", key);
    }
    let deadline = spec.get("progressDeadlineSeconds").and_then(Value::as_i64);
    if let Some(deadline) = deadline.filter(|d| *d <= number(spec, "minReadySeconds")) {
        let why = "must be greater than minReadySeconds";
        faults.invalid("spec.progressDeadlineSeconds", &deadline.into(), why);
    }
    immutable_selector(subject, faults);
}

/// Refuses an unknown strategy as Go prints its struct.
fn unknown_strategy(path: &str, strategy: &Map, kinds: &[&str], faults: &mut Faults) {
    let kind = Value::from(text(strategy, "type"));
    let quoted: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
    let mut fault = crate::failure::field::not_supported(path, &kind, kinds);
    let rolling = match map_at(strategy, &["rollingUpdate"]) {
        Some(rolling) => {
            let part = |key: &str| rolling.get(key).cloned().unwrap_or(Value::from(0));
            let (most, surge) = (part("maxUnavailable"), part("maxSurge"));
            format!("{{\"MaxUnavailable\":{most},\"MaxSurge\":{surge}}}")
        }
        None => "null".to_owned(),
    };
    fault.message = format!(
        "Unsupported value: {{\"Type\":{kind},\"RollingUpdate\":{rolling}}}: supported values: {}",
        quoted.join(", ")
    );
    faults.0.push(fault);
}

fn strategy(spec: &Map, faults: &mut Faults) {
    let strategy = map_at(spec, &["strategy"]).unwrap_or(&NO_FIELDS);
    let rolling = map_at(strategy, &["rollingUpdate"]);
    match text(strategy, "type") {
        "Recreate" => {
            if rolling.is_some() {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                faults.forbidden("spec.strategy.rollingUpdate", why);
            }
        }
        "RollingUpdate" => match rolling {
            None => {
                let why = "this should be defaulted and never be nil";
                faults.required("spec.strategy.rollingUpdate", why);
            }
            Some(rolling) => self::rolling(rolling, "spec.strategy.rollingUpdate", faults),
        },
        _ => {
            let kinds = ["Recreate", "RollingUpdate"];
            unknown_strategy("spec.strategy", strategy, &kinds, faults);
        }
    }
}

/// Requires a number not below zero or a percentage.
pub(super) fn portion(path: &str, value: Option<&Value>, faults: &mut Faults) {
    match value {
        Some(value @ Value::Number(n)) if n.as_i64().unwrap_or(0) < 0 => {
            faults.invalid(path, value, "must be greater than or equal to 0");
        }
        Some(value @ Value::String(text)) if percent(text).is_none() => {
            let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            faults.invalid(path, value, why);
        }
        _ => {}
    }
}

fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    let sound = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    sound.then(|| digits.parse().unwrap_or(i64::MAX))
}

/// Refuses more than the whole.
pub(super) fn at_most_all(path: &str, value: Option<&Value>, faults: &mut Faults) {
    let Some(value @ Value::String(text)) = value else {
        return;
    };
    if percent(text).is_some_and(|percent| percent > 100) {
        faults.invalid(path, value, "must not be greater than 100%");
    }
}

/// Tells whether a number or percentage is zero; one that cannot be read is.
pub(super) fn is_zero(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Number(n)) => n.as_i64() == Some(0),
        Some(Value::String(text)) => percent(text).unwrap_or(0) == 0,
        _ => true,
    }
}

fn rolling(rolling: &Map, path: &str, faults: &mut Faults) {
    let at = |key: &str| rolling.get(key);
    for key in ["maxUnavailable", "maxSurge"] {
        portion(&format!("{path}.{key}"), at(key), faults);
    }
    let own = format!("{path}.maxUnavailable");
    if is_zero(at("maxUnavailable")) && is_zero(at("maxSurge")) {
        let value = at("maxUnavailable").cloned().unwrap_or(Value::from(0));
        faults.invalid(&own, &value, "may not be 0 when `maxSurge` is 0");
    }
    at_most_all(&own, at("maxUnavailable"), faults);
}

pub(super) fn replica_set(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = spec_of(subject.object);
    for key in ["replicas", "minReadySeconds"] {
        faults.not_negative(spec, "spec", key);
    }
    if selector(spec, "deployment", "invalid label selector", faults) {
        selects_template(spec, faults);
        pod::template(template(spec), "spec.template", faults);
        lasting(spec, "ReplicaSet", faults);
    }
    immutable_selector(subject, faults);
}

pub(super) fn pod_template(subject: &Subject<'_>, faults: &mut Faults) {
    pod::template(template(subject.object), "template", faults);
}

/// The oldest kind has no expressions in its selector, and may have none at all.
pub(super) fn replication_controller(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = spec_of(subject.object);
    faults.not_negative(spec, "spec", "minReadySeconds");
    let selector = map_at(spec, &["selector"]).unwrap_or(&NO_FIELDS);
    if selector.is_empty() {
        faults.required("spec.selector", "");
    }
    if spec.get("replicas").is_none_or(Value::is_null) {
        faults.required("spec.replicas", "");
    }
    faults.not_negative(spec, "spec", "replicas");
    if map_at(spec, &["template"]).is_none() {
        return faults.required("spec.template", "");
    }
    let labels = at(spec, &["template", "metadata", "labels"]);
    let own = |key: &str| labels.and_then(|labels| labels.get(key));
    if !selector.iter().all(|(key, value)| own(key) == Some(value)) {
        faults.invalid(LABELS, &labels.cloned().unwrap_or_default(), MISMATCH);
    }
    pod::template(template(spec), "spec.template", faults);
    lasting(spec, "ReplicationController", faults);
}

pub(super) fn daemon_set(subject: &Subject<'_>, faults: &mut Faults) {
    immutable_selector(subject, faults);
    let spec = spec_of(subject.object);
    let selector = map_at(spec, &["selector"]);
    pod::label_selector(selector, "spec.selector", faults);
    if selector.is_none_or(is_sound) {
        selects_template(spec, faults);
    }
    if selector.is_some_and(is_bare) {
        let why = "empty selector is invalid for daemonset";
        faults.invalid("spec.selector", &json!({}), why);
    }
    pod::template(template(spec), "spec.template", faults);
    lasting(spec, "DaemonSet", faults);
    faults.not_negative(spec, "spec", "minReadySeconds");
    daemon_strategy(spec, faults);
    faults.not_negative(spec, "spec", "revisionHistoryLimit");
}

fn daemon_strategy(spec: &Map, faults: &mut Faults) {
    const PATH: &str = "spec.updateStrategy.rollingUpdate";
    let strategy = map_at(spec, &["updateStrategy"]).unwrap_or(&NO_FIELDS);
    match text(strategy, "type") {
        "OnDelete" => {}
        "RollingUpdate" => {
            let Some(rolling) = map_at(strategy, &["rollingUpdate"]) else {
                return faults.required(PATH, "");
            };
            let keys = ["maxUnavailable", "maxSurge"];
            for key in keys {
                portion(&format!("{PATH}.{key}"), rolling.get(key), faults);
            }
            for key in keys {
                at_most_all(&format!("{PATH}.{key}"), rolling.get(key), faults);
            }
            match keys.map(|key| !is_zero(rolling.get(key))) {
                [true, true] => {
                    let value = rolling.get("maxSurge").cloned().unwrap_or_default();
                    let why = "may not be set when maxUnavailable is non-zero";
                    faults.invalid(&format!("{PATH}.maxSurge"), &value, why);
                }
                [false, false] => {
                    let why = "cannot be 0 when maxSurge is 0";
                    faults.required(&format!("{PATH}.maxUnavailable"), why);
                }
                _ => {}
            }
        }
        _ => {
            let kinds = ["RollingUpdate", "OnDelete"];
            unknown_strategy("spec.updateStrategy", strategy, &kinds, faults);
        }
    }
}

fn immutable_selector(subject: &Subject<'_>, faults: &mut Faults) {
    if let Some(live) = subject.live {
        let selector = |object| at(object, &["spec", "selector"]);
        faults.immutable("spec.selector", selector(subject.object), selector(live));
    }
}

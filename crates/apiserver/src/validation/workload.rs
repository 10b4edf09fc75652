//! The kinds that make pods.

use objects::{Map, Value, json};

use super::{Faults, NO_FIELDS, Subject, at, map_at, number, pod, text};

/// Checks selector and template; `kind` is the word of upstream's message.
fn selector_and_template(spec: &Map, kind: &str, faults: &mut Faults) {
    let selector = map_at(spec, &["selector"]);
    let empty = selector.is_some_and(|selector| {
        let bare = |key: &str| match selector.get(key) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            _ => true,
        };
        bare("matchLabels") && bare("matchExpressions")
    });
    let labels = at(spec, &["template", "metadata", "labels"]);
    match selector {
        None => faults.required("spec.selector", ""),
        Some(_) if empty => {
            let why = format!("empty selector is invalid for {kind}");
            faults.invalid("spec.selector", &json!({}), &why);
        }
        Some(_) => {}
    }
    let matched = selector.is_some_and(|selector| !empty && matches(selector, labels));
    if !matched {
        let value = labels.cloned().unwrap_or_default();
        let why = "`selector` does not match template `labels`";
        faults.invalid("spec.template.metadata.labels", &value, why);
    }
    let template = map_at(spec, &["template", "spec"]).unwrap_or(&NO_FIELDS);
    // kube-apiserver checks no pod of a StatefulSet: its mounts may name claim templates.
    if kind != "statefulset" {
        pod::specification(template, "spec.template.spec", faults);
    }
    let policy = text(template, "restartPolicy");
    if matches!(policy, "OnFailure" | "Never") {
        faults.not_supported("spec.template.spec.restartPolicy", policy, &["Always"]);
    }
    if at(template, &["activeDeadlineSeconds"]).is_some() {
        let why = format!(
            "activeDeadlineSeconds in {} is not Supported",
            match kind {
                "deployment" | "replicaset" => "ReplicaSet",
                "statefulset" => "StatefulSet",
                _ => "DaemonSet",
            }
        );
        faults.forbidden("spec.template.spec.activeDeadlineSeconds", &why);
    }
}

/// Tells whether labels satisfy a label selector.
fn matches(selector: &Map, labels: Option<&Value>) -> bool {
    let own = |key: &str| labels.and_then(|l| l.get(key)?.as_str());
    let equal = map_at(selector, &["matchLabels"])
        .unwrap_or(&NO_FIELDS)
        .iter()
        .all(|(key, value)| own(key) == value.as_str());
    let expressions = at(selector, &["matchExpressions"]).and_then(Value::as_array);
    let all = expressions.into_iter().flatten().all(|expression| {
        let text = |key: &str| expression.get(key).and_then(Value::as_str).unwrap_or("");
        let listed = |value: &str| {
            let values = expression.get("values").and_then(Value::as_array);
            values
                .into_iter()
                .flatten()
                .any(|v| v.as_str() == Some(value))
        };
        let value = own(text("key"));
        match text("operator") {
            "In" => value.is_some_and(listed),
            "NotIn" => !value.is_some_and(listed),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    equal && all
}

fn counts(spec: &Map, faults: &mut Faults) {
    for key in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        faults.not_negative(spec, "spec", key);
    }
}

pub(super) fn deployment(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    counts(spec, faults);
    selector_and_template(spec, "deployment", faults);
    strategy(spec, faults);
    faults.not_negative(spec, "spec", "progressDeadlineSeconds");
    let deadline = spec.get("progressDeadlineSeconds").and_then(Value::as_i64);
    if let Some(deadline) = deadline.filter(|d| *d <= number(spec, "minReadySeconds")) {
        let why = "must be greater than minReadySeconds";
        faults.invalid("spec.progressDeadlineSeconds", &deadline.into(), why);
    }
    immutable_selector(subject, faults);
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
        other => faults.not_supported("spec.strategy.type", other, &["Recreate", "RollingUpdate"]),
    }
}

fn rolling(rolling: &Map, path: &str, faults: &mut Faults) {
    for key in ["maxUnavailable", "maxSurge"] {
        let own = format!("{path}.{key}");
        match rolling.get(key) {
            Some(value @ Value::Number(n)) if n.as_i64().unwrap_or(0) < 0 => {
                faults.invalid(&own, value, "must be greater than or equal to 0");
            }
            Some(value @ Value::String(text)) => {
                let percent = text.strip_suffix('%').and_then(|n| n.parse::<i64>().ok());
                match percent {
                    None => {
                        let why = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                        faults.invalid(&own, value, why);
                    }
                    Some(percent) if percent > 100 && key == "maxUnavailable" => {
                        faults.invalid(&own, value, "must not be greater than 100%");
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }
    let is_zero = |key: &str| match rolling.get(key) {
        Some(Value::Number(n)) => n.as_i64() == Some(0),
        Some(Value::String(text)) => text.trim_end_matches('%').parse::<i64>() == Ok(0),
        _ => false,
    };
    if is_zero("maxUnavailable") && is_zero("maxSurge") {
        let value = rolling.get("maxUnavailable").cloned().unwrap_or_default();
        let why = "may not be 0 when `maxSurge` is 0";
        faults.invalid(&format!("{path}.maxUnavailable"), &value, why);
    }
}

pub(super) fn replica_set(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    counts(spec, faults);
    selector_and_template(spec, "replicaset", faults);
    immutable_selector(subject, faults);
}

pub(super) fn daemon_set(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    counts(spec, faults);
    selector_and_template(spec, "daemonset", faults);
    let strategy = text(
        map_at(spec, &["updateStrategy"]).unwrap_or(&NO_FIELDS),
        "type",
    );
    faults.one_of(
        "spec.updateStrategy.type",
        strategy,
        &["OnDelete", "RollingUpdate"],
    );
    immutable_selector(subject, faults);
}

fn immutable_selector(subject: &Subject<'_>, faults: &mut Faults) {
    if let Some(live) = subject.live {
        let selector = |object| at(object, &["spec", "selector"]);
        faults.immutable("spec.selector", selector(subject.object), selector(live));
    }
}

/// Fields of a stateful set that may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn stateful_set(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    counts(spec, faults);
    selector_and_template(spec, "statefulset", faults);
    let policy = text(spec, "podManagementPolicy");
    if policy.is_empty() {
        faults.required("spec.podManagementPolicy", "");
    } else if !matches!(policy, "OrderedReady" | "Parallel") {
        let why = "must be 'OrderedReady' or 'Parallel'";
        faults.invalid("spec.podManagementPolicy", &policy.into(), why);
    }
    let Some(live) = subject.live else { return };
    let fixed = |object: &Map| {
        let mut spec = map_at(object, &["spec"]).cloned().unwrap_or_default();
        spec.retain(|key, _| !MUTABLE.contains(&key.as_str()));
        spec
    };
    if fixed(subject.object) != fixed(live) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        faults.forbidden("spec", why);
    }
}

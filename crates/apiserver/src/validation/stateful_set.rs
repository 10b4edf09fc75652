//! Stateful sets.

use objects::{Map, Value, json, names};

use super::workload::{
    at_most_all, is_zero, lasting, portion, selector, selects_template, spec_of, template,
};
use super::{Faults, NO_FIELDS, Subject, items, map_at, number, pod, storage, text};

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

pub(super) fn set(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = spec_of(subject.object);
    // What an older server let in may stay.
    let tolerant = subject.live.is_some_and(|live| {
        let mut before = Faults::default();
        check(spec_of(live), true, false, &mut before);
        !before.0.is_empty()
    });
    check(spec, subject.live.is_some(), tolerant, faults);
    let Some(live) = subject.live else { return };
    let fixed = |object: &Map| {
        let mut spec = spec_of(object).clone();
        spec.retain(|key, _| !MUTABLE.contains(&key.as_str()));
        spec
    };
    if fixed(subject.object) != fixed(live) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        faults.forbidden("spec", why);
    }
}

fn check(spec: &Map, update: bool, tolerant: bool, faults: &mut Faults) {
    policies(spec, faults);
    for (i, claim) in items(spec, &["volumeClaimTemplates"]).filter(|_| !update) {
        let path = format!("spec.volumeClaimTemplates[{i}].spec");
        storage::claim_spec(spec_of(claim), &path, faults);
    }
    for key in ["replicas", "minReadySeconds"] {
        faults.not_negative(spec, "spec", key);
    }
    if let Some(ordinals) = map_at(spec, &["ordinals"]) {
        faults.not_negative(ordinals, "spec.ordinals", "start");
    }
    let service = text(spec, "serviceName");
    if !update && !service.is_empty() {
        faults.problems("spec.serviceName", service, names::dns_label(service));
    }
    if selector(spec, "statefulset", "", faults) {
        selects_template(spec, faults);
        let template = with_claims(spec);
        if !tolerant {
            pod::template(&template, "spec.template", faults);
        }
        pod::template_metadata(&template, "spec.template", faults);
    }
    lasting(spec, "StatefulSet", faults);
}

/// The template with a volume for each claim template; host names come with the pods.
fn with_claims(spec: &Map) -> Map {
    let mut template = template(spec).clone();
    let claims: Vec<&str> = items(spec, &["volumeClaimTemplates"])
        .map(|(_, claim)| map_at(claim, &["metadata"]).map_or("", |m| text(m, "name")))
        .collect();
    let Some(pod) = template.get_mut("spec").and_then(Value::as_object_mut) else {
        return template;
    };
    pod.remove("subdomain");
    pod.remove("hostname");
    if claims.is_empty() {
        return template;
    }
    let own = pod.get("volumes").and_then(Value::as_array).cloned();
    let own = own.into_iter().flatten();
    let others = own.filter(|volume| !claims.iter().any(|claim| volume["name"] == **claim));
    let made = claims
        .iter()
        .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
    let volumes: Vec<Value> = made.chain(others).collect();
    pod.insert("volumes".into(), volumes.into());
    template
}

fn policies(spec: &Map, faults: &mut Faults) {
    let policy = text(spec, "podManagementPolicy");
    if policy.is_empty() {
        faults.required("spec.podManagementPolicy", "");
    } else if !matches!(policy, "OrderedReady" | "Parallel") {
        let why = "must be 'OrderedReady' or 'Parallel'";
        faults.invalid("spec.podManagementPolicy", &policy.into(), why);
    }
    strategy(spec, faults);
    if let Some(retention) = map_at(spec, &["persistentVolumeClaimRetentionPolicy"]) {
        for key in ["whenDeleted", "whenScaled"] {
            let path = format!("spec.persistentVolumeClaimRetentionPolicy.{key}");
            faults.one_of(&path, text(retention, key), &["Retain", "Delete"]);
        }
    }
}

fn strategy(spec: &Map, faults: &mut Faults) {
    const STRATEGY: &str = "spec.updateStrategy";
    let strategy = map_at(spec, &["updateStrategy"]).unwrap_or(&NO_FIELDS);
    let rolling = map_at(strategy, &["rollingUpdate"]);
    let path = format!("{STRATEGY}.rollingUpdate");
    let shown = |rolling: &Map| {
        let most = rolling.get("maxUnavailable").cloned().unwrap_or_default();
        format!(
            "{{\"Partition\":{},\"MaxUnavailable\":{most}}}",
            number(rolling, "partition")
        )
    };
    match (text(strategy, "type"), rolling) {
        ("", _) => faults.required(STRATEGY, ""),
        ("OnDelete", Some(rolling)) => {
            let why = "only allowed for updateStrategy 'RollingUpdate'";
            faults.invalid_text(&path, &shown(rolling), why);
        }
        ("RollingUpdate", Some(rolling)) => {
            faults.not_negative(rolling, &path, "partition");
            let most = rolling
                .get("maxUnavailable")
                .filter(|value| !value.is_null());
            let path = format!("{path}.maxUnavailable");
            portion(&path, most, faults);
            if let Some(value) = most.filter(|value| is_zero(Some(value))) {
                faults.invalid(&path, value, "cannot be 0");
            }
            at_most_all(&path, most, faults);
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        (kind, rolling) => {
            let rolling = rolling.map_or("null".to_owned(), shown);
            let kind = Value::from(kind);
            let shown = format!("{{\"Type\":{kind},\"RollingUpdate\":{rolling}}}");
            faults.invalid_text(STRATEGY, &shown, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

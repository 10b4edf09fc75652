//! Jobs.

mod policies;

use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, map_at, number, pod, text};

pub(super) fn check(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    if spec.get("manualSelector") != Some(&Value::Bool(true)) {
        generated_selector(subject.object, spec, faults);
    }
    self::spec(spec, "spec", faults);
    selector(spec, faults);
    if subject.live.is_none() {
        host_names(subject.object, spec, faults);
    } else {
        // Upstream checks an update as a new job first, then as an update.
        self::spec(spec, "spec", faults);
        selector(spec, faults);
    }
    let Some(live) = subject.live.and_then(|live| map_at(live, &["spec"])) else {
        return;
    };
    completions(spec, live, faults);
    faults.immutable("spec.selector", spec.get("selector"), live.get("selector"));
    if live.get("suspend") != Some(&Value::Bool(true)) {
        template(spec, live, faults);
    }
    for key in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        faults.immutable(&format!("spec.{key}"), spec.get(key), live.get(key));
    }
}

/// The server makes the selector of a job; what its author adds may not narrow it.
fn generated_selector(job: &Map, spec: &Map, faults: &mut Faults) {
    let Some(selector) = map_at(spec, &["selector"]) else {
        return;
    };
    let metadata = map_at(job, &["metadata"]).unwrap_or(&NO_FIELDS);
    let (uid, name) = (text(metadata, "uid"), text(metadata, "name"));
    let expected = objects::json!({
        "batch.kubernetes.io/controller-uid": uid, "controller-uid": uid,
        "batch.kubernetes.io/job-name": name, "job-name": name,
    });
    if !super::workload::matches(selector, Some(&expected)) {
        let shown = Value::Object(selector.clone());
        faults.invalid("spec.selector", &shown, "`selector` not auto-generated");
    }
}

fn selector(spec: &Map, faults: &mut Faults) {
    let selector = map_at(spec, &["selector"]);
    match selector {
        None => faults.required("spec.selector", ""),
        Some(_) => pod::label_selector(selector, "spec.selector", faults),
    }
    let labels = at(spec, &["template", "metadata", "labels"]);
    if !selector.is_some_and(|selector| super::workload::matches(selector, labels)) {
        let value = labels.cloned().unwrap_or_default();
        let why = "`selector` does not match template `labels`";
        faults.invalid("spec.template.metadata.labels", &value, why);
    }
}

/// Pods of an indexed job are named after it and their index.
fn host_names(job: &Map, spec: &Map, faults: &mut Faults) {
    let completions = number(spec, "completions");
    if text(spec, "completionMode") != "Indexed" || completions <= 0 {
        return;
    }
    let name = map_at(job, &["metadata"]).map_or("", |metadata| text(metadata, "name"));
    let last = format!("{name}-{}", completions - 1);
    if !objects::names::dns_label(&last).is_empty() {
        let why = format!("will not able to create pod with invalid DNS label: {last}");
        faults.invalid("metadata.name", &name.into(), &why);
    }
}

fn completions(spec: &Map, live: &Map, faults: &mut Faults) {
    let (new, old) = (at(spec, &["completions"]), at(live, &["completions"]));
    if text(spec, "completionMode") != "Indexed" {
        return faults.immutable("spec.completions", new, old);
    }
    if let Some(new) = new
        && Some(new) != old
        && at(spec, &["parallelism"]) != Some(new)
    {
        let why = "can only be modified in tandem with spec.parallelism";
        faults.invalid("spec.completions", new, why);
    }
}

/// Most pods of an indexed job at once, and most of its indexes that may fail.
const INDEXED_MAX: i64 = 100_000;
/// The same above that many completions.
const MANY_MAX: i64 = 10_000;

pub(super) fn spec(spec: &Map, path: &str, faults: &mut Faults) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        faults.not_negative(spec, path, key);
    }
    let set = |key: &str| at(spec, &[key]).is_some();
    if set("maxFailedIndexes") && !set("backoffLimitPerIndex") {
        let why = "when maxFailedIndexes is specified";
        faults.required(&format!("{path}.backoffLimitPerIndex"), why);
    }
    if let Some(manager) = at(spec, &["managedBy"]).and_then(Value::as_str) {
        managed_by(manager, &format!("{path}.managedBy"), faults);
    }
    let mode = at(spec, &["completionMode"]).and_then(Value::as_str);
    if let Some(mode) = mode {
        let own = format!("{path}.completionMode");
        faults.one_of(&own, mode, &["NonIndexed", "Indexed"]);
    }
    match mode {
        Some("Indexed") => indexed(spec, path, faults),
        None | Some("NonIndexed") => {
            for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if let Some(value) = at(spec, &[key]) {
                    let why = "requires indexed completion mode";
                    faults.invalid(&format!("{path}.{key}"), value, why);
                }
            }
        }
        Some(_) => {}
    }
    policies::check(spec, path, faults);
    let template = map_at(spec, &["template"]).unwrap_or(&NO_FIELDS);
    pod::template(template, &format!("{path}.template"), faults);
    let own = format!("{path}.template.spec.restartPolicy");
    let policy = map_at(template, &["spec"]).map_or("", |pod| text(pod, "restartPolicy"));
    match policy {
        "Always" | "" => faults.required(&own, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if set("podFailurePolicy") => {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            faults.invalid(&own, &policy.into(), why);
        }
        policy => faults.one_of(&own, policy, &["OnFailure", "Never"]),
    }
}

fn managed_by(manager: &str, path: &str, faults: &mut Faults) {
    super::networking::domain_prefixed(path, manager, faults);
    if manager.len() > 63 {
        faults
            .0
            .push(crate::failure::field::too_long(path, "bytes", 63));
    }
}

fn indexed(spec: &Map, path: &str, faults: &mut Faults) {
    let amount = |key: &str| at(spec, &[key]).and_then(Value::as_i64);
    let (completions, failed) = (amount("completions"), amount("maxFailedIndexes"));
    let parallelism = amount("parallelism");
    if completions.is_none() {
        let why = "when completion mode is Indexed";
        faults.required(&format!("{path}.completions"), why);
    }
    let mut most = |key: &str, value: i64, why: String| {
        let why = format!("must be less than or equal to {why}");
        faults.invalid(&format!("{path}.{key}"), &value.into(), &why);
    };
    if let Some(value) = parallelism.filter(|value| *value > INDEXED_MAX) {
        most(
            "parallelism",
            value,
            format!("{INDEXED_MAX} when completion mode is Indexed"),
        );
    }
    if let (Some(failed), Some(completions)) = (failed, completions)
        && failed > completions
    {
        most("maxFailedIndexes", failed, "completions".into());
    }
    if let Some(value) = failed.filter(|value| *value > INDEXED_MAX) {
        most("maxFailedIndexes", value, INDEXED_MAX.to_string());
    }
    if completions.is_none_or(|c| c <= INDEXED_MAX) || amount("backoffLimitPerIndex").is_none() {
        return;
    }
    let many = format!(
        "{MANY_MAX} when completions are above {INDEXED_MAX} and used with backoff limit per index"
    );
    if let Some(value) = parallelism.filter(|value| *value > MANY_MAX) {
        most("parallelism", value, many.clone());
    }
    match failed {
        Some(value) if value > MANY_MAX => most("maxFailedIndexes", value, many),
        Some(_) => {}
        None => {
            let why = format!("must be specified when completions is above {INDEXED_MAX}");
            faults.required(&format!("{path}.maxFailedIndexes"), &why);
        }
    }
}

/// Refuses another pod template, showing it as Go prints the internal struct.
fn template(spec: &Map, live: &Map, faults: &mut Faults) {
    let new = map_at(spec, &["template"]).unwrap_or(&NO_FIELDS);
    if new != map_at(live, &["template"]).unwrap_or(&NO_FIELDS) {
        let shown = crate::internals::compact("PodTemplateSpec", new);
        faults.invalid_text("spec.template", &shown, "field is immutable");
    }
}

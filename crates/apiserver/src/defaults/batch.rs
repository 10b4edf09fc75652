//! Defaults of jobs.

use objects::{Map, Value};

use super::{each, made, map, pod, put, put_text};

pub(super) fn job(object: &mut Map) {
    let labels = object
        .get("spec")
        .and_then(|spec| spec.get("template")?.get("metadata")?.get("labels"))
        .filter(|labels| labels.as_object().is_some_and(|l| !l.is_empty()))
        .cloned();
    if let (Some(labels), Some(metadata)) = (labels, made(object, "metadata")) {
        put(metadata, "labels", labels);
    }
    let Some(spec) = made(object, "spec") else {
        return;
    };
    let absent = |spec: &Map, key: &str| spec.get(key).is_none_or(Value::is_null);
    if absent(spec, "completions") && absent(spec, "parallelism") {
        put(spec, "completions", 1);
    }
    put(spec, "parallelism", 1);
    let per_index = !absent(spec, "backoffLimitPerIndex");
    put(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    put(spec, "completionMode", "NonIndexed");
    put(spec, "suspend", false);
    put(spec, "manualSelector", false);
    let policy = if absent(spec, "podFailurePolicy") {
        "TerminatingOrFailed"
    } else {
        "Failed"
    };
    put(spec, "podReplacementPolicy", policy);
    if let Some(policy) = map(spec, "podFailurePolicy") {
        each(policy, "rules", |rule| {
            each(rule, "onPodConditions", |condition| {
                put_text(condition, "status", "True")
            });
        });
    }
    pod::template(spec, "template");
}

pub(super) fn cron_job(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put_text(spec, "concurrencyPolicy", "Allow");
    put(spec, "suspend", false);
    put(spec, "successfulJobsHistoryLimit", 3);
    put(spec, "failedJobsHistoryLimit", 1);
    if let Some(job) = map(spec, "jobTemplate").and_then(|job| map(job, "spec")) {
        pod::template(job, "template");
    }
}

/// Labels of the pods of a job, old names and new.
const JOB_LABELS: [(&str, bool); 4] = [
    ("batch.kubernetes.io/controller-uid", true),
    ("batch.kubernetes.io/job-name", false),
    ("controller-uid", true),
    ("job-name", false),
];

/// Gives a created job its selector and the labels it selects by, unless its author manages them.
pub fn generate_selector(object: &mut Map, name: &str, uid: &str) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    if spec.get("manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    let Some(labels) = super::workload::template_labels(spec) else {
        return;
    };
    for (label, is_uid) in JOB_LABELS {
        put(labels, label, if is_uid { uid } else { name });
    }
    if let Some(selected) = made(spec, "selector").and_then(|s| made(s, "matchLabels")) {
        put(selected, "batch.kubernetes.io/controller-uid", uid);
    }
}

/// Gives a created job without labels those of its pods, as upstream does when it reads what it stored.
pub fn label_job(object: &mut Map) {
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    let labels = spec.and_then(super::workload::template_labels).cloned();
    if let (Some(labels), Some(metadata)) = (labels, made(object, "metadata"))
        && !labels.is_empty()
    {
        put(metadata, "labels", labels);
    }
}

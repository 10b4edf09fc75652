//! Defaults of the kinds that make pods.

use objects::{Map, Value, json};

use super::{each, made, map, pod, put, put_text, text};

pub(super) fn pod_template(object: &mut Map) {
    pod::template(object, "template");
}

pub(super) fn deployment(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put(spec, "replicas", 1);
    put(spec, "revisionHistoryLimit", 10);
    put(spec, "progressDeadlineSeconds", 600);
    if let Some(strategy) = made(spec, "strategy") {
        put_text(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = made(strategy, "rollingUpdate")
        {
            put(rolling, "maxUnavailable", "25%");
            put(rolling, "maxSurge", "25%");
        }
    }
    pod::template(spec, "template");
}

pub(super) fn replica_set(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put(spec, "replicas", 1);
    pod::template(spec, "template");
}

pub(super) fn replication_controller(object: &mut Map) {
    let labels = object
        .get("spec")
        .and_then(|spec| spec.get("template")?.get("metadata")?.get("labels"))
        .filter(|labels| labels.as_object().is_some_and(|l| !l.is_empty()))
        .cloned();
    if let (Some(labels), Some(metadata)) = (&labels, made(object, "metadata")) {
        put(metadata, "labels", labels.clone());
    }
    let Some(spec) = made(object, "spec") else {
        return;
    };
    if let Some(labels) = labels {
        put(spec, "selector", labels);
    }
    put(spec, "replicas", 1);
    // Go leaves it out, where the schema has a default.
    if spec.get("minReadySeconds").and_then(Value::as_i64) == Some(0) {
        spec.remove("minReadySeconds");
    }
    pod::template(spec, "template");
}

pub(super) fn stateful_set(object: &mut Map) {
    let Some(spec) = made(object, "spec") else {
        return;
    };
    // Switched off in upstream by default.
    if let Some(rolling) = map(spec, "updateStrategy").and_then(|s| map(s, "rollingUpdate")) {
        rolling.remove("maxUnavailable");
    }
    put(spec, "replicas", 1);
    put(spec, "revisionHistoryLimit", 10);
    put_text(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = made(spec, "updateStrategy") {
        put_text(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = made(strategy, "rollingUpdate")
        {
            put(rolling, "partition", 0);
        }
    }
    if let Some(retention) = made(spec, "persistentVolumeClaimRetentionPolicy") {
        put_text(retention, "whenDeleted", "Retain");
        put_text(retention, "whenScaled", "Retain");
    }
    each(spec, "volumeClaimTemplates", |claim| {
        claim.insert("apiVersion".into(), "v1".into());
        claim.insert("kind".into(), "PersistentVolumeClaim".into());
        super::storage::claim(claim);
    });
    pod::template(spec, "template");
}

/// Annotation that carries a field which only older versions have.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

pub(super) fn daemon_set(object: &mut Map) {
    if let Some(metadata) = made(object, "metadata")
        && let Some(annotations) = made(metadata, "annotations")
    {
        put(annotations, TEMPLATE_GENERATION, "0");
    }
    let Some(spec) = made(object, "spec") else {
        return;
    };
    put(spec, "revisionHistoryLimit", 10);
    if let Some(strategy) = made(spec, "updateStrategy") {
        put_text(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = made(strategy, "rollingUpdate")
        {
            put(rolling, "maxUnavailable", 1);
            put(rolling, "maxSurge", 0);
        }
    }
    pod::template(spec, "template");
}

/// Sets the template generation of a daemon set: 1 on create, one more when the template changes.
pub fn set_template_generation(object: &mut Map, live: Option<&Map>) {
    let generation = |object: &Map| {
        let annotation = object.get("metadata")?.get("annotations")?;
        annotation
            .get(TEMPLATE_GENERATION)?
            .as_str()?
            .parse::<i64>()
            .ok()
    };
    let template = |object: &Map| object.get("spec").and_then(|s| s.get("template")).cloned();
    let next = match live {
        None => 1,
        Some(live) if template(live) == template(object) => generation(live).unwrap_or(1),
        Some(live) => generation(live).unwrap_or(0) + 1,
    };
    if let Some(metadata) = made(object, "metadata")
        && let Some(annotations) = made(metadata, "annotations")
    {
        annotations.insert(TEMPLATE_GENERATION.into(), Value::from(next.to_string()));
    }
}

/// Makes the map of labels in a template, for the labels that a server adds to it.
pub(super) fn template_labels(spec: &mut Map) -> Option<&mut Map> {
    put(spec, "template", json!({}));
    let template = map(spec, "template")?;
    made(made(template, "metadata")?, "labels")
}

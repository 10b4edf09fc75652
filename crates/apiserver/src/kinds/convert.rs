//! The built-in kinds that are served in two forms: autoscalers (v1 and v2) and events (core and events.k8s.io).
//!
//! Autoscalers are stored in the version they were written in, events in the core form. Metrics of an autoscaler other than the
//! processor's have no place in v1 and are not shown there; a write through v1 keeps only what v1 can say.

use objects::decode::{Rules, decode};
use objects::{Map, Value, json};

use crate::catalog::{Resource, text};
use crate::fields::schema_of;

/// Tells whether stored bytes are the answer: nothing is converted.
pub fn stored_as_is(resource: &Resource, stored_version: &str) -> bool {
    if resource.is("events.k8s.io", "events") {
        return false;
    }
    if resource.custom.is_some() {
        return stored_version == resource.version();
    }
    !resource.is("autoscaling", "horizontalpodautoscalers") || stored_version == resource.version()
}

/// Rewrites a stored object into the form of a resource.
pub fn from_stored(resource: &Resource, stored_version: &str, object: &mut Map) {
    if stored_as_is(resource, stored_version) {
        return;
    }
    if let Some(custom) = &resource.custom {
        // The other version has defaults of its own; its content is the same.
        crate::crd::schema::apply_defaults(&custom.schema, object);
        return;
    }
    if resource.is("events.k8s.io", "events") {
        rename(object, &EVENT_FIELDS, true);
        for key in ["reportingController", "reportingInstance"] {
            drop_zero(object, key);
        }
    } else {
        autoscaler(resource.version(), object);
    }
    complete(resource, object);
}

/// Rewrites an object into its stored form.
pub fn to_stored(resource: &Resource, object: &mut Map) {
    if resource.is("events.k8s.io", "events") {
        rename(object, &EVENT_FIELDS, false);
        object.insert("apiVersion".into(), "v1".into());
    }
}

/// Rewrites an object of one version into another.
pub fn between(from_version: &str, to: &Resource, object: &mut Map) {
    if to.is("autoscaling", "horizontalpodautoscalers") && from_version != to.version() {
        autoscaler(to.version(), object);
        complete(to, object);
    }
}

/// Adds what Go always prints of the new form.
fn complete(resource: &Resource, object: &mut Map) {
    let (schema, ty) = schema_of(resource);
    let managed = crate::engine::metadata_mut(object).remove("managedFields");
    let _ = decode(&schema, ty, object, Rules::Builtin);
    if let Some(managed) = managed {
        crate::engine::metadata_mut(object).insert("managedFields".into(), managed);
    }
}

/// Names of event fields: in the core form, and in events.k8s.io.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("involvedObject", "regarding"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
];

/// Drops an empty text or a zero that the other form leaves out.
fn drop_zero(object: &mut Map, key: &str) {
    let zero = matches!(object.get(key), Some(value) if *value == json!("") || *value == json!(0));
    if zero {
        object.remove(key);
    }
}

fn rename(object: &mut Map, names: &[(&str, &str)], forward: bool) {
    for (first, second) in names {
        let (from, to) = if forward {
            (first, second)
        } else {
            (second, first)
        };
        if let Some(value) = object.remove(*from) {
            object.insert((*to).to_owned(), value);
        }
    }
}

fn autoscaler(version: &str, object: &mut Map) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    match version {
        "v1" => {
            let target = spec.remove("metrics").and_then(|metrics| {
                let metric = metrics
                    .as_array()?
                    .iter()
                    .find(|m| is_processor(m, "name"))?;
                metric
                    .pointer("/resource/target/averageUtilization")
                    .cloned()
            });
            spec.remove("behavior");
            if let Some(target) = target {
                spec.insert("targetCPUUtilizationPercentage".into(), target);
            }
        }
        _ => {
            if let Some(target) = spec.remove("targetCPUUtilizationPercentage") {
                spec.insert(
                    "metrics".into(),
                    json!([{"type": "Resource", "resource": {"name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": target}}}]),
                );
            }
        }
    }
    let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) else {
        return;
    };
    match version {
        "v1" => {
            status.remove("conditions");
            let current = status.remove("currentMetrics").and_then(|metrics| {
                let metric = metrics
                    .as_array()?
                    .iter()
                    .find(|m| is_processor(m, "name"))?;
                metric
                    .pointer("/resource/current/averageUtilization")
                    .cloned()
            });
            if let Some(current) = current {
                status.insert("currentCPUUtilizationPercentage".into(), current);
            }
        }
        _ => {
            drop_zero(status, "currentReplicas");
            if let Some(current) = status.remove("currentCPUUtilizationPercentage") {
                status.insert(
                    "currentMetrics".into(),
                    json!([{"type": "Resource", "resource": {"name": "cpu",
                        "current": {"averageUtilization": current, "averageValue": "0"}}}]),
                );
            }
        }
    }
}

fn is_processor(metric: &Value, key: &str) -> bool {
    let resource = metric.get("resource").and_then(Value::as_object);
    resource.is_some_and(|resource| text(resource, key) == "cpu")
}

//! Autoscalers without metrics: the bounds hold, everything else is said to be unknown.
//!
//! There is no metrics server, so the conditions are those of a cluster without one; the number of replicas moves only where it
//! is outside of the bounds, as upstream's does.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{number, text_at};
use super::world::{AUTOSCALERS, World};
use crate::engine::{PatchBody, Place, WriteOptions, metadata_text};
use crate::kinds;

const COMPONENT: &str = "horizontal-pod-autoscaler";

/// Looks at all autoscalers of a namespace.
pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let resource = world.engine.builtin(AUTOSCALERS.0, "v2", AUTOSCALERS.1);
    let (_, entries) = world.engine.store.list(&resource.table, &task.namespace);
    for entry in entries.iter().filter(|entry| !entry.meta.deleting) {
        let autoscaler = world.engine.decode_entry(&resource, entry);
        look(world, &autoscaler);
    }
    None
}

fn look(world: &World, autoscaler: &Map) {
    let mut status = autoscaler
        .get("status")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let set = |status: &mut Map, kind: &str, state: bool, reason: &str, message: &str| {
        condition(world, status, kind, state, reason, message);
    };
    let (min, max) = (
        number(autoscaler, &["spec", "minReplicas"], 1),
        number(autoscaler, &["spec", "maxReplicas"], 1),
    );
    match scale(world, autoscaler) {
        Err(why) => {
            let message =
                format!("the HPA controller was unable to get the target's current scale: {why}");
            set(
                &mut status,
                "AbleToScale",
                false,
                "FailedGetScale",
                &message,
            );
            world.warn(COMPONENT, autoscaler, "FailedGetScale", &why);
        }
        Ok((place, current)) => {
            status.insert("currentReplicas".into(), current.into());
            let found = "the HPA controller was able to get the target's current scale";
            set(&mut status, "AbleToScale", true, "SucceededGetScale", found);
            let bounded = match current {
                0 if min != 0 => None,
                current if current > max => Some((max, "above Spec.MaxReplicas")),
                current if current < min => Some((min, "below Spec.MinReplicas")),
                _ => None,
            };
            if current == 0 && min != 0 {
                let message = "scaling is disabled since the replica count of the target is zero";
                set(
                    &mut status,
                    "ScalingActive",
                    false,
                    "ScalingDisabled",
                    message,
                );
                status.insert("desiredReplicas".into(), 0.into());
            } else if let Some((wanted, why)) = bounded {
                rescale(world, autoscaler, &place, wanted, why, &mut status);
            } else {
                unmeasured(world, autoscaler, &mut status);
            }
        }
    }
    status.entry("currentMetrics").or_insert(Value::Null);
    status.entry("desiredReplicas").or_insert_with(|| 0.into());
    let generation = number(autoscaler, &["metadata", "generation"], 0);
    if generation > 0 {
        status.insert("observedGeneration".into(), generation.into());
    }
    write(world, autoscaler, status);
}

/// Says that no metric can be had.
fn unmeasured(world: &World, autoscaler: &Map, status: &mut Map) {
    let metrics = autoscaler
        .get("spec")
        .and_then(|s| s.get("metrics")?.as_array());
    let metric = metrics.and_then(|metrics| metrics.first());
    let resource = metric
        .and_then(|m| m.pointer("/resource/name")?.as_str())
        .unwrap_or("cpu");
    let (reason, why) = match metric.and_then(|m| m["type"].as_str()) {
        None | Some("Resource" | "ContainerResource") => (
            "FailedGetResourceMetric",
            format!(
                "failed to get {resource} utilization: unable to get metrics for resource {resource}: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
            ),
        ),
        Some("External") => (
            "FailedGetExternalMetric",
            "unable to get external metric: unable to fetch metrics from external metrics API: the server could not find the requested resource".to_owned(),
        ),
        Some("Pods") => (
            "FailedGetPodsMetric",
            "unable to get metric: unable to fetch metrics from custom metrics API: the server could not find the requested resource".to_owned(),
        ),
        Some(_) => (
            "FailedGetObjectMetric",
            "unable to get metric: unable to fetch metrics from custom metrics API: the server could not find the requested resource".to_owned(),
        ),
    };
    let message = format!("the HPA was unable to compute the replica count: {why}");
    condition(world, status, "ScalingActive", false, reason, &message);
    let told = super::status::condition(autoscaler, "ScalingActive")
        .is_some_and(|c| c.get("reason").and_then(Value::as_str) == Some(reason));
    if !told {
        world.warn(COMPONENT, autoscaler, reason, &why);
        let message = format!(
            "invalid metrics (1 invalid out of 1), first error is: failed to get {resource} resource metric value: {why}"
        );
        world.warn(
            COMPONENT,
            autoscaler,
            "FailedComputeMetricsReplicas",
            &message,
        );
    }
}

fn rescale(
    world: &World,
    autoscaler: &Map,
    place: &Place,
    wanted: i64,
    why: &str,
    status: &mut Map,
) {
    let patch = json!({"spec": {"replicas": wanted}});
    let context = world.context_of(COMPONENT);
    let (patch, options) = (PatchBody::Merge(patch), WriteOptions::default());
    let outcome = world.engine.patch(context, place, &patch, &options);
    if outcome.is_err() {
        return;
    }
    let message = format!("New size: {wanted}; reason: Current number of replicas {why}");
    world.normal(COMPONENT, autoscaler, "SuccessfulRescale", &message);
    let done = format!("the HPA controller was able to update the target scale to {wanted}");
    condition(
        world,
        status,
        "AbleToScale",
        true,
        "SucceededRescale",
        &done,
    );
    status.insert("desiredReplicas".into(), wanted.into());
    status.insert("lastScaleTime".into(), world.now().into());
}

/// Reads the scale of the target: where it is, and its wanted replicas.
fn scale(world: &World, autoscaler: &Map) -> Result<(Place, i64), String> {
    let target = |key: &str| text_at(autoscaler, &["spec", "scaleTargetRef", key]).to_owned();
    let catalog = world.engine.catalog();
    let api_version = target("apiVersion");
    let resource = catalog
        .resources
        .iter()
        .find(|r| r.api_version == api_version && r.kind() == target("kind"));
    let Some(resource) = resource.filter(|r| r.subresource("scale").is_some()) else {
        return Err(format!(
            "no matches for kind {:?} in group {:?}",
            target("kind"),
            api_version.split_once('/').map_or("", |(group, _)| group)
        ));
    };
    let mut place = Place::new(
        resource,
        metadata_text(autoscaler, "namespace"),
        &target("name"),
    );
    place.sub = "scale".into();
    let scale = kinds::scale::get(&world.engine, &place).map_err(|f| f.status.message)?;
    Ok((place, number(&scale, &["spec", "replicas"], 0)))
}

fn condition(
    world: &World,
    status: &mut Map,
    kind: &str,
    state: bool,
    reason: &str,
    message: &str,
) {
    let state = if state { "True" } else { "False" };
    let list = status.entry("conditions").or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let Some(list) = list.as_array_mut() else {
        return;
    };
    let at = list.iter().position(|c| c["type"] == kind);
    let since = at.filter(|at| list[*at]["status"] == state).map_or_else(
        || world.now().into(),
        |at| list[at]["lastTransitionTime"].clone(),
    );
    let new = json!({"type": kind, "status": state, "reason": reason, "message": message, "lastTransitionTime": since});
    match at {
        Some(at) => list[at] = new,
        None => list.push(new),
    }
}

fn write(world: &World, autoscaler: &Map, status: Map) {
    let resource = world.engine.builtin(AUTOSCALERS.0, "v2", AUTOSCALERS.1);
    let mut place = Place::new(
        &resource,
        metadata_text(autoscaler, "namespace"),
        metadata_text(autoscaler, "name"),
    );
    place.sub = "status".into();
    let status = Value::Object(status);
    let context = world.context_of(COMPONENT);
    // An autoscaler that went meanwhile needs no status.
    let _ = world.engine.replace(context, &place, &|live, _| {
        let mut next = live.clone();
        next.insert("status".into(), status.clone());
        Ok(next)
    });
}

//! Pods: bound, started and ended without a node.
//!
//! Annotations of the pod (so, of a workload's pod template) act out what a real start can do:
//! - `simulation.ferroflux.dev/ready-after`: a duration such as `30s` before the pod is ready (default: none);
//! - `simulation.ferroflux.dev/complete-after`: a duration before a pod that should end does (default: none);
//! - `simulation.ferroflux.dev/fail`: `image-pull` (the image cannot be pulled), `crash-loop` (the container exits again
//!   and again), `never-ready` (it runs, its probe fails), `exit` (a pod that should end does so with code 1).
//!
//! Pods handled here carry `simulation.ferroflux.dev/pod: "true"`, so that nobody takes them for running containers.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{is_deleting, is_finished, phase, text_at};
use super::world::{PODS, World};
use crate::engine::{metadata_mut, metadata_text};

/// Name of the node that pods are bound to; there is no such object.
pub(super) const NODE: &str = "simulated";
const PREFIX: &str = "simulation.ferroflux.dev/";

/// What an annotation makes a pod do instead of starting well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    ImagePull,
    CrashLoop,
    NeverReady,
    Exit,
}

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let pod = world.get(PODS, task)?;
    if is_deleting(&pod) {
        world.delete(PODS, &pod);
        return None;
    }
    if is_finished(&pod) {
        return None;
    }
    if text_at(&pod, &["spec", "nodeName"]).is_empty() {
        bind(world, &pod);
        return None;
    }
    let failure = failure(&pod);
    let age = world.seconds_since(metadata_text(&pod, "creationTimestamp"));
    let remaining = |key: &str| {
        let wanted = annotation(&pod, key).and_then(|text| gocompat::duration::parse(text).ok());
        let wanted = wanted.map_or(Duration::ZERO, |nanos| {
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
        });
        wanted.saturating_sub(Duration::from_secs(u64::try_from(age).unwrap_or(0)))
    };
    match failure {
        Some(Failure::ImagePull) => {
            set(
                world,
                &pod,
                waiting(world, &pod, "ImagePullBackOff", "Pending"),
            );
            return None;
        }
        Some(Failure::CrashLoop) => {
            set(
                world,
                &pod,
                waiting(world, &pod, "CrashLoopBackOff", "Running"),
            );
            return None;
        }
        Some(Failure::NeverReady) => {
            set(world, &pod, running(world, &pod, false));
            return None;
        }
        _ => {}
    }
    if ends(&pod) {
        let left = remaining("complete-after");
        if left.is_zero() {
            let code = i64::from(failure == Some(Failure::Exit));
            set(world, &pod, ended(world, &pod, code));
            return None;
        }
        set(world, &pod, running(world, &pod, true));
        return Some(left);
    }
    let left = remaining("ready-after");
    set(world, &pod, running(world, &pod, left.is_zero()));
    (!left.is_zero()).then_some(left)
}

/// Binds a pod that nobody scheduled, and marks it.
fn bind(world: &World, pod: &Map) {
    world.update(PODS, pod, |next| {
        if let Some(spec) = next.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("nodeName".into(), NODE.into());
        }
        let annotations = metadata_mut(next)
            .entry("annotations")
            .or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(format!("{PREFIX}pod"), "true".into());
        }
    });
}

/// Tells whether a pod is meant to end: it belongs to a job, or is not restarted.
fn ends(pod: &Map) -> bool {
    text_at(pod, &["spec", "restartPolicy"]) != "Always"
}

fn annotation<'a>(pod: &'a Map, key: &str) -> Option<&'a str> {
    let annotations = pod.get("metadata")?.get("annotations")?;
    annotations.get(format!("{PREFIX}{key}"))?.as_str()
}

fn failure(pod: &Map) -> Option<Failure> {
    match annotation(pod, "fail")? {
        "image-pull" => Some(Failure::ImagePull),
        "crash-loop" => Some(Failure::CrashLoop),
        "never-ready" => Some(Failure::NeverReady),
        "exit" => Some(Failure::Exit),
        _ => None,
    }
}

/// Writes a status that differs in more than its times.
fn set(world: &World, pod: &Map, status: Map) {
    let live = pod.get("status").and_then(Value::as_object);
    if live.is_some_and(|live| without_times(live) == without_times(&status)) {
        return;
    }
    world.set_status(PODS, pod, status);
}

fn without_times(status: &Map) -> Map {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for key in ["lastTransitionTime", "startedAt", "finishedAt", "startTime"] {
                    map.remove(key);
                }
                map.values_mut().for_each(clean);
            }
            Value::Array(items) => items.iter_mut().for_each(clean),
            _ => {}
        }
    }
    let mut copy = Value::Object(status.clone());
    clean(&mut copy);
    match copy {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The conditions a kubelet reports: each with whether it holds, and a reason where it does not.
fn base(world: &World, pod: &Map, ready: Result<(), &str>) -> Map {
    let now = world.now();
    let generation = pod
        .get("metadata")
        .and_then(|m| m.get("generation"))
        .cloned()
        .unwrap_or(Value::Null);
    let condition = |kind: &str, outcome: Result<(), &str>| {
        let mut condition = Map::new();
        condition.insert("type".into(), kind.into());
        condition.insert("lastProbeTime".into(), Value::Null);
        condition.insert("lastTransitionTime".into(), now.clone().into());
        let status = if outcome.is_ok() { "True" } else { "False" };
        condition.insert("status".into(), status.into());
        if !generation.is_null() {
            condition.insert("observedGeneration".into(), generation.clone());
        }
        if let Err(reason) = outcome {
            condition.insert("reason".into(), reason.into());
            if reason == "ContainersNotReady" {
                let message = format!("containers with unready status: [{}]", names(pod).join(" "));
                condition.insert("message".into(), message.into());
            }
        }
        Value::Object(condition)
    };
    let mut status = Map::new();
    status.insert(
        "conditions".into(),
        json!([
            condition("PodReadyToStartContainers", Ok(())),
            condition("Initialized", Ok(())),
            condition("Ready", ready),
            condition("ContainersReady", ready),
            condition("PodScheduled", Ok(())),
        ]),
    );
    let address = address(pod);
    status.insert("podIP".into(), address.clone().into());
    status.insert("podIPs".into(), json!([{"ip": address}]));
    status.insert("startTime".into(), now.into());
    let class = pod.get("spec").and_then(Value::as_object);
    let class = class.map_or("BestEffort", crate::defaults::quality_of_service);
    status.insert("qosClass".into(), class.into());
    if !generation.is_null() {
        status.insert("observedGeneration".into(), generation);
    }
    status
}

/// Derives an address of 10.244.0.0/16 from the pod's uid.
fn address(pod: &Map) -> String {
    let hash = metadata_text(pod, "uid").bytes().fold(7_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    format!("10.244.{}.{}", (hash >> 8) & 0xff, 1 + (hash & 0xff) % 254)
}

fn names(pod: &Map) -> Vec<String> {
    containers(pod, "containers")
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

fn containers(pod: &Map, list: &str) -> Vec<(String, String)> {
    let containers = pod.get("spec").and_then(|s| s.get(list)?.as_array());
    containers
        .into_iter()
        .flatten()
        .map(|c| {
            let text = |key: &str| c.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
            (text("name"), text("image"))
        })
        .collect()
}

fn container_statuses(pod: &Map, list: &str, ready: bool, started: bool, state: &Value) -> Value {
    let statuses = containers(pod, list).into_iter().map(|(name, image)| {
        json!({
            "name": name, "image": image, "imageID": format!("simulated://{image}"), "lastState": {},
            "ready": ready, "started": started, "restartCount": 0, "state": state,
        })
    });
    statuses.collect()
}

fn with_init(world: &World, pod: &Map, status: &mut Map) {
    if containers(pod, "initContainers").is_empty() {
        return;
    }
    let state = terminated(world, 0);
    let statuses = container_statuses(pod, "initContainers", true, false, &state);
    status.insert("initContainerStatuses".into(), statuses);
}

fn terminated(world: &World, code: i64) -> Value {
    let now = world.now();
    let reason = if code == 0 { "Completed" } else { "Error" };
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now}})
}

fn running(world: &World, pod: &Map, ready: bool) -> Map {
    let outcome = if ready {
        Ok(())
    } else {
        Err("ContainersNotReady")
    };
    let mut status = base(world, pod, outcome);
    status.insert("phase".into(), "Running".into());
    let state = json!({"running": {"startedAt": world.now()}});
    let statuses = container_statuses(pod, "containers", ready, true, &state);
    status.insert("containerStatuses".into(), statuses);
    with_init(world, pod, &mut status);
    status
}

fn waiting(world: &World, pod: &Map, reason: &str, phase: &str) -> Map {
    let mut status = base(world, pod, Err("ContainersNotReady"));
    status.insert("phase".into(), phase.into());
    let message = match reason {
        "ImagePullBackOff" => "Back-off pulling image: simulated failure",
        _ => "back-off 5m0s restarting failed container: simulated failure",
    };
    let state = json!({"waiting": {"reason": reason, "message": message}});
    let mut statuses = container_statuses(pod, "containers", false, false, &state);
    if reason == "CrashLoopBackOff" {
        for status in statuses.as_array_mut().into_iter().flatten() {
            status["restartCount"] = 5.into();
            status["lastState"] = terminated(world, 1);
        }
    }
    status.insert("containerStatuses".into(), statuses);
    status
}

fn ended(world: &World, pod: &Map, code: i64) -> Map {
    let reason = if code == 0 {
        "PodCompleted"
    } else {
        "PodFailed"
    };
    let mut status = base(world, pod, Err(reason));
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    status.insert("phase".into(), phase.into());
    let state = terminated(world, code);
    let statuses = container_statuses(pod, "containers", false, false, &state);
    status.insert("containerStatuses".into(), statuses);
    with_init(world, pod, &mut status);
    status
}

/// Tells whether a pod counts as running for its owner.
pub(super) fn is_active(pod: &Map) -> bool {
    !is_deleting(pod) && !matches!(phase(pod), "Succeeded" | "Failed")
}

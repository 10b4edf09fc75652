//! Pods: bound, started and ended without a node.
//!
//! Annotations of the pod (so, of a workload's pod template) act out what a real start can do:
//! - `simulation.ferroflux.dev/ready-after`: a duration such as `30s` before the pod is ready (default: none);
//! - `simulation.ferroflux.dev/complete-after`: a duration before a pod that should end does (default: none);
//! - `simulation.ferroflux.dev/fail`: `image-pull` (the image cannot be pulled), `crash-loop` (the container exits again
//!   and again, with a kubelet's growing pauses), `never-ready` (it runs, its probe fails), `exit` (a pod that should end does
//!   so with code 1);
//! - `simulation.ferroflux.dev/log`: what `kubectl logs` shows (default: a line for each container).
//!
//! Pods handled here carry `simulation.ferroflux.dev/pod: "true"`, so that nobody takes them for running containers.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{is_deleting, is_finished, phase, text_at};
use super::pod_status::{crashed, ended, keep_times, running, unpulled, without_times};
use super::world::{PODS, World};
use crate::engine::{metadata_mut, metadata_text};

/// Name of the node that pods are bound to; there is no such object.
pub(super) const NODE: &str = "simulated";
/// Its address, from the range for documentation.
pub(super) const NODE_ADDRESS: &str = "192.0.2.10";
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
        world.stop(&pod);
        world.occasions.lock().remove(metadata_text(&pod, "uid"));
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
    let age = world.seconds_since(metadata_text(&pod, "creationTimestamp"));
    let remaining = |key: &str| {
        let wanted = annotation(&pod, key).and_then(|text| gocompat::duration::parse(text).ok());
        let wanted = wanted.map_or(Duration::ZERO, |nanos| {
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
        });
        wanted.saturating_sub(Duration::from_secs(u64::try_from(age).unwrap_or(0)))
    };
    let failure = failure(&pod);
    if let Some(failure) = failure.filter(|failure| *failure != Failure::Exit) {
        return Some(fail(world, &pod, failure, age));
    }
    if ends(&pod) {
        let left = remaining("complete-after");
        if left.is_zero() {
            let code = i64::from(failure == Some(Failure::Exit));
            report_start(world, &pod);
            set(world, &pod, ended(world, &pod, code));
            return None;
        }
        report_start(world, &pod);
        set(world, &pod, running(world, &pod, true));
        return Some(left);
    }
    let left = remaining("ready-after");
    report_start(world, &pod);
    set(world, &pod, running(world, &pod, left.is_zero()));
    (!left.is_zero()).then_some(left)
}

/// Acts out a failure that repeats with growing pauses; returns when it does so next.
fn fail(world: &World, pod: &Map, failure: Failure, age: i64) -> Duration {
    let (turn, pause, left) = turn(age);
    match failure {
        Failure::ImagePull => {
            repeat(world, pod, turn, |first| report_pull(world, pod, first));
            set(world, pod, unpulled(world, pod));
        }
        Failure::CrashLoop => {
            repeat(world, pod, turn, |_| report_crash(world, pod));
            set(world, pod, crashed(world, pod, turn, pause));
        }
        Failure::NeverReady | Failure::Exit => {
            report_start(world, pod);
            repeat(world, pod, turn, |_| {
                for name in names(pod) {
                    let message = "Readiness probe failed: simulated failure";
                    world.container_warning(pod, &name, "Unhealthy", message);
                }
            });
            set(world, pod, running(world, pod, false));
        }
    }
    Duration::from_secs(left)
}

/// First and longest pause between the turns of a failure, in seconds; each is twice the one before, as a kubelet's are.
const PAUSE_MIN: u64 = 10;
const PAUSE_MAX: u64 = 300;

/// Returns which turn a failure has reached at an age (from 1), the pause that follows it, and what is left of the pause.
fn turn(age: i64) -> (u32, u64, u64) {
    let mut rest = u64::try_from(age).unwrap_or(0);
    let (mut turn, mut pause) = (1, PAUSE_MIN);
    while rest >= pause && turn < 10_000 {
        rest -= pause;
        pause = (pause * 2).min(PAUSE_MAX);
        turn += 1;
    }
    (turn, pause, pause.saturating_sub(rest).max(1))
}

/// Calls `report` once a turn.
fn repeat(world: &World, pod: &Map, turn: u32, report: impl Fn(bool)) {
    let uid = metadata_text(pod, "uid").to_owned();
    let before = world.occasions.lock().insert(uid, turn);
    if before != Some(turn) {
        report(before.is_none());
    }
}

/// Reports that the containers of a pod were pulled, created and started, if they were not before.
fn report_start(world: &World, pod: &Map) {
    if pod
        .get("status")
        .is_some_and(|s| s.get("containerStatuses").is_some())
    {
        return;
    }
    world.report_scheduled(pod);
    for list in ["initContainers", "containers"] {
        for (name, image) in containers(pod, list) {
            start_container(world, pod, list, &name, &image);
        }
    }
}

fn start_container(world: &World, pod: &Map, list: &str, name: &str, image: &str) {
    let pulled = format!(
        "Container image {image:?} already present on machine and can be accessed by the pod"
    );
    world.container(pod, list, name, "Pulled", &pulled);
    world.container(pod, list, name, "Created", "Container created");
    world.container(pod, list, name, "Started", "Container started");
}

fn report_pull(world: &World, pod: &Map, first: bool) {
    if first {
        world.report_scheduled(pod);
    }
    for (name, image) in containers(pod, "containers") {
        let pulling = format!("Pulling image {image:?}");
        world.container(pod, "containers", &name, "Pulling", &pulling);
        let failed = format!("Failed to pull image {image:?}: {PULL_FAILURE}");
        world.container_warning(pod, &name, "Failed", &failed);
        world.container_warning(pod, &name, "Failed", "Error: ErrImagePull");
        let back_off = format!("Back-off pulling image {image:?}");
        world.container(pod, "containers", &name, "BackOff", &back_off);
        world.container_warning(pod, &name, "Failed", "Error: ImagePullBackOff");
    }
}

fn report_crash(world: &World, pod: &Map) {
    report_start(world, pod);
    let started = pod
        .get("status")
        .is_some_and(|s| s.get("containerStatuses").is_some());
    for (name, image) in containers(pod, "containers") {
        if started {
            start_container(world, pod, "containers", &name, &image);
        }
        let message = format!(
            "Back-off restarting failed container {name} in pod {}",
            full_name(pod)
        );
        world.container_warning(pod, &name, "BackOff", &message);
    }
}

/// Names a pod as a kubelet does: `NAME_NAMESPACE(UID)`.
pub(super) fn full_name(pod: &Map) -> String {
    let text = |key| metadata_text(pod, key);
    format!("{}_{}({})", text("name"), text("namespace"), text("uid"))
}

pub(super) const PULL_FAILURE: &str = "simulated failure";

/// Binds a pod that nobody scheduled, and marks it.
fn bind(world: &World, pod: &Map) {
    world.bind(pod, |next| {
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

pub(super) fn annotation<'a>(pod: &'a Map, key: &str) -> Option<&'a str> {
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
fn set(world: &World, pod: &Map, mut status: Map) {
    let live = pod.get("status").and_then(Value::as_object);
    if let Some(live) = live {
        if without_times(live) == without_times(&status) {
            return;
        }
        keep_times(live, &mut status);
    }
    world.set_status(PODS, pod, status);
}

pub(super) fn names(pod: &Map) -> Vec<String> {
    containers(pod, "containers")
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

pub(super) fn containers(pod: &Map, list: &str) -> Vec<(String, String)> {
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

/// Tells whether a pod counts as running for its owner.
pub(super) fn is_active(pod: &Map) -> bool {
    !is_deleting(pod) && !matches!(phase(pod), "Succeeded" | "Failed")
}

//! The status of simulated pods: running, ended, waiting for an image that never comes, crashed again and again.

use objects::{Map, Value, json};

use super::pod::{NODE_ADDRESS, PULL_FAILURE, containers, full_name, names};
use super::world::World;
use crate::engine::metadata_text;

/// The conditions a kubelet reports: each with whether it holds, and a reason where it does not.
pub(super) fn base(world: &World, pod: &Map, ready: Result<(), &str>) -> Map {
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
    status.insert("hostIP".into(), NODE_ADDRESS.into());
    status.insert("hostIPs".into(), json!([{"ip": NODE_ADDRESS}]));
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

fn container_statuses(pod: &Map, list: &str, ready: bool, started: bool, state: &Value) -> Value {
    let statuses = containers(pod, list).into_iter().map(|(name, image)| {
        json!({
            "name": name, "image": image, "imageID": format!("simulated://{image}"), "lastState": {},
            "containerID": container_id(pod, &name),
            "ready": ready, "started": started, "restartCount": 0, "state": state,
        })
    });
    statuses.collect()
}

/// Makes up the id of a container, the same for each look.
fn container_id(pod: &Map, name: &str) -> String {
    use sha2::Digest as _;
    let text = format!("{}/{name}", metadata_text(pod, "uid"));
    format!(
        "simulated://{}",
        hex::encode(sha2::Sha256::digest(text.as_bytes()))
    )
}

pub(super) fn with_init(world: &World, pod: &Map, status: &mut Map) {
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

pub(super) fn running(world: &World, pod: &Map, ready: bool) -> Map {
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

/// Status of a pod whose images cannot be pulled.
pub(super) fn unpulled(world: &World, pod: &Map) -> Map {
    let mut status = base(world, pod, Err("ContainersNotReady"));
    status.insert("phase".into(), "Pending".into());
    let statuses = containers(pod, "containers").into_iter().map(|(name, image)| {
        let message = format!("Back-off pulling image {image:?}: ErrImagePull: {PULL_FAILURE}");
        json!({
            "name": name, "image": image, "imageID": "", "lastState": {}, "ready": false, "started": false,
            "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}},
        })
    });
    status.insert("containerStatuses".into(), statuses.collect());
    status
}

/// Status of a pod whose containers end again and again, after some restarts and before the next.
pub(super) fn crashed(world: &World, pod: &Map, restarts: u32, pause: u64) -> Map {
    let mut status = base(world, pod, Err("ContainersNotReady"));
    status.insert("phase".into(), "Running".into());
    let nanos = i64::try_from(pause).unwrap_or(0) * 1_000_000_000;
    let pause = gocompat::duration::format(nanos);
    let statuses = containers(pod, "containers").into_iter().map(|(name, image)| {
        let message = format!(
            "back-off {pause} restarting failed container={name} pod={}",
            full_name(pod)
        );
        json!({
            "name": name, "image": image, "imageID": format!("simulated://{image}"),
            "ready": false, "started": false, "restartCount": restarts, "lastState": terminated(world, 1),
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": message}},
        })
    });
    status.insert("containerStatuses".into(), statuses.collect());
    with_init(world, pod, &mut status);
    status
}

pub(super) fn ended(world: &World, pod: &Map, code: i64) -> Map {
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

/// Keeps the times of what did not change: the start, conditions, states of containers.
pub(super) fn keep_times(live: &Map, status: &mut Map) {
    for key in ["startTime", "podIP", "podIPs"] {
        if let Some(value) = live.get(key) {
            status.insert(key.into(), value.clone());
        }
    }
    for (list, name, keys) in [
        ("conditions", "type", &["status"][..]),
        ("containerStatuses", "name", &["state", "lastState"]),
        ("initContainerStatuses", "name", &["state", "lastState"]),
    ] {
        let Some(old) = live.get(list).and_then(Value::as_array) else {
            continue;
        };
        let new = status.get_mut(list).and_then(Value::as_array_mut);
        for item in new.into_iter().flatten() {
            let Some(old) = old.iter().find(|old| old.get(name) == item.get(name)) else {
                continue;
            };
            for key in keys {
                let same = timeless(old.get(*key)) == timeless(item.get(*key));
                if !same {
                    continue;
                }
                if *key == "status" {
                    item["lastTransitionTime"] = old["lastTransitionTime"].clone();
                } else if let Some(state) = old.get(*key) {
                    item[*key] = state.clone();
                }
            }
        }
    }
}

pub(super) fn timeless(value: Option<&Value>) -> Value {
    let mut map = Map::new();
    map.insert("v".into(), value.cloned().unwrap_or(Value::Null));
    Value::Object(without_times(&map))
}

pub(super) fn without_times(status: &Map) -> Map {
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

//! Replica sets: as many pods as wanted, and their count.

use std::time::Duration;

use objects::Map;

use super::Task;
use super::owned::{Template, available, is_deleting, is_ready, number};
use super::pod::is_active;
use super::status::count;
use super::world::{PODS, REPLICA_SETS, World};
use crate::engine::metadata_text;

/// Pods made or removed in one look; more follow as their events come in.
const BURST: i64 = 500;

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let set = world.get(REPLICA_SETS, task)?;
    let uid = metadata_text(&set, "uid");
    let mut pods: Vec<Map> = world.owned(PODS, &task.namespace, uid);
    pods.retain(is_active);
    if !is_deleting(&set) {
        scale(world, &set, &mut pods);
    }
    let pods_ready = pods.iter().filter(|pod| is_ready(pod)).count() as i64;
    let (pods_available, again) = available(world, &set, &pods);
    let mut status = Map::new();
    status.insert("replicas".into(), (pods.len() as i64).into());
    count(&mut status, "fullyLabeledReplicas", pods.len() as i64);
    count(&mut status, "readyReplicas", pods_ready);
    count(&mut status, "availableReplicas", pods_available);
    let generation = number(&set, &["metadata", "generation"], 0);
    count(&mut status, "observedGeneration", generation);
    world.set_status(REPLICA_SETS, &set, status);
    again
}

fn scale(world: &World, set: &Map, pods: &mut Vec<Map>) {
    let wanted = number(set, &["spec", "replicas"], 1);
    let missing = wanted - pods.len() as i64;
    let template = Template {
        owner: set,
        api_version: "apps/v1",
        kind: "ReplicaSet",
        name: String::new(),
        labels: Vec::new(),
    };
    for _ in 0..missing.clamp(0, BURST) {
        match template.create(world) {
            Some(pod) => pods.push(pod),
            // What refused one refuses the rest.
            None => break,
        }
    }
    if missing < 0 {
        // Pods that are not ready go first, then the youngest.
        pods.sort_by_key(|pod| {
            let created = metadata_text(pod, "creationTimestamp").to_owned();
            (!is_ready(pod), created)
        });
        let keep = usize::try_from(wanted.max(0)).unwrap_or(0);
        for pod in pods.split_off(keep.min(pods.len())) {
            world.remove_pod("replicaset-controller", set, &pod);
        }
    }
}

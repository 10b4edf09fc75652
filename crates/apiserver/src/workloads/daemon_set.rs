//! Daemon sets: one pod, as there is one imagined node.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{
    Template, available, is_deleting, is_ready, label, number, template_hash, text_at,
};
use super::pod::is_active;
use super::status::count;
use super::world::{DAEMON_SETS, PODS, World};
use crate::engine::metadata_text;

const REVISION_LABEL: &str = "controller-revision-hash";
const GENERATION_LABEL: &str = "pod-template-generation";

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let set = world.get(DAEMON_SETS, task)?;
    let uid = metadata_text(&set, "uid");
    let hash = template_hash(set.get("spec")?.get("template")?);
    let mut pods = world.owned(PODS, &task.namespace, uid);
    pods.retain(is_active);
    if !is_deleting(&set) {
        super::revision::record(world, &set, &hash);
        replace(world, &set, &mut pods, &hash);
    }
    report(world, &set, &pods, &hash)
}

fn replace(world: &World, set: &Map, pods: &mut Vec<Map>, hash: &str) {
    let rolls = text_at(set, &["spec", "updateStrategy", "type"]) != "OnDelete";
    if rolls {
        pods.retain(|pod| {
            let current = label(pod, REVISION_LABEL) == hash;
            if !current {
                world.remove_pod("daemonset-controller", set, pod);
            }
            current
        });
    }
    if !pods.is_empty() {
        return;
    }
    let generation = text_at(
        set,
        &[
            "metadata",
            "annotations",
            "deprecated.daemonset.template.generation",
        ],
    );
    let template = Template {
        owner: set,
        api_version: "apps/v1",
        kind: "DaemonSet",
        name: String::new(),
        labels: vec![
            (REVISION_LABEL, hash.to_owned()),
            (GENERATION_LABEL, generation.to_owned()),
        ],
    };
    let mut pod = template.pod();
    stay(&mut pod);
    pods.extend(template.create_as(world, pod));
}

/// Ties a pod to its node, whatever the node's troubles.
fn stay(pod: &mut Map) {
    const TROUBLES: [(&str, &str); 6] = [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ];
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    for (trouble, effect) in TROUBLES {
        let key = format!("node.kubernetes.io/{trouble}");
        if let Some(list) = tolerations.as_array_mut() {
            list.push(json!({"key": key, "operator": "Exists", "effect": effect}));
        }
    }
    let affinity = spec.entry("affinity").or_insert_with(|| json!({}));
    affinity["nodeAffinity"] = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [super::pod::NODE]}]},
    ]}});
}

fn report(world: &World, set: &Map, pods: &[Map], hash: &str) -> Option<Duration> {
    let scheduled = pods.len().min(1) as i64;
    let ready = i64::from(pods.iter().any(is_ready));
    let updated = pods
        .iter()
        .filter(|p| label(p, REVISION_LABEL) == hash)
        .count() as i64;
    let mut status = Map::new();
    for (key, value) in [
        ("currentNumberScheduled", scheduled),
        ("desiredNumberScheduled", 1),
        ("numberMisscheduled", 0),
        ("numberReady", ready),
    ] {
        status.insert(key.to_owned(), value.into());
    }
    let (available, again) = available(world, set, pods);
    let available = available.min(1);
    count(&mut status, "numberAvailable", available);
    count(&mut status, "numberUnavailable", 1 - available);
    count(&mut status, "updatedNumberScheduled", updated.min(1));
    let generation = number(set, &["metadata", "generation"], 0);
    count(&mut status, "observedGeneration", generation);
    world.set_status(DAEMON_SETS, set, status);
    again
}

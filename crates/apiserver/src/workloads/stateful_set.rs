//! Stateful sets: numbered pods, started and replaced in order, each with its claims.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{
    Template, available, is_deleting, is_finished, is_ready, label, number, template_hash, text_at,
};
use super::status::count;
use super::world::{CLAIMS, PODS, STATEFUL_SETS, World};
use crate::engine::metadata_text;

const COMPONENT: &str = "statefulset-controller";
const REVISION_LABEL: &str = "controller-revision-hash";

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let set = world.get(STATEFUL_SETS, task)?;
    let uid = metadata_text(&set, "uid");
    let pods = world.owned(PODS, &task.namespace, uid);
    let template = set.get("spec")?.get("template")?;
    let update = format!(
        "{}-{}",
        metadata_text(&set, "name"),
        template_hash(template)
    );
    if !is_deleting(&set) {
        super::revision::record(world, &set, &template_hash(template));
        advance(world, &set, &pods, &update);
    }
    let pods = world.owned(PODS, &task.namespace, uid);
    report(world, &set, &pods, update)
}

fn ordinal(set: &Map, pod: &Map) -> Option<i64> {
    let rest = metadata_text(pod, "name").strip_prefix(metadata_text(set, "name"))?;
    rest.strip_prefix('-')?.parse().ok()
}

/// Makes, removes or replaces at most one pod at a time, unless the set is parallel.
fn advance(world: &World, set: &Map, pods: &[Map], update: &str) {
    let wanted = number(set, &["spec", "replicas"], 1);
    let start = number(set, &["spec", "ordinals", "start"], 0);
    let parallel = text_at(set, &["spec", "podManagementPolicy"]) == "Parallel";
    for index in start..start + wanted {
        let pod = pods.iter().find(|pod| ordinal(set, pod) == Some(index));
        match pod {
            None => {
                create(world, set, index, update);
                if !parallel {
                    return;
                }
            }
            Some(pod) if is_finished(pod) => remove(world, set, pod),
            Some(pod) if !parallel && (!is_ready(pod) || is_deleting(pod)) => return,
            Some(_) => {}
        }
    }
    let mut numbered: Vec<(i64, &Map)> = pods
        .iter()
        .filter_map(|pod| Some((ordinal(set, pod)?, pod)))
        .collect();
    numbered.sort_by_key(|(index, _)| -index);
    for (index, pod) in &numbered {
        if *index >= start + wanted {
            remove(world, set, pod);
            if !parallel {
                return;
            }
        }
    }
    if text_at(set, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        return;
    }
    let partition = number(
        set,
        &["spec", "updateStrategy", "rollingUpdate", "partition"],
        0,
    );
    for (index, pod) in numbered {
        if index < partition || index >= start + wanted {
            continue;
        }
        if label(pod, REVISION_LABEL) != update {
            remove(world, set, pod);
            return;
        }
        if !is_ready(pod) {
            return;
        }
    }
}

fn create(world: &World, set: &Map, index: i64, update: &str) {
    let name = format!("{}-{index}", metadata_text(set, "name"));
    let mut pod = Template {
        owner: set,
        api_version: "apps/v1",
        kind: "StatefulSet",
        name: name.clone(),
        labels: vec![
            ("apps.kubernetes.io/pod-index", index.to_string()),
            (REVISION_LABEL, update.to_owned()),
            ("statefulset.kubernetes.io/pod-name", name.clone()),
        ],
    }
    .pod();
    let templates = set
        .get("spec")
        .and_then(|s| s.get("volumeClaimTemplates")?.as_array());
    let mut volumes = Vec::new();
    for template in templates.into_iter().flatten().filter_map(Value::as_object) {
        let volume = metadata_text(template, "name").to_owned();
        let claim = format!("{volume}-{name}");
        create_claim(world, set, template, &claim, &name);
        volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}));
    }
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("hostname".into(), name.clone().into());
        let service = text_at(set, &["spec", "serviceName"]);
        if !service.is_empty() {
            spec.insert("subdomain".into(), service.into());
        }
        let all = spec.entry("volumes").or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.retain(|v| !volumes.iter().any(|own| own.get("name") == v.get("name")));
            all.extend(volumes);
        }
    }
    match world.try_create(PODS, pod) {
        Ok(_) => {
            let message = format!(
                "create Pod {name} in StatefulSet {} successful",
                own_name(set)
            );
            world.normal(COMPONENT, set, "SuccessfulCreate", &message);
        }
        Err(failure) => {
            let message = format!(
                "create Pod {name} in StatefulSet {} failed error: {}",
                own_name(set),
                failure.status.message
            );
            world.warn(COMPONENT, set, "FailedCreate", &message);
        }
    }
}

fn own_name(set: &Map) -> &str {
    metadata_text(set, "name")
}

/// Deletes a pod of the set, telling both.
fn remove(world: &World, set: &Map, pod: &Map) {
    let name = metadata_text(pod, "name");
    world.stop(pod);
    let message = format!(
        "delete Pod {name} in StatefulSet {} successful",
        own_name(set)
    );
    world.normal(COMPONENT, set, "SuccessfulDelete", &message);
    world.delete(PODS, pod);
}

fn create_claim(world: &World, set: &Map, template: &Map, name: &str, pod: &str) {
    let namespace = metadata_text(set, "namespace");
    if world.find(CLAIMS, namespace, name).is_some() {
        return;
    }
    let labels = set
        .get("spec")
        .and_then(|s| s.get("selector")?.get("matchLabels"))
        .cloned()
        .unwrap_or_else(|| json!({}));
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": template.get("spec").cloned().unwrap_or_default(),
    });
    if let Value::Object(claim) = claim {
        let made = world.create(CLAIMS, claim).is_some();
        if made {
            let own = own_name(set);
            let message = format!("create Claim {name} Pod {pod} in StatefulSet {own} success");
            world.normal(COMPONENT, set, "SuccessfulCreate", &message);
        }
    }
}

fn report(world: &World, set: &Map, pods: &[Map], update: String) -> Option<Duration> {
    let live: Vec<&Map> = pods.iter().filter(|pod| !is_deleting(pod)).collect();
    let ready = live.iter().filter(|pod| is_ready(pod)).count() as i64;
    let of = |revision: &str| {
        let own = live
            .iter()
            .filter(|pod| label(pod, REVISION_LABEL) == revision);
        own.count() as i64
    };
    let updated = of(&update);
    let before = text_at(set, &["status", "currentRevision"]).to_owned();
    let wanted = number(set, &["spec", "replicas"], 1);
    let done = updated == wanted && ready == wanted && live.len() as i64 == wanted;
    let current = if before.is_empty() || done {
        update.clone()
    } else {
        before
    };
    let mut status = Map::new();
    let generation = number(set, &["metadata", "generation"], 0);
    count(&mut status, "observedGeneration", generation);
    status.insert("replicas".into(), (live.len() as i64).into());
    count(&mut status, "readyReplicas", ready);
    let owned: Vec<Map> = live.iter().map(|pod| (*pod).clone()).collect();
    let (available, again) = available(world, set, &owned);
    status.insert("availableReplicas".into(), available.into());
    count(&mut status, "currentReplicas", of(&current));
    count(&mut status, "updatedReplicas", updated);
    status.insert("currentRevision".into(), current.into());
    status.insert("updateRevision".into(), update.into());
    status.insert("collisionCount".into(), 0.into());
    world.set_status(STATEFUL_SETS, set, status);
    again
}

//! Deployments: one replica set for each template, rolled over within the bounds of the strategy.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{is_deleting, number, template_hash, text_at};
use super::status::{Condition, Times, condition, count, set_condition, set_unknown};
use super::world::{DEPLOYMENTS, REPLICA_SETS, World, controller_reference};
use crate::engine::{metadata_mut, metadata_text};

const REVISION: &str = "deployment.kubernetes.io/revision";
const COMPONENT: &str = "deployment-controller";
const HASH_LABEL: &str = "pod-template-hash";

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let deployment = world.get(DEPLOYMENTS, task)?;
    if is_deleting(&deployment) {
        return None;
    }
    let uid = metadata_text(&deployment, "uid");
    let mut sets = world.owned(REPLICA_SETS, &task.namespace, uid);
    sets.retain(|set| !is_deleting(set));
    let template = deployment.get("spec")?.get("template")?;
    let present = sets.iter().position(|set| same_template(set, template));
    let paused = deployment.get("spec")?.get("paused") == Some(&Value::Bool(true));
    let Some(present) = present else {
        if paused {
            // Nothing has the new template yet; the status follows all the same.
            return report(world, &deployment, &Map::new(), &sets);
        }
        create_set(world, &deployment, template, &sets);
        return None;
    };
    let new = sets.remove(present);
    record_revision(world, &deployment, &new, &sets);
    if !paused {
        roll(world, &deployment, &new, &sets);
        prune(world, &deployment, &sets);
    } else if sets.iter().all(|set| replicas(set) == 0) {
        // A paused rollout still follows the wanted number.
        let wanted = number(&deployment, &["spec", "replicas"], 1);
        scale(world, &deployment, &new, wanted);
    }
    report(world, &deployment, &new, &sets)
}

/// Tells whether a replica set was made from a template.
fn same_template(set: &Map, template: &Value) -> bool {
    let Some(own) = set.get("spec").and_then(|s| s.get("template")) else {
        return false;
    };
    let mut own = own.clone();
    if let Some(labels) = own
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.remove(HASH_LABEL);
    }
    own == *template
}

fn revision_of(object: &Map) -> i64 {
    text_at(object, &["metadata", "annotations", REVISION])
        .parse()
        .unwrap_or(0)
}

fn create_set(world: &World, deployment: &Map, template: &Value, sets: &[Map]) {
    let hash = template_hash(template);
    let name = format!("{}-{hash}", metadata_text(deployment, "name"));
    let revision = sets.iter().map(revision_of).max().unwrap_or(0) + 1;
    let mut labelled = template.clone();
    let labels = |value: &Value| {
        let mut labels = value.as_object().cloned().unwrap_or_default();
        labels.insert(HASH_LABEL.into(), hash.clone().into());
        Value::Object(labels)
    };
    let own = labels(template.pointer("/metadata/labels").unwrap_or(&Value::Null));
    labelled["metadata"]["labels"] = own.clone();
    let mut selector = deployment
        .get("spec")
        .and_then(|s| s.get("selector"))
        .cloned()
        .unwrap_or_else(|| json!({}));
    selector["matchLabels"] = labels(selector.get("matchLabels").unwrap_or(&Value::Null));
    let wanted = number(deployment, &["spec", "replicas"], 1);
    let first = sets.is_empty();
    let replicas = if first { wanted } else { 0 };
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": metadata_text(deployment, "namespace"), "labels": own,
            "annotations": annotations(deployment, wanted, revision),
            "ownerReferences": [controller_reference("apps/v1", "Deployment", deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": labelled},
    });
    if let Value::Object(mut set) = set {
        set_patience(&mut set, patience_of(deployment));
        match world.try_create(REPLICA_SETS, set) {
            Ok(_) if replicas > 0 => tell(world, deployment, &name, 0, replicas),
            Ok(_) => {}
            Err(failure) => {
                let message = format!(
                    "Failed to create new replica set {name:?}: {}",
                    failure.status.message
                );
                world.warn(COMPONENT, deployment, "ReplicaSetCreateError", &message);
                return;
            }
        }
    }
    let mut status = status_of(deployment);
    let message = format!("Created new replica set \"{name}\"");
    let progressing = Condition {
        kind: "Progressing",
        status: true,
        reason: "NewReplicaSetCreated",
        message: &message,
    };
    set_condition(&mut status, &progressing, Times::Updated, &world.now());
    world.set_status(DEPLOYMENTS, deployment, status);
    set_revision(world, DEPLOYMENTS, deployment, revision);
}

fn annotations(deployment: &Map, wanted: i64, revision: i64) -> Value {
    let mut annotations = deployment
        .get("metadata")
        .and_then(|m| m.get("annotations")?.as_object())
        .cloned()
        .unwrap_or_default();
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    let mut put = |key: &str, value: i64| {
        annotations.insert(key.to_owned(), value.to_string().into());
    };
    put("deployment.kubernetes.io/desired-replicas", wanted);
    put(
        "deployment.kubernetes.io/max-replicas",
        wanted + surge(deployment, wanted).0,
    );
    put(REVISION, revision);
    Value::Object(annotations)
}

/// Gives a replica set that is current again the highest revision, and tells the deployment.
fn record_revision(world: &World, deployment: &Map, new: &Map, old: &[Map]) {
    let highest = old.iter().map(revision_of).max().unwrap_or(0);
    let own = revision_of(new);
    let revision = if own > highest { own } else { highest + 1 };
    if own != revision {
        set_revision(world, REPLICA_SETS, new, revision);
    }
    if revision_of(deployment) != revision {
        set_revision(world, DEPLOYMENTS, deployment, revision);
    }
    let patience = patience_of(deployment);
    if patience != patience_of(new) {
        world.update(REPLICA_SETS, new, |next| set_patience(next, patience));
    }
}

/// Returns how long a pod has to be ready before it counts as available.
fn patience_of(object: &Map) -> i64 {
    number(object, &["spec", "minReadySeconds"], 0)
}

fn set_patience(set: &mut Map, seconds: i64) {
    if let Some(spec) = set.get_mut("spec").and_then(Value::as_object_mut) {
        if seconds == 0 {
            spec.remove("minReadySeconds");
        } else {
            spec.insert("minReadySeconds".into(), seconds.into());
        }
    }
}

fn set_revision(world: &World, which: super::world::Which, object: &Map, revision: i64) {
    world.annotate(which, object, |next| {
        let annotations = metadata_mut(next)
            .entry("annotations")
            .or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(REVISION.into(), revision.to_string().into());
        }
    });
}

/// Returns how many pods may be too many and how many may be missing while rolling.
fn surge(deployment: &Map, wanted: i64) -> (i64, i64) {
    let bound = |key: &str, up: bool| {
        let value = deployment
            .get("spec")
            .and_then(|s| s.get("strategy")?.get("rollingUpdate")?.get(key));
        match value {
            Some(Value::Number(n)) => n.as_i64().unwrap_or(0),
            Some(Value::String(text)) => {
                let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
                let product = wanted * percent;
                if up {
                    (product + 99) / 100
                } else {
                    product / 100
                }
            }
            _ => 0,
        }
    };
    if text_at(deployment, &["spec", "strategy", "type"]) == "Recreate" {
        return (0, wanted);
    }
    let (more, less) = (bound("maxSurge", true), bound("maxUnavailable", false));
    if more == 0 && less == 0 {
        (0, 1)
    } else {
        (more, less)
    }
}

fn replicas(set: &Map) -> i64 {
    number(set, &["spec", "replicas"], 0)
}

fn in_status(set: &Map, key: &str) -> i64 {
    number(set, &["status", key], 0)
}

/// Scales the sets one step towards the wanted state.
fn roll(world: &World, deployment: &Map, new: &Map, old: &[Map]) {
    let wanted = number(deployment, &["spec", "replicas"], 1);
    let old_replicas: i64 = old.iter().map(replicas).sum();
    let recreate = text_at(deployment, &["spec", "strategy", "type"]) == "Recreate";
    if recreate {
        for set in old {
            scale(world, deployment, set, 0);
        }
        let gone = old.iter().all(|set| in_status(set, "replicas") == 0);
        if gone {
            scale(world, deployment, new, wanted);
        }
        return;
    }
    if old_replicas == 0 {
        scale(world, deployment, new, wanted);
        return;
    }
    let (more, less) = surge(deployment, wanted);
    let total = old_replicas + replicas(new);
    if replicas(new) > wanted {
        scale(world, deployment, new, wanted);
    } else if replicas(new) < wanted {
        let room = (wanted + more - total).clamp(0, wanted - replicas(new));
        if room > 0 {
            scale(world, deployment, new, replicas(new) + room);
            return;
        }
    }
    let available: i64 = in_status(new, "availableReplicas")
        + old
            .iter()
            .map(|s| in_status(s, "availableReplicas"))
            .sum::<i64>();
    let unhealthy: i64 = old
        .iter()
        .map(|s| (replicas(s) - in_status(s, "availableReplicas")).max(0))
        .sum();
    let mut removable = (available - (wanted - less)).max(0) + unhealthy;
    for set in old {
        let cut = removable.min(replicas(set));
        if cut > 0 {
            scale(world, deployment, set, replicas(set) - cut);
            removable -= cut;
        }
    }
}

/// Reports that a replica set is scaled.
fn tell(world: &World, deployment: &Map, set: &str, from: i64, to: i64) {
    let direction = if to > from { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {set} from {from} to {to}");
    world.normal(COMPONENT, deployment, "ScalingReplicaSet", &message);
}

fn scale(world: &World, deployment: &Map, set: &Map, wanted: i64) {
    if replicas(set) == wanted {
        return;
    }
    tell(
        world,
        deployment,
        metadata_text(set, "name"),
        replicas(set),
        wanted,
    );
    world.update(REPLICA_SETS, set, |next| {
        if let Some(spec) = next.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("replicas".into(), wanted.into());
        }
    });
}

/// Removes empty replica sets beyond the history limit, oldest revision first.
fn prune(world: &World, deployment: &Map, old: &[Map]) {
    let limit = number(deployment, &["spec", "revisionHistoryLimit"], 10);
    let mut empty: Vec<&Map> = old
        .iter()
        .filter(|set| replicas(set) == 0 && in_status(set, "replicas") == 0)
        .collect();
    let excess = empty
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(0));
    empty.sort_by_key(|set| revision_of(set));
    for set in empty.into_iter().take(excess) {
        world.delete(REPLICA_SETS, set);
    }
}

fn status_of(deployment: &Map) -> Map {
    deployment
        .get("status")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// Writes the status; returns when the progress deadline has to be looked at.
fn report(world: &World, deployment: &Map, new: &Map, old: &[Map]) -> Option<Duration> {
    let wanted = number(deployment, &["spec", "replicas"], 1);
    let sum = |key: &str| in_status(new, key) + old.iter().map(|s| in_status(s, key)).sum::<i64>();
    let (total, available) = (sum("replicas"), sum("availableReplicas"));
    let updated = in_status(new, "replicas");
    let mut status = status_of(deployment);
    let generation = number(deployment, &["metadata", "generation"], 0);
    count(&mut status, "observedGeneration", generation);
    count(&mut status, "replicas", total);
    count(&mut status, "updatedReplicas", updated);
    count(&mut status, "readyReplicas", sum("readyReplicas"));
    count(&mut status, "availableReplicas", available);
    count(
        &mut status,
        "unavailableReplicas",
        (total.max(wanted) - available).max(0),
    );
    let now = world.now();
    let (_, less) = surge(deployment, wanted);
    let enough = available >= wanted - less;
    let (reason, message) = if enough {
        (
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    let availability = Condition {
        kind: "Available",
        status: enough,
        reason,
        message,
    };
    set_condition(&mut status, &availability, Times::Updated, &now);
    let complete = updated == wanted && total == wanted && available == wanted;
    let deadline = progress(world, deployment, new, complete, &mut status, &now);
    world.set_status(DEPLOYMENTS, deployment, status);
    deadline
}

/// Sets the condition `Progressing`.
fn progress(
    world: &World,
    deployment: &Map,
    new: &Map,
    complete: bool,
    status: &mut Map,
    now: &str,
) -> Option<Duration> {
    let name = metadata_text(new, "name");
    let present = condition(deployment, "Progressing");
    let text = |key: &str| {
        let text = present.and_then(|c| c.get(key)).and_then(Value::as_str);
        text.unwrap_or("")
    };
    let paused = deployment.get("spec").and_then(|s| s.get("paused")) == Some(&Value::Bool(true));
    let was_paused = text("reason") == "DeploymentPaused";
    if paused || was_paused {
        let (reason, message) = if paused {
            ("DeploymentPaused", "Deployment is paused")
        } else {
            ("DeploymentResumed", "Deployment is resumed")
        };
        let halted = Condition {
            kind: "Progressing",
            status: false,
            reason,
            message,
        };
        if text("reason") != "ProgressDeadlineExceeded" {
            set_unknown(status, &halted, Times::Updated, now);
        }
        return (!paused).then_some(Duration::from_millis(1));
    }
    if complete {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        let done = Condition {
            kind: "Progressing",
            status: true,
            reason: "NewReplicaSetAvailable",
            message: &message,
        };
        set_condition(status, &done, Times::Updated, now);
        return None;
    }
    let moved = [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ]
    .iter()
    .any(|key| status.get(*key) != deployment.get("status").and_then(|s| s.get(*key)));
    let message = format!("ReplicaSet \"{name}\" is progressing.");
    let settled = text("reason") == "NewReplicaSetAvailable" && text("message").contains(name);
    if moved && !settled {
        let going = Condition {
            kind: "Progressing",
            status: true,
            reason: "ReplicaSetUpdated",
            message: &message,
        };
        set_condition(status, &going, Times::Updated, now);
    }
    let deadline = number(deployment, &["spec", "progressDeadlineSeconds"], 600);
    if settled || text("reason") == "ProgressDeadlineExceeded" || text("lastUpdateTime").is_empty()
    {
        return None;
    }
    let left = deadline - world.seconds_since(text("lastUpdateTime"));
    if left > 0 || moved {
        return Some(Duration::from_secs(u64::try_from(left.max(1)).unwrap_or(1)));
    }
    let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
    let late = Condition {
        kind: "Progressing",
        status: false,
        reason: "ProgressDeadlineExceeded",
        message: &message,
    };
    set_condition(status, &late, Times::Updated, now);
    None
}

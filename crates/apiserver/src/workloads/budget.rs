//! Disruption budgets: how many pods there are, how many have to be healthy, how many may go.

use std::time::Duration;

use objects::{LabelSelector, Map, Value, json};

use super::Task;
use super::owned::{is_deleting, is_ready, number};
use super::pod::is_active;
use super::world::{BUDGETS, DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, World};
use crate::engine::metadata_text;

/// Looks at all budgets of a namespace.
pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    for budget in world.select(BUDGETS, &task.namespace, |entry| !entry.meta.deleting) {
        report(world, &budget);
    }
    None
}

fn report(world: &World, budget: &Map) {
    let namespace = metadata_text(budget, "namespace");
    let selector = budget
        .get("spec")
        .and_then(|s| s.get("selector")?.as_object());
    let mut pods = match selector {
        Some(selector) => {
            let selector = LabelSelector::of_object(selector);
            world.select(PODS, namespace, |entry| {
                selector.matches(|key| entry.label(key))
            })
        }
        None => Vec::new(),
    };
    pods.retain(is_active);
    if pods.is_empty() {
        world.normal(
            "controllermanager",
            budget,
            "NoPods",
            "No matching pods found",
        );
    }
    let healthy = pods
        .iter()
        .filter(|pod| is_ready(pod) && !is_deleting(pod))
        .count() as i64;
    let expected = expected(world, &pods);
    let (expected, desired) = desired(budget, expected, pods.len() as i64);
    let allowed = if expected > 0 {
        (healthy - desired).max(0)
    } else {
        0
    };
    let generation = number(budget, &["metadata", "generation"], 0);
    let (state, reason) = if allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let before = super::status::condition(budget, "DisruptionAllowed");
    let same = before.is_some_and(|c| c.get("status").and_then(Value::as_str) == Some(state));
    let since = before.and_then(|c| c.get("lastTransitionTime")).cloned();
    let since = since.filter(|_| same).unwrap_or_else(|| world.now().into());
    let status = json!({
        "conditions": [{
            "type": "DisruptionAllowed", "status": state, "reason": reason, "message": "",
            "lastTransitionTime": since, "observedGeneration": generation,
        }],
        "currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": allowed,
        "expectedPods": expected, "observedGeneration": generation,
    });
    if let Value::Object(status) = status {
        world.set_status(BUDGETS, budget, status);
    }
}

/// Adds up the wanted replicas of the owners of pods; a pod without a known one counts as one.
fn expected(world: &World, pods: &[Map]) -> i64 {
    let mut counted: Vec<String> = Vec::new();
    let mut total = 0;
    for pod in pods {
        match controller(world, pod) {
            Some(owner) => {
                let uid = metadata_text(&owner, "uid").to_owned();
                if !counted.contains(&uid) {
                    total += number(&owner, &["spec", "replicas"], 1);
                    counted.push(uid);
                }
            }
            None => total += 1,
        }
    }
    total
}

/// Finds what decides about the number of a pod's siblings: the deployment behind a replica set, or the owner itself.
fn controller(world: &World, object: &Map) -> Option<Map> {
    let namespace = metadata_text(object, "namespace");
    let owners = object.get("metadata")?.get("ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|o| o["controller"] == true)?;
    let name = owner["name"].as_str()?;
    match owner["kind"].as_str()? {
        "ReplicaSet" => {
            let set = world.find(REPLICA_SETS, namespace, name)?;
            controller(world, &set).or(Some(set))
        }
        "Deployment" => world.find(DEPLOYMENTS, namespace, name),
        "StatefulSet" => world.find(STATEFUL_SETS, namespace, name),
        _ => None,
    }
}

/// Returns how many pods are expected and how many of them have to be healthy.
fn desired(budget: &Map, expected: i64, present: i64) -> (i64, i64) {
    let spec = budget.get("spec");
    let scaled = |value: &Value| match value {
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            (expected * percent + 99) / 100
        }
        value => value.as_i64().unwrap_or(0),
    };
    if let Some(most) = spec.and_then(|s| s.get("maxUnavailable")) {
        return (expected, (expected - scaled(most)).max(0));
    }
    match spec.and_then(|s| s.get("minAvailable")) {
        Some(least @ Value::String(_)) => (expected, scaled(least)),
        Some(least) => (present, least.as_i64().unwrap_or(0)),
        None => (expected, 0),
    }
}

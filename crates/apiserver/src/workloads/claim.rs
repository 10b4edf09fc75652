//! Claims: bound at once to a volume made for them.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{is_deleting, text_at};
use super::world::{CLAIMS, VOLUMES, World};
use crate::engine::{metadata_mut, metadata_text};

const PROTECTION: &str = "kubernetes.io/pvc-protection";

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let claim = world.get(CLAIMS, task)?;
    if is_deleting(&claim) {
        release(world, &claim);
        return None;
    }
    if text_at(&claim, &["status", "phase"]) == "Bound" {
        return None;
    }
    let volume = match text_at(&claim, &["spec", "volumeName"]) {
        "" => provision(world, &claim)?,
        name => name.to_owned(),
    };
    if text_at(&claim, &["spec", "volumeName"]).is_empty() {
        world.update(CLAIMS, &claim, |next| {
            if let Some(spec) = next.get_mut("spec").and_then(Value::as_object_mut) {
                spec.insert("volumeName".into(), volume.clone().into());
            }
        });
    }
    let spec = claim.get("spec")?;
    let storage = spec.pointer("/resources/requests/storage");
    let status = json!({
        "phase": "Bound", "accessModes": spec.get("accessModes").cloned().unwrap_or_else(|| json!([])),
        "capacity": {"storage": storage.cloned().unwrap_or_else(|| "0".into())},
    });
    if let Value::Object(status) = status {
        world.set_status(CLAIMS, &claim, status);
    }
    None
}

/// Makes the volume of a claim; returns its name.
fn provision(world: &World, claim: &Map) -> Option<String> {
    let name = format!("pvc-{}", metadata_text(claim, "uid"));
    let spec = claim.get("spec")?;
    let storage = spec.pointer("/resources/requests/storage");
    let class = text_at(claim, &["spec", "storageClassName"]);
    if world.find(VOLUMES, "", &name).is_none() {
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {
                "accessModes": spec.get("accessModes").cloned().unwrap_or_else(|| json!([])),
                "capacity": {"storage": storage.cloned().unwrap_or_else(|| "0".into())},
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": metadata_text(claim, "name"),
                    "namespace": metadata_text(claim, "namespace"), "uid": metadata_text(claim, "uid"),
                },
                "hostPath": {"path": format!("/simulated/{name}")},
                "persistentVolumeReclaimPolicy": "Delete", "storageClassName": class,
            },
        });
        if let Value::Object(volume) = volume {
            let volume = world.create(VOLUMES, volume)?;
            let mut status = Map::new();
            status.insert("phase".into(), "Bound".into());
            world.set_status(VOLUMES, &volume, status);
        }
    }
    Some(name)
}

/// Lets a deleted claim go, and its volume with it. Pods here never hold a claim open.
fn release(world: &World, claim: &Map) {
    let volume = text_at(claim, &["spec", "volumeName"]).to_owned();
    if volume == format!("pvc-{}", metadata_text(claim, "uid"))
        && let Some(volume) = world.find(VOLUMES, "", &volume)
    {
        world.update(VOLUMES, &volume, |next| {
            metadata_mut(next).remove("finalizers");
        });
        world.delete(VOLUMES, &volume);
    }
    world.update(CLAIMS, claim, |next| {
        let finalizers = metadata_mut(next).get_mut("finalizers");
        if let Some(list) = finalizers.and_then(Value::as_array_mut) {
            list.retain(|finalizer| finalizer.as_str() != Some(PROTECTION));
        }
    });
}

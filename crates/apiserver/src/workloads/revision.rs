//! ControllerRevisions: the templates that stateful and daemon sets had, for `kubectl rollout history` and `undo`.

use objects::{Map, Value, json};

use super::owned::number;
use super::world::{REVISIONS, World, controller_reference};
use crate::engine::{metadata_mut, metadata_text};

const HASH_LABEL: &str = "controller-revision-hash";

/// Keeps the present template of a set as its newest revision, and drops those beyond the history limit.
pub(super) fn record(world: &World, set: &Map, hash: &str) {
    let name = format!("{}-{hash}", metadata_text(set, "name"));
    let uid = metadata_text(set, "uid");
    let mut known = world.owned(REVISIONS, metadata_text(set, "namespace"), uid);
    known.sort_by_key(revision);
    let highest = known.last().map_or(0, revision);
    match known
        .iter()
        .find(|known| metadata_text(known, "name") == name)
    {
        Some(known) if revision(known) == highest => {}
        Some(known) => world.update(REVISIONS, known, |next| {
            next.insert("revision".into(), (highest + 1).into());
        }),
        None => create(world, set, &name, hash, highest + 1),
    }
    prune(world, set, &known, &name);
}

fn revision(revision: &Map) -> i64 {
    number(revision, &["revision"], 0)
}

fn create(world: &World, set: &Map, name: &str, hash: &str, revision: i64) {
    let text = |key: &str| set.get(key).and_then(Value::as_str).unwrap_or("");
    let spec = set.get("spec");
    let mut template = spec
        .and_then(|spec| spec.get("template"))
        .cloned()
        .unwrap_or_else(|| json!({}));
    let mut labels = template
        .pointer("/metadata/labels")
        .cloned()
        .unwrap_or_else(|| json!({}));
    labels[HASH_LABEL] = hash.into();
    template["$patch"] = "replace".into();
    let object = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {
            "name": name, "namespace": metadata_text(set, "namespace"), "labels": labels,
            "annotations": set.get("metadata").and_then(|m| m.get("annotations")).cloned().unwrap_or_else(|| json!({})),
            "ownerReferences": [controller_reference(text("apiVersion"), text("kind"), set)],
        },
        "data": {"spec": {"template": template}}, "revision": revision,
    });
    if let Value::Object(mut object) = object {
        let annotations = metadata_mut(&mut object).get_mut("annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        world.create(REVISIONS, object);
    }
}

fn prune(world: &World, set: &Map, known: &[Map], current: &str) {
    let limit = number(set, &["spec", "revisionHistoryLimit"], 10);
    let old: Vec<&Map> = known
        .iter()
        .filter(|known| metadata_text(known, "name") != current)
        .collect();
    let excess = old
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(0));
    for revision in old.into_iter().take(excess) {
        world.delete(REVISIONS, revision);
    }
}

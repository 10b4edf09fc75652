//! Pods of the workload kinds: how they are made, and what their owners count.

use std::time::Duration;

use objects::{Map, Value, json};

use super::pod::NODE;
use super::world::{PODS, World, controller_reference};
use crate::engine::metadata_text;

/// How to name and own new pods.
pub(super) struct Template<'a> {
    pub(super) owner: &'a Map,
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
    /// Name of the pod; generated from the owner's where empty.
    pub(super) name: String,
    /// Labels beyond the template's.
    pub(super) labels: Vec<(&'static str, String)>,
}

impl Template<'_> {
    /// Builds a pod from `spec.template` of the owner.
    pub(super) fn pod(&self) -> Map {
        let template = self.owner.get("spec").and_then(|s| s.get("template"));
        let part = |key: &str| template.and_then(|t| t.get("metadata")?.get(key)).cloned();
        let mut metadata = Map::new();
        metadata.insert(
            "namespace".into(),
            metadata_text(self.owner, "namespace").into(),
        );
        if self.name.is_empty() {
            let base = format!("{}-", metadata_text(self.owner, "name"));
            metadata.insert("generateName".into(), base.into());
        } else {
            metadata.insert("name".into(), self.name.clone().into());
        }
        if let Some(annotations) = part("annotations") {
            metadata.insert("annotations".into(), annotations);
        }
        let mut labels = part("labels")
            .and_then(|labels| labels.as_object().cloned())
            .unwrap_or_default();
        for (key, value) in &self.labels {
            labels.insert((*key).to_owned(), value.clone().into());
        }
        metadata.insert("labels".into(), Value::Object(labels));
        let reference = controller_reference(self.api_version, self.kind, self.owner);
        metadata.insert("ownerReferences".into(), json!([reference]));
        let mut spec = template
            .and_then(|t| t.get("spec")?.as_object())
            .cloned()
            .unwrap_or_default();
        spec.entry("nodeName").or_insert_with(|| NODE.into());
        let mut pod = Map::new();
        pod.insert("apiVersion".into(), "v1".into());
        pod.insert("kind".into(), "Pod".into());
        pod.insert("metadata".into(), Value::Object(metadata));
        pod.insert("spec".into(), Value::Object(spec));
        pod
    }

    /// Creates the pod, and reports it or the refusal.
    pub(super) fn create(&self, world: &World) -> Option<Map> {
        self.create_as(world, self.pod())
    }

    /// Creates a pod that was changed after it was built.
    pub(super) fn create_as(&self, world: &World, pod: Map) -> Option<Map> {
        let component = component(self.kind);
        match world.try_create(PODS, pod) {
            Ok(pod) => {
                let message = format!("Created pod: {}", metadata_text(&pod, "name"));
                world.normal(component, self.owner, "SuccessfulCreate", &message);
                Some(pod)
            }
            Err(failure) => {
                let message = format!("Error creating: {}", failure.status.message);
                world.warn(component, self.owner, "FailedCreate", &message);
                None
            }
        }
    }
}

/// Names the controller of a kind, as its events do.
pub(super) fn component(kind: &str) -> &'static str {
    match kind {
        "ReplicaSet" => "replicaset-controller",
        "DaemonSet" => "daemonset-controller",
        "StatefulSet" => "statefulset-controller",
        "Job" => "job-controller",
        _ => "deployment-controller",
    }
}

/// Counts the pods that have been ready for a while; also returns when the next one will have been.
pub(super) fn available(world: &World, owner: &Map, pods: &[Map]) -> (i64, Option<Duration>) {
    let wanted = number(owner, &["spec", "minReadySeconds"], 0);
    let mut count = 0;
    let mut next: Option<i64> = None;
    for pod in pods.iter().filter(|pod| is_ready(pod)) {
        let since = super::status::condition(pod, "Ready")
            .and_then(|c| c.get("lastTransitionTime")?.as_str())
            .unwrap_or("");
        let left = wanted - world.seconds_since(since);
        if wanted == 0 || left <= 0 {
            count += 1;
        } else {
            next = Some(next.map_or(left, |next| next.min(left)));
        }
    }
    let next = next.map(|left| Duration::from_secs(u64::try_from(left).unwrap_or(1)));
    (count, next)
}

/// Tells whether an object is marked for deletion.
pub(super) fn is_deleting(object: &Map) -> bool {
    !metadata_text(object, "deletionTimestamp").is_empty()
}

/// Tells whether a pod's condition `Ready` is true.
pub(super) fn is_ready(pod: &Map) -> bool {
    super::status::condition(pod, "Ready").is_some_and(|c| c.get("status") == Some(&"True".into()))
}

/// Returns `status.phase`.
pub(super) fn phase(pod: &Map) -> &str {
    pod.get("status")
        .and_then(|s| s.get("phase"))
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// Tells whether a pod has ended.
pub(super) fn is_finished(pod: &Map) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Returns a label of an object, or "".
pub(super) fn label<'a>(object: &'a Map, key: &str) -> &'a str {
    object
        .get("metadata")
        .and_then(|m| m.get("labels")?.get(key)?.as_str())
        .unwrap_or("")
}

/// Reads a whole number at a path, or a default.
pub(super) fn number(object: &Map, path: &[&str], default: i64) -> i64 {
    let (first, rest) = match path.split_first() {
        Some(parts) => parts,
        None => return default,
    };
    rest.iter()
        .try_fold(object.get(*first), |value, key| Some(value?.get(*key)))
        .flatten()
        .and_then(Value::as_i64)
        .unwrap_or(default)
}

/// Reads a text at a path, or "".
pub(super) fn text_at<'a>(object: &'a Map, path: &[&str]) -> &'a str {
    let Some((first, rest)) = path.split_first() else {
        return "";
    };
    rest.iter()
        .try_fold(object.get(*first), |value, key| Some(value?.get(*key)))
        .flatten()
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// Hashes a pod template to a name-safe text of ten characters. Kubernetes uses another hash; its value means nothing.
pub(super) fn template_hash(template: &Value) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in template.to_string().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut out = String::with_capacity(10);
    for _ in 0..10 {
        out.push(char::from(ALPHABET[(hash % 27) as usize]));
        hash = (hash / 27) ^ hash.rotate_left(7);
    }
    out
}

//! What the subresources `ephemeralcontainers` and `resize` of a pod may change, and what they refuse.

use cluster::StatusCause;
use objects::{Map, Value};

use crate::catalog::text;
use crate::failure::field;

/// Members of a container that a debugging container cannot have.
const NOT_EPHEMERAL: [&str; 8] = [
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resizePolicy",
    "resources",
    "restartPolicyRules",
    "startupProbe",
];

/// Keeps of a pod's new state what a subresource may change.
pub fn prepare(sub: &str, live: &Map, next: &mut Map) {
    if !matches!(sub, "ephemeralcontainers" | "resize") {
        return;
    }
    let spec = next.remove("spec").unwrap_or_default();
    let metadata = next.remove("metadata");
    *next = live.clone();
    if let Some(metadata) = metadata.as_ref().and_then(Value::as_object) {
        let own = crate::engine::metadata_mut(next);
        for key in [
            "managedFields",
            "resourceVersion",
            "uid",
            "name",
            "namespace",
        ] {
            if let Some(value) = metadata.get(key) {
                own.insert(key.to_owned(), value.clone());
            }
        }
    }
    let Some(kept) = next.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    if sub == "ephemeralcontainers" {
        match spec
            .get("ephemeralContainers")
            .filter(|list| !list.is_null())
        {
            Some(list) => kept.insert("ephemeralContainers".into(), list.clone()),
            None => kept.remove("ephemeralContainers"),
        };
        return;
    }
    for list in ["containers", "initContainers"] {
        let wanted: Vec<&Map> = containers(&spec, list).collect();
        let own = kept.get_mut(list).and_then(Value::as_array_mut);
        for container in own.into_iter().flatten().filter_map(Value::as_object_mut) {
            let name = text(container, "name").to_owned();
            let Some(new) = wanted.iter().find(|new| text(new, "name") == name) else {
                continue;
            };
            for key in ["resources", "resizePolicy"] {
                match new.get(key) {
                    Some(value) => container.insert(key.to_owned(), value.clone()),
                    None => container.remove(key),
                };
            }
        }
    }
}

fn containers<'a>(spec: &'a Value, list: &str) -> impl Iterator<Item = &'a Map> {
    let list = spec.get(list).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

/// Lists what is wrong with a pod's new state under a subresource.
pub fn faults(sub: &str, next: &Map, live: &Map) -> Vec<StatusCause> {
    let nothing = Value::Null;
    let (new, old) = (
        next.get("spec").unwrap_or(&nothing),
        live.get("spec").unwrap_or(&nothing),
    );
    match sub {
        "ephemeralcontainers" => {
            let mut causes = ephemeral(new);
            causes.extend(changed(new, old));
            causes
        }
        "resize" => resized(new, old),
        _ => Vec::new(),
    }
}

fn ephemeral(spec: &Value) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    let others = ["containers", "initContainers"].map(|list| containers(spec, list));
    let mut names: Vec<&str> = others
        .into_iter()
        .flatten()
        .map(|c| text(c, "name"))
        .collect();
    let known = names.len();
    for (index, container) in containers(spec, "ephemeralContainers").enumerate() {
        let path = format!("spec.ephemeralContainers[{index}]");
        let name = text(container, "name");
        if name.is_empty() {
            causes.push(field::required(&format!("{path}.name"), ""));
        } else if names.contains(&name) {
            causes.push(field::duplicate(&format!("{path}.name"), &name.into()));
        }
        names.push(name);
        if text(container, "image").is_empty() {
            causes.push(field::required(&format!("{path}.image"), ""));
        }
        let target = text(container, "targetContainerName");
        if !target.is_empty() && !names[..known].contains(&target) {
            let path = format!("{path}.targetContainerName");
            causes.push(field::not_found(&path, &target.into()));
        }
        for member in NOT_EPHEMERAL {
            let empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
            if container
                .get(member)
                .is_some_and(|v| !v.is_null() && !empty(v))
            {
                let why = "cannot be set for an Ephemeral Container";
                causes.push(field::forbidden(&format!("{path}.{member}"), why));
            }
        }
    }
    causes
}

/// Debugging containers are added and never changed.
fn changed(new: &Value, old: &Value) -> Vec<StatusCause> {
    const FIELD: &str = "spec.ephemeralContainers";
    let mut causes = Vec::new();
    for before in containers(old, "ephemeralContainers") {
        let name = text(before, "name");
        let mut same = containers(new, "ephemeralContainers");
        match same.find(|c| text(c, "name") == name) {
            None => {
                let why = format!("existing ephemeral containers \"{name}\" may not be removed\n");
                causes.push(field::forbidden(FIELD, &why));
            }
            Some(now) if now != before => {
                let found = crate::internals::difference("EphemeralContainer", before, now);
                let why =
                    format!("existing ephemeral containers \"{name}\" may not be changed\n{found}");
                causes.push(field::forbidden(FIELD, &why));
            }
            Some(_) => {}
        }
    }
    causes
}

fn resized(new: &Value, old: &Value) -> Vec<StatusCause> {
    let class = |spec: &Value| spec.as_object().map(crate::defaults::quality_of_service);
    let (before, after) = (class(old), class(new));
    if before == after {
        return Vec::new();
    }
    let why = "Pod QOS Class may not change as a result of resizing";
    let value = before.map(Value::from).unwrap_or_default();
    vec![field::invalid("spec", &value, why)]
}

//! Warnings about pods and pod templates.

use std::collections::BTreeMap;

use objects::{Map, Value};

use super::fractional;
use crate::catalog::text;
use crate::engine::Context;

/// Labels of nodes that have a successor: since when, and which.
const NODE_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "v1.17",
        "topology.kubernetes.io/region",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "v1.17",
        "topology.kubernetes.io/zone",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "v1.17",
        "node.kubernetes.io/instance-type",
    ),
];
const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// Volumes that are no longer: field, as upstream writes it, since when.
const VOLUMES: [(&str, &str, &str); 9] = [
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "gitRepo",
        "v1.11, and disabled by default in v1.33+",
    ),
    ("scaleIO", "scaleIO", "v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "v1.28, non-functional in v1.31+"),
];

fn items<'a>(object: &'a Map, key: &str) -> impl Iterator<Item = (usize, &'a Map)> + use<'a> {
    let list = object.get(key).and_then(Value::as_array);
    let list = list.into_iter().flatten().enumerate();
    list.filter_map(|(at, item)| Some((at, item.as_object()?)))
}

/// Warns about a pod, or a template of pods at a path.
pub(super) fn warn(context: &Context, pod: &Map, prefix: &str) {
    let annotations = pod
        .get("metadata")
        .and_then(|m| m.get("annotations")?.as_object());
    let Some(spec) = pod.get("spec").and_then(Value::as_object) else {
        return;
    };
    placement(context, spec, prefix);
    volumes(context, spec, prefix);
    repeated(context, spec, prefix);
    let profile = spec
        .get("securityContext")
        .and_then(|c| c.get("seccompProfile"));
    if profile.is_none_or(Value::is_null)
        && annotations.is_some_and(|annotations| annotations.contains_key(SECCOMP))
    {
        context.warn(format!(
            "{prefix}metadata.annotations[{SECCOMP}]: non-functional in v1.27+; use the \"seccompProfile\" field instead"
        ));
    }
    for (path, container) in containers(spec, prefix) {
        for side in ["limits", "requests"] {
            for resource in ["memory", "ephemeral-storage"] {
                let amount = container
                    .get("resources")
                    .and_then(|r| r.get(side)?.get(resource));
                let path = format!("{path}.resources.{side}[{resource}]");
                fractional(context, amount.and_then(Value::as_str), &path);
            }
        }
        environment(context, container, &path);
    }
    ports(context, spec, prefix);
    let grace = spec
        .get("terminationGracePeriodSeconds")
        .and_then(Value::as_i64);
    if grace.is_some_and(|grace| grace < 0) {
        context.warn(format!(
            "{prefix}spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
}

fn containers<'a>(spec: &'a Map, prefix: &str) -> Vec<(String, &'a Map)> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let all = lists.iter().flat_map(|list| {
        let own = items(spec, list);
        own.map(move |(i, container)| (format!("{prefix}spec.{list}[{i}]"), container))
    });
    all.collect()
}

fn placement(context: &Context, spec: &Map, prefix: &str) {
    let nodes = spec.get("nodeSelector").and_then(Value::as_object);
    for (label, since, successor) in NODE_LABELS {
        if nodes.is_some_and(|nodes| nodes.contains_key(label)) {
            context.warn(format!(
                "{prefix}spec.nodeSelector[{label}]: deprecated since {since}; use \"{successor}\" instead"
            ));
        }
    }
    for (i, constraint) in items(spec, "topologySpreadConstraints") {
        let path = format!("{prefix}spec.topologySpreadConstraints[{i}]");
        let key = text(constraint, "topologyKey");
        if let Some((_, since, successor)) = NODE_LABELS.iter().find(|(label, ..)| *label == key) {
            context.warn(format!(
                "{path}.topologyKey: {key} is deprecated since {since}; use \"{successor}\" instead"
            ));
        }
        if constraint.get("labelSelector").is_none_or(Value::is_null) {
            context.warn(format!(
                "{path}.labelSelector: a null labelSelector results in matching no pod"
            ));
        }
    }
}

fn volumes(context: &Context, spec: &Map, prefix: &str) {
    for (i, volume) in items(spec, "volumes") {
        for (source, shown, since) in VOLUMES {
            if volume.get(source).is_some_and(|value| !value.is_null()) {
                context.warn(format!(
                    "{prefix}spec.volumes[{i}].{shown}: deprecated in {since}"
                ));
            }
        }
    }
    for (_, volume) in items(spec, "volumes") {
        let name = text(volume, "name");
        let sources = volume
            .get("projected")
            .and_then(|p| p.get("sources")?.as_array());
        for source in sources.into_iter().flatten().filter_map(Value::as_object) {
            if source.values().all(Value::is_null) {
                context.warn(format!(
                    "volume \"{name}\" (Projected) has no sources provided"
                ));
            }
        }
    }
}

/// Warns about what is in a list twice, and about pull secrets without a name.
fn repeated(context: &Context, spec: &Map, prefix: &str) {
    for (list, key) in [("hostAliases", "ip"), ("imagePullSecrets", "name")] {
        let mut seen: Vec<&str> = Vec::new();
        for (i, item) in items(spec, list) {
            let value = text(item, key);
            if seen.contains(&value) {
                context.warn(format!(
                    "{prefix}spec.{list}[{i}].{key}: duplicate {key} \"{value}\""
                ));
            }
            seen.push(value);
        }
    }
    for (i, secret) in items(spec, "imagePullSecrets") {
        if text(secret, "name").is_empty() {
            context.warn(format!(
                "{prefix}spec.imagePullSecrets[{i}].name: invalid empty name \"\""
            ));
        }
    }
}

/// A later variable may build on an earlier one of its name.
fn environment(context: &Context, container: &Map, path: &str) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, variable) in items(container, "env") {
        let (name, value) = (text(variable, "name"), text(variable, "value"));
        if !seen.contains(&name) {
            seen.push(name);
            continue;
        }
        let reference = format!("$({name})");
        let replaces = variable
            .get("valueFrom")
            .is_some_and(|from| !from.is_null());
        if replaces || value == reference || !value.contains(&reference) {
            context.warn(format!(
                "{path}.env[{i}]: hides previous definition of \"{name}\", which may be dropped when using apply"
            ));
        }
    }
}

struct Port<'a> {
    path: String,
    host_port: i64,
    host_address: &'a str,
}

fn ports(context: &Context, spec: &Map, prefix: &str) {
    let mut all: BTreeMap<(i64, &str), Vec<Port<'_>>> = BTreeMap::new();
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut about_names = Vec::new();
    for (path, container) in containers(spec, prefix) {
        for (i, port) in items(container, "ports") {
            let number = |key: &str| port.get(key).and_then(Value::as_i64).unwrap_or(0);
            let new = Port {
                path: format!("{path}.ports[{i}]"),
                host_port: number("hostPort"),
                host_address: text(port, "hostIP"),
            };
            let name = text(port, "name");
            match names.get(name) {
                Some(other) => about_names.push(format!(
                    "{}: duplicate port name \"{name}\" with {other}, services and probes that select ports by name will use {other}",
                    new.path
                )),
                None if name.is_empty() => {}
                None => {
                    names.insert(name, new.path.clone());
                }
            }
            let others = all
                .entry((number("containerPort"), text(port, "protocol")))
                .or_default();
            for other in others.iter() {
                if let Some(how) = clash(&new, other) {
                    context.warn(format!(
                        "{}: {how} port definition with {}",
                        new.path, other.path
                    ));
                }
            }
            others.push(new);
        }
    }
    for warning in about_names {
        context.warn(warning);
    }
}

/// Says how two ports of one number and protocol are in each other's way.
fn clash(new: &Port<'_>, other: &Port<'_>) -> Option<&'static str> {
    let bare = |port: &Port<'_>| port.host_address.is_empty();
    if new.host_port == other.host_port && new.host_address == other.host_address {
        Some("duplicate")
    } else if new.host_port == 0 || other.host_port == 0 {
        Some("overlapping")
    } else if new.host_port == other.host_port && bare(new) != bare(other) {
        Some("dangerously ambiguous")
    } else {
        None
    }
}

//! Warnings about accepted but questionable pods, in the words of Kubernetes.

use objects::{Map, Value};

use crate::catalog::{Resource, text};
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

/// Warns about the pod of an object, or about its pod template.
pub fn warn(context: &Context, resource: &Resource, object: &Map) {
    match (resource.group(), resource.plural()) {
        ("", "pods") => pod(context, object, ""),
        ("apps", _) | ("batch", "jobs") | ("", "replicationcontrollers") => {
            let template = object
                .get("spec")
                .and_then(|spec| spec.get("template")?.as_object());
            if let Some(template) = template {
                pod(context, template, "spec.template.");
            }
        }
        ("batch", "cronjobs") => {
            let template = object
                .get("spec")
                .and_then(|spec| spec.pointer("/jobTemplate/spec/template")?.as_object());
            if let Some(template) = template {
                pod(context, template, "spec.jobTemplate.spec.template.");
            }
        }
        _ => {}
    }
}

fn pod(context: &Context, pod: &Map, prefix: &str) {
    let annotations = pod
        .get("metadata")
        .and_then(|m| m.get("annotations")?.as_object());
    let Some(spec) = pod.get("spec").and_then(Value::as_object) else {
        return;
    };
    let nodes = spec.get("nodeSelector").and_then(Value::as_object);
    for (label, since, successor) in NODE_LABELS {
        if nodes.is_some_and(|nodes| nodes.contains_key(label)) {
            context.warn(format!(
                "{prefix}spec.nodeSelector[{label}]: deprecated since {since}; use \"{successor}\" instead"
            ));
        }
    }
    let spread = spec
        .get("topologySpreadConstraints")
        .and_then(Value::as_array);
    for (i, constraint) in spread.into_iter().flatten().enumerate() {
        if constraint.get("labelSelector").is_none_or(Value::is_null) {
            context.warn(format!(
                "{prefix}spec.topologySpreadConstraints[{i}].labelSelector: a null labelSelector results in matching no pod"
            ));
        }
    }
    if annotations.is_some_and(|annotations| annotations.contains_key(SECCOMP)) {
        context.warn(format!(
            "{prefix}metadata.annotations[{SECCOMP}]: non-functional in v1.27+; use the \"seccompProfile\" field instead"
        ));
    }
    for list in ["initContainers", "containers"] {
        let containers = spec.get(list).and_then(Value::as_array);
        for (i, container) in containers.into_iter().flatten().enumerate() {
            environment(context, container, &format!("{prefix}spec.{list}[{i}]"));
        }
    }
}

fn environment(context: &Context, container: &Value, path: &str) {
    let variables = container.get("env").and_then(Value::as_array);
    let mut seen: Vec<&str> = Vec::new();
    for (i, variable) in variables.into_iter().flatten().enumerate() {
        let Some(variable) = variable.as_object() else {
            continue;
        };
        let name = text(variable, "name");
        if seen.contains(&name) {
            context.warn(format!(
                "{path}.env[{i}]: hides previous definition of \"{name}\", which may be dropped when using apply"
            ));
        }
        seen.push(name);
    }
}

//! Containers: names, images, ports, restarts.

use std::collections::BTreeSet;

use objects::{Map, Value};

use super::super::{Faults, at, items, map_at, number, text};
use super::environment::{environment, environment_sources};
use super::mounts::{devices, mounts};
use super::{Scene, handler, port_name, port_number, resources, security};

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
/// Why init containers have no probes and handlers.
const NOT_INIT: &str = "may not be set for init containers without restartPolicy=Always";

/// Checks the containers that run the pod's program.
pub(super) fn containers(spec: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let path = format!("{path}.containers");
    if items(spec, &["containers"]).next().is_none() {
        return faults.required(&path, "");
    }
    let mut names = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for (i, container) in items(spec, &["containers"]) {
        let own = format!("{path}[{i}]");
        common(container, &own, scene, faults);
        let name = text(container, "name");
        if !names.insert(name) {
            faults.duplicate(&format!("{own}.name"), name);
        }
        handler::all(container, &own, scene, faults);
        restart(container, &own, faults);
    }
    for (i, container) in items(spec, &["containers"]) {
        host_ports(container, &format!("{path}[{i}]"), &mut taken, faults);
    }
}

/// Checks the containers that run before.
pub(super) fn init_containers(spec: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let mut names: BTreeSet<&str> = items(spec, &["containers"])
        .map(|(_, container)| text(container, "name"))
        .collect();
    for (i, container) in items(spec, &["initContainers"]) {
        let own = format!("{path}.initContainers[{i}]");
        common(container, &own, scene, faults);
        restart(container, &own, faults);
        let name = text(container, "name");
        if names.contains(name) {
            faults.duplicate(&format!("{own}.name"), name);
        } else if !name.is_empty() {
            names.insert(name);
        }
        // Each runs alone; upstream counts them from zero.
        let first = format!("{path}.initContainers[0]");
        host_ports(container, &first, &mut BTreeSet::new(), faults);
        if text(container, "restartPolicy") == "Always" {
            handler::all(container, &own, scene, faults);
            continue;
        }
        for key in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            if at(container, &[key]).is_some() {
                faults.forbidden(&format!("{own}.{key}"), NOT_INIT);
            }
        }
    }
}

fn common(container: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    faults.label_name(&format!("{path}.name"), text(container, "name"));
    if text(container, "image").is_empty() {
        faults.required(&format!("{path}.image"), "");
    }
    let own = format!("{path}.terminationMessagePolicy");
    match text(container, "terminationMessagePolicy") {
        "" => faults.required(&own, ""),
        policy => faults.one_of(&own, policy, &["File", "FallbackToLogsOnError"]),
    }
    ports(container, path, faults);
    environment(container, path, faults);
    environment_sources(container, path, faults);
    mounts(container, path, scene, faults);
    devices(container, path, scene, faults);
    let own = format!("{path}.imagePullPolicy");
    pull_policy(&own, text(container, "imagePullPolicy"), faults);
    if let Some(own) = map_at(container, &["resources"]) {
        resources::requirements(own, &format!("{path}.resources"), scene, faults);
    }
    resizing(container, path, scene, faults);
    if let Some(context) = map_at(container, &["securityContext"]) {
        security::of_container(context, &format!("{path}.securityContext"), scene, faults);
    }
}

pub(super) fn pull_policy(path: &str, policy: &str, faults: &mut Faults) {
    match policy {
        "" => faults.required(path, ""),
        policy => faults.one_of(path, policy, &["Always", "IfNotPresent", "Never"]),
    }
}

fn restart(container: &Map, path: &str, faults: &mut Faults) {
    let rules = items(container, &["restartPolicyRules"]).next().is_some();
    let own = format!("{path}.restartPolicy");
    match at(container, &["restartPolicy"]).and_then(Value::as_str) {
        Some(policy) => faults.one_of(&own, policy, &["Always", "Never", "OnFailure"]),
        None if rules => {
            let why = "must specify restartPolicy when restart rules are used";
            faults.required(&own, why);
        }
        None => {}
    }
}

fn resizing(container: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let path = format!("{path}.resizePolicy");
    let mut seen = BTreeSet::new();
    for (i, policy) in items(container, &["resizePolicy"]) {
        let (resource, restart) = (text(policy, "resourceName"), text(policy, "restartPolicy"));
        if !seen.insert(resource) {
            faults.duplicate(&format!("{path}[{i}]"), resource);
        }
        for (word, words) in [
            (resource, ["cpu", "memory"]),
            (restart, ["NotRequired", "RestartContainer"]),
        ] {
            match word {
                "" => faults.required(&path, ""),
                word => faults.one_of(&path, word, &words),
            }
        }
        if scene.restart_policy == "Never" && restart != "NotRequired" {
            let why = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            faults.invalid(&path, &restart.into(), why);
        }
    }
}

fn ports(container: &Map, path: &str, faults: &mut Faults) {
    let mut names = BTreeSet::new();
    for (i, port) in items(container, &["ports"]) {
        let own = format!("{path}.ports[{i}]");
        let name = text(port, "name");
        if !name.is_empty() {
            let problems = port_name(name);
            if problems.is_empty() && !names.insert(name) {
                faults.duplicate(&format!("{own}.name"), name);
            }
            faults.problems(&format!("{own}.name"), name, problems);
        }
        match number(port, "containerPort") {
            0 => faults.required(&format!("{own}.containerPort"), ""),
            number => port_number(&format!("{own}.containerPort"), number, faults),
        }
        match number(port, "hostPort") {
            0 => {}
            number => port_number(&format!("{own}.hostPort"), number, faults),
        }
        match text(port, "protocol") {
            "" => faults.required(&format!("{own}.protocol"), ""),
            protocol => faults.one_of(&format!("{own}.protocol"), protocol, &PROTOCOLS),
        }
    }
}

fn host_ports(container: &Map, path: &str, taken: &mut BTreeSet<String>, faults: &mut Faults) {
    for (i, port) in items(container, &["ports"]) {
        let number = number(port, "hostPort");
        if number == 0 {
            continue;
        }
        let shown = format!(
            "{}/{}/{number}",
            text(port, "protocol"),
            text(port, "hostIP")
        );
        if taken.contains(&shown) {
            faults.duplicate(&format!("{path}.ports[{i}].hostPort"), &shown);
        }
        taken.insert(shown);
    }
}

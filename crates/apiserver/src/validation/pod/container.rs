//! Containers: names, images, ports, environment, mounts and devices.

use std::collections::{BTreeMap, BTreeSet};

use objects::quantity::Quantity;
use objects::{Map, Value};

use super::super::configuration::key_problems;
use super::super::{Faults, at, items, map_at, number, text};
use super::volume::{descending, is_claim};
use super::{Scene, handler, port_name, port_number, resources, security};
use crate::names;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const VARIABLE: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";
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

/// Says what is wrong with the name of an environment variable.
fn variable(path: &str, name: &str, faults: &mut Faults) {
    if name.contains('=') || !name.chars().all(|c| (' '..='~').contains(&c)) {
        faults.invalid(path, &name.into(), VARIABLE);
    }
}

const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

fn environment(container: &Map, path: &str, faults: &mut Faults) {
    for (i, item) in items(container, &["env"]) {
        let own = format!("{path}.env[{i}]");
        match text(item, "name") {
            "" => faults.required(&format!("{own}.name"), ""),
            name => variable(&format!("{own}.name"), name, faults),
        }
        let Some(from) = map_at(item, &["valueFrom"]) else {
            continue;
        };
        let own = format!("{own}.valueFrom");
        let mut sources = 0;
        if let Some(field) = map_at(from, &["fieldRef"]) {
            sources += 1;
            field_source(field, &format!("{own}.fieldRef"), &FIELDS, faults);
        }
        if let Some(amount) = map_at(from, &["resourceFieldRef"]) {
            sources += 1;
            resource_source(amount, &format!("{own}.resourceFieldRef"), false, faults);
        }
        for source in ["configMapKeyRef", "secretKeyRef"] {
            if let Some(reference) = map_at(from, &[source]) {
                sources += 1;
                key_source(reference, &format!("{own}.{source}"), faults);
            }
        }
        sources += usize::from(map_at(from, &["fileKeyRef"]).is_some());
        let why = match sources {
            0 => {
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            }
            _ if !text(item, "value").is_empty() => {
                "may not be specified when `value` is not empty"
            }
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        faults.invalid(&own, &"".into(), why);
    }
}

fn key_source(reference: &Map, path: &str, faults: &mut Faults) {
    let (name, key) = (text(reference, "name"), text(reference, "key"));
    faults.problems(&format!("{path}.name"), name, names::dns_subdomain(name));
    match key {
        "" => faults.required(&format!("{path}.key"), ""),
        key => faults.problems(&format!("{path}.key"), key, key_problems(key)),
    }
}

/// Checks a reference to one of the pod's own fields.
pub(super) fn field_source(source: &Map, path: &str, known: &[&str], faults: &mut Faults) {
    /// Fields that can be named at all.
    const CONVERTED: [&str; 7] = [
        "metadata.annotations",
        "metadata.labels",
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
        "spec.nodeName",
        "spec.host",
    ];
    for key in ["apiVersion", "fieldPath"] {
        if text(source, key).is_empty() {
            return faults.required(&format!("{path}.{key}"), "");
        }
    }
    let (version, field) = (text(source, "apiVersion"), text(source, "fieldPath"));
    let own = format!("{path}.fieldPath");
    let mut unconverted = |why: &str| {
        let why = format!("error converting fieldPath: {why}");
        faults.invalid(&own, &field.into(), &why);
    };
    if version != "v1" {
        return unconverted(&format!("unsupported pod version: {version}"));
    }
    let subscript = field
        .strip_suffix("']")
        .and_then(|field| field.split_once("['"));
    if let Some((base, subscript)) = subscript {
        return match base {
            "metadata.annotations" => {
                let problems = names::qualified_name(&subscript.to_lowercase());
                faults.problems(path, &subscript.to_lowercase(), problems);
            }
            "metadata.labels" => {
                faults.problems(path, subscript, names::qualified_name(subscript));
            }
            _ => unconverted(&format!("field label does not support subscript: {base}")),
        };
    }
    if !CONVERTED.contains(&field) && !FIELDS.contains(&field) {
        return unconverted(&format!("field label not supported: {field}"));
    }
    let field = if field == "spec.host" {
        "spec.nodeName"
    } else {
        field
    };
    faults.one_of(&own, field, known);
}

const AMOUNTS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks a reference to an amount that a container asks for.
pub(super) fn resource_source(source: &Map, path: &str, in_volume: bool, faults: &mut Faults) {
    let resource = text(source, "resource");
    let huge =
        resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if in_volume && text(source, "containerName").is_empty() {
        faults.required(&format!("{path}.containerName"), "");
    } else if resource.is_empty() {
        faults.required(&format!("{path}.resource"), "");
    } else if !huge {
        faults.one_of(&format!("{path}.resource"), resource, &AMOUNTS);
    }
    let Ok(divisor) = Quantity::parse(text(source, "divisor")) else {
        return;
    };
    let (known, of): (&[&str], &str) = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") => (&["1m", "1"], "cpu"),
        Some("memory") => (&BYTES, "memory"),
        Some("ephemeral-storage") => (&BYTES, "local ephemeral storage"),
        _ if huge => (&BYTES, "hugepages"),
        _ => return,
    };
    if !divisor.is_zero() && !known.contains(&divisor.to_string().as_str()) {
        let list = match of {
            "cpu" => "1m and 1".to_owned(),
            _ => BYTES.join(", "),
        };
        let why = format!("only divisor's values {list} are supported with the {of} resource");
        faults.invalid(&format!("{path}.divisor"), &resource.into(), &why);
    }
}

const BYTES: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

fn environment_sources(container: &Map, path: &str, faults: &mut Faults) {
    let path = format!("{path}.envFrom");
    for (i, item) in items(container, &["envFrom"]) {
        variable(&format!("{path}[{i}].prefix"), text(item, "prefix"), faults);
        let mut sources = 0;
        for key in ["configMapRef", "secretRef"] {
            let Some(source) = map_at(item, &[key]) else {
                continue;
            };
            sources += 1;
            let own = format!("{path}[{i}].{key}.name");
            match text(source, "name") {
                "" => faults.required(&own, ""),
                name => faults.problems(&own, name, names::dns_subdomain(name)),
            }
        }
        let why = match sources {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        faults.invalid(&path, &"".into(), why);
    }
}

/// Lists name and path of a container's mounts or devices.
fn places<'a>(container: &'a Map, list: &'static str, key: &str) -> BTreeMap<&'a str, &'a str> {
    let places = items(container, &[list]);
    places
        .map(|(_, item)| (text(item, "name"), text(item, key)))
        .collect()
}

fn mounts(container: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let path = format!("{path}.volumeMounts");
    let devices = places(container, "volumeDevices", "devicePath");
    let mut seen = BTreeSet::new();
    for (i, mount) in items(container, &["volumeMounts"]) {
        let own = format!("{path}[{i}]");
        let (name, place) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            faults.required(&format!("{own}.name"), "");
        }
        if !scene.volumes.contains_key(name) {
            faults.not_found(&format!("{own}.name"), name);
        }
        if place.is_empty() {
            faults.required(&format!("{own}.mountPath"), "");
        }
        if !seen.insert(place) {
            faults.invalid(&format!("{own}.mountPath"), &place.into(), "must be unique");
        }
        if devices.contains_key(name) {
            let why = "must not already exist in volumeDevices";
            faults.invalid(&format!("{own}.name"), &name.into(), why);
        }
        if devices.values().any(|device| *device == place) {
            let why = "must not already exist as a path in volumeDevices";
            faults.invalid(&format!("{own}.mountPath"), &place.into(), why);
        }
        // The following have no position in upstream's paths.
        let (sub, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
        if !sub.is_empty() {
            descending(&format!("{path}.subPath"), sub, faults);
        }
        if !expression.is_empty() {
            if !sub.is_empty() {
                let why = "subPathExpr and subPath are mutually exclusive";
                faults.invalid(&format!("{own}.subPathExpr"), &expression.into(), why);
            }
            descending(&format!("{path}.subPathExpr"), expression, faults);
        }
        propagation(
            mount,
            container,
            &format!("{path}.mountPropagation"),
            faults,
        );
        read_only(mount, &format!("{path}.recursiveReadOnly"), faults);
    }
}

fn propagation(mount: &Map, container: &Map, path: &str, faults: &mut Faults) {
    const MODES: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];
    let Some(mode) = at(mount, &["mountPropagation"]).and_then(Value::as_str) else {
        return;
    };
    faults.one_of(path, mode, &MODES);
    let privileged = at(container, &["securityContext", "privileged"]) == Some(&Value::Bool(true));
    if mode == "Bidirectional" && !privileged {
        let why = "Bidirectional mount propagation is available only to privileged containers";
        faults.forbidden(path, why);
    }
}

fn read_only(mount: &Map, path: &str, faults: &mut Faults) {
    const MODES: [&str; 3] = ["Disabled", "Enabled", "IfPossible"];
    let Some(mode) = at(mount, &["recursiveReadOnly"]).and_then(Value::as_str) else {
        return;
    };
    match mode {
        "Disabled" => {}
        "Enabled" | "IfPossible" => {
            if mount.get("readOnly") != Some(&Value::Bool(true)) {
                let why = "may only be specified when readOnly is true";
                faults.forbidden(path, why);
            }
            let propagated = text(mount, "mountPropagation");
            if !matches!(propagated, "" | "None") {
                let why = "may only be specified when mountPropagation is None or not specified";
                faults.forbidden(path, why);
            }
        }
        mode => faults.one_of(path, mode, &MODES),
    }
}

fn devices(container: &Map, path: &str, scene: &Scene<'_>, faults: &mut Faults) {
    let mounts = places(container, "volumeMounts", "mountPath");
    let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in items(container, &["volumeDevices"]) {
        let own = format!("{path}.volumeDevices[{i}]");
        let (name, place) = (text(device, "name"), text(device, "devicePath"));
        let volume = scene.volumes.get(name);
        if name.is_empty() {
            faults.required(&format!("{own}.name"), "");
        }
        let mut wrong = |key: &str, value: &str, why: &str| {
            faults.invalid(&format!("{own}.{key}"), &value.into(), why);
        };
        if !name.is_empty() && !names.insert(name) {
            wrong("name", name, "must be unique");
        }
        if volume.is_some_and(|volume| !is_claim(volume)) {
            let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
            wrong("name", name, why);
        }
        if volume.is_none() {
            faults.not_found(&format!("{own}.name"), name);
        }
        if place.is_empty() {
            faults.required(&format!("{own}.devicePath"), "");
        }
        let mut wrong = |key: &str, value: &str, why: &str| {
            faults.invalid(&format!("{own}.{key}"), &value.into(), why);
        };
        if seen.contains(place) {
            wrong("devicePath", place, "must be unique");
        }
        if place.split('/').any(|part| part == "..") {
            wrong("devicePath", place, "can not contain backsteps ('..')");
        } else {
            seen.insert(place);
        }
        if mounts.contains_key(name) {
            wrong("name", name, "must not already exist in volumeMounts");
        }
        if mounts.values().any(|mount| *mount == place) {
            let why = "must not already exist as a path in volumeMounts";
            wrong("devicePath", place, why);
        }
    }
}

//! Pods and pod templates, in the order of upstream's checks, which is the order of the causes.

mod container;
mod environment;
mod handler;
mod mounts;
mod projected;
mod resources;
mod scheduling;
mod security;
mod update;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use objects::{Map, Value, names};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, text};

pub(super) use resources::{container_name as container_resource, is_integer, resource_name};
pub(super) use scheduling::{label_selector, labels, node_selector, tolerations};
pub(super) use volume::persistent_source;

/// What the parts of a pod need to know of the rest of it.
struct Scene<'a> {
    /// Whether this is a pod, not a template of pods.
    is_pod: bool,
    /// Seconds before a pod is killed.
    grace: Option<i64>,
    /// Whether the pod shares the host's users.
    host_users: bool,
    /// Name of the operating system; `None` without `os`.
    system: Option<&'a str>,
    restart_policy: &'a str,
    /// Sound volumes by name.
    volumes: BTreeMap<&'a str, &'a Map>,
    /// Names of the pod's resource claims.
    claims: BTreeSet<&'a str>,
}

pub(super) fn pod(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    checked(spec, "spec", true, faults);
    for list in ["containers", "initContainers"] {
        for (i, container) in items(spec, &[list]) {
            let image = text(container, "image");
            if image.trim() != image {
                let why = "must not have leading or trailing whitespace";
                faults.invalid(&format!("spec.{list}[{i}].image"), &image.into(), why);
            }
        }
    }
    match subject.live {
        Some(live) => {
            update::update(spec, map_at(live, &["spec"]).unwrap_or(&NO_FIELDS), faults);
        }
        None => created(spec, faults),
    }
}

/// What only a later update may bring.
fn created(spec: &Map, faults: &mut Faults) {
    let any = |key: &str| items(spec, &[key]).next().is_some();
    if any("ephemeralContainers") {
        faults.forbidden("spec.ephemeralContainers", "cannot be set on create");
    }
    if !text(spec, "nodeName").is_empty() && any("schedulingGates") {
        let why = "cannot be set until all schedulingGates have been cleared";
        faults.forbidden("spec.nodeName", why);
    }
}

/// Checks a pod template at a path.
pub(super) fn template(template: &Map, path: &str, faults: &mut Faults) {
    template_metadata(template, path, faults);
    let spec = map_at(template, &["spec"]).unwrap_or(&NO_FIELDS);
    specification(spec, &format!("{path}.spec"), faults);
    if items(spec, &["ephemeralContainers"]).next().is_some() {
        let why = "ephemeral containers not allowed in pod template";
        faults.forbidden(&format!("{path}.spec.ephemeralContainers"), why);
    }
}

/// Checks labels and annotations of a pod template.
pub(super) fn template_metadata(template: &Map, path: &str, faults: &mut Faults) {
    let own = map_at(template, &["metadata", "labels"]);
    labels(own, &format!("{path}.labels"), faults);
    let annotations = map_at(template, &["metadata", "annotations"]);
    for key in annotations.unwrap_or(&NO_FIELDS).keys() {
        let problems = names::qualified_name(&key.to_lowercase());
        faults.problems(&format!("{path}.annotations"), key, problems);
    }
}

/// Checks the pod specification of a template at a path.
fn specification(spec: &Map, path: &str, faults: &mut Faults) {
    checked(spec, path, false, faults);
}

fn checked(spec: &Map, path: &str, is_pod: bool, faults: &mut Faults) {
    let grace = spec
        .get("terminationGracePeriodSeconds")
        .and_then(Value::as_i64);
    if grace.is_none() {
        faults.required(&format!("{path}.terminationGracePeriodSeconds"), "");
    }
    let mut scene = Scene {
        is_pod,
        grace,
        host_users: spec.get("hostUsers") != Some(&Value::Bool(false)),
        system: map_at(spec, &["os"]).map(|os| text(os, "name")),
        restart_policy: text(spec, "restartPolicy"),
        volumes: BTreeMap::new(),
        claims: items(spec, &["resourceClaims"])
            .map(|(_, c)| text(c, "name"))
            .collect(),
    };
    scene.volumes = volume::volumes(spec, path, &scene, faults);
    resources::claims(spec, path, faults);
    container::containers(spec, path, &scene, faults);
    container::init_containers(spec, path, &scene, faults);
    resources::of_pod(spec, path, &scene, faults);
    host_ports(spec, path, is_pod, faults);
    policies(spec, path, faults);
    labels(
        map_at(spec, &["nodeSelector"]),
        &format!("{path}.nodeSelector"),
        faults,
    );
    security::of_pod(spec, path, faults);
    scheduling::affinity(spec, path, faults);
    name_service(spec, path, faults);
    gates(spec, path, faults);
    scheduling::spread(spec, path, faults);
    security::host_process(spec, path, faults);
    security::host_users(spec, path, &scene, faults);
    names_of(spec, path, faults);
    tolerations(spec, path, faults);
    host_aliases(spec, path, faults);
    classes(spec, path, faults);
    if let Some(overhead) = map_at(spec, &["overhead"]) {
        let limits = Map::from_iter([("limits".to_owned(), Value::Object(overhead.clone()))]);
        resources::requirements(&limits, &format!("{path}.overhead"), &scene, faults);
    }
    match scene.system {
        Some("") => faults.required(&format!("{path}.os.name"), ""),
        Some(name) => faults.one_of(&format!("{path}.os"), name, &["linux", "windows"]),
        None => {}
    }
}

/// Checks what a runtime class adds to what its pods ask for.
pub(super) fn overhead(fixed: Option<&Map>, faults: &mut Faults) {
    let scene = Scene {
        is_pod: false,
        grace: None,
        host_users: true,
        system: None,
        restart_policy: "",
        volumes: BTreeMap::new(),
        claims: BTreeSet::new(),
    };
    if let Some(fixed) = fixed {
        let limits = Map::from_iter([("limits".to_owned(), Value::Object(fixed.clone()))]);
        resources::requirements(&limits, "overhead", &scene, faults);
    }
}

/// A pod in the host's network has the ports of the host.
fn host_ports(spec: &Map, path: &str, is_pod: bool, faults: &mut Faults) {
    if spec.get("hostNetwork") != Some(&Value::Bool(true)) {
        return;
    }
    for (i, container) in items(spec, &["containers"]) {
        for (j, port) in items(container, &["ports"]) {
            let number = |key: &str| port.get(key).and_then(Value::as_i64).unwrap_or(0);
            let host = number("hostPort");
            if (is_pod || host != 0) && host != number("containerPort") {
                let own = format!("{path}.containers[{i}].ports[{j}].hostPort");
                let why = "must match `containerPort` when `hostNetwork` is true";
                faults.invalid(&own, &host.into(), why);
            }
        }
    }
}

fn policies(spec: &Map, path: &str, faults: &mut Faults) {
    const RESTART: [&str; 3] = ["Always", "OnFailure", "Never"];
    const NAMES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    for (key, words) in [("restartPolicy", &RESTART[..]), ("dnsPolicy", &NAMES[..])] {
        match text(spec, key) {
            "" => faults.required(&format!("{path}.{key}"), ""),
            word => faults.one_of(&format!("{path}.{key}"), word, words),
        }
    }
}

/// Most name servers of a pod.
const NAME_SERVERS_MAX: usize = 3;
/// Most search domains of a pod, and most characters of them together.
const SEARCHES_MAX: (usize, usize) = (32, 2048);

fn name_service(spec: &Map, path: &str, faults: &mut Faults) {
    let path = format!("{path}.dnsConfig");
    let config = map_at(spec, &["dnsConfig"]);
    let texts = |key: &str| -> Vec<&str> {
        let list = config.and_then(|config| config.get(key)?.as_array());
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let (servers, searches) = (texts("nameservers"), texts("searches"));
    if text(spec, "dnsPolicy") == "None" {
        if config.is_none() {
            return faults.required(&path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return faults.required(&format!("{path}.nameservers"), why);
        }
    }
    let Some(config) = config else { return };
    if servers.len() > NAME_SERVERS_MAX {
        let why = format!("must not have more than {NAME_SERVERS_MAX} nameservers");
        faults.invalid(
            &format!("{path}.nameservers"),
            &servers.clone().into(),
            &why,
        );
    }
    for (i, server) in servers.iter().enumerate() {
        faults.address(&format!("{path}.nameservers[{i}]"), server);
    }
    let own = format!("{path}.searches");
    if searches.len() > SEARCHES_MAX.0 {
        let why = format!("must not have more than {} search paths", SEARCHES_MAX.0);
        faults.invalid(&own, &searches.clone().into(), &why);
    }
    if searches.join(" ").len() > SEARCHES_MAX.1 {
        let why = format!(
            "must not have more than {} characters (including spaces) in the search list",
            SEARCHES_MAX.1
        );
        faults.invalid(&own, &searches.clone().into(), &why);
    }
    for (i, search) in searches
        .iter()
        .enumerate()
        .filter(|(_, search)| **search != ".")
    {
        let search = search.strip_suffix('.').unwrap_or(search);
        let problems = names::dns_subdomain_with_underscores(search);
        faults.problems(&format!("{own}[{i}]"), search, problems);
    }
    for (i, option) in items(config, &["options"]) {
        if text(option, "name").is_empty() {
            faults.required(&format!("{path}.options[{i}]"), "must not be empty");
        }
    }
}

fn gates(spec: &Map, path: &str, faults: &mut Faults) {
    for (i, gate) in items(spec, &["readinessGates"]) {
        let name = text(gate, "conditionType");
        let own = format!("{path}.readinessGates[{i}].conditionType");
        faults.problems(&own, name, names::qualified_name(name));
    }
    let mut seen = BTreeSet::new();
    for (i, gate) in items(spec, &["schedulingGates"]) {
        let name = text(gate, "name");
        let own = format!("{path}.schedulingGates[{i}]");
        faults.problems(&own, name, names::qualified_name(name));
        if !seen.insert(name) {
            faults.duplicate(&own, name);
        }
    }
}

fn names_of(spec: &Map, path: &str, faults: &mut Faults) {
    for key in ["serviceAccountName", "nodeName"] {
        let name = text(spec, key);
        if !name.is_empty() {
            faults.problems(&format!("{path}.{key}"), name, names::dns_subdomain(name));
        }
    }
    let deadline = spec.get("activeDeadlineSeconds").and_then(Value::as_i64);
    if let Some(seconds) = deadline.filter(|s| !(1..=i64::from(i32::MAX)).contains(s)) {
        let why = "must be between 1 and 2147483647, inclusive";
        faults.invalid(
            &format!("{path}.activeDeadlineSeconds"),
            &seconds.into(),
            why,
        );
    }
    for key in ["hostname", "subdomain"] {
        let name = text(spec, key);
        if !name.is_empty() {
            faults.problems(&format!("{path}.{key}"), name, names::dns_label(name));
        }
    }
}

fn host_aliases(spec: &Map, path: &str, faults: &mut Faults) {
    for (i, alias) in items(spec, &["hostAliases"]) {
        let own = format!("{path}.hostAliases[{i}]");
        faults.address(&format!("{own}.ip"), text(alias, "ip"));
        let hosts = at(alias, &["hostnames"]).and_then(Value::as_array);
        for (j, host) in hosts.into_iter().flatten().enumerate() {
            let host = host.as_str().unwrap_or("");
            faults.problems(
                &format!("{own}.hostnames[{j}]"),
                host,
                names::dns_subdomain(host),
            );
        }
    }
}

fn classes(spec: &Map, path: &str, faults: &mut Faults) {
    let priority = text(spec, "priorityClassName");
    if !priority.is_empty() {
        let problems = names::dns_subdomain(priority);
        faults.problems(&format!("{path}.priorityClassName"), priority, problems);
    }
    if let Some(runtime) = at(spec, &["runtimeClassName"]).and_then(Value::as_str) {
        let problems = names::dns_subdomain(runtime);
        faults.problems(&format!("{path}.runtimeClassName"), runtime, problems);
    }
    if let Some(policy) = at(spec, &["preemptionPolicy"]).and_then(Value::as_str) {
        let own = format!("{path}.preemptionPolicy");
        faults.one_of(&own, policy, &["PreemptLowerPriority", "Never"]);
    }
}

/// Refuses a port outside 1–65535.
pub(super) fn port_number(path: &str, number: i64, faults: &mut Faults) {
    if !(1..=65_535).contains(&number) {
        let why = "must be between 1 and 65535, inclusive";
        faults.invalid(path, &number.into(), why);
    }
}

/// Checks a port given by number or name.
pub(super) fn port_value(path: &str, value: &Value, faults: &mut Faults) {
    match value {
        Value::Number(n) => port_number(path, n.as_i64().unwrap_or(0), faults),
        Value::String(name) => {
            for problem in port_name(name) {
                faults.invalid(path, value, &problem);
            }
        }
        _ => {}
    }
}

/// Says what is wrong with the name of a port.
fn port_name(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.len() > 15 {
        problems.push("must be no more than 15 characters".to_owned());
    }
    let charset = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.chars().all(charset) {
        problems
            .push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !name.chars().any(|c| c.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)".into());
    }
    if name.contains("--") {
        problems.push("must not contain consecutive hyphens".into());
    }
    if name.starts_with('-') || name.ends_with('-') {
        problems.push("must not begin or end with a hyphen".into());
    }
    problems
}

//! Pods and pod templates.

use std::collections::BTreeSet;

use objects::quantity::Quantity;
use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, text};
use crate::names;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
/// Volume sources; exactly one of them makes a volume.
const NOT_SOURCES: [&str; 1] = ["name"];

pub(super) fn pod(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    specification(spec, "spec", faults);
    if let Some(live) = subject.live {
        update(spec, map_at(live, &["spec"]).unwrap_or(&NO_FIELDS), faults);
    }
}

/// Checks a pod specification at a path.
pub(super) fn specification(spec: &Map, path: &str, faults: &mut Faults) {
    let volumes = volumes(spec, path, faults);
    let mut names = BTreeSet::new();
    if at(spec, &["containers"])
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
    {
        faults.required(&format!("{path}.containers"), "");
    }
    for list in ["containers", "initContainers"] {
        for (i, container) in items(spec, &[list]) {
            let own = format!("{path}.{list}[{i}]");
            self::container(container, &own, &volumes, faults);
            let name = text(container, "name");
            if !name.is_empty() && !names.insert(name.to_owned()) {
                let duplicate =
                    crate::failure::field::duplicate(&format!("{own}.name"), &name.into());
                faults.0.push(duplicate);
            }
        }
    }
    faults.one_of(
        &format!("{path}.restartPolicy"),
        text(spec, "restartPolicy"),
        &["Always", "OnFailure", "Never"],
    );
    faults.one_of(
        &format!("{path}.dnsPolicy"),
        text(spec, "dnsPolicy"),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    );
    faults.not_negative(spec, path, "terminationGracePeriodSeconds");
    if let Some(seconds) = spec.get("activeDeadlineSeconds").and_then(Value::as_i64)
        && seconds < 1
    {
        let why = "must be between 1 and 2147483647, inclusive";
        faults.invalid(
            &format!("{path}.activeDeadlineSeconds"),
            &seconds.into(),
            why,
        );
    }
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() {
        for problem in names::dns_subdomain(account) {
            faults.invalid(
                &format!("{path}.serviceAccountName"),
                &account.into(),
                &problem,
            );
        }
    }
    for (i, secret) in items(spec, &["imagePullSecrets"]) {
        if text(secret, "name").is_empty() {
            faults.required(&format!("{path}.imagePullSecrets[{i}].name"), "");
        }
    }
}

fn volumes(spec: &Map, path: &str, faults: &mut Faults) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (i, volume) in items(spec, &["volumes"]) {
        let own = format!("{path}.volumes[{i}]");
        let name = text(volume, "name");
        faults.label_name(&format!("{own}.name"), name);
        if !name.is_empty() && !names.insert(name.to_owned()) {
            let duplicate = crate::failure::field::duplicate(&format!("{own}.name"), &name.into());
            faults.0.push(duplicate);
        }
        let mut sources = volume
            .iter()
            .filter(|(key, value)| !NOT_SOURCES.contains(&key.as_str()) && !value.is_null());
        sources.next();
        for (extra, _) in sources {
            faults.forbidden(
                &format!("{own}.{extra}"),
                "may not specify more than 1 volume type",
            );
        }
        for (source, key) in [("persistentVolumeClaim", "claimName"), ("hostPath", "path")] {
            if let Some(source_map) = map_at(volume, &[source])
                && text(source_map, key).is_empty()
            {
                faults.required(&format!("{own}.{source}.{key}"), "");
            }
        }
        if let Some(secret) = map_at(volume, &["secret"])
            && text(secret, "secretName").is_empty()
        {
            faults.required(&format!("{own}.secret.secretName"), "");
        }
        if let Some(map) = map_at(volume, &["configMap"])
            && text(map, "name").is_empty()
        {
            faults.required(&format!("{own}.configMap.name"), "");
        }
    }
    names
}

fn container(container: &Map, path: &str, volumes: &BTreeSet<String>, faults: &mut Faults) {
    faults.label_name(&format!("{path}.name"), text(container, "name"));
    let image = text(container, "image");
    if image.is_empty() {
        faults.required(&format!("{path}.image"), "");
    } else if image.trim() != image {
        let why = "must not have leading or trailing whitespace";
        faults.invalid(&format!("{path}.image"), &image.into(), why);
    }
    faults.one_of(
        &format!("{path}.imagePullPolicy"),
        text(container, "imagePullPolicy"),
        &["Always", "IfNotPresent", "Never"],
    );
    faults.one_of(
        &format!("{path}.terminationMessagePolicy"),
        text(container, "terminationMessagePolicy"),
        &["File", "FallbackToLogsOnError"],
    );
    ports(container, path, faults);
    environment(container, path, faults);
    mounts(container, path, volumes, faults);
    if let Some(resources) = map_at(container, &["resources"]) {
        self::resources(resources, &format!("{path}.resources"), faults);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = map_at(container, &[name]) {
            self::probe(probe, &format!("{path}.{name}"), faults);
        }
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

fn ports(container: &Map, path: &str, faults: &mut Faults) {
    let mut names = BTreeSet::new();
    for (i, port) in items(container, &["ports"]) {
        let own = format!("{path}.ports[{i}]");
        let name = text(port, "name");
        if !name.is_empty() {
            let problems = port_name(name);
            for problem in &problems {
                faults.invalid(&format!("{own}.name"), &name.into(), problem);
            }
            if problems.is_empty() && !names.insert(name.to_owned()) {
                let duplicate =
                    crate::failure::field::duplicate(&format!("{own}.name"), &name.into());
                faults.0.push(duplicate);
            }
        }
        match number(port, "containerPort") {
            0 => faults.required(&format!("{own}.containerPort"), ""),
            number => port_number(&format!("{own}.containerPort"), number, faults),
        }
        match number(port, "hostPort") {
            0 => {}
            number => port_number(&format!("{own}.hostPort"), number, faults),
        }
        faults.one_of(
            &format!("{own}.protocol"),
            text(port, "protocol"),
            &PROTOCOLS,
        );
    }
}

fn environment(container: &Map, path: &str, faults: &mut Faults) {
    for (i, variable) in items(container, &["env"]) {
        let own = format!("{path}.env[{i}]");
        let name = text(variable, "name");
        if name.is_empty() {
            faults.required(&format!("{own}.name"), "");
        } else if name.contains('=') || !name.chars().all(|c| (' '..='~').contains(&c)) {
            let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            faults.invalid(&format!("{own}.name"), &name.into(), why);
        }
        let Some(from) = map_at(variable, &["valueFrom"]) else {
            continue;
        };
        if !text(variable, "value").is_empty() {
            let why = "may not be specified when `value` is not empty";
            faults.invalid(&format!("{own}.valueFrom"), &"".into(), why);
        }
        for source in ["configMapKeyRef", "secretKeyRef"] {
            if let Some(reference) = map_at(from, &[source])
                && text(reference, "key").is_empty()
            {
                faults.required(&format!("{own}.valueFrom.{source}.key"), "");
            }
        }
        if from.values().all(Value::is_null) {
            let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
            faults.invalid(&format!("{own}.valueFrom"), &"".into(), why);
        }
    }
}

fn mounts(container: &Map, path: &str, volumes: &BTreeSet<String>, faults: &mut Faults) {
    let mut places = BTreeSet::new();
    for (i, mount) in items(container, &["volumeMounts"]) {
        let own = format!("{path}.volumeMounts[{i}]");
        let (name, place) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            faults.required(&format!("{own}.name"), "");
        } else if !volumes.contains(name) {
            let absent = crate::failure::field::not_found(&format!("{own}.name"), &name.into());
            faults.0.push(absent);
        }
        if place.is_empty() {
            faults.required(&format!("{own}.mountPath"), "");
        } else if !places.insert(place.to_owned()) {
            faults.invalid(&format!("{own}.mountPath"), &place.into(), "must be unique");
        }
    }
}

/// Checks amounts, and that no request exceeds its limit.
fn resources(resources: &Map, path: &str, faults: &mut Faults) {
    let parse = |value: &Value| Quantity::parse(value.as_str().unwrap_or("")).ok();
    for kind in ["limits", "requests"] {
        for (name, value) in map_at(resources, &[kind]).unwrap_or(&NO_FIELDS) {
            if parse(value).is_some_and(|quantity| quantity.is_negative()) {
                let why = "must be greater than or equal to 0";
                faults.invalid(&format!("{path}.{kind}[{name}]"), value, why);
            }
        }
    }
    for (name, request) in map_at(resources, &["requests"]).unwrap_or(&NO_FIELDS) {
        let Some(limit) = at(resources, &["limits", name]) else {
            continue;
        };
        let (Some(wanted), Some(most)) = (parse(request), parse(limit)) else {
            continue;
        };
        if wanted.compare(&most).is_gt() {
            let why = format!("must be less than or equal to {name} limit of {most}");
            faults.invalid(&format!("{path}.requests"), request, &why);
        }
    }
}

fn probe(probe: &Map, path: &str, faults: &mut Faults) {
    const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
    let handlers = HANDLERS.iter().filter(|h| map_at(probe, &[h]).is_some());
    match handlers.count() {
        0 => faults.required(path, "must specify a handler type"),
        1 => {}
        _ => faults.forbidden(path, "may not specify more than 1 handler type"),
    }
    for key in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        faults.not_negative(probe, path, key);
    }
    for handler in ["httpGet", "tcpSocket"] {
        if let Some(port) = at(probe, &[handler, "port"]) {
            port_value(&format!("{path}.{handler}.port"), port, faults);
        }
    }
    if let Some(exec) = map_at(probe, &["exec"])
        && at(exec, &["command"]).is_none()
    {
        faults.required(&format!("{path}.exec.command"), "");
    }
}

/// Refuses changes of a pod beyond images, deadlines and added tolerations; what subresources may change besides has
/// been taken over into the live one.
fn update(spec: &Map, live: &Map, faults: &mut Faults) {
    let mut munged = spec.clone();
    for list in ["containers", "initContainers"] {
        let containers = munged.get_mut(list).and_then(Value::as_array_mut);
        let before = at(live, &[list]).and_then(Value::as_array);
        for (container, before) in containers
            .into_iter()
            .flatten()
            .zip(before.into_iter().flatten())
        {
            if let Some(container) = container.as_object_mut() {
                take_over(container, before.as_object(), "image");
            }
        }
    }
    for key in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        take_over(&mut munged, Some(live), key);
    }
    let grace = |spec: &Map| {
        spec.get("terminationGracePeriodSeconds")
            .and_then(Value::as_i64)
    };
    if grace(live).is_some_and(|seconds| seconds < 0) && grace(spec) == Some(1) {
        take_over(&mut munged, Some(live), "terminationGracePeriodSeconds");
    }
    let deadline = |spec: &Map| spec.get("activeDeadlineSeconds").and_then(Value::as_i64);
    match (deadline(live), deadline(spec)) {
        (Some(before), Some(after)) if after > before => {
            let why = "must be less than or equal to previous value";
            faults.invalid("spec.activeDeadlineSeconds", &after.into(), why);
        }
        (Some(_), None) => {
            let why = "must not update from a positive integer to nil value";
            faults.invalid("spec.activeDeadlineSeconds", &Value::Null, why);
        }
        _ => {}
    }
    if munged != *live {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        let found = crate::internals::difference("PodSpec", live, &munged);
        faults.forbidden("spec", &format!("{why}\n{found}"));
    }
    let tolerations = |spec: &Map| {
        let mut list = at(spec, &["tolerations"])
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        for toleration in list.iter_mut().filter_map(Value::as_object_mut) {
            toleration.remove("tolerationSeconds");
        }
        list
    };
    let kept = tolerations(spec);
    if tolerations(live)
        .iter()
        .any(|toleration| !kept.contains(toleration))
    {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        faults.forbidden("spec.tolerations", why);
    }
}

fn take_over(into: &mut Map, from: Option<&Map>, key: &str) {
    match from.and_then(|from| from.get(key)) {
        Some(value) => into.insert(key.to_owned(), value.clone()),
        None => into.remove(key),
    };
}

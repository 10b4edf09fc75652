//! The environment of a container, and references to the pod's own fields and amounts.

use objects::quantity::Quantity;
use objects::{Map, names};

use super::super::configuration::key_problems;
use super::super::{Faults, items, map_at, text};

/// Why a name of a variable is refused.
const VARIABLE: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";

/// Fields of the pod that a variable can show.
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

/// Amounts that can be shown, huge pages aside.
const AMOUNTS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Units that an amount of bytes can be shown in.
const BYTES: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

pub(super) fn environment(container: &Map, path: &str, faults: &mut Faults) {
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

pub(super) fn environment_sources(container: &Map, path: &str, faults: &mut Faults) {
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

/// Says what is wrong with the name of an environment variable.
fn variable(path: &str, name: &str, faults: &mut Faults) {
    if name.contains('=') || !name.chars().all(|c| (' '..='~').contains(&c)) {
        faults.invalid(path, &name.into(), VARIABLE);
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

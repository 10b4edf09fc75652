//! What is wrong with the metadata of an object: names, labels, annotations, owners, finalizers.
//!
//! Follows `ValidateObjectMeta` and the checks of names of each kind.

use cluster::StatusCause;
use objects::{Map, Value, names};

use crate::catalog::{Resource, text};
use crate::failure::field;

/// Finds everything that is wrong with the metadata of an object.
pub fn faults(resource: &Resource, object: &Map) -> Vec<StatusCause> {
    let empty = Map::new();
    let metadata = object
        .get("metadata")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let mut causes = Vec::new();
    let name = text(metadata, "name");
    let base = text(metadata, "generateName");
    if !base.is_empty() {
        // The suffix may follow a dash, which a whole name could not end with.
        let masked = match base.strip_suffix('-') {
            Some(stem) if !stem.is_empty() => format!("{stem}a"),
            _ => base.to_owned(),
        };
        for problem in name_problems(resource, &masked) {
            causes.push(field::invalid(
                "metadata.generateName",
                &base.into(),
                &problem,
            ));
        }
    }
    if name.is_empty() {
        causes.push(field::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else {
        for problem in name_problems(resource, name) {
            causes.push(field::invalid("metadata.name", &name.into(), &problem));
        }
    }
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64)
        && generation < 0
    {
        causes.push(field::invalid(
            "metadata.generation",
            &generation.into(),
            "must be greater than or equal to 0",
        ));
    }
    causes.extend(validate_labels("metadata.labels", metadata.get("labels")));
    causes.extend(validate_annotations(metadata.get("annotations")));
    causes.extend(validate_owners(metadata.get("ownerReferences")));
    // Upstream looks at the metadata of these kinds less closely.
    let lenient = matches!(resource.plural(), "poddisruptionbudgets" | "leases")
        || resource.group() == "apiextensions.k8s.io";
    let standard_only = resource.custom.is_none() && !lenient;
    causes.extend(validate_finalizers(
        metadata.get("finalizers"),
        standard_only,
    ));
    causes
}

fn validate_labels(path: &str, labels: Option<&Value>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        for problem in names::qualified_name(key) {
            causes.push(field::invalid(path, &key.as_str().into(), &problem));
        }
        for problem in names::label_value(value.as_str().unwrap_or("")) {
            causes.push(field::invalid(path, value, &problem));
        }
    }
    causes
}

/// Bytes that all annotations of an object may have together.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

fn validate_annotations(annotations: Option<&Value>) -> Vec<StatusCause> {
    const FIELD: &str = "metadata.annotations";
    let mut causes = Vec::new();
    let mut bytes = 0;
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        for problem in names::qualified_name(&key.to_lowercase()) {
            causes.push(field::invalid(FIELD, &key.as_str().into(), &problem));
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        causes.push(field::too_long(FIELD, "bytes", ANNOTATIONS_BYTES_MAX));
    }
    causes
}

fn validate_owners(owners: Option<&Value>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    let mut controllers: Vec<String> = Vec::new();
    for owner in owners.and_then(Value::as_array).into_iter().flatten() {
        let Some(owner) = owner.as_object() else {
            continue;
        };
        let at = |key: &str| format!("metadata.ownerReferences.{key}");
        let empty = Value::from("");
        if !text(owner, "apiVersion").contains('/') && text(owner, "apiVersion") != "v1" {
            let value = owner.get("apiVersion").unwrap_or(&empty);
            causes.push(field::invalid(
                &at("apiVersion"),
                value,
                "version must not be empty",
            ));
        }
        for key in ["kind", "name", "uid"] {
            if text(owner, key).is_empty() {
                causes.push(field::invalid(&at(key), &empty, "must not be empty"));
            }
        }
        if matches!(text(owner, "apiVersion"), "v1" | "events.k8s.io/v1")
            && text(owner, "kind") == "Event"
        {
            let api_version = text(owner, "apiVersion");
            let slash = if api_version.contains('/') { "" } else { "/" };
            let shown = owner_text(&Value::Object(owner.clone()));
            let why = format!("{slash}{api_version}, Kind=Event is disallowed from being an owner");
            causes.push(field::invalid_shown(
                "metadata.ownerReferences",
                &shown,
                &why,
            ));
        }
        if owner.get("controller") == Some(&Value::Bool(true)) {
            controllers.push(format!("{}/{}", text(owner, "kind"), text(owner, "name")));
        }
    }
    if let [first, second, ..] = controllers.as_slice() {
        let why = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
        );
        causes.push(StatusCause {
            reason: "FieldValueInvalid".into(),
            message: format!("Invalid value: {}: {why}", owners_text(owners)),
            field: "metadata.ownerReferences".into(),
        });
    }
    causes
}

/// Writes owner references with their members in the order of the Go struct.
fn owners_text(owners: Option<&Value>) -> String {
    let list = owners.and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<String> = list.map(owner_text).collect();
    format!("[{}]", texts.join(","))
}

fn owner_text(owner: &Value) -> String {
    const MEMBERS: [&str; 6] = [
        "apiVersion",
        "kind",
        "name",
        "uid",
        "controller",
        "blockOwnerDeletion",
    ];
    let members: Vec<String> = MEMBERS
        .iter()
        .filter_map(|member| Some(format!("\"{member}\":{}", owner.get(*member)?)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Unqualified names of built-in kinds' finalizers must be standard ones; custom kinds may have any
/// (`finalizers.fluxcd.io`).
fn validate_finalizers(finalizers: Option<&Value>, standard_only: bool) -> Vec<StatusCause> {
    const FIELD: &str = "metadata.finalizers";
    let mut causes = Vec::new();
    let listed: Vec<&str> = finalizers
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for finalizer in &listed {
        for problem in names::qualified_name(finalizer) {
            causes.push(field::invalid(FIELD, &(*finalizer).into(), &problem));
        }
    }
    for (index, finalizer) in listed.iter().enumerate() {
        let at = format!("{FIELD}[{index}]");
        let standard = matches!(*finalizer, "kubernetes" | "orphan" | "foregroundDeletion");
        if standard_only && !finalizer.contains('/') && !standard {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(field::invalid(&at, &(*finalizer).into(), why));
        }
    }
    if listed.contains(&"orphan") && listed.contains(&"foregroundDeletion") {
        let value = finalizers.cloned().unwrap_or(Value::Null);
        causes.push(field::invalid(
            FIELD,
            &value,
            "finalizer orphan and foregroundDeletion cannot be both set",
        ));
    }
    causes
}

fn name_problems(resource: &Resource, name: &str) -> Vec<String> {
    match (resource.group(), resource.plural()) {
        ("apiregistration.k8s.io", _)
        | ("rbac.authorization.k8s.io", _)
        | ("flowcontrol.apiserver.k8s.io", _) => names::path_segment(name),
        ("policy", "poddisruptionbudgets") => names::path_segment(name),
        ("", "services") => names::dns_1035_label(name),
        ("", "namespaces") | ("apps", "statefulsets") => names::dns_label(name),
        ("events.k8s.io" | "", "events") => names::dns_subdomain(name),
        _ => names::dns_subdomain(name),
    }
}

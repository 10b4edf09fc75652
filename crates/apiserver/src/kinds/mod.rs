//! Per-kind behaviour: tables and hooks around the generic engine.
//!
//! The engine calls these functions at fixed points of a write and knows nothing else about kinds:
//! [`form::shape`] → [`default`] → (ownership) → [`admit`] → [`prepare_create`] or [`prepare_update`] →
//! [`set_generation`] → [`validate`] or [`validate_update`]. Objects are in the version of the request.

pub mod allocate;
pub mod convert;
pub mod form;
pub mod pods;
mod posts;
pub mod scale;
pub mod warnings;

use cluster::{Propagation, StatusCause};
use compact_str::CompactString;
use objects::{Map, Value};
use std::sync::Arc;

use crate::catalog::{Resource, text};
use crate::engine::{
    Body, Context, DeleteOptions, Engine, Place, Query, Reply, WriteOptions, metadata_mut, selector,
};
use crate::failure::{Answered, Failure, field};
use crate::names;

/// Fills in the kind's defaults.
pub fn default(engine: &Engine, resource: &Resource, object: &mut Map) {
    let _ = engine;
    if resource.custom.is_none() {
        crate::defaults::default(resource.group(), resource.kind(), object);
    }
    if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        crate::crd::default(object);
    }
    if let Some(custom) = &resource.custom {
        crate::crd::schema::apply_defaults(&custom.schema, object);
    }
    if resource.is("", "namespaces") {
        let name = crate::engine::metadata_text(object, "name").to_owned();
        let labels = metadata_mut(object)
            .entry("labels")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(labels) = labels.as_object_mut() {
            labels.insert("kubernetes.io/metadata.name".into(), name.into());
        }
    }
}

/// Admission: what depends on other objects, after ownership was recorded.
pub fn admit(engine: &Engine, place: &Place, object: &mut Map, live: Option<&Map>) -> Answered<()> {
    if place.resource.custom.is_none() {
        if live.is_none() && place.resource.is("", "pods") {
            crate::admission::pods::admit(engine, place, object)?;
        }
        if let Some(live) = live.filter(|_| place.sub.is_empty()) {
            allocate::update(engine, &place.resource, object, live);
        }
        let (schema, ty) = crate::fields::schema_of(&place.resource);
        objects::decode::drop_empty(&schema, ty, object);
    }
    Ok(())
}

/// Finishes a new object: status, generation, allocations.
pub fn prepare_create(engine: &Engine, resource: &Resource, object: &mut Map) {
    allocate::create(engine, resource, object);
    if resource.is("", "namespaces") {
        let own = object
            .get("spec")
            .and_then(|spec| spec.get("finalizers")?.as_array());
        let mut finalizers = own.cloned().unwrap_or_default();
        if !finalizers.iter().any(|name| name == "kubernetes") {
            finalizers.push("kubernetes".into());
        }
        object.insert("spec".into(), objects::json!({"finalizers": finalizers}));
        object.insert("status".into(), objects::json!({"phase": "Active"}));
    } else if let Some(custom) = &resource.custom
        && resource.subresource("status").is_some()
    {
        object.remove("status");
        // A default of the status is there from the first read on.
        crate::crd::schema::apply_defaults(&custom.schema, object);
    }
    // Drivers of storage have none before their first change.
    if has_generation(resource) && !resource.is("storage.k8s.io", "csidrivers") {
        metadata_mut(object).insert("generation".into(), 1.into());
    }
    if resource.is("apiregistration.k8s.io", "apiservices") {
        let condition = objects::json!({
            "type": "Available", "status": "True", "reason": "Local",
            "message": "Local APIServices are always available",
            "lastTransitionTime": engine.environment.timestamp(),
        });
        object.insert("status".into(), objects::json!({"conditions": [condition]}));
    }
    if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        crate::crd::initialise(object);
    }
}

/// Does at once what a controller would do after a create, so that a client need not wait.
pub fn created(engine: &Engine, place: &Place) {
    let resource = &place.resource;
    if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        crate::crd::settle(engine, &place.name);
    }
    if resource.is("", "namespaces") {
        crate::controllers::complete_namespace(engine, &place.name);
    }
    if resource.is("", "resourcequotas") {
        crate::admission::quota::recount(engine, &place.namespace, &place.name);
    }
}

/// Takes from the live object what the endpoint must not change.
pub fn prepare_update(engine: &Engine, place: &Place, live: &Map, next: &mut Map) {
    let _ = engine;
    let keep = |next: &mut Map, key: &str| match live.get(key) {
        Some(value) => {
            next.insert(key.to_owned(), value.clone());
        }
        None => {
            next.remove(key);
        }
    };
    match place.sub.as_str() {
        "status" => {
            let status = next.remove("status");
            let metadata = next.remove("metadata");
            *next = live.clone();
            let metadata = metadata.as_ref().and_then(Value::as_object);
            for (key, value) in metadata.into_iter().flatten() {
                if changes_with_status(&place.resource, key) {
                    metadata_mut(next).insert(key.clone(), value.clone());
                }
            }
            for key in ["labels", "annotations", "finalizers", "ownerReferences"] {
                let gone = metadata.is_some_and(|metadata| !metadata.contains_key(key));
                if gone && changes_with_status(&place.resource, key) {
                    metadata_mut(next).remove(key);
                }
            }
            match status {
                Some(status) => next.insert("status".into(), status),
                None => next.remove("status"),
            };
        }
        "finalize" => keep(next, "status"),
        "ephemeralcontainers" | "resize" => pods::prepare(&place.sub, live, next),
        "" if place.resource.subresource("status").is_some() => keep(next, "status"),
        _ => {}
    }
    if place.sub.is_empty()
        && place
            .resource
            .is("apiextensions.k8s.io", "customresourcedefinitions")
    {
        let stored = crate::crd::stored_versions(next, Some(live));
        if let Some(status) = next.get_mut("status").and_then(Value::as_object_mut) {
            status.insert("storedVersions".into(), stored);
        }
    }
    if place.sub.is_empty() && place.resource.is("", "namespaces") {
        keep(next, "spec");
    }
}

/// Tells whether a write of the status may change a member of the metadata. Most built-in kinds allow it.
fn changes_with_status(resource: &Resource, member: &str) -> bool {
    if matches!(member, "managedFields" | "resourceVersion" | "uid") {
        return true;
    }
    let reset = resource.custom.is_some()
        || matches!(
            (resource.group(), resource.plural()),
            (
                "apiextensions.k8s.io"
                    | "apiregistration.k8s.io"
                    | "flowcontrol.apiserver.k8s.io"
                    | "resource.k8s.io"
                    | "admissionregistration.k8s.io",
                _
            ) | ("networking.k8s.io", "servicecidrs")
                | ("storage.k8s.io", "volumeattachments")
        );
    match member {
        "labels" => !reset && !resource.is("apps", "deployments"),
        "ownerReferences" => !reset && !resource.is("", "pods"),
        "annotations" | "finalizers" => !reset,
        _ => false,
    }
}

/// Tells whether objects of a kind carry a generation.
pub fn has_generation(resource: &Resource) -> bool {
    if resource.custom.is_some() {
        return true;
    }
    matches!(
        (resource.group(), resource.plural()),
        (
            "apps",
            "deployments" | "replicasets" | "statefulsets" | "daemonsets"
        ) | ("", "replicationcontrollers" | "podtemplates" | "pods")
            | ("batch", "jobs" | "cronjobs")
            | (
                "networking.k8s.io",
                "ingresses" | "ingressclasses" | "networkpolicies"
            )
            | ("policy", "poddisruptionbudgets")
            | ("apiextensions.k8s.io", "customresourcedefinitions")
            | ("admissionregistration.k8s.io", _)
            | ("flowcontrol.apiserver.k8s.io", _)
            | ("storage.k8s.io", "csidrivers")
            | ("resource.k8s.io", "resourceslices" | "deviceclasses")
            | ("discovery.k8s.io", "endpointslices")
            | ("scheduling.k8s.io", "priorityclasses")
    )
}

/// Moves the generation of an updated object where its wanted state changed.
pub fn set_generation(place: &Place, live: &Map, next: &mut Map) {
    let resource = &place.resource;
    if !has_generation(resource) || matches!(place.sub.as_str(), "status" | "binding") {
        return;
    }
    let relevant = |object: &Map| -> Map {
        let mut copy = object.clone();
        copy.remove("metadata");
        if resource.custom.is_none() || resource.subresource("status").is_some() {
            copy.remove("status");
        }
        copy
    };
    let annotations = |object: &Map| {
        object
            .get("metadata")
            .and_then(|m| m.get("annotations"))
            .cloned()
    };
    let labels = |object: &Map| {
        object
            .get("metadata")
            .and_then(|m| m.get("labels"))
            .cloned()
    };
    // Priority classes keep the generation that they were made with.
    let fixed = resource.is("scheduling.k8s.io", "priorityclasses");
    let moved = (!fixed && relevant(live) != relevant(next))
        || (resource.is("apps", "deployments") && annotations(live) != annotations(next))
        || (resource.is("discovery.k8s.io", "endpointslices") && labels(live) != labels(next));
    if moved {
        let generation = live
            .get("metadata")
            .and_then(|m| m.get("generation"))
            .and_then(Value::as_i64)
            .unwrap_or(0);
        metadata_mut(next).insert("generation".into(), (generation + 1).into());
    }
}

/// Finds everything that is wrong with an object; `live` is its state before an update.
pub fn validate(
    engine: &Engine,
    resource: &Resource,
    object: &Map,
    live: Option<&Map>,
) -> Vec<StatusCause> {
    if resource.is("", "services") {
        // Upstream allocates before it looks at the rest.
        let refused = allocate::taken(engine, object, live);
        if !refused.is_empty() {
            return refused;
        }
    }
    let mut causes = validate_metadata(resource, object);
    if resource.custom.is_none() {
        let faults = crate::validation::validate(resource.group(), resource.kind(), object, live);
        causes.extend(faults);
    }
    if let Some(custom) = &resource.custom {
        causes.extend(custom.validate(object, live));
    }
    if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        let found = crate::crd::validate(object, live);
        // The name was judged when the definition was made; group and plural cannot change any more.
        let renamed = |cause: &StatusCause| live.is_some() && cause.field == "metadata.name";
        causes.extend(found.into_iter().filter(|cause| !renamed(cause)));
    }
    causes
}

/// As [`validate`], with what an update must not change.
pub fn validate_update(
    engine: &Engine,
    place: &Place,
    object: &Map,
    live: &Map,
) -> Vec<StatusCause> {
    let resource = &place.resource;
    if place.sub == "status" && resource.custom.is_none() {
        let (group, kind) = (resource.group(), resource.kind());
        let faults = crate::validation::validate_status(group, kind, object, live);
        if !faults.is_empty() {
            return faults;
        }
    }
    if place.resource.custom.is_some() && place.sub == "status" {
        let mut causes = validate(engine, &place.resource, object, Some(live));
        causes.iter_mut().for_each(within_status);
        return causes;
    }
    if !place.resource.is("", "pods") || place.sub.is_empty() {
        return validate(engine, &place.resource, object, Some(live));
    }
    let own = pods::faults(&place.sub, object, live);
    if !own.is_empty() {
        return own;
    }
    let live = with_subresource_changes(&place.sub, object, live);
    validate(engine, &place.resource, object, Some(&live))
}

/// The status of a custom object is judged alone: messages name its members without it.
fn within_status(cause: &mut StatusCause) {
    let Some(member) = cause.field.strip_prefix("status.") else {
        return;
    };
    let (whole, alone) = (
        format!("{} in body", cause.field),
        format!("{member} in body"),
    );
    cause.message = cause.message.replace(&whole, &alone);
}

/// Takes over into the live pod what a subresource may change.
fn with_subresource_changes(sub: &str, object: &Map, live: &Map) -> Map {
    let mut live = live.clone();
    let new = object.get("spec").and_then(Value::as_object);
    let old = live.get_mut("spec").and_then(Value::as_object_mut);
    let (Some(new), Some(old)) = (new, old) else {
        return live;
    };
    let keys: &[&str] = match sub {
        "binding" => &["nodeName"],
        "ephemeralcontainers" => &["ephemeralContainers"],
        "resize" => &["containers", "initContainers", "resources"],
        _ => &[],
    };
    for key in keys {
        copy_member(new, old, key);
    }
    live
}

fn copy_member(from: &Map, to: &mut Map, key: &str) {
    match from.get(key) {
        Some(value) => to.insert(key.to_owned(), value.clone()),
        None => to.remove(key),
    };
}

fn validate_metadata(resource: &Resource, object: &Map) -> Vec<StatusCause> {
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

/// Returns the values of the fields that a kind can be selected by.
pub fn selectable_values(resource: &Resource, object: &Map) -> Vec<(CompactString, CompactString)> {
    selector::selectable(resource)
        .into_iter()
        .map(|name| {
            let name = selector::stored_field(resource, name);
            let value = selectable_value(object, &name);
            (name.into(), value)
        })
        .collect()
}

fn selectable_value(object: &Map, path: &str) -> CompactString {
    let mut parts = path.trim_start_matches('.').split('.');
    let first = parts.next().unwrap_or("");
    let found = parts.try_fold(object.get(first), |value, key| {
        Some(value.and_then(|value| value.get(key)))
    });
    let default = match path {
        "spec.hostNetwork" | "spec.unschedulable" => "false",
        "status.replicas" | "status.successful" => "0",
        _ => "",
    };
    match found.flatten() {
        Some(Value::String(text)) => text.into(),
        Some(Value::Object(source)) if path == "source" => text(source, "component").into(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string().into(),
        _ => default.into(),
    }
}

/// Rewrites a stored object into the version of a request.
pub fn convert_from_stored(resource: &Resource, stored_version: &str, object: &mut Map) {
    convert::from_stored(resource, stored_version, object);
}

/// Rewrites an object into the version in which its table keeps it; returns the resource of that version.
pub fn convert_to_stored(
    engine: &Engine,
    resource: &Arc<Resource>,
    object: &mut Map,
) -> Arc<Resource> {
    let _ = engine;
    convert::to_stored(resource, object);
    resource.clone()
}

/// Rewrites an object of one version of its kind into another.
pub fn convert(from_version: &str, to: &Resource, object: &mut Map) {
    convert::between(from_version, to, object);
}

/// Tells whether an update has to name the version it replaces.
pub fn needs_version(resource: &Resource) -> bool {
    resource.custom.is_some()
        || matches!(
            (resource.group(), resource.plural()),
            ("apiextensions.k8s.io", "customresourcedefinitions")
                | ("apiregistration.k8s.io", "apiservices")
                | ("coordination.k8s.io", "leases")
                | ("policy", "poddisruptionbudgets")
                | ("node.k8s.io", "runtimeclasses")
                | ("admissionregistration.k8s.io", _)
                | (
                    "storage.k8s.io",
                    "csidrivers" | "csinodes" | "csistoragecapacities" | "volumeattachments"
                )
        )
}

/// Tells whether a PUT of something absent creates it.
pub fn creates_on_update(resource: &Resource) -> bool {
    matches!(
        (resource.group(), resource.plural()),
        ("rbac.authorization.k8s.io", _)
            | ("coordination.k8s.io", "leases")
            | ("", "limitranges" | "events" | "services" | "endpoints")
            | ("events.k8s.io", "events")
            | ("node.k8s.io", "runtimeclasses")
    )
}

/// Refuses deletes that are never allowed.
pub fn admit_delete(place: &Place) -> Answered<()> {
    let eternal = ["default", "kube-system", "kube-public"];
    if place.resource.is("", "namespaces") && eternal.contains(&place.name.as_str()) {
        return Err(Failure::forbidden(
            place.named(),
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}

/// Returns what happens to dependents when a delete does not say.
pub fn default_propagation(context: &Context, place: &Place) -> Propagation {
    match (place.resource.group(), place.resource.plural()) {
        ("batch", "jobs") => {
            context.warn("child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning");
            Propagation::Orphan
        }
        ("", "replicationcontrollers") => Propagation::Orphan,
        _ => Propagation::Default,
    }
}

/// Returns the seconds an object stays after its delete.
pub fn grace_seconds(place: &Place, live: &Map, options: &DeleteOptions) -> i64 {
    if !place.resource.is("", "pods") {
        return 0;
    }
    let spec = live.get("spec");
    let scheduled = spec
        .and_then(|s| s.get("nodeName"))
        .and_then(Value::as_str)
        .is_some_and(|node| !node.is_empty());
    let phase = live
        .get("status")
        .and_then(|s| s.get("phase"))
        .and_then(Value::as_str);
    if !scheduled || matches!(phase, Some("Succeeded" | "Failed")) {
        return 0;
    }
    options.grace_seconds.unwrap_or_else(|| {
        spec.and_then(|s| s.get("terminationGracePeriodSeconds"))
            .and_then(Value::as_i64)
            .unwrap_or(30)
    })
}

/// Tells whether a delete marks the object, shows it, and removes it at once.
pub fn shows_deleted(place: &Place) -> bool {
    place.resource.is("", "pods")
}

/// Tells whether a kind ends by itself after its delete, without finalizers in its metadata.
pub fn finalizes_itself(place: &Place, live: &Map) -> bool {
    if place
        .resource
        .is("apiextensions.k8s.io", "customresourcedefinitions")
    {
        let deleting = live
            .get("metadata")
            .is_some_and(|m| m.get("deletionTimestamp").is_some());
        return !deleting;
    }
    place.resource.is("", "namespaces")
        && live
            .get("spec")
            .and_then(|spec| spec.get("finalizers"))
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
}

/// Adds what a kind shows while it is being deleted.
pub fn mark_deleting(engine: &Engine, place: &Place, next: &mut Map) {
    if place.resource.is("", "namespaces") {
        metadata_mut(next).remove("deletionGracePeriodSeconds");
        let status = next
            .entry("status")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(status) = status.as_object_mut() {
            status.insert("phase".into(), "Terminating".into());
        }
    }
    if place
        .resource
        .is("apiextensions.k8s.io", "customresourcedefinitions")
    {
        crate::crd::terminating(engine, next);
    }
}

/// Tells whether the stored bytes of a version are what this resource answers.
pub fn stored_as_is(resource: &Resource, stored_version: &str) -> bool {
    convert::stored_as_is(resource, stored_version)
}

/// Builds the cells of a Table row, one for each column.
pub fn cells(resource: &Resource, object: &Map, now: jiff::Timestamp) -> Vec<Value> {
    if resource.custom.is_some() {
        return crate::crd::columns::cells(resource, object, now);
    }
    crate::printers::cells(resource, object, now)
}

/// Gives a bookmark the members that the kind always prints.
pub fn bookmark(resource: &Resource, object: Value) -> Value {
    let _ = resource;
    object
}

/// Reads a pod's log.
pub fn pod_log(engine: &Engine, place: &Place, query: &Query) -> Answered<String> {
    crate::workloads::logs::check_options(&place.name, query)?;
    let entry = engine.entry(place)?;
    let pod = engine.decode_entry(&place.resource, &entry);
    crate::workloads::logs::read(&pod, query, engine.environment.clock.now())
}

/// Posts to a subresource such as `token` or `eviction`.
pub fn subresource_create(
    engine: &Engine,
    context: &Context,
    place: &Place,
    body: &Body,
    options: &WriteOptions,
) -> Answered<Reply> {
    if place.resource.is("", "bindings") {
        return posts::create_binding(engine, context, place, body, options);
    }
    posts::create(engine, context, place, body, options)
}

/// Sets a condition in `status.conditions` to a state without reason or message.
pub fn set_condition(object: &mut Map, kind: &str, state: &str, now: &str) {
    let new = objects::json!({"type": kind, "status": state, "lastProbeTime": null, "lastTransitionTime": now});
    let status = object
        .entry("status")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(status) = status.as_object_mut() else {
        return;
    };
    let list = status
        .entry("conditions")
        .or_insert_with(|| Value::Array(Vec::new()));
    let Some(list) = list.as_array_mut() else {
        return;
    };
    match list.iter_mut().find(|c| c["type"] == kind) {
        Some(old) => *old = new,
        None => list.push(new),
    }
}

/// Refuses a delete body of another kind.
pub fn check_delete_options(body: &Map) -> Answered<()> {
    let kind = text(body, "kind");
    if kind == "DeleteOptions" {
        return check_delete_types(body);
    }
    let api_version = text(body, "apiVersion");
    Err(Failure::bad_request(format!(
        "no kind \"{kind}\" is registered for version \"{api_version}\" in scheme \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\""
    )))
}

/// Refuses members of the wrong type.
fn check_delete_types(body: &Map) -> Answered<()> {
    let types: [(&str, &str, fn(&Value) -> bool); 5] = [
        ("gracePeriodSeconds", "int64", Value::is_i64),
        ("orphanDependents", "bool", Value::is_boolean),
        (
            "propagationPolicy",
            "v1.DeletionPropagation",
            Value::is_string,
        ),
        ("dryRun", "[]string", Value::is_array),
        ("preconditions", "v1.Preconditions", Value::is_object),
    ];
    for (member, expected, fits) in types {
        let Some(value) = body.get(member).filter(|v| !v.is_null() && !fits(v)) else {
            continue;
        };
        let found = match value {
            Value::String(_) => "string".to_owned(),
            Value::Number(number) if number.is_i64() => "number".to_owned(),
            Value::Number(number) => format!("number {number}"),
            Value::Bool(_) => "bool".to_owned(),
            Value::Array(_) => "array".to_owned(),
            _ => "object".to_owned(),
        };
        return Err(Failure::bad_request(format!(
            "json: cannot unmarshal {found} into Go struct field DeleteOptions.{member} of type {expected}"
        )));
    }
    Ok(())
}

/// Tells whether the answer to a delete shows the object rather than a Status, as some storages upstream do.
pub fn answers_with_deleted(resource: &Resource) -> bool {
    const CORE: &[&str] = &[
        "persistentvolumeclaims",
        "persistentvolumes",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
    ];
    const STORAGE: &[&str] = &[
        "csidrivers",
        "csinodes",
        "storageclasses",
        "volumeattachments",
        "volumeattributesclasses",
    ];
    match resource.group() {
        "" => CORE.contains(&resource.plural()),
        "storage.k8s.io" => STORAGE.contains(&resource.plural()),
        "resource.k8s.io" => true,
        _ => false,
    }
}

/// Refuses what only a node could do, in upstream's words where it has any.
pub fn no_node(engine: &Engine, place: &Place) -> Box<Failure> {
    let entry = match engine.entry(place) {
        Ok(entry) => entry,
        Err(failure) => return failure,
    };
    let scheduled = entry
        .field("spec.nodeName")
        .is_some_and(|node| !node.is_empty());
    if place.resource.is("", "pods") && place.sub != "proxy" && !scheduled {
        let message = format!("pod {} does not have a host assigned", place.name);
        return Failure::bad_request(message);
    }
    Failure::bad_request(
        "this server has no nodes: exec, attach, port-forward and proxy are not possible",
    )
}

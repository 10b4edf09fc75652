//! Per-kind behaviour: tables and hooks around the generic engine.
//!
//! The engine calls these functions at fixed points of a write and knows nothing else about kinds:
//! [`form::shape`] → [`default`] → (ownership) → [`admit`] → [`prepare_create`] or [`prepare_update`] →
//! [`set_generation`] → [`validate`] or [`validate_update`]. Objects are in the version of the request.

pub mod allocate;
pub mod convert;
pub mod deletion;
pub mod form;
mod metadata;
pub mod pods;
pub mod posts;
pub mod rules;
pub mod scale;
mod services;
pub mod warnings;

use cluster::StatusCause;
use objects::{Map, Value};

use crate::catalog::Resource;
use crate::engine::{Engine, Place, metadata_mut};
use crate::failure::Answered;

use rules::{changes_with_status, has_generation};

/// Fills in the kind's defaults.
pub fn default(resource: &Resource, object: &mut Map) {
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
    if let Some(custom) = &resource.custom
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
    match (resource.group(), resource.plural()) {
        ("", "namespaces") => activate_namespace(object),
        ("apiregistration.k8s.io", "apiservices") => {
            let condition = objects::json!({
                "type": "Available", "status": "True", "reason": "Local",
                "message": "Local APIServices are always available",
                "lastTransitionTime": engine.environment.timestamp(),
            });
            object.insert("status".into(), objects::json!({"conditions": [condition]}));
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => crate::crd::initialise(object),
        _ => {}
    }
}

/// Gives a namespace the finalizer of its own and the phase that it begins with.
fn activate_namespace(object: &mut Map) {
    let own = object
        .get("spec")
        .and_then(|spec| spec.get("finalizers")?.as_array());
    let mut finalizers = own.cloned().unwrap_or_default();
    if !finalizers.iter().any(|name| name == "kubernetes") {
        finalizers.push("kubernetes".into());
    }
    object.insert("spec".into(), objects::json!({"finalizers": finalizers}));
    object.insert("status".into(), objects::json!({"phase": "Active"}));
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
pub fn prepare_update(place: &Place, live: &Map, next: &mut Map) {
    let resource = &place.resource;
    match place.sub.as_str() {
        "status" => keep_all_but_status(resource, live, next),
        "finalize" => copy_member(live, next, "status"),
        "ephemeralcontainers" | "resize" => pods::prepare(&place.sub, live, next),
        "" if resource.subresource("status").is_some() => copy_member(live, next, "status"),
        _ => {}
    }
    if !place.sub.is_empty() {
        return;
    }
    if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        let stored = crate::crd::stored_versions(next, Some(live));
        if let Some(status) = next.get_mut("status").and_then(Value::as_object_mut) {
            status.insert("storedVersions".into(), stored);
        }
    }
    if resource.is("", "namespaces") {
        copy_member(live, next, "spec");
    }
}

/// Leaves of a write of the status its status, and of its metadata what such a write may change.
fn keep_all_but_status(resource: &Resource, live: &Map, next: &mut Map) {
    let wanted = std::mem::replace(next, live.clone());
    copy_member(&wanted, next, "status");
    let metadata = wanted.get("metadata").and_then(Value::as_object);
    for (key, value) in metadata.into_iter().flatten() {
        if changes_with_status(resource, key) {
            metadata_mut(next).insert(key.clone(), value.clone());
        }
    }
    for key in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let gone = metadata.is_some_and(|metadata| !metadata.contains_key(key));
        if gone && changes_with_status(resource, key) {
            metadata_mut(next).remove(key);
        }
    }
}

/// Moves the generation of an updated object where its wanted state changed.
pub fn set_generation(place: &Place, live: &Map, next: &mut Map) {
    let resource = &place.resource;
    if !has_generation(resource) || matches!(place.sub.as_str(), "status" | "binding") {
        return;
    }
    let member = |object: &Map, key: &str| object.get("metadata")?.get(key).cloned();
    let changed = |key: &str| member(live, key) != member(next, key);
    // Priority classes keep the generation that they were made with.
    let fixed = resource.is("scheduling.k8s.io", "priorityclasses");
    let moved = (!fixed && wanted_state(resource, live) != wanted_state(resource, next))
        || (resource.is("apps", "deployments") && changed("annotations"))
        || (resource.is("discovery.k8s.io", "endpointslices") && changed("labels"));
    if moved {
        let generation = member(live, "generation").and_then(|number| number.as_i64());
        let generation = generation.unwrap_or(0) + 1;
        metadata_mut(next).insert("generation".into(), generation.into());
    }
}

/// What an object says beside its metadata and the status that is written apart.
fn wanted_state(resource: &Resource, object: &Map) -> Map {
    let mut wanted = object.clone();
    wanted.remove("metadata");
    if resource.custom.is_none() || resource.subresource("status").is_some() {
        wanted.remove("status");
    }
    wanted
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
        let refused = services::taken(engine, object, live);
        if !refused.is_empty() {
            return refused;
        }
    }
    let mut causes = metadata::faults(resource, object);
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

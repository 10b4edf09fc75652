//! How a kind is deleted: what is never deleted, what becomes of dependents, how long it stays, and how that shows.

use cluster::Propagation;
use objects::{Map, Value};

use crate::catalog::text;
use crate::engine::{Context, DeleteOptions, Engine, Place, metadata_mut};
use crate::failure::{Answered, Failure};

/// Refuses deletes that are never allowed.
pub fn admit(place: &Place) -> Answered<()> {
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
pub fn shows_object(place: &Place) -> bool {
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
pub fn mark(engine: &Engine, place: &Place, next: &mut Map) {
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

/// Refuses a delete body of another kind.
pub fn check_options(body: &Map) -> Answered<()> {
    let kind = text(body, "kind");
    if kind == "DeleteOptions" {
        return check_option_types(body);
    }
    let api_version = text(body, "apiVersion");
    Err(Failure::bad_request(format!(
        "no kind \"{kind}\" is registered for version \"{api_version}\" in scheme \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\""
    )))
}

/// Refuses members of the wrong type.
fn check_option_types(body: &Map) -> Answered<()> {
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

//! Posts to subresources: tokens, evictions, bindings.

mod binding;
mod eviction;
mod token;

use objects::{Gvk, Map, Value, json};

use crate::catalog::text;
use crate::engine::{Body, Engine, Place, Reply, Wanted, Write, check_namespace};
use crate::failure::{Answered, Failure};

/// Posts to a subresource such as `token` or `eviction`, or to the older collection of bindings.
///
/// # Errors
/// Fails as writes do, and with "method not allowed" where a subresource takes no posts.
pub(crate) fn create(write: &Write<'_>, body: &Body) -> Answered<Reply> {
    let place = write.place;
    if place.resource.is("", "bindings") {
        return binding::create_by_name(write, body);
    }
    match (place.resource.plural(), place.sub.as_str()) {
        ("serviceaccounts", "token") => token::create(write, body),
        ("pods", "eviction") => eviction::create(write, body),
        ("pods", "binding") => binding::create(write, body),
        (_, "exec" | "attach" | "portforward" | "proxy") => Err(no_node(write.engine, place)),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// Reads a body of the kind that a subresource takes, checked as other bodies are.
pub(super) fn read(write: &Write<'_>, gvk: &Gvk, body: &Body) -> Answered<Map> {
    let resource = write.place.resource.written_as(gvk);
    let mut object = body.decode(Wanted::of(&resource))?;
    // The older version of evictions is still understood.
    let (version, kind) = (text(&object, "apiVersion"), text(&object, "kind"));
    if (version, kind) == ("policy/v1beta1", "Eviction") {
        object.insert("apiVersion".into(), resource.api_version.clone().into());
    }
    let mut object = write.shaped(&resource, body, object)?;
    check_namespace(write.place, &mut object)?;
    Ok(object)
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

/// Sets a condition in `status.conditions` to a state without reason or message.
fn set_condition(object: &mut Map, kind: &str, state: &str, now: &str) {
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

fn success() -> Reply {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    match status {
        Value::Object(map) => Reply::Loose(Box::new(map)),
        _ => Reply::Loose(Box::default()),
    }
}

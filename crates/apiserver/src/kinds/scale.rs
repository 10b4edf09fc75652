//! The scale subresource: a small view of an object's replica fields.

use objects::{Gvk, LabelSelector, Map, Value, json};

use crate::catalog::Resource;
use crate::engine::{Body, Engine, PatchBody, Place, Reply, Write, Written, metadata_text};
use crate::failure::{Answered, Failure};
use crate::kinds::form;

/// Reads the scale of an object.
pub fn get(engine: &Engine, place: &Place) -> Answered<Map> {
    let entry = engine.entry(place)?;
    let object = engine.decode_entry(&place.resource, &entry);
    let path = paths(&place.resource).0;
    if place.resource.custom.is_some() && at(&object, &path).is_none() {
        let why = format!("the spec replicas field \"{path}\" does not exist");
        let message = format!("Internal error occurred: {why}");
        let mut failure = Failure::new(500, "InternalError", message);
        failure.status.causes.push(cluster::StatusCause {
            reason: String::new(),
            message: why,
            field: String::new(),
        });
        return Err(failure);
    }
    Ok(view(&place.resource, &object))
}

/// Replaces the scale of an object.
///
/// # Errors
/// Fails as updates do; failures about the number of replicas name the scale.
pub(crate) fn update(write: &Write<'_>, body: &Body) -> Answered<Written> {
    let scale = super::posts::read(write, &gvk(), body)?;
    check_name(write.place, &scale)?;
    replace(write, &|_| Ok(scale.clone()))
}

/// Patches the scale of an object.
///
/// # Errors
/// Fails as patches do; conflicts and failures about the number of replicas name the scale.
pub(crate) fn patch(write: &Write<'_>, patch: &PatchBody) -> Answered<Written> {
    let (engine, place) = (write.engine, write.place);
    if let PatchBody::Apply(body) = patch {
        return apply(write, body);
    }
    let resource = place.resource.written_as(&gvk());
    replace(write, &|live| {
        let view = view(&place.resource, live);
        let mut scale = engine.patched(place, &view, patch)?;
        check_name(place, &scale)?;
        // What failures show of it: rare, so made again.
        let shown = || {
            let patched = engine.patched(place, &view, patch).unwrap_or_default();
            crate::proto::print(&gvk(), &patched, &Value::Null)
        };
        let (source, odd) = (patch.source(&shown), &write.options.oddities);
        form::shape(write, &resource, &mut scale, odd, source)?;
        Ok(scale)
    })
}

fn gvk() -> Gvk {
    Gvk::new("autoscaling", "v1", "Scale")
}

fn check_name(place: &Place, scale: &Map) -> Answered<()> {
    let given = metadata_text(scale, "name");
    if given == place.name {
        return Ok(());
    }
    let (name, why) = (&place.name, "was undeterminable: name must be provided");
    Err(Failure::bad_request(if given.is_empty() {
        format!("the name of the object ({name} based on URL) {why}")
    } else {
        format!("the name of the object ({given}) does not match the name on the URL ({name})")
    }))
}

/// Applies a scale: the replicas of the object behind it, owned under the subresource's name.
fn apply(write: &Write<'_>, body: &Body) -> Answered<Written> {
    let place = write.place;
    let scale = match body {
        Body::Object(map) => map.clone(),
        Body::Raw(bytes, _) => crate::engine::yaml_map(bytes).map_err(Failure::bad_request)?,
    };
    let replicas = scale.get("spec").and_then(|spec| spec.get("replicas"));
    let mut applied = Map::new();
    let resource = &place.resource;
    applied.insert("apiVersion".into(), resource.api_version.clone().into());
    applied.insert("kind".into(), resource.kind().into());
    let metadata = json!({"name": place.name, "namespace": place.namespace});
    applied.insert("metadata".into(), metadata);
    if let Some(replicas) = replicas {
        check_replicas(place, replicas.as_i64().unwrap_or(0))?;
        set(&mut applied, &paths(resource).0, replicas.clone());
    }
    let written = write.transform(&|live, _| {
        let applied = crate::fields::applied(write, Some(live), &applied);
        let mut next = applied.map_err(|failure| in_words_of_scale(failure, resource))?;
        super::prepare_update(place, live, &mut next);
        Ok(next)
    })?;
    Ok(viewed(write, &written))
}

/// Conflicts name the version of the scale, not that of the object behind it.
fn in_words_of_scale(mut failure: Box<Failure>, resource: &Resource) -> Box<Failure> {
    let (own, seen) = (
        format!("using {}", resource.api_version),
        "using autoscaling/v1",
    );
    failure.status.message = failure.status.message.replace(&own, seen);
    for cause in &mut failure.status.causes {
        cause.message = cause.message.replace(&own, seen);
    }
    failure
}

fn check_replicas(place: &Place, replicas: i64) -> Answered<()> {
    if replicas >= 0 {
        return Ok(());
    }
    let why = "must be greater than or equal to 0";
    let cause = crate::failure::field::invalid("spec.replicas", &replicas.into(), why);
    let named = crate::failure::Named {
        group: "autoscaling",
        kind: "Scale",
        name: &place.name,
    };
    Err(Failure::invalid(named, vec![cause]))
}

fn viewed(write: &Write<'_>, written: &Written) -> Written {
    let resource = &write.place.resource;
    let object = write.engine.reply_map(resource, &written.reply);
    Written {
        reply: Reply::Loose(Box::new(view(resource, &object))),
        created: false,
    }
}

fn replace(write: &Write<'_>, make: &dyn Fn(&Map) -> Answered<Map>) -> Answered<Written> {
    let place = write.place;
    let (spec_path, _, _) = paths(&place.resource);
    let written = write.replace(&|live, _| {
        let scale = make(live)?;
        let version = metadata_text(&scale, "resourceVersion");
        let mut next = live.clone();
        if !version.is_empty() && version != metadata_text(live, "resourceVersion") {
            return Err(Failure::modified(place.named()));
        }
        let replicas = scale
            .get("spec")
            .and_then(|spec| spec.get("replicas"))
            .and_then(Value::as_i64)
            .unwrap_or(0);
        check_replicas(place, replicas)?;
        set(&mut next, &spec_path, replicas.into());
        Ok(next)
    })?;
    Ok(viewed(write, &written))
}

/// Returns the paths of spec replicas, status replicas and selector.
pub fn paths(resource: &Resource) -> (String, String, String) {
    match resource.custom.as_ref().and_then(|c| c.scale.as_ref()) {
        Some(scale) => scale.clone(),
        None => (
            ".spec.replicas".into(),
            ".status.replicas".into(),
            ".spec.selector".into(),
        ),
    }
}

/// Builds the `Scale` of an object.
pub fn view(resource: &Resource, object: &Map) -> Map {
    let (spec_path, status_path, selector_path) = paths(resource);
    let mut metadata = Map::new();
    for key in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = object.get("metadata").and_then(|m| m.get(key)) {
            metadata.insert(key.into(), value.clone());
        }
    }
    let number = |path: &str| at(object, path).and_then(Value::as_i64).unwrap_or(0);
    let mut spec = Map::new();
    if number(&spec_path) != 0 {
        spec.insert("replicas".into(), number(&spec_path).into());
    }
    let mut status = Map::new();
    status.insert("replicas".into(), number(&status_path).into());
    let selector = match at(object, &selector_path) {
        Some(Value::String(selector)) => selector.clone(),
        Some(Value::Object(selector)) => selector_text(selector),
        _ => String::new(),
    };
    if !selector.is_empty() {
        status.insert("selector".into(), selector.into());
    }
    let scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": metadata, "spec": spec, "status": status,
    });
    match scale {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Writes a label selector (or the plain map of a replication controller) in its text form.
fn selector_text(selector: &Map) -> String {
    let whole = selector.contains_key("matchLabels") || selector.contains_key("matchExpressions");
    let selector = if whole {
        LabelSelector::of_object(selector)
    } else {
        LabelSelector::of_labels(selector)
    };
    let mut terms: Vec<String> = selector.terms().collect();
    terms.sort();
    terms.join(",")
}

fn at<'a>(object: &'a Map, path: &str) -> Option<&'a Value> {
    let mut parts = path.trim_start_matches('.').split('.');
    let first = object.get(parts.next()?)?;
    parts.try_fold(first, |value, key| value.get(key))
}

fn set(object: &mut Map, path: &str, value: Value) {
    let parts: Vec<&str> = path.trim_start_matches('.').split('.').collect();
    let Some((last, parents)) = parts.split_last() else {
        return;
    };
    let mut map = object;
    for parent in parents {
        let slot = map
            .entry((*parent).to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        let Some(inner) = slot.as_object_mut() else {
            return;
        };
        map = inner;
    }
    map.insert((*last).to_owned(), value);
}

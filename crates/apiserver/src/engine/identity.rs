//! What an update cannot change, and what a body must agree with the URL about: names, uid, version, marks of deletion.

use cluster::StatusCause;
use objects::{Map, Value};

use super::{Engine, Place, metadata_mut, metadata_text};
use crate::failure::{Answered, Failure, field};
use crate::store::{self, Entry};

/// Forgets what a client cannot say about a new object.
pub(super) fn wipe_system_fields(object: &mut Map) {
    let metadata = metadata_mut(object);
    for key in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        metadata.remove(key);
    }
}

/// Tells whether nothing keeps an object that is marked for deletion.
pub(super) fn deletable(object: &Map) -> bool {
    let Some(metadata) = object.get("metadata") else {
        return false;
    };
    let list_empty =
        |value: Option<&Value>| value.is_none_or(|list| list.as_array().is_none_or(Vec::is_empty));
    let is_namespace = object.get("kind").and_then(Value::as_str) == Some("Namespace")
        && object.get("apiVersion").and_then(Value::as_str) == Some("v1");
    let finalized =
        !is_namespace || list_empty(object.get("spec").and_then(|spec| spec.get("finalizers")));
    let waiting = metadata
        .get("deletionGracePeriodSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(0)
        > 0;
    metadata.get("deletionTimestamp").is_some()
        && list_empty(metadata.get("finalizers"))
        && finalized
        && !waiting
}

/// Refuses finalizers that come after the delete.
pub(super) fn late_finalizers(live: &Map, next: &Map) -> Vec<StatusCause> {
    let list = |object: &Map| -> Vec<String> {
        let list = object.get("metadata").and_then(|m| m.get("finalizers"));
        let list = list.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let deleting = live
        .get("metadata")
        .is_some_and(|m| m.get("deletionTimestamp").is_some());
    let before = list(live);
    let new: Vec<String> = list(next)
        .into_iter()
        .filter(|finalizer| !before.contains(finalizer))
        .map(|finalizer| Value::from(finalizer).to_string())
        .collect();
    if !deleting || new.is_empty() {
        return Vec::new();
    }
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.join(", ")
    );
    twice(field::forbidden("metadata.finalizers", &why)).to_vec()
}

/// Refuses a stale precondition and takes the version out of the object's way.
pub(super) fn check_version(place: &Place, entry: &Entry, next: &mut Map) -> Answered<()> {
    let current = entry.revision.to_string();
    let given = metadata_text(next, "resourceVersion").to_owned();
    if !given.is_empty() && given.parse::<u64>().is_err() {
        return Err(Failure::internal(format!(
            "strconv.ParseUint: parsing {}: invalid syntax",
            gocompat::quote::quote(given.as_bytes())
        )));
    }
    if !given.is_empty() && given != "0" && given != current {
        return Err(Failure::modified(place.named()));
    }
    metadata_mut(next).insert("resourceVersion".into(), current.into());
    Ok(())
}

/// Puts back what an update cannot change, and refuses another uid.
pub(super) fn restore_identity(
    engine: &Engine,
    place: &Place,
    live: &Map,
    next: &mut Map,
) -> Answered<()> {
    let uid = metadata_text(next, "uid");
    let live_uid = metadata_text(live, "uid");
    if !uid.is_empty() && uid != live_uid {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {live_uid}",
            place.resource.plural(),
            store::key(&place.namespace, &place.name)
        );
        return Err(Failure::conflict(place.named(), &why));
    }
    let live_metadata = live.get("metadata").and_then(Value::as_object);
    let metadata = metadata_mut(next);
    metadata.remove("selfLink");
    let Some(live_metadata) = live_metadata else {
        return Ok(());
    };
    for key in ["uid", "name", "namespace", "generateName"] {
        if metadata.get(key).is_none_or(Value::is_null) {
            copy(live_metadata, metadata, key);
        }
    }
    copy(live_metadata, metadata, "creationTimestamp");
    let mut causes = Vec::new();
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        let given = metadata.get(key).filter(|value| !value.is_null());
        let settled = key == "deletionTimestamp" && live_metadata.contains_key(key);
        if let Some(given) = given
            && Some(given) != live_metadata.get(key)
            && !settled
        {
            // Upstream checks these twice.
            let path = format!("metadata.{key}");
            causes.extend(twice(field::invalid(&path, given, "field is immutable")));
        }
        copy(live_metadata, metadata, key);
    }
    copy(live_metadata, metadata, "generation");
    if causes.is_empty() {
        Ok(())
    } else {
        Err(engine.invalid(&place.resource, live, causes))
    }
}

/// Repeats a cause, as upstream's generic and common checks both report it.
pub(super) fn twice(cause: StatusCause) -> [StatusCause; 2] {
    [cause.clone(), cause]
}

fn copy(from: &Map, to: &mut Map, key: &str) {
    match from.get(key) {
        Some(value) => to.insert(key.to_owned(), value.clone()),
        None => to.remove(key),
    };
}

/// Refuses a body whose namespace is not the URL's, and fills it in.
pub(crate) fn check_namespace(place: &Place, object: &mut Map) -> Answered<()> {
    let given = metadata_text(object, "namespace").to_owned();
    if !place.resource.api.namespaced {
        if given.is_empty() {
            return Ok(());
        }
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if !given.is_empty() && given != place.namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata_mut(object).insert("namespace".into(), place.namespace.clone().into());
    Ok(())
}

/// Refuses a body whose name is not the URL's.
pub(super) fn check_name(place: &Place, object: &Map) -> Answered<()> {
    let given = metadata_text(object, "name");
    if given.is_empty() {
        return Err(Failure::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            place.name
        )));
    }
    if given != place.name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({})",
            place.name
        )));
    }
    Ok(())
}

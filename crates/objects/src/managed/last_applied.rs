//! The hand-over from kubectl's client-side apply to its server-side apply.

use crate::smd::{Duplicates, FieldSet, Typed};
use crate::{Map, Value};

use super::FieldManager;

/// Annotation in which kubectl keeps the object it applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Bound on the size of all annotations, keys and values.
const ANNOTATIONS_SIZE_MAX: usize = 256 * 1024;

/// Returns the fields that the annotation holds with the values of the live object: taking them is no conflict.
pub(super) fn allowed_conflicts(manager: &FieldManager<'_>, live: &Value) -> Option<FieldSet> {
    let text = annotation(live.as_object()?)?;
    let last: Value = serde_json::from_str(text).ok()?;
    if last.get("apiVersion")?.as_str()? != manager.gvk.api_version() {
        return None;
    }
    let typed =
        |value: Value, duplicates| Typed::new(manager.schema, manager.ty, value, duplicates).ok();
    let live = typed(live.clone(), Duplicates::Refused)?;
    let last = typed(last, Duplicates::Refused)?;
    let changed = last.compare(&live).ok()?;
    let set = last
        .to_field_set()
        .difference(&changed.modified)
        .difference(&changed.added)
        .difference(&changed.removed);
    Some(set)
}

/// Rewrites the annotation, where there is one, to the object applied now; drops it when annotations grow too large.
pub(super) fn refresh(object: &mut Map, applied: &Map) {
    if annotation(object).is_none() {
        return;
    }
    let mut applied = Value::Object(applied.clone());
    if let Some(Value::Object(annotations)) = applied.pointer_mut("/metadata/annotations") {
        annotations.remove(LAST_APPLIED);
    }
    let mut text = String::new();
    crate::smd::gotext::push_json_value(&mut text, &applied);
    text.push('\n');
    let Some(Value::Object(annotations)) = object
        .get_mut("metadata")
        .and_then(|m| m.get_mut("annotations"))
    else {
        return;
    };
    annotations.insert(LAST_APPLIED.into(), text.into());
    let size: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > ANNOTATIONS_SIZE_MAX {
        annotations.remove(LAST_APPLIED);
    }
}

fn annotation(object: &Map) -> Option<&str> {
    let annotations = object.get("metadata")?.get("annotations")?;
    annotations
        .get(LAST_APPLIED)?
        .as_str()
        .filter(|text| !text.is_empty())
}

//! Field ownership and patches by schema: where the engine meets the merge engine of `objects`.

use std::sync::{Arc, OnceLock};

use cluster::StatusCause;
use objects::managed::{ApplyError, FieldManager};
use objects::schema::builtin::builtin;
use objects::schema::{Schema, TypeId};
use objects::smd::{
    ConvertError, Converter, FieldFilter, FieldSet, PathElement, PatternElement, SetMatcher, Typed,
};
use objects::{Gvk, Map, Value};

use crate::catalog::{Catalog, Resource, text};
use crate::engine::Write;
use crate::failure::{Answered, Failure};

/// Returns the schema and the type of a resource's objects.
pub fn schema_of(resource: &Resource) -> (Arc<Schema>, TypeId) {
    match &resource.custom {
        Some(custom) => custom.merge_schema(resource.gvk()),
        None => {
            let schema = builtin();
            match schema.kind(resource.gvk()) {
                Some(id) => (schema.clone(), id),
                None => Schema::deduced(),
            }
        }
    }
}

/// What the merge engine needs for one request.
struct Work {
    schema: Arc<Schema>,
    ty: TypeId,
    gvk: Gvk,
    converter: Versions,
    reset: Option<FieldFilter>,
    empty: Value,
    now: String,
}

impl Work {
    fn new(write: &Write<'_>) -> Self {
        let resource = &write.place.resource;
        let (schema, ty) = schema_of(resource);
        let status = PathElement::field("status");
        let reset = match write.place.sub.as_str() {
            "status" => Some(FieldFilter::Include(SetMatcher::prefix(vec![
                PatternElement::Is(status),
            ]))),
            "" if resource.subresource("status").is_some() => {
                Some(FieldFilter::Exclude(FieldSet::of([[status].as_slice()])))
            }
            _ => None,
        };
        Self {
            empty: empty(resource, &schema, ty),
            schema,
            ty,
            gvk: resource.gvk().clone(),
            converter: Versions {
                catalog: write.engine.catalog(),
                gvk: resource.gvk().clone(),
            },
            reset,
            now: write.engine.environment.timestamp(),
        }
    }

    fn manager<'a>(&'a self, sub: &'a str) -> FieldManager<'a> {
        FieldManager {
            schema: &self.schema,
            ty: self.ty,
            gvk: &self.gvk,
            subresource: sub,
            converter: &self.converter,
            reset: self.reset.clone(),
            empty: &self.empty,
            now: &self.now,
        }
    }
}

/// Returns what an object of a kind is before it exists; cached for the built-in kinds.
fn empty(resource: &Resource, schema: &Schema, ty: TypeId) -> Value {
    type Cache = parking_lot::Mutex<std::collections::HashMap<Gvk, Value>>;
    static CACHE: OnceLock<Cache> = OnceLock::new();
    if resource.custom.is_some() {
        return Value::Null;
    }
    let mut cache = CACHE.get_or_init(Cache::default).lock();
    cache
        .entry(resource.gvk().clone())
        .or_insert_with(|| objects::managed::empty_object(schema, ty))
        .clone()
}

/// Records in `next` which fields a manager changed by create, update or a plain patch.
pub(crate) fn recorded(write: &Write<'_>, live: Option<&Map>, next: &mut Map) {
    let work = Work::new(write);
    work.manager(&write.place.sub)
        .update(live, next, write.manager());
    if write.place.sub == "scale" {
        forget_scale_times(next);
    }
}

/// Entries of the scale subresource carry no time, and so come first among the updates.
fn forget_scale_times(next: &mut Map) {
    let list = crate::engine::metadata_mut(next).get_mut("managedFields");
    let Some(list) = list.and_then(Value::as_array_mut) else {
        return;
    };
    for entry in list.iter_mut().filter_map(Value::as_object_mut) {
        if text(entry, "subresource") == "scale" {
            entry.remove("time");
        }
    }
    list.sort_by_cached_key(|entry| {
        let text = |key: &str| entry[key].as_str().unwrap_or("").to_owned();
        (text("operation"), text("time"))
    });
}

/// As [`recorded`], for a new object of a kind that no resource has.
pub(crate) fn recorded_kind(write: &Write<'_>, gvk: &Gvk, next: &mut Map) {
    let schema = builtin();
    let Some(ty) = schema.kind(gvk) else { return };
    let work = Work {
        schema: schema.clone(),
        ty,
        gvk: gvk.clone(),
        converter: Versions {
            catalog: write.engine.catalog(),
            gvk: gvk.clone(),
        },
        reset: None,
        empty: objects::managed::empty_object(schema, ty),
        now: write.engine.environment.timestamp(),
    };
    work.manager(&write.place.sub)
        .update(None, next, write.manager());
}

/// Merges an applied configuration into the live object, with ownership and conflicts.
pub(crate) fn applied(write: &Write<'_>, live: Option<&Map>, applied: &Map) -> Answered<Map> {
    let work = Work::new(write);
    let force = write.options.force.unwrap_or(false);
    let manager = work.manager(&write.place.sub);
    let outcome = manager.apply(live, applied, write.manager(), force);
    outcome.map_err(|error| match error {
        ApplyError::Conflicts(conflicts) => {
            let mut failure = Failure::new(409, "Conflict", conflicts.to_string());
            let causes = conflicts.causes().into_iter().map(|cause| StatusCause {
                reason: "FieldManagerConflict".into(),
                message: cause.message,
                field: cause.field,
            });
            failure.status.causes = causes.collect();
            failure
        }
        ApplyError::BadRequest(why) => Failure::bad_request(why),
        ApplyError::Failed(why) => Failure::internal(why),
    })
}

/// Applies a JSON patch.
pub fn json_patch(target: &mut Value, operations: &Value) -> Result<(), String> {
    objects::patch::json_patch(target, operations).map_err(|error| error.to_string())
}

/// Applies a strategic merge patch.
pub fn strategic_merge(
    resource: &Resource,
    target: &mut Value,
    patch: &Value,
) -> Result<(), String> {
    let (schema, ty) = schema_of(resource);
    let (Value::Object(original), Value::Object(patch)) = (target.take(), patch) else {
        return Err("a patch is an object".into());
    };
    let merged = objects::patch::strategic::apply(original, patch.clone(), &schema, Some(ty));
    *target = Value::Object(merged.map_err(|error| error.to_string())?);
    Ok(())
}

/// Tells whether two states differ at most in the times of their managed fields.
pub fn equal_but_times(live: &Map, next: &Map) -> bool {
    if live.len() != next.len() {
        return false;
    }
    live.iter().all(|(key, value)| match next.get(key) {
        Some(other) if key == "metadata" => metadata_equal(value, other),
        Some(other) => value == other,
        None => false,
    })
}

fn metadata_equal(live: &Value, next: &Value) -> bool {
    let (Value::Object(live), Value::Object(next)) = (live, next) else {
        return live == next;
    };
    live.len() == next.len()
        && live.iter().all(|(key, value)| match next.get(key) {
            Some(other) if key == "managedFields" => timeless(value) == timeless(other),
            Some(other) => value == other,
            None => false,
        })
}

fn timeless(managed: &Value) -> Value {
    let mut managed = managed.clone();
    for entry in managed.as_array_mut().into_iter().flatten() {
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("time");
        }
    }
    managed
}

/// Translates between served versions: custom kinds keep their content, only the schema differs.
struct Versions {
    catalog: Arc<Catalog>,
    gvk: Gvk,
}

impl Converter for Versions {
    fn convert(&self, object: &Typed, api_version: &str) -> Result<Typed, ConvertError> {
        if api_version == self.gvk.api_version() {
            return Ok(object.clone());
        }
        let gvk = Gvk::from_api_version(api_version, &self.gvk.kind);
        let Some(resource) = self.catalog.by_gvk(&gvk) else {
            return Err(ConvertError::MissingVersion(api_version.to_owned()));
        };
        let (schema, ty) = schema_of(resource);
        let mut value = object.value.as_deref().cloned().unwrap_or(Value::Null);
        if let Some(map) = value.as_object_mut() {
            crate::kinds::convert::between(&self.gvk.version, resource, map);
            map.insert("apiVersion".into(), api_version.into());
        }
        Ok(Typed::new_unchecked(&schema, ty, value))
    }
}

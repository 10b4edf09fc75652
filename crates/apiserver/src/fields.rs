//! Field ownership and patches by schema: where the engine meets the merge engine of `objects`.
//!
//! Around that engine stand the rules of the API server: which fields nobody owns, how a manager is identified,
//! when an entry gets a time, how many updaters are kept apart, how client-side apply hands over.

mod managed;

use std::collections::BTreeMap;
use std::sync::Arc;

use objects::schema::builtin::builtin;
use objects::schema::{Schema, TypeId};
use objects::smd::{
    Conflicts, ConvertError, Converter, Duplicates, FieldFilter, FieldSet, Managers, PathElement,
    PatternElement, SetMatcher, Typed, UpdateError, Updater,
};
use objects::{Gvk, Map, Value};

use crate::catalog::{Catalog, Resource};
use crate::engine::{Engine, metadata_mut};
use crate::failure::{Answered, Failure};
use managed::{Identity, Managed, Operation};

/// Annotation in which client-side apply keeps what it applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Manager of everything that was there before the first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// Manager whose applies take over from client-side apply.
const KUBECTL: &str = "kubectl";
/// Bytes that the annotations of an object may have together.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

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

/// Records in `next` which fields a manager changed by create, update or a plain patch.
pub fn recorded(
    engine: &Engine,
    resource: &Resource,
    live: Option<&Map>,
    next: &mut Map,
    manager: &str,
    sub: &str,
) {
    let given = metadata_mut(next).remove("managedFields");
    let live_fields = live.and_then(managed_fields);
    let managed = choose(live_fields, given.as_ref(), !sub.is_empty());
    if managed.is_empty() && live.is_some() {
        return;
    }
    let work = Work::new(engine, resource, sub);
    let identity = Identity::new(manager, Operation::Update, &resource.api_version, sub);
    let before = work.live(live);
    let after = work.typed(strip(next));
    let updated = work.update(&before, &after, managed.clone(), &identity);
    let managed = match updated {
        Some(updated) => updated.capped(),
        None => managed,
    };
    managed.write(next);
}

/// Merges an applied configuration into the live object, with ownership and conflicts.
pub fn applied(
    engine: &Engine,
    resource: &Resource,
    live: Option<&Map>,
    applied: &Map,
    manager: &str,
    force: bool,
    sub: &str,
) -> Answered<Map> {
    let work = Work::new(engine, resource, sub);
    let config = Typed::new(
        &work.schema,
        work.ty,
        Value::Object(applied.clone()),
        Duplicates::Refused,
    )
    .map_err(|why| {
        let text = |key: &str| crate::engine::metadata_text(applied, key);
        Failure::internal(format!(
            "failed to create typed patch object ({}/{}; {}): {why}",
            text("namespace"),
            text("name"),
            go_gvk(resource),
        ))
    })?;
    let live_typed = work.live(live);
    let mut managed = live
        .and_then(managed_fields)
        .and_then(Managed::read)
        .unwrap_or_default();
    if managed.is_empty() && live.is_some() {
        let empty = work.typed(work.skeleton());
        let identity = Identity::new(
            BEFORE_FIRST_APPLY,
            Operation::Update,
            &resource.api_version,
            sub,
        );
        if let Some(first) = work.update(&empty, &live_typed, managed.clone(), &identity) {
            managed = first;
        }
    }
    let identity = Identity::new(manager, Operation::Apply, &resource.api_version, sub);
    let outcome = work.apply(&live_typed, &config, managed.clone(), &identity, force);
    let outcome = match outcome {
        Err(UpdateError::Conflicts(conflicts)) if manager == KUBECTL && !force => {
            let conflicts = work.without_last_applied(conflicts, live, &live_typed);
            if conflicts.0.is_empty() {
                work.apply(&live_typed, &config, managed, &identity, true)
            } else {
                Err(UpdateError::Conflicts(conflicts))
            }
        }
        outcome => outcome,
    };
    let (object, managed) = outcome.map_err(refusal)?;
    let mut next = match object {
        Some(map) => map,
        None => live.cloned().unwrap_or_default(),
    };
    metadata_mut(&mut next).remove("managedFields");
    if manager == KUBECTL {
        refresh_last_applied(&mut next, applied);
    }
    managed.write(&mut next);
    Ok(next)
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

fn managed_fields(object: &Map) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

/// Chooses the entries to go on from: those in the request where it may edit them, else the live ones.
fn choose(live: Option<&Value>, given: Option<&Value>, subresource: bool) -> Managed {
    let live = || live.and_then(Managed::read).unwrap_or_default();
    if subresource {
        return live();
    }
    match given.and_then(Value::as_array) {
        Some(list) if list.is_empty() => Managed::default(),
        Some(list) if list.len() == 1 && list[0].as_object().is_some_and(Map::is_empty) => {
            Managed::default()
        }
        Some(_) => match given.and_then(Managed::read) {
            Some(managed) if !managed.is_empty() => managed,
            _ => live(),
        },
        None => live(),
    }
}

fn strip(object: &Map) -> Map {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

fn go_gvk(resource: &Resource) -> String {
    let gvk = resource.gvk();
    format!("{}, Kind={}", gvk_version(gvk), gvk.kind)
}

fn gvk_version(gvk: &Gvk) -> String {
    if gvk.group.is_empty() {
        format!("/{}", gvk.version)
    } else {
        gvk.api_version()
    }
}

/// What one request needs of the merge engine.
struct Work {
    schema: Arc<Schema>,
    ty: TypeId,
    version: String,
    custom: bool,
    filters: BTreeMap<String, FieldFilter>,
    converter: Versions,
    now: String,
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
            crate::kinds::convert(&self.gvk.version, resource, map);
            map.insert("apiVersion".into(), api_version.into());
        }
        Ok(Typed::new_unchecked(&schema, ty, value))
    }
}

impl Work {
    fn new(engine: &Engine, resource: &Resource, sub: &str) -> Self {
        let (schema, ty) = schema_of(resource);
        let filter = match sub {
            "status" => Some(FieldFilter::Include(SetMatcher::prefix(vec![
                PatternElement::Is(PathElement::field("status")),
            ]))),
            "" if resource.subresource("status").is_some() => {
                Some(FieldFilter::Exclude(FieldSet::of([
                    [PathElement::field("status")].as_slice(),
                ])))
            }
            _ => None,
        };
        Self {
            schema,
            ty,
            version: resource.api_version.clone(),
            custom: resource.custom.is_some(),
            filters: filter
                .into_iter()
                .map(|filter| (resource.api_version.clone(), filter))
                .collect(),
            converter: Versions {
                catalog: engine.catalog(),
                gvk: resource.gvk().clone(),
            },
            now: engine.environment.timestamp(),
        }
    }

    fn typed(&self, map: Map) -> Typed {
        Typed::new_unchecked(&self.schema, self.ty, Value::Object(map))
    }

    fn live(&self, live: Option<&Map>) -> Typed {
        match live {
            Some(live) => self.typed(strip(live)),
            None => self.typed(self.skeleton()),
        }
    }

    /// Builds what Go prints for an empty object of the kind: the structs that are always there.
    fn skeleton(&self) -> Map {
        if self.custom {
            return Map::new();
        }
        skeleton(&self.schema, self.ty, 0)
    }

    fn updater(&self) -> Updater<'_> {
        let mut updater = Updater::new(&self.converter);
        updater.filters = self.filters.clone();
        updater.return_input_on_noop = false;
        updater
    }

    /// Gives a manager what changed; `None` where the objects do not fit their schema.
    fn update(
        &self,
        live: &Typed,
        next: &Typed,
        mut managed: Managed,
        identity: &Identity,
    ) -> Option<Managed> {
        const SELF: &str = "current-operation";
        let managers: Managers = managed.sets.clone();
        let mut managers = self
            .updater()
            .update(live, next, &self.version, managers, SELF)
            .ok()?;
        if let Some(mut taken) = managers.remove(SELF) {
            let set = taken.set.difference(stripped());
            if !set.is_empty() {
                let key = identity.key();
                let set = match managers.get(&key) {
                    Some(previous) => set.union(&previous.set),
                    None => set,
                };
                taken.set = Arc::new(set);
                managers.insert(key.clone(), taken);
                managed.times.insert(key, self.now.clone());
            }
        }
        managed.sets = managers;
        Some(managed)
    }

    fn apply(
        &self,
        live: &Typed,
        config: &Typed,
        mut managed: Managed,
        identity: &Identity,
        force: bool,
    ) -> Result<(Option<Map>, Managed), UpdateError> {
        let key = identity.key();
        let outcome = self.updater().apply(
            live,
            config,
            &self.version,
            managed.sets.clone(),
            &key,
            force,
        )?;
        managed.sets = outcome.managers;
        if let Some(own) = managed.sets.get_mut(&key) {
            let set = own.set.difference(stripped());
            if set.is_empty() {
                managed.sets.remove(&key);
            } else {
                own.set = Arc::new(set);
            }
        }
        let object = outcome.object.map(|typed| {
            let value = typed.value.map(|value| (*value).clone());
            match value {
                Some(Value::Object(map)) => map,
                _ => Map::new(),
            }
        });
        if object.is_some() {
            managed.times.insert(key, self.now.clone());
        }
        Ok((object, managed))
    }

    /// Drops the conflicts over fields that client-side apply had set and nobody changed since.
    fn without_last_applied(
        &self,
        conflicts: Conflicts,
        live: Option<&Map>,
        live_typed: &Typed,
    ) -> Conflicts {
        let allowed = live
            .and_then(last_applied)
            .and_then(|text| serde_json::from_str::<Map>(text).ok())
            .and_then(|map| {
                let last = self.typed(map);
                let compared = last.compare(live_typed).ok()?;
                Some(
                    last.to_field_set()
                        .difference(&compared.modified)
                        .difference(&compared.added)
                        .difference(&compared.removed),
                )
            });
        let Some(allowed) = allowed else {
            return conflicts;
        };
        let rest = conflicts.0.into_iter();
        Conflicts(rest.filter(|c| !allowed.has(&c.path)).collect())
    }
}

/// Bound on nesting of always-present structs; the deepest built-in kind has six.
const SKELETON_DEPTH_MAX: usize = 20;

fn skeleton(schema: &Schema, ty: TypeId, depth: usize) -> Map {
    let mut map = Map::new();
    if depth > SKELETON_DEPTH_MAX {
        return map;
    }
    for field in schema.get(ty).map.iter().flat_map(|m| m.fields.iter()) {
        let always = field
            .default
            .as_ref()
            .and_then(Value::as_object)
            .is_some_and(Map::is_empty);
        if always {
            let inner = skeleton(schema, field.ty, depth + 1);
            map.insert(field.name.to_string(), Value::Object(inner));
        }
    }
    map
}

/// Returns the fields that nobody owns.
fn stripped() -> &'static FieldSet {
    static SET: std::sync::LazyLock<FieldSet> = std::sync::LazyLock::new(|| {
        let field = PathElement::field;
        let top = ["apiVersion", "kind", "metadata"].map(|name| vec![field(name)]);
        let below = [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        ]
        .map(|name| vec![field("metadata"), field(name)]);
        FieldSet::of(top.iter().chain(&below).map(Vec::as_slice))
    });
    &SET
}

fn last_applied(object: &Map) -> Option<&str> {
    object
        .get("metadata")?
        .get("annotations")?
        .get(LAST_APPLIED)?
        .as_str()
        .filter(|text| !text.is_empty())
}

/// Rewrites the annotation of client-side apply to what was applied now.
fn refresh_last_applied(next: &mut Map, applied: &Map) {
    if last_applied(next).is_none() {
        return;
    }
    let mut applied = applied.clone();
    let metadata = metadata_mut(&mut applied);
    // The URL's namespace is not part of what was sent, but the body's is kept as it is.
    if let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{}\n", Value::Object(applied));
    let Some(annotations) = metadata_mut(next)
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    annotations.insert(LAST_APPLIED.into(), text.into());
    let bytes: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > ANNOTATIONS_BYTES_MAX {
        annotations.remove(LAST_APPLIED);
    }
}

fn refusal(error: UpdateError) -> Box<Failure> {
    match error {
        UpdateError::Conflicts(conflicts) => managed::conflict_failure(&conflicts),
        other => Failure::internal(other.to_string()),
    }
}

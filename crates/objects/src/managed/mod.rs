//! `metadata.managedFields`: who owns which fields of an object, kept across updates and applies.
//!
//! In: the live object, the new or applied one, a manager's name. Out: the object to store with its new `managedFields`, or
//! conflicts. Follows apimachinery's managedfields package: identity of entries, times, stripped metadata, the cap on update
//! entries, `before-first-apply`, and kubectl's hand-over from client-side apply. Objects that never had entries stay without.

mod conflict;
mod entry;
mod last_applied;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::schema::{Schema, TypeId};
use crate::smd::{
    Converter, Duplicates, FieldFilter, FieldSet, ManagedSet, PathElement, Typed, UpdateError,
    Updater,
};
use crate::{Gvk, Map, Value};

pub use conflict::{ApplyConflicts, ConflictCause};
pub use entry::{EntryError, Managed, is_reset};
pub use last_applied::LAST_APPLIED;

/// Update entries an object keeps; older ones are folded together.
pub const UPDATE_ENTRIES_MAX: usize = 10;
const FOLDED_MANAGER: &str = "ancient-changes";
const BEFORE_APPLY_MANAGER: &str = "before-first-apply";
const KUBECTL: &str = "kubectl";

/// Keeps the entries of objects of one kind, for one request.
pub struct FieldManager<'a> {
    /// Schema of the kind in the version of the request.
    pub schema: &'a Arc<Schema>,
    /// Type of the kind.
    pub ty: TypeId,
    /// Kind in the version of the request.
    pub gvk: &'a Gvk,
    /// Subresource of the request; empty for the main resource.
    pub subresource: &'a str,
    /// Translates to the versions of other entries.
    pub converter: &'a dyn Converter,
    /// What managers never own through this endpoint, such as `status`; none where everything counts.
    pub reset: Option<FieldFilter>,
    /// What an object of this kind is before it exists: the fields that Go always prints. Null for custom kinds.
    pub empty: &'a Value,
    /// Present time, RFC 3339 in whole seconds.
    pub now: &'a str,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own what would change.
    #[error(transparent)]
    Conflicts(ApplyConflicts),
    /// The request is wrong: 400.
    #[error("{0}")]
    BadRequest(String),
    /// The applied object does not fit the schema, or another failure without a reason: 500.
    #[error("{0}")]
    Failed(String),
}

impl FieldManager<'_> {
    /// Records a create, replace or patch: sets the entries of `new`. `live` is absent on create.
    ///
    /// Entries that the request itself carries are kept when they are well formed. An object that cannot be read by
    /// its schema loses its entries rather than failing the write.
    pub fn update(&self, live: Option<&Map>, new: &mut Map, manager: &str) {
        let sent = take_entries(new);
        let stored = live.and_then(entries_of);
        let mut managed = self.entries_to_use(stored, sent.as_ref());
        let exists = live.is_some_and(|live| !text(live, "uid").is_empty());
        if managed.is_empty() && exists {
            return;
        }
        let mut live = live.cloned();
        if let Some(live) = &mut live {
            take_entries(live);
        }
        let live = live.map_or_else(|| self.empty.clone(), Value::Object);
        if self
            .record(live, &Value::Object(new.clone()), &mut managed, manager)
            .is_err()
        {
            return;
        }
        managed.cap_updates(UPDATE_ENTRIES_MAX, FOLDED_MANAGER);
        put_entries(new, &managed);
    }

    /// Merges an applied configuration into the live object; `live` is absent on create.
    ///
    /// The result has its new entries and is not defaulted yet.
    ///
    /// # Errors
    /// Fails on conflicts with other managers, where they are not forced, and on objects that do not fit their schema.
    pub fn apply(
        &self,
        live: Option<&Map>,
        applied: &Map,
        manager: &str,
        force: bool,
    ) -> Result<Map, ApplyError> {
        self.check(applied)?;
        let mut bare = live.cloned();
        let entries = bare.as_mut().and_then(take_entries);
        let mut managed = match &entries {
            Some(entries) => Managed::decode(entries)
                .map_err(|e| ApplyError::Failed(format!("failed to decode managed fields: {e}")))?,
            None => Managed::default(),
        };
        let bare = bare.map_or_else(|| self.empty.clone(), Value::Object);
        if managed.is_empty() && live.is_some() {
            self.record(
                self.empty.clone(),
                &bare,
                &mut managed,
                BEFORE_APPLY_MANAGER,
            )
            .map_err(|e| {
                ApplyError::Failed(format!("failed to create manager for existing fields: {e}"))
            })?;
            managed.cap_updates(UPDATE_ENTRIES_MAX, FOLDED_MANAGER);
        }
        let mut outcome = self.merge(&bare, applied, managed.clone(), manager, force);
        if let (Err(ApplyError::Conflicts(conflicts)), KUBECTL) = (&outcome, manager) {
            let allowed = last_applied::allowed_conflicts(self, &bare);
            if let Some(allowed) = allowed {
                let left = conflicts.without(&allowed);
                outcome = match left {
                    Some(left) => Err(ApplyError::Conflicts(left)),
                    None => self.merge(&bare, applied, managed, manager, true),
                };
            }
        }
        let (mut object, managed) = outcome?;
        if manager == KUBECTL {
            last_applied::refresh(&mut object, applied);
        }
        put_entries(&mut object, &managed);
        Ok(object)
    }

    fn check(&self, applied: &Map) -> Result<(), ApplyError> {
        let read = |key: &str| applied.get(key).and_then(Value::as_str).unwrap_or("");
        let gvk = Gvk::from_api_version(read("apiVersion"), read("kind"));
        if gvk != *self.gvk {
            return Err(ApplyError::BadRequest(format!(
                "invalid object type: {gvk}"
            )));
        }
        if entries_of(applied).is_some() {
            return Err(ApplyError::BadRequest(
                "metadata.managedFields must be nil".into(),
            ));
        }
        Ok(())
    }

    /// Merges; returns the object without entries, and the entries.
    fn merge(
        &self,
        live: &Value,
        applied: &Map,
        managed: Managed,
        manager: &str,
        force: bool,
    ) -> Result<(Map, Managed), ApplyError> {
        let config = Value::Object(applied.clone());
        let config =
            Typed::new(self.schema, self.ty, config, Duplicates::Refused).map_err(|e| {
                let what = self.describe(applied);
                ApplyError::Failed(format!("failed to create typed patch object ({what}): {e}"))
            })?;
        let live_typed = Typed::new(self.schema, self.ty, live.clone(), Duplicates::Allowed)
            .map_err(|e| {
                let what = self.describe(live.as_object().unwrap_or(applied));
                ApplyError::Failed(format!("failed to create typed live object ({what}): {e}"))
            })?;
        let version = self.gvk.api_version();
        let key = entry::identity(manager, true, &version, self.subresource);
        let updater = self.updater(&version, false);
        let Managed { fields, mut times } = managed;
        let outcome = updater
            .apply(&live_typed, &config, &version, fields, &key, force)
            .map_err(|e| match e {
                UpdateError::Conflicts(conflicts) => {
                    ApplyError::Conflicts(ApplyConflicts::new(conflicts))
                }
                other => ApplyError::Failed(other.to_string()),
            })?;
        let mut fields = outcome.managers;
        strip(&mut fields, &key);
        let object = match outcome.object {
            Some(object) => {
                times.insert(key, self.now.to_owned());
                object.value.map_or(Value::Null, Arc::unwrap_or_clone)
            }
            None => live.clone(),
        };
        let object = match object {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        Ok((object, Managed { fields, times }))
    }

    /// Adds what changed to the manager's entry.
    fn record(
        &self,
        live: Value,
        new: &Value,
        managed: &mut Managed,
        manager: &str,
    ) -> Result<(), String> {
        /// Holds the changes of this request alone, so that the manager's older fields are kept as they are.
        const SELF: &str = "current-operation";
        let typed = |value| {
            Typed::new(self.schema, self.ty, value, Duplicates::Allowed).map_err(|e| e.to_string())
        };
        let (live, new) = (typed(live)?, typed(new.clone())?);
        let version = self.gvk.api_version();
        let updater = self.updater(&version, true);
        let before = std::mem::take(&mut managed.fields);
        managed.fields = updater
            .update(&live, &new, &version, before, SELF)
            .map_err(|e| e.to_string())?;
        strip(&mut managed.fields, SELF);
        let Some(changed) = managed.fields.remove(SELF) else {
            return Ok(());
        };
        let manager = if manager.is_empty() {
            "unknown"
        } else {
            manager
        };
        let key = entry::identity(manager, false, &version, self.subresource);
        let entry = match managed.fields.remove(&key) {
            Some(own) => ManagedSet {
                set: Arc::new(changed.set.union(&own.set)),
                ..changed
            },
            None => changed,
        };
        managed.fields.insert(key.clone(), entry);
        managed.times.insert(key, self.now.to_owned());
        Ok(())
    }

    fn updater(&self, version: &str, return_input_on_noop: bool) -> Updater<'_> {
        let filters = self.reset.iter().map(|f| (version.to_owned(), f.clone()));
        Updater {
            converter: self.converter,
            filters: filters.collect(),
            return_input_on_noop,
        }
    }

    /// Picks the entries the request carries, or those of the live object where the request has none that can be read.
    fn entries_to_use(&self, stored: Option<&Value>, sent: Option<&Value>) -> Managed {
        let stored = || {
            stored
                .and_then(|entries| Managed::decode(entries).ok())
                .unwrap_or_default()
        };
        match sent {
            _ if !self.subresource.is_empty() => stored(),
            Some(sent) if is_reset(sent) => Managed::default(),
            Some(sent) => match Managed::decode(sent) {
                Ok(managed) if !managed.is_empty() => managed,
                _ => stored(),
            },
            None => stored(),
        }
    }

    fn describe(&self, object: &Map) -> String {
        let (namespace, name) = (text(object, "namespace"), text(object, "name"));
        format!("{namespace}/{name}; {}", self.gvk)
    }
}

/// Returns what Go prints of an object of a built-in type that holds nothing: structs that are always printed, nulls and
/// zero values of required fields. An update counts only what differs from it as set by its manager.
pub fn empty_object(schema: &Schema, ty: TypeId) -> Value {
    empty_at(schema, ty, 0)
}

/// Bound on nesting of structs that are always printed; recursive types are always pointers.
const EMPTY_DEPTH_MAX: usize = 32;

fn empty_at(schema: &Schema, ty: TypeId, depth: usize) -> Value {
    let mut out = Map::new();
    let owner = schema.get(ty);
    let fields = owner.map.iter().flat_map(|map| &map.fields);
    for field in fields {
        let zero = crate::decode::printed_zero(owner, field);
        let value = match &field.default {
            _ if zero.is_some() => zero.map_or(Value::Null, std::borrow::Cow::into_owned),
            Some(Value::Object(default)) if default.is_empty() && depth < EMPTY_DEPTH_MAX => {
                empty_at(schema, field.ty, depth + 1)
            }
            Some(default) if field.required => default.clone(),
            None if crate::decode::prints_null(schema, owner, field) => Value::Null,
            _ => continue,
        };
        out.insert(field.name.to_string(), value);
    }
    Value::Object(out)
}

/// What nobody owns: identity and bookkeeping.
static STRIPPED: LazyLock<FieldSet> = LazyLock::new(|| {
    const METADATA: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut set = FieldSet::new();
    for field in ["apiVersion", "kind", "metadata"] {
        set.insert(&[PathElement::field(field)]);
    }
    for field in METADATA {
        set.insert(&[PathElement::field("metadata"), PathElement::field(field)]);
    }
    set
});

fn strip(fields: &mut BTreeMap<String, ManagedSet>, key: &str) {
    let Some(entry) = fields.get_mut(key) else {
        return;
    };
    let set = entry.set.difference(&STRIPPED);
    if set.is_empty() {
        fields.remove(key);
    } else {
        entry.set = Arc::new(set);
    }
}

fn entries_of(object: &Map) -> Option<&Value> {
    let entries = object.get("metadata")?.get("managedFields")?;
    (!entries.is_null()).then_some(entries)
}

fn take_entries(object: &mut Map) -> Option<Value> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    metadata.remove("managedFields").filter(|e| !e.is_null())
}

fn put_entries(object: &mut Map, managed: &Managed) {
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(metadata) = metadata else {
        return;
    };
    if managed.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), managed.encode());
    }
}

fn text<'a>(object: &'a Map, key: &str) -> &'a str {
    object
        .get("metadata")
        .and_then(|m| m.get(key))
        .and_then(Value::as_str)
        .unwrap_or("")
}

#[cfg(test)]
mod tests;

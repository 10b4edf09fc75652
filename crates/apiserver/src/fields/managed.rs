//! `metadata.managedFields`: entries of the wire as sets by manager, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::StatusCause;
use objects::smd::{Conflicts, FieldSet, ManagedSet, Managers, PathElement};
use objects::{Map, Value, json};

use crate::catalog::text;
use crate::engine::metadata_mut;
use crate::failure::Failure;

/// Updaters kept apart; older ones are folded into one.
const UPDATERS_MAX: usize = 10;
/// Manager of folded updaters.
const ANCIENT: &str = "ancient-changes";

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Anything else.
    Update,
}

/// What tells two entries apart; appliers are the same in every version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    manager: String,
    apply: bool,
    api_version: String,
    sub: String,
}

impl Identity {
    /// Builds from parts.
    pub fn new(manager: &str, operation: Operation, api_version: &str, sub: &str) -> Self {
        let apply = operation == Operation::Apply;
        Self {
            manager: manager.to_owned(),
            apply,
            api_version: if apply {
                String::new()
            } else {
                api_version.to_owned()
            },
            sub: sub.to_owned(),
        }
    }

    /// Writes the key under which the merge engine knows the manager.
    ///
    /// The members stand in the order of upstream's encoding, because conflicts are listed in key order.
    pub fn key(&self) -> String {
        let mut out = String::from("{");
        let mut member = |name: &str, value: &str| {
            if !value.is_empty() {
                if out.len() > 1 {
                    out.push(',');
                }
                out.push_str(&format!("{}:{}", json!(name), json!(value)));
            }
        };
        member("manager", &self.manager);
        member("operation", if self.apply { "Apply" } else { "Update" });
        member("apiVersion", &self.api_version);
        member("subresource", &self.sub);
        out.push('}');
        out
    }

    fn read(key: &str) -> Self {
        let map: Map = serde_json::from_str(key).unwrap_or_default();
        Self {
            manager: text(&map, "manager").to_owned(),
            apply: text(&map, "operation") == "Apply",
            api_version: text(&map, "apiVersion").to_owned(),
            sub: text(&map, "subresource").to_owned(),
        }
    }
}

/// All entries of an object.
#[derive(Clone, Debug, Default)]
pub struct Managed {
    /// Sets by manager key.
    pub sets: Managers,
    /// Times by manager key, as written.
    pub times: BTreeMap<String, String>,
}

impl Managed {
    /// Tells whether nobody owns anything.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Reads a list of entries; `None` where one is malformed.
    pub fn read(list: &Value) -> Option<Self> {
        let mut managed = Self::default();
        for entry in list.as_array()? {
            let entry = entry.as_object()?;
            let operation = match text(entry, "operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            };
            if text(entry, "fieldsType") != "FieldsV1" {
                return None;
            }
            let api_version = text(entry, "apiVersion");
            let identity = Identity::new(
                text(entry, "manager"),
                operation,
                api_version,
                text(entry, "subresource"),
            );
            let key = identity.key();
            let set = match entry.get("fieldsV1") {
                Some(fields) => FieldSet::from_value(fields).ok()?,
                None => FieldSet::default(),
            };
            managed.sets.insert(
                key.clone(),
                ManagedSet {
                    set: Arc::new(set),
                    api_version: api_version.into(),
                    applied: operation == Operation::Apply,
                },
            );
            if let Some(time) = entry.get("time").and_then(Value::as_str) {
                managed.times.insert(key, time.to_owned());
            }
        }
        Some(managed)
    }

    /// Writes the entries into an object's metadata, sorted as upstream sorts them.
    pub fn write(&self, object: &mut Map) {
        let mut entries: Vec<(Identity, &ManagedSet, &str)> = self
            .sets
            .iter()
            .map(|(key, set)| {
                let time = self.times.get(key).map_or("", String::as_str);
                (Identity::read(key), set, time)
            })
            .collect();
        entries.sort_by(|a, b| {
            let key = |(identity, set, time): &(Identity, &ManagedSet, &str)| {
                (
                    !identity.apply,
                    (*time).to_owned(),
                    identity.manager.clone(),
                    set.api_version.to_string(),
                    identity.sub.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        let list: Vec<Value> = entries
            .into_iter()
            .map(|(identity, set, time)| entry(&identity, set, time))
            .collect();
        let metadata = metadata_mut(object);
        if list.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), Value::Array(list));
        }
    }

    /// Folds the oldest updaters of a version into one where there are too many.
    pub fn capped(mut self) -> Self {
        let mut updaters: Vec<String> = self
            .sets
            .iter()
            .filter(|(_, set)| !set.applied)
            .map(|(key, _)| key.clone())
            .collect();
        let mut count = updaters.len();
        if count <= UPDATERS_MAX {
            return self;
        }
        let time = |key: &String| self.times.get(key).cloned().unwrap_or_default();
        updaters.sort_by_cached_key(|key| (time(key), key.clone()));
        let mut first_of: BTreeMap<Arc<str>, String> = BTreeMap::new();
        for key in updaters {
            if count <= UPDATERS_MAX {
                break;
            }
            let Some(set) = self.sets.get(&key).cloned() else {
                continue;
            };
            let version = set.api_version.clone();
            let Some(first) = first_of.get(&version).cloned() else {
                first_of.insert(version, key);
                continue;
            };
            let bucket = Identity::new(ANCIENT, Operation::Update, &version, "").key();
            if !self.sets.contains_key(&bucket)
                && let Some(oldest) = self.sets.remove(&first)
            {
                self.sets.insert(bucket.clone(), oldest);
            }
            self.sets.remove(&key);
            if let Some(folded) = self.sets.get_mut(&bucket) {
                folded.set = Arc::new(set.set.union(&folded.set));
            }
            if let Some(time) = self.times.get(&key).cloned() {
                self.times.insert(bucket, time);
            }
            count -= 1;
        }
        self
    }
}

fn entry(identity: &Identity, set: &ManagedSet, time: &str) -> Value {
    let mut entry = Map::new();
    entry.insert("manager".into(), identity.manager.clone().into());
    let operation = if identity.apply { "Apply" } else { "Update" };
    entry.insert("operation".into(), operation.into());
    entry.insert("apiVersion".into(), set.api_version.as_ref().into());
    entry.insert("fieldsType".into(), "FieldsV1".into());
    entry.insert("fieldsV1".into(), set.set.to_value());
    if !time.is_empty() {
        entry.insert("time".into(), time.into());
    }
    if !identity.sub.is_empty() {
        entry.insert("subresource".into(), identity.sub.clone().into());
    }
    Value::Object(entry)
}

/// Builds the 409 of an apply that others' fields stand against.
pub fn conflict_failure(conflicts: &Conflicts) -> Box<Failure> {
    let mut by_manager: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut causes = Vec::new();
    for conflict in &conflicts.0 {
        let path = PathElement::display_path(&conflict.path);
        let manager = describe(&conflict.manager);
        by_manager
            .entry(manager.clone())
            .or_default()
            .push(path.clone());
        causes.push(StatusCause {
            reason: "FieldManagerConflict".into(),
            message: format!("conflict with {manager}"),
            field: path,
        });
    }
    let text = match (conflicts.0.len(), causes.first()) {
        (1, Some(cause)) => format!("{}: {}", cause.message, cause.field),
        _ => by_manager
            .into_iter()
            .map(|(manager, paths)| {
                let lines: Vec<String> = paths.iter().map(|path| format!("- {path}")).collect();
                format!("conflicts with {manager}:\n{}", lines.join("\n"))
            })
            .collect::<Vec<_>>()
            .join("\n"),
    };
    let plural = if causes.len() == 1 { "" } else { "s" };
    let message = format!(
        "Apply failed with {} conflict{plural}: {text}",
        causes.len()
    );
    let mut failure = Failure::new(409, "Conflict", message);
    failure.status.causes = causes;
    failure
}

/// Writes a manager as conflict messages do.
fn describe(key: &str) -> String {
    let identity = Identity::read(key);
    let mut text = json!(identity.manager).to_string();
    if !identity.sub.is_empty() {
        text.push_str(&format!(" with subresource {}", json!(identity.sub)));
    }
    if !identity.apply && !identity.api_version.is_empty() {
        text.push_str(&format!(" using {}", identity.api_version));
    }
    text
}

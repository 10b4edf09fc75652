//! Entries of `metadata.managedFields`: their identity, form and order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::smd::gotext::push_json_value;
use crate::smd::{FieldSet, ManagedSet, Managers};
use crate::{Map, Value};

/// The entries of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managed {
    /// Sets by identity (see [`identity`]).
    pub(super) fields: Managers,
    /// Times by identity, RFC 3339; entries that changed nothing when they were made have none.
    pub(super) times: BTreeMap<String, String>,
}

/// A list of entries that is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not a list of maps.
    #[error("managed fields must be a list of maps")]
    NotAList,
    /// An operation other than the two.
    #[error("operation must be `Apply` or `Update`")]
    Operation,
    /// No version.
    #[error("apiVersion must not be empty")]
    ApiVersion,
    /// No form.
    #[error("missing fieldsType in managed fields entry {0}")]
    NoFieldsType(usize),
    /// An unknown form.
    #[error("invalid fieldsType {1:?} in managed fields entry {0}")]
    FieldsType(usize, String),
    /// A set that cannot be read.
    #[error("error decoding set: {0}")]
    Set(String),
}

/// Builds the key of an entry: everything but its time and fields, and without the version for applies.
pub(super) fn identity(
    manager: &str,
    applied: bool,
    api_version: &str,
    subresource: &str,
) -> String {
    let operation = if applied { "Apply" } else { "Update" };
    let api_version = if applied { "" } else { api_version };
    let mut out = String::with_capacity(64);
    let parts = [
        ("manager", manager),
        ("operation", operation),
        ("apiVersion", api_version),
        ("subresource", subresource),
    ];
    for (name, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(&format!("\"{name}\":"));
        push_json_value(&mut out, &Value::from(text));
    }
    out.push('}');
    out
}

/// The parts of an identity.
pub(super) struct Identity {
    pub(super) manager: String,
    pub(super) applied: bool,
    pub(super) api_version: String,
    pub(super) subresource: String,
}

impl Identity {
    /// Reads what [`identity`] wrote.
    pub(super) fn read(key: &str) -> Self {
        let parts: Map = serde_json::from_str(key).unwrap_or_default();
        let text = |name: &str| {
            let text = parts.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        Self {
            manager: text("manager"),
            applied: text("operation") == "Apply",
            api_version: text("apiVersion"),
            subresource: text("subresource"),
        }
    }
}

/// Tells whether a list of entries asks to forget all ownership: it is empty, or holds one empty entry.
pub fn is_reset(entries: &Value) -> bool {
    match entries.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([Value::Object(only)]) => only.values().all(|v| v.is_null() || v.as_str() == Some("")),
        _ => false,
    }
}

impl Managed {
    /// Tells whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Reads the list of an object.
    ///
    /// # Errors
    /// Fails on a list whose entries cannot be read.
    pub fn decode(entries: &Value) -> Result<Self, EntryError> {
        let mut managed = Self::default();
        for (at, entry) in entries
            .as_array()
            .ok_or(EntryError::NotAList)?
            .iter()
            .enumerate()
        {
            let entry = entry.as_object().ok_or(EntryError::NotAList)?;
            managed.read_entry(at, entry)?;
        }
        Ok(managed)
    }

    fn read_entry(&mut self, at: usize, entry: &Map) -> Result<(), EntryError> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or("");
        let applied = match text("operation") {
            "Apply" => true,
            "Update" => false,
            _ => return Err(EntryError::Operation),
        };
        let api_version = text("apiVersion");
        if api_version.is_empty() {
            return Err(EntryError::ApiVersion);
        }
        match text("fieldsType") {
            "FieldsV1" => {}
            "" => return Err(EntryError::NoFieldsType(at)),
            other => return Err(EntryError::FieldsType(at, other.to_owned())),
        }
        let set = match entry.get("fieldsV1") {
            None | Some(Value::Null) => FieldSet::new(),
            Some(fields) => {
                FieldSet::from_value(fields).map_err(|e| EntryError::Set(e.to_string()))?
            }
        };
        let key = identity(text("manager"), applied, api_version, text("subresource"));
        let managed = ManagedSet {
            set: Arc::new(set),
            api_version: api_version.into(),
            applied,
        };
        if text("time").is_empty() {
            self.times.remove(&key);
        } else {
            self.times.insert(key.clone(), text("time").to_owned());
        }
        self.fields.insert(key, managed);
        Ok(())
    }

    /// Writes the list: applies first, then by time, manager, version and subresource.
    pub fn encode(&self) -> Value {
        let mut entries: Vec<(Identity, i64, &ManagedSet, Option<&String>)> = self
            .fields
            .iter()
            .map(|(key, set)| {
                let time = self.times.get(key);
                (Identity::read(key), seconds(time), set, time)
            })
            .collect();
        entries.sort_by(|(a, at, a_set, _), (b, bt, b_set, _)| {
            b_set
                .applied
                .cmp(&a_set.applied)
                .then_with(|| at.cmp(bt))
                .then_with(|| a.manager.cmp(&b.manager))
                .then_with(|| a_set.api_version.cmp(&b_set.api_version))
                .then_with(|| a.subresource.cmp(&b.subresource))
        });
        let entries = entries.into_iter().map(|(identity, _, set, time)| {
            let mut entry = Map::new();
            let mut put = |name: &str, text: &str| {
                if !text.is_empty() {
                    entry.insert(name.to_owned(), text.into());
                }
            };
            put("manager", &identity.manager);
            put("operation", if set.applied { "Apply" } else { "Update" });
            put("apiVersion", &set.api_version);
            put("time", time.map_or("", String::as_str));
            put("fieldsType", "FieldsV1");
            put("subresource", &identity.subresource);
            entry.insert("fieldsV1".into(), set.set.to_value());
            Value::Object(entry)
        });
        entries.collect()
    }

    /// Folds the oldest update entries of a version into one when there are more than `max`.
    pub(super) fn cap_updates(&mut self, max: usize, folded_manager: &str) {
        let mut updates: Vec<String> = self
            .fields
            .iter()
            .filter(|(_, set)| !set.applied)
            .map(|(key, _)| key.clone())
            .collect();
        let mut left = updates.len();
        if left <= max {
            return;
        }
        updates.sort_by_key(|key| (seconds(self.times.get(key)), key.clone()));
        let mut first_of_version: BTreeMap<Arc<str>, String> = BTreeMap::new();
        for key in updates {
            if left <= max {
                return;
            }
            let Some(entry) = self.fields.get(&key).cloned() else {
                continue;
            };
            let Some(first) = first_of_version.get(&entry.api_version) else {
                first_of_version.insert(entry.api_version, key);
                continue;
            };
            let bucket = identity(folded_manager, false, &entry.api_version, "");
            if !self.fields.contains_key(&bucket)
                && let Some(set) = self.fields.remove(first)
            {
                self.fields.insert(bucket.clone(), set);
            }
            let folded = self.fields.get(&bucket);
            let set = folded.map_or_else(FieldSet::new, |f| f.set.union(&entry.set));
            self.fields.remove(&key);
            let time = self.times.get(&key).cloned();
            self.fields.insert(
                bucket.clone(),
                ManagedSet {
                    set: Arc::new(set),
                    ..entry
                },
            );
            left -= 1;
            match time {
                Some(time) => self.times.insert(bucket, time),
                None => self.times.remove(&bucket),
            };
        }
    }
}

fn seconds(time: Option<&String>) -> i64 {
    time.and_then(|time| time.parse::<jiff::Timestamp>().ok())
        .map_or(0, jiff::Timestamp::as_second)
}

//! Remembering what was applied at which live version, so that an unchanged object costs no request.
//!
//! The record is only a shortcut: it may be empty or lost at any time. It answers "unchanged" only when the
//! desired object is byte for byte the same and a watch says that the live object still is the one recorded.

use std::collections::HashMap;

use objects::{Gvk, Object, ObjectKey, Value};
use parking_lot::Mutex;

/// Which state of a live object was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveVersion {
    uid: String,
    resource_version: String,
    /// 0 where the server keeps none.
    generation: i64,
    /// Digest of labels, annotations and whether it is being deleted.
    metadata: Option<blake3::Hash>,
}

impl LiveVersion {
    /// Reads the version of an object, whole or metadata only.
    pub fn of(object: &Object) -> Self {
        let mut hasher = blake3::Hasher::new();
        for path in ["labels", "annotations", "deletionTimestamp"] {
            let value = object.get(&["metadata", path]).unwrap_or(&Value::Null);
            hasher.update(value.to_string().as_bytes());
            hasher.update(b"\0");
        }
        Self {
            uid: object.str_at(&["metadata", "uid"]).to_owned(),
            resource_version: object.str_at(&["metadata", "resourceVersion"]).to_owned(),
            generation: object
                .get(&["metadata", "generation"])
                .and_then(Value::as_i64)
                .unwrap_or(0),
            metadata: Some(hasher.finalize()),
        }
    }

    /// Tells whether everything but status is as in another version.
    ///
    /// Kinds without generation change their version with every write, status included.
    pub fn is_same(&self, other: &Self) -> bool {
        let untouched =
            !self.resource_version.is_empty() && self.resource_version == other.resource_version;
        let same_spec = self.generation != 0
            && self.generation == other.generation
            && self.metadata == other.metadata;
        self.uid == other.uid && (untouched || same_spec)
    }
}

/// Tells the newest version of a live object, as far as a watch knows it.
pub trait LiveVersions: Send + Sync {
    /// Returns the version; `None` where no synced watch covers the object.
    fn live(&self, gvk: &Gvk, key: &ObjectKey) -> Option<LiveVersion>;
}

/// What was applied at which live version. Keyed by object; unbounded, but [`Observations::forget`] follows prunes.
#[derive(Default)]
pub struct Observations {
    seen: Mutex<HashMap<ObjectKey, (blake3::Hash, LiveVersion)>>,
}

impl Observations {
    /// Returns the digest of a desired object.
    pub fn digest(desired: &Object) -> blake3::Hash {
        let bytes = serde_json::to_vec(desired).expect("maps with text keys can be written");
        blake3::hash(&bytes)
    }

    /// Records that a live object has everything that is desired.
    pub fn record(&self, key: ObjectKey, desired: blake3::Hash, live: &Object) {
        let version = LiveVersion::of(live);
        self.seen.lock().insert(key, (desired, version));
    }

    /// Forgets an object.
    pub fn forget(&self, key: &ObjectKey) {
        self.seen.lock().remove(key);
    }

    /// Tells whether the same desired object was recorded at this live version.
    pub fn is_current(&self, key: &ObjectKey, desired: &blake3::Hash, live: &LiveVersion) -> bool {
        self.seen
            .lock()
            .get(key)
            .is_some_and(|(digest, version)| digest == desired && version.is_same(live))
    }

    /// Tells whether a live object is no longer the one recorded; `None` where nothing was recorded.
    pub fn has_drifted(&self, key: &ObjectKey, live: &LiveVersion) -> Option<bool> {
        self.seen
            .lock()
            .get(key)
            .map(|(_, version)| !version.is_same(live))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    fn object(version: &str, generation: i64, label: &str) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "X",
            "metadata": {"name": "a", "uid": "u", "resourceVersion": version, "generation": generation, "labels": {"l": label}}
        }))
        .unwrap()
    }

    #[test]
    fn status_writes_are_no_drift_where_there_is_a_generation() {
        for (name, recorded, live, same) in [
            (
                "same version",
                object("1", 0, "x"),
                object("1", 0, "x"),
                true,
            ),
            (
                "new version without generation",
                object("1", 0, "x"),
                object("2", 0, "x"),
                false,
            ),
            (
                "new version of the same generation",
                object("1", 3, "x"),
                object("2", 3, "x"),
                true,
            ),
            (
                "new generation",
                object("1", 3, "x"),
                object("2", 4, "x"),
                false,
            ),
            (
                "changed label",
                object("1", 3, "x"),
                object("2", 3, "y"),
                false,
            ),
        ] {
            let (recorded, live) = (LiveVersion::of(&recorded), LiveVersion::of(&live));
            assert_eq!(recorded.is_same(&live), same, "{name}");
        }
    }

    #[test]
    fn only_the_same_desired_object_is_current() {
        let observations = Observations::default();
        let (key, live) = (object("1", 1, "x").key(), object("1", 1, "x"));
        let digest = Observations::digest(&live);
        observations.record(key.clone(), digest, &live);
        let version = LiveVersion::of(&live);
        assert!(observations.is_current(&key, &digest, &version));
        assert!(!observations.is_current(&key, &blake3::hash(b""), &version));
        observations.forget(&key);
        assert!(!observations.is_current(&key, &digest, &version));
    }
}

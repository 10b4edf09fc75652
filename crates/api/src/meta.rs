//! What all Flux kinds share: typed resources over dynamic objects, metadata, durations, references.

use std::collections::BTreeMap;
use std::fmt;

use gocompat::duration;
use objects::{Gvk, Object, ObjectKey, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names;

/// An object whose fields do not have the types of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}/{namespace}/{name}: {message}")]
pub struct DecodeError {
    /// Kind expected.
    pub kind: &'static str,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Path and cause.
    pub message: String,
}

/// Names of one Flux kind; implemented by the spec type.
pub trait Kind: Default + Clone + DeserializeOwned + Serialize + Send + Sync + 'static {
    /// API group.
    const GROUP: &'static str;
    /// Stored version.
    const VERSION: &'static str;
    /// Kind.
    const KIND: &'static str;
    /// Plural name in URLs.
    const PLURAL: &'static str;

    /// Returns kind, group and stored version.
    fn gvk() -> Gvk {
        Gvk::new(Self::GROUP, Self::VERSION, Self::KIND)
    }
}

/// A Flux object read into types: metadata, spec, status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource<S, T> {
    /// Metadata that controllers look at.
    pub metadata: ObjectMeta,
    /// What the user asked for.
    pub spec: S,
    /// What was last reported; defaults where absent.
    pub status: T,
}

impl<S: Kind, T: Default + DeserializeOwned + Serialize> Resource<S, T> {
    /// Reads a dynamic object; fields that the types do not know are ignored.
    ///
    /// # Errors
    /// Fails on a field of another type; names it.
    pub fn from_object(object: &Object) -> Result<Self, DecodeError> {
        let error = |path: &str, source: serde_json::Error| DecodeError {
            kind: S::KIND,
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            message: format!("{path}: {source}"),
        };
        let part = |name: &str| object.get(&[name]).filter(|v| !v.is_null());
        Ok(Self {
            metadata: ObjectMeta::of(object),
            spec: match part("spec") {
                Some(value) => S::deserialize(value).map_err(|e| error("spec", e))?,
                None => S::default(),
            },
            status: match part("status") {
                Some(value) => T::deserialize(value).map_err(|e| error("status", e))?,
                None => T::default(),
            },
        })
    }

    /// Writes a dynamic object in the stored version; an empty status is left out.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new(&S::gvk(), &self.metadata.namespace, &self.metadata.name);
        for (key, value) in &self.metadata.labels {
            object.set_label(key, value);
        }
        for (key, value) in &self.metadata.annotations {
            object.set_annotation(key, value);
        }
        let value = |v: serde_json::Result<Value>| v.expect("specs and statuses are plain data");
        object.set(&["spec"], value(serde_json::to_value(&self.spec)));
        let status = value(serde_json::to_value(&self.status));
        if status.as_object().is_some_and(|map| !map.is_empty()) {
            object.set(&["status"], status);
        }
        object
    }

    /// Returns the identity of the object.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(
            S::GROUP,
            S::KIND,
            &self.metadata.namespace,
            &self.metadata.name,
        )
    }
}

/// The metadata that controllers look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Identity across re-creation.
    pub uid: String,
    /// Version of the whole object.
    pub resource_version: String,
    /// Version of the spec; 0 where the server keeps none.
    pub generation: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Finalizers, as stored.
    pub finalizers: Vec<String>,
    /// Set while the object is being deleted; RFC 3339.
    pub deletion_timestamp: Option<String>,
}

impl ObjectMeta {
    /// Reads the metadata of a dynamic object.
    pub fn of(object: &Object) -> Self {
        let owned = |map: BTreeMap<&str, &str>| {
            map.into_iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect()
        };
        Self {
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            uid: object.str_at(&["metadata", "uid"]).to_owned(),
            resource_version: object.str_at(&["metadata", "resourceVersion"]).to_owned(),
            generation: object
                .get(&["metadata", "generation"])
                .and_then(Value::as_i64)
                .unwrap_or(0),
            labels: owned(object.labels()),
            annotations: owned(object.annotations()),
            finalizers: object.finalizers().iter().map(|&f| f.to_owned()).collect(),
            deletion_timestamp: Some(object.str_at(&["metadata", "deletionTimestamp"]).to_owned())
                .filter(|t| !t.is_empty()),
        }
    }

    /// Returns the value of the reconcile request annotation, or "".
    pub fn reconcile_request(&self) -> &str {
        self.annotations
            .get(names::RECONCILE_REQUEST)
            .map_or("", String::as_str)
    }

    /// Tells whether deletion was asked for.
    pub fn is_deleted(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Tells whether Flux's finalizer is present.
    pub fn has_finalizer(&self) -> bool {
        self.finalizers.iter().any(|f| f == names::FINALIZER)
    }
}

/// A duration in a spec: Go's text form, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// Builds from whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&go_duration(self.0))
    }
}

/// Prints a duration as Go does, such as `1m0s`.
pub fn go_duration(value: std::time::Duration) -> String {
    duration::format(i64::try_from(value.as_nanos()).unwrap_or(i64::MAX))
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let nanoseconds = duration::parse(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(std::time::Duration::from_nanos(
            u64::try_from(nanoseconds).unwrap_or(0),
        )))
    }
}

/// A reference to an object of a known kind in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalObjectReference {
    /// Name.
    #[serde(default)]
    pub name: String,
}

/// A reference to one key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReference {
    /// Name of the Secret.
    #[serde(default)]
    pub name: String,
    /// Key in its data; the reader's default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_travel_as_go_text() {
        let read: Duration = serde_json::from_str("\"1.5m\"").unwrap();
        assert_eq!(read, Duration::from_secs(90));
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"1m30s\"");
        assert!(serde_json::from_str::<Duration>("\"soon\"").is_err());
    }
}

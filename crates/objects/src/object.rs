//! One Kubernetes object as a JSON map, with the accessors that everything needs.

use std::collections::BTreeMap;

use crate::{Gvk, Map, ObjectKey, Value};

/// A Kubernetes object: a JSON map that has (or is about to get) `apiVersion`, `kind` and `metadata`.
///
/// Accessors return empty text for absent fields and never panic on fields of the wrong type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(pub Map);

/// A JSON value that is not a map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an object, got {got}")]
pub struct NotAnObject {
    /// JSON type found: `array`, `string`, ….
    pub got: &'static str,
}

impl Object {
    /// Wraps a JSON map; any other value is an error.
    ///
    /// # Errors
    /// Fails on anything but a map.
    pub fn from_value(value: Value) -> Result<Self, NotAnObject> {
        let got = match value {
            Value::Object(map) => return Ok(Self(map)),
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
        };
        Err(NotAnObject { got })
    }

    /// Builds an object with only its type and name; an empty namespace is left out.
    pub fn new(gvk: &Gvk, namespace: &str, name: &str) -> Self {
        let mut object = Self(Map::new());
        object
            .0
            .insert("apiVersion".into(), gvk.api_version().into());
        object.0.insert("kind".into(), gvk.kind.clone().into());
        object.metadata_mut().insert("name".into(), name.into());
        if !namespace.is_empty() {
            object.set_namespace(namespace);
        }
        object
    }

    /// Unwraps into a JSON value.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Returns `apiVersion`, or "".
    pub fn api_version(&self) -> &str {
        self.0
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    /// Returns `kind`, or "".
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or("")
    }

    /// Returns group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.api_version(), self.kind())
    }

    /// Returns the version-less identity.
    pub fn key(&self) -> ObjectKey {
        let gvk = self.gvk();
        ObjectKey::new(gvk.group, gvk.kind, self.namespace(), self.name())
    }

    /// Returns `metadata.name`, or "".
    pub fn name(&self) -> &str {
        self.meta_str("name")
    }

    /// Returns `metadata.namespace`, or "".
    pub fn namespace(&self) -> &str {
        self.meta_str("namespace")
    }

    /// Returns `metadata.uid`, or "".
    pub fn uid(&self) -> &str {
        self.meta_str("uid")
    }

    /// Returns `metadata.resourceVersion`, or "".
    pub fn resource_version(&self) -> &str {
        self.meta_str("resourceVersion")
    }

    /// Returns `metadata.generation`, or 0.
    pub fn generation(&self) -> i64 {
        self.metadata()
            .and_then(|m| m.get("generation"))
            .and_then(Value::as_i64)
            .unwrap_or(0)
    }

    /// Tells whether `metadata.deletionTimestamp` is set.
    pub fn is_deleting(&self) -> bool {
        self.metadata()
            .and_then(|m| m.get("deletionTimestamp"))
            .is_some_and(|v| !v.is_null())
    }

    /// Returns one label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata()?.get("labels")?.get(key)?.as_str()
    }

    /// Returns one annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata()?.get("annotations")?.get(key)?.as_str()
    }

    /// Returns all labels with string values.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        self.meta_strings("labels")
    }

    /// Returns all annotations with string values.
    pub fn annotations(&self) -> BTreeMap<&str, &str> {
        self.meta_strings("annotations")
    }

    /// Returns `metadata.finalizers`; may be empty, order as stored.
    pub fn finalizers(&self) -> Vec<&str> {
        self.metadata()
            .and_then(|m| m.get("finalizers"))
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }

    /// Returns the `metadata` map, if there is one.
    pub fn metadata(&self) -> Option<&Map> {
        self.0.get("metadata").and_then(Value::as_object)
    }

    /// Returns the `metadata` map, creating it where absent or not a map.
    pub fn metadata_mut(&mut self) -> &mut Map {
        map_entry(&mut self.0, "metadata")
    }

    /// Returns the value at a path of map keys.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.0.get(*first)?, |value, key| value.get(key))
    }

    /// Returns the text at a path of map keys, or "".
    pub fn str_at(&self, path: &[&str]) -> &str {
        self.get(path).and_then(Value::as_str).unwrap_or("")
    }

    /// Sets the value at a path of map keys, creating maps on the way.
    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let map = parents
            .iter()
            .fold(&mut self.0, |map, key| map_entry(map, key));
        map.insert((*last).to_owned(), value.into());
    }

    /// Removes and returns the value at a path of map keys.
    pub fn remove(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        let mut map = &mut self.0;
        for key in parents {
            map = map.get_mut(*key)?.as_object_mut()?;
        }
        map.remove(*last)
    }

    /// Sets `metadata.name`.
    pub fn set_name(&mut self, name: &str) {
        self.metadata_mut().insert("name".into(), name.into());
    }

    /// Sets `metadata.namespace`.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.metadata_mut()
            .insert("namespace".into(), namespace.into());
    }

    /// Sets one label.
    pub fn set_label(&mut self, key: &str, value: &str) {
        map_entry(self.metadata_mut(), "labels").insert(key.into(), value.into());
    }

    /// Sets one annotation.
    pub fn set_annotation(&mut self, key: &str, value: &str) {
        map_entry(self.metadata_mut(), "annotations").insert(key.into(), value.into());
    }

    fn meta_str(&self, key: &str) -> &str {
        self.metadata()
            .and_then(|m| m.get(key))
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    fn meta_strings(&self, key: &str) -> BTreeMap<&str, &str> {
        self.metadata()
            .and_then(|m| m.get(key))
            .and_then(Value::as_object)
            .map(|map| {
                map.iter()
                    .filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)))
                    .collect()
            })
            .unwrap_or_default()
    }
}

fn map_entry<'a>(map: &'a mut Map, key: &str) -> &'a mut Map {
    let value = map.entry(key).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made a map just above")
}

impl serde::Serialize for Object {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn paths_are_read_created_and_removed() {
        let mut object = Object::new(&Gvk::new("apps", "v1", "Deployment"), "web", "front");
        object.set(&["spec", "replicas"], 3);
        object.set_label("app", "front");
        assert_eq!(object.get(&["spec", "replicas"]), Some(&json!(3)));
        assert_eq!(object.label("app"), Some("front"));
        assert_eq!(object.key().to_id(), "web_front_apps_Deployment");
        assert_eq!(object.remove(&["spec", "replicas"]), Some(json!(3)));
        assert_eq!(object.remove(&["status", "x"]), None);
    }
}

//! An OpenAPI document that a kustomization brings along (`openapi.path`).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::{ListMerge, Schema};
use crate::error::{BuildError, Result};

/// References followed before a chain of them counts as endless.
const REFERENCES_MAX: usize = 32;

/// Parsed definitions with an index by kind.
pub(crate) struct CustomSchema {
    document: Value,
    /// Whether references may lead to built-in definitions.
    with_built_in: bool,
    /// API version and kind → name of the definition.
    kinds: HashMap<(String, String), String>,
    /// API version and kind → has a namespace.
    namespaced: HashMap<(String, String), bool>,
}

impl CustomSchema {
    /// Reads a document in JSON or YAML.
    pub fn parse(document: &[u8], with_built_in: bool) -> Result<Self> {
        let document = crate::reading::yaml_to_json(document)
            .map_err(|error| error.wrap("invalid schema file"))?;
        if !document.is_object() {
            return Err(BuildError::new("invalid schema file: not an object"));
        }
        let mut schema = Self {
            document,
            with_built_in,
            kinds: HashMap::new(),
            namespaced: HashMap::new(),
        };
        schema.index_kinds();
        schema.index_paths();
        Ok(schema)
    }

    fn index_kinds(&mut self) {
        let definitions = self.document.get("definitions").and_then(Value::as_object);
        for (name, definition) in definitions.into_iter().flatten() {
            let kinds = definition.get("x-kubernetes-group-version-kind");
            for kind in kinds.and_then(Value::as_array).into_iter().flatten() {
                if let Some(key) = type_meta(kind) {
                    self.kinds.insert(key, name.clone());
                }
            }
        }
    }

    fn index_paths(&mut self) {
        let paths = self.document.get("paths").and_then(Value::as_object);
        for (path, item) in paths.into_iter().flatten() {
            let kind = item.pointer("/get/x-kubernetes-group-version-kind");
            let Some(key) = kind.and_then(type_meta) else {
                continue;
            };
            let namespaced = path.contains("namespaces/{namespace}");
            let known = self.namespaced.entry(key).or_insert(namespaced);
            *known |= namespaced;
        }
    }

    pub fn is_cluster_scoped(&self, api_version: &str, kind: &str) -> bool {
        let key = (api_version.to_owned(), kind.to_owned());
        self.namespaced.get(&key) == Some(&false)
    }

    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Value> {
        let key = (api_version.to_owned(), kind.to_owned());
        self.document
            .get("definitions")?
            .get(self.kinds.get(&key)?.as_str())
    }

    pub fn field<'a>(&'a self, definition: &'a Value, name: &str) -> Option<Schema<'a>> {
        let own = definition
            .get("properties")
            .and_then(|fields| fields.get(name));
        let field = own.or_else(|| {
            let others = definition.get("additionalProperties")?;
            others.is_object().then_some(others)
        })?;
        self.resolve(field)
    }

    pub fn list_merge<'a>(&'a self, definition: &'a Value) -> Option<ListMerge<'a>> {
        let strategy = definition.get("x-kubernetes-patch-strategy")?.as_str()?;
        if !strategy.split(',').any(|part| part == "merge") {
            return None;
        }
        let keys = match definition.get("x-kubernetes-list-map-keys") {
            Some(keys) => keys
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .map(Cow::Borrowed)
                .collect(),
            None => definition
                .get("x-kubernetes-patch-merge-key")
                .and_then(Value::as_str)
                .map(Cow::Borrowed)
                .into_iter()
                .collect(),
        };
        let is_list = definition.get("type").and_then(Value::as_str) == Some("array");
        let items = definition.get("items").filter(|_| is_list);
        let items = items.and_then(|items| self.resolve(items));
        Some(ListMerge { keys, items })
    }

    fn resolve<'a>(&'a self, mut schema: &'a Value) -> Option<Schema<'a>> {
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                return Some(Schema::Custom(self, schema));
            };
            match self.document.pointer(reference.strip_prefix('#')?) {
                Some(found) => schema = found,
                None if self.with_built_in => {
                    return super::definition(reference.strip_prefix("#/definitions/")?);
                }
                None => return None,
            }
        }
        None
    }
}

fn type_meta(kind: &Value) -> Option<(String, String)> {
    let part = |name: &str| kind.get(name).and_then(Value::as_str);
    let version = part("version")?;
    let api_version = match part("group") {
        Some(group) if !group.is_empty() => format!("{group}/{version}"),
        _ => version.to_owned(),
    };
    Some((api_version, part("kind")?.to_owned()))
}

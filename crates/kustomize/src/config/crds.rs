//! Field specifications from the OpenAPI definitions that `crds` lists: annotations on properties say which
//! hold labels, annotations, names or references.

use serde_json::{Map, Value};

use super::{Config, FieldSpec, NameBackReference, merge_all, merge_one, merge_references};
use crate::error::{BuildError, Result};

/// Nesting of references followed; deeper ones are a cycle.
const DEPTH_MAX: usize = 64;

/// Reads one file of definitions into specifications.
pub(crate) fn load_crds(path: &str, content: &[u8]) -> Result<Config> {
    let unable = |error: BuildError| {
        error.wrap(format!("unable to parse open API definition from '{path}'"))
    };
    let document = crate::reading::yaml_to_json(content).map_err(unable)?;
    let Value::Object(definitions) = &document else {
        return Err(unable(BuildError::new("not an object")));
    };
    let mut config = Config::default();
    for (name, definition) in definitions {
        if is_kind(definition) {
            let kind = name.rsplit('.').next().unwrap_or(name);
            let mut path = Vec::new();
            collect(&mut config, kind, definitions, name, &mut path)?;
        }
    }
    config.sort();
    Ok(config)
}

fn properties(definition: &Value) -> Option<&Map<String, Value>> {
    definition.get("Schema")?.get("properties")?.as_object()
}

fn is_kind(definition: &Value) -> bool {
    properties(definition).is_some_and(|properties| {
        ["kind", "apiVersion", "metadata"]
            .iter()
            .all(|field| properties.contains_key(*field))
    })
}

fn collect<'a>(
    config: &mut Config,
    kind: &str,
    definitions: &'a Map<String, Value>,
    name: &str,
    path: &mut Vec<&'a str>,
) -> Result<()> {
    if path.len() > DEPTH_MAX {
        return Err(BuildError::new(format!(
            "definitions of {name} refer to themselves"
        )));
    }
    let fields = definitions.get(name).and_then(properties);
    for (field, property) in fields.into_iter().flatten() {
        path.push(field);
        note(config, kind, property, path)?;
        if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
            collect(config, kind, definitions, reference, path)?;
        }
        path.pop();
    }
    Ok(())
}

fn note(config: &mut Config, kind: &str, property: &Value, path: &[&str]) -> Result<()> {
    let text = |key: &str| property.get(key).and_then(Value::as_str);
    let spec = || FieldSpec {
        kind: kind.into(),
        path: path.join("/").into(),
        ..FieldSpec::default()
    };
    if text("x-kubernetes-annotation").is_some() {
        merge_one(&mut config.common_annotations, spec())?;
    }
    if text("x-kubernetes-label-selector").is_some() {
        merge_one(&mut config.common_labels, spec())?;
    }
    if text("x-kubernetes-identity").is_some() {
        merge_one(&mut config.name_prefix, spec())?;
    }
    let version = text("x-kubernetes-object-ref-api-version");
    if let (Some(version), Some(target)) = (version, text("x-kubernetes-object-ref-kind")) {
        let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
        let mut referrers = Vec::new();
        let mut field = spec();
        field.path = format!("{}/{key}", field.path).into();
        merge_all(&mut referrers, &[field])?;
        let reference = NameBackReference {
            version: version.into(),
            kind: target.into(),
            referrers,
            ..NameBackReference::default()
        };
        merge_references(&mut config.name_reference, &[reference])?;
    }
    Ok(())
}

//! Packs the type data of Kubernetes for the `objects` crate.
//!
//! Reads the recorded OpenAPI components of the API-server corpus; writes
//! `crates/objects/assets/kubernetes-1.35/`. References become bare names, which halves the packed size.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Output, gunzip, read_json};

const PREFIX: &str = "#/components/schemas/";

/// Makes the packed files of one recorded server.
pub fn outputs(data: &Path) -> anyhow::Result<Vec<Output>> {
    let components = read_json(&data.join("openapi-components.json"))?;
    let described = gunzip(&data.join("openapi-components-described.json.gz"))?;
    let described: Map<String, Value> = serde_json::from_str(&described)?;
    let mut lines = Vec::new();
    for (name, component) in &described {
        describe(component, name, &mut lines);
    }
    Ok(vec![
        (
            "crates/objects/assets/kubernetes-1.35/schemas.json.gz",
            shorten(components).to_string(),
        ),
        (
            "crates/objects/assets/kubernetes-1.35/descriptions.txt.gz",
            lines.join("\n"),
        ),
    ])
}

/// Replaces `allOf: [{$ref: …}]` and `$ref` by a bare name beside its siblings.
fn shorten(spec: Value) -> Value {
    match spec {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, value) in map {
                let inner = value.pointer("/0/$ref").and_then(Value::as_str);
                if let ("allOf", Some(name)) = (key.as_str(), inner) {
                    out.insert("$ref".into(), name.trim_start_matches(PREFIX).into());
                    continue;
                }
                if let ("$ref", Some(name)) = (key.as_str(), value.as_str()) {
                    out.insert(key, name.trim_start_matches(PREFIX).into());
                    continue;
                }
                out.insert(key, shorten(value));
            }
            Value::Object(out)
        }
        Value::Array(items) => items.into_iter().map(shorten).collect(),
        other => other,
    }
}

/// Lists `path<TAB>text` for a schema and its properties; line breaks are written `\n`.
fn describe(spec: &Value, path: &str, lines: &mut Vec<String>) {
    if let Some(text) = spec.get("description").and_then(Value::as_str) {
        lines.push(format!(
            "{path}\t{}",
            text.replace('\n', "\\n").replace('\t', " ")
        ));
    }
    for (name, property) in spec
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        describe(property, &format!("{path}.{name}"), lines);
    }
}

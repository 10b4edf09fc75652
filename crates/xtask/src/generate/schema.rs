//! Packs the type data of Kubernetes for the `objects` crate.
//!
//! Reads the recorded OpenAPI components of the API-server corpus; writes
//! `crates/objects/assets/kubernetes-1.35/`. References become bare names, which halves the packed size.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

use super::Arguments;

const PREFIX: &str = "#/components/schemas/";

/// Writes the three packed files.
pub fn write(arguments: &Arguments) -> anyhow::Result<()> {
    let data = arguments
        .data
        .clone()
        .unwrap_or_else(|| crate::workspace_root().join("../shared/conformance"))
        .join("apiserver/v1.35");
    let target = crate::workspace_root().join("crates/objects/assets/kubernetes-1.35");
    fs::create_dir_all(&target)?;

    let components = read_json(&data.join("openapi-components.json"))?;
    write_packed(
        &target.join("schemas.json.gz"),
        &shorten(components).to_string(),
    )?;

    let described = gunzip(&data.join("openapi-components-described.json.gz"))?;
    let described: Map<String, Value> = serde_json::from_str(&described)?;
    let mut lines = Vec::new();
    for (name, component) in &described {
        describe(component, name, &mut lines);
    }
    write_packed(&target.join("descriptions.txt.gz"), &lines.join("\n"))
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

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

fn gunzip(path: &PathBuf) -> anyhow::Result<String> {
    let packed = fs::read(path).with_context(|| path.display().to_string())?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text)?;
    Ok(text)
}

/// Packs reproducibly: no time, no name.
fn write_packed(path: &Path, text: &str) -> anyhow::Result<()> {
    if text.is_empty() {
        bail!("nothing to write to {}", path.display());
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes())?;
    let packed = encoder.finish()?;
    println!(
        "{}: {} bytes from {}",
        path.display(),
        packed.len(),
        text.len()
    );
    fs::write(path, packed)?;
    Ok(())
}

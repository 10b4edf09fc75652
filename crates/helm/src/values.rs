//! Values of files and flags, merged by precedence.

use gotemplate::{Map, Value};
use serde_json::Value as Json;

use crate::Version;
use crate::convert::{from_json, from_map};
use crate::documents::documents;
use crate::strvals::{self, Mode, ReadFile};

/// Where a user's values come from, each kind in the order given.
#[derive(Clone, Debug, Default)]
pub struct UserValues {
    /// Names and contents of `-f` files.
    pub files: Vec<(String, Vec<u8>)>,
    /// `--set-json`.
    pub set_json: Vec<String>,
    /// `--set`.
    pub set: Vec<String>,
    /// `--set-string`.
    pub set_string: Vec<String>,
    /// `--set-file`.
    pub set_file: Vec<String>,
    /// `--set-literal`.
    pub set_literal: Vec<String>,
}

impl UserValues {
    /// Merges everything by Helm's precedence.
    ///
    /// # Errors
    /// A file or flag does not parse, in Helm's words.
    pub fn merge(&self, version: Version, read: ReadFile<'_>) -> Result<Map, String> {
        let mut base = serde_json::Map::new();
        for (name, text) in &self.files {
            let map = read_documents(text, version)
                .map_err(|error| format!("failed to parse {name}: {error}"))?;
            merge_maps(&mut base, floats_map(map));
        }
        for text in &self.set_json {
            let trimmed = text.trim();
            if version == Version::V4 && trimmed.starts_with('{') {
                match serde_json::from_str(trimmed) {
                    Ok(Json::Object(map)) => merge_maps(&mut base, floats_map(map)),
                    _ => return Err(format!("failed parsing --set-json data JSON: {text}")),
                }
            } else if strvals::parse_into(text, Mode::Json, version, &mut base).is_err() {
                return Err(format!("failed parsing --set-json data {text}"));
            }
        }
        let flags = [
            ("--set", &self.set, Mode::Set),
            ("--set-string", &self.set_string, Mode::String),
            ("--set-file", &self.set_file, Mode::File(read)),
            ("--set-literal", &self.set_literal, Mode::Literal),
        ];
        for (flag, texts, mode) in flags {
            for text in texts {
                strvals::parse_into(text, mode, version, &mut base)
                    .map_err(|error| format!("failed parsing {flag} data: {error}"))?;
            }
        }
        Ok(Map::new(from_map(&base, true)))
    }
}

/// Reads a values file: Helm 4 merges all documents, Helm 3 reads the first.
///
/// # Errors
/// Not YAML, or not a map.
pub fn read_values(text: &[u8], version: Version) -> Result<Map, String> {
    Ok(Map::new(from_map(&read_documents(text, version)?, false)))
}

/// Reads a values file as `helm lint` does: the first document, in other words.
///
/// # Errors
/// Not YAML, or not a map.
pub(crate) fn read_values_file(text: &[u8], version: Version) -> Result<Map, String> {
    let package = match version {
        Version::V3 => "chartutil",
        Version::V4 => "common",
    };
    let map = read_map(text, &format!("{package}.Values"))?;
    Ok(Map::new(from_map(&map, false)))
}

const ANY_MAP: &str = "map[string]interface {}";

fn read_documents(text: &[u8], version: Version) -> Result<serde_json::Map<String, Json>, String> {
    if version == Version::V3 {
        return read_map(text, ANY_MAP);
    }
    let mut all = serde_json::Map::new();
    for document in documents(text) {
        let document = document.map_err(|error| format!("error reading yaml document: {error}"))?;
        let map = read_map(&document, ANY_MAP)
            .map_err(|error| format!("cannot unmarshal yaml document: {error}"))?;
        merge_maps(&mut all, map);
    }
    Ok(all)
}

fn read_map(text: &[u8], wanted: &str) -> Result<serde_json::Map<String, Json>, String> {
    match kyaml::yaml_to_json(text).map_err(|error| error.to_string())? {
        Json::Null => Ok(serde_json::Map::new()),
        Json::Object(map) => Ok(map),
        other => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type {wanted}",
            kyaml::json_kind(&other)
        )),
    }
}

/// All numbers as floats, as Go decodes untyped data.
fn floats(value: Json) -> Json {
    match value {
        Json::Number(number) => {
            let float = number.as_f64().and_then(serde_json::Number::from_f64);
            float.map_or(Json::Null, Json::Number)
        }
        Json::Array(items) => Json::Array(items.into_iter().map(floats).collect()),
        Json::Object(map) => Json::Object(floats_map(map)),
        other => other,
    }
}

fn floats_map(map: serde_json::Map<String, Json>) -> serde_json::Map<String, Json> {
    map.into_iter()
        .map(|(key, value)| (key, floats(value)))
        .collect()
}

/// Later wins; maps merge deeply; null is kept.
fn merge_maps(base: &mut serde_json::Map<String, Json>, over: serde_json::Map<String, Json>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Json::Object(inner)), Json::Object(map)) => merge_maps(inner, map),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// A tree of JSON as values, numbers as floats.
pub fn untyped(map: &serde_json::Map<String, Json>) -> Map {
    match from_json(&Json::Object(map.clone())) {
        Value::Map(map) => map,
        _ => Map::new(Default::default()),
    }
}

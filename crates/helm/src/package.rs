//! Charts as archives: what a source controller looks at, changes, and packs again.
//!
//! Follows Helm's `chartutil.Save` and source-controller's chart builders. Archives are the same for the same chart:
//! times and owners are left out, where Helm writes the present time.

use std::io::Write;

use filetree::{EntryKind, FileTree};
use flate2::{Compression, GzBuilder};
use gocompat::semver;
use serde_json::{Map as JsonMap, Value as Json};

use crate::chart::{Chart, File};
use crate::convert;
use crate::load::{LoadError, archive_files};
use crate::metadata::{Dependency, Metadata};

const CHART_FILE: &str = "Chart.yaml";
const REQUIREMENTS_FILE: &str = "requirements.yaml";
const VALUES_FILE: &str = "values.yaml";
/// Longest path in a tar header without extensions.
const PATH_BYTES_MAX: usize = 1024;

/// Why a chart could not be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PackageError(pub String);

fn fail<T>(message: impl Into<String>) -> Result<T, PackageError> {
    Err(PackageError(message.into()))
}

/// Packs a chart with all charts inside it, below a directory with its name.
///
/// # Errors
/// The metadata is invalid, or the schema is no JSON.
pub fn save(chart: &Chart) -> Result<Vec<u8>, PackageError> {
    chart.metadata.clone().validate().map_err(PackageError)?;
    let buffer = GzBuilder::new()
        .comment("Helm")
        .write(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(buffer);
    write_chart(&mut archive, chart, "")?;
    let packed = archive.into_inner().and_then(|gzip| gzip.finish());
    packed.map_err(|error| PackageError(error.to_string()))
}

fn write_chart<W: Write>(
    archive: &mut tar::Builder<W>,
    chart: &Chart,
    prefix: &str,
) -> Result<(), PackageError> {
    let name = chart.name();
    if name.contains('/') || matches!(name, "" | "." | "..") {
        return fail(format!("chart.metadata.name {name:?} is invalid"));
    }
    let base = format!("{prefix}{name}");
    let mut metadata = chart.metadata.clone();
    let first = metadata.api_version == "v1";
    if first {
        metadata.dependencies = None;
    }
    let text = |value: &Json| kyaml::emit_sigs(value).map_err(|e| PackageError(e.to_string()));
    write_file(
        archive,
        &format!("{base}/{CHART_FILE}"),
        text(&metadata.to_json())?.as_bytes(),
    )?;
    if let Some(lock) = chart.lock.as_ref().filter(|_| !first) {
        write_file(
            archive,
            &format!("{base}/Chart.lock"),
            text(lock)?.as_bytes(),
        )?;
    }
    for file in chart.raw.iter().filter(|file| file.name == VALUES_FILE) {
        write_file(archive, &format!("{base}/{VALUES_FILE}"), &file.data)?;
    }
    if let Some(schema) = &chart.schema {
        if serde_json::from_slice::<serde::de::IgnoredAny>(schema).is_err() {
            return fail("invalid JSON in values.schema.json");
        }
        write_file(archive, &format!("{base}/values.schema.json"), schema)?;
    }
    for file in chart.templates.iter().chain(&chart.files) {
        write_file(archive, &format!("{base}/{}", file.name), &file.data)?;
    }
    for inner in &chart.dependencies {
        write_chart(archive, inner, &format!("{base}/charts/"))?;
    }
    Ok(())
}

fn write_file<W: Write>(
    archive: &mut tar::Builder<W>,
    path: &str,
    content: &[u8],
) -> Result<(), PackageError> {
    if path.len() > PATH_BYTES_MAX {
        return fail(format!(
            "path of a chart file is longer than {PATH_BYTES_MAX} bytes"
        ));
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    let written = archive.append_data(&mut header, path, content);
    written.map_err(|error| PackageError(error.to_string()))
}

/// Reads the metadata of a chart archive: `Chart.yaml`, with `requirements.yaml` over it.
///
/// # Errors
/// The archive is malformed or unsafe, or has no readable `Chart.yaml`.
pub fn archive_metadata(archive: &[u8]) -> Result<Metadata, LoadError> {
    let none = || LoadError(format!("no '{CHART_FILE}' found"));
    let files = archive_files(archive).map_err(|error| match error.0.as_str() {
        "no files in chart archive" => none(),
        _ => error,
    })?;
    let mut metadata = None;
    for file in &files {
        if matches!(file.name.as_str(), CHART_FILE | REQUIREMENTS_FILE) {
            read_over(metadata.get_or_insert_default(), file)?;
        }
    }
    metadata.ok_or_else(none)
}

/// Reads the metadata of a chart's directory.
///
/// # Errors
/// There is no readable `Chart.yaml`.
pub fn directory_metadata(tree: &dyn FileTree, directory: &str) -> Result<Metadata, LoadError> {
    let mut metadata = Metadata::default();
    for name in [CHART_FILE, REQUIREMENTS_FILE] {
        let path = format!("{directory}/{name}");
        let path = path.trim_start_matches('/');
        if name == REQUIREMENTS_FILE && tree.kind(path).is_err() {
            continue;
        }
        if tree
            .kind(path)
            .is_ok_and(|kind| kind == EntryKind::Directory)
        {
            return Err(LoadError(format!("'{name}' is a directory")));
        }
        let data = tree
            .read(path)
            .map_err(|_| LoadError(format!("open {path}: no such file or directory")))?;
        let file = File {
            name: name.to_owned(),
            data: data.into(),
        };
        read_over(&mut metadata, &file)?;
    }
    Ok(metadata)
}

fn read_over(metadata: &mut Metadata, file: &File) -> Result<(), LoadError> {
    let read = metadata.read_yaml(&file.data, "v2");
    read.map_err(|error| LoadError(format!("cannot load '{}': {error}", file.name)))?;
    if metadata.api_version.is_empty() {
        metadata.api_version = "v1".to_owned();
    }
    Ok(())
}

/// Gives a version other build metadata; an empty text changes nothing.
///
/// # Errors
/// The version or the metadata is not valid.
pub fn with_build_metadata(version: &str, metadata: &str) -> Result<String, PackageError> {
    if metadata.is_empty() {
        return Ok(version.to_owned());
    }
    let parsed = semver::Version::parse(version).map_err(|error| {
        PackageError(format!(
            "failed to parse version from chart metadata as SemVer: {error}"
        ))
    })?;
    let changed = parsed.set_metadata(metadata).map_err(|error| {
        PackageError(format!(
            "failed to set SemVer metadata on chart version: {error}"
        ))
    })?;
    Ok(changed.to_string())
}

/// Reads a values file into a map, numbers as Go reads them.
///
/// # Errors
/// Not YAML, or not a map.
pub fn read_values_file(text: &[u8]) -> Result<JsonMap<String, Json>, String> {
    match kyaml::yaml_to_json(text).map_err(|error| error.to_string())? {
        Json::Null => Ok(JsonMap::new()),
        Json::Object(map) => as_go_prints(&gotemplate::Value::Map(crate::values::untyped(&map))),
        other => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            kyaml::json_kind(&other)
        )),
    }
}

/// The default values of a chart as JSON.
///
/// # Errors
/// They hold what JSON cannot.
pub fn default_values(chart: &Chart) -> Result<JsonMap<String, Json>, String> {
    as_go_prints(&gotemplate::Value::Map(chart.values.clone()))
}

fn as_go_prints(value: &gotemplate::Value) -> Result<JsonMap<String, Json>, String> {
    match convert::to_json(value).map_err(|error| error.to_string())? {
        Json::Object(map) => Ok(map),
        _ => Ok(JsonMap::new()),
    }
}

/// Merges a map over another one: maps deeply, everything else replaced.
pub fn merge_values(base: &mut JsonMap<String, Json>, over: JsonMap<String, Json>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Json::Object(inner)), Json::Object(map)) => merge_values(inner, map),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Replaces a chart's `values.yaml`; tells whether its bytes changed.
///
/// # Errors
/// The chart has no `values.yaml`.
pub fn overwrite_values(
    chart: &mut Chart,
    values: &JsonMap<String, Json>,
) -> Result<bool, PackageError> {
    let text = if values.is_empty() {
        String::new()
    } else {
        let value = Json::Object(values.clone());
        kyaml::emit_sigs(&value).map_err(|error| PackageError(error.to_string()))?
    };
    let Some(file) = chart.raw.iter_mut().find(|file| file.name == VALUES_FILE) else {
        return fail(format!("failed to locate values file: {VALUES_FILE}"));
    };
    if &*file.data == text.as_bytes() {
        return Ok(false);
    }
    file.data = text.into_bytes().into();
    chart.values = gotemplate::Map::new(convert::from_map(values, false));
    Ok(true)
}

/// Dependencies that a chart declares and does not hold, those of `Chart.lock` where there is one.
pub fn missing_dependencies(chart: &Chart) -> Vec<Dependency> {
    let locked = chart.lock.as_ref().and_then(Json::as_object);
    let declared = match locked {
        Some(lock) => Metadata::from_json(lock).unwrap_or_default().dependencies,
        None => chart.metadata.dependencies.clone(),
    };
    let declared = declared.unwrap_or_default();
    if declared.len() == chart.dependencies.len() {
        return Vec::new();
    }
    let mut missing: Vec<Dependency> = Vec::new();
    for dependency in declared {
        let known_as = dependency.known_as();
        let held = chart.dependencies.iter().any(|sub| sub.name() == known_as);
        if !held {
            // Of two with one name, the last one counts.
            missing.retain(|other| other.known_as() != known_as);
            missing.push(dependency);
        }
    }
    missing.sort_by(|a, b| a.known_as().cmp(b.known_as()));
    missing
}

//! Charts from directories, archives and lists of files, within Helm's limits.

mod archive;

use std::collections::BTreeMap;

use filetree::{EntryKind, FileTree, TreeError};
use gocompat::quote::quote;
use gotemplate::{Map, Tree};

use crate::Version;
use crate::chart::{Chart, File};
use crate::ignore::Rules;
use crate::metadata::{self, Metadata};
use crate::values::read_values;

pub use archive::{archive_files, archive_files_on_demand};

/// Most bytes of one file.
pub const FILE_BYTES_MAX: u64 = 5 << 20;
/// Most bytes of a chart's files together.
pub const CHART_BYTES_MAX: u64 = 100 << 20;
/// Most files of a chart; upstream has no bound.
const FILES_MAX: usize = 100_000;
/// Most bytes of a chart's directory; upstream has no bound, but for archives.
const DIRECTORY_BYTES_MAX: u64 = 256 << 20;
/// Deepest nesting of directories: links may lead in circles.
const DIRECTORIES_DEPTH_MAX: usize = 64;
/// Deepest nesting of charts; upstream has no bound.
const CHARTS_DEPTH_MAX: usize = 32;

/// Why a chart could not be loaded, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(pub String);

fn fail<T>(message: impl Into<String>) -> Result<T, LoadError> {
    Err(LoadError(message.into()))
}

impl From<TreeError> for LoadError {
    fn from(error: TreeError) -> Self {
        Self(error.to_string())
    }
}

/// Loads a chart from a directory of a tree, or from an archive file in it.
///
/// # Errors
/// The files cannot be read or make no valid chart.
pub fn load_path(tree: &dyn FileTree, path: &str, version: Version) -> Result<Chart, LoadError> {
    match tree.kind(path)? {
        EntryKind::Directory => load_directory(tree, path, version),
        EntryKind::File => load_archive(&tree.read(path)?, version),
    }
}

/// Loads a chart from a directory of a tree, leaving out what `.helmignore` says.
///
/// # Errors
/// The files cannot be read or make no valid chart.
pub fn load_directory(
    tree: &dyn FileTree,
    directory: &str,
    version: Version,
) -> Result<Chart, LoadError> {
    load_files(directory_files(tree, directory)?, version)
}

/// As [`load_directory`], whatever the chart says about its API version.
///
/// # Errors
/// As [`load_directory`].
pub fn load_any_directory(
    tree: &dyn FileTree,
    directory: &str,
    version: Version,
) -> Result<Chart, LoadError> {
    let files = directory_files(tree, directory)?;
    load_nested(files, version, Generation::V2, 0)
}

fn directory_files(tree: &dyn FileTree, directory: &str) -> Result<Vec<File>, LoadError> {
    let ignore_path = filetree::join(directory, ".helmignore").unwrap_or_default();
    let text = tree
        .read(&ignore_path)
        .map(|data| String::from_utf8_lossy(&data).into_owned());
    let mut rules =
        Rules::parse(&text.unwrap_or_default()).map_err(|error| LoadError(error.to_string()))?;
    rules.add_defaults();
    let mut files = Vec::new();
    let mut bytes = 0;
    walk(tree, directory, "", &rules, &mut files, &mut bytes)?;
    Ok(files)
}

fn walk(
    tree: &dyn FileTree,
    directory: &str,
    relative: &str,
    rules: &Rules,
    files: &mut Vec<File>,
    bytes: &mut u64,
) -> Result<(), LoadError> {
    if relative.split('/').count() > DIRECTORIES_DEPTH_MAX {
        return fail(format!(
            "directories of the chart are nested deeper than {DIRECTORIES_DEPTH_MAX}: {relative}"
        ));
    }
    let at = |name: &str| {
        if name.is_empty() {
            directory.to_owned()
        } else {
            format!("{directory}/{name}")
        }
    };
    let here = at(relative);
    for entry in tree.list(here.trim_start_matches('/'))? {
        let name = if relative.is_empty() {
            entry.name
        } else {
            format!("{relative}/{}", entry.name)
        };
        let is_directory = entry.kind == EntryKind::Directory;
        if rules.ignores(&name, is_directory) {
            continue;
        }
        if is_directory {
            walk(tree, directory, &name, rules, files, bytes)?;
            continue;
        }
        let path = at(&name);
        let data = tree.read(path.trim_start_matches('/'))?;
        if data.len() as u64 > FILE_BYTES_MAX {
            let shown = quote(name.as_bytes());
            return fail(format!(
                "chart file {shown} is larger than the maximum file size {FILE_BYTES_MAX}"
            ));
        }
        *bytes += data.len() as u64;
        if *bytes > DIRECTORY_BYTES_MAX || files.len() == FILES_MAX {
            return fail(format!(
                "the chart has more than {FILES_MAX} files or {DIRECTORY_BYTES_MAX} bytes"
            ));
        }
        files.push(File {
            data: match without_mark(&data) {
                rest if rest.len() < data.len() => rest.into(),
                _ => data.into(),
            },
            name,
        });
    }
    Ok(())
}

/// The bytes without a byte order mark at their start.
fn without_mark(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data)
}

/// Loads a chart from a gzipped tar archive.
///
/// # Errors
/// The archive is malformed, unsafe or too large, or holds no valid chart.
pub fn load_archive(bytes: &[u8], version: Version) -> Result<Chart, LoadError> {
    load_files(archive_files(bytes)?, version)
}

/// Makes a chart of files by path.
///
/// # Errors
/// `Chart.yaml` is missing or invalid, or another file does not parse.
pub fn load_files(files: Vec<File>, version: Version) -> Result<Chart, LoadError> {
    let generation = generation(&files, version)?;
    load_nested(files, version, generation, 0)
}

/// Which rules a chart and those inside it are read by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// API versions v1 and v2.
    V2,
    /// API version v3: `requirements.yaml` is a file like any other.
    V3,
}

/// Helm 4 looks at the API version before anything else.
fn generation(files: &[File], version: Version) -> Result<Generation, LoadError> {
    let file = files.iter().find(|file| file.name == "Chart.yaml");
    let Some(file) = file.filter(|_| version == Version::V4) else {
        return Ok(Generation::V2);
    };
    match metadata::api_version(&file.data) {
        Err(error) => fail(format!("cannot load Chart.yaml: {error}")),
        Ok(text) => match text.as_str() {
            "" | "v1" | "v2" => Ok(Generation::V2),
            "v3" => Ok(Generation::V3),
            _ => fail("unsupported chart version"),
        },
    }
}

fn load_nested(
    files: Vec<File>,
    version: Version,
    generation: Generation,
    depth: usize,
) -> Result<Chart, LoadError> {
    if depth > CHARTS_DEPTH_MAX {
        return fail(format!("charts are nested deeper than {CHARTS_DEPTH_MAX}"));
    }
    let mut metadata: Option<Metadata> = None;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let metadata = metadata.get_or_insert_default();
        let read = metadata.read_yaml(&file.data, package(generation, version));
        read.map_err(|error| LoadError(format!("cannot load Chart.yaml: {error}")))?;
        if metadata.api_version.is_empty() {
            metadata.api_version = match generation {
                Generation::V2 => "v1".to_owned(),
                Generation::V3 => "v3".to_owned(),
            };
        }
    }
    let found = metadata.is_some();
    let mut chart = Chart {
        metadata: metadata.unwrap_or_default(),
        lock: None,
        values: Map::new(Tree::new()),
        schema: None,
        templates: Vec::new(),
        files: Vec::new(),
        raw: files.clone(),
        dependencies: Vec::new(),
    };
    let mut required = false;
    let mut inner: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        let old = matches!(
            file.name.as_str(),
            "requirements.yaml" | "requirements.lock"
        );
        if old && generation == Generation::V3 {
            chart.files.push(file);
            continue;
        }
        required |= old;
        sort_file(&mut chart, file, &mut inner, version)?;
    }
    if !found && !required {
        return fail("Chart.yaml file is missing");
    }
    chart.metadata.validate().map_err(LoadError)?;
    for (name, files) in inner {
        let inside = Inside {
            name: &name,
            chart: chart.name(),
            version,
            generation,
            depth: depth + 1,
        };
        let subchart = inside.load(files).map_err(|error| {
            LoadError(format!(
                "error unpacking subchart {name} in {}: {error}",
                chart.name()
            ))
        })?;
        chart.dependencies.extend(subchart);
    }
    Ok(chart)
}

fn sort_file(
    chart: &mut Chart,
    file: File,
    inner: &mut BTreeMap<String, Vec<File>>,
    version: Version,
) -> Result<(), LoadError> {
    let lock = |data: &[u8], name: &str| {
        let read = kyaml::yaml_to_json(data).map_err(|error| error.to_string());
        let read = read.and_then(|json| match json {
            serde_json::Value::Object(_) | serde_json::Value::Null => Ok(json),
            other => Err(format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type {}.Lock",
                kyaml::json_kind(&other),
                package(Generation::V2, version)
            )),
        });
        read.map_err(|error| LoadError(format!("cannot load {name}: {error}")))
    };
    match file.name.as_str() {
        "Chart.yaml" => {}
        "Chart.lock" => chart.lock = Some(lock(&file.data, "Chart.lock")?),
        "values.yaml" => {
            let values = read_values(&file.data, version);
            chart.values =
                values.map_err(|error| LoadError(format!("cannot load values.yaml: {error}")))?;
        }
        "values.schema.json" => chart.schema = Some(file.data),
        "requirements.yaml" => {
            let read = chart
                .metadata
                .read_yaml(&file.data, package(Generation::V2, version));
            read.map_err(|error| LoadError(format!("cannot load requirements.yaml: {error}")))?;
            if chart.metadata.api_version == "v1" {
                chart.files.push(file);
            }
        }
        "requirements.lock" => {
            chart.lock = Some(lock(&file.data, "requirements.lock")?);
            if chart.metadata.api_version == "v1" {
                chart.files.push(file);
            }
        }
        name if name.starts_with("templates/") => chart.templates.push(file),
        name if name.starts_with("charts/") && !name.ends_with(".prov") => {
            let name = name["charts/".len()..].to_owned();
            let first = name.split('/').next().unwrap_or_default().to_owned();
            inner.entry(first).or_default().push(File {
                name,
                data: file.data,
            });
        }
        _ => chart.files.push(file),
    }
    Ok(())
}

/// Go's name of the package that a chart's types are in.
fn package(generation: Generation, version: Version) -> &'static str {
    match (version, generation) {
        (Version::V3, _) => "chart",
        (Version::V4, Generation::V2) => "v2",
        (Version::V4, Generation::V3) => "v3",
    }
}

/// A chart below `charts/`.
struct Inside<'i> {
    name: &'i str,
    chart: &'i str,
    version: Version,
    generation: Generation,
    depth: usize,
}

impl Inside<'_> {
    fn load(&self, files: Vec<File>) -> Result<Option<Chart>, LoadError> {
        let name = self.name;
        if name.starts_with(['_', '.']) {
            return Ok(None);
        }
        let nested = |files| load_nested(files, self.version, self.generation, self.depth);
        if name.ends_with(".tgz") {
            if files[0].name != name {
                return fail(format!(
                    "error unpacking subchart tar in {}: expected {name}, got {}",
                    self.chart, files[0].name
                ));
            }
            return nested(archive_files(&files[0].data)?).map(Some);
        }
        let inside = files.into_iter().filter_map(|file| {
            let (_, rest) = file.name.split_once('/')?;
            Some(File {
                name: rest.to_owned(),
                data: file.data.clone(),
            })
        });
        nested(inside.collect()).map(Some)
    }
}

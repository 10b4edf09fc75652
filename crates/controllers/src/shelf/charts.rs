//! The charts that lie directly in a directory: archives as they are, directories packed.
//!
//! Dependencies that a chart's directory lacks are taken from where `file://` leads, or from beside it.

use std::collections::BTreeMap;

use bytes::Bytes;
use filetree::disk::DirectoryTree;
use filetree::{Entry, EntryKind, FileTree, TreeError};
use helm::Version;
use helm::chart::Chart;
use helm::dependencies::in_range;
use helm::load::load_path;
use helm::metadata::{Dependency, Metadata};
use helm::package::{archive_metadata, directory_metadata, missing_dependencies, save};

use super::{Packed, ShelfError};

/// Charts nested through dependencies that are filled in.
const DEPTH_MAX: usize = 16;

/// Reads and packs all charts of a directory, ordered by name and then as the directory lists them.
///
/// # Errors
/// The directory cannot be read, or a chart in it is broken.
pub(super) fn read(tree: &DirectoryTree, directory: &str) -> Result<Vec<Packed>, ShelfError> {
    let mut found = Vec::new();
    for path in paths(tree, directory)? {
        found.push(pack(tree, &path).map_err(|reason| ShelfError::Chart { path, reason })?);
    }
    found.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    check_unique(&found)?;
    Ok(found)
}

/// Where charts lie: directories with a `Chart.yaml`, and archives.
fn paths(tree: &DirectoryTree, directory: &str) -> Result<Vec<String>, TreeError> {
    let below = |entry: &Entry| filetree::join(directory, &entry.name).unwrap_or_default();
    let is_chart = |entry: &Entry| match entry.kind {
        EntryKind::File => entry.name.ends_with(".tgz"),
        EntryKind::Directory => is_chart_directory(tree, &below(entry)),
    };
    let entries = tree.list(directory)?;
    Ok(entries
        .iter()
        .filter(|entry| is_chart(entry))
        .map(below)
        .collect())
}

pub(super) fn is_chart_directory(tree: &DirectoryTree, path: &str) -> bool {
    tree.kind(&format!("{path}/Chart.yaml")) == Ok(EntryKind::File)
}

fn check_unique(charts: &[Packed]) -> Result<(), ShelfError> {
    let mut known = BTreeMap::new();
    for chart in charts {
        let (name, version) = (&chart.metadata.name, &chart.metadata.version);
        if let Some(first) = known.insert((name, version), &chart.path) {
            return Err(ShelfError::Twice {
                first: first.clone(),
                second: chart.path.clone(),
                name: name.clone(),
                version: version.clone(),
            });
        }
    }
    Ok(())
}

fn pack(tree: &DirectoryTree, path: &str) -> Result<Packed, String> {
    let (metadata, archive) = if tree.kind(path) == Ok(EntryKind::Directory) {
        let chart = load(tree, path, 0)?;
        let archive = save(&chart).map_err(|error| error.to_string())?;
        (chart.metadata, Bytes::from(archive))
    } else {
        let archive = tree.read(path).map_err(|error| error.to_string())?;
        let mut metadata = archive_metadata(&archive).map_err(|error| error.to_string())?;
        metadata.validate()?;
        (metadata, Bytes::copy_from_slice(&archive))
    };
    Ok(Packed {
        path: path.to_owned(),
        metadata,
        archive,
    })
}

/// Loads a chart with the dependencies that it lacks.
fn load(tree: &DirectoryTree, path: &str, depth: usize) -> Result<Chart, String> {
    if depth > DEPTH_MAX {
        return Err(format!(
            "dependencies are nested deeper than {DEPTH_MAX}, or a chart depends on itself"
        ));
    }
    let mut chart = load_path(tree, path, Version::V4).map_err(|error| error.to_string())?;
    if tree.kind(path) == Ok(EntryKind::File) {
        return Ok(chart);
    }
    for dependency in missing_dependencies(&chart) {
        let place = find(tree, path, &dependency)?;
        let mut found = load(tree, &place, depth + 1)
            .map_err(|error| format!("dependency {} ({place}): {error}", dependency.known_as()))?;
        if !dependency.alias.is_empty() {
            found.metadata.name.clone_from(&dependency.alias);
        }
        chart.dependencies.push(found);
    }
    Ok(chart)
}

/// Finds the best version of a dependency.
fn find(tree: &DirectoryTree, path: &str, dependency: &Dependency) -> Result<String, String> {
    let (name, range) = (dependency.known_as(), &dependency.version);
    if let Some(relative) = dependency.repository.strip_prefix("file://") {
        let place = filetree::join(path, relative)
            .ok_or_else(|| format!("dependency {name}: {relative} leads out of the mirror"))?;
        let metadata =
            metadata(tree, &place).map_err(|error| format!("dependency {name}: {error}"))?;
        if in_range(range, &metadata.version) {
            return Ok(place);
        }
        let version = &metadata.version;
        return Err(format!(
            "dependency {name}: {place} is version {version}, wanted is {range}"
        ));
    }
    let parent = filetree::parent(path);
    let beside = paths(tree, parent).map_err(|error| error.to_string())?;
    let known = beside
        .into_iter()
        .filter_map(|place| Some((metadata(tree, &place).ok()?, place)));
    known
        .filter(|(found, _)| found.name == dependency.name && in_range(range, &found.version))
        .max_by_key(|(found, _)| gocompat::semver::Version::parse(&found.version).ok())
        .map(|(_, place)| place)
        .ok_or_else(|| {
            let repository = &dependency.repository;
            format!("dependency {name} {range} ({repository}) is neither in charts/ nor beside the chart: run `helm dependency build`")
        })
}

fn metadata(tree: &DirectoryTree, path: &str) -> Result<Metadata, String> {
    let metadata = if tree.kind(path) == Ok(EntryKind::Directory) {
        directory_metadata(tree, path)
    } else {
        let archive = tree.read(path).map_err(|error| error.to_string())?;
        archive_metadata(&archive)
    };
    metadata.map_err(|error| error.to_string())
}

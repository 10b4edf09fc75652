//! Charts out of other sources' files: a directory is packed, with the dependencies that it lacks.

use std::sync::Arc;

use api::{Artifact, HelmChart, HelmChartSpec, HelmRepositorySpec};
use bytes::Bytes;
use filetree::{EntryKind, FileTree, MemoryTree};
use helm::Version;
use helm::chart::Chart;
use helm::dependencies::in_range;
use helm::load::{load_archive, load_path};
use helm::metadata::{Dependency, Metadata};
use helm::package::{
    archive_metadata, directory_metadata, merge_values, missing_dependencies, overwrite_values,
    read_values_file, save, with_build_metadata,
};
use reconcile::helmchart::{Build, BuildFailure, Failure, version_metadata};
use reconcile::source::Pass;

use super::{Built, HelmCharts};
use crate::artifact::confine;
use crate::helm_access::{self, Access};
use crate::helmrepository::by_url;
use crate::source::{Place, blocking};
use remote::helm::normalize_url;

type ValuesMap = serde_json::Map<String, serde_json::Value>;

fn fail(kind: BuildFailure) -> impl Fn(String) -> Failure {
    move |error| Failure::Build(kind, error)
}

/// Builds a chart from a source's artifact.
pub(super) async fn build(
    controller: &HelmCharts,
    place: &Place<'_>,
    pass: &Pass<HelmChartSpec>,
    chart: &HelmChart,
    source: &Artifact,
) -> Result<Built, Failure> {
    let spec = &chart.spec;
    let tree = unpack(controller, source).await?;
    let path = chart_path(spec)?;
    let metadata = metadata(&*tree, &path).map_err(fail(BuildFailure::Reference))?;
    let has_values = !spec.values_files().is_empty();
    let revision = spec.follows_revision().then_some(source.revision.as_str());
    let generation = chart.metadata.generation;
    let suffix = version_metadata(&spec.source_ref.kind, revision, has_values, generation);
    let version = with_build_metadata(&metadata.version, &suffix)
        .map_err(|error| Failure::Build(BuildFailure::Metadata, error.to_string()))?;
    let is_directory = tree.kind(&path) == Ok(EntryKind::Directory);
    let packaged = is_directory || !suffix.is_empty() || has_values;
    if pass.is_stored(&metadata.name, &version) {
        return Ok(Built {
            build: pass.stored_build(&metadata.name, &version, packaged),
            archive: None,
        });
    }
    let mut build = Build {
        name: metadata.name,
        version,
        packaged,
        complete: true,
        ..Build::default()
    };
    if !packaged {
        let archive = tree.read(&path);
        let archive = archive.map_err(|error| fail(BuildFailure::Pull)(error.to_string()))?;
        return Ok(Built {
            build,
            archive: Some(Bytes::copy_from_slice(&archive)),
        });
    }
    let merged = has_values
        .then(|| merge(spec, &*tree))
        .transpose()
        .map_err(fail(BuildFailure::Values))?;
    let mut loaded = load(&tree, &path).await?;
    loaded.metadata.version.clone_from(&build.version);
    if let Some((values, used)) = merged {
        let overwritten = overwrite_values(&mut loaded, &values);
        if overwritten.map_err(|error| fail(BuildFailure::Values)(error.to_string()))? {
            build.values_files = used;
        }
    }
    if is_directory {
        let resolving = resolve(controller, place, &tree, &path, &mut loaded);
        build.resolved_dependencies = place
            .run
            .waiting(resolving)
            .await
            .map_err(fail(BuildFailure::Dependency))?;
    }
    let packed = blocking(move || save(&loaded)).await;
    let packed = packed
        .map_err(fail(BuildFailure::Package))?
        .map_err(|error| {
            fail(BuildFailure::Package)(format!("failed to package chart: {error}"))
        })?;
    Ok(Built {
        build,
        archive: Some(packed.into()),
    })
}

async fn unpack(controller: &HelmCharts, source: &Artifact) -> Result<Arc<MemoryTree>, Failure> {
    use api::names::reason;
    use reconcile::source::Problem;
    let (store, artifact) = (controller.store.clone(), source.clone());
    let tree = blocking(move || store.tree(&artifact).map_err(|error| error.to_string())).await;
    tree.unwrap_or_else(Err).map_err(|error| {
        let message = format!("failed to open source artifact: {error}");
        Failure::Around(Problem::fetch(reason::READ_OPERATION_FAILED, message))
    })
}

fn chart_path(spec: &HelmChartSpec) -> Result<String, Failure> {
    if spec.chart.is_empty() {
        let message = "no path set for local chart reference".to_owned();
        return Err(Failure::Build(BuildFailure::Reference, message));
    }
    if spec.chart.starts_with('/') {
        let message = "local chart reference path is expected to be relative".to_owned();
        return Err(Failure::Build(BuildFailure::Reference, message));
    }
    Ok(confine(&spec.chart))
}

fn metadata(tree: &dyn FileTree, path: &str) -> Result<Metadata, String> {
    let mut metadata = match tree.kind(path) {
        Err(_) => return Err(format!("stat {path}: no such file or directory")),
        Ok(EntryKind::Directory) => directory_metadata(tree, path),
        Ok(EntryKind::File) => {
            let archive = tree.read(path).map_err(|error| error.to_string())?;
            archive_metadata(&archive)
        }
    }
    .map_err(|error| error.to_string())?;
    metadata.validate()?;
    Ok(metadata)
}

async fn load(tree: &Arc<MemoryTree>, path: &str) -> Result<Chart, Failure> {
    let (tree, path) = (tree.clone(), path.to_owned());
    let loaded = blocking(move || load_path(&*tree, &path, Version::V4)).await;
    loaded
        .map_err(fail(BuildFailure::Package))?
        .map_err(|error| fail(BuildFailure::Package)(error.to_string()))
}

/// Merges values files of the source; returns those that were there.
fn merge(spec: &HelmChartSpec, tree: &dyn FileTree) -> Result<(ValuesMap, Vec<String>), String> {
    let mut merged = ValuesMap::new();
    let mut used = Vec::new();
    for path in &spec.values_files {
        let confined = confine(path);
        let missing = tree.kind(&confined).is_err();
        if missing && spec.ignore_missing_values_files {
            continue;
        }
        if tree.kind(&confined) != Ok(EntryKind::File) {
            return Err(format!(
                "no values file found at path '/{confined}' (reference '{path}')"
            ));
        }
        let text = tree
            .read(&confined)
            .map_err(|error| format!("could not read values from file '{path}': {error}"))?;
        let values = read_values_file(&text)
            .map_err(|error| format!("unmarshaling values from '{path}' failed: {error}"))?;
        merge_values(&mut merged, values);
        used.push(path.clone());
    }
    Ok((merged, used))
}

/// Adds the dependencies that a chart lacks; returns their number.
async fn resolve(
    controller: &HelmCharts,
    place: &Place<'_>,
    tree: &Arc<MemoryTree>,
    path: &str,
    chart: &mut Chart,
) -> Result<usize, String> {
    let missing = missing_dependencies(chart);
    for dependency in &missing {
        let local =
            dependency.repository.is_empty() || dependency.repository.starts_with("file://");
        let (word, found) = if local {
            ("local", from_tree(tree, path, dependency).await)
        } else {
            (
                "remote",
                from_repository(controller, place, dependency).await,
            )
        };
        let known_as = dependency.known_as();
        let mut found = found
            .map_err(|error| format!("failed to add {word} dependency '{known_as}': {error}"))?;
        if !dependency.alias.is_empty() {
            found.metadata.name.clone_from(&dependency.alias);
        }
        chart.dependencies.push(found);
    }
    Ok(missing.len())
}

async fn from_tree(
    tree: &Arc<MemoryTree>,
    path: &str,
    dependency: &Dependency,
) -> Result<Chart, String> {
    let relative = match dependency.repository.strip_prefix("file://") {
        Some(relative) => relative.to_owned(),
        None => format!("charts/{}", dependency.name),
    };
    let place = confine(&format!("{path}/{relative}"));
    let reference = &dependency.repository;
    if tree.kind(&place).is_err() {
        return Err(format!(
            "no chart found at '/{place}' (reference '{reference}')"
        ));
    }
    let range = gocompat::semver::Range::parse(&dependency.version);
    range.map_err(|error| {
        let version = &dependency.version;
        format!("invalid version/constraint format '{version}': {error}")
    })?;
    let (tree, at) = (tree.clone(), place.clone());
    let chart = blocking(move || load_path(&*tree, &at, Version::V4)).await?;
    let chart = chart.map_err(|error| {
        format!("failed to load chart from '/{place}' (reference '{reference}'): {error}")
    })?;
    if !in_range(&dependency.version, &chart.metadata.version) {
        let version = &dependency.version;
        return Err(format!(
            "can't get a valid version for constraint '{version}'"
        ));
    }
    Ok(chart)
}

async fn from_repository(
    controller: &HelmCharts,
    place: &Place<'_>,
    dependency: &Dependency,
) -> Result<Chart, String> {
    let url = normalize_url(&dependency.repository).map_err(|error| error.to_string())?;
    check_dependency_url(&url)?;
    let namespace = &place.run.key.namespace;
    let known = by_url(&place.run.runtime, namespace, &url);
    let (spec, index, access) = match known {
        Some(known) => {
            let access = helm_access::resolve(place.run, &known.spec, &controller.clients).await;
            let access = access.map_err(|problem| {
                let cause = problem.message;
                format!("failed to get chart repository for URL '{url}': {cause}")
            })?;
            (known.spec, known.status.artifact, access)
        }
        None => {
            let spec = HelmRepositorySpec {
                url: url.clone(),
                ..HelmRepositorySpec::default()
            };
            (spec, None, Access::default())
        }
    };
    let repository = controller.repository(&spec, &access, index);
    let repository = repository.map_err(|error| error.to_string())?;
    let fetching = async {
        let (name, version) = (&dependency.name, &dependency.version);
        let found = repository.find(name, version).await.map_err(|(_, error)| {
            let from = &dependency.repository;
            format!("failed to get chart '{name}' version '{version}' from '{from}': {error}")
        })?;
        let archive = repository.download(&found).await;
        let version = found.version;
        let archive = archive
            .map_err(|error| format!("chart download of version '{version}' failed: {error}"))?;
        let chart = blocking(move || load_archive(&archive, Version::V4)).await?;
        chart.map_err(|error| {
            format!("failed to load downloaded archive of version '{version}': {error}")
        })
    };
    tokio::time::timeout(spec.timeout(), fetching)
        .await
        .unwrap_or_else(|_| Err("context deadline exceeded".to_owned()))
}

fn check_dependency_url(url: &str) -> Result<(), String> {
    if ["oci", "https://", "http://"]
        .iter()
        .any(|start| url.starts_with(start))
    {
        return Ok(());
    }
    if url.starts_with('@') {
        return Err(format!(
            "aliased repository dependency is not supported: {url}"
        ));
    }
    Err(format!("invalid dependency repository URL: {url}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("charts/app", "charts/app"),
            ("./charts/app/", "charts/app"),
            ("../../etc", "etc"),
            ("a/../../b", "b"),
        ] {
            assert_eq!(confine(path), expected);
        }
    }
}

//! Charts out of Helm repositories: taken over as they are, or packed again with other values.

use api::{HelmChart, HelmChartSpec, HelmRepository};
use bytes::Bytes;
use helm::Version;
use helm::load::load_archive;
use helm::package::{
    archive_metadata, default_values, merge_values, overwrite_values, read_values_file, save,
    with_build_metadata,
};
use reconcile::helmchart::{
    Build, BuildFailure, Failure, check_chart_name, remote_failure, verification_refused,
    version_metadata,
};
use reconcile::helmrepository::invalid_url;
use reconcile::source::{Pass, Problem};

use super::repository::ChartRepository;
use super::{Built, HelmCharts};
use crate::helm_access;
use crate::source::{Place, blocking};

type ValuesMap = serde_json::Map<String, serde_json::Value>;

/// Builds a chart from a Helm repository.
pub(super) async fn build(
    controller: &HelmCharts,
    place: &Place<'_>,
    pass: &Pass<HelmChartSpec>,
    chart: &HelmChart,
    repository: &HelmRepository,
) -> Result<Built, Failure> {
    let spec = &chart.spec;
    let access = helm_access::resolve(place.run, &repository.spec, &controller.clients).await;
    let access = access.map_err(Failure::Around)?;
    let index = repository.status.artifact.clone();
    let remote = controller.repository(&repository.spec, &access, index);
    let remote = remote.map_err(|error| unusable_url(&error))?;
    check_type(repository)?;
    check_chart_name(&spec.chart)
        .map_err(|error| Failure::Build(BuildFailure::Reference, error))?;
    let building = find_and_download(&remote, pass, chart, repository);
    let building = tokio::time::timeout(repository.spec.timeout(), building);
    let built = place.run.waiting(building).await;
    built.unwrap_or_else(|_| {
        let message = "context deadline exceeded".to_owned();
        Err(Failure::Build(BuildFailure::Pull, message))
    })
}

fn unusable_url(error: &url::ParseError) -> Failure {
    Failure::Around(invalid_url(format!("invalid Helm repository URL: {error}")))
}

fn check_type(repository: &HelmRepository) -> Result<(), Failure> {
    let spec = &repository.spec;
    if !spec.is_oci() || spec.url.starts_with("oci://") {
        return Ok(());
    }
    let message = format!(
        "failed to construct Helm client: invalid OCI registry URL: {}",
        spec.url
    );
    Err(Failure::Around(Problem {
        reason: api::names::reason::FAILED,
        ..invalid_url(message)
    }))
}

async fn find_and_download(
    remote: &ChartRepository<'_>,
    pass: &Pass<HelmChartSpec>,
    chart: &HelmChart,
    repository: &HelmRepository,
) -> Result<Built, Failure> {
    let spec = &chart.spec;
    let found = remote.find(&spec.chart, &spec.version).await;
    let found = found.map_err(|(kind, error)| {
        let message = format!("failed to get chart version for remote reference: {error}");
        remote_failure(kind, message)
    })?;
    if let Some(failure) = verification_refused(spec, repository.spec.is_oci()) {
        return Err(failure);
    }
    let has_values = !spec.values_files().is_empty();
    let generation = chart.metadata.generation;
    let metadata = version_metadata(&spec.source_ref.kind, None, has_values, generation);
    let version = with_build_metadata(&found.version, &metadata)
        .map_err(|error| Failure::Build(BuildFailure::Metadata, error.to_string()))?;
    if pass.is_stored(&found.name, &version) {
        return Ok(Built {
            build: pass.stored_build(&found.name, &version, has_values),
            archive: None,
        });
    }
    let archive = remote.download(&found).await.map_err(|error| {
        let message = format!("failed to download chart for remote reference: {error}");
        remote_failure(BuildFailure::Pull, message)
    })?;
    let build = Build {
        name: found.name,
        version,
        complete: true,
        ..Build::default()
    };
    let spec = spec.clone();
    let packing = blocking(move || finish(&spec, build, archive)).await;
    packing.unwrap_or_else(|error| Err(Failure::Build(BuildFailure::Package, error)))
}

/// Checks an archive, or packs it again with other values.
fn finish(spec: &HelmChartSpec, mut build: Build, archive: Bytes) -> Result<Built, Failure> {
    if spec.values_files().is_empty() {
        check_archive(&archive).map_err(|error| Failure::Build(BuildFailure::Pull, error))?;
        return Ok(Built {
            build,
            archive: Some(archive),
        });
    }
    let fail = |kind: BuildFailure| move |error: String| Failure::Build(kind, error);
    let mut chart = load_archive(&archive, Version::V4).map_err(|error| {
        let message = format!("failed to load downloaded chart: {error}");
        Failure::Build(BuildFailure::Package, message)
    })?;
    chart.metadata.version.clone_from(&build.version);
    let merged = merge(spec, &chart).map_err(|error| {
        let message = format!("failed to merge chart values: {error}");
        Failure::Build(BuildFailure::Values, message)
    })?;
    let overwritten = overwrite_values(&mut chart, &merged.0);
    if overwritten.map_err(|error| fail(BuildFailure::Values)(error.to_string()))? {
        build.values_files = merged.1;
    }
    let packed = save(&chart).map_err(|error| {
        let message = format!("failed to package chart: {error}");
        Failure::Build(BuildFailure::Package, message)
    })?;
    build.packaged = true;
    Ok(Built {
        build,
        archive: Some(packed.into()),
    })
}

fn check_archive(archive: &[u8]) -> Result<(), String> {
    let metadata = archive_metadata(archive);
    let mut metadata = metadata
        .map_err(|error| format!("failed to load chart metadata from written chart: {error}"))?;
    let valid = metadata.validate();
    valid.map_err(|error| format!("failed to validate metadata of written chart: {error}"))
}

/// Merges values files out of the chart; returns those that were there.
fn merge(
    spec: &HelmChartSpec,
    chart: &helm::chart::Chart,
) -> Result<(ValuesMap, Vec<String>), String> {
    let mut merged = ValuesMap::new();
    let mut used = Vec::new();
    for path in &spec.values_files {
        let clean = filetree::clean(path).unwrap_or_default();
        let values = if clean == "values.yaml" {
            default_values(chart)?
        } else {
            let file = chart.files.iter().find(|file| file.name == clean);
            match file {
                Some(file) => read_values_file(&file.data).map_err(|error| {
                    format!("unmarshaling values from '{path}' failed: {error}")
                })?,
                None if spec.ignore_missing_values_files => continue,
                None => return Err(format!("no values file found at path '{path}'")),
            }
        };
        merge_values(&mut merged, values);
        used.push(path.clone());
    }
    Ok((merged, used))
}

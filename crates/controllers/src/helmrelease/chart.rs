//! Finding the source of a release and loading its chart.

use std::collections::VecDeque;
use std::sync::Arc;

use api::{Artifact, HelmRelease, names};
use cluster::Cluster;
use controller_runtime::{Key, Run};
use helm::Version;
use helm::chart::Chart;
use helm::load::load_archive;
use objects::Object;
use parking_lot::Mutex;
use reconcile::helmrelease::{Failure, Revision, chart_revision};
use remote::Clients;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{HelmReleaseController, Settings};
use crate::applier::download::{Download, DownloadError};
use crate::source::source_gvk;

/// Charts kept loaded.
const CHARTS_MAX: usize = 64;
/// Largest archive taken, in bytes: the limit of a chart's files together.
const DOWNLOAD_MAX: u64 = helm::load::CHART_BYTES_MAX;

/// A source that a release names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceRef {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl SourceRef {
    /// Returns what a release names: its `chartRef`, or the HelmChart made from its template.
    pub(super) fn of(own: &HelmRelease) -> Self {
        match &own.spec.chart_ref {
            Some(reference) => Self {
                kind: reference.kind.clone(),
                namespace: match reference.namespace.as_str() {
                    "" => own.metadata.namespace.clone(),
                    namespace => namespace.to_owned(),
                },
                name: reference.name.clone(),
            },
            None => Self {
                kind: names::HELM_CHART.to_owned(),
                namespace: own.chart_namespace().to_owned(),
                name: own.chart_name(),
            },
        }
    }
}

/// Charts by the digest of their archive, the last used ones.
#[derive(Default)]
pub(super) struct ChartCache {
    charts: Mutex<VecDeque<(String, Arc<Chart>)>>,
}

impl ChartCache {
    fn get(&self, digest: &str) -> Option<Arc<Chart>> {
        let mut charts = self.charts.lock();
        let at = charts.iter().position(|(known, _)| known == digest)?;
        let entry = charts.remove(at)?;
        let chart = entry.1.clone();
        charts.push_back(entry);
        Some(chart)
    }

    fn insert(&self, digest: &str, chart: Arc<Chart>) {
        let mut charts = self.charts.lock();
        charts.retain(|(known, _)| known != digest);
        charts.push_back((digest.to_owned(), chart));
        while charts.len() > CHARTS_MAX {
            charts.pop_front();
        }
    }
}

/// Reads the source of a release.
pub(super) async fn source(
    controller: &HelmReleaseController,
    run: &Run,
    own: &HelmRelease,
) -> Result<Arc<Object>, Failure> {
    let wanted = SourceRef::of(own);
    check_access(controller, own, &wanted)?;
    let runtime = &run.runtime;
    let gvk = source_gvk(&wanted.kind);
    let store = runtime.store(&runtime.spec(gvk.clone(), ""));
    if let Some(object) = store.get(&Key::new(&wanted.namespace, &wanted.name)) {
        return Ok(object);
    }
    let unreadable = |error: cluster::Error| Failure::SourceUnreadable(error.to_string());
    let resource = runtime.cluster.resolve(&gvk).await.map_err(unreadable)?;
    let target = cluster::Target::new(&resource, &wanted.namespace, &wanted.name);
    let object = runtime.cluster.get(&target).await.map_err(unreadable)?;
    Ok(Arc::new(object))
}

/// Checks that a source may be used.
pub(super) fn check_access(
    controller: &HelmReleaseController,
    own: &HelmRelease,
    wanted: &SourceRef,
) -> Result<(), Failure> {
    let SourceRef {
        kind,
        namespace,
        name,
    } = wanted;
    let settings = &controller.settings;
    if settings.no_cross_namespace_refs && *namespace != own.metadata.namespace {
        return Err(Failure::AccessDenied(format!(
            "cross-namespace references are not allowed: cannot access {kind} {namespace}/{name}"
        )));
    }
    if kind == names::EXTERNAL_ARTIFACT && !settings.gates.external_artifact {
        return Err(Failure::AccessDenied(format!(
            "can't access 'ExternalArtifact/{namespace}/{name}', ExternalArtifact feature gate is disabled"
        )));
    }
    Ok(())
}

/// A loaded chart with the version that the release records.
pub(super) struct Loaded {
    pub(super) chart: Arc<Chart>,
    pub(super) revision: Revision,
}

/// Loads the chart of a source that is ready.
pub(super) async fn load(
    controller: &HelmReleaseController,
    run: &Run,
    kind: &str,
    source: &Object,
) -> Result<Loaded, Failure> {
    let artifact = source.get(&["status", "artifact"]);
    let artifact = artifact.ok_or(Failure::ArtifactGone)?;
    let artifact = Artifact::deserialize(artifact).map_err(|e| Failure::Chart(e.to_string()))?;
    let chart = match controller.charts.get(&artifact.digest) {
        Some(chart) => chart,
        None => read(controller, run, &artifact).await?,
    };
    let track = !controller.settings.gates.disable_chart_digest_tracking;
    let revision = revision_of(&chart, kind, &artifact, track).map_err(Failure::Mutate)?;
    Ok(Loaded { chart, revision })
}

/// Finds the version that a release of a chart records.
fn revision_of(
    chart: &Chart,
    kind: &str,
    artifact: &Artifact,
    track: bool,
) -> Result<Revision, String> {
    let has_digest = kind == names::OCI_REPOSITORY
        || (kind == names::EXTERNAL_ARTIFACT && artifact.revision.contains(':'));
    let version = &chart.metadata.version;
    let revision = chart_revision(version, &artifact.revision, has_digest, track);
    revision.map_err(|error| error.to_string())
}

/// Fetches the chart that a release is made of now: the artifact of its source, in the version that releases record.
///
/// # Errors
/// The source is not there or has no artifact, or its server cannot be reached; in words.
pub async fn present_chart(cluster: &dyn Cluster, own: &HelmRelease) -> Result<Chart, String> {
    let SourceRef {
        kind,
        namespace,
        name,
    } = SourceRef::of(own);
    let shown = format!("{kind} {namespace}/{name}");
    let failed = |error: cluster::Error| format!("{shown}: {error}");
    let resource = cluster.resolve(&source_gvk(&kind)).await.map_err(failed)?;
    let target = cluster::Target::new(&resource, &namespace, &name);
    let source = cluster.get(&target).await.map_err(failed)?;
    let artifact = source.get(&["status", "artifact"]);
    let artifact = artifact.ok_or_else(|| format!("{shown} has no artifact{}", why(&source)))?;
    let artifact = Artifact::deserialize(artifact).map_err(|error| format!("{shown}: {error}"))?;
    let words = format!("{shown}: {} cannot be fetched", artifact.url);
    let download = Download {
        url: &artifact.url,
        retries: 0,
        timeout: Settings::default().http_timeout,
        bytes_max: DOWNLOAD_MAX,
        failed: &words,
        refused: &words,
    };
    let bytes = download.at_once(&Clients::default()).await;
    let bytes = bytes.map_err(|error| match error {
        DownloadError::Gone => format!("{words}: it is not there any more"),
        DownloadError::Failed(text) => text,
    })?;
    let mut chart = unpack(&bytes, &artifact.digest)?;
    let revision = revision_of(&chart, &kind, &artifact, true)?;
    chart.metadata.version = revision.version;
    Ok(chart)
}

/// What a source says about itself, where it is not ready.
fn why(source: &Object) -> String {
    let conditions = source.get(&["status", "conditions"]);
    let ready = conditions
        .and_then(|list| list.as_array()?.iter().find(|c| c["type"] == names::READY))
        .and_then(|ready| ready["message"].as_str());
    ready.map_or(String::new(), |message| format!(": {message}"))
}

async fn read(
    controller: &HelmReleaseController,
    run: &Run,
    artifact: &Artifact,
) -> Result<Arc<Chart>, Failure> {
    let stored = controller.artifacts.read(&artifact.path);
    let bytes = match stored {
        Ok(Some(bytes)) => bytes.to_vec(),
        _ => download(controller, run, artifact).await?,
    };
    let digest = artifact.digest.clone();
    let task = tokio::task::spawn_blocking(move || unpack(&bytes, &digest));
    let chart = match task.await {
        Ok(loaded) => Arc::new(loaded.map_err(Failure::Chart)?),
        Err(error) => return Err(Failure::Chart(error.to_string())),
    };
    controller.charts.insert(&artifact.digest, chart.clone());
    Ok(chart)
}

/// Checks an archive against its digest and loads it.
fn unpack(bytes: &[u8], digest: &str) -> Result<Chart, String> {
    let computed = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    if computed != digest {
        return Err(format!(
            "integrity failure: computed digest doesn't match '{digest}'"
        ));
    }
    load_archive(bytes, Version::V4).map_err(|error| error.to_string())
}

async fn download(
    controller: &HelmReleaseController,
    run: &Run,
    artifact: &Artifact,
) -> Result<Vec<u8>, Failure> {
    let words = format!("failed to download chart from '{}'", artifact.url);
    let download = Download {
        url: &artifact.url,
        retries: controller.settings.http_retry,
        timeout: controller.settings.http_timeout,
        bytes_max: DOWNLOAD_MAX,
        failed: &words,
        refused: &words,
    };
    let fetched = download.run(run, &controller.clients).await;
    fetched.map_err(|error| match error {
        DownloadError::Gone => Failure::ArtifactGone,
        DownloadError::Failed(text) => Failure::Chart(text),
    })
}

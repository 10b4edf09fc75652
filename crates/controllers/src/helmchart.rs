//! The effects of the HelmChart controller: find the source, build the chart, store it, write status.
//!
//! A chart looks again when its source has another artifact or, where the source is a HelmRepository, another spec or
//! other Secrets.

mod local;
mod remote;
mod repository;

use std::sync::Arc;

use ::remote::Clients;
use api::names::{self, reason};
use api::{
    Artifact, HelmChart, HelmChartSpec, HelmChartStatus, HelmRepository, HelmRepositorySpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use cluster::Target;
use controller_runtime::{Change, Key, Run, Runtime, Store, Trigger};
use objects::Object;
use reconcile::helmchart::{Build, Failure, no_artifact, source_unavailable, unsupported_source};
use reconcile::source::{Decision, Pass, Problem, Verdict};
use serde::Deserialize;

use crate::artifact::{ArtifactStore, Name, StoreError};
use crate::helm_access::Access;
use crate::helm_index::IndexCache;
use crate::source::triggers::{self, BY_SECRET, generation, revision};
use crate::source::{Place, SourceSettings, Worker, blocking, owner, source_gvk, start_worker};

pub use repository::download_chart;
use repository::{ChartRepository, StoredIndex};

const NAME: &str = "helmchart";
/// Index over charts: `Kind/namespace/name` of the source.
const BY_SOURCE: &str = "source";
const SOURCES: [&str; 3] = [names::HELM_REPOSITORY, names::GIT_REPOSITORY, names::BUCKET];

/// Starts the controller.
pub(crate) fn run(
    runtime: &Arc<Runtime>,
    store: Arc<ArtifactStore>,
    clients: Arc<Clients>,
    settings: SourceSettings,
) {
    let charts = runtime.store(&runtime.spec(<HelmChartSpec as api::Kind>::gvk(), ""));
    charts.add_index(BY_SOURCE, |chart| vec![source_of(chart)]);
    triggers::index_secrets(&charts);
    let mut triggers: Vec<Trigger> = SOURCES
        .into_iter()
        .map(|kind| Trigger::new(runtime.spec(source_gvk(kind), ""), source_changed))
        .collect();
    let repositories = runtime.store(&runtime.spec(source_gvk(names::HELM_REPOSITORY), ""));
    triggers.push(triggers::secrets(
        runtime,
        &settings,
        move |secret, charts| {
            let used = repositories.by_index(BY_SECRET, secret);
            let label = |key: &Key| format!("{}/{key}", names::HELM_REPOSITORY);
            used.iter()
                .flat_map(|key| charts.by_index(BY_SOURCE, &label(key)))
                .collect()
        },
    ));
    let concurrency = settings.concurrency;
    let worker = HelmCharts {
        store,
        clients,
        settings,
        index: Arc::default(),
    };
    start_worker(runtime, NAME, concurrency, worker, triggers);
}

pub(crate) struct HelmCharts {
    store: Arc<ArtifactStore>,
    clients: Arc<Clients>,
    settings: SourceSettings,
    index: Arc<IndexCache>,
}

/// A chart, built or found in the store.
struct Built {
    build: Build,
    /// The archive; `None` where the stored one is right.
    archive: Option<Bytes>,
}

fn source_of(chart: &Object) -> String {
    let text = |field: &str| chart.str_at(&["spec", "sourceRef", field]);
    format!("{}/{}/{}", text("kind"), chart.namespace(), text("name"))
}

/// A new artifact concerns the charts that have not looked at its revision yet; another spec concerns all.
fn source_changed(change: &Change, charts: &Store) -> Vec<Key> {
    let Some(new) = &change.new else {
        return Vec::new();
    };
    let label = format!("{}/{}", new.kind(), Key::of(new));
    let users = charts.by_index(BY_SOURCE, &label);
    let old = change.old.as_ref();
    if generation(old) != generation(Some(new)) && new.kind() == names::HELM_REPOSITORY {
        return users;
    }
    let now = revision(Some(new));
    if now.is_empty() || now == revision(old) {
        return Vec::new();
    }
    let observed = |key: &Key| {
        let chart = charts.get(key);
        let field = ["status", "observedSourceArtifactRevision"];
        chart.is_some_and(|chart| chart.str_at(&field) == now)
    };
    users.into_iter().filter(|key| !observed(key)).collect()
}

#[async_trait]
impl Worker for HelmCharts {
    type Spec = HelmChartSpec;

    fn store(&self) -> &Arc<ArtifactStore> {
        &self.store
    }

    async fn work(
        &self,
        place: &mut Place<'_>,
        mut pass: Pass<HelmChartSpec>,
        object: &HelmChart,
    ) -> Decision<HelmChartStatus> {
        match self.build(place, &mut pass, object).await {
            Ok(build) => pass.success(&build),
            Err(failure) => pass.failed(failure),
        }
    }
}

impl HelmCharts {
    /// Describes a repository, with its index where that is in the store.
    fn repository(
        &self,
        spec: &HelmRepositorySpec,
        access: &Access,
        index: Option<Artifact>,
    ) -> Result<ChartRepository<'_>, url::ParseError> {
        let stored = index.map(|artifact| StoredIndex {
            store: self.store.clone(),
            cache: self.index.clone(),
            artifact,
        });
        ChartRepository::new(&self.clients, &self.settings, spec, access, stored)
    }

    async fn build(
        &self,
        place: &mut Place<'_>,
        pass: &mut Pass<HelmChartSpec>,
        object: &HelmChart,
    ) -> Result<Build, Failure> {
        pass.forget_failed_verification();
        let source = read_source(place.run, object)
            .await
            .map_err(Failure::Other)?;
        let artifact = artifact_of(&source);
        let artifact = artifact.filter(|artifact| self.store.exists(artifact));
        let in_registry = source.kind() == names::HELM_REPOSITORY
            && source.str_at(&["spec", "type"]) == api::HELM_REPOSITORY_TYPE_OCI;
        if artifact.is_none() && !in_registry {
            let wait = self.settings.requeue_dependency;
            return Err(Failure::Other(no_artifact(&object.spec, wait)));
        }
        if let Some(artifact) = &artifact {
            pass.source(&artifact.revision);
        }
        place.show_progress(pass).await;
        let built = match &artifact {
            Some(artifact) if source.kind() != names::HELM_REPOSITORY => {
                local::build(self, place, pass, object, artifact).await?
            }
            _ => {
                let repository = HelmRepository::from_object(&source)
                    .map_err(|error| Failure::Other(source_unavailable(error)))?;
                remote::build(self, place, pass, object, &repository).await?
            }
        };
        let build = built.build;
        match (pass.built(&build), built.archive) {
            (Verdict::Store, Some(archive)) => {
                let stored = self.keep(place.run, object, &build, archive).await;
                let (artifact, link) = stored.map_err(Failure::Other)?;
                pass.stored(&build, artifact, link);
            }
            _ => pass.kept(&build),
        }
        Ok(build)
    }

    async fn keep(
        &self,
        run: &Run,
        object: &HelmChart,
        build: &Build,
        archive: Bytes,
    ) -> Result<(Artifact, String), Problem> {
        let (store, object, build) = (self.store.clone(), object.clone(), build.clone());
        let now = run.runtime.clock.now();
        let work = move || {
            let name = Name {
                file: &format!("{}-{}.tgz", build.name, build.version),
                link: "latest.tar.gz",
                revision: &build.version,
            };
            store.put_bytes(owner(&object), name, archive, now)
        };
        let stored = blocking(work).await;
        let failed = |error: String| {
            let message = format!("unable to copy Helm chart to storage: {error}");
            Problem::storage(reason::ARCHIVE_OPERATION_FAILED, message)
        };
        stored.map_err(failed)?.map_err(|error| match error {
            StoreError::Directory(error) => {
                let message = format!("failed to create artifact directory: {error}");
                Problem::storage(reason::DIR_CREATION_FAILED, message)
            }
            error => failed(error.to_string()),
        })
    }
}

fn artifact_of(source: &Object) -> Option<Artifact> {
    let artifact = source.get(&["status", "artifact"])?;
    Artifact::deserialize(artifact).ok()
}

/// Reads a chart's source from its cache, or from the server where the cache does not have it (yet).
async fn read_source(run: &Run, chart: &HelmChart) -> Result<Arc<Object>, Problem> {
    let reference = &chart.spec.source_ref;
    if !SOURCES.contains(&reference.kind.as_str()) {
        return Err(unsupported_source(&reference.kind));
    }
    let runtime = &run.runtime;
    let gvk = source_gvk(&reference.kind);
    let store = runtime.store(&runtime.spec(gvk.clone(), ""));
    if let Some(found) = store.get(&Key::new(&run.key.namespace, &reference.name)) {
        return Ok(found);
    }
    let resource = runtime.cluster.resolve(&gvk).await;
    let resource = resource.map_err(source_unavailable)?;
    let target = Target::new(&resource, &run.key.namespace, &reference.name);
    let found = runtime.cluster.get(&target).await;
    found.map(Arc::new).map_err(source_unavailable)
}

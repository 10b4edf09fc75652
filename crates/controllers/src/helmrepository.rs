//! The effects of the HelmRepository controller: fetch the index, store it, write status.

use std::io::{BufWriter, Write as _};
use std::sync::Arc;

use api::names;
use api::{HelmRepository, HelmRepositorySpec, HelmRepositoryStatus};
use async_trait::async_trait;
use controller_runtime::Runtime;
use reconcile::helmrepository::{check, fetch_failed, index_failed, invalid_url};
use reconcile::source::{Decision, Pass, Problem};
use remote::Clients;
use remote::helm::normalize_url;

use crate::artifact::{ArtifactStore, Name};
use crate::helm_access;
use crate::helm_index::{convert, fetch_index};
use crate::source::{
    Place, SourceSettings, Worker, blocking, owner, start_worker, store_problem, triggers,
};

const NAME: &str = "helmrepository";

/// Starts the controller.
pub(crate) fn run(
    runtime: &Arc<Runtime>,
    store: Arc<ArtifactStore>,
    clients: Arc<Clients>,
    settings: SourceSettings,
) {
    let concurrency = settings.concurrency;
    let triggers = vec![triggers::own_secrets::<HelmRepositorySpec>(
        runtime, &settings,
    )];
    let worker = HelmRepositories {
        store,
        clients,
        settings,
    };
    start_worker(runtime, NAME, concurrency, worker, triggers);
}

struct HelmRepositories {
    store: Arc<ArtifactStore>,
    clients: Arc<Clients>,
    settings: SourceSettings,
}

#[async_trait]
impl Worker for HelmRepositories {
    type Spec = HelmRepositorySpec;

    fn store(&self) -> &Arc<ArtifactStore> {
        &self.store
    }

    fn is_static(&self, spec: &HelmRepositorySpec) -> bool {
        spec.is_oci()
    }

    async fn work(
        &self,
        place: &mut Place<'_>,
        mut pass: Pass<HelmRepositorySpec>,
        object: &HelmRepository,
    ) -> Decision<HelmRepositoryStatus> {
        match self.fetch(place, &mut pass, object).await {
            Ok(()) => pass.success(),
            Err(problem) => pass.fail(problem),
        }
    }
}

impl HelmRepositories {
    async fn fetch(
        &self,
        place: &mut Place<'_>,
        pass: &mut Pass<HelmRepositorySpec>,
        object: &HelmRepository,
    ) -> Result<(), Problem> {
        let spec = &object.spec;
        check(spec)?;
        normalize_url(&spec.url)
            .map_err(|error| invalid_url(format!("invalid Helm repository URL: {error}")))?;
        let access = helm_access::resolve(place.run, spec, &self.clients).await?;
        place.show_progress(pass).await;
        let options = access.over_http(spec);
        let fetching = fetch_index(&self.clients, &options, self.settings.index_bytes_max);
        let fetching = tokio::time::timeout(spec.timeout(), fetching);
        let fetched = place.run.waiting(fetching).await;
        let fetched = fetched
            .unwrap_or_else(|_| Err("context deadline exceeded".to_owned()))
            .map_err(fetch_failed)?;
        let same = pass.artifact().map(|a| &a.revision) == Some(&fetched.revision);
        if same {
            pass.unchanged();
            return Ok(());
        }
        let revision = fetched.revision.clone();
        let (store, now) = (self.store.clone(), place.run.runtime.clock.now());
        let (stored_for, mut file) = (object.clone(), fetched.file);
        let work = move || {
            let owner = owner(&stored_for);
            let mut pending = store
                .begin(owner)
                .map_err(|error| store_problem("save", &error))?;
            let mut buffered = BufWriter::with_capacity(1 << 16, &mut pending);
            let converted = convert(&mut file, &mut buffered);
            let flushed = buffered.flush();
            drop(buffered);
            if let Some(fault) = pending.fault() {
                return Err(store_problem("save", &fault));
            }
            converted.map_err(index_failed)?;
            flushed.map_err(|error| store_problem("save", &error.into()))?;
            let hex = revision.trim_start_matches("sha256:");
            let name = Name {
                file: &format!("index-{hex}.yaml"),
                link: "index.yaml",
                revision: &revision,
            };
            let stored = store.commit(pending, owner, name, now);
            stored.map_err(|error| store_problem("save", &error))
        };
        let (artifact, link) = blocking(work).await.map_err(index_failed)??;
        pass.new_index(&fetched.revision);
        pass.stored(artifact, link);
        Ok(())
    }
}

/// Finds the repository of a namespace with a URL, whose credentials serve the dependencies of charts.
pub(crate) fn by_url(runtime: &Runtime, namespace: &str, url: &str) -> Option<HelmRepository> {
    let kind = <HelmRepositorySpec as api::Kind>::gvk();
    let store = runtime.store(&runtime.spec(kind, ""));
    store
        .list()
        .iter()
        .filter(|object| object.namespace() == namespace && object.kind() == names::HELM_REPOSITORY)
        .filter_map(|object| HelmRepository::from_object(object).ok())
        .find(|repository| normalize_url(&repository.spec.url).is_ok_and(|own| own == url))
}

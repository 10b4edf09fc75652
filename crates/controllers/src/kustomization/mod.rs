//! The Kustomization controller: artifact → build → applied objects → health, and back again when anything drifts.
//!
//! `reconcile::kustomization` decides what is reported and when to look again; this module gathers the facts and
//! performs the effects. Everything is driven by watches: artifacts, dependencies, ConfigMaps and Secrets with
//! variables, the applied objects themselves, and CRDs that were missing.

mod apply_step;
pub mod build;
mod cache;
mod finalize;
pub mod generate;
mod pass;
pub mod remote_bases;
mod settings;
mod source;
mod triggers;
mod variables;

use std::collections::HashMap;
use std::sync::Arc;

use api::{Kind, KustomizationSpec, names};
use apply::{Controls, Observations, ResourceManager};
use async_trait::async_trait;
use cluster::Cluster;
use controller_runtime::{Controller, Failed, Key, Outcome, Reconciler, Run, Runtime};
use objects::Gvk;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::applier::acting::{account, acting_as};
use crate::applier::drift::{DriftWatch, OwnerLabels};
use crate::artifact::ArtifactStore;
use crate::place::Writer;
use cache::BuildCache;
use remote_bases::RemoteBases;
pub use settings::{Gates, Settings};

/// How this controller writes.
const WRITER: Writer = Writer {
    controller: names::KUSTOMIZE_CONTROLLER,
    manager: names::KUSTOMIZE_STATUS_MANAGER,
    owned: &[
        names::HEALTHY,
        names::READY,
        names::RECONCILING,
        names::STALLED,
    ],
};

/// The controller's memory; all of it can be lost at any time.
struct KustomizationController {
    settings: Settings,
    artifacts: Arc<ArtifactStore>,
    clients: Arc<remote::Clients>,
    /// Fetches remote bases; never from local paths, which are not the tenant's.
    git: Arc<git::Client>,
    builds: Arc<BuildCache>,
    observations: Arc<Observations>,
    drift: Arc<DriftWatch>,
    /// Kinds that the cluster did not serve, by object that wants them.
    missing_kinds: Arc<Mutex<HashMap<Key, Vec<Gvk>>>>,
}

/// Builds the controller; run it on the runtime given.
pub fn controller(
    runtime: &Arc<Runtime>,
    artifacts: Arc<ArtifactStore>,
    settings: Settings,
) -> Controller {
    let observations = Arc::new(Observations::default());
    let drift = Arc::new(DriftWatch::new(
        runtime.clone(),
        observations.clone(),
        OwnerLabels::KUSTOMIZATION,
    ));
    let missing_kinds = Arc::default();
    let kind = KustomizationSpec::gvk();
    let store = runtime.store(&runtime.spec(kind.clone(), &settings.label_selector));
    triggers::add_indexes(&store);
    Controller {
        name: "kustomization",
        kind,
        label_selector: settings.label_selector.clone(),
        concurrency: settings.concurrency,
        triggers: triggers::triggers(runtime, &settings, &missing_kinds),
        reconciler: Arc::new(KustomizationController {
            artifacts,
            clients: Arc::default(),
            git: Arc::new(git::Client::new(git::LocalAccess::Denied)),
            builds: Arc::default(),
            observations,
            drift,
            missing_kinds,
            settings,
        }),
    }
}

#[async_trait]
impl Reconciler for KustomizationController {
    async fn reconcile(&self, run: &Run) -> Result<Outcome, Failed> {
        self.drift.serve(run);
        pass::reconcile(self, run).await
    }

    fn forgotten(&self, key: &Key) {
        self.missing_kinds.lock().remove(key);
        self.builds.forget(key);
        self.drift.forget(key);
    }
}

impl KustomizationController {
    /// Returns what fetches the remote bases of one build, unless they are forbidden.
    fn remote_bases(&self) -> Option<RemoteBases> {
        let forbidden = self.settings.no_remote_bases;
        (!forbidden)
            .then(|| RemoteBases::new(self.git.clone(), self.clients.clone(), Handle::current()))
    }

    /// Returns the cluster as the identity that applies objects of a Kustomization.
    fn acting_cluster(&self, runtime: &Runtime, namespace: &str, own: &str) -> Arc<dyn Cluster> {
        acting_as(&runtime.cluster, namespace, self.service_account(own))
    }

    /// Returns the account to act as, or "".
    fn service_account<'a>(&'a self, own: &'a str) -> &'a str {
        account(own, &self.settings.default_service_account)
    }

    fn manager(&self, cluster: Arc<dyn Cluster>) -> ResourceManager {
        ResourceManager::new(
            cluster,
            names::KUSTOMIZE_CONTROLLER,
            Controls::of_group(names::KUSTOMIZE_GROUP),
        )
        .with_observations(self.observations.clone(), self.drift.clone())
    }
}

//! The HelmRelease controller: chart and values → release in storage and cluster → tests, and back again when anything
//! drifts.
//!
//! `reconcile::helmrelease` decides what is done and reported; this module gathers the facts and performs the actions.
//! Everything is driven by watches: charts, dependencies, ConfigMaps and Secrets with values, and the objects applied.

mod actions;
mod chart;
mod crds;
mod detect;
mod finalize;
mod hooks;
mod inventory;
mod items;
mod kube;
mod logs;
mod newer;
mod observation;
mod pass;
mod perform;
mod post_render;
mod prerequisites;
mod preview;
mod recovery;
mod render;
mod session;
mod settings;
mod storage;
mod template;
mod triggers;
pub mod values;

use std::sync::Arc;

use api::{HelmReleaseSpec, Kind, names};
use apply::Observations;
use async_trait::async_trait;
use cluster::Cluster;
use controller_runtime::{Controller, Failed, Key, Outcome, Reconciler, Run, Runtime};

use crate::applier::acting::{account, acting_as};
use crate::applier::drift::{DriftWatch, OwnerLabels};
use crate::artifact::ArtifactStore;
use crate::place::Writer;
use chart::ChartCache;
pub use chart::present_chart;
pub use preview::{Preview, preview};
use render::CapabilitiesCache;
pub use render::render_offline;
pub use settings::{Gates, Settings};

/// How this controller writes.
const WRITER: Writer = Writer {
    controller: names::HELM_CONTROLLER,
    manager: names::HELM_CONTROLLER,
    owned: &[
        names::RELEASED,
        names::REMEDIATED,
        names::TEST_SUCCESS,
        names::DRIFTED,
        names::RECONCILING,
        names::READY,
        names::STALLED,
    ],
};

/// The controller's memory; all of it can be lost at any time.
struct HelmReleaseController {
    settings: Settings,
    artifacts: Arc<ArtifactStore>,
    clients: remote::Clients,
    charts: ChartCache,
    capabilities: CapabilitiesCache,
    observations: Arc<Observations>,
    drift: Arc<DriftWatch>,
}

/// Builds the controller; run it on the runtime given.
pub fn controller(
    runtime: &Arc<Runtime>,
    artifacts: Arc<ArtifactStore>,
    settings: Settings,
) -> Controller {
    let observations = Arc::new(Observations::default());
    let drift = DriftWatch::new(
        runtime.clone(),
        observations.clone(),
        OwnerLabels::HELM_RELEASE,
    );
    let kind = HelmReleaseSpec::gvk();
    let store = runtime.store(&runtime.spec(kind.clone(), &settings.label_selector));
    triggers::add_indexes(&store);
    Controller {
        name: "helmrelease",
        kind,
        label_selector: settings.label_selector.clone(),
        concurrency: settings.concurrency,
        triggers: triggers::triggers(runtime, &settings),
        reconciler: Arc::new(HelmReleaseController {
            artifacts,
            clients: remote::Clients::default(),
            charts: ChartCache::default(),
            capabilities: CapabilitiesCache::default(),
            observations,
            drift: Arc::new(drift),
            settings,
        }),
    }
}

#[async_trait]
impl Reconciler for HelmReleaseController {
    async fn reconcile(&self, run: &Run) -> Result<Outcome, Failed> {
        self.drift.serve(run);
        pass::reconcile(self, run).await
    }

    fn forgotten(&self, key: &Key) {
        self.drift.forget(key);
    }
}

impl HelmReleaseController {
    /// Returns the cluster as the identity that a release acts as.
    fn acting_cluster(&self, runtime: &Runtime, namespace: &str, own: &str) -> Arc<dyn Cluster> {
        acting_as(&runtime.cluster, namespace, self.service_account(own))
    }

    /// Returns the account to act as, or "".
    fn service_account<'a>(&'a self, own: &'a str) -> &'a str {
        account(own, &self.settings.default_service_account)
    }

    fn decision_settings(&self) -> reconcile::helmrelease::Settings {
        reconcile::helmrelease::Settings {
            default_to_retry: self.settings.gates.default_to_retry_on_failure,
            requeue_dependency: self.settings.requeue_dependency,
        }
    }
}

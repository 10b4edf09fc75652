//! Flags and feature gates of the helm controller, with upstream's defaults.

use std::time::Duration;

/// Settings of the controller; the defaults are those of upstream's flags.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most HelmReleases worked on at once (`--concurrent`).
    pub concurrency: usize,
    /// Wait for sources and dependencies (`--requeue-dependency`).
    pub requeue_dependency: Duration,
    /// Retries of an artifact download (`--http-retry`).
    pub http_retry: u32,
    /// Longest time for one try of a download (`--http-timeout`).
    pub http_timeout: Duration,
    /// Blocks sources in other namespaces (`--no-cross-namespace-refs`).
    pub no_cross_namespace_refs: bool,
    /// Account to act as where the object names none (`--default-service-account`).
    pub default_service_account: String,
    /// Label selector over HelmReleases (`--watch-label-selector`).
    pub label_selector: String,
    /// Label selector over ConfigMaps and Secrets that are watched (`--watch-configs-label-selector`); empty
    /// watches all.
    pub configs_label_selector: String,
    /// Feature gates.
    pub gates: Gates,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 4,
            requeue_dependency: Duration::from_secs(30),
            http_retry: 9,
            http_timeout: Duration::from_secs(30),
            no_cross_namespace_refs: false,
            default_service_account: String::new(),
            label_selector: String::new(),
            configs_label_selector: "reconcile.fluxcd.io/watch=Enabled".to_owned(),
            gates: Gates::default(),
        }
    }
}

/// Feature gates, with upstream's names; all off by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gates {
    /// `DisableChartDigestTracking`
    pub disable_chart_digest_tracking: bool,
    /// `AdditiveCELDependencyCheck`
    pub additive_cel_dependency_check: bool,
    /// `ExternalArtifact`
    pub external_artifact: bool,
    /// `DisableConfigWatchers`
    pub disable_config_watchers: bool,
    /// `CancelHealthCheckOnNewRevision`
    pub cancel_health_check: bool,
    /// `UseHelm3Defaults`
    pub use_helm3_defaults: bool,
    /// `DefaultToRetryOnFailure`
    pub default_to_retry_on_failure: bool,
}

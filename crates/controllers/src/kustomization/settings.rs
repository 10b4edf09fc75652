//! Flags and feature gates of the kustomize controller, with upstream's defaults.

use std::time::Duration;

use objects::GroupKind;

/// Settings of the controller; the defaults are those of upstream's flags.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most Kustomizations worked on at once (`--concurrent`).
    pub concurrency: usize,
    /// Most objects of one Kustomization worked on at once (`--concurrent-ssa`).
    pub concurrent_ssa: usize,
    /// Wait for sources and dependencies (`--requeue-dependency`).
    pub requeue_dependency: Duration,
    /// Retries of an artifact download (`--http-retry`).
    pub http_retry: u32,
    /// Blocks sources in other namespaces (`--no-cross-namespace-refs`).
    pub no_cross_namespace_refs: bool,
    /// Forbids bases that are not part of the artifact (`--no-remote-bases`).
    pub no_remote_bases: bool,
    /// Account to act as where the object names none (`--default-service-account`).
    pub default_service_account: String,
    /// Managers whose fields are taken over (`--override-manager`).
    pub override_managers: Vec<String>,
    /// Kinds with a stage of their own (`--custom-apply-stage-kinds`).
    pub custom_stage_kinds: Vec<GroupKind>,
    /// Label selector over Kustomizations (`--watch-label-selector`).
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
            concurrent_ssa: 4,
            requeue_dependency: Duration::from_secs(30),
            http_retry: 9,
            no_cross_namespace_refs: false,
            no_remote_bases: false,
            default_service_account: String::new(),
            override_managers: Vec::new(),
            custom_stage_kinds: Vec::new(),
            label_selector: String::new(),
            configs_label_selector: "reconcile.fluxcd.io/watch=Enabled".to_owned(),
            gates: Gates::default(),
        }
    }
}

/// Feature gates, with upstream's names and defaults.
#[derive(Clone, Debug)]
pub struct Gates {
    /// `StrictPostBuildSubstitutions`
    pub strict_post_build_substitutions: bool,
    /// `DisableFailFastBehavior`
    pub disable_fail_fast: bool,
    /// `AdditiveCELDependencyCheck`
    pub additive_cel_dependency_check: bool,
    /// `ExternalArtifact`
    pub external_artifact: bool,
    /// `CancelHealthCheckOnNewRevision`
    pub cancel_health_check: bool,
    /// `DisableConfigWatchers`
    pub disable_config_watchers: bool,
    /// `ObjectLevelWorkloadIdentity`
    pub object_level_workload_identity: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            strict_post_build_substitutions: true,
            disable_fail_fast: false,
            additive_cel_dependency_check: false,
            external_artifact: false,
            cancel_health_check: false,
            disable_config_watchers: false,
            object_level_workload_identity: false,
        }
    }
}

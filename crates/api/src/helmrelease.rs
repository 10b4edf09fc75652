//! `helm.toolkit.fluxcd.io/v2`: HelmRelease.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration as StdDuration;

use jiff::Timestamp;
use objects::Value;
use serde::{Deserialize, Serialize};

use crate::kustomization::{
    CommonMetadata, CustomHealthCheck, DependencyReference, IgnoreRule, Image, Inventory,
    KubeConfig, Patch,
};
use crate::meta::{Duration, Kind, LocalObjectReference, Resource};
use crate::{Condition, names};

/// A chart installed with values.
pub type HelmRelease = Resource<HelmReleaseSpec, HelmReleaseStatus>;

/// Time for one wait where nothing else is said.
const TIMEOUT: StdDuration = StdDuration::from_secs(300);
/// Time to the next try of `RetryOnFailure` where nothing else is said.
const RETRY_INTERVAL: StdDuration = StdDuration::from_secs(300);
/// Revisions kept where nothing else is said.
const MAX_HISTORY: i64 = 5;

/// Which chart to install with which values, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmReleaseSpec {
    /// Template of the HelmChart to make; exactly one of this and `chart_ref` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<HelmChartTemplate>,
    /// A source that has the chart already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart_ref: Option<CrossNamespaceReference>,
    /// Time between two reconciles after success.
    pub interval: Duration,
    /// Another cluster to install into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfig>,
    /// Switches reconciliation off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Name of the release; composed of target namespace and name where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub release_name: String,
    /// Namespace of the release; the own one where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_namespace: String,
    /// Namespace of the release records; the own one where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage_namespace: String,
    /// Releases that must be ready first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyReference>,
    /// Time for one wait; 5 minutes where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Revisions kept; 0 keeps all, 5 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_history: Option<i64>,
    /// Service account to act as.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// Whether the client lives for the whole reconcile; true where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_client: Option<bool>,
    /// What happens to drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_detection: Option<DriftDetection>,
    /// How to install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// How to upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// How to test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// How to roll back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// How to uninstall.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uninstall: Option<Uninstall>,
    /// Objects with values, merged in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values_from: Vec<ValuesReference>,
    /// Inline values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Value>,
    /// Labels and annotations for every object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Changes to rendered manifests, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_renderers: Option<Vec<PostRenderer>>,
    /// Which manifests are post-rendered: `combined`, `separate`, `nohooks`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub post_render_strategy: String,
    /// How to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_strategy: Option<WaitStrategy>,
    /// Health of custom kinds, in CEL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_check_exprs: Vec<CustomHealthCheck>,
}

impl Kind for HelmReleaseSpec {
    const GROUP: &'static str = names::HELM_GROUP;
    const VERSION: &'static str = "v2";
    const KIND: &'static str = names::HELM_RELEASE;
    const PLURAL: &'static str = "helmreleases";
}

/// A source with a chart, possibly in another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CrossNamespaceReference {
    /// Group and version; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; the own one where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// Template of a HelmChart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmChartTemplate {
    /// Labels and annotations of the HelmChart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<CommonMetadata>,
    /// Spec of the HelmChart.
    pub spec: HelmChartTemplateSpec,
}

/// Spec of the HelmChart to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmChartTemplateSpec {
    /// Name of the chart, or path in a Git or bucket source.
    pub chart: String,
    /// Semver range; `*` where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Source of the chart.
    pub source_ref: CrossNamespaceReference,
    /// Interval of the HelmChart; that of the release where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// `ChartVersion` or `Revision`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reconcile_strategy: String,
    /// Values files in the chart, merged in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values_files: Vec<String>,
    /// Tolerates missing values files.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_missing_values_files: bool,
    /// Signature verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<HelmChartVerification>,
}

/// Which signatures a chart must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmChartVerification {
    /// `cosign` or `notation`.
    pub provider: String,
    /// Secret with public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
}

/// What happens to drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftDetection {
    /// `enabled`, `warn` or `disabled`; disabled where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// Fields that may drift.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
}

/// What is done about failures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    /// `RemediateOnFailure` or `RetryOnFailure`.
    pub name: String,
    /// Time to the next try of `RetryOnFailure`; 5 minutes where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
}

/// How failures are remediated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Remediation {
    /// Tries after the first; negative means without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// Whether failed tests do not count; as `test.ignoreFailures` says where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is remediated too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
    /// `rollback` or `uninstall`; upgrades only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
}

/// How to install.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Install {
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What is done about failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// How failures are remediated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<Remediation>,
    /// Refuses objects of others instead of adopting them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_take_ownership: bool,
    /// Does not wait for objects.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait: bool,
    /// Does not wait for Jobs to complete.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_hooks: bool,
    /// Does not refuse unknown fields.
    #[serde(
        rename = "disableOpenAPIValidation",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub disable_openapi_validation: bool,
    /// Does not check values against schemas.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_schema_validation: bool,
    /// Reuses the name of an uninstalled or failed release.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
    /// Deprecated; does nothing.
    #[serde(rename = "skipCRDs", skip_serializing_if = "std::ops::Not::not")]
    pub skip_crds: bool,
    /// `Skip`, `Create` or `CreateReplace`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub crds: String,
    /// Creates the target namespace.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create_namespace: bool,
    /// Applies on the server's side; true where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<bool>,
}

/// How to upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Upgrade {
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What is done about failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// How failures are remediated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<Remediation>,
    /// Refuses objects of others instead of adopting them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_take_ownership: bool,
    /// Does not wait for objects.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait: bool,
    /// Does not wait for Jobs to complete.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_hooks: bool,
    /// Does not refuse unknown fields.
    #[serde(
        rename = "disableOpenAPIValidation",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub disable_openapi_validation: bool,
    /// Does not check values against schemas.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_schema_validation: bool,
    /// Replaces objects instead of patching them, where not applied on the server's side.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Keeps the last release's values below the new ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preserve_values: bool,
    /// Deletes what a failed upgrade created.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cleanup_on_fail: bool,
    /// `Skip`, `Create` or `CreateReplace`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub crds: String,
    /// `enabled`, `disabled` or `auto`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server_side_apply: String,
    /// `Reinstall` or `InPlaceUpdate`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chart_name_change_strategy: String,
}

/// How to test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Test {
    /// Tests after installs and upgrades.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enable: bool,
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether failed tests do not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_failures: bool,
    /// Which tests run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<TestFilter>>,
}

/// One test chosen or left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TestFilter {
    /// Name of the test.
    pub name: String,
    /// Leaves it out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exclude: bool,
}

/// How to roll back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollback {
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Does not wait for objects.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait: bool,
    /// Does not wait for Jobs to complete.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait_for_jobs: bool,
    /// Runs no hooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_hooks: bool,
    /// Deprecated; does nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recreate: bool,
    /// Replaces objects instead of patching them, where not applied on the server's side.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Deletes what a failed rollback created.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cleanup_on_fail: bool,
    /// `enabled`, `disabled` or `auto`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server_side_apply: String,
}

/// How to uninstall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Uninstall {
    /// Time for one wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Runs no hooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_hooks: bool,
    /// Keeps the release records.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_history: bool,
    /// Does not wait until objects are gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_wait: bool,
    /// `background`, `foreground` or `orphan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_propagation: Option<String>,
}

/// An object with values, in the own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValuesReference {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Key; `values.yaml` where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub values_key: String,
    /// Where the single value goes; the key holds whole values where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_path: String,
    /// Tolerates absence.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Takes the single value as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub literal: bool,
}

impl ValuesReference {
    /// Returns the key, with its default.
    pub fn values_key(&self) -> &str {
        if self.values_key.is_empty() {
            "values.yaml"
        } else {
            &self.values_key
        }
    }
}

/// One change to rendered manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostRenderer {
    /// By Kustomize.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kustomize: Option<KustomizeRenderer>,
}

/// Patches and image replacements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KustomizeRenderer {
    /// Patches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Image replacements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
}

/// How to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WaitStrategy {
    /// `poller` or `legacy`.
    pub name: String,
}

/// What happens to drift, decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriftMode {
    /// Nobody looks.
    #[default]
    Disabled,
    /// It is reported.
    Warn,
    /// It is reported and corrected.
    Enabled,
}

/// How failures of installs or upgrades are remediated, defaults resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedRemediation {
    /// Tries after the first; negative means without end.
    pub retries: i64,
    /// Whether failed tests do not count.
    pub ignore_test_failures: bool,
    /// Whether the last failure is remediated too.
    pub remediate_last_failure: bool,
    /// Whether remediation uninstalls instead of rolling back.
    pub uninstalls: bool,
}

impl ResolvedRemediation {
    /// Tells whether so many failures use up all tries.
    pub fn is_exhausted(&self, failures: i64) -> bool {
        self.retries >= 0 && failures > self.retries
    }
}

fn timeout_or(own: Option<Duration>, common: StdDuration) -> StdDuration {
    own.map_or(common, |timeout| timeout.0)
}

fn retry_interval(strategy: Option<&Strategy>, by_default: bool) -> Option<StdDuration> {
    let retries = match strategy {
        Some(strategy) => strategy.name == "RetryOnFailure",
        None => by_default,
    };
    let own = strategy.and_then(|strategy| strategy.retry_interval);
    retries.then(|| own.map_or(RETRY_INTERVAL, |interval| interval.0))
}

impl HelmReleaseSpec {
    /// Returns the time for one wait.
    pub fn timeout(&self) -> StdDuration {
        timeout_or(self.timeout, TIMEOUT)
    }

    /// Returns how to install; defaults where nothing is said.
    pub fn install(&self) -> Install {
        self.install.clone().unwrap_or_default()
    }

    /// Returns how to upgrade; defaults where nothing is said.
    pub fn upgrade(&self) -> Upgrade {
        self.upgrade.clone().unwrap_or_default()
    }

    /// Returns how to test; defaults where nothing is said.
    pub fn test(&self) -> Test {
        self.test.clone().unwrap_or_default()
    }

    /// Returns how to roll back; defaults where nothing is said.
    pub fn rollback(&self) -> Rollback {
        self.rollback.clone().unwrap_or_default()
    }

    /// Returns how to uninstall; defaults where nothing is said.
    pub fn uninstall(&self) -> Uninstall {
        self.uninstall.clone().unwrap_or_default()
    }

    /// Returns the time for one wait of an action: `install`, `upgrade`, `test`, `rollback`, `uninstall`.
    pub fn action_timeout(&self, action: &str) -> StdDuration {
        let own = match action {
            "install" => self.install.as_ref().and_then(|i| i.timeout),
            "upgrade" => self.upgrade.as_ref().and_then(|u| u.timeout),
            "test" => self.test.as_ref().and_then(|t| t.timeout),
            "rollback" => self.rollback.as_ref().and_then(|r| r.timeout),
            "uninstall" => self.uninstall.as_ref().and_then(|u| u.timeout),
            _ => None,
        };
        timeout_or(own, self.timeout())
    }

    /// Returns how many revisions are kept; 0 means all.
    pub fn max_history(&self) -> i64 {
        self.max_history.unwrap_or(MAX_HISTORY).max(0)
    }

    /// Returns what happens to drift.
    pub fn drift_mode(&self) -> DriftMode {
        match self.drift_detection.as_ref().map(|d| d.mode.as_str()) {
            Some("enabled") => DriftMode::Enabled,
            Some("warn") => DriftMode::Warn,
            _ => DriftMode::Disabled,
        }
    }

    /// Returns the time between tries of installs under `RetryOnFailure`; `None` where failures are remediated.
    /// `by_default` is the gate `DefaultToRetryOnFailure`.
    pub fn install_retry(&self, by_default: bool) -> Option<StdDuration> {
        let strategy = self.install.as_ref().and_then(|i| i.strategy.as_ref());
        retry_interval(strategy, by_default)
    }

    /// Returns the time between tries of upgrades under `RetryOnFailure`; as [`HelmReleaseSpec::install_retry`].
    pub fn upgrade_retry(&self, by_default: bool) -> Option<StdDuration> {
        let strategy = self.upgrade.as_ref().and_then(|u| u.strategy.as_ref());
        retry_interval(strategy, by_default)
    }

    /// Returns how failed installs are remediated: always by uninstalling.
    pub fn install_remediation(&self) -> ResolvedRemediation {
        let own = self.install.as_ref().and_then(|i| i.remediation.clone());
        let own = own.unwrap_or_default();
        ResolvedRemediation {
            retries: own.retries.unwrap_or(0),
            ignore_test_failures: self.ignores_tests(&own),
            remediate_last_failure: own.remediate_last_failure.unwrap_or(false),
            uninstalls: true,
        }
    }

    /// Returns how failed upgrades are remediated.
    pub fn upgrade_remediation(&self) -> ResolvedRemediation {
        let own = self.upgrade.as_ref().and_then(|u| u.remediation.clone());
        let own = own.unwrap_or_default();
        let retries = own.retries.unwrap_or(0);
        ResolvedRemediation {
            retries,
            ignore_test_failures: self.ignores_tests(&own),
            remediate_last_failure: own.remediate_last_failure.unwrap_or(retries > 0),
            uninstalls: own.strategy.as_deref() == Some("uninstall"),
        }
    }

    fn ignores_tests(&self, remediation: &Remediation) -> bool {
        let common = self.test.as_ref().is_some_and(|t| t.ignore_failures);
        remediation.ignore_test_failures.unwrap_or(common)
    }
}

impl HelmRelease {
    /// Returns the name of the release before it is shortened.
    pub fn release_name(&self) -> String {
        let spec = &self.spec;
        if !spec.release_name.is_empty() {
            return spec.release_name.clone();
        }
        if spec.target_namespace.is_empty() {
            return self.metadata.name.clone();
        }
        format!("{}-{}", spec.target_namespace, self.metadata.name)
    }

    /// Returns the namespace of the release.
    pub fn release_namespace(&self) -> &str {
        match self.spec.target_namespace.as_str() {
            "" => &self.metadata.namespace,
            namespace => namespace,
        }
    }

    /// Returns the namespace of the release records.
    pub fn storage_namespace(&self) -> &str {
        match self.spec.storage_namespace.as_str() {
            "" => &self.metadata.namespace,
            namespace => namespace,
        }
    }

    /// Returns the name of the HelmChart made from the template.
    pub fn chart_name(&self) -> String {
        format!("{}-{}", self.metadata.namespace, self.metadata.name)
    }

    /// Returns the namespace of the HelmChart made from the template.
    pub fn chart_namespace(&self) -> &str {
        let template = self.spec.chart.as_ref();
        match template.map_or("", |chart| chart.spec.source_ref.namespace.as_str()) {
            "" => &self.metadata.namespace,
            namespace => namespace,
        }
    }
}

/// What was installed, and how it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmReleaseStatus {
    /// Generation last brought to an end; -1 before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Digest of `spec.postRenderers` last summarised.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub observed_post_renderers_digest: String,
    /// Digest of `spec.commonMetadata` last summarised.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub observed_common_metadata_digest: String,
    /// Generation of the last attempt.
    #[serde(skip_serializing_if = "is_zero")]
    pub last_attempted_generation: i64,
    /// Conditions in stored order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// `<namespace>/<name>` of the HelmChart made from the template.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub helm_chart: String,
    /// Namespace that holds the release records.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage_namespace: String,
    /// Releases made for the object, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Snapshot>,
    /// Objects of the last release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// `install` or `upgrade`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_attempted_release_action: String,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempted_release_action_duration: Option<Duration>,
    /// Failed actions.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: i64,
    /// Failed installs.
    #[serde(skip_serializing_if = "is_zero")]
    pub install_failures: i64,
    /// Failed upgrades.
    #[serde(skip_serializing_if = "is_zero")]
    pub upgrade_failures: i64,
    /// Version of the chart last attempted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_attempted_revision: String,
    /// Digest of the OCI artifact last attempted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_attempted_revision_digest: String,
    /// SHA-1 of the values last attempted; deprecated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_attempted_values_checksum: String,
    /// Revision of the last release; deprecated.
    #[serde(skip_serializing_if = "is_zero")]
    pub last_release_revision: i64,
    /// Digest of the values last attempted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_attempted_config_digest: String,
    /// Reconcile request last acted upon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
    /// Force request last seen.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_force_at: String,
    /// Reset request last seen.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_reset_at: String,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A release as it was observed in storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// Form of the snapshot, `v2`; empty for those of controllers built on Helm 3.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Digest of the observation.
    pub digest: String,
    /// Name of the release.
    pub name: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Revision.
    pub version: i64,
    /// Helm's status.
    pub status: String,
    /// Name of the chart.
    pub chart_name: String,
    /// Version of the chart.
    pub chart_version: String,
    /// Version of the application; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// Digest of the values.
    pub config_digest: String,
    /// When the first revision was deployed; whole seconds.
    pub first_deployed: Timestamp,
    /// When this revision was deployed; whole seconds.
    pub last_deployed: Timestamp,
    /// When the release was uninstalled; whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
    /// Last runs of test hooks; absent where they did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_hooks: Option<BTreeMap<String, Option<TestHookStatus>>>,
    /// Digest of the OCI artifact; may be empty.
    #[serde(rename = "ociDigest", skip_serializing_if = "String::is_empty")]
    pub oci_digest: String,
    /// `install`, `upgrade`, `rollback`, `uninstall`, `uninstall-remediation`; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub action: String,
}

impl Snapshot {
    /// Returns `<namespace>/<name>.v<version>`.
    pub fn full_release_name(&self) -> String {
        format!("{}/{}.v{}", self.namespace, self.name, self.version)
    }

    /// Returns `<chart>@<version>`.
    pub fn versioned_chart_name(&self) -> String {
        format!("{}@{}", self.chart_name, self.chart_version)
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_release_name())
    }
}

/// Last run of a test hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TestHookStatus {
    /// When it started; whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_started: Option<Timestamp>,
    /// When it ended; whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_completed: Option<Timestamp>,
    /// Empty, `Unknown`, `Running`, `Succeeded` or `Failed`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phase: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Object, json};

    fn release(spec: Value) -> HelmRelease {
        let object = Object::from_value(json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "podinfo", "namespace": "apps"}, "spec": spec
        }));
        HelmRelease::from_object(&object.unwrap()).unwrap()
    }

    #[test]
    fn names_and_namespaces_have_upstreams_defaults() {
        for (spec, name, namespace, storage) in [
            (json!({}), "podinfo", "apps", "apps"),
            (
                json!({"targetNamespace": "web"}),
                "web-podinfo",
                "web",
                "apps",
            ),
            (
                json!({"targetNamespace": "web", "releaseName": "front", "storageNamespace": "s"}),
                "front",
                "web",
                "s",
            ),
        ] {
            let release = release(spec);
            assert_eq!(release.release_name(), name);
            assert_eq!(release.release_namespace(), namespace);
            assert_eq!(release.storage_namespace(), storage);
        }
    }

    #[test]
    fn remediation_has_upstreams_defaults() {
        for (retries, last, uninstalls) in [
            (json!({}), false, false),
            (json!({"retries": 3}), true, false),
            (json!({"retries": -1, "strategy": "uninstall"}), false, true),
            (
                json!({"retries": 3, "remediateLastFailure": false}),
                false,
                false,
            ),
        ] {
            let release = release(json!({"upgrade": {"remediation": retries}}));
            let got = release.spec.upgrade_remediation();
            assert_eq!(
                (got.remediate_last_failure, got.uninstalls),
                (last, uninstalls)
            );
            assert!(!release.spec.install_remediation().remediate_last_failure);
        }
        let endless = release(json!({"install": {"remediation": {"retries": -1}}}));
        assert!(!endless.spec.install_remediation().is_exhausted(100));
    }

    #[test]
    fn specs_and_statuses_round_trip() {
        let object = Object::from_value(json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "podinfo", "namespace": "apps"},
            "spec": {
                "interval": "10m0s", "chart": {"spec": {"chart": "podinfo", "version": "6.x",
                    "sourceRef": {"kind": "HelmRepository", "name": "podinfo"}}},
                "install": {"disableOpenAPIValidation": true, "skipCRDs": true},
                "values": {"replicas": 2}, "postRenderers": []
            },
            "status": {"observedGeneration": -1, "history": [{
                "apiVersion": "v2", "digest": "sha256:x", "name": "podinfo", "namespace": "apps", "version": 1,
                "status": "deployed", "chartName": "podinfo", "chartVersion": "6.0.0", "configDigest": "sha256:y",
                "firstDeployed": "2026-01-01T00:00:00Z", "lastDeployed": "2026-01-01T00:00:00Z",
                "testHooks": {"a": null, "b": {"phase": "Succeeded", "lastStarted": "2026-01-01T00:00:00Z"}},
                "ociDigest": "sha256:z"
            }], "lastAttemptedReleaseActionDuration": "1.5s"}
        }))
        .unwrap();
        assert_eq!(
            HelmRelease::from_object(&object).unwrap().to_object(),
            object
        );
    }
}

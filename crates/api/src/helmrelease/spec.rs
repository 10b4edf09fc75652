//! What a HelmRelease asks for: which chart, which values, where, how.

use std::time::Duration as StdDuration;

use objects::Value;
use serde::{Deserialize, Serialize};

use super::actions::{Install, Rollback, Test, Uninstall, Upgrade};
use crate::applier::{
    CommonMetadata, CrossNamespaceReference, CustomHealthCheck, DependencyReference, IgnoreRule,
    Image, KubeConfig, Patch,
};
use crate::meta::{Duration, Kind, LocalObjectReference};
use crate::names;

/// Time for one wait where nothing else is said.
const TIMEOUT: StdDuration = StdDuration::from_secs(300);
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

impl HelmReleaseSpec {
    /// Returns the time for one wait.
    pub fn timeout(&self) -> StdDuration {
        self.timeout.map_or(TIMEOUT, |timeout| timeout.0)
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

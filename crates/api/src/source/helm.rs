//! HelmRepository and HelmChart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Artifact;
use super::oci::OciRepositoryVerification;
use crate::meta::{Duration, Kind, LocalObjectReference, Resource};
use crate::{Condition, names};

/// A Helm repository as a source: an index over HTTP, or the address of charts in an OCI registry.
pub type HelmRepository = Resource<HelmRepositorySpec, HelmRepositoryStatus>;

/// The `type` of repositories with an index.
pub const HELM_REPOSITORY_TYPE_DEFAULT: &str = "default";
/// The `type` of repositories in OCI registries.
pub const HELM_REPOSITORY_TYPE_OCI: &str = "oci";

/// Where a Helm repository is, and how to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmRepositorySpec {
    /// `http://`, `https://` or `oci://`.
    pub url: String,
    /// Secret with `username` and `password`, or a Docker config for `oci`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with a client certificate and a CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Sends credentials to hosts other than the index's, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pass_credentials: bool,
    /// Time between two fetches of the index; 1 min where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Plain HTTP for an OCI registry.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Longest time for one fetch; 60 s where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Switches reconciliation off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Declared by upstream and never acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_from: Option<AccessFrom>,
    /// `default` or `oci`; absent means `default`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// How to log in: `generic`, `aws`, `azure`, `gcp`; `oci` only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
}

/// Namespaces that may use an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessFrom {
    /// Any of these.
    pub namespace_selectors: Vec<NamespaceSelector>,
}

/// Namespaces by labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceSelector {
    /// All of these labels; empty selects every namespace.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
}

impl HelmRepositorySpec {
    /// Tells whether the repository is in an OCI registry.
    pub fn is_oci(&self) -> bool {
        self.type_ == HELM_REPOSITORY_TYPE_OCI
    }

    /// Returns the longest time for one fetch.
    pub fn timeout(&self) -> std::time::Duration {
        self.timeout
            .map_or(std::time::Duration::from_secs(60), |timeout| timeout.0)
    }

    /// Returns the time between two fetches.
    pub fn interval(&self) -> std::time::Duration {
        self.interval
            .map_or(std::time::Duration::from_secs(60), |interval| interval.0)
    }
}

impl Kind for HelmRepositorySpec {
    const GROUP: &'static str = names::SOURCE_GROUP;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = names::HELM_REPOSITORY;
    const PLURAL: &'static str = "helmrepositories";
}

/// The stored index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmRepositoryStatus {
    /// Generation last brought to an end; -1 before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions in stored order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Address that always leads to the newest index.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The stored index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Reconcile request last acted upon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
}

/// A chart as a source: one version out of a repository, or a directory packed.
pub type HelmChart = Resource<HelmChartSpec, HelmChartStatus>;

/// The strategy that makes a new artifact for each version of the chart.
pub const RECONCILE_STRATEGY_CHART_VERSION: &str = "ChartVersion";
/// The strategy that makes a new artifact for each revision of the source.
pub const RECONCILE_STRATEGY_REVISION: &str = "Revision";

/// Which chart, from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmChartSpec {
    /// Name in a HelmRepository, or path in another source.
    pub chart: String,
    /// Version or range; for HelmRepositories only. `*` where absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Source in the same namespace.
    pub source_ref: LocalHelmChartSourceReference,
    /// Time between two looks at the source.
    pub interval: Duration,
    /// `ChartVersion` or `Revision`; absent means `ChartVersion`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reconcile_strategy: String,
    /// Files merged in order to become the chart's `values.yaml`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values_files: Vec<String>,
    /// Goes on without values files that are not there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_missing_values_files: bool,
    /// Switches reconciliation off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Signature verification; for charts in OCI registries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<OciRepositoryVerification>,
}

impl HelmChartSpec {
    /// Returns the values files; the chart's own `values.yaml` alone counts as none.
    pub fn values_files(&self) -> &[String] {
        let own = |path: &str| path.trim_start_matches("./") == "values.yaml";
        match self.values_files.as_slice() {
            [only] if own(only) => &[],
            files => files,
        }
    }

    /// Tells whether each revision of the source makes a new version.
    pub fn follows_revision(&self) -> bool {
        self.reconcile_strategy == RECONCILE_STRATEGY_REVISION
    }
}

impl Kind for HelmChartSpec {
    const GROUP: &'static str = names::SOURCE_GROUP;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = names::HELM_CHART;
    const PLURAL: &'static str = "helmcharts";
}

/// A reference to a source of charts in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalHelmChartSourceReference {
    /// API version; not looked at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `HelmRepository`, `GitRepository` or `Bucket`.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// The stored chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmChartStatus {
    /// Generation last brought to an end; -1 before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Revision of the source's artifact last looked at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub observed_source_artifact_revision: String,
    /// Name of the chart in its metadata.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub observed_chart_name: String,
    /// Values files of the stored chart; kept only where missing ones are ignored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed_values_files: Vec<String>,
    /// Conditions in stored order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Address that always leads to the newest chart.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The stored chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Reconcile request last acted upon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
}

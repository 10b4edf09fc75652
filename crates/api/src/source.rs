//! `source.toolkit.fluxcd.io/v1`: the artifact that all sources share, GitRepository, and the sources below.

mod helm;
mod oci;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::meta::{Duration, Kind, LocalObjectReference, Resource};
use crate::{Condition, names};

pub use helm::{
    AccessFrom, HELM_REPOSITORY_TYPE_DEFAULT, HELM_REPOSITORY_TYPE_OCI, HelmChart, HelmChartSpec,
    HelmChartStatus, HelmRepository, HelmRepositorySpec, HelmRepositoryStatus,
    LocalHelmChartSourceReference, NamespaceSelector, RECONCILE_STRATEGY_CHART_VERSION,
    RECONCILE_STRATEGY_REVISION,
};
pub use oci::{
    LAYER_COPY, LAYER_EXTRACT, OciLayerSelector, OciRepository, OciRepositoryRef,
    OciRepositorySpec, OciRepositoryStatus, OciRepositoryVerification, OidcIdentityMatch,
};

/// What a source stored: one archive (or index, chart) with its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Artifact {
    /// `<algorithm>:<hex>` of the stored bytes.
    pub digest: String,
    /// When it was stored; whole seconds.
    pub last_update_time: Timestamp,
    /// Facts from the origin, such as OCI annotations; may be empty.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Path below the storage root.
    pub path: String,
    /// Revision in the source's own words, such as `main@sha1:…`.
    pub revision: String,
    /// Bytes stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Where consumers fetch it.
    pub url: String,
}

impl Artifact {
    /// Tells whether two artifacts have the same revision.
    pub fn has_revision(&self, revision: &str) -> bool {
        self.revision == revision
    }
}

/// A Git repository as a source.
pub type GitRepository = Resource<GitRepositorySpec, GitRepositoryStatus>;

/// What to fetch from Git, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositorySpec {
    /// Where the repository is: `http(s)://`, `ssh://`; `file://` and paths for local use.
    pub url: String,
    /// Secret with credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// How to log in: `generic`, `aws`, `azure`, `github`; absent means `generic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Service account for cloud identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Time between two looks at the repository.
    pub interval: Duration,
    /// Longest time for one Git operation; 60 s where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What to check out; branch `master` where absent.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitRepositoryRef>,
    /// Signature verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<GitRepositoryVerification>,
    /// Secret with a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Further ignore rules, in gitignore syntax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Switches reconciliation off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Fetches submodules too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recurse_submodules: bool,
    /// Artifacts of other repositories to copy in, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<GitRepositoryInclude>,
    /// Directories to check out; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sparse_checkout: Vec<String>,
}

impl GitRepositorySpec {
    /// Returns the longest time for one Git operation.
    pub fn timeout(&self) -> std::time::Duration {
        self.timeout
            .map_or(std::time::Duration::from_secs(60), |timeout| timeout.0)
    }
}

impl Kind for GitRepositorySpec {
    const GROUP: &'static str = names::SOURCE_GROUP;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = names::GIT_REPOSITORY;
    const PLURAL: &'static str = "gitrepositories";
}

/// Which commit: `commit` beats `name` beats `tag` beats `semver` beats `branch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositoryRef {
    /// Branch; `master` where nothing is set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// Tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// Semver range over tags.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub semver: String,
    /// Full reference name, such as `refs/pull/1/head`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Commit SHA.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
}

/// Which signatures must be good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositoryVerification {
    /// `HEAD` (or `head`), `Tag`, `TagAndHEAD`; `HEAD` where absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// Secret with public keys.
    pub secret_ref: LocalObjectReference,
}

/// One artifact to copy in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositoryInclude {
    /// GitRepository in the same namespace.
    pub repository: LocalObjectReference,
    /// Path in its artifact; the root where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from_path: String,
    /// Path in the own artifact; the repository's name where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to_path: String,
}

impl GitRepositoryInclude {
    /// Returns the path in the own artifact, with its default.
    pub fn to_path(&self) -> &str {
        if self.to_path.is_empty() {
            &self.repository.name
        } else {
            &self.to_path
        }
    }
}

/// What was fetched and stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositoryStatus {
    /// Generation last brought to an end; -1 before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions in stored order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The stored artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Artifacts copied in, in order of `spec.include`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included_artifacts: Vec<Artifact>,
    /// `spec.ignore` of the stored artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
    /// `spec.recurseSubmodules` of the stored artifact.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub observed_recurse_submodules: bool,
    /// `spec.include` of the stored artifact.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed_include: Vec<GitRepositoryInclude>,
    /// `spec.sparseCheckout` of the stored artifact.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed_sparse_checkout: Vec<String>,
    /// Mode under which the stored artifact was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_verification_mode: Option<String>,
    /// Reconcile request last acted upon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
}

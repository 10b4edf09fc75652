//! What a HelmRelease reports: conditions, what was attempted, the history of its releases.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Condition;
use crate::applier::Inventory;
use crate::meta::Duration;

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

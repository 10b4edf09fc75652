//! `kustomize.toolkit.fluxcd.io/v1`: Kustomization.

use std::collections::BTreeMap;

use jiff::Timestamp;
use objects::Value;
use serde::{Deserialize, Serialize};

use crate::applier::{
    CommonMetadata, CrossNamespaceReference, CustomHealthCheck, DependencyReference, IgnoreRule,
    Image, Inventory, KubeConfig, Patch,
};
use crate::meta::{Duration, Kind, LocalObjectReference, Resource};
use crate::{Condition, names};

/// Objects of one path in one source, applied to a cluster.
pub type Kustomization = Resource<KustomizationSpec, KustomizationStatus>;

/// Shortest timeout, explicit or derived.
const TIMEOUT_MIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Most history entries kept.
pub const HISTORY_MAX: usize = 5;

/// What to build, how to change it, and how to apply it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationSpec {
    /// Labels and annotations for every object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Kustomizations that must be ready first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependencyReference>,
    /// How encrypted sources are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// Time between two reconciles after success.
    pub interval: Duration,
    /// Time to the next try after a failure; `interval` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
    /// Another cluster to apply to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfig>,
    /// Directory in the artifact; its root where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Substitution of variables after the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// Deletes objects that left the build.
    pub prune: bool,
    /// What happens to the objects when the Kustomization is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Objects to wait for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<NamespacedObjectKindReference>,
    /// Prefix of all names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name_prefix: String,
    /// Suffix of all names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name_suffix: String,
    /// Patches for the build.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Strategic merge patches of v1beta2, as inline objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches_strategic_merge: Vec<Value>,
    /// JSON patches of v1beta2, `{patch: [operations], target}`.
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "patchesJson6902")]
    pub patches_json6902: Vec<Value>,
    /// Image replacements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Service account to act as.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// Source of the manifests.
    pub source_ref: CrossNamespaceReference,
    /// Switches reconciliation off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Namespace for all objects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_namespace: String,
    /// Longest time for health checks; see [`KustomizationSpec::timeout`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Recreates objects whose immutable fields change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Waits for every applied object.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
    /// Component directories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Skips component directories that do not exist.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_missing_components: bool,
    /// `originAnnotations`, `transformerAnnotations`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build_metadata: Vec<String>,
    /// Health of custom kinds, in CEL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_check_exprs: Vec<CustomHealthCheck>,
    /// Fields whose drift is not corrected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
}

impl KustomizationSpec {
    /// Returns the longest time for health checks: explicit or `interval` − 30 s, at least 30 s.
    pub fn timeout(&self) -> std::time::Duration {
        self.timeout
            .map_or_else(|| self.interval.0.saturating_sub(TIMEOUT_MIN), |t| t.0)
            .max(TIMEOUT_MIN)
    }

    /// Returns the time to the next try after a failure.
    pub fn retry_interval(&self) -> std::time::Duration {
        self.retry_interval.unwrap_or(self.interval).0
    }

    /// Returns the deletion policy, with its default.
    pub fn deletion_policy(&self) -> DeletionPolicy {
        self.deletion_policy.unwrap_or_default()
    }
}

impl Kind for KustomizationSpec {
    const GROUP: &'static str = names::KUSTOMIZE_GROUP;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = names::KUSTOMIZATION;
    const PLURAL: &'static str = "kustomizations";
}

impl Kustomization {
    /// Returns the namespace of the source.
    pub fn source_namespace(&self) -> &str {
        self.spec.source_ref.namespace_or(&self.metadata.namespace)
    }
}

/// How encrypted sources are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Decryption {
    /// `sops`.
    pub provider: String,
    /// Secret with keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Service account for cloud identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
}

/// Substitution of variables after the build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostBuild {
    /// Inline variables; they win.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub substitute: BTreeMap<String, String>,
    /// Objects with variables; later ones win.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub substitute_from: Vec<SubstituteReference>,
    /// `WithVariables` (default) or `Always`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substitute_strategy: Option<String>,
}

/// An object with variables, in the own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubstituteReference {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Tolerates absence.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// What happens to applied objects when their Kustomization is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// As `spec.prune` says.
    #[default]
    MirrorPrune,
    /// They are deleted.
    Delete,
    /// They are deleted, and the Kustomization waits until they are gone.
    WaitForTermination,
    /// They stay.
    Orphan,
}

/// An object to wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespacedObjectKindReference {
    /// Group and version; `apps/v1` where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// What was built and applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationStatus {
    /// Reconcile request last acted upon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
    /// Generation last brought to an end; -1 before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions in stored order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Revision last applied with full success.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_applied_revision: String,
    /// Origin revision last applied with full success.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_applied_origin_revision: String,
    /// Revision last tried.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_attempted_revision: String,
    /// Objects applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// Outcomes, newest first, at most [`HISTORY_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
}

/// One outcome, possibly of several reconciles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryEntry {
    /// `sha256:<hex>` of the built YAML.
    pub digest: String,
    /// First time.
    pub first_reconciled: Timestamp,
    /// Last time.
    pub last_reconciled: Timestamp,
    /// How long the last one took.
    pub last_reconciled_duration: Duration,
    /// Reason it ended with.
    pub last_reconciled_status: String,
    /// How often.
    pub total_reconciliations: i64,
    /// `revision`, `originRevision`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Records an outcome: same digest and status are counted on and move to the front, others are put in front.
pub fn record_history(history: &mut Vec<HistoryEntry>, mut entry: HistoryEntry) {
    entry.total_reconciliations = 1;
    let same = history.iter().position(|old| {
        old.digest == entry.digest && old.last_reconciled_status == entry.last_reconciled_status
    });
    if let Some(position) = same {
        let old = history.remove(position);
        entry.first_reconciled = old.first_reconciled;
        entry.total_reconciliations = old.total_reconciliations + 1;
    }
    history.insert(0, entry);
    history.truncate(HISTORY_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Object, json};

    fn entry(digest: &str, status: &str) -> HistoryEntry {
        HistoryEntry {
            digest: digest.into(),
            last_reconciled_status: status.into(),
            ..HistoryEntry::default()
        }
    }

    #[test]
    fn history_counts_equal_outcomes_and_keeps_five() {
        let mut history = Vec::new();
        for digest in ["a", "b", "a", "c", "d", "e", "f"] {
            record_history(&mut history, entry(digest, "ReconciliationSucceeded"));
        }
        let seen: Vec<_> = history
            .iter()
            .map(|h| (h.digest.as_str(), h.total_reconciliations))
            .collect();
        assert_eq!(seen, [("f", 1), ("e", 1), ("d", 1), ("c", 1), ("a", 2)]);
        record_history(&mut history, entry("a", "PruneFailed"));
        assert_eq!(history[0].total_reconciliations, 1);
    }

    #[test]
    fn timeouts_are_derived_and_never_below_thirty_seconds() {
        for (interval, timeout, expected) in [
            (300, None, 270),
            (10, None, 30),
            (60, None, 30),
            (300, Some(5), 30),
            (300, Some(90), 90),
        ] {
            let spec = KustomizationSpec {
                interval: Duration::from_secs(interval),
                timeout: timeout.map(Duration::from_secs),
                ..KustomizationSpec::default()
            };
            assert_eq!(spec.timeout().as_secs(), expected);
        }
    }

    #[test]
    fn specs_round_trip_through_objects() {
        let object = Object::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "apps", "namespace": "flux-system"},
            "spec": {
                "interval": "10m0s", "prune": true, "path": "./apps",
                "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
                "dependsOn": [{"name": "infra"}],
                "postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "vars", "optional": true}]},
                "patchesJson6902": [{"patch": [{"op": "remove", "path": "/a"}], "target": {"name": "x"}}]
            }
        }))
        .unwrap();
        let read = Kustomization::from_object(&object).unwrap();
        assert_eq!(read.spec.interval, Duration::from_secs(600));
        assert_eq!(read.to_object(), object);
    }
}

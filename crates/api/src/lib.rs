//! The Flux kinds: spec, status, reasons, defaults, validation, CRDs, the Event.
//!
//! What users write arrives as [`objects::Object`] and is read into [`Resource`] values; what controllers report
//! leaves as status structs. The CRDs in [`crds`] are what an API server needs to serve the kinds.

mod applier;
pub mod conditions;
mod crds;
mod event;
mod helmrelease;
mod kustomization;
mod meta;
pub mod names;
mod source;

pub use applier::{
    CommonMetadata, CrossNamespaceReference, CustomHealthCheck, DependencyReference, IgnoreRule,
    Image, Inventory, InventoryEntry, KubeConfig, Patch, Selector,
};
pub use conditions::{Condition, ConditionStatus};
pub use crds::crds;
pub use event::{Event, InvolvedObject, Severity, metadata_with_annotations, trim_message};
pub use helmrelease::{
    DriftDetection, DriftMode, HelmChartTemplate, HelmChartTemplateSpec, HelmChartVerification,
    HelmRelease, HelmReleaseSpec, HelmReleaseStatus, Install, KustomizeRenderer, PostRenderer,
    ReleaseAction, Remediation, ResolvedRemediation, Rollback, Snapshot, Strategy, Test,
    TestFilter, TestHookStatus, Uninstall, Upgrade, ValuesReference, WaitStrategy,
};
pub use kustomization::{
    Decryption, DeletionPolicy, HistoryEntry, Kustomization, KustomizationSpec,
    KustomizationStatus, NamespacedObjectKindReference, PostBuild, SubstituteReference,
    record_history,
};
pub use meta::{
    DecodeError, Duration, KeyReference, Kind, LocalObjectReference, ObjectMeta, Resource,
    go_duration,
};
pub use source::{
    AccessFrom, Artifact, GitRepository, GitRepositoryInclude, GitRepositoryRef, GitRepositorySpec,
    GitRepositoryStatus, GitRepositoryVerification, HELM_REPOSITORY_TYPE_DEFAULT,
    HELM_REPOSITORY_TYPE_OCI, HelmChart, HelmChartSpec, HelmChartStatus, HelmRepository,
    HelmRepositorySpec, HelmRepositoryStatus, LAYER_COPY, LAYER_EXTRACT,
    LocalHelmChartSourceReference, NamespaceSelector, OciLayerSelector, OciRepository,
    OciRepositoryRef, OciRepositorySpec, OciRepositoryStatus, OciRepositoryVerification,
    OidcIdentityMatch, RECONCILE_STRATEGY_CHART_VERSION, RECONCILE_STRATEGY_REVISION,
};

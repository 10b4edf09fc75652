//! The one list of groups, kinds, annotations, labels, finalizers, field managers and reasons.
//!
//! Every string here is part of the compatibility contract with Flux 2.9.

/// API group of sources.
pub const SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";
/// API group of Kustomizations.
pub const KUSTOMIZE_GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// API group of Helm releases.
pub const HELM_GROUP: &str = "helm.toolkit.fluxcd.io";
/// API group of alerts, providers and receivers.
pub const NOTIFICATION_GROUP: &str = "notification.toolkit.fluxcd.io";
/// API group of image automation.
pub const IMAGE_GROUP: &str = "image.toolkit.fluxcd.io";

/// Kind of Git sources.
pub const GIT_REPOSITORY: &str = "GitRepository";
/// Kind of OCI sources.
pub const OCI_REPOSITORY: &str = "OCIRepository";
/// Kind of Helm repository sources.
pub const HELM_REPOSITORY: &str = "HelmRepository";
/// Kind of Helm charts.
pub const HELM_CHART: &str = "HelmChart";
/// Kind of bucket sources.
pub const BUCKET: &str = "Bucket";
/// Kind of artifacts that other controllers produce.
pub const EXTERNAL_ARTIFACT: &str = "ExternalArtifact";
/// Kind of kustomize appliers.
pub const KUSTOMIZATION: &str = "Kustomization";

/// Kind of Helm releases.
pub const HELM_RELEASE: &str = "HelmRelease";

/// Finalizer on every Flux object.
pub const FINALIZER: &str = "finalizers.fluxcd.io";

/// Annotation whose change asks for a reconcile at once.
pub const RECONCILE_REQUEST: &str = "reconcile.fluxcd.io/requestedAt";
/// Annotation for a one-off forced upgrade.
pub const FORCE_REQUEST: &str = "reconcile.fluxcd.io/forceAt";
/// Annotation that resets failure counts.
pub const RESET_REQUEST: &str = "reconcile.fluxcd.io/resetAt";
/// Label on ConfigMaps and Secrets whose changes enqueue their users.
pub const WATCH_LABEL: &str = "reconcile.fluxcd.io/watch";
/// Prefix of annotations that are copied into event metadata.
pub const EVENT_PREFIX: &str = "event.toolkit.fluxcd.io";
/// Label that assigns an object to a shard.
pub const SHARD_LABEL: &str = "sharding.fluxcd.io/key";

/// Owner label: name of the Kustomization that applied the object.
pub const OWNER_NAME_LABEL: &str = "kustomize.toolkit.fluxcd.io/name";
/// Owner label: namespace of the Kustomization that applied the object.
pub const OWNER_NAMESPACE_LABEL: &str = "kustomize.toolkit.fluxcd.io/namespace";
/// `disabled` switches post-build substitution off (label or annotation).
pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// `disabled` switches garbage collection off.
pub const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// `disabled` takes an object out of reconciliation.
pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// Server-side apply mode: `Override`, `Merge`, `IfNotPresent`, `Ignore`.
pub const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
/// `enabled` recreates the object when an immutable field changes.
pub const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
/// `disabled` switches decryption off (annotation).
pub const DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";
/// The value that switches things off.
pub const DISABLED: &str = "disabled";
/// The value that switches things on.
pub const ENABLED: &str = "enabled";

/// Event metadata: revision.
pub const META_REVISION: &str = "revision";
/// Event metadata: revision of the original source.
pub const META_ORIGIN_REVISION: &str = "originRevision";
/// Event metadata: artifact digest.
pub const META_DIGEST: &str = "digest";
/// Event metadata: asks notification providers to update a commit status.
pub const META_COMMIT_STATUS: &str = "commit_status";
/// Value of [`META_COMMIT_STATUS`].
pub const META_COMMIT_STATUS_UPDATE: &str = "update";
/// OCI annotation in artifact metadata that carries the origin revision.
pub const OCI_REVISION: &str = "org.opencontainers.image.revision";
/// OCI annotation in artifact metadata that carries the origin source.
pub const OCI_SOURCE: &str = "org.opencontainers.image.source";
/// OCI annotation that carries the time of creation.
pub const OCI_CREATED: &str = "org.opencontainers.image.created";

/// Name of the source controller: component of its events, field manager of its status.
pub const SOURCE_CONTROLLER: &str = "source-controller";
/// Name of the kustomize controller: component of its events, field manager of applied objects.
pub const KUSTOMIZE_CONTROLLER: &str = "kustomize-controller";
/// Field manager of the kustomize controller's status and finalizers.
pub const KUSTOMIZE_STATUS_MANAGER: &str = "gotk-kustomize-controller";

/// Name of the helm controller: component of its events, field manager of everything it writes.
pub const HELM_CONTROLLER: &str = "helm-controller";

/// Owner label: name of the HelmRelease that an object belongs to.
pub const HELM_NAME_LABEL: &str = "helm.toolkit.fluxcd.io/name";
/// Owner label: namespace of the HelmRelease that an object belongs to.
pub const HELM_NAMESPACE_LABEL: &str = "helm.toolkit.fluxcd.io/namespace";
/// `disabled` takes an object out of drift detection (label or annotation).
pub const DRIFT_DETECTION: &str = "helm.toolkit.fluxcd.io/driftDetection";

/// Event metadata of Helm releases: digest of the values.
pub const META_TOKEN: &str = "token";
/// Event metadata of Helm releases: version of the application.
pub const META_APP_VERSION: &str = "app-version";
/// Event metadata of Helm releases: digest of the OCI artifact.
pub const META_OCI_DIGEST: &str = "oci-digest";

/// Condition type of Helm releases: the last install or upgrade.
pub const RELEASED: &str = "Released";
/// Condition type of Helm releases: the last remediation.
pub const REMEDIATED: &str = "Remediated";
/// Condition type of Helm releases: the last tests.
pub const TEST_SUCCESS: &str = "TestSuccess";
/// Condition type of Helm releases: whether the cluster differs from the release.
pub const DRIFTED: &str = "Drifted";

/// Condition type: overall result.
pub const READY: &str = "Ready";
/// Condition type: work in progress; absent otherwise.
pub const RECONCILING: &str = "Reconciling";
/// Condition type: no progress without a change by the user; absent otherwise.
pub const STALLED: &str = "Stalled";
/// Condition type: health checks.
pub const HEALTHY: &str = "Healthy";
/// Condition type of sources: an artifact is stored.
pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
/// Condition type of sources: the stored artifact is behind its source.
pub const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
/// Condition type of sources: signature verification.
pub const SOURCE_VERIFIED: &str = "SourceVerified";
/// Condition type of sources: the source could not be fetched.
pub const FETCH_FAILED: &str = "FetchFailed";
/// Condition type of charts: the chart could not be built.
pub const BUILD_FAILED_CONDITION: &str = "BuildFailed";
/// Condition type of sources: the artifact store failed.
pub const STORAGE_OPERATION_FAILED: &str = "StorageOperationFailed";
/// Condition type of Git sources: an included repository has no artifact.
pub const INCLUDE_UNAVAILABLE: &str = "IncludeUnavailable";

/// Reasons of conditions and events.
pub mod reason {
    macro_rules! reasons {
        ($($constant:ident = $text:literal: $doc:literal;)*) => {
            $(#[doc = $doc] pub const $constant: &str = $text;)*
        };
    }

    reasons! {
        SUCCEEDED = "Succeeded": "The last operation succeeded.";
        FAILED = "Failed": "The last operation failed.";
        PROGRESSING = "Progressing": "Work goes on.";
        PROGRESSING_WITH_RETRY = "ProgressingWithRetry": "The last attempt failed; another follows.";
        SUSPENDED = "Suspended": "Reconciliation is suspended.";
        DEPENDENCY_NOT_READY = "DependencyNotReady": "A dependency is not ready.";
        INVALID_PATH = "InvalidPath": "A path is not usable.";
        INVALID_URL = "InvalidURL": "A URL is not usable.";
        PRUNE_FAILED = "PruneFailed": "Garbage collection failed.";
        ARTIFACT_FAILED = "ArtifactFailed": "The source artifact is missing or unreadable.";
        BUILD_FAILED = "BuildFailed": "The build failed.";
        HEALTH_CHECK_FAILED = "HealthCheckFailed": "A health check failed.";
        HEALTH_CHECK_CANCELED = "HealthCheckCanceled": "A health check gave way to a newer trigger.";
        RECONCILIATION_SUCCEEDED = "ReconciliationSucceeded": "The reconcile succeeded.";
        RECONCILIATION_FAILED = "ReconciliationFailed": "The reconcile failed.";
        INVALID_CEL_EXPRESSION = "InvalidCELExpression": "A CEL expression does not compile.";
        FEATURE_GATE_DISABLED = "FeatureGateDisabled": "A feature gate is off.";
        ACCESS_DENIED = "AccessDenied": "A cross-namespace reference is blocked.";
        DIR_CREATION_FAILED = "DirectoryCreationFailed": "A directory could not be created.";
        STAT_OPERATION_FAILED = "StatOperationFailed": "A path could not be examined.";
        READ_OPERATION_FAILED = "ReadOperationFailed": "A read failed.";
        ACQUIRE_LOCK_FAILED = "AcquireLockFailed": "A lock was not available.";
        ARCHIVE_OPERATION_FAILED = "ArchiveOperationFailed": "An archive could not be written.";
        SYMLINK_UPDATE_FAILED = "SymlinkUpdateFailed": "A symlink could not be updated.";
        ARTIFACT_UP_TO_DATE = "ArtifactUpToDate": "The artifact matches its source.";
        CACHE_OPERATION_FAILED = "CacheOperationFailed": "A cache operation failed.";
        PATCH_OPERATION_FAILED = "PatchOperationFailed": "An object could not be patched.";
        AUTHENTICATION_FAILED = "AuthenticationFailed": "Credentials are missing or refused.";
        VERIFICATION_ERROR = "VerificationError": "A signature could not be verified.";
        URL_INVALID = "URLInvalid": "The URL of a source is not usable.";
        INVALID_PROVIDER_CONFIGURATION = "InvalidProviderConfiguration": "The provider configuration is not usable.";
        GIT_OPERATION_SUCCEEDED = "GitOperationSucceeded": "A Git operation succeeded.";
        GIT_OPERATION_FAILED = "GitOperationFailed": "A Git operation failed.";
        EMPTY_GIT_REPOSITORY = "EmptyGitRepository": "The repository has no commit.";
        INCLUDE_CHANGE = "IncludeChange": "Included artifacts changed.";
        NEW_REVISION = "NewRevision": "The source has a new revision.";
        NEW_ARTIFACT = "NewArtifact": "An artifact was stored.";
        ILLEGAL_PATH = "IllegalPath": "A path leads outside.";
        COPY_FAILURE = "CopyFailure": "Included files could not be copied.";
        NOT_FOUND = "NotFound": "A referenced object does not exist.";
        NO_ARTIFACT = "NoArtifact": "A referenced source has no artifact.";
        SOURCE_IGNORE_ERROR = "SourceIgnoreError": "Ignore rules could not be read.";
        INVALID_VERIFICATION_MODE = "InvalidVerificationMode": "The verification mode does not fit the reference.";
        INVALID_GIT_OBJECT = "InvalidGitObject": "A Git object is not signed or not readable.";
        INVALID_TAG_SIGNATURE = "InvalidTagSignature": "A tag signature is not valid.";
        INVALID_COMMIT_SIGNATURE = "InvalidCommitSignature": "A commit signature is not valid.";
        OCI_PULL_FAILED = "OCIArtifactPullFailed": "An OCI artifact could not be pulled.";
        OCI_LAYER_OPERATION_FAILED = "OCIArtifactLayerOperationFailed": "A layer could not be read.";
        INDEXATION_FAILED = "IndexationFailed": "The index of a Helm repository could not be read.";
        CHART_PULL_SUCCEEDED = "ChartPullSucceeded": "A chart was pulled.";
        CHART_PACKAGE_SUCCEEDED = "ChartPackageSucceeded": "A chart was packaged.";
        NEW_CHART = "NewChart": "The source has a new version of the chart.";
        SOURCE_UNAVAILABLE = "SourceUnavailable": "The source of a chart could not be read.";
        UNSUPPORTED_SOURCE_KIND = "UnsupportedSourceKind": "The source of a chart has a kind that holds no charts.";
        NO_SOURCE_ARTIFACT = "NoSourceArtifact": "The source of a chart has no artifact.";
        RESOLVED_DEPENDENCIES = "ResolvedDependencies": "Dependencies of a chart were resolved.";
        INVALID_CHART_REFERENCE = "InvalidChartReference": "The chart does not exist, or not in this version.";
        CHART_PULL_ERROR = "ChartPullError": "The chart could not be pulled.";
        CHART_METADATA_PATCH_ERROR = "MetadataPatchError": "The chart's metadata could not be changed.";
        VALUES_FILES_ERROR = "ValuesFilesError": "The values files could not be merged.";
        DEPENDENCY_BUILD_ERROR = "DependencyBuildError": "A dependency of the chart could not be resolved.";
        CHART_PACKAGE_ERROR = "ChartPackageError": "The chart could not be packaged.";
        CHART_VERIFICATION_ERROR = "ChartVerificationError": "The chart could not be verified.";
        UNKNOWN = "Unknown": "The cause is not known.";
        GARBAGE_COLLECTION_SUCCEEDED = "GarbageCollectionSucceeded": "Old artifacts were removed.";
        GARBAGE_COLLECTION_FAILED = "GarbageCollectionFailed": "Old artifacts could not be removed.";
        INSTALL_SUCCEEDED = "InstallSucceeded": "The chart was installed.";
        INSTALL_FAILED = "InstallFailed": "The chart could not be installed.";
        UPGRADE_SUCCEEDED = "UpgradeSucceeded": "The release was upgraded.";
        UPGRADE_FAILED = "UpgradeFailed": "The release could not be upgraded.";
        TEST_SUCCEEDED = "TestSucceeded": "The tests of the release succeeded.";
        TEST_FAILED = "TestFailed": "The tests of the release failed.";
        AWAITING_TESTS = "AwaitingTests": "The release has not been tested yet.";
        ROLLBACK_SUCCEEDED = "RollbackSucceeded": "The release was rolled back.";
        ROLLBACK_FAILED = "RollbackFailed": "The release could not be rolled back.";
        UNINSTALL_SUCCEEDED = "UninstallSucceeded": "The release was uninstalled.";
        UNINSTALL_FAILED = "UninstallFailed": "The release could not be uninstalled.";
        PENDING_RELEASE = "PendingRelease": "A release was found in the middle of an action.";
        STATE_ERROR = "StateError": "The state of the release could not be determined.";
        RECONCILE_ERROR = "ReconcileError": "An action failed before it changed anything.";
        SOURCE_NOT_READY = "SourceNotReady": "The source of the chart is not ready.";
        VALUES_ERROR = "ValuesError": "Values could not be read or merged.";
        CHART_MUTATE_ERROR = "ChartMutateError": "The version of the chart could not be completed.";
        REST_CLIENT_ERROR = "RESTClientError": "There is no way to the cluster.";
        FACTORY_ERROR = "FactoryError": "The release storage could not be opened.";
        RETRIES_EXCEEDED = "RetriesExceeded": "All tries were used up.";
        MISSING_ROLLBACK_TARGET = "MissingRollbackTarget": "There is no release to roll back to.";
        DRIFT_DETECTED = "DriftDetected": "The cluster differs from the release.";
        NO_DRIFT_DETECTED = "NoDriftDetected": "The cluster is as the release says.";
        DRIFT_CORRECTED = "DriftCorrected": "Differences were corrected.";
        DRIFT_CORRECTION_FAILED = "DriftCorrectionFailed": "Differences could not be corrected.";
        HELM_CHART_CREATED = "HelmChartCreated": "A HelmChart was created.";
        HELM_CHART_CONFIGURED = "HelmChartConfigured": "A HelmChart was changed.";
        HELM_CHART_DELETED = "HelmChartDeleted": "A HelmChart was deleted.";
        HELM_CHART_SYNC_ERROR = "HelmChartSyncErr": "A HelmChart could not be written.";
        INVENTORY_BUILD_FAILED = "InventoryBuildFailed": "The inventory could not be built.";
        NAMESPACE_CHECK_SKIPPED = "NamespaceCheckSkipped": "The scope of a kind is not known.";
        ARTIFACT_VERIFICATION_FAILED = "ArtifactVerificationFailed": "A stored artifact does not match its digest.";
    }
}

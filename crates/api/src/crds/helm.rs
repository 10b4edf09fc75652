//! CRD of `helm.toolkit.fluxcd.io`.

use objects::json;

use super::schema::{
    Schema, boolean, conditions, date_time, integer, interval, list, local_reference, object,
    one_of, string,
};
use super::{Definition, applier};
use crate::names;

pub(super) fn definition() -> Definition {
    Definition {
        group: names::HELM_GROUP,
        kind: names::HELM_RELEASE,
        plural: "helmreleases",
        short_names: &["hr"],
        categories: applier::CATEGORIES,
        versions: &["v2", "v2beta2", "v2beta1"],
        columns: applier::columns(),
        spec: spec().0,
        status: status().0,
        status_default: true,
    }
}

fn spec() -> Schema {
    object([
        ("chart", chart()),
        ("chartRef", chart_reference()),
        ("commonMetadata", applier::common_metadata()),
        ("dependsOn", applier::dependencies()),
        ("driftDetection", drift_detection()),
        ("healthCheckExprs", applier::health_checks()),
        ("install", install()),
        (
            "interval!",
            interval().about("Time between two reconciles after success."),
        ),
        ("kubeConfig", applier::kube_config()),
        ("maxHistory", integer()),
        ("persistentClient", boolean()),
        (
            "postRenderStrategy",
            one_of(&["nohooks", "combined", "separate"]),
        ),
        ("postRenderers", list(post_renderer())),
        ("releaseName", string().length(1, 53)),
        ("rollback", rollback()),
        ("serviceAccountName", string().length(1, 253)),
        ("storageNamespace", string().length(1, 63)),
        ("suspend", boolean().about("Switches reconciliation off.")),
        ("targetNamespace", string().length(1, 63)),
        ("test", test()),
        ("timeout", interval()),
        ("uninstall", uninstall()),
        ("upgrade", upgrade()),
        (
            "values",
            Schema(json!({"x-kubernetes-preserve-unknown-fields": true})),
        ),
        ("valuesFrom", list(values_reference())),
        (
            "waitStrategy",
            object([("name!", one_of(&["poller", "legacy"]))]),
        ),
    ])
    .about("Which chart to install with which values, and how.")
    .rule(
        "(has(self.chart) && !has(self.chartRef)) || (!has(self.chart) && has(self.chartRef))",
        "either chart or chartRef must be set",
    )
}

fn chart() -> Schema {
    object([
        ("metadata", applier::common_metadata()),
        (
            "spec!",
            object([
                ("chart!", string().length(1, 2048)),
                ("ignoreMissingValuesFiles", boolean()),
                ("interval", interval()),
                (
                    "reconcileStrategy",
                    one_of(&["ChartVersion", "Revision"]).default("ChartVersion"),
                ),
                (
                    "sourceRef!",
                    object([
                        ("apiVersion", string()),
                        (
                            "kind",
                            one_of(&["HelmRepository", "GitRepository", "Bucket"]),
                        ),
                        ("name!", string().length(1, 253)),
                        ("namespace", string().length(1, 63)),
                    ]),
                ),
                ("valuesFiles", list(string())),
                (
                    "verify",
                    object([
                        (
                            "provider!",
                            one_of(&["cosign", "notation"]).default("cosign"),
                        ),
                        ("secretRef", local_reference()),
                    ]),
                ),
                ("version", string().default("*")),
            ]),
        ),
    ])
}

fn chart_reference() -> Schema {
    object([
        ("apiVersion", string()),
        (
            "kind!",
            one_of(&["OCIRepository", "HelmChart", "ExternalArtifact"]),
        ),
        ("name!", string().length(1, 253)),
        ("namespace", string().length(1, 63)),
    ])
}

fn drift_detection() -> Schema {
    object([
        ("ignore", applier::ignore_rules()),
        ("mode", one_of(&["enabled", "warn", "disabled"])),
    ])
}

fn post_renderer() -> Schema {
    object([(
        "kustomize",
        object([
            ("images", applier::images()),
            ("patches", applier::patches()),
        ]),
    )])
}

/// Fields of every actionbut `test`.
fn action() -> Schema {
    object([
        ("disableHooks", boolean()),
        ("disableWait", boolean()),
        ("timeout", interval()),
    ])
}

/// Fields of the actions that create objects.
fn creating_action() -> Schema {
    action().and([("disableWaitForJobs", boolean())])
}

/// Fields that install and upgrade share; `(rule, message)` says when the strategy takes a retry interval.
fn release_action(strategy_rule: (&str, &str)) -> Schema {
    creating_action().and([
        ("crds", one_of(&["Skip", "Create", "CreateReplace"])),
        ("disableOpenAPIValidation", boolean()),
        ("disableSchemaValidation", boolean()),
        ("disableTakeOwnership", boolean()),
        ("remediation", remediation()),
        ("strategy", strategy(strategy_rule)),
    ])
}

fn strategy((rule, message): (&str, &str)) -> Schema {
    object([
        ("name!", one_of(&["RemediateOnFailure", "RetryOnFailure"])),
        ("retryInterval", interval()),
    ])
    .rule(rule, message)
}

fn remediation() -> Schema {
    object([
        ("ignoreTestFailures", boolean()),
        ("remediateLastFailure", boolean()),
        ("retries", integer()),
    ])
}

fn server_side_apply() -> Schema {
    one_of(&["enabled", "disabled", "auto"])
}

fn install() -> Schema {
    release_action((
        "!has(self.retryInterval) || self.name != 'RemediateOnFailure'",
        ".retryInterval cannot be set when .name is 'RemediateOnFailure'",
    ))
    .and([
        ("createNamespace", boolean()),
        ("replace", boolean()),
        ("serverSideApply", boolean()),
        ("skipCRDs", boolean()),
    ])
}

fn upgrade() -> Schema {
    release_action((
        "!has(self.retryInterval) || self.name == 'RetryOnFailure'",
        ".retryInterval can only be set when .name is 'RetryOnFailure'",
    ))
    .and([
        (
            "chartNameChangeStrategy",
            one_of(&["Reinstall", "InPlaceUpdate"]),
        ),
        ("cleanupOnFail", boolean()),
        ("force", boolean()),
        ("preserveValues", boolean()),
        (
            "remediation",
            remediation().and([("strategy", one_of(&["rollback", "uninstall"]))]),
        ),
        ("serverSideApply", server_side_apply()),
    ])
}

fn test() -> Schema {
    object([
        ("enable", boolean()),
        (
            "filters",
            list(object([
                ("exclude", boolean()),
                ("name!", string().length(1, 253)),
            ])),
        ),
        ("ignoreFailures", boolean()),
        ("timeout", interval()),
    ])
}

fn rollback() -> Schema {
    creating_action().and([
        ("cleanupOnFail", boolean()),
        ("force", boolean()),
        ("recreate", boolean()),
        ("serverSideApply", server_side_apply()),
    ])
}

fn uninstall() -> Schema {
    action().and([
        (
            "deletionPropagation",
            one_of(&["background", "foreground", "orphan"]).default("background"),
        ),
        ("keepHistory", boolean()),
    ])
}

fn values_reference() -> Schema {
    object([
        ("kind!", one_of(&["Secret", "ConfigMap"])),
        ("literal", boolean()),
        ("name!", string().length(1, 253)),
        ("optional", boolean()),
        (
            "targetPath",
            string()
                .with("maxLength", 250)
                .pattern(r"^([a-zA-Z0-9_\-.\\\/]|\[[0-9]{1,5}\])+$"),
        ),
        (
            "valuesKey",
            string()
                .with("maxLength", 253)
                .pattern(r"^[\-._a-zA-Z0-9]+$"),
        ),
    ])
}

fn snapshot() -> Schema {
    object([
        ("action", string()),
        ("apiVersion", string()),
        ("appVersion", string()),
        ("chartName!", string()),
        ("chartVersion!", string()),
        ("configDigest!", string()),
        ("deleted", date_time()),
        ("digest!", string()),
        ("firstDeployed!", date_time()),
        ("lastDeployed!", date_time()),
        ("name!", string()),
        ("namespace!", string()),
        ("ociDigest", string()),
        ("status!", string()),
        (
            "testHooks",
            Schema(json!({"type": "object", "additionalProperties": object([
                ("lastCompleted", date_time()),
                ("lastStarted", date_time()),
                ("phase", string()),
            ]).with("nullable", true).0})),
        ),
        ("version!", integer()),
    ])
}

fn status() -> Schema {
    object([
        ("conditions", conditions()),
        ("failures", integer()),
        ("helmChart", string()),
        ("history", list(snapshot())),
        ("installFailures", integer()),
        ("inventory", applier::inventory()),
        ("lastAttemptedConfigDigest", string()),
        ("lastAttemptedGeneration", integer()),
        (
            "lastAttemptedReleaseAction",
            one_of(&["install", "upgrade"]),
        ),
        ("lastAttemptedReleaseActionDuration", string()),
        ("lastAttemptedRevision", string()),
        ("lastAttemptedRevisionDigest", string()),
        ("lastAttemptedValuesChecksum", string()),
        ("lastHandledForceAt", string()),
        ("lastHandledReconcileAt", string()),
        ("lastHandledResetAt", string()),
        ("lastReleaseRevision", integer()),
        ("observedCommonMetadataDigest", string()),
        ("observedGeneration", integer()),
        ("observedPostRenderersDigest", string()),
        ("storageNamespace", string().length(1, 63)),
        ("upgradeFailures", integer()),
    ])
    .about("What was installed, and how it went.")
}

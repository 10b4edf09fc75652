//! CRD of `kustomize.toolkit.fluxcd.io`.

use super::schema::{
    Schema, anything, boolean, conditions, date_time, integer, interval, list, local_reference,
    object, one_of, string, strings_by_key,
};
use super::{Definition, age_column, ready_columns};
use crate::names;

pub(super) fn definition() -> Definition {
    let mut columns = vec![age_column()];
    columns.extend(ready_columns());
    Definition {
        group: names::KUSTOMIZE_GROUP,
        kind: names::KUSTOMIZATION,
        plural: "kustomizations",
        short_names: &["ks"],
        categories: &["all", "fluxcd", "fluxcd-appliers"],
        versions: &["v1", "v1beta2", "v1beta1"],
        columns,
        spec: spec().0,
        status: status().0,
        status_default: true,
    }
}

fn spec() -> Schema {
    object([
        (
            "buildMetadata",
            list(one_of(&["originAnnotations", "transformerAnnotations"])),
        ),
        (
            "commonMetadata",
            object([
                ("annotations", strings_by_key()),
                ("labels", strings_by_key()),
            ]),
        ),
        ("components", list(string())),
        (
            "decryption",
            object([
                ("provider!", one_of(&["sops"])),
                ("secretRef", local_reference()),
                ("serviceAccountName", string()),
            ]),
        ),
        (
            "deletionPolicy",
            one_of(&["MirrorPrune", "Delete", "WaitForTermination", "Orphan"]),
        ),
        (
            "dependsOn",
            list(object([
                ("name!", string()),
                ("namespace", string()),
                ("readyExpr", string()),
            ])),
        ),
        ("force", boolean().default(false)),
        ("healthCheckExprs", list(health_check_expression())),
        (
            "healthChecks",
            list(object([
                ("apiVersion", string()),
                ("kind!", string()),
                ("name!", string()),
                ("namespace", string()),
            ])),
        ),
        (
            "ignore",
            list(object([("paths!", list(string())), ("target", selector())])),
        ),
        ("ignoreMissingComponents", boolean()),
        (
            "images",
            list(object([
                ("digest", string()),
                ("name!", string()),
                ("newName", string()),
                ("newTag", string()),
            ])),
        ),
        (
            "interval!",
            interval().about("Time between two reconciles after success."),
        ),
        ("kubeConfig", kube_config()),
        ("namePrefix", string().length(1, 200)),
        ("nameSuffix", string().length(1, 200)),
        (
            "patches",
            list(object([("patch!", string()), ("target", selector())])),
        ),
        (
            "patchesJson6902",
            list(object([
                ("patch!", list(anything())),
                ("target!", selector()),
            ])),
        ),
        ("patchesStrategicMerge", list(anything())),
        (
            "path",
            string().about("Directory in the source's artifact."),
        ),
        ("postBuild", post_build()),
        (
            "prune!",
            boolean().about("Deletes objects that left the build."),
        ),
        ("retryInterval", interval()),
        ("serviceAccountName", string()),
        ("sourceRef!", source_reference()),
        ("suspend", boolean().about("Switches reconciliation off.")),
        ("targetNamespace", string().length(1, 63)),
        ("timeout", interval()),
        ("validation", one_of(&["none", "client", "server"])),
        ("wait", boolean().about("Waits for every applied object.")),
    ])
    .about("What to build, how to change it, and how to apply it.")
}

pub(super) fn health_check_expression() -> Schema {
    object([
        ("apiVersion!", string()),
        ("current!", string()),
        ("failed", string()),
        ("inProgress", string()),
        ("kind", string()),
    ])
}

pub(super) fn kube_config() -> Schema {
    const EXACTLY_ONE: &str = "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified";
    object([
        ("configMapRef", local_reference()),
        (
            "secretRef",
            object([("key", string()), ("name!", string())]),
        ),
    ])
    .rule("has(self.configMapRef) || has(self.secretRef)", EXACTLY_ONE)
    .rule(
        "!has(self.configMapRef) || !has(self.secretRef)",
        EXACTLY_ONE,
    )
}

fn post_build() -> Schema {
    object([
        ("substitute", strings_by_key()),
        (
            "substituteFrom",
            list(object([
                ("kind!", one_of(&["Secret", "ConfigMap"])),
                ("name!", string().length(1, 253)),
                ("optional", boolean().default(false)),
            ])),
        ),
        ("substituteStrategy", one_of(&["WithVariables", "Always"])),
    ])
}

fn source_reference() -> Schema {
    object([
        ("apiVersion", string()),
        (
            "kind!",
            one_of(&[
                "OCIRepository",
                "GitRepository",
                "Bucket",
                "ExternalArtifact",
            ]),
        ),
        ("name!", string()),
        ("namespace", string()),
    ])
}

pub(super) fn selector() -> Schema {
    object([
        ("annotationSelector", string()),
        ("group", string()),
        ("kind", string()),
        ("labelSelector", string()),
        ("name", string()),
        ("namespace", string()),
        ("version", string()),
    ])
}

fn status() -> Schema {
    object([
        ("conditions", conditions()),
        (
            "history",
            list(object([
                ("digest!", string()),
                ("firstReconciled!", date_time()),
                ("lastReconciled!", date_time()),
                ("lastReconciledDuration!", string()),
                ("lastReconciledStatus!", string()),
                ("metadata", strings_by_key()),
                ("totalReconciliations!", integer()),
            ])),
        ),
        (
            "inventory",
            object([(
                "entries!",
                list(object([("id!", string()), ("v!", string())])),
            )]),
        ),
        ("lastAppliedOriginRevision", string()),
        ("lastAppliedRevision", string()),
        ("lastAttemptedRevision", string()),
        ("lastHandledReconcileAt", string()),
        ("observedGeneration", integer()),
    ])
    .about("What was built and applied.")
}

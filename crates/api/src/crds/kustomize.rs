//! CRD of `kustomize.toolkit.fluxcd.io`.

use super::schema::{
    Schema, anything, boolean, conditions, date_time, integer, interval, list, local_reference,
    object, one_of, string, strings_by_key,
};
use super::{Definition, applier};
use crate::names;

pub(super) fn definition() -> Definition {
    Definition {
        group: names::KUSTOMIZE_GROUP,
        kind: names::KUSTOMIZATION,
        plural: "kustomizations",
        short_names: &["ks"],
        categories: applier::CATEGORIES,
        versions: &["v1", "v1beta2", "v1beta1"],
        columns: applier::columns(),
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
        ("commonMetadata", applier::common_metadata()),
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
        ("dependsOn", applier::dependencies()),
        ("force", boolean().default(false)),
        ("healthCheckExprs", applier::health_checks()),
        (
            "healthChecks",
            list(object([
                ("apiVersion", string()),
                ("kind!", string()),
                ("name!", string()),
                ("namespace", string()),
            ])),
        ),
        ("ignore", applier::ignore_rules()),
        ("ignoreMissingComponents", boolean()),
        ("images", applier::images()),
        (
            "interval!",
            interval().about("Time between two reconciles after success."),
        ),
        ("kubeConfig", applier::kube_config()),
        ("namePrefix", string().length(1, 200)),
        ("nameSuffix", string().length(1, 200)),
        ("patches", applier::patches()),
        (
            "patchesJson6902",
            list(object([
                ("patch!", list(anything())),
                ("target!", applier::selector()),
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
        ("inventory", applier::inventory()),
        ("lastAppliedOriginRevision", string()),
        ("lastAppliedRevision", string()),
        ("lastAttemptedRevision", string()),
        ("lastHandledReconcileAt", string()),
        ("observedGeneration", integer()),
    ])
    .about("What was built and applied.")
}

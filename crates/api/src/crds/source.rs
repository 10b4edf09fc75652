//! CRDs of `source.toolkit.fluxcd.io`.

use objects::Value;

use super::schema::{
    Schema, TIMEOUT, artifact, boolean, conditions, integer, interval, list, local_reference,
    object, one_of, string, strings_by_key,
};
use super::{Definition, age_column, column, ready_columns};
use crate::names;

const CATEGORIES: &[&str] = &["all", "fluxcd", "fluxcd-sources"];
const VERSIONS: &[&str] = &["v1", "v1beta2", "v1beta1"];

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        source(
            names::GIT_REPOSITORY,
            "gitrepositories",
            &["gitrepo"],
            git_spec(),
            git_status(),
        ),
        Definition {
            versions: &["v1", "v1beta2"],
            columns: url_ready_age(),
            ..source(
                names::OCI_REPOSITORY,
                "ocirepositories",
                &["ocirepo"],
                oci_spec(),
                oci_status(),
            )
        },
        source(
            names::HELM_REPOSITORY,
            "helmrepositories",
            &["helmrepo"],
            helm_repository_spec(),
            status([("url", string())]),
        ),
        Definition {
            columns: chart_columns(),
            ..source(
                names::HELM_CHART,
                "helmcharts",
                &["hc"],
                chart_spec(),
                chart_status(),
            )
        },
        Definition {
            columns: columns_after([column("Endpoint", "string", ".spec.endpoint")]),
            ..source(
                names::BUCKET,
                "buckets",
                &[],
                bucket_spec(),
                bucket_status(),
            )
        },
        Definition {
            versions: &["v1"],
            columns: external_columns(),
            status_default: false,
            ..source(
                names::EXTERNAL_ARTIFACT,
                "externalartifacts",
                &["ea"],
                external_spec(),
                object([("artifact", artifact()), ("conditions", conditions())]),
            )
        },
    ]
}

fn source(
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    spec: Schema,
    status: Schema,
) -> Definition {
    Definition {
        group: names::SOURCE_GROUP,
        kind,
        plural,
        short_names,
        categories: CATEGORIES,
        versions: VERSIONS,
        columns: columns_after([column("URL", "string", ".spec.url")]),
        spec: spec.0,
        status: status.0,
        status_default: true,
    }
}

fn columns_after<const N: usize>(first: [Value; N]) -> Vec<Value> {
    let mut columns = Vec::from(first);
    columns.push(age_column());
    columns.extend(ready_columns());
    columns
}

fn url_ready_age() -> Vec<Value> {
    let mut columns = vec![column("URL", "string", ".spec.url")];
    columns.extend(ready_columns());
    columns.push(age_column());
    columns
}

fn chart_columns() -> Vec<Value> {
    columns_after([
        column("Chart", "string", ".spec.chart"),
        column("Version", "string", ".spec.version"),
        column("Source Kind", "string", ".spec.sourceRef.kind"),
        column("Source Name", "string", ".spec.sourceRef.name"),
    ])
}

fn external_columns() -> Vec<Value> {
    let mut columns = columns_after([]);
    columns.push(column("Source", "string", ".spec.sourceRef.name"));
    columns
}

fn timeout() -> Schema {
    string().pattern(TIMEOUT)
}

/// Status fields of every source, and those of one kind.
fn status<const N: usize>(more: [(&str, Schema); N]) -> Schema {
    object([
        ("artifact", artifact()),
        ("conditions", conditions()),
        ("lastHandledReconcileAt", string()),
        ("observedGeneration", integer()),
    ])
    .and(more)
    .about("What was fetched and stored.")
}

fn verify(with_trusted_root: bool) -> Schema {
    let mut schema = object([
        (
            "matchOIDCIdentity",
            list(object([("issuer!", string()), ("subject!", string())])),
        ),
        (
            "provider!",
            one_of(&["cosign", "notation"]).default("cosign"),
        ),
        ("secretRef", local_reference()),
    ]);
    if with_trusted_root {
        schema = schema.and([("trustedRootSecretRef", local_reference())]);
    }
    schema
}

fn git_include() -> Schema {
    list(object([
        ("fromPath", string()),
        ("repository!", local_reference()),
        ("toPath", string()),
    ]))
}

fn git_spec() -> Schema {
    const ACCOUNT: &str = "serviceAccountName can only be set when provider is 'azure' or 'aws'";
    object([
        ("ignore", string()),
        ("include", git_include()),
        ("interval!", interval()),
        ("provider", one_of(&["generic", "aws", "azure", "github"])),
        ("proxySecretRef", local_reference()),
        ("recurseSubmodules", boolean()),
        (
            "ref",
            object([
                ("branch", string()),
                ("commit", string()),
                ("name", string()),
                ("semver", string()),
                ("tag", string()),
            ]),
        ),
        ("secretRef", local_reference()),
        ("serviceAccountName", string()),
        ("sparseCheckout", list(string())),
        ("suspend", boolean()),
        ("timeout", timeout().default("60s")),
        // Local repositories (`file://`, absolute paths) are ours; upstream stops at ssh.
        ("url!", string().pattern("^((http|https|ssh|file)://|/).*$")),
        (
            "verify",
            object([
                (
                    "mode",
                    one_of(&["head", "HEAD", "Tag", "TagAndHEAD"]).default("HEAD"),
                ),
                ("secretRef!", local_reference()),
            ]),
        ),
    ])
    .rule(
        "!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))",
        ACCOUNT,
    )
    .about("What to fetch from Git, and how.")
}

fn git_status() -> Schema {
    status([
        ("includedArtifacts", list(artifact())),
        ("observedIgnore", string()),
        ("observedInclude", git_include()),
        ("observedRecurseSubmodules", boolean()),
        ("observedSparseCheckout", list(string())),
        ("sourceVerificationMode", string()),
    ])
}

fn layer_selector() -> Schema {
    object([
        ("mediaType", string()),
        ("operation", one_of(&["extract", "copy"])),
    ])
}

fn oci_provider() -> Schema {
    one_of(&["generic", "aws", "azure", "gcp"]).default("generic")
}

fn oci_spec() -> Schema {
    object([
        ("certSecretRef", local_reference()),
        ("ignore", string()),
        ("insecure", boolean()),
        ("interval!", interval()),
        ("layerSelector", layer_selector()),
        ("provider", oci_provider()),
        ("proxySecretRef", local_reference()),
        (
            "ref",
            object([
                ("digest", string()),
                ("semver", string()),
                ("semverFilter", string()),
                ("tag", string()),
            ]),
        ),
        ("secretRef", local_reference()),
        ("serviceAccountName", string()),
        ("suspend", boolean()),
        ("timeout", timeout().default("60s")),
        ("url!", string().pattern("^oci://.*$")),
        ("verify", verify(true)),
    ])
}

fn oci_status() -> Schema {
    status([
        ("observedIgnore", string()),
        ("observedLayerSelector", layer_selector()),
        ("url", string()),
    ])
}

fn helm_repository_spec() -> Schema {
    object([
        (
            "accessFrom",
            object([(
                "namespaceSelectors!",
                list(object([("matchLabels", strings_by_key())])),
            )]),
        ),
        ("certSecretRef", local_reference()),
        ("insecure", boolean()),
        ("interval", interval()),
        ("passCredentials", boolean()),
        ("provider", oci_provider()),
        ("secretRef", local_reference()),
        ("suspend", boolean()),
        ("timeout", timeout()),
        ("type", one_of(&["default", "oci"])),
        ("url!", string().pattern("^(http|https|oci)://.*$")),
    ])
}

fn chart_spec() -> Schema {
    object([
        ("chart!", string()),
        ("ignoreMissingValuesFiles", boolean()),
        ("interval!", interval()),
        (
            "reconcileStrategy",
            one_of(&["ChartVersion", "Revision"]).default("ChartVersion"),
        ),
        (
            "sourceRef!",
            object([
                ("apiVersion", string()),
                (
                    "kind!",
                    one_of(&["HelmRepository", "GitRepository", "Bucket"]),
                ),
                ("name!", string()),
            ]),
        ),
        ("suspend", boolean()),
        ("valuesFiles", list(string())),
        ("verify", verify(false)),
        ("version", string().default("*")),
    ])
    .rule(
        "!has(self.verify) || self.sourceRef.kind == 'HelmRepository'",
        "spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'",
    )
}

fn chart_status() -> Schema {
    status([
        ("observedChartName", string()),
        ("observedSourceArtifactRevision", string()),
        ("observedValuesFiles", list(string())),
        ("url", string()),
    ])
}

fn bucket_spec() -> Schema {
    let schema = object([
        ("bucketName!", string()),
        ("certSecretRef", local_reference()),
        ("endpoint!", string()),
        ("ignore", string()),
        ("insecure", boolean()),
        ("interval!", interval()),
        ("prefix", string()),
        (
            "provider",
            one_of(&["generic", "aws", "gcp", "azure"]).default("generic"),
        ),
        ("proxySecretRef", local_reference()),
        ("region", string()),
        ("secretRef", local_reference()),
        ("serviceAccountName", string()),
        (
            "sts",
            object([
                ("certSecretRef", local_reference()),
                ("endpoint!", string().pattern("^(http|https)://.*$")),
                ("provider!", one_of(&["aws", "ldap"])),
                ("secretRef", local_reference()),
            ]),
        ),
        ("suspend", boolean()),
        ("timeout", timeout().default("60s")),
    ]);
    BUCKET_RULES
        .iter()
        .fold(schema, |schema, (rule, message)| schema.rule(rule, message))
}

const BUCKET_RULES: [(&str, &str); 7] = [
    (
        "self.provider == 'aws' || self.provider == 'generic' || !has(self.sts)",
        "STS configuration is only supported for the 'aws' and 'generic' Bucket providers",
    ),
    (
        "self.provider != 'aws' || !has(self.sts) || self.sts.provider == 'aws'",
        "'aws' is the only supported STS provider for the 'aws' Bucket provider",
    ),
    (
        "self.provider != 'generic' || !has(self.sts) || self.sts.provider == 'ldap'",
        "'ldap' is the only supported STS provider for the 'generic' Bucket provider",
    ),
    (
        "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.secretRef)",
        "spec.sts.secretRef is not required for the 'aws' STS provider",
    ),
    (
        "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.certSecretRef)",
        "spec.sts.certSecretRef is not required for the 'aws' STS provider",
    ),
    (
        "self.provider != 'generic' || !has(self.serviceAccountName)",
        "ServiceAccountName is not supported for the 'generic' Bucket provider",
    ),
    (
        "!has(self.secretRef) || !has(self.serviceAccountName)",
        "cannot set both .spec.secretRef and .spec.serviceAccountName",
    ),
];

fn bucket_status() -> Schema {
    status([("observedIgnore", string()), ("url", string())])
}

fn external_spec() -> Schema {
    object([(
        "sourceRef",
        object([
            ("apiVersion", string()),
            ("kind!", string()),
            ("name!", string()),
            ("namespace", string()),
        ]),
    )])
}

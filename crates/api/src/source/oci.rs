//! OCIRepository.

use serde::{Deserialize, Serialize};

use super::Artifact;
use crate::meta::{Duration, Kind, LocalObjectReference, Resource};
use crate::{Condition, names};

/// An artifact in an OCI registry as a source.
pub type OciRepository = Resource<OciRepositorySpec, OciRepositoryStatus>;

/// The layer operation that unpacks a layer; the default.
pub const LAYER_EXTRACT: &str = "extract";
/// The layer operation that keeps a layer as it is.
pub const LAYER_COPY: &str = "copy";

/// What to pull, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OciRepositorySpec {
    /// `oci://<domain>/<org>/<repo>`, without tag.
    pub url: String,
    /// Which artifact; the tag `latest` where absent.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<OciRepositoryRef>,
    /// Which layer, and what to do with it; the first one, unpacked, where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_selector: Option<OciLayerSelector>,
    /// How to log in: `generic`, `aws`, `azure`, `gcp`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// Secret with a Docker config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Signature verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<OciRepositoryVerification>,
    /// Service account whose image pull Secrets are used.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// Secret with a client certificate and a CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Secret with a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Time between two looks at the registry.
    pub interval: Duration,
    /// Longest time for one operation; 60 s where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Further ignore rules, in gitignore syntax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Plain HTTP, or certificates that nobody vouches for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Switches reconciliation off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

impl OciRepositorySpec {
    /// Returns the longest time for one operation.
    pub fn timeout(&self) -> std::time::Duration {
        self.timeout
            .map_or(std::time::Duration::from_secs(60), |timeout| timeout.0)
    }

    /// Returns the media type of the wanted layer; empty for the first one.
    pub fn layer_media_type(&self) -> &str {
        let selector = self.layer_selector.as_ref();
        selector.map_or("", |selector| &selector.media_type)
    }

    /// Returns what is done with the layer.
    pub fn layer_operation(&self) -> &str {
        let operation = self.layer_selector.as_ref().map(|s| s.operation.as_str());
        match operation {
            None | Some("") => LAYER_EXTRACT,
            Some(operation) => operation,
        }
    }
}

impl Kind for OciRepositorySpec {
    const GROUP: &'static str = names::SOURCE_GROUP;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = names::OCI_REPOSITORY;
    const PLURAL: &'static str = "ocirepositories";
}

/// Which artifact: `digest` beats `semver` beats `tag`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OciRepositoryRef {
    /// Digest, `<algorithm>:<hex>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Semver range over tags.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub semver: String,
    /// Regular expression that tags must match before the range is looked at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub semver_filter: String,
    /// Tag; `latest` where nothing is set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,
}

/// Which layer of an artifact, and what to do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OciLayerSelector {
    /// Media type; the first layer where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// `extract` or `copy`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operation: String,
}

/// Which signatures must be good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OciRepositoryVerification {
    /// `cosign` or `notation`.
    pub provider: String,
    /// Secret with public keys; keyless where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Identities of which one must have signed.
    #[serde(rename = "matchOIDCIdentity", skip_serializing_if = "Vec::is_empty")]
    pub match_oidc_identity: Vec<OidcIdentityMatch>,
    /// Secret with a trusted root; for OCIRepositories only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_root_secret_ref: Option<LocalObjectReference>,
}

/// An identity by regular expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OidcIdentityMatch {
    /// Issuer.
    pub issuer: String,
    /// Subject.
    pub subject: String,
}

/// What was pulled and stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OciRepositoryStatus {
    /// Generation last brought to an end; -1 before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions in stored order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Address that always leads to the newest artifact.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The stored artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// `spec.ignore` of the stored artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
    /// `spec.layerSelector` of the stored artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_layer_selector: Option<OciLayerSelector>,
    /// Reconcile request last acted upon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_handled_reconcile_at: String,
}

#[cfg(test)]
mod tests {
    use objects::{Object, json};

    use crate::{HelmChart, OciRepository};

    #[test]
    fn specs_read_and_write_upstreams_names() {
        let spec = json!({
            "url": "oci://host/org/repo", "interval": "1m0s",
            "ref": {"semver": "1.x", "semverFilter": ".*"},
            "layerSelector": {"mediaType": "a/b", "operation": "copy"},
            "verify": {"provider": "cosign", "matchOIDCIdentity": [{"issuer": "a", "subject": "b"}]},
        });
        let object = Object::from_value(json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "OCIRepository",
            "metadata": {"name": "a", "namespace": "b"}, "spec": spec,
        }));
        let read = OciRepository::from_object(&object.unwrap()).unwrap();
        assert_eq!(read.spec.layer_media_type(), "a/b");
        assert_eq!(read.spec.layer_operation(), "copy");
        assert_eq!(read.to_object().get(&["spec"]), Some(&spec));
    }

    #[test]
    fn the_own_values_file_alone_counts_as_none() {
        for (files, expected) in [
            (&["values.yaml"][..], 0),
            (&["./values.yaml"], 0),
            (&["a.yaml"], 1),
            (&["values.yaml", "a.yaml"], 2),
        ] {
            let mut chart = HelmChart::default();
            chart.spec.values_files = files.iter().map(|f| (*f).to_owned()).collect();
            assert_eq!(chart.spec.values_files().len(), expected, "{files:?}");
        }
    }
}

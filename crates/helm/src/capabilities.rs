//! What the cluster can do, as templates see it: versions of Kubernetes, of the API and of Helm.

use crate::Version;
use gocompat::quote::quote;

/// API versions that exist where there is no cluster to ask: those the client library of both versions knows, in
/// the order in which both list them.
const DEFAULT_API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha2",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// Kubernetes version assumed where there is no cluster to ask.
pub const DEFAULT_KUBE_VERSION: &str = "v1.36.0";

/// A version of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// Full text with a `v`.
    pub version: String,
    /// The text without suffixes, for range checks.
    pub normalized: String,
    /// First number.
    pub major: String,
    /// Second number.
    pub minor: String,
}

/// A text that is no Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeVersionError {
    /// No number at the beginning.
    #[error("could not parse {} as version", quote(.0.as_bytes()))]
    Form(String),
    /// One number only.
    #[error("illegal version string {}", quote(.0.as_bytes()))]
    TooShort(String),
    /// A number that is too large, and the text it stands in.
    #[error("illegal non-numeric version component {} in {}: strconv.ParseUint: parsing {}: value out of range", quote(.0.as_bytes()), quote(.1.as_bytes()), quote(.0.as_bytes()))]
    TooLarge(String, String),
    /// The first number has a leading zero.
    #[error("illegal zero-prefixed version component {} in {}", quote(.0.as_bytes()), quote(.1.as_bytes()))]
    LeadingZero(String, String),
}

impl KubeVersion {
    /// Reads a version, with or without `v`; what follows the numbers is kept by Helm 4 only.
    ///
    /// # Errors
    /// The text does not begin with two numbers, or the first one has a leading zero.
    pub fn parse(text: &str, version: Version) -> Result<Self, KubeVersionError> {
        let form = || KubeVersionError::Form(text.to_owned());
        let trimmed = text.trim_start();
        let body = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let mut numbers: Vec<&str> = Vec::new();
        let mut rest = body;
        loop {
            let len = rest.bytes().take_while(u8::is_ascii_digit).count();
            if len == 0 {
                break;
            }
            numbers.push(&rest[..len]);
            match rest[len..].strip_prefix('.') {
                Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => rest = after,
                _ => break,
            }
        }
        if numbers.is_empty() {
            return Err(form());
        }
        if numbers.len() < 2 {
            return Err(KubeVersionError::TooShort(text.to_owned()));
        }
        if numbers[0].len() > 1 && numbers[0].starts_with('0') {
            let number = numbers[0].to_owned();
            return Err(KubeVersionError::LeadingZero(number, text.to_owned()));
        }
        let read = |number: &str| {
            let parsed = number.parse::<u64>().map(|number| number.to_string());
            parsed.map_err(|_| KubeVersionError::TooLarge(number.to_owned(), text.to_owned()))
        };
        let numbers: Vec<String> = numbers.into_iter().map(read).collect::<Result<_, _>>()?;
        let normalized = format!("v{}", numbers.join("."));
        let full = if text.starts_with('v') {
            text.to_owned()
        } else {
            format!("v{text}")
        };
        Ok(Self {
            version: if version == Version::V4 {
                full
            } else {
                normalized.clone()
            },
            major: numbers[0].clone(),
            minor: numbers[1].clone(),
            normalized,
        })
    }
}

/// What templates see as `.Capabilities`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Version of Kubernetes.
    pub kube_version: KubeVersion,
    /// Versions of the API, `group/version` and `group/version/Kind`.
    pub api_versions: Vec<String>,
    /// Which Helm is followed.
    pub helm: Version,
}

impl Capabilities {
    /// What is assumed where there is no cluster to ask.
    pub fn offline(helm: Version) -> Self {
        Self {
            kube_version: KubeVersion::parse(DEFAULT_KUBE_VERSION, helm)
                .expect("the default version is well formed"),
            api_versions: DEFAULT_API_VERSIONS
                .iter()
                .map(|text| (*text).to_owned())
                .collect(),
            helm,
        }
    }
}

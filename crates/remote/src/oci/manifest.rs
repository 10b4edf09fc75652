//! Manifests and descriptors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RegistryError;

/// Media types.
pub mod media_type {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// A Docker image manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Flux's config.
    pub const FLUX_CONFIG: &str = "application/vnd.cncf.flux.config.v1+json";
    /// Flux's content: a gzipped tarball of manifests.
    pub const FLUX_CONTENT: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
    /// Helm's config: the chart's metadata.
    pub const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
    /// Helm's content: a chart archive.
    pub const HELM_CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
    /// Helm's content under its first name.
    pub const HELM_CONTENT_LEGACY: &str = "application/tar+gzip";
}

/// What is named by a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// Size in bytes.
    pub size: u64,
    /// `sha256:<hex>`.
    pub digest: String,
    /// Platform, in indexes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Facts about it; may be empty.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// Processor.
    pub architecture: String,
    /// Operating system.
    pub os: String,
}

/// A manifest of layers, or an index of manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Media type; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Config blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Descriptor>,
    /// Layers, in order; of an index none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Descriptor>,
    /// Manifests of an index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Descriptor>,
    /// Facts about the artifact; may be empty.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest or an index.
    ///
    /// # Errors
    /// The text is no JSON of that shape.
    pub fn parse(text: &[u8]) -> Result<Self, RegistryError> {
        serde_json::from_slice(text).map_err(|error| RegistryError::Malformed(error.to_string()))
    }

    /// Tells whether this is an index.
    pub fn is_index(&self) -> bool {
        matches!(
            self.media_type.as_str(),
            media_type::OCI_INDEX | media_type::DOCKER_LIST
        ) || self.config.is_none() && !self.manifests.is_empty()
    }

    /// Finds the manifest for the default platform (linux/amd64) in an index.
    pub fn for_default_platform(&self) -> Option<&Descriptor> {
        self.manifests.iter().find(|descriptor| {
            let platform = descriptor.platform.as_ref();
            // A manifest that names no platform is for every one.
            platform.is_none_or(|p| p.architecture == "amd64" && p.os == "linux")
        })
    }
}

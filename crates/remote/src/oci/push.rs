//! Writing artifacts: blobs first, then the manifest that names them.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Descriptor, Manifest, Reference, Registry, RegistryError, media_type};

/// One layer of an artifact.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Media type.
    pub media_type: String,
    /// Contents.
    pub content: Bytes,
}

/// An artifact to push.
#[derive(Clone, Debug)]
pub struct Package {
    /// Media type of the config.
    pub config_media_type: String,
    /// Config.
    pub config: Bytes,
    /// Layers, in order.
    pub layers: Vec<Layer>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

impl Package {
    /// Writes the manifest, in the order of fields that upstream's tools write.
    pub fn manifest(&self) -> Vec<u8> {
        let manifest = Manifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.to_owned(),
            config: Some(describe(&self.config_media_type, &self.config)),
            layers: self
                .layers
                .iter()
                .map(|layer| describe(&layer.media_type, &layer.content))
                .collect(),
            annotations: self.annotations.clone(),
            ..Manifest::default()
        };
        serde_json::to_vec(&manifest).expect("a manifest is plain data")
    }
}

fn describe(media_type: &str, content: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        size: content.len() as u64,
        digest: sha256(content),
        ..Descriptor::default()
    }
}

/// Returns `sha256:<hex>` of bytes.
pub(super) fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

impl Registry {
    /// Pushes an artifact; returns the digest of its manifest.
    ///
    /// # Errors
    /// The registry refuses or cannot be reached.
    pub async fn push(
        &self,
        reference: &Reference,
        package: &Package,
    ) -> Result<String, RegistryError> {
        for layer in &package.layers {
            self.push_blob(&layer.content).await?;
        }
        self.push_blob(&package.config).await?;
        let manifest = package.manifest();
        self.put_manifest(reference, media_type::OCI_MANIFEST, manifest)
            .await
    }
}

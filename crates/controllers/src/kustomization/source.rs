//! Finding the source and its artifact's files.

use std::sync::Arc;
use std::time::Duration;

use api::{Artifact, Kustomization, names};
use controller_runtime::{Key, Run};
use filetree::{FileTree, MemoryTree, UnpackLimits, unpack_tar_gz};
use objects::Object;
use reconcile::kustomization::Failure;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::KustomizationController;
use crate::applier::download::{Download, DownloadError};
use crate::artifact::StoreError;
use crate::source::source_gvk;

/// Longest time for one try of a download.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest archive taken from elsewhere, in bytes: the limit of what is unpacked applies to it, too.
const DOWNLOAD_MAX: u64 = 1 << 30;

/// Finds the source's artifact.
pub(super) async fn resolve(
    controller: &KustomizationController,
    run: &Run,
    own: &Kustomization,
) -> Result<Artifact, Failure> {
    let reference = &own.spec.source_ref;
    let namespace = own.source_namespace();
    let settings = &controller.settings;
    if settings.no_cross_namespace_refs && namespace != own.metadata.namespace {
        return Err(Failure::AccessDenied(format!(
            "can't access '{}/{namespace}/{}', cross-namespace references have been blocked",
            reference.kind, reference.name
        )));
    }
    match reference.kind.as_str() {
        names::GIT_REPOSITORY | names::OCI_REPOSITORY | names::BUCKET => {}
        names::EXTERNAL_ARTIFACT if settings.gates.external_artifact => {}
        names::EXTERNAL_ARTIFACT => {
            return Err(Failure::AccessDenied(format!(
                "can't access 'ExternalArtifact/{namespace}/{}', ExternalArtifact feature gate is disabled",
                reference.name
            )));
        }
        kind => {
            return Err(Failure::SourceUnreadable(format!(
                "source `{}` kind '{kind}' not supported",
                reference.name
            )));
        }
    }
    let source = read(run, &reference.kind, namespace, &reference.name).await?;
    let artifact = source
        .get(&["status", "artifact"])
        .filter(|v| !v.is_null())
        .ok_or(Failure::NoArtifact)?;
    Artifact::deserialize(artifact).map_err(|error| {
        Failure::SourceUnreadable(format!(
            "unable to get source '{namespace}/{}': {error}",
            reference.name
        ))
    })
}

/// Reads a source from its cache, or from the server where the cache does not have it (yet).
async fn read(run: &Run, kind: &str, namespace: &str, name: &str) -> Result<Arc<Object>, Failure> {
    let runtime = &run.runtime;
    let gvk = source_gvk(kind);
    let store = runtime.store(&runtime.spec(gvk.clone(), ""));
    if let Some(object) = store.get(&Key::new(namespace, name)) {
        return Ok(object);
    }
    let unreadable = |error: cluster::Error| {
        Failure::SourceUnreadable(format!(
            "unable to get source '{namespace}/{name}': {error}"
        ))
    };
    let resource = runtime.cluster.resolve(&gvk).await.map_err(unreadable)?;
    let target = cluster::Target::new(&resource, namespace, name);
    match runtime.cluster.get(&target).await {
        Ok(object) => Ok(Arc::new(object)),
        Err(error) if error.is_not_found() => Err(Failure::SourceNotFound(error.to_string())),
        Err(error) => Err(unreadable(error)),
    }
}

/// Returns the files of an artifact: from this process's store, or over HTTP.
pub(super) async fn files(
    controller: &KustomizationController,
    run: &Run,
    artifact: &Artifact,
) -> Result<Arc<dyn FileTree>, Failure> {
    let store = controller.artifacts.clone();
    let wanted = artifact.clone();
    let local = tokio::task::spawn_blocking(move || store.tree(&wanted)).await;
    match local {
        Ok(Ok(tree)) => return Ok(tree),
        Ok(Err(StoreError::NotFound(_))) => {}
        Ok(Err(error)) => {
            return Err(Failure::Artifact(format!(
                "failed to verify archive: {error}"
            )));
        }
        Err(error) => return Err(Failure::Artifact(error.to_string())),
    }
    let bytes = download(controller, run, artifact).await?;
    let tree = unpack(bytes, artifact)?;
    controller
        .artifacts
        .remember(&artifact.digest, tree.clone());
    Ok(tree)
}

fn unpack(bytes: Vec<u8>, artifact: &Artifact) -> Result<Arc<MemoryTree>, Failure> {
    let computed = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
    let digest = match artifact.digest.split_once(':') {
        Some(_) => artifact.digest.clone(),
        None => format!("sha256:{}", artifact.digest),
    };
    if computed != digest {
        return Err(Failure::Artifact(format!(
            "failed to verify archive: computed digest doesn't match provided '{digest}' (check whether file size exceeds max download size)"
        )));
    }
    unpack_tar_gz(&bytes[..], UnpackLimits::ARTIFACT)
        .map(Arc::new)
        .map_err(|error| Failure::Artifact(format!("failed to untar archive: {error}")))
}

async fn download(
    controller: &KustomizationController,
    run: &Run,
    artifact: &Artifact,
) -> Result<Vec<u8>, Failure> {
    let download = Download {
        url: &artifact.url,
        retries: controller.settings.http_retry,
        timeout: DOWNLOAD_TIMEOUT,
        bytes_max: DOWNLOAD_MAX,
        failed: "failed to download archive",
        refused: &format!("failed to download archive from {}", artifact.url),
    };
    let fetched = download.run(run, &controller.clients).await;
    fetched.map_err(|error| match error {
        DownloadError::Gone => Failure::ArtifactGone,
        DownloadError::Failed(text) => Failure::Artifact(text),
    })
}

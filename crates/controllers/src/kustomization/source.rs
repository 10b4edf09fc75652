//! Finding the source and its artifact's files.

use std::sync::Arc;
use std::time::Duration;

use api::{Artifact, Kustomization, names};
use controller_runtime::{Key, Run};
use filetree::{FileTree, MemoryTree, UnpackLimits, unpack_tar_gz};
use objects::{Gvk, Object};
use reconcile::kustomization::Failure;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::KustomizationController;
use crate::artifact::StoreError;

/// Waits between two tries of a download.
const RETRY_MIN: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Longest time for one try of a download.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest archive taken from elsewhere, in bytes: the limit of what is unpacked applies to it, too.
const DOWNLOAD_MAX: u64 = 1 << 30;

/// Returns the kind of a source in the version read.
pub(super) fn source_gvk(kind: &str) -> Gvk {
    Gvk::new(names::SOURCE_GROUP, "v1", kind)
}

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

enum Download {
    Done(Vec<u8>),
    Gone,
    /// Another try may help, or not.
    Failed {
        error: String,
        retry: bool,
    },
}

async fn download(
    controller: &KustomizationController,
    run: &Run,
    artifact: &Artifact,
) -> Result<Vec<u8>, Failure> {
    let mut pause = RETRY_MIN;
    let mut tries = 0;
    loop {
        match download_once(controller, &artifact.url).await {
            Download::Done(bytes) => return Ok(bytes),
            Download::Gone => return Err(Failure::ArtifactGone),
            Download::Failed { error, retry } => {
                if !retry || tries >= controller.settings.http_retry {
                    return Err(Failure::Artifact(error));
                }
            }
        }
        tries += 1;
        run.waiting(run.runtime.clock.sleep(pause)).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn download_once(controller: &KustomizationController, url: &str) -> Download {
    let failed = |cause: &dyn std::fmt::Display, retry| Download::Failed {
        error: format!("failed to download archive: {cause}"),
        retry,
    };
    let client = match controller.clients.get(&remote::ClientOptions::default()) {
        Ok(client) => client,
        Err(error) => return failed(&error, false),
    };
    let mut response = match client.get(url).timeout(DOWNLOAD_TIMEOUT).send().await {
        Ok(response) => response,
        Err(error) => return failed(&error, true),
    };
    let status = response.status();
    if status.as_u16() == 404 {
        return Download::Gone;
    }
    if !status.is_success() {
        return Download::Failed {
            error: format!("failed to download archive from {url} (status: {status})"),
            retry: status.is_server_error(),
        };
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Download::Done(bytes),
            Err(error) => return failed(&error, true),
        }
        if bytes.len() as u64 > DOWNLOAD_MAX {
            return failed(&format!("larger than {DOWNLOAD_MAX} bytes"), false);
        }
    }
}

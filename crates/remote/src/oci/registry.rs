//! A session with one repository of a registry.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{LINK, LOCATION};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use super::push::sha256;
use super::session::{Ask, Session, read, transport};
use super::{Descriptor, Manifest, Reference, RegistryError, Repository, Selector, media_type};
use crate::mirror::find_repository;
use crate::{ClientOptions, Clients, Credentials, Redirects, Secret};

/// Largest manifest, as registries allow.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Largest answer with tags, tokens or refusals.
pub(super) const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Tags asked for at once, and pages of them read at most.
const PAGE_TAGS: usize = 1000;
const PAGES_MAX: usize = 1000;

/// How failed requests are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries altogether.
    pub tries: u32,
    /// Wait before the second try; each further one is three times as long.
    pub wait: Duration,
}

impl Default for Retry {
    /// Upstream's three tries.
    fn default() -> Self {
        Self {
            tries: 3,
            wait: Duration::from_secs(1),
        }
    }
}

/// How a registry is used.
#[derive(Clone, Debug, Default)]
pub struct RegistryOptions {
    /// TLS and proxy.
    pub client: ClientOptions,
    /// How to log in.
    pub credentials: Credentials,
    /// Whether plain HTTP is allowed; on this machine and in private networks it always is.
    pub plain_http: bool,
    /// How failed requests are tried again.
    pub retry: Retry,
}

/// A session with one repository. Tokens are asked for once.
pub struct Registry {
    pub(super) http: reqwest::Client,
    pub(super) repository: Repository,
    pub(super) credentials: Credentials,
    pub(super) plain_http: bool,
    pub(super) retry: Retry,
    pub(super) session: OnceCell<Session>,
    /// Tokens by scope.
    pub(super) tokens: Mutex<HashMap<String, Secret>>,
}

const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json,application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.list.v2+json,application/vnd.oci.image.index.v1+json";

impl Registry {
    /// Opens a session, with the repository's mirror where it has one; nothing is sent yet.
    ///
    /// # Errors
    /// The TLS or proxy settings cannot be used.
    pub fn open(
        clients: &Clients,
        repository: Repository,
        options: &RegistryOptions,
    ) -> Result<Self, RegistryError> {
        if let Some(mirror) = find_repository(clients.mirrors(), &repository) {
            let options = RegistryOptions {
                retry: options.retry,
                ..RegistryOptions::default()
            };
            return Self::at(clients, mirror, &options);
        }
        Self::at(clients, repository, options)
    }

    fn at(
        clients: &Clients,
        repository: Repository,
        options: &RegistryOptions,
    ) -> Result<Self, RegistryError> {
        let client = ClientOptions {
            redirects: Redirects::Follow,
            ..options.client.clone()
        };
        Ok(Self {
            http: clients.get(&client)?,
            repository,
            credentials: options.credentials.clone(),
            plain_http: options.plain_http,
            retry: options.retry,
            session: OnceCell::new(),
            tokens: Mutex::default(),
        })
    }

    /// The repository of this session.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Lists all tags, in the registry's order.
    ///
    /// # Errors
    /// The registry refuses, cannot be reached, or pages without end.
    pub async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut url = self.url(&format!("tags/list?n={PAGE_TAGS}")).await?;
        let mut tags = Vec::new();
        for _ in 0..PAGES_MAX {
            let response = self.send(Ask::get(url.clone())).await?;
            let next = next_page(&response, &url)?;
            let body = read(response, ANSWER_BYTES_MAX, "list of tags").await?;
            let page: Page = serde_json::from_slice(&body)
                .map_err(|error| RegistryError::Malformed(error.to_string()))?;
            tags.extend(page.tags.unwrap_or_default());
            match next {
                Some(next) => url = next,
                None => return Ok(tags),
            }
        }
        let message = format!("more than {PAGES_MAX} pages of tags");
        Err(RegistryError::Malformed(message))
    }

    /// Finds the digest that a tag has now. A registry that does not say is asked for the manifest.
    ///
    /// # Errors
    /// The artifact does not exist, or the registry refuses or cannot be reached.
    pub async fn resolve(&self, reference: &Reference) -> Result<String, RegistryError> {
        if let Selector::Digest(digest) = &reference.selector {
            return Ok(digest.clone());
        }
        let url = self.manifest_url(reference).await?;
        let ask = Ask {
            method: Method::HEAD,
            accept: Some(MANIFESTS),
            ..Ask::get(url)
        };
        if let Ok(response) = self.send(ask).await {
            let digest = response.headers().get("docker-content-digest");
            let digest = digest.and_then(|value| value.to_str().ok());
            if let Some(digest) = digest.filter(|digest| is_digest(digest)) {
                return Ok(digest.to_owned());
            }
        }
        Ok(self.manifest_bytes(reference).await?.0)
    }

    /// Fetches a manifest; of an index, the one for the default platform. Returns it with its own digest.
    ///
    /// # Errors
    /// As [`Registry::resolve`], and where the bytes do not have the digest asked for.
    pub async fn manifest(
        &self,
        reference: &Reference,
    ) -> Result<(String, Manifest), RegistryError> {
        let (digest, bytes) = self.manifest_bytes(reference).await?;
        let manifest = Manifest::parse(&bytes)?;
        if !manifest.is_index() {
            return Ok((digest, manifest));
        }
        let none = || {
            let message = format!("no child with platform linux/amd64 in index {reference}");
            RegistryError::Malformed(message)
        };
        let child = manifest.for_default_platform().ok_or_else(none)?;
        let child = self.repository.digest(&child.digest);
        let (digest, bytes) = self.manifest_bytes(&child).await?;
        Ok((digest, Manifest::parse(&bytes)?))
    }

    /// Fetches the bytes of a manifest or an index, with their digest.
    ///
    /// # Errors
    /// As [`Registry::manifest`].
    pub async fn manifest_bytes(
        &self,
        reference: &Reference,
    ) -> Result<(String, Bytes), RegistryError> {
        let ask = Ask {
            accept: Some(MANIFESTS),
            ..Ask::get(self.manifest_url(reference).await?)
        };
        let response = self.send(ask).await?;
        let bytes = read(response, MANIFEST_BYTES_MAX, "manifest").await?;
        let computed = sha256(&bytes);
        match &reference.selector {
            Selector::Digest(wanted) if *wanted != computed => Err(RegistryError::ManifestDigest {
                wanted: wanted.clone(),
                computed,
                reference: reference.to_string(),
            }),
            _ => Ok((computed, bytes)),
        }
    }

    /// Fetches a blob into memory and checks size and digest. A connection that breaks is taken up where it broke.
    ///
    /// # Errors
    /// It is larger than allowed, is not what its digest says, or the registry refuses or cannot be reached.
    pub async fn blob(&self, blob: &Descriptor, max: u64) -> Result<Bytes, RegistryError> {
        let too_large = || RegistryError::TooLarge {
            what: format!("layer {}", blob.digest),
            limit: max,
        };
        if blob.size > max {
            return Err(too_large());
        }
        let url = self.url(&format!("blobs/{}", blob.digest)).await?;
        let mut content = Vec::new();
        let mut tries = 0;
        loop {
            let ask = Ask {
                from: content.len() as u64,
                ..Ask::get(url.clone())
            };
            let mut response = self.send(ask).await?;
            if response.status() != StatusCode::PARTIAL_CONTENT {
                content.clear();
            }
            tries += 1;
            loop {
                match response.chunk().await {
                    Ok(Some(chunk)) => content.extend_from_slice(&chunk),
                    Ok(None) => return check_blob(blob, content),
                    Err(_) if tries < self.retry.tries => break,
                    Err(error) => return Err(transport(&Method::GET, &url, &error)),
                }
                if content.len() as u64 > max {
                    return Err(too_large());
                }
                if content.len() as u64 > blob.size && blob.size > 0 {
                    return check_blob(blob, content);
                }
            }
        }
    }

    /// Uploads a blob, unless the registry has it.
    ///
    /// # Errors
    /// The registry refuses or cannot be reached.
    pub async fn push_blob(&self, content: &Bytes) -> Result<String, RegistryError> {
        let digest = sha256(content);
        let exists = Ask {
            method: Method::HEAD,
            ..Ask::get(self.url(&format!("blobs/{digest}")).await?)
        };
        if self.send_once(&exists, "push,pull").await.is_ok() {
            return Ok(digest);
        }
        let start = Ask {
            method: Method::POST,
            body: Some(Bytes::new()),
            ..Ask::get(self.url("blobs/uploads/").await?)
        };
        let begun = self.send(start.clone()).await?;
        let location = begun.headers().get(LOCATION).and_then(|l| l.to_str().ok());
        let target = location
            .and_then(|location| Url::parse(&start.url).ok()?.join(location).ok())
            .ok_or_else(|| RegistryError::Malformed("upload without location".to_owned()))?;
        let mut target = target;
        target.query_pairs_mut().append_pair("digest", &digest);
        let put = Ask {
            method: Method::PUT,
            content_type: Some("application/octet-stream"),
            body: Some(content.clone()),
            ..Ask::get(target.into())
        };
        self.send(put).await?;
        Ok(digest)
    }

    /// Uploads a manifest under a tag or its digest; returns the digest.
    ///
    /// # Errors
    /// The registry refuses or cannot be reached.
    pub async fn put_manifest(
        &self,
        reference: &Reference,
        media_type: &'static str,
        manifest: Vec<u8>,
    ) -> Result<String, RegistryError> {
        let digest = sha256(&manifest);
        let put = Ask {
            method: Method::PUT,
            content_type: Some(media_type),
            body: Some(manifest.into()),
            ..Ask::get(self.manifest_url(reference).await?)
        };
        self.send(put).await?;
        Ok(digest)
    }

    /// Gives an artifact another tag; returns its digest.
    ///
    /// # Errors
    /// The artifact does not exist, or the registry refuses or cannot be reached.
    pub async fn tag(&self, from: &Reference, tag: &str) -> Result<String, RegistryError> {
        let (_, bytes) = self.manifest_bytes(from).await?;
        let manifest = Manifest::parse(&bytes)?;
        let type_ = [
            media_type::OCI_INDEX,
            media_type::DOCKER_LIST,
            media_type::DOCKER_MANIFEST,
        ]
        .into_iter()
        .find(|type_| *type_ == manifest.media_type)
        .unwrap_or(media_type::OCI_MANIFEST);
        let target = self.repository.tag(tag);
        self.put_manifest(&target, type_, bytes.to_vec()).await
    }

    async fn manifest_url(&self, reference: &Reference) -> Result<String, RegistryError> {
        self.url(&format!("manifests/{}", reference.identifier()))
            .await
    }

    async fn url(&self, path: &str) -> Result<String, RegistryError> {
        let base = &self.session().await?.base;
        Ok(format!("{base}/v2/{}/{path}", self.repository.path()))
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| super::reference::is_hex(hex, 64))
}

fn check_blob(blob: &Descriptor, content: Vec<u8>) -> Result<Bytes, RegistryError> {
    let read = content.len() as u64;
    if blob.size != 0 && read != blob.size {
        return Err(RegistryError::BlobSize {
            wanted: blob.size,
            read,
        });
    }
    let computed = hex::encode(Sha256::digest(&content));
    let wanted = blob.digest.strip_prefix("sha256:").unwrap_or(&blob.digest);
    if computed != wanted {
        return Err(RegistryError::BlobDigest {
            wanted: wanted.to_owned(),
            computed,
            read,
        });
    }
    Ok(content.into())
}

/// Reads the `Link` header. Another origin would get the credentials, so it is refused.
fn next_page(response: &Response, url: &str) -> Result<Option<String>, RegistryError> {
    let Some(link) = response.headers().get(LINK).and_then(|l| l.to_str().ok()) else {
        return Ok(None);
    };
    let bad = || RegistryError::Malformed(format!("failed to parse link header: {link}"));
    let (target, rest) = link
        .strip_prefix('<')
        .and_then(|link| link.split_once('>'))
        .ok_or_else(bad)?;
    if !rest.contains("next") {
        return Ok(None);
    }
    let base = Url::parse(url).map_err(|_| bad())?;
    let next = base.join(target).map_err(|_| bad())?;
    if next.origin() != base.origin() || next == base {
        return Err(bad());
    }
    Ok(Some(next.into()))
}

//! A loopback OCI registry, in memory: pull, push, tags by pages, basic and token login, scripted faults.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::charts::{pack_chart, pack_files};
use crate::githttp::TestPki;
use crate::loopback::{Answer, Call, Fault, Loopback, Tls, basic, lock, plain, with_header};

const TOKEN: &str = "a-token-for-tests";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Why there are certificates.
const TLS: &str = "a server with TLS has certificates";

/// A running registry; it stops when dropped.
pub struct OciRegistry {
    server: Loopback,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    repositories: HashMap<String, Repository>,
    blobs: HashMap<String, Bytes>,
    uploads: HashMap<String, Vec<u8>>,
    /// `Authorization` asked for; empty for none.
    authorization: String,
    /// Whether it buys a token first.
    by_token: bool,
    /// Tags in one page; 0 for all.
    page: usize,
    base: String,
}

#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, String>,
    /// Media type and bytes by digest.
    manifests: HashMap<String, (String, Bytes)>,
}

/// What an artifact made for tests is.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Media type of the config.
    pub config_media_type: String,
    /// Config.
    pub config: Vec<u8>,
    /// Media type and content of each layer.
    pub layers: Vec<(String, Vec<u8>)>,
    /// Annotations of the manifest.
    pub annotations: Vec<(String, String)>,
}

impl OciRegistry {
    /// Starts a registry on a free loopback port, without TLS.
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0", Tls::No).await.0
    }

    /// Starts a registry with TLS; returns it with the PEM of the CA that issued its certificate.
    pub async fn start_tls() -> (Self, String) {
        let (server, pki) = Self::listen("127.0.0.1:0", Tls::Server).await;
        (server, pki.expect(TLS).authority)
    }

    /// Starts a registry that only talks to clients with a certificate of its authority.
    pub async fn start_mutual_tls() -> (Self, TestPki) {
        let (server, pki) = Self::listen("127.0.0.1:0", Tls::Mutual).await;
        (server, pki.expect(TLS))
    }

    /// Starts a registry on an address of this machine, for use by hand.
    pub async fn start_at(address: &str) -> Self {
        Self::listen(address, Tls::No).await.0
    }

    async fn listen(address: &str, tls: Tls) -> (Self, Option<TestPki>) {
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let state = shared.clone();
        let handler = Arc::new(move |call: Call| lock(&state).answer(&call));
        let (server, pki) = Loopback::start(address, tls, handler).await;
        lock(&shared).base = format!("{}://{}", server.scheme, server.address);
        (Self { server, shared }, pki)
    }

    /// Returns host and port.
    pub fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// Returns the `oci://` URL of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.address())
    }

    /// Stores an artifact under a tag; returns its digest.
    pub fn push(&self, repository: &str, tag: &str, image: &Image) -> String {
        let mut shared = lock(&self.shared);
        let config = shared.describe(&image.config_media_type, &image.config);
        let layers: Vec<Value> = image
            .layers
            .iter()
            .map(|(media_type, content)| shared.describe(media_type, content))
            .collect();
        let annotations: serde_json::Map<String, Value> = image
            .annotations
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
            "annotations": annotations,
        });
        shared.put_manifest(repository, tag, MANIFEST, manifest.to_string().into())
    }

    /// Stores any bytes as a manifest under a tag; returns their digest.
    pub fn push_manifest(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> String {
        let bytes = Bytes::copy_from_slice(bytes);
        lock(&self.shared).put_manifest(repository, tag, media_type, bytes)
    }

    /// Packs files as `flux push artifact` does and stores them under a tag; returns the digest.
    pub fn push_files(&self, repository: &str, tag: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(path, content)| (*path, content.as_bytes()))
            .collect();
        let pair =
            |key: &str, value: &str| (format!("org.opencontainers.image.{key}"), value.to_owned());
        let image = Image {
            config_media_type: "application/vnd.cncf.flux.config.v1+json".to_owned(),
            config: b"{}".to_vec(),
            layers: vec![(
                "application/vnd.cncf.flux.content.v1.tar+gzip".to_owned(),
                pack_files(&files),
            )],
            annotations: vec![
                pair("created", "2026-01-02T03:04:05Z"),
                pair("source", "https://example.com/repo.git"),
                pair(
                    "revision",
                    "main@sha1:0123456789012345678901234567890123456789",
                ),
            ],
        };
        self.push(repository, tag, &image)
    }

    /// Packs a chart and stores it as `helm push` does, below a repository; returns the digest.
    pub fn push_chart(
        &self,
        below: &str,
        name: &str,
        version: &str,
        files: &[(&str, &str)],
    ) -> String {
        self.push_chart_archive(below, name, version, pack_chart(name, version, files))
    }

    /// Stores a chart archive as `helm push` does, below a repository; returns the digest.
    pub fn push_chart_archive(
        &self,
        below: &str,
        name: &str,
        version: &str,
        archive: Vec<u8>,
    ) -> String {
        let image = Image {
            config_media_type: "application/vnd.cncf.helm.config.v1+json".to_owned(),
            config: json!({"name": name, "version": version, "apiVersion": "v2"})
                .to_string()
                .into(),
            layers: vec![(
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip".to_owned(),
                archive,
            )],
            annotations: Vec::new(),
        };
        let repository = format!("{below}/{name}");
        let repository = repository.trim_start_matches('/');
        self.push(repository, &version.replace('+', "_"), &image)
    }

    /// Removes a tag.
    pub fn remove_tag(&self, repository: &str, tag: &str) {
        if let Some(repository) = lock(&self.shared).repositories.get_mut(repository) {
            repository.tags.remove(tag);
        }
    }

    /// Returns the digests of a repository by tag.
    pub fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        let shared = lock(&self.shared);
        let repository = shared.repositories.get(repository);
        repository.map(|r| r.tags.clone()).unwrap_or_default()
    }

    /// Returns the bytes of a manifest.
    pub fn manifest(&self, repository: &str, digest: &str) -> Option<Bytes> {
        let shared = lock(&self.shared);
        let (_, bytes) = shared.repositories.get(repository)?.manifests.get(digest)?;
        Some(bytes.clone())
    }

    /// Asks for a user name and password with every request from now on.
    pub fn require_basic(&self, username: &str, password: &str) {
        let mut shared = lock(&self.shared);
        shared.authorization = basic(username, password);
        shared.by_token = false;
    }

    /// Asks for a token from now on, which costs a user name and password; an empty user is anonymous.
    pub fn require_token(&self, username: &str, password: &str) {
        let mut shared = lock(&self.shared);
        shared.authorization = match username {
            "" => String::new(),
            username => basic(username, password),
        };
        shared.by_token = true;
    }

    /// Puts so many tags on one page.
    pub fn page_size(&self, tags: usize) {
        lock(&self.shared).page = tags;
    }

    /// Makes requests whose path contains a text go wrong, so many times.
    pub fn fault(&self, path: &str, fault: Fault, times: usize) {
        self.server.fault(path, fault, times);
    }

    /// Returns and forgets the requests served so far, as `METHOD path`.
    pub fn take_log(&self) -> Vec<String> {
        self.server.take_log()
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// All bytes, or their number alone for HEAD.
fn whole(call: &Call, bytes: &Bytes) -> Answer {
    if call.method != Method::HEAD {
        return Response::new(Full::new(bytes.clone()));
    }
    with_header(
        plain(StatusCode::OK, ""),
        "content-length",
        &bytes.len().to_string(),
    )
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]});
    with_header(
        plain(status, &body.to_string()),
        "content-type",
        "application/json",
    )
}

fn not_found(code: &str, message: &str) -> Answer {
    refuse(StatusCode::NOT_FOUND, code, message)
}

impl Shared {
    /// Stores a blob and writes its descriptor.
    fn describe(&mut self, media_type: &str, content: &[u8]) -> Value {
        let digest = sha256(content);
        self.blobs
            .insert(digest.clone(), Bytes::copy_from_slice(content));
        json!({"mediaType": media_type, "size": content.len(), "digest": digest})
    }

    fn put_manifest(
        &mut self,
        repository: &str,
        tag: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> String {
        let digest = sha256(&bytes);
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        let entry = (media_type.to_owned(), bytes);
        repository.manifests.insert(digest.clone(), entry);
        if !tag.starts_with("sha256:") {
            repository.tags.insert(tag.to_owned(), digest.clone());
        }
        digest
    }

    fn answer(&mut self, call: &Call) -> Answer {
        if call.path == "/token" {
            return self.token(call);
        }
        if let Some(refusal) = self.refuse_stranger(call) {
            return refusal;
        }
        let Some(path) = call.path.strip_prefix("/v2/") else {
            return plain(StatusCode::NOT_FOUND, "404 page not found\n");
        };
        if path.is_empty() {
            return plain(StatusCode::OK, "{}");
        }
        for (mark, act) in [
            (
                "/manifests/",
                Self::manifests as fn(&mut Self, &str, &str, &Call) -> Answer,
            ),
            ("/blobs/uploads/", Self::uploads),
            ("/blobs/", Self::blob),
            ("/tags/", Self::list),
        ] {
            if let Some((repository, rest)) = path.split_once(mark) {
                return act(self, repository, rest, call);
            }
        }
        plain(StatusCode::NOT_FOUND, "404 page not found\n")
    }

    fn token(&self, call: &Call) -> Answer {
        if !self.authorization.is_empty() && call.header("authorization") != self.authorization {
            return refuse(
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "incorrect username or password",
            );
        }
        plain(StatusCode::OK, &json!({"token": TOKEN}).to_string())
    }

    fn refuse_stranger(&self, call: &Call) -> Option<Answer> {
        let shown = call.header("authorization");
        let (fine, challenge) = if self.by_token {
            let realm = format!("Bearer realm=\"{}/token\",service=\"testkit\"", self.base);
            (shown == format!("Bearer {TOKEN}"), realm)
        } else {
            let fine = self.authorization.is_empty() || shown == self.authorization;
            (fine, "Basic realm=\"testkit\"".to_owned())
        };
        if fine {
            return None;
        }
        let answer = refuse(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication required",
        );
        Some(with_header(answer, "www-authenticate", &challenge))
    }

    fn manifests(&mut self, repository: &str, reference: &str, call: &Call) -> Answer {
        if call.method == Method::PUT {
            let media_type = call.header("content-type").to_owned();
            let digest = self.put_manifest(repository, reference, &media_type, call.body.clone());
            return with_header(
                plain(StatusCode::CREATED, ""),
                "docker-content-digest",
                &digest,
            );
        }
        let Some(found) = self.repositories.get(repository) else {
            return not_found("NAME_UNKNOWN", "Unknown name");
        };
        let digest = found.tags.get(reference).map_or(reference, String::as_str);
        let Some((media_type, bytes)) = found.manifests.get(digest) else {
            return not_found("MANIFEST_UNKNOWN", "Unknown manifest");
        };
        let answer = with_header(whole(call, bytes), "content-type", media_type);
        with_header(answer, "docker-content-digest", digest)
    }

    fn blob(&mut self, _repository: &str, digest: &str, call: &Call) -> Answer {
        let Some(bytes) = self.blobs.get(digest) else {
            return not_found("BLOB_UNKNOWN", "Unknown blob");
        };
        if call.method == Method::HEAD {
            return whole(call, bytes);
        }
        let range = call.header("range").strip_prefix("bytes=");
        let from: Option<usize> = range.and_then(|range| range.trim_end_matches('-').parse().ok());
        match from {
            Some(from) if from < bytes.len() => {
                let mut answer = Response::new(Full::new(bytes.slice(from..)));
                *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
                answer
            }
            _ => Response::new(Full::new(bytes.clone())),
        }
    }

    fn uploads(&mut self, repository: &str, id: &str, call: &Call) -> Answer {
        let location = |id: &str| format!("/v2/{repository}/blobs/uploads/{id}");
        match call.method {
            Method::POST => {
                let id = self.uploads.len().to_string();
                self.uploads.insert(id.clone(), Vec::new());
                with_header(plain(StatusCode::ACCEPTED, ""), "location", &location(&id))
            }
            Method::PATCH => {
                let upload = self.uploads.entry(id.to_owned()).or_default();
                upload.extend_from_slice(&call.body);
                let range = format!("0-{}", upload.len().saturating_sub(1));
                let answer =
                    with_header(plain(StatusCode::ACCEPTED, ""), "location", &location(id));
                with_header(answer, "range", &range)
            }
            Method::PUT => {
                let mut content = self
                    .uploads
                    .insert(id.to_owned(), Vec::new())
                    .unwrap_or_default();
                content.extend_from_slice(&call.body);
                let digest = sha256(&content);
                if call.parameter("digest").as_deref() != Some(digest.as_str()) {
                    return refuse(
                        StatusCode::BAD_REQUEST,
                        "DIGEST_INVALID",
                        "digest does not match contents",
                    );
                }
                self.blobs.insert(digest.clone(), content.into());
                with_header(
                    plain(StatusCode::CREATED, ""),
                    "docker-content-digest",
                    &digest,
                )
            }
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, ""),
        }
    }

    fn list(&mut self, repository: &str, _rest: &str, call: &Call) -> Answer {
        let Some(found) = self.repositories.get(repository) else {
            return not_found("NAME_UNKNOWN", "Unknown name");
        };
        let last = call.parameter("last").unwrap_or_default();
        let after: Vec<&String> = found.tags.keys().filter(|tag| **tag > last).collect();
        let size = if self.page == 0 {
            after.len()
        } else {
            self.page
        };
        let page: Vec<&String> = after.iter().copied().take(size).collect();
        let body = json!({"name": repository, "tags": page}).to_string();
        let answer = plain(StatusCode::OK, &body);
        match page.last() {
            Some(last) if page.len() < after.len() => {
                let link =
                    format!("</v2/{repository}/tags/list?n={size}&last={last}>; rel=\"next\"");
                with_header(answer, "link", &link)
            }
            _ => answer,
        }
    }
}

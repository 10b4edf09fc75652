//! A session with one repository of a registry.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, LINK, LOCATION, RANGE, WWW_AUTHENTICATE,
};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use super::auth::{Challenge, TokenAnswer};
use super::error::describe;
use super::push::sha256;
use super::{Descriptor, Manifest, Reference, RegistryError, Repository, Selector, media_type};
use crate::error::with_causes;
use crate::{ClientOptions, Clients, Credentials, Redirects, Secret};

/// Largest manifest, as registries allow.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Largest answer with tags, tokens or refusals.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Tags asked for at once, and pages of them read at most.
const PAGE_TAGS: usize = 1000;
const PAGES_MAX: usize = 1000;
/// Longest wait for the answer on one scheme before the other is tried.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

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
    http: reqwest::Client,
    repository: Repository,
    credentials: Credentials,
    plain_http: bool,
    retry: Retry,
    session: OnceCell<Session>,
    /// Tokens by scope.
    tokens: Mutex<HashMap<String, Secret>>,
}

#[derive(Debug)]
struct Session {
    /// Scheme, host and port.
    base: String,
    challenge: Challenge,
}

/// One request, apart from where it goes.
#[derive(Clone)]
struct Ask {
    method: Method,
    url: String,
    accept: Option<&'static str>,
    content_type: Option<&'static str>,
    /// Bytes to skip of a blob.
    from: u64,
    body: Option<Bytes>,
}

impl Ask {
    fn get(url: String) -> Self {
        Self {
            method: Method::GET,
            url,
            accept: None,
            content_type: None,
            from: 0,
            body: None,
        }
    }

    fn actions(&self) -> &'static str {
        match self.method {
            Method::GET | Method::HEAD if self.body.is_none() => "pull",
            _ => "push,pull",
        }
    }
}

const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json,application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.list.v2+json,application/vnd.oci.image.index.v1+json";

impl Registry {
    /// Opens a session; nothing is sent yet.
    ///
    /// # Errors
    /// The TLS or proxy settings cannot be used.
    pub fn open(
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

    async fn session(&self) -> Result<&Session, RegistryError> {
        self.session.get_or_try_init(|| self.ping()).await
    }

    /// Finds scheme and way to log in. TLS is tried first, plain HTTP only where it is allowed.
    async fn ping(&self) -> Result<Session, RegistryError> {
        let secure = self.ping_scheme("https");
        if !self.plain_http && !self.repository.is_local() {
            return secure.await;
        }
        match tokio::time::timeout(PING_TIMEOUT, secure).await {
            Ok(Ok(session)) => Ok(session),
            _ => self.ping_scheme("http").await,
        }
    }

    async fn ping_scheme(&self, scheme: &str) -> Result<Session, RegistryError> {
        let base = format!("{scheme}://{}", self.repository.registry());
        let url = format!("{base}/v2/");
        let response = self.http.get(&url).send().await;
        let response = response.map_err(|error| transport(&Method::GET, &url, &error))?;
        let challenge = match response.status() {
            StatusCode::OK => Challenge::None,
            StatusCode::UNAUTHORIZED => challenge(&response).ok_or_else(|| {
                let headers = response.headers().get(WWW_AUTHENTICATE);
                let text = headers.and_then(|h| h.to_str().ok()).unwrap_or_default();
                RegistryError::Malformed(format!("unrecognized challenge: {text}"))
            })?,
            _ => return Err(refusal(&Method::GET, &url, response).await),
        };
        Ok(Session { base, challenge })
    }

    /// Sends a request, again where that may help.
    async fn send(&self, ask: Ask) -> Result<Response, RegistryError> {
        let mut wait = self.retry.wait;
        let mut tries = 1;
        loop {
            match self.send_once(&ask, ask.actions()).await {
                Err(error) if tries < self.retry.tries && is_temporary(&error) => {
                    tokio::time::sleep(wait).await;
                    wait *= 3;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    async fn send_once(&self, ask: &Ask, actions: &str) -> Result<Response, RegistryError> {
        let session = self.session().await?;
        let scope = format!("repository:{}:{actions}", self.repository.path());
        let authorization = self
            .authorization(&session.challenge, &scope, false)
            .await?;
        let response = self.request(ask, authorization).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return accept(ask, response).await;
        }
        // The token may have run out, or the registry wants another scope.
        let Some(Challenge::Bearer {
            realm,
            service,
            scope: wanted,
        }) = challenge(&response)
        else {
            return accept(ask, response).await;
        };
        let scope = wanted.clone().unwrap_or(scope);
        let bearer = Challenge::Bearer {
            realm,
            service,
            scope: wanted,
        };
        let authorization = self.authorization(&bearer, &scope, true).await?;
        accept(ask, self.request(ask, authorization).await?).await
    }

    async fn request(
        &self,
        ask: &Ask,
        authorization: Option<Secret>,
    ) -> Result<Response, RegistryError> {
        let mut request = self.http.request(ask.method.clone(), &ask.url);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.expose());
        }
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(content_type) = ask.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if ask.from > 0 {
            request = request.header(RANGE, format!("bytes={}-", ask.from));
        }
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        let sent = request.send().await;
        sent.map_err(|error| transport(&ask.method, &ask.url, &error))
    }

    /// The value of the `Authorization` header; `None` for anonymous use.
    async fn authorization(
        &self,
        challenge: &Challenge,
        scope: &str,
        renew: bool,
    ) -> Result<Option<Secret>, RegistryError> {
        match (challenge, &self.credentials) {
            (Challenge::None, _) | (Challenge::Basic, Credentials::Anonymous) => Ok(None),
            (_, Credentials::Bearer(token)) => Ok(Some(bearer(token))),
            (Challenge::Basic, Credentials::Basic { username, password }) => {
                Ok(Some(basic(username, password)))
            }
            (Challenge::Bearer { realm, service, .. }, _) => {
                let mut tokens = self.tokens.lock().await;
                if let Some(token) = tokens.get(scope).filter(|_| !renew) {
                    return Ok(Some(bearer(token)));
                }
                let token = self.token(realm, service.as_deref(), scope).await?;
                tokens.insert(scope.to_owned(), token.clone());
                Ok(Some(bearer(&token)))
            }
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Secret, RegistryError> {
        let invalid = |_| RegistryError::Login(format!("malformed realm {realm:?}"));
        let mut url = Url::parse(realm).map_err(invalid)?;
        let (method, mut request) = match &self.credentials {
            Credentials::Basic { username, password } if username == "<token>" => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("service", service.unwrap_or_default())
                    .append_pair("client_id", crate::USER_AGENT)
                    .append_pair("scope", scope)
                    .append_pair("refresh_token", password.expose());
                let request = self
                    .http
                    .post(url.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.finish());
                (Method::POST, request)
            }
            _ => {
                {
                    let mut query = url.query_pairs_mut();
                    query.append_pair("scope", scope);
                    if let Some(service) = service {
                        query.append_pair("service", service);
                    }
                }
                (Method::GET, self.http.get(url.clone()))
            }
        };
        if let Credentials::Basic { username, password } = &self.credentials
            && username != "<token>"
        {
            request = request.header(AUTHORIZATION, basic(username, password).expose());
        }
        let shown = url.to_string();
        let response = request.send().await;
        let response = response.map_err(|error| transport(&method, &shown, &error))?;
        if !response.status().is_success() {
            return Err(refusal(&method, &shown, response).await);
        }
        let body = read(response, ANSWER_BYTES_MAX, "token").await?;
        let answer: Result<TokenAnswer, _> = serde_json::from_slice(&body);
        answer
            .ok()
            .and_then(TokenAnswer::token)
            .ok_or_else(|| RegistryError::Login("no token in bearer response".to_owned()))
    }
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose()))
}

fn basic(username: &str, password: &Secret) -> Secret {
    use base64::Engine;
    let pair = format!("{username}:{}", password.expose());
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    Secret::new(format!("Basic {encoded}"))
}

fn challenge(response: &Response) -> Option<Challenge> {
    let headers = response.headers().get_all(WWW_AUTHENTICATE);
    Challenge::read(headers.iter().filter_map(|value| value.to_str().ok()))
}

async fn accept(ask: &Ask, response: Response) -> Result<Response, RegistryError> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(refusal(&ask.method, &ask.url, response).await)
}

async fn refusal(method: &Method, url: &str, response: Response) -> RegistryError {
    let status = response.status();
    let body = read(response, ANSWER_BYTES_MAX, "answer").await;
    RegistryError::Answer {
        method: method.to_string(),
        url: url.to_owned(),
        status: status.as_u16(),
        message: describe(method.as_str(), status, &body.unwrap_or_default()),
    }
}

fn transport(method: &Method, url: &str, error: &reqwest::Error) -> RegistryError {
    // Go prints `Get "<url>"`.
    let name = method.as_str();
    let name = format!("{}{}", &name[..1], name[1..].to_lowercase());
    let mut cause = with_causes(error);
    if let Some(url) = error.url() {
        cause = cause.replace(&format!(" for url ({url})"), "");
    }
    RegistryError::Transport {
        method: name,
        url: url.to_owned(),
        cause,
    }
}

/// Whether another try may help, as go-containerregistry thinks.
fn is_temporary(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::Answer {
            status: 408 | 499 | 500 | 502 | 503 | 504 | 522,
            ..
        }
    )
}

async fn read(mut response: Response, limit: u64, what: &str) -> Result<Bytes, RegistryError> {
    let url = response.url().to_string();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| transport(&Method::GET, &url, &error))?
    {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > limit {
            return Err(RegistryError::TooLarge {
                what: what.to_owned(),
                limit,
            });
        }
    }
    Ok(body.into())
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

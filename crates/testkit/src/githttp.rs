//! A loopback server for Git's smart HTTP protocol, version 2, over [`GitRepo`]s.
//!
//! Knows `ls-refs` and `fetch` with depth and `filter tree:0`; sends whole objects and offset deltas. Can ask for
//! credentials and redirect.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::gitrepo::{GitRepo, write_pack};

type Objects = HashMap<String, (&'static str, Vec<u8>)>;

/// A running server; it stops when dropped.
pub struct GitHttp {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Mutex<Shared>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    repositories: HashMap<String, Repository>,
    /// Value of the `Authorization` header asked for; empty for none.
    authorization: String,
    /// Old path to new URL of the repository.
    redirects: HashMap<String, String>,
    /// Requests served, as `METHOD path`.
    log: Vec<String>,
}

#[derive(Clone, Default)]
struct Repository {
    objects: Objects,
    refs: BTreeMap<String, String>,
}

impl GitHttp {
    /// Starts a server on a free loopback port. It also serves as a plain HTTP proxy in front of itself.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// Starts a server with TLS; returns it with the PEM of the CA that issued its certificate.
    pub async fn start_tls() -> (Self, String) {
        let (config, pki) = make_pki(false);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (Self::listen(Some(acceptor)).await, pki.authority)
    }

    /// Starts a server that only talks to clients with a certificate of its authority.
    pub async fn start_mutual_tls() -> (Self, TestPki) {
        let (config, pki) = make_pki(true);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (Self::listen(Some(acceptor)).await, pki)
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port is free");
        let address = listener.local_addr().expect("bound");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let state = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (state.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, state).await,
                        // A client that does not trust the certificate ends here.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, state).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            scheme,
            shared,
            task,
        }
    }

    /// Publishes the present state of a repository under a path such as `/org/repo.git`.
    pub fn publish(&self, path: &str, repo: &GitRepo) {
        let repository = Repository {
            objects: repo.objects().clone(),
            refs: with_head(repo),
        };
        let mut shared = self.shared.lock().expect("no test panics inside");
        shared.repositories.insert(path.to_owned(), repository);
    }

    /// Makes a repository vanish.
    pub fn withdraw(&self, path: &str) {
        let mut shared = self.shared.lock().expect("no test panics inside");
        shared.repositories.remove(path);
    }

    /// Asks for this value of the `Authorization` header from now on.
    pub fn require(&self, authorization: &str) {
        let mut shared = self.shared.lock().expect("no test panics inside");
        shared.authorization = authorization.to_owned();
    }

    /// Redirects the discovery of a repository to another URL of a repository.
    pub fn redirect(&self, path: &str, url: &str) {
        let mut shared = self.shared.lock().expect("no test panics inside");
        shared.redirects.insert(path.to_owned(), url.to_owned());
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Returns and forgets the requests served so far, as `METHOD path`.
    pub fn take_log(&self) -> Vec<String> {
        let mut shared = self.shared.lock().expect("no test panics inside");
        std::mem::take(&mut shared.log)
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<Mutex<Shared>>,
) {
    let service = service_fn(move |request| answer(state.clone(), request));
    // A client that goes away is none of the server's business.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A certificate authority for loopback, with a certificate of the server and one of a client.
pub struct TestPki {
    /// The authority's certificate as PEM.
    pub authority: String,
    /// A client's certificate as PEM.
    pub client_certificate: String,
    /// The client's key as PEM.
    pub client_key: String,
}

const FINE: &str = "parameters are constant";

/// Makes an authority, and the setup of a server that may ask clients for certificates of the same authority.
pub(crate) fn make_pki(ask_clients: bool) -> (ServerConfig, TestPki) {
    let mut parameters = CertificateParams::new(Vec::<String>::new()).expect(FINE);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect(FINE);
    let authority = parameters.self_signed(&authority_key).expect(FINE);
    let issuer = Issuer::new(parameters, authority_key);
    let issue = |names: &[&str]| {
        let key = KeyPair::generate().expect(FINE);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names)
            .and_then(|parameters| parameters.signed_by(&key, &issuer))
            .expect(FINE);
        (certificate, key)
    };
    let (certificate, key) = issue(&["localhost", "127.0.0.1"]);
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect(FINE);
    let builder = if ask_clients {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect(FINE);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect(FINE))
    } else {
        builder.with_no_client_auth()
    };
    let config = builder
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect(FINE);
    let (client, client_key) = issue(&["client"]);
    let pki = TestPki {
        authority: authority.pem(),
        client_certificate: client.pem(),
        client_key: client_key.serialize_pem(),
    };
    (config, pki)
}

type Answer = Response<Full<Bytes>>;

async fn answer(
    shared: Arc<Mutex<Shared>>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|b| b.to_bytes())
        .unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let authorization = parts
        .headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut shared = shared.lock().expect("no test panics inside");
    shared.log.push(format!("{} {path}", parts.method));
    let Some((repository_path, service)) = path
        .strip_suffix("/info/refs")
        .map(|path| (path, "info"))
        .or_else(|| {
            path.strip_suffix("/git-upload-pack")
                .map(|path| (path, "pack"))
        })
    else {
        return Ok(plain(StatusCode::NOT_FOUND, "no such service"));
    };
    if let Some(target) = shared.redirects.get(repository_path) {
        let location = format!("{target}/info/refs?service=git-upload-pack");
        let mut response = plain(StatusCode::MOVED_PERMANENTLY, "");
        let value = location.parse().expect("a valid header value");
        response.headers_mut().insert("location", value);
        return Ok(response);
    }
    if shared.authorization != authorization && !shared.authorization.is_empty() {
        return Ok(plain(StatusCode::UNAUTHORIZED, "Invalid username or token"));
    }
    let Some(repository) = shared.repositories.get(repository_path) else {
        return Ok(plain(StatusCode::NOT_FOUND, "Repository not found."));
    };
    let content = if service == "info" {
        advertisement()
    } else {
        upload_pack(repository, &body)
    };
    Ok(Response::new(Full::new(content.into())))
}

fn plain(status: StatusCode, text: &str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}

fn line(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(format!("{:04x}", data.len() + 4).as_bytes());
    out.extend_from_slice(data);
}

fn advertisement() -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, b"# service=git-upload-pack\n");
    out.extend_from_slice(b"0000");
    for text in [
        "version 2\n",
        "agent=testkit\n",
        "ls-refs=unborn\n",
        "fetch=shallow filter\n",
        "object-format=sha1\n",
    ] {
        line(&mut out, text.as_bytes());
    }
    out.extend_from_slice(b"0000");
    out
}

/// Splits a request into its lines.
fn lines(mut body: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(head) = body.get(..4) {
        let length = std::str::from_utf8(head)
            .ok()
            .and_then(|hex| usize::from_str_radix(hex, 16).ok())
            .unwrap_or(0);
        if length >= 4 && length <= body.len() {
            let text = String::from_utf8_lossy(&body[4..length]).into_owned();
            found.push(text.trim_end().to_owned());
        }
        body = &body[length.clamp(4, body.len())..];
    }
    found
}

fn upload_pack(repository: &Repository, body: &[u8]) -> Vec<u8> {
    let lines = lines(body);
    if lines.iter().any(|line| line == "command=ls-refs") {
        return list_refs(repository, &lines);
    }
    let value = |key: &'static str| lines.iter().filter_map(move |line| line.strip_prefix(key));
    let wants: Vec<&str> = value("want ").collect();
    let depth = value("deepen ").next().and_then(|n| n.parse().ok());
    let mut out = Vec::new();
    if let Some(missing) = wants
        .iter()
        .find(|id| !repository.objects.contains_key(**id))
    {
        let text = format!("ERR upload-pack: not our ref {missing}\n");
        line(&mut out, text.as_bytes());
        return out;
    }
    let commits_only = value("filter ").any(|filter| filter == "tree:0");
    let mut closure = Closure {
        objects: &repository.objects,
        commits_only,
        seen: HashSet::new(),
        shallow: Vec::new(),
    };
    for want in wants {
        closure.add(want, depth.unwrap_or(usize::MAX));
    }
    if !closure.shallow.is_empty() {
        line(&mut out, b"shallow-info\n");
        for id in &closure.shallow {
            line(&mut out, format!("shallow {id}\n").as_bytes());
        }
        out.extend_from_slice(b"0001");
    }
    line(&mut out, b"packfile\n");
    let objects: Vec<_> = closure
        .seen
        .iter()
        .map(|id| &repository.objects[id])
        .collect();
    line(&mut out, b"\x02progress\n");
    for part in write_pack(&objects).bytes.chunks(1000) {
        line(&mut out, &[&[1], part].concat());
    }
    out.extend_from_slice(b"0000");
    out
}

/// References as a server lists them: `HEAD` first, where it leads to a commit.
fn with_head(repo: &GitRepo) -> BTreeMap<String, String> {
    let mut refs = repo.refs().clone();
    if let Some(id) = repo.head() {
        refs.insert("HEAD".to_owned(), id.to_owned());
    }
    refs
}

fn list_refs(repository: &Repository, lines: &[String]) -> Vec<u8> {
    let prefixes: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("ref-prefix "))
        .collect();
    let mut out = Vec::new();
    for (name, id) in &repository.refs {
        if prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            let mut text = format!("{id} {name}");
            if let Some(("tag", content)) = repository.objects.get(id) {
                let target = String::from_utf8_lossy(&content[7..47]).into_owned();
                text.push_str(&format!(" peeled:{target}"));
            }
            line(&mut out, format!("{text}\n").as_bytes());
        }
    }
    out.extend_from_slice(b"0000");
    out
}

/// Objects reachable from wanted ones.
struct Closure<'a> {
    objects: &'a Objects,
    commits_only: bool,
    seen: HashSet<String>,
    shallow: Vec<String>,
}

impl Closure<'_> {
    fn add(&mut self, id: &str, depth: usize) {
        let Some((kind, content)) = self.objects.get(id) else {
            // A submodule's commit.
            return;
        };
        if self.commits_only && matches!(*kind, "tree" | "blob") || !self.seen.insert(id.to_owned())
        {
            return;
        }
        match *kind {
            "tree" => self.add_tree(content),
            "commit" | "tag" => self.add_headers(id, &String::from_utf8_lossy(content), depth),
            _ => {}
        }
    }

    fn add_headers(&mut self, id: &str, text: &str, depth: usize) {
        for header in text.lines().take_while(|line| !line.is_empty()) {
            match header.split_once(' ') {
                Some(("tree" | "object", target)) => self.add(target, depth),
                Some(("parent", target)) if depth > 1 => self.add(target, depth - 1),
                Some(("parent", _)) => self.shallow.push(id.to_owned()),
                _ => {}
            }
        }
    }

    fn add_tree(&mut self, mut content: &[u8]) {
        while let Some(end) = content.iter().position(|byte| *byte == 0) {
            self.add(&hex::encode(&content[end + 1..end + 21]), 1);
            content = &content[end + 21..];
        }
    }
}

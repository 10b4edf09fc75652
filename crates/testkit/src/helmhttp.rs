//! A loopback Helm repository over HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use sha2::{Digest, Sha256};

use crate::charts::pack_chart;
use crate::githttp::TestPki;
use crate::loopback::{Answer, Call, Fault, Loopback, Tls, basic, lock, plain};

/// Why there are certificates.
const TLS: &str = "a server with TLS has certificates";

/// A running repository; it stops when dropped.
pub struct HelmHttp {
    server: Loopback,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Archives by file name, with name and version.
    charts: BTreeMap<String, (String, String, Bytes)>,
    /// The index, where it is not made of the charts.
    index: Option<Bytes>,
    authorization: String,
}

impl HelmHttp {
    /// Starts a repository on a free loopback port.
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0", Tls::No).await.0
    }

    /// Starts a repository with TLS; returns it with the PEM of the CA that issued its certificate.
    pub async fn start_tls() -> (Self, String) {
        let (server, pki) = Self::listen("127.0.0.1:0", Tls::Server).await;
        (server, pki.expect(TLS).authority)
    }

    /// Starts a repository that only talks to clients with a certificate of its authority.
    pub async fn start_mutual_tls() -> (Self, TestPki) {
        let (server, pki) = Self::listen("127.0.0.1:0", Tls::Mutual).await;
        (server, pki.expect(TLS))
    }

    async fn listen(address: &str, tls: Tls) -> (Self, Option<TestPki>) {
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let state = shared.clone();
        let handler = Arc::new(move |call: Call| lock(&state).answer(&call));
        let (server, pki) = Loopback::start(address, tls, handler).await;
        (Self { server, shared }, pki)
    }

    /// Returns the URL of the repository.
    pub fn url(&self) -> String {
        format!("{}://{}", self.server.scheme, self.server.address)
    }

    /// Packs and publishes a chart of files by path.
    pub fn add_chart(&self, name: &str, version: &str, files: &[(&str, &str)]) {
        self.add_archive(name, version, pack_chart(name, version, files));
    }

    /// Publishes any bytes as a chart.
    pub fn add_archive(&self, name: &str, version: &str, archive: Vec<u8>) {
        let file = format!("{name}-{version}.tgz");
        let entry = (name.to_owned(), version.to_owned(), archive.into());
        lock(&self.shared).charts.insert(file, entry);
    }

    /// Withdraws a chart.
    pub fn remove_chart(&self, name: &str, version: &str) {
        let file = format!("{name}-{version}.tgz");
        lock(&self.shared).charts.remove(&file);
    }

    /// Serves this index instead of the one made of the charts; `None` ends that.
    pub fn set_index(&self, index: Option<Vec<u8>>) {
        lock(&self.shared).index = index.map(Bytes::from);
    }

    /// Asks for a user name and password from now on.
    pub fn require(&self, username: &str, password: &str) {
        lock(&self.shared).authorization = basic(username, password);
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

impl Shared {
    fn answer(&self, call: &Call) -> Answer {
        if !self.authorization.is_empty() && call.header("authorization") != self.authorization {
            return plain(StatusCode::UNAUTHORIZED, "");
        }
        match call.path.trim_start_matches('/') {
            "index.yaml" => {
                let made = || Bytes::from(self.make_index());
                let index = self.index.clone().unwrap_or_else(made);
                Response::new(Full::new(index))
            }
            file => match self.charts.get(file) {
                Some((_, _, archive)) => Response::new(Full::new(archive.clone())),
                None => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
            },
        }
    }

    fn make_index(&self) -> String {
        let mut entries: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (file, (name, version, archive)) in &self.charts {
            let digest = hex::encode(Sha256::digest(archive));
            entries.entry(name).or_default().push(format!(
                "  - apiVersion: v2\n    created: \"2026-01-02T03:04:05Z\"\n    digest: {digest}\n    name: {name}\n    urls:\n    - {file}\n    version: {version}\n"
            ));
        }
        let mut text = "apiVersion: v1\nentries:\n".to_owned();
        if entries.is_empty() {
            text = "apiVersion: v1\nentries: {}\n".to_owned();
        }
        for (name, versions) in entries {
            text.push_str(&format!("  {name}:\n{}", versions.concat()));
        }
        text.push_str("generated: \"2026-01-02T03:04:05Z\"\n");
        text
    }
}

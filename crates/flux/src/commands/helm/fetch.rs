//! What helm's commands fetch when they are told to: charts, values, documents that schemas refer to.
//!
//! A runtime starts with the first request; commands that fetch nothing never have one.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use gotemplate::url::Url;
use helm::schema::SchemaLoader;
use remote::Clients;
use remote::helm::{FetchError, RepositoryOptions, fetch_bytes};
use tokio::runtime::Runtime;

use super::chart::open_error;

/// Longest time for a document of a schema, as upstream has it.
const SCHEMA_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest document of a schema, and largest values file.
pub const DOCUMENT_BYTES_MAX: u64 = 16 << 20;

/// Runs requests one after the other.
#[derive(Default)]
pub struct Fetcher {
    runtime: OnceLock<Result<Runtime, String>>,
    clients: OnceLock<Clients>,
}

impl Fetcher {
    fn runtime(&self) -> Result<&Runtime, String> {
        let start = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build();
            runtime.map_err(|error| format!("cannot start the runtime: {error}"))
        };
        self.runtime
            .get_or_init(start)
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Fetches an address of a repository, or any other where the repository is none.
    pub fn get(
        &self,
        options: &RepositoryOptions,
        url: &str,
        limit: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let clients = self.clients.get_or_init(Clients::default);
        let request = fetch_bytes(clients, options, url, limit);
        self.runtime().map_err(FetchError::Sink)?.block_on(request)
    }
}

impl Fetcher {
    /// Fetches the archive of a chart from a registry.
    pub fn registry_chart(
        &self,
        repository: &str,
        chart: &str,
        version: &str,
    ) -> Result<Vec<u8>, String> {
        let clients = self.clients.get_or_init(Clients::default);
        let download = controllers::download_chart(clients, repository, chart, version);
        let archive = self.runtime()?.block_on(download)?;
        Ok(archive.to_vec())
    }

    /// Reads values from an address; nothing where it is none.
    pub fn values(&self, address: &str) -> Result<Option<Vec<u8>>, String> {
        let url = Url::parse(address).map_err(|error| error.to_string())?;
        if !matches!(url.scheme.as_str(), "http" | "https") {
            return Ok(None);
        }
        let options = RepositoryOptions::default();
        let values = self.get(&options, address, DOCUMENT_BYTES_MAX);
        let values = values.map_err(|error| with_name_server(&error.to_string()));
        values.map(Some)
    }
}

impl SchemaLoader for Fetcher {
    fn load(&self, url: &str) -> Result<Vec<u8>, String> {
        if let Some(rest) = url.strip_prefix("file://") {
            return read_bounded(rest.find('/').map_or("", |at| &rest[at..]));
        }
        let clients = self.clients.get_or_init(Clients::default);
        let options = RepositoryOptions::default();
        let request = fetch_bytes(clients, &options, url, DOCUMENT_BYTES_MAX);
        let timed = async { tokio::time::timeout(SCHEMA_TIMEOUT, request).await };
        match self.runtime()?.block_on(timed) {
            Ok(Ok(document)) => Ok(document),
            Ok(Err(FetchError::Status { url, status })) => {
                let (code, text) = status.split_once(' ').unwrap_or((&status, ""));
                Err(format!(
                    "HTTP request to {url} returned status {code} ({text})"
                ))
            }
            Ok(Err(error)) => {
                let error = with_name_server(&error.to_string());
                Err(format!("HTTP request failed for {url}: {error}"))
            }
            Err(_) => Err(format!(
                "HTTP request failed for {url}: Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            )),
        }
    }
}

/// Go tells which server does not know a name: the first one that the system asks.
pub fn with_name_server(error: &str) -> String {
    const UNKNOWN: &str = ": no such host";
    let asked = || {
        let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
        let mut servers = text
            .lines()
            .filter_map(|line| line.strip_prefix("nameserver "));
        let server = servers.next()?.trim().to_owned();
        let before = error.strip_suffix(UNKNOWN)?;
        let brackets = server.contains(':');
        let server = if brackets {
            format!("[{server}]")
        } else {
            server
        };
        Some(format!("{before} on {server}:53{UNKNOWN}"))
    };
    asked().unwrap_or_else(|| error.to_owned())
}

fn read_bounded(path: &str) -> Result<Vec<u8>, String> {
    let failed = |error| open_error(path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("{path} is larger than {DOCUMENT_BYTES_MAX} bytes"));
    }
    std::fs::read(Path::new(path)).map_err(failed)
}

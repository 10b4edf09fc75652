//! Indexes of Helm repositories: fetched into a file, read as streams, versions of single charts kept.

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use api::Artifact;
use helm::index::{Entry, convert_index, read_index};
use parking_lot::Mutex;
use remote::Clients;
use remote::helm::{FetchError, RepositoryOptions, fetch, index_url};
use sha2::{Digest, Sha256};

use crate::artifact::ArtifactStore;

/// Charts whose versions are kept in memory, over all repositories.
const KEPT_MAX: usize = 256;
/// Versions kept in memory, over all charts; one takes some two kilobytes.
const KEPT_VERSIONS_MAX: usize = 4_000;

/// A fetched index.
pub(crate) struct Fetched {
    pub file: std::fs::File,
    /// `sha256:<hex>` of what was fetched.
    pub revision: String,
}

/// Fetches an index into a temporary file.
pub(crate) async fn fetch_index(
    clients: &Clients,
    options: &RepositoryOptions,
    bytes_max: u64,
) -> Result<Fetched, String> {
    let caching = |error: String| format!("failed to cache index to temporary file: {error}");
    let io =
        |error: std::io::Error| format!("failed to create temp file to cache index to: {error}");
    let url = index_url(&options.url).map_err(|error| caching(error.to_string()))?;
    let mut file = tempfile::tempfile().map_err(io)?;
    let mut digest = Sha256::new();
    let mut sink = |chunk: &[u8]| {
        digest.update(chunk);
        file.write_all(chunk)
    };
    let fetched = fetch(clients, options, &url, bytes_max, &mut sink).await;
    fetched.map_err(|error| {
        caching(match error {
            FetchError::TooLarge { limit } => {
                format!("index exceeds the maximum index file size of {limit} bytes")
            }
            error => error.to_string(),
        })
    })?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let revision = format!("sha256:{}", hex::encode(digest.finalize()));
    Ok(Fetched { file, revision })
}

/// Checks an index and writes it in the form that is stored.
pub(crate) fn convert(file: &mut std::fs::File, out: &mut impl Write) -> Result<(), String> {
    let converted = convert_index(file, out);
    converted
        .map(drop)
        .map_err(|error| format!("failed to load index: {error}"))
}

/// Reads the versions of a chart; `None` where there is none.
pub(crate) fn versions(reader: impl Read, chart: &str) -> Result<Option<Vec<Entry>>, String> {
    let (_, entries) = read_index(reader, Some(chart)).map_err(|error| error.to_string())?;
    Ok((!entries.is_empty()).then_some(entries))
}

type Versions = Option<Arc<Vec<Entry>>>;

/// Versions of charts by index and name, those used last.
#[derive(Default)]
pub(crate) struct IndexCache {
    kept: Mutex<Vec<((String, String), Versions)>>,
}

impl IndexCache {
    /// Returns the versions of a chart in a stored index; `None` where the index does not have the chart.
    pub fn versions(
        &self,
        store: &ArtifactStore,
        artifact: &Artifact,
        chart: &str,
    ) -> Result<Versions, String> {
        let key = (artifact.digest.clone(), chart.to_owned());
        if let Some(found) = self.find(&key) {
            return Ok(found);
        }
        let loading = |error: String| format!("failed to load index: {error}");
        let reader = store.open(&artifact.path);
        let reader = reader.map_err(|error| loading(error.to_string()))?;
        let reader = reader
            .ok_or_else(|| loading(format!("open {}: no such file or directory", artifact.path)))?;
        let found = versions(reader, chart).map_err(loading)?.map(Arc::new);
        self.keep(key, found.clone());
        Ok(found)
    }

    fn find(&self, key: &(String, String)) -> Option<Versions> {
        let mut kept = self.kept.lock();
        let place = kept.iter().position(|(known, _)| known == key)?;
        let entry = kept.remove(place);
        let found = entry.1.clone();
        kept.push(entry);
        Some(found)
    }

    fn keep(&self, key: (String, String), versions: Versions) {
        let mut kept = self.kept.lock();
        kept.push((key, versions));
        let count = |versions: &Versions| versions.as_ref().map_or(0, |list| list.len());
        let mut all: usize = kept.iter().map(|(_, versions)| count(versions)).sum();
        while kept.len() > KEPT_MAX || all > KEPT_VERSIONS_MAX && kept.len() > 1 {
            all -= count(&kept.remove(0).1);
        }
    }
}

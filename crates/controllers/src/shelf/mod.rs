//! Directories of charts served as repositories: at once as Helm repositories with an index and as registries.
//!
//! What lies in a directory is read and packed for every request, so that an edited chart is served with the next one.
//! [`charts`] finds and packs charts, [`registry`] speaks the distribution protocol. A directory below that is no chart is
//! an artifact of manifests, as `flux push artifact` makes them. Read-only, without logging in.

mod charts;
mod registry;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use filetree::TreeError;
use filetree::disk::DirectoryTree;
use helm::metadata::Metadata;
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::Full;
use objects::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tracing::warn;

use self::registry::Blobs;
use crate::serving::{Answer, percent_decode, plain, respond, serve_blocking};

/// A directory to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// First part of its path on the server; lower-case letters and digits.
    pub name: String,
    /// Where the charts lie.
    pub directory: PathBuf,
}

/// Why the charts of a directory cannot be served; says which file is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// The directory cannot be read.
    #[error(transparent)]
    Unreadable(#[from] TreeError),
    /// A chart cannot be loaded or packed.
    #[error("{path}: {reason}")]
    Chart {
        /// Where it lies, below the directory.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two charts with one name and version.
    #[error("{first} and {second} are both {name} {version}")]
    Twice {
        /// One of both.
        first: String,
        /// The other.
        second: String,
        /// Name of the chart.
        name: String,
        /// Its version.
        version: String,
    },
}

/// A chart of a directory, packed.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// Where it lies, below the shelf's directory.
    pub path: String,
    pub metadata: Metadata,
    pub archive: Bytes,
}

/// Loads every chart that lies directly in a directory; returns their names and versions.
///
/// # Errors
/// One of them cannot be served.
pub fn survey(shelf: &Shelf) -> Result<Vec<(String, String)>, ShelfError> {
    let tree = DirectoryTree::open(&shelf.directory)?;
    let found = charts::read(&tree, "")?;
    let named = |chart: Packed| (chart.metadata.name, chart.metadata.version);
    Ok(found.into_iter().map(named).collect())
}

/// Serves directories until the future is dropped.
pub async fn serve(shelves: Vec<Shelf>, listener: TcpListener) {
    let library = Library {
        shelves,
        blobs: Blobs::default(),
    };
    serve_blocking(listener, Arc::new(move |head: &Parts| library.answer(head))).await;
}

struct Library {
    shelves: Vec<Shelf>,
    blobs: Blobs,
}

impl Library {
    fn answer(&self, head: &Parts) -> Answer {
        if head.method != Method::GET && head.method != Method::HEAD {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "read-only\n");
        }
        let path = percent_decode(head.uri.path());
        let mut answer = match path.strip_prefix("/v2/") {
            Some("") => respond(StatusCode::OK, "application/json", "{}".into()),
            Some(path) => registry::answer(self, path),
            None => self.repository(&path),
        };
        if head.method == Method::HEAD {
            *answer.body_mut() = Full::default();
        }
        answer
    }

    /// Opens the shelf that a path begins with; returns it with the rest of the path.
    fn open(&self, path: &str) -> Option<(Result<DirectoryTree, ShelfError>, String)> {
        let clean = filetree::clean(path)?;
        let (name, rest) = clean.split_once('/')?;
        let shelf = self.shelves.iter().find(|shelf| shelf.name == name)?;
        let tree = DirectoryTree::open(&shelf.directory).map_err(ShelfError::from);
        Some((tree, rest.to_owned()))
    }

    /// Answers as a Helm repository: an index in each directory, and the archives that it names.
    fn repository(&self, path: &str) -> Answer {
        let not_found = || plain(StatusCode::NOT_FOUND, "404 page not found\n");
        let Some((tree, rest)) = self.open(path) else {
            return not_found();
        };
        let (directory, file) = (filetree::parent(&rest), filetree::base_name(&rest));
        let found = match tree.and_then(|tree| charts::read(&tree, directory)) {
            Ok(found) => found,
            Err(ShelfError::Unreadable(TreeError::NotFound { .. })) => return not_found(),
            Err(error) => return failed(&error),
        };
        if file == "index.yaml" {
            let text = kyaml::emit_sigs(&index(&found)).unwrap_or_default();
            return respond(StatusCode::OK, "application/yaml", text.into());
        }
        let chart = found.into_iter().find(|chart| file_name(chart) == file);
        chart.map_or_else(not_found, |chart| {
            respond(StatusCode::OK, "application/gzip", chart.archive)
        })
    }
}

/// The shelf's own fault: said where people look, as clients show a status only.
fn failed(error: &ShelfError) -> Answer {
    warn!(%error, "charts of a mirror cannot be served");
    plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n"))
}

fn file_name(chart: &Packed) -> String {
    let (name, version) = (&chart.metadata.name, &chart.metadata.version);
    format!("{name}-{version}.tgz")
}

/// The index of some charts. Times are left out: the same files make the same index.
fn index(charts: &[Packed]) -> Value {
    let mut entries = objects::Map::new();
    for chart in charts {
        let mut entry = chart.metadata.to_json();
        entry["urls"] = json!([file_name(chart)]);
        entry["digest"] = json!(hex::encode(Sha256::digest(&chart.archive)));
        entry["created"] = json!("1970-01-01T00:00:00Z");
        let versions = entries
            .entry(chart.metadata.name.clone())
            .or_insert_with(|| json!([]));
        if let Value::Array(versions) = versions {
            versions.push(entry);
        }
    }
    json!({"apiVersion": "v1", "generated": "1970-01-01T00:00:00Z", "entries": entries})
}

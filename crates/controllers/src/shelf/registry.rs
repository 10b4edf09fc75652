//! The distribution protocol over directories: manifests are made when they are asked for.
//!
//! `…/NAME` is the chart NAME, whose tags are its versions as `helm push` writes them, and `latest`. Where there is no such
//! chart but a directory, it is an artifact of manifests, under whatever tag is asked for.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use filetree::disk::DirectoryTree;
use filetree::{EntryKind, FileTree, Ignore};
use gocompat::semver::Version;
use http::StatusCode;
use objects::json;
use parking_lot::Mutex;
use remote::oci::{Layer, Package, media_type};
use sha2::{Digest, Sha256};

use super::{Library, Packed, ShelfError, charts, failed};
use crate::serving::{Answer, respond};

/// Bytes of manifests, configs and layers that are remembered under their digests.
const BLOB_BYTES_MAX: usize = 256 << 20;
/// What a directory of manifests is tagged with in lists.
const LATEST: &str = "latest";

/// What manifests name, until it is fetched: the last ones asked for.
#[derive(Default)]
pub(super) struct Blobs(Mutex<VecDeque<(String, Bytes)>>);

impl Blobs {
    fn keep(&self, content: Bytes) -> String {
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&content)));
        let mut kept = self.0.lock();
        if !kept.iter().any(|(known, _)| *known == digest) {
            kept.push_back((digest.clone(), content));
        }
        let mut bytes: usize = kept.iter().map(|(_, content)| content.len()).sum();
        while bytes > BLOB_BYTES_MAX && kept.len() > 1 {
            bytes -= kept.pop_front().map_or(0, |(_, content)| content.len());
        }
        digest
    }

    fn find(&self, digest: &str) -> Option<Bytes> {
        let kept = self.0.lock();
        let found = kept.iter().find(|(known, _)| known == digest);
        found.map(|(_, content)| content.clone())
    }
}

/// Answers what lies below `/v2/`.
pub(super) fn answer(library: &Library, path: &str) -> Answer {
    for (mark, act) in [
        (
            "/manifests/",
            manifest as fn(&Library, &str, &str) -> Answer,
        ),
        ("/blobs/", blob),
        ("/tags/", tags),
    ] {
        if let Some((repository, rest)) = path.rsplit_once(mark) {
            return act(library, repository, rest);
        }
    }
    refuse("UNSUPPORTED", "not served here")
}

fn refuse(code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]});
    respond(
        StatusCode::NOT_FOUND,
        "application/json",
        body.to_string().into(),
    )
}

fn blob(library: &Library, _repository: &str, digest: &str) -> Answer {
    match library.blobs.find(digest) {
        Some(content) => respond(StatusCode::OK, "application/octet-stream", content),
        None => refuse("BLOB_UNKNOWN", "no manifest with it was asked for"),
    }
}

/// What a repository is.
enum Held {
    /// Versions of a chart, the newest first.
    Versions(Vec<Packed>),
    /// A directory of manifests.
    Manifests(DirectoryTree, String),
}

fn find(library: &Library, repository: &str) -> Result<Held, Answer> {
    let unknown = |what: &str| refuse("NAME_UNKNOWN", &format!("there is no {what}"));
    let Some((tree, path)) = library.open(repository) else {
        return Err(unknown(repository));
    };
    let broken = |error: ShelfError| failed(&error);
    let tree = tree.map_err(broken)?;
    let (directory, name) = (filetree::parent(&path), filetree::base_name(&path));
    let mut versions = match tree.kind(directory) {
        Ok(EntryKind::Directory) => charts::read(&tree, directory).map_err(broken)?,
        _ => Vec::new(),
    };
    versions.retain(|chart| chart.metadata.name == name);
    if !versions.is_empty() {
        let version = |chart: &Packed| Version::parse(&chart.metadata.version).ok();
        versions.sort_by_key(|chart| std::cmp::Reverse(version(chart)));
        return Ok(Held::Versions(versions));
    }
    let is_directory = tree.kind(&path) == Ok(EntryKind::Directory);
    if is_directory && !charts::is_chart_directory(&tree, &path) {
        return Ok(Held::Manifests(tree, path));
    }
    Err(unknown(&format!("chart or directory {path} in the mirror")))
}

fn tag(chart: &Packed) -> String {
    chart.metadata.version.replace('+', "_")
}

fn tags(library: &Library, repository: &str, _list: &str) -> Answer {
    let tags: Vec<String> = match find(library, repository) {
        Ok(Held::Versions(versions)) => versions.iter().map(tag).collect(),
        Ok(Held::Manifests(..)) => vec![LATEST.to_owned()],
        Err(answer) => return answer,
    };
    let body = json!({"name": repository, "tags": tags});
    respond(StatusCode::OK, "application/json", body.to_string().into())
}

fn manifest(library: &Library, repository: &str, wanted: &str) -> Answer {
    if let Some(known) = library.blobs.find(wanted) {
        return whole(wanted, known);
    }
    let packages = match find(library, repository) {
        Ok(Held::Versions(versions)) => chart(versions, wanted),
        Ok(Held::Manifests(tree, path)) => manifests(&tree, &path).map(|package| vec![package]),
        Err(answer) => return answer,
    };
    let packages = match packages {
        Ok(packages) => packages,
        Err(answer) => return answer,
    };
    for package in packages {
        let manifest = Bytes::from(package.manifest());
        let digest = library.blobs.keep(manifest.clone());
        library.blobs.keep(package.config);
        for layer in package.layers {
            library.blobs.keep(layer.content);
        }
        if !is_digest(wanted) || wanted == digest {
            return whole(&digest, manifest);
        }
    }
    refuse("MANIFEST_UNKNOWN", "the mirror has other contents")
}

fn is_digest(reference: &str) -> bool {
    reference.starts_with("sha256:")
}

fn whole(digest: &str, manifest: Bytes) -> Answer {
    let mut answer = respond(StatusCode::OK, media_type::OCI_MANIFEST, manifest);
    if let Ok(value) = digest.parse() {
        answer.headers_mut().insert("docker-content-digest", value);
    }
    answer
}

/// The chart with a tag; for a digest all, the newest first.
fn chart(mut versions: Vec<Packed>, wanted: &str) -> Result<Vec<Package>, Answer> {
    let known: Vec<String> = versions.iter().map(tag).collect();
    match wanted {
        LATEST => versions.truncate(1),
        digest if is_digest(digest) => {}
        wanted => versions.retain(|chart| tag(chart) == wanted),
    }
    if versions.is_empty() {
        let message = format!("the mirror has {}", known.join(", "));
        return Err(refuse("MANIFEST_UNKNOWN", &message));
    }
    let package = |chart: Packed| {
        let config = serde_json::to_vec(&chart.metadata.to_json()).unwrap_or_default();
        package(
            (media_type::HELM_CONFIG, config.into()),
            (media_type::HELM_CONTENT, chart.archive),
        )
    };
    Ok(versions.into_iter().map(package).collect())
}

fn manifests(tree: &DirectoryTree, path: &str) -> Result<Package, Answer> {
    let root = tree.root().join(path);
    let packed = DirectoryTree::open(&root)
        .and_then(|tree| tree.snapshot(&|path| path == ".git"))
        .and_then(|tree| filetree::select(&tree, &Ignore::load(&tree, None)?))
        .map(|entries| filetree::pack(&entries).bytes)
        .map_err(|error| failed(&error.into()))?;
    Ok(package(
        (media_type::FLUX_CONFIG, Bytes::from_static(b"{}")),
        (media_type::FLUX_CONTENT, packed.into()),
    ))
}

fn package(config: (&str, Bytes), layer: (&str, Bytes)) -> Package {
    Package {
        config_media_type: config.0.to_owned(),
        config: config.1,
        layers: vec![Layer {
            media_type: layer.0.to_owned(),
            content: layer.1,
        }],
        annotations: BTreeMap::new(),
    }
}

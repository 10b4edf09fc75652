//! The artifact store: what sources produced, for consumers in this process and over HTTP.
//!
//! Paths, URLs, digests and retention are source-controller's. Files lie on disk in upstream's layout, or in memory for a
//! cluster that keeps nothing. Consumers in the same process take the unpacked tree ([`ArtifactStore::tree`]), which was
//! never packed for them in the first place: the producer hands it in together with the archive.

mod files;
mod pending;
mod server;
mod trees;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::Artifact;
use bytes::Bytes;
use filetree::{MemoryTree, PackEntry, UnpackLimits, selected_tree, unpack_tar_gz};
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};

use files::{DiskFiles, Files, MemoryFiles};
pub use pending::{Name, Pending};
pub use server::serve;
use trees::TreeCache;

/// Files of one object looked at by one garbage collection.
const FILES_MAX: usize = 1000;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system failed, for instance because the disk is full.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The directory of the object's artifacts cannot be made.
    #[error("{0}")]
    Directory(std::io::Error),
    /// The artifact is not in the store; it may be another process's.
    #[error("artifact '{0}' is not in storage")]
    NotFound(String),
    /// The stored bytes do not have the artifact's digest.
    #[error("computed digest doesn't match provided '{digest}': '{computed}'")]
    Digest {
        /// What the artifact says.
        digest: String,
        /// What the bytes have.
        computed: String,
    },
    /// The archive cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] filetree::UnpackError),
    /// The files contradict each other.
    #[error(transparent)]
    Tree(#[from] filetree::TreeError),
}

/// How long old artifacts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Files older than this go, except the current one.
    pub ttl: Duration,
    /// Files kept at most, the current one included.
    pub records: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(60),
            records: 2,
        }
    }
}

/// Cleans a path inside of an artifact; steps that lead out of it stay at its root, as upstream's secure join has it.
pub(crate) fn confine(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// Whose artifact it is.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Kind, such as `GitRepository`.
    pub kind: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
}

impl Owner<'_> {
    /// Returns the directory below the storage root.
    fn directory(&self) -> String {
        let kind = self.kind.to_lowercase();
        format!("{kind}/{}/{}", self.namespace, self.name)
    }
}

/// Artifacts of all sources.
pub struct ArtifactStore {
    files: Box<dyn Files>,
    /// Host and port, or a URL prefix, that consumers use.
    address: RwLock<String>,
    retention: Retention,
    trees: Mutex<TreeCache>,
}

impl ArtifactStore {
    /// Keeps everything in memory.
    pub fn in_memory(address: &str, retention: Retention) -> Self {
        Self::with_files(Box::new(MemoryFiles::default()), address, retention)
    }

    /// Keeps files below a directory, which must exist.
    ///
    /// # Errors
    /// Fails where there is no such directory.
    pub fn on_disk(root: &Path, address: &str, retention: Retention) -> Result<Self, StoreError> {
        if !root.is_dir() {
            let message = format!("invalid dir path: {}", root.display());
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, message).into());
        }
        let files = Box::new(DiskFiles::new(root));
        Ok(Self::with_files(files, address, retention))
    }

    fn with_files(files: Box<dyn Files>, address: &str, retention: Retention) -> Self {
        Self {
            files,
            address: RwLock::new(address.to_owned()),
            retention,
            trees: Mutex::default(),
        }
    }

    /// Changes the address that URLs carry, for instance once a port is bound.
    pub fn set_address(&self, address: &str) {
        address.clone_into(&mut self.address.write());
    }

    /// Returns the address that URLs carry.
    pub fn address(&self) -> String {
        self.address.read().clone()
    }

    /// Returns the URL of a path at the present address.
    pub fn url(&self, path: &str) -> String {
        let address = self.address.read();
        let address = address.trim_end_matches('/');
        if address.starts_with("http://") || address.starts_with("https://") {
            format!("{address}/{path}")
        } else {
            format!("http://{address}/{path}")
        }
    }

    /// Packs and stores a tree under a file name such as `<commit>.tar.gz`.
    ///
    /// # Errors
    /// The directory cannot be made, a file cannot be packed, or the store cannot be written.
    pub fn put(
        &self,
        owner: Owner<'_>,
        file: &str,
        revision: &str,
        entries: &[PackEntry],
        now: Timestamp,
    ) -> Result<Artifact, StoreError> {
        let directory = owner.directory();
        let tarball = filetree::pack(entries);
        let tree = Arc::new(selected_tree(entries)?);
        let digest = tarball.digest();
        let path = format!("{directory}/{file}");
        self.files
            .create_directory(&directory)
            .map_err(StoreError::Directory)?;
        let size = i64::try_from(tarball.bytes.len()).unwrap_or(i64::MAX);
        self.files
            .write(&path, tarball.bytes.into(), &digest, now)?;
        self.trees.lock().insert(&digest, tree);
        Ok(Artifact {
            url: self.url(&path),
            path,
            digest,
            revision: revision.to_owned(),
            last_update_time: api::conditions::whole_seconds(now),
            size: Some(size),
            ..Artifact::default()
        })
    }

    /// Returns the unpacked files of an artifact; shared by all consumers.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where the artifact is not of this store: fetch its URL instead.
    pub fn tree(&self, artifact: &Artifact) -> Result<Arc<MemoryTree>, StoreError> {
        if let Some(tree) = self.trees.lock().get(&artifact.digest) {
            return Ok(tree);
        }
        let bytes = self.read(&artifact.path)?;
        let bytes = bytes.ok_or_else(|| StoreError::NotFound(artifact.path.clone()))?;
        check_digest(&bytes, &artifact.digest)?;
        let tree = Arc::new(unpack_tar_gz(&bytes[..], UnpackLimits::ARTIFACT)?);
        self.trees.lock().insert(&artifact.digest, tree.clone());
        Ok(tree)
    }

    /// Takes in a tree that was fetched from elsewhere, so that it is unpacked once.
    pub fn remember(&self, digest: &str, tree: Arc<MemoryTree>) {
        self.trees.lock().insert(digest, tree);
    }

    /// Reads a stored file; `None` where it is not there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.files.read(path)?)
    }

    /// Opens a stored file; `None` where it is not there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(&self, path: &str) -> Result<Option<Box<dyn std::io::Read + Send>>, StoreError> {
        Ok(self.files.open(path)?)
    }

    /// Tells whether an artifact's file is there.
    pub fn exists(&self, artifact: &Artifact) -> bool {
        self.files.exists(&artifact.path)
    }

    /// Checks an artifact's bytes against its digest; unchanged files are read once only.
    ///
    /// # Errors
    /// Fails where the file is gone or has other bytes.
    pub fn verify(&self, artifact: &Artifact) -> Result<(), StoreError> {
        self.files.verify(&artifact.path, &artifact.digest)
    }

    /// Removes an artifact's file.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self, artifact: &Artifact) -> Result<(), StoreError> {
        self.trees.lock().remove(&artifact.digest);
        Ok(self.files.remove(&artifact.path)?)
    }

    /// Removes everything of a deleted object; tells whether there was anything.
    ///
    /// # Errors
    /// Fails where the disk refuses.
    pub fn remove_all(&self, owner: Owner<'_>) -> Result<bool, StoreError> {
        let directory = owner.directory();
        Ok(self.files.remove_directory(&directory)?)
    }

    /// Removes old files beside an artifact by age and number; returns how many went.
    ///
    /// # Errors
    /// The directory cannot be listed, or a file cannot be removed; some may be gone already.
    pub fn garbage_collect(&self, current: &Artifact, now: Timestamp) -> Result<usize, StoreError> {
        let (directory, file) = current.path.rsplit_once('/').unwrap_or(("", &current.path));
        let mut found = self.files.list(directory)?;
        found.truncate(FILES_MAX);
        found.retain(|info| info.name != file);
        let old = garbage(&mut found, self.retention, now);
        for name in &old {
            self.files.remove(&format!("{directory}/{name}"))?;
        }
        Ok(old.len())
    }

    fn files(&self) -> &dyn Files {
        &*self.files
    }
}

/// Chooses what goes among the files that are not current: all beyond the age, then the oldest beyond the number.
fn garbage(found: &mut Vec<files::Info>, retention: Retention, now: Timestamp) -> Vec<String> {
    let too_old = |info: &files::Info| {
        let age = now.duration_since(info.modified);
        Duration::try_from(age).is_ok_and(|age| age > retention.ttl)
    };
    let mut old: Vec<String> = found
        .iter()
        .filter(|info| too_old(info))
        .map(|info| info.name.clone())
        .collect();
    found.retain(|info| !too_old(info));
    found.sort_by(|a, b| a.modified.cmp(&b.modified).then(a.name.cmp(&b.name)));
    // The current file is one of the records kept.
    let kept = retention.records.saturating_sub(1);
    let surplus = found.len().saturating_sub(kept);
    old.extend(found.drain(..surplus).map(|info| info.name));
    old
}

fn check_digest(bytes: &[u8], digest: &str) -> Result<(), StoreError> {
    let computed = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    if computed == digest {
        return Ok(());
    }
    Err(StoreError::Digest {
        digest: digest.to_owned(),
        computed,
    })
}

#[cfg(test)]
mod tests;

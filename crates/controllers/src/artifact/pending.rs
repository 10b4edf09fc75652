//! Files on their way into the store: written piece by piece, and there only once they are whole.

use std::io::{Result, Write};

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::files::cause;
use super::{ArtifactStore, Owner, StoreError};
use api::Artifact;

/// Bytes of a file of a store in memory; larger ones, such as indexes, go into a temporary file.
const MEMORY_BYTES_MAX: usize = 4 << 20;

/// A file on its way. It vanishes when dropped.
pub struct Pending {
    pub(super) content: Content,
    digest: Sha256,
    size: u64,
    fault: Option<String>,
}

/// Where the bytes are meanwhile.
pub(super) enum Content {
    Memory(Vec<u8>),
    Disk(NamedTempFile),
}

/// Under which names a file goes into the store.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// File name, such as `<digest>.tar.gz`.
    pub file: &'a str,
    /// Name that always leads to the newest file, such as `latest.tar.gz`.
    pub link: &'a str,
    /// Revision in the source's words.
    pub revision: &'a str,
}

impl Write for Pending {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        let written = self.put(buffer).map_err(|error| {
            let text = format!("write: {}", cause(&error));
            self.fault = Some(text.clone());
            std::io::Error::new(error.kind(), text)
        })?;
        self.digest.update(&buffer[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        match &mut self.content {
            Content::Memory(_) => Ok(()),
            Content::Disk(file) => file.flush(),
        }
    }
}

impl Pending {
    /// Says why a piece could not be written, for instance because the disk is full.
    pub fn fault(&self) -> Option<StoreError> {
        let text = self.fault.clone()?;
        Some(std::io::Error::other(text).into())
    }

    fn put(&mut self, buffer: &[u8]) -> Result<usize> {
        if let Content::Memory(bytes) = &self.content
            && bytes.len() + buffer.len() > MEMORY_BYTES_MAX
        {
            let mut file = NamedTempFile::new()?;
            file.write_all(bytes)?;
            self.content = Content::Disk(file);
        }
        match &mut self.content {
            Content::Memory(bytes) => bytes.write(buffer),
            Content::Disk(file) => file.write(buffer),
        }
    }
}

impl ArtifactStore {
    /// Begins a file of an object.
    ///
    /// # Errors
    /// The directory cannot be made, or the disk is full.
    pub fn begin(&self, owner: Owner<'_>) -> std::result::Result<Pending, StoreError> {
        let directory = owner.directory();
        self.files
            .create_directory(&directory)
            .map_err(StoreError::Directory)?;
        Ok(Pending {
            content: self.files.begin(&directory)?,
            digest: Sha256::new(),
            size: 0,
            fault: None,
        })
    }

    /// Puts a whole file into the store; returns the artifact and the URL that leads to the newest one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn commit(
        &self,
        mut pending: Pending,
        owner: Owner<'_>,
        name: Name<'_>,
        now: Timestamp,
    ) -> std::result::Result<(Artifact, String), StoreError> {
        pending.flush()?;
        let digest = format!("sha256:{}", hex::encode(pending.digest.finalize()));
        let path = format!("{}/{}", owner.directory(), name.file);
        self.files.adopt(&path, pending.content, &digest, now)?;
        let link = self.link(owner, name);
        let artifact = Artifact {
            url: self.url(&path),
            path,
            digest,
            revision: name.revision.to_owned(),
            last_update_time: api::conditions::whole_seconds(now),
            size: i64::try_from(pending.size).ok(),
            ..Artifact::default()
        };
        Ok((artifact, link))
    }

    /// Stores bytes as they are; returns as [`ArtifactStore::commit`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_bytes(
        &self,
        owner: Owner<'_>,
        name: Name<'_>,
        bytes: Bytes,
        now: Timestamp,
    ) -> std::result::Result<(Artifact, String), StoreError> {
        let mut pending = self.begin(owner)?;
        pending.write_all(&bytes)?;
        self.commit(pending, owner, name, now)
    }

    /// Makes the link to the newest file, as well as it goes: consumers use the artifact's own URL.
    pub(crate) fn link(&self, owner: Owner<'_>, name: Name<'_>) -> String {
        let path = format!("{}/{}", owner.directory(), name.link);
        let target = format!("{}/{}", owner.directory(), name.file);
        if let Err(error) = self.files.link(&path, &target) {
            tracing::debug!(%error, "failed to update status URL symlink");
        }
        self.url(&path)
    }
}

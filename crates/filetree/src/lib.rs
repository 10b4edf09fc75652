//! File trees in memory, on disk and in archives: safe tar and gzip, ignore rules, digests, reproducible packing.
//!
//! Engines read files only through [`FileTree`]. Paths are relative, `/`-separated, without `.`/`..` steps;
//! the root is the empty path. Only the `disk` module touches `std::fs`.

mod digest;
pub mod disk;
pub mod glob;
mod gozip;
mod ignore;
mod layered;
mod memory;
mod pack;
mod path;
mod unpack;

use std::io::{Cursor, Read};
use std::sync::Arc;

pub use digest::{TreeDigest, tree_digest};
pub use gozip::GoGzip;
pub use ignore::{IGNORE_FILE, Ignore};
pub use layered::LayeredTree;
pub use memory::MemoryTree;
pub use pack::{GoArchive, PackEntry, Tarball, pack, select, selected_tree};
pub use path::{base_name, clean, join, parent};
pub use unpack::{UnpackError, UnpackLimits, unpack_tar, unpack_tar_gz};

/// What stands at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Last path element.
    pub name: String,
    /// File or directory, links followed.
    pub kind: EntryKind,
}

/// Why a tree could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Nothing stands at the path.
    #[error("{path}: no such file or directory")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// A file was asked for where a directory stands.
    #[error("{path}: is a directory")]
    IsDirectory {
        /// The path asked for.
        path: String,
    },
    /// A directory was asked for where a file stands.
    #[error("{path}: not a directory")]
    NotDirectory {
        /// The path asked for.
        path: String,
    },
    /// A link leads out of the tree.
    #[error("{path}: leads outside of the tree")]
    Escapes {
        /// The path asked for.
        path: String,
    },
    /// The file system failed.
    #[error("{path}: {reason}")]
    Io {
        /// The path asked for.
        path: String,
        /// The file system's words.
        reason: String,
    },
}

/// A readable tree of files.
///
/// Implementations are cheap to share and answer the same for the same path as long as they live.
pub trait FileTree: Send + Sync {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Fails where there is no file, or it cannot be read.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError>;

    /// Opens a file for reading piece by piece; trees in memory hand out what they hold.
    ///
    /// # Errors
    /// As [`FileTree::read`].
    fn open(&self, path: &str) -> Result<Box<dyn Read>, TreeError> {
        let content = self.read(path)?;
        Ok(Box::new(Cursor::new(content)))
    }

    /// Tells what stands at a path, links followed.
    ///
    /// # Errors
    /// Fails where there is nothing.
    fn kind(&self, path: &str) -> Result<EntryKind, TreeError>;

    /// Lists a directory, sorted by name (bytewise).
    ///
    /// # Errors
    /// Fails where there is no directory, or it cannot be read.
    fn list(&self, path: &str) -> Result<Vec<Entry>, TreeError>;

    /// Returns the path with every link resolved. Trees without links return the cleaned path.
    ///
    /// # Errors
    /// Fails where there is nothing, and on links that lead out or in circles.
    fn resolve(&self, path: &str) -> Result<String, TreeError> {
        let cleaned = clean(path).ok_or_else(|| TreeError::Escapes {
            path: path.to_owned(),
        })?;
        self.kind(&cleaned).map(|_| cleaned)
    }
}

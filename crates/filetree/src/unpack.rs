//! Reads archives made by others into memory, with bounds on everything.
//!
//! Follows `pkg/tar` as Flux's consumers use it: links and other special entries are skipped, names that are empty,
//! absolute, lead upwards or hold a backslash are refused.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::{MemoryTree, TreeError};

/// What an archive may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Sum of all file contents, in bytes.
    pub bytes_max: u64,
    /// Number of entries of any kind.
    pub entries_max: u64,
    /// Length of one path, in bytes.
    pub path_bytes_max: usize,
}

impl UnpackLimits {
    /// Bounds for artifacts of sources: 1 GiB unpacked, a million entries. Upstream's consumers have none.
    pub const ARTIFACT: Self = Self {
        bytes_max: 1 << 30,
        entries_max: 1_000_000,
        path_bytes_max: 4096,
    };
}

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The stream is no gzip or tar, or ends early.
    #[error("cannot read archive: {0}")]
    Malformed(#[from] std::io::Error),
    /// An entry's name is unsafe.
    #[error("tar contained invalid name error {name:?}")]
    Name {
        /// The name as found.
        name: String,
    },
    /// More bytes than allowed.
    #[error("archive unpacks to more than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// More entries than allowed.
    #[error("archive has more than {entries_max} entries")]
    TooMany {
        /// The bound.
        entries_max: u64,
    },
    /// Two entries contradict each other, such as a file below a file.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Unpacks a gzip-compressed tar stream.
///
/// # Errors
/// Fails on a malformed stream, on entries that lead out of the tree, and beyond the limits.
pub fn unpack_tar_gz(stream: impl Read, limits: UnpackLimits) -> Result<MemoryTree, UnpackError> {
    unpack_tar(MultiGzDecoder::new(stream), limits)
}

/// Unpacks a tar stream.
///
/// # Errors
/// As [`unpack_tar_gz`].
pub fn unpack_tar(stream: impl Read, limits: UnpackLimits) -> Result<MemoryTree, UnpackError> {
    let mut tree = MemoryTree::new();
    let mut left = limits.bytes_max;
    // Long names and PAX records are part of the stream as well, so the whole of it is bounded too.
    let bound = limits
        .bytes_max
        .saturating_mul(2)
        .saturating_add(limits.entries_max << 12);
    let mut archive = tar::Archive::new(stream.take(bound));
    for (count, entry) in (1..).zip(archive.entries()?) {
        if count > limits.entries_max {
            return Err(UnpackError::TooMany {
                entries_max: limits.entries_max,
            });
        }
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if !kind.is_file() && !kind.is_dir() {
            continue;
        }
        let name = checked_name(&entry.path_bytes(), limits.path_bytes_max)?;
        if kind.is_dir() {
            tree.insert_directory(&name)?;
            continue;
        }
        if entry.size() > left {
            return Err(UnpackError::TooLarge {
                bytes_max: limits.bytes_max,
            });
        }
        left -= entry.size();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        tree.insert(&name, content)?;
        tree.set_executable(&name, entry.header().mode()? & 0o111 != 0);
    }
    Ok(tree)
}

fn checked_name(name: &[u8], bytes_max: usize) -> Result<String, UnpackError> {
    let text = String::from_utf8_lossy(name).into_owned();
    let safe = !text.is_empty()
        && name.len() <= bytes_max
        && !text.contains(['\\', '\0'])
        && !text.starts_with('/')
        && !text.split('/').any(|step| step == "..");
    if safe {
        Ok(text)
    } else {
        Err(UnpackError::Name { name: text })
    }
}

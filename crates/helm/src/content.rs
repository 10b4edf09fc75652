//! The bytes of a chart's file, in memory or still packed in the archive they came in.
//!
//! Charts carry changelogs, dashboards and definitions by the megabyte that no template reads; unpacking them only
//! to hold them costs more than the rest of a render. They are inflated once to see that the archive is sound, and
//! once more should anything look inside.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Contents of one file. Cloning shares the bytes.
#[derive(Clone)]
pub struct Content(Place);

#[derive(Clone)]
enum Place {
    Here(Arc<[u8]>),
    Packed { archive: Arc<Packed>, index: usize },
}

/// An archive some of whose files were passed over.
pub(crate) struct Packed {
    bytes: Vec<u8>,
    /// Reads the files that were passed over, in their order.
    unpack: fn(&[u8]) -> Vec<Arc<[u8]>>,
    files: OnceLock<Vec<Arc<[u8]>>>,
}

impl Packed {
    pub(crate) fn new(bytes: Vec<u8>, unpack: fn(&[u8]) -> Vec<Arc<[u8]>>) -> Self {
        Self {
            bytes,
            unpack,
            files: OnceLock::new(),
        }
    }

    /// The archive as it is.
    pub(crate) fn archive(&self) -> &[u8] {
        &self.bytes
    }
}

impl Content {
    /// The file that was passed over as the one with this number, from zero.
    pub(crate) fn packed(archive: &Arc<Packed>, index: usize) -> Self {
        Self(Place::Packed {
            archive: archive.clone(),
            index,
        })
    }

    /// The bytes, unpacked by now.
    pub fn bytes(&self) -> &Arc<[u8]> {
        match &self.0 {
            Place::Here(bytes) => bytes,
            Place::Packed { archive, index } => {
                let files = archive
                    .files
                    .get_or_init(|| (archive.unpack)(&archive.bytes));
                &files[*index]
            }
        }
    }
}

impl Deref for Content {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Here(bytes) => write!(f, "{} bytes", bytes.len()),
            Place::Packed { index, .. } => write!(f, "packed file {index}"),
        }
    }
}

impl From<Arc<[u8]>> for Content {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(Place::Here(bytes))
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Self(Place::Here(bytes.into()))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Place::Here(bytes.into()))
    }
}

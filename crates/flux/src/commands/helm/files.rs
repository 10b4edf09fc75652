//! A chart's directory as Helm walks it: links are followed wherever they lead, with few calls of the system.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use filetree::{Entry, EntryKind, FileTree, TreeError};

/// Files below a directory; links may lead out of it.
pub struct FollowedTree {
    root: PathBuf,
}

impl FollowedTree {
    /// A tree over a directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

fn io_error(path: &str, error: &std::io::Error) -> TreeError {
    TreeError::Io {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

impl FileTree for FollowedTree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError> {
        match fs::read(self.root.join(path)) {
            Ok(data) => Ok(data.into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(TreeError::NotFound {
                    path: path.to_owned(),
                })
            }
            Err(error) => Err(io_error(path, &error)),
        }
    }

    fn kind(&self, path: &str) -> Result<EntryKind, TreeError> {
        let metadata = fs::metadata(self.root.join(path)).map_err(|e| io_error(path, &e))?;
        Ok(if metadata.is_dir() {
            EntryKind::Directory
        } else {
            EntryKind::File
        })
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, TreeError> {
        let mut entries = Vec::new();
        let items = fs::read_dir(self.root.join(path)).map_err(|e| io_error(path, &e))?;
        for item in items {
            let item = item.map_err(|e| io_error(path, &e))?;
            let Ok(name) = item.file_name().into_string() else {
                continue;
            };
            let mut kind = item.file_type().map_err(|e| io_error(path, &e))?;
            if kind.is_symlink() {
                let Ok(metadata) = fs::metadata(item.path()) else {
                    continue;
                };
                kind = metadata.file_type();
            }
            let kind = match (kind.is_dir(), kind.is_file()) {
                (true, _) => EntryKind::Directory,
                (_, true) => EntryKind::File,
                _ => continue,
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

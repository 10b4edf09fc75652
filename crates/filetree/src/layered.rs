//! Two trees seen as one: what a controller adds (such as a generated `kustomization.yaml`) over what a source holds.

use std::sync::Arc;

use crate::{Entry, EntryKind, FileTree, MemoryTree, TreeError};

/// A small tree over a shared one; files above hide files of the same path below.
///
/// Nothing below can be removed. A file above a directory, or the reverse, hides it as a whole.
#[derive(Clone)]
pub struct LayeredTree {
    /// Additions; consulted first.
    pub upper: MemoryTree,
    /// What is seen where nothing was added.
    pub lower: Arc<dyn FileTree>,
}

impl LayeredTree {
    /// Puts an empty layer over a tree.
    pub fn new(lower: Arc<dyn FileTree>) -> Self {
        Self {
            upper: MemoryTree::new(),
            lower,
        }
    }
}

impl FileTree for LayeredTree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError> {
        match self.upper.kind(path) {
            Ok(EntryKind::File) => self.upper.read(path),
            _ => self.lower.read(path),
        }
    }

    fn open(&self, path: &str) -> Result<Box<dyn std::io::Read>, TreeError> {
        match self.upper.kind(path) {
            Ok(EntryKind::File) => self.upper.open(path),
            _ => self.lower.open(path),
        }
    }

    fn kind(&self, path: &str) -> Result<EntryKind, TreeError> {
        self.upper.kind(path).or_else(|_| self.lower.kind(path))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, TreeError> {
        let (mut entries, below) = match (self.upper.list(path), self.lower.list(path)) {
            (Ok(above), Ok(below)) => (above, below),
            (Err(TreeError::NotFound { .. }), below) => return below,
            (above, _) => return above,
        };
        for entry in below {
            if !entries.iter().any(|known| known.name == entry.name) {
                entries.push(entry);
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn resolve(&self, path: &str) -> Result<String, TreeError> {
        match self.upper.kind(path) {
            Ok(EntryKind::File) => self.upper.resolve(path),
            _ => self
                .lower
                .resolve(path)
                .or_else(|_| self.upper.resolve(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_hide_what_lies_below() {
        let mut lower = MemoryTree::new();
        lower.insert("a/x", *b"below").unwrap();
        lower.insert("a/y", *b"below").unwrap();
        let mut tree = LayeredTree::new(Arc::new(lower));
        tree.upper.insert("a/x", *b"above").unwrap();
        tree.upper.insert("a/z", *b"above").unwrap();
        assert_eq!(&*tree.read("a/x").unwrap(), b"above");
        assert_eq!(&*tree.read("a/y").unwrap(), b"below");
        let names: Vec<_> = tree
            .list("a")
            .unwrap()
            .into_iter()
            .map(|e| e.name)
            .collect();
        assert_eq!(names, ["x", "y", "z"]);
        assert!(tree.list("b").is_err());
    }
}

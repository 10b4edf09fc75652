//! Unpacked trees by digest, within a budget.

use std::collections::HashMap;
use std::sync::Arc;

use filetree::MemoryTree;

/// Bytes of file contents kept at most, beyond the newest tree. Contents are often shared with the Git cache.
const BYTES_MAX: usize = 64 << 20;

#[derive(Default)]
pub(super) struct TreeCache {
    trees: HashMap<String, Kept>,
    bytes: usize,
    clock: u64,
}

struct Kept {
    tree: Arc<MemoryTree>,
    bytes: usize,
    used: u64,
}

impl TreeCache {
    pub fn get(&mut self, digest: &str) -> Option<Arc<MemoryTree>> {
        self.clock += 1;
        let kept = self.trees.get_mut(digest)?;
        kept.used = self.clock;
        Some(kept.tree.clone())
    }

    /// Adds a tree and drops those unused for longest.
    pub fn insert(&mut self, digest: &str, tree: Arc<MemoryTree>) {
        self.remove(digest);
        let bytes = tree
            .files()
            .map(|(path, content)| path.len() + content.len())
            .sum();
        while self.bytes + bytes > BYTES_MAX && !self.trees.is_empty() {
            let oldest = self.trees.iter().min_by_key(|(_, kept)| kept.used);
            let oldest = oldest.map(|(digest, _)| digest.clone());
            self.remove(&oldest.unwrap_or_default());
        }
        self.clock += 1;
        self.bytes += bytes;
        let used = self.clock;
        let kept = Kept { tree, bytes, used };
        self.trees.insert(digest.to_owned(), kept);
    }

    pub fn remove(&mut self, digest: &str) {
        if let Some(kept) = self.trees.remove(digest) {
            self.bytes -= kept.bytes;
        }
    }
}

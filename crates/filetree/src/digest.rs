//! A digest of what a tree holds, for keys of build caches. Never shown to users, never stored.

use crate::{EntryKind, FileTree, TreeError, join};

/// Directories nested deeper than this are an error; a loop of links would not end otherwise.
const DEPTH_MAX: usize = 256;

/// BLAKE3 over names, kinds and contents below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeDigest(pub [u8; 32]);

/// Digests a file or everything below a directory; equal trees have equal digests, whatever implements them.
///
/// # Errors
/// Fails where the tree cannot be read.
pub fn tree_digest(tree: &dyn FileTree, path: &str) -> Result<TreeDigest, TreeError> {
    digest_at(tree, path, 0)
}

fn digest_at(tree: &dyn FileTree, path: &str, depth: usize) -> Result<TreeDigest, TreeError> {
    if tree.kind(path)? == EntryKind::File {
        return Ok(TreeDigest(*blake3::hash(&tree.read(path)?).as_bytes()));
    }
    if depth >= DEPTH_MAX {
        return Err(TreeError::Io {
            path: path.to_owned(),
            reason: format!("more than {DEPTH_MAX} directories deep"),
        });
    }
    let mut hasher = blake3::Hasher::new();
    for entry in tree.list(path)? {
        let child = join(path, &entry.name).ok_or_else(|| TreeError::Escapes {
            path: path.to_owned(),
        })?;
        hasher.update(&(entry.name.len() as u64).to_le_bytes());
        hasher.update(entry.name.as_bytes());
        hasher.update(&[u8::from(entry.kind == EntryKind::Directory)]);
        hasher.update(&digest_at(tree, &child, depth + 1)?.0);
    }
    Ok(TreeDigest(*hasher.finalize().as_bytes()))
}

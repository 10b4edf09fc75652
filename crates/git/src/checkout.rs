//! A commit's tree as files in memory.
//!
//! Symbolic links are left out, as artifacts leave them out; a submodule is an empty directory until it is filled.

use std::collections::HashMap;
use std::sync::Arc;

use filetree::{MemoryTree, join};

use crate::object::{Kind, Mode, ObjectStore, TreeEntry, parse_tree};
use crate::{Error, ObjectId};

/// Directories nested deeper than this are refused.
const DEPTH_MAX: usize = 256;
/// Sum of all files of a checkout, in bytes. Artifacts of this size would not be consumed either.
const BYTES_MAX: u64 = 2 << 30;

/// Trees and files of recent checkouts by object name, so that a new commit costs what it changed.
#[derive(Default)]
pub(crate) struct CheckoutCache {
    trees: HashMap<ObjectId, Arc<[TreeEntry]>>,
    blobs: HashMap<ObjectId, Arc<[u8]>>,
}

/// Files of a commit.
#[derive(Clone, Debug, Default)]
pub struct Checkout {
    /// The files.
    pub tree: MemoryTree,
    /// Submodules: path and commit, in path order.
    pub submodules: Vec<(String, ObjectId)>,
}

struct Walk<'a> {
    store: &'a dyn ObjectStore,
    sparse: &'a [String],
    old: &'a mut CheckoutCache,
    new: CheckoutCache,
    out: Checkout,
    left: u64,
}

/// Reads the files below a tree; with `sparse` only paths that begin with one of its texts, as go-git does.
pub(crate) fn checkout(
    store: &dyn ObjectStore,
    root: ObjectId,
    sparse: &[String],
    cache: &mut CheckoutCache,
) -> Result<Checkout, Error> {
    let mut walk = Walk {
        store,
        sparse,
        old: cache,
        new: CheckoutCache::default(),
        out: Checkout::default(),
        left: BYTES_MAX,
    };
    walk.directory(root, "", 0)?;
    let Walk { new, out, .. } = walk;
    *cache = new;
    Ok(out)
}

impl Walk<'_> {
    fn directory(&mut self, id: ObjectId, path: &str, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(Error::corrupt(id.to_string(), "tree nested too deep"));
        }
        let entries = self.tree(id)?;
        for entry in entries.iter() {
            let path = join(path, &entry.name).expect("names were checked");
            match entry.mode {
                Mode::Directory if self.may_hold(&path) => {
                    self.directory(entry.id, &path, depth + 1)?;
                }
                Mode::Directory | Mode::Link => {}
                _ if !self.selected(&path) => {}
                Mode::Submodule => {
                    self.insert_directory(&path)?;
                    self.out.submodules.push((path, entry.id));
                }
                Mode::File => self.file(&path, entry.id, false)?,
                Mode::Executable => self.file(&path, entry.id, true)?,
            }
        }
        Ok(())
    }

    fn selected(&self, path: &str) -> bool {
        let chosen = |text: &String| path.starts_with(text.as_str());
        self.sparse.is_empty() || self.sparse.iter().any(chosen)
    }

    /// Tells whether anything below a directory can be selected.
    fn may_hold(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.selected(&below) || self.sparse.iter().any(|text| text.starts_with(&below))
    }

    fn tree(&mut self, id: ObjectId) -> Result<Arc<[TreeEntry]>, Error> {
        if let Some(known) = self.new.trees.get(&id).or_else(|| self.old.trees.get(&id)) {
            let known = known.clone();
            self.new.trees.insert(id, known.clone());
            return Ok(known);
        }
        let data = self.store.object(id)?.expect(Kind::Tree, id)?;
        let entries: Arc<[TreeEntry]> = parse_tree(id, &data)?.into();
        self.new.trees.insert(id, entries.clone());
        Ok(entries)
    }

    fn file(&mut self, path: &str, id: ObjectId, executable: bool) -> Result<(), Error> {
        let known = self.new.blobs.get(&id).or_else(|| self.old.blobs.get(&id));
        let content = match known {
            Some(known) => known.clone(),
            None => self.store.object(id)?.expect(Kind::Blob, id)?,
        };
        self.left = (self.left.checked_sub(content.len() as u64)).ok_or(Error::TooLarge {
            what: "checkout".to_owned(),
            bytes_max: BYTES_MAX,
        })?;
        self.new.blobs.insert(id, content.clone());
        let tree = &mut self.out.tree;
        tree.insert(path, content)
            .map_err(|error| Error::corrupt(path, error.to_string()))?;
        if executable {
            tree.set_executable(path, true);
        }
        Ok(())
    }

    fn insert_directory(&mut self, path: &str) -> Result<(), Error> {
        let tree = &mut self.out.tree;
        tree.insert_directory(path)
            .map_err(|error| Error::corrupt(path, error.to_string()))
    }
}

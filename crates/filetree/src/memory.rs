//! A file tree held in memory: the twin of a directory for engines, tests and unpacked artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Entry, EntryKind, FileTree, TreeError, clean};

/// Files by cleaned path. Directories exist where a file lies below them, or where they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryTree {
    files: BTreeMap<String, Arc<[u8]>>,
    directories: BTreeSet<String>,
    /// Files with an executable bit; a subset of `files`.
    executables: BTreeSet<String>,
}

impl MemoryTree {
    /// Makes an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file, with the directories above it.
    ///
    /// # Errors
    /// Fails on a path that leads out of the tree or through a file, or where a directory stands.
    pub fn insert(&mut self, path: &str, content: impl Into<Arc<[u8]>>) -> Result<(), TreeError> {
        let path = cleaned(path)?;
        if self.directories.contains(&path) || path.is_empty() {
            return Err(TreeError::IsDirectory { path });
        }
        self.add_parents(&path)?;
        self.executables.remove(&path);
        self.files.insert(path, content.into());
        Ok(())
    }

    /// Marks a file as executable or not; does nothing where there is no file.
    pub fn set_executable(&mut self, path: &str, executable: bool) {
        match clean(path) {
            Some(path) if executable && self.files.contains_key(&path) => {
                self.executables.insert(path);
            }
            Some(path) => {
                self.executables.remove(&path);
            }
            None => {}
        }
    }

    /// Tells whether a file has an executable bit. The path must be clean.
    pub fn is_executable(&self, path: &str) -> bool {
        self.executables.contains(path)
    }

    /// Adds a directory that may stay empty.
    ///
    /// # Errors
    /// Fails on a path that leads out of the tree or through a file, or where a file stands.
    pub fn insert_directory(&mut self, path: &str) -> Result<(), TreeError> {
        let path = cleaned(path)?;
        if self.files.contains_key(&path) {
            return Err(TreeError::NotDirectory { path });
        }
        self.add_parents(&path)?;
        if !path.is_empty() {
            self.directories.insert(path);
        }
        Ok(())
    }

    /// Removes a file; its directories stay.
    pub fn remove(&mut self, path: &str) -> Option<Arc<[u8]>> {
        let path = clean(path)?;
        self.executables.remove(&path);
        self.files.remove(&path)
    }

    /// Iterates over all directories but the root, sorted by path.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.directories.iter().map(String::as_str)
    }

    /// Iterates over all files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.files
            .iter()
            .map(|(path, content)| (path.as_str(), content))
    }

    fn add_parents(&mut self, path: &str) -> Result<(), TreeError> {
        for (at, _) in path.match_indices('/') {
            let directory = &path[..at];
            if self.files.contains_key(directory) {
                return Err(TreeError::NotDirectory {
                    path: directory.to_owned(),
                });
            }
            self.directories.insert(directory.to_owned());
        }
        Ok(())
    }
}

fn cleaned(path: &str) -> Result<String, TreeError> {
    clean(path).ok_or_else(|| TreeError::Escapes {
        path: path.to_owned(),
    })
}

/// Collects the names directly below a prefix; `next` finds the first path at or after a text.
///
/// Everything below a step is jumped over, so a list costs its own length, not the size of the tree.
fn children<'a>(prefix: &str, next: impl Fn(String) -> Option<&'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut from = prefix.to_owned();
    while let Some(rest) = next(from).and_then(|path| path.strip_prefix(prefix)) {
        let (name, below) = rest
            .split_once('/')
            .map_or((rest, false), |(name, _)| (name, true));
        // `0` is the character after `/`; NUL is the first that can follow a whole path.
        from = format!("{prefix}{name}{}", if below { '0' } else { '\0' });
        if !below {
            names.push(name.to_owned());
        }
    }
    names
}

impl FileTree for MemoryTree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError> {
        let path = cleaned(path)?;
        if let Some(content) = self.files.get(&path) {
            return Ok(content.clone());
        }
        match self.kind(&path)? {
            EntryKind::Directory => Err(TreeError::IsDirectory { path }),
            EntryKind::File => Err(TreeError::NotFound { path }),
        }
    }

    fn kind(&self, path: &str) -> Result<EntryKind, TreeError> {
        let path = cleaned(path)?;
        if path.is_empty() || self.directories.contains(&path) {
            Ok(EntryKind::Directory)
        } else if self.files.contains_key(&path) {
            Ok(EntryKind::File)
        } else {
            Err(TreeError::NotFound { path })
        }
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, TreeError> {
        let path = cleaned(path)?;
        if self.kind(&path)? == EntryKind::File {
            return Err(TreeError::NotDirectory { path });
        }
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        let files = children(&prefix, |from| {
            self.files
                .range(from..)
                .next()
                .map(|(path, _)| path.as_str())
        });
        let mut entries: Vec<Entry> = files
            .into_iter()
            .map(|name| Entry {
                name,
                kind: EntryKind::File,
            })
            .collect();
        let directories = children(&prefix, |from| {
            self.directories.range(from..).next().map(String::as_str)
        });
        entries.extend(directories.into_iter().map(|name| Entry {
            name,
            kind: EntryKind::Directory,
        }));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_follow_from_files() {
        let mut tree = MemoryTree::new();
        tree.insert("a/b/c.yaml", *b"x").unwrap();
        tree.insert("a/d.yaml", *b"y").unwrap();
        let names: Vec<_> = tree
            .list("a")
            .unwrap()
            .into_iter()
            .map(|e| e.name)
            .collect();
        assert_eq!(names, ["b", "d.yaml"]);
        assert_eq!(tree.kind("a/b"), Ok(EntryKind::Directory));
        assert!(matches!(
            tree.read("a/b"),
            Err(TreeError::IsDirectory { .. })
        ));
        assert!(matches!(
            tree.read("a/../../x"),
            Err(TreeError::Escapes { .. })
        ));
        assert!(tree.insert("a/d.yaml/e", *b"").is_err());
    }
}

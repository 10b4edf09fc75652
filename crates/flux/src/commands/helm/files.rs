//! A chart's directory as Helm walks it: links are followed wherever they lead, with few calls of the system.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use helm::note::Note;

use filetree::{Entry, EntryKind, FileTree, TreeError};

/// Files below a directory; links may lead out of it.
pub struct FollowedTree {
    root: PathBuf,
    /// Pipes, sockets and devices that were listed: only a look at them is an error.
    irregular: Mutex<BTreeSet<String>>,
    /// Links that were met, and where they lead.
    links: Mutex<Vec<(PathBuf, PathBuf)>>,
    /// Why the walk failed, in Helm's words.
    refusal: Mutex<Option<String>>,
}

impl FollowedTree {
    /// A tree over a directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            irregular: Mutex::default(),
            links: Mutex::default(),
            refusal: Mutex::default(),
        }
    }

    /// What Helm says to a link that leads nowhere or a file that is none.
    pub fn refusal(&self) -> Option<String> {
        locked(&self.refusal).clone()
    }

    /// Links that were met, in the order of a walk.
    pub fn links(&self) -> Vec<Note> {
        let mut links = locked(&self.links).clone();
        links.sort();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let note = |(link, target): &(PathBuf, PathBuf)| Note::Link(text(link), text(target));
        links.iter().map(note).collect()
    }

    fn refuse(&self, path: &str, message: String) -> TreeError {
        let error = TreeError::Io {
            path: path.to_owned(),
            reason: message.clone(),
        };
        *locked(&self.refusal) = Some(message);
        error
    }

    fn absolute(&self, path: &str) -> PathBuf {
        let path = self.root.join(path);
        std::path::absolute(&path).unwrap_or(path)
    }

    fn broken_link(&self, path: &str, error: &std::io::Error) -> TreeError {
        let link = self.absolute(path);
        if error.kind() != std::io::ErrorKind::NotFound {
            let reason = super::chart::io_text(error);
            return self.refuse(path, format!("open {}: {reason}", link.display()));
        }
        let missing = missing(&link).unwrap_or_default();
        let message = format!(
            "error evaluating symlink {}: lstat {}: no such file or directory",
            link.display(),
            missing.display()
        );
        self.refuse(path, message)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first part of a link's way that does not exist.
fn missing(link: &Path) -> Option<PathBuf> {
    let target = fs::read_link(link).ok()?;
    let mut at = link.parent()?.canonicalize().ok()?;
    for part in target.components() {
        match part {
            Component::ParentDir => {
                at.pop();
            }
            Component::CurDir => {}
            part => at.push(part),
        }
        if fs::symlink_metadata(&at).is_err() {
            return Some(at);
        }
        if let Ok(resolved) = at.canonicalize() {
            at = resolved;
        } else {
            return missing(&at);
        }
    }
    None
}

fn io_error(path: &str, error: &std::io::Error) -> TreeError {
    TreeError::Io {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

impl FileTree for FollowedTree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError> {
        if locked(&self.irregular).contains(path) {
            let shown = self.absolute(path);
            let message = format!(
                "cannot load irregular file {} as it has file mode type bits set",
                shown.display()
            );
            return Err(self.refuse(path, message));
        }
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
            let below = || match path.trim_end_matches('/') {
                "" => name.clone(),
                path => format!("{path}/{name}"),
            };
            if kind.is_symlink() {
                kind = match fs::metadata(item.path()) {
                    Ok(metadata) => metadata.file_type(),
                    Err(error) => return Err(self.broken_link(&below(), &error)),
                };
                let link = self.absolute(&below());
                let target = fs::canonicalize(&link).unwrap_or_default();
                locked(&self.links).push((link, target));
            }
            if !kind.is_dir() && !kind.is_file() {
                locked(&self.irregular).insert(below());
            }
            let kind = if kind.is_dir() {
                EntryKind::Directory
            } else {
                EntryKind::File
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

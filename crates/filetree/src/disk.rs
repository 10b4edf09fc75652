//! A directory of the file system as a tree: the only place of the foundation with `std::fs`.
//!
//! Links are followed as long as they stay below the root; a link that leads out is [`TreeError::Escapes`].
//! What is neither file nor directory (sockets, devices) is not listed. Used by the command line on a local tree.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Entry, EntryKind, FileTree, MemoryTree, TreeError, clean, join};

/// Largest file that is read into memory: 1 GiB, far above any manifest, below what would exhaust a machine.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A directory, confined to its root.
#[derive(Clone, Debug)]
pub struct DirectoryTree {
    root: PathBuf,
}

impl DirectoryTree {
    /// Opens a directory; links in the root's own path are resolved once.
    ///
    /// # Errors
    /// Fails where there is no directory.
    pub fn open(root: &Path) -> Result<Self, TreeError> {
        let shown = root.to_string_lossy().into_owned();
        let resolved = fs::canonicalize(root).map_err(|error| io_error(&shown, &error))?;
        if !resolved.is_dir() {
            return Err(TreeError::NotDirectory { path: shown });
        }
        Ok(Self { root: resolved })
    }

    /// Returns the root with links resolved.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the real path below the root.
    fn locate(&self, path: &str) -> Result<PathBuf, TreeError> {
        let escapes = || TreeError::Escapes {
            path: path.to_owned(),
        };
        let cleaned = clean(path).ok_or_else(escapes)?;
        let real = fs::canonicalize(self.root.join(cleaned)).map_err(|e| io_error(path, &e))?;
        if real.starts_with(&self.root) {
            Ok(real)
        } else {
            Err(escapes())
        }
    }

    /// Copies everything but links into memory, with executable bits; `skip` names directories to leave out.
    ///
    /// Links are left out as an artifact leaves them out.
    ///
    /// # Errors
    /// Fails where a file or directory cannot be read.
    pub fn snapshot(&self, skip: &dyn Fn(&str) -> bool) -> Result<MemoryTree, TreeError> {
        let mut tree = MemoryTree::new();
        self.snapshot_into("", skip, &mut tree)?;
        Ok(tree)
    }

    fn snapshot_into(
        &self,
        directory: &str,
        skip: &dyn Fn(&str) -> bool,
        tree: &mut MemoryTree,
    ) -> Result<(), TreeError> {
        let real = self.root.join(directory);
        for item in fs::read_dir(&real).map_err(|e| io_error(directory, &e))? {
            let item = item.map_err(|e| io_error(directory, &e))?;
            let Ok(name) = item.file_name().into_string() else {
                continue;
            };
            let path = join(directory, &name).expect("a file name does not lead upwards");
            let kind = item.file_type().map_err(|e| io_error(&path, &e))?;
            if skip(&path) {
                continue;
            }
            if kind.is_dir() {
                tree.insert_directory(&path)?;
                self.snapshot_into(&path, skip, tree)?;
            } else if kind.is_file() {
                tree.insert(&path, read_file(&item.path(), &path)?)?;
                let metadata = item.metadata().map_err(|e| io_error(&path, &e))?;
                tree.set_executable(&path, is_executable(&metadata));
            }
        }
        Ok(())
    }
}

impl FileTree for DirectoryTree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError> {
        let real = self.locate(path)?;
        if real.is_dir() {
            return Err(TreeError::IsDirectory {
                path: path.to_owned(),
            });
        }
        Ok(read_file(&real, path)?.into())
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read>, TreeError> {
        let real = self.locate(path)?;
        if real.is_dir() {
            return Err(TreeError::IsDirectory {
                path: path.to_owned(),
            });
        }
        let (file, _) = open_file(&real, path)?;
        Ok(Box::new(file.take(FILE_BYTES_MAX)))
    }

    fn kind(&self, path: &str) -> Result<EntryKind, TreeError> {
        let real = self.locate(path)?;
        let metadata = fs::metadata(real).map_err(|e| io_error(path, &e))?;
        if metadata.is_dir() {
            Ok(EntryKind::Directory)
        } else {
            Ok(EntryKind::File)
        }
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, TreeError> {
        let real = self.locate(path)?;
        if !real.is_dir() {
            return Err(TreeError::NotDirectory {
                path: path.to_owned(),
            });
        }
        let mut entries = Vec::new();
        for item in fs::read_dir(&real).map_err(|e| io_error(path, &e))? {
            let item = item.map_err(|e| io_error(path, &e))?;
            let Ok(name) = item.file_name().into_string() else {
                continue;
            };
            let kind = match fs::metadata(item.path()) {
                Ok(metadata) if metadata.is_dir() => EntryKind::Directory,
                Ok(metadata) if metadata.is_file() => EntryKind::File,
                _ => continue,
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn resolve(&self, path: &str) -> Result<String, TreeError> {
        let real = self.locate(path)?;
        let below = real
            .strip_prefix(&self.root)
            .expect("located below the root");
        Ok(below.to_string_lossy().into_owned())
    }
}

fn read_file(real: &Path, path: &str) -> Result<Vec<u8>, TreeError> {
    let (file, length) = open_file(real, path)?;
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut content)
        .map_err(|e| io_error(path, &e))?;
    Ok(content)
}

/// Opens a file that is not too large, and tells its length.
fn open_file(real: &Path, path: &str) -> Result<(fs::File, u64), TreeError> {
    let file = fs::File::open(real).map_err(|e| io_error(path, &e))?;
    let length = file.metadata().map_err(|e| io_error(path, &e))?.len();
    if length > FILE_BYTES_MAX {
        return Err(TreeError::Io {
            path: path.to_owned(),
            reason: format!("larger than {FILE_BYTES_MAX} bytes"),
        });
    }
    Ok((file, length))
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    false
}

fn io_error(path: &str, error: &std::io::Error) -> TreeError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::NotFound => TreeError::NotFound { path },
        ErrorKind::NotADirectory => TreeError::NotDirectory { path },
        ErrorKind::IsADirectory => TreeError::IsDirectory { path },
        _ => TreeError::Io {
            path,
            reason: error.to_string(),
        },
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/file"), "x").unwrap();
        symlink("a", root.path().join("link")).unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();

        let tree = DirectoryTree::open(root.path()).unwrap();
        assert_eq!(&*tree.read("link/file").unwrap(), b"x");
        assert_eq!(tree.resolve("link/file").unwrap(), "a/file");
        assert_eq!(tree.kind("link"), Ok(EntryKind::Directory));
        assert!(matches!(
            tree.read("out/secret"),
            Err(TreeError::Escapes { .. })
        ));
        assert!(matches!(tree.read("../x"), Err(TreeError::Escapes { .. })));
        assert!(matches!(tree.read("nope"), Err(TreeError::NotFound { .. })));
        assert!(matches!(tree.read("a"), Err(TreeError::IsDirectory { .. })));
        let snapshot = tree.snapshot(&|_| false).unwrap();
        let paths: Vec<_> = snapshot.files().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a/file"]);
    }
}

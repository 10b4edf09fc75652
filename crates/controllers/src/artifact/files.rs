//! Where artifact files lie: on disk or in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{Cursor, ErrorKind, Read, Result, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use tempfile::NamedTempFile;

use super::pending::Content;
use super::{StoreError, check_digest};

/// One file in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub name: String,
    pub modified: Timestamp,
}

/// Names below a directory, each with whether it is a directory itself.
pub(super) type Names = Vec<(String, bool)>;

/// Files by path below the storage root; paths have no `.` or `..` steps.
pub(super) trait Files: Send + Sync {
    fn read(&self, path: &str) -> Result<Option<Bytes>>;
    fn exists(&self, path: &str) -> bool;
    fn modified(&self, path: &str) -> Option<Timestamp>;
    fn create_directory(&self, directory: &str) -> Result<()>;
    /// Writes a file whole or not at all; its directory exists.
    fn write(&self, path: &str, bytes: Bytes, digest: &str, now: Timestamp) -> Result<()>;
    /// Begins a file in a directory that exists.
    fn begin(&self, directory: &str) -> Result<Content>;
    /// Takes in a whole file that was begun here.
    fn adopt(&self, path: &str, content: Content, digest: &str, now: Timestamp) -> Result<()>;
    /// Makes one path lead to another one in the same directory.
    fn link(&self, path: &str, target: &str) -> Result<()>;
    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>>;
    fn verify(&self, path: &str, digest: &str) -> std::result::Result<(), StoreError>;
    /// Removing what is not there succeeds.
    fn remove(&self, path: &str) -> Result<()>;
    fn remove_directory(&self, path: &str) -> Result<bool>;
    /// Lists plain files but locks; nothing where the directory does not exist.
    fn list(&self, directory: &str) -> Result<Vec<Info>>;
    /// Lists everything in a directory, sorted; `None` where it does not exist.
    fn names(&self, directory: &str) -> Option<Names>;
}

/// Names of files that are not whole. Left behind by a killed process, they go with the next garbage collection.
const PENDING_PREFIX: &str = ".artifact-";

struct MemoryFile {
    content: Kept,
    digest: String,
    modified: Timestamp,
}

/// Bytes of a file that ends with the process; large ones lie in a temporary file.
enum Kept {
    Memory(Bytes),
    Disk(NamedTempFile),
}

impl Kept {
    fn read(&self) -> Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::Disk(file) => fs::read(file.path()).map(Bytes::from),
        }
    }

    fn open(&self) -> Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::Disk(file) => Box::new(file.reopen()?),
        })
    }
}

/// Files that end with the process, and the links among them.
#[derive(Default)]
pub(super) struct MemoryFiles(
    RwLock<BTreeMap<String, MemoryFile>>,
    RwLock<BTreeMap<String, String>>,
);

impl MemoryFiles {
    fn keep(&self, path: &str, content: Kept, digest: &str, now: Timestamp) {
        let file = MemoryFile {
            content,
            digest: digest.to_owned(),
            modified: now,
        };
        self.0.write().insert(path.to_owned(), file);
    }

    fn follow(&self, path: &str) -> String {
        let links = self.1.read();
        links
            .get(path)
            .map_or_else(|| path.to_owned(), Clone::clone)
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Result<Option<Bytes>> {
        let path = self.follow(path);
        let files = self.0.read();
        files.get(&path).map(|file| file.content.read()).transpose()
    }

    fn exists(&self, path: &str) -> bool {
        self.0.read().contains_key(path)
    }

    fn modified(&self, path: &str) -> Option<Timestamp> {
        let path = self.follow(path);
        self.0.read().get(&path).map(|file| file.modified)
    }

    fn create_directory(&self, _directory: &str) -> Result<()> {
        Ok(())
    }

    fn write(&self, path: &str, bytes: Bytes, digest: &str, now: Timestamp) -> Result<()> {
        self.keep(path, Kept::Memory(bytes), digest, now);
        Ok(())
    }

    fn begin(&self, _directory: &str) -> Result<Content> {
        Ok(Content::Memory(Vec::new()))
    }

    fn adopt(&self, path: &str, content: Content, digest: &str, now: Timestamp) -> Result<()> {
        let content = match content {
            Content::Memory(bytes) => Kept::Memory(bytes.into()),
            Content::Disk(file) => Kept::Disk(file),
        };
        self.keep(path, content, digest, now);
        Ok(())
    }

    fn link(&self, path: &str, target: &str) -> Result<()> {
        self.1.write().insert(path.to_owned(), target.to_owned());
        Ok(())
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        let path = self.follow(path);
        let files = self.0.read();
        files.get(&path).map(|file| file.content.open()).transpose()
    }

    fn verify(&self, path: &str, digest: &str) -> std::result::Result<(), StoreError> {
        match self.0.read().get(path) {
            Some(file) if file.digest == digest => Ok(()),
            Some(file) => check_digest(&file.content.read()?, digest),
            None => Err(StoreError::NotFound(path.to_owned())),
        }
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.0.write().remove(path);
        Ok(())
    }

    fn remove_directory(&self, path: &str) -> Result<bool> {
        let prefix = format!("{path}/");
        self.1.write().retain(|path, _| !path.starts_with(&prefix));
        let mut files = self.0.write();
        let before = files.len();
        files.retain(|path, _| !path.starts_with(&prefix));
        Ok(files.len() < before)
    }

    fn list(&self, directory: &str) -> Result<Vec<Info>> {
        let prefix = format!("{directory}/");
        let files = self.0.read();
        let below = files
            .range(prefix.clone()..)
            .map_while(|(path, file)| Some((path.strip_prefix(&prefix)?, file)));
        Ok(below
            .filter(|(name, _)| !name.contains('/'))
            .map(|(name, file)| Info {
                name: name.to_owned(),
                modified: file.modified,
            })
            .collect())
    }

    fn names(&self, directory: &str) -> Option<Names> {
        let prefix = match directory {
            "" => String::new(),
            directory => format!("{directory}/"),
        };
        let mut names: Names = Vec::new();
        for path in self.0.read().keys() {
            let Some(rest) = path.strip_prefix(&prefix) else {
                continue;
            };
            let entry = match rest.split_once('/') {
                Some((name, _)) => (name.to_owned(), true),
                None => (rest.to_owned(), false),
            };
            if names.last() != Some(&entry) {
                names.push(entry);
            }
        }
        (directory.is_empty() || !names.is_empty()).then_some(names)
    }
}

/// Files below a directory, in upstream's layout and modes.
pub(super) struct DiskFiles {
    root: PathBuf,
    /// Files whose digest was found right: time of change and size then.
    verified: Mutex<HashMap<String, (SystemTime, u64, String)>>,
}

impl DiskFiles {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            verified: Mutex::default(),
        }
    }

    fn state(&self, path: &str) -> Option<(SystemTime, u64)> {
        let metadata = fs::metadata(self.root.join(path)).ok()?;
        metadata
            .is_file()
            .then(|| Some((metadata.modified().ok()?, metadata.len())))?
    }

    fn remember(&self, path: &str, digest: &str) {
        if let Some((time, size)) = self.state(path) {
            let entry = (time, size, digest.to_owned());
            self.verified.lock().insert(path.to_owned(), entry);
        }
    }
}

fn absent_is_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Files for DiskFiles {
    fn read(&self, path: &str) -> Result<Option<Bytes>> {
        let real = self.root.join(path);
        let read = absent_is_none(fs::read(real))?;
        Ok(read.map(Bytes::from))
    }

    fn exists(&self, path: &str) -> bool {
        self.state(path).is_some()
    }

    fn modified(&self, path: &str) -> Option<Timestamp> {
        Timestamp::try_from(self.state(path)?.0).ok()
    }

    fn create_directory(&self, directory: &str) -> Result<()> {
        create_private(&self.root.join(directory))
    }

    fn write(&self, path: &str, bytes: Bytes, digest: &str, _now: Timestamp) -> Result<()> {
        let target = self.root.join(path);
        let directory = target.parent().unwrap_or(&self.root);
        let named = |error: std::io::Error| {
            let text = format!("write {}: {}", target.display(), cause(&error));
            std::io::Error::new(error.kind(), text)
        };
        let mut file = tempfile::Builder::new()
            .prefix(PENDING_PREFIX)
            .tempfile_in(directory)
            .map_err(named)?;
        file.write_all(&bytes).map_err(named)?;
        file.flush().map_err(named)?;
        file.persist(&target).map_err(|error| named(error.error))?;
        self.remember(path, digest);
        Ok(())
    }

    fn begin(&self, directory: &str) -> Result<Content> {
        let file = tempfile::Builder::new()
            .prefix(PENDING_PREFIX)
            .tempfile_in(self.root.join(directory))?;
        Ok(Content::Disk(file))
    }

    fn adopt(&self, path: &str, content: Content, digest: &str, now: Timestamp) -> Result<()> {
        match content {
            Content::Memory(bytes) => self.write(path, bytes.into(), digest, now),
            Content::Disk(file) => {
                let target = self.root.join(path);
                file.persist(&target).map_err(|error| error.error)?;
                self.remember(path, digest);
                Ok(())
            }
        }
    }

    fn link(&self, path: &str, target: &str) -> Result<()> {
        let link = self.root.join(path);
        let temporary = self.root.join(format!("{path}.tmp"));
        let target = fs::canonicalize(self.root.join(target))?;
        absent_is_none(fs::remove_file(&temporary))?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(target, &temporary)?;
        #[cfg(not(unix))]
        fs::copy(target, &temporary)?;
        fs::rename(temporary, link)
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        let file = absent_is_none(fs::File::open(self.root.join(path)))?;
        Ok(file.map(|file| Box::new(file) as Box<dyn Read + Send>))
    }

    fn verify(&self, path: &str, digest: &str) -> std::result::Result<(), StoreError> {
        let not_found = || StoreError::NotFound(path.to_owned());
        let (time, size) = self.state(path).ok_or_else(not_found)?;
        let known = self.verified.lock().get(path).cloned();
        if known == Some((time, size, digest.to_owned())) {
            return Ok(());
        }
        let bytes = self.read(path)?.ok_or_else(not_found)?;
        check_digest(&bytes, digest)?;
        self.remember(path, digest);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.verified.lock().remove(path);
        // A lock of upstream's may lie beside the file.
        absent_is_none(fs::remove_file(self.root.join(format!("{path}.lock"))))?;
        absent_is_none(fs::remove_file(self.root.join(path))).map(drop)
    }

    fn remove_directory(&self, path: &str) -> Result<bool> {
        let prefix = format!("{path}/");
        self.verified
            .lock()
            .retain(|path, _| !path.starts_with(&prefix));
        let removed = absent_is_none(fs::remove_dir_all(self.root.join(path)))?;
        Ok(removed.is_some())
    }

    fn list(&self, directory: &str) -> Result<Vec<Info>> {
        let Some(items) = absent_is_none(fs::read_dir(self.root.join(directory)))? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for item in items {
            let item = item?;
            let Ok(name) = item.file_name().into_string() else {
                continue;
            };
            let plain = item.file_type()?.is_file() && !name.ends_with(".lock");
            if let Some(modified) = plain
                .then(|| self.modified(&format!("{directory}/{name}")))
                .flatten()
            {
                found.push(Info { name, modified });
            }
        }
        Ok(found)
    }

    fn names(&self, directory: &str) -> Option<Names> {
        let items = fs::read_dir(self.root.join(directory)).ok()?;
        let mut names: Names = items
            .filter_map(|item| {
                let item = item.ok()?;
                let name = item.file_name().into_string().ok()?;
                Some((name, item.path().is_dir()))
            })
            .collect();
        names.sort();
        Some(names)
    }
}

/// Says why a write failed, without the temporary file's name: that is chance and would make every try another failure.
pub(super) fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at path ").next().unwrap_or_default();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text.to_owned(),
    }
}

/// Makes directories that only the own user can enter.
fn create_private(directory: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(directory)
}

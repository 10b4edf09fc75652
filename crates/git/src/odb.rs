//! The object database of a local repository: loose objects, packs, alternates.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use flate2::read::ZlibDecoder;

use crate::inflate::OBJECT_BYTES_MAX;
use crate::object::{Kind, Object, ObjectStore};
use crate::pack::PackFile;
use crate::{Error, ObjectId};

/// Alternates of alternates are followed this far, as in Git.
const ALTERNATES_DEPTH_MAX: usize = 5;

/// Reads objects of a repository on disk; new packs are noticed when an object is missing.
pub(crate) struct ObjectDatabase {
    directories: Vec<PathBuf>,
    packs: RwLock<Packs>,
}

#[derive(Default)]
struct Packs {
    open: Vec<Arc<PackFile>>,
    known: HashSet<PathBuf>,
}

impl ObjectDatabase {
    /// Opens an `objects` directory and its alternates.
    ///
    /// # Errors
    /// The list of packs cannot be read, or an index is broken or of version 1.
    pub fn open(objects: &Path) -> Result<Self, Error> {
        let mut directories = Vec::new();
        add_alternates(objects, 0, &mut directories);
        let database = Self {
            directories,
            packs: RwLock::default(),
        };
        database.find_new_packs()?;
        Ok(database)
    }

    /// Forgets what was kept only for speed.
    pub fn forget_bases(&self) {
        for pack in self.packs() {
            pack.forget_bases();
        }
    }

    fn packs(&self) -> Vec<Arc<PackFile>> {
        let packs = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        packs.open.clone()
    }

    /// Opens packs that appeared, drops those that went; tells whether any appeared.
    fn find_new_packs(&self) -> Result<bool, Error> {
        let mut present = Vec::new();
        for directory in &self.directories {
            let Ok(items) = fs::read_dir(directory.join("pack")) else {
                continue;
            };
            let paths = items.filter_map(|item| Some(item.ok()?.path()));
            present.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "idx")));
        }
        let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
        let mut appeared = false;
        for path in present {
            if packs.known.contains(&path) {
                continue;
            }
            match PackFile::open(&path) {
                Ok(pack) => packs.open.push(Arc::new(pack)),
                // The pack may be going away just now; its objects are in another one then.
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            packs.known.insert(path);
            appeared = true;
        }
        Ok(appeared)
    }

    fn find_packed(&self, id: ObjectId) -> Result<Option<Object>, Error> {
        for pack in self.packs() {
            if let Some(object) = pack.find(id, &|base| self.find(base))? {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    fn find_loose(&self, id: ObjectId) -> Result<Option<Object>, Error> {
        let hex = id.to_string();
        for directory in &self.directories {
            let path = directory.join(&hex[..2]).join(&hex[2..]);
            match fs::File::open(&path) {
                Ok(file) => return read_loose(id, file).map(Some),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Io { path, source }),
            }
        }
        Ok(None)
    }
}

impl ObjectStore for ObjectDatabase {
    fn find(&self, id: ObjectId) -> Result<Option<Object>, Error> {
        if let Some(object) = self.find_packed(id)? {
            return Ok(Some(object));
        }
        if let Some(object) = self.find_loose(id)? {
            return Ok(Some(object));
        }
        if self.find_new_packs()? {
            return self.find_packed(id);
        }
        Ok(None)
    }
}

fn add_alternates(objects: &Path, depth: usize, directories: &mut Vec<PathBuf>) {
    if depth > ALTERNATES_DEPTH_MAX || directories.iter().any(|known| known == objects) {
        return;
    }
    directories.push(objects.to_owned());
    let Ok(text) = fs::read_to_string(objects.join("info/alternates")) else {
        return;
    };
    for line in text.lines() {
        if !line.is_empty() && !line.starts_with('#') {
            add_alternates(&objects.join(line), depth + 1, directories);
        }
    }
}

fn read_loose(id: ObjectId, file: fs::File) -> Result<Object, Error> {
    let corrupt = |reason: &str| Error::corrupt(id.to_string(), reason);
    let mut content = Vec::new();
    ZlibDecoder::new(file)
        .take(OBJECT_BYTES_MAX + 64)
        .read_to_end(&mut content)
        .map_err(|error| Error::corrupt(id.to_string(), error.to_string()))?;
    let end = content
        .iter()
        .take(64)
        .position(|byte| *byte == 0)
        .ok_or_else(|| corrupt("object without header"))?;
    let header = String::from_utf8_lossy(&content[..end]).into_owned();
    let (kind, size) = header
        .split_once(' ')
        .ok_or_else(|| corrupt("object without header"))?;
    let kind = Kind::from_name(kind).ok_or_else(|| corrupt("unknown kind of object"))?;
    if size.parse() != Ok(content.len() - end - 1) {
        return Err(corrupt("size differs from the header"));
    }
    Ok(Object {
        kind,
        data: content[end + 1..].into(),
    })
}

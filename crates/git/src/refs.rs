//! References of a local repository: loose files, `packed-refs`, symbolic references.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Error, ObjectId};

/// Symbolic references are followed this far, as in Git.
const SYMBOLIC_DEPTH_MAX: usize = 5;
/// Directories below `refs/` are searched this deep.
const DEPTH_MAX: usize = 64;

/// Where a repository keeps its references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefStore {
    /// The work tree's own directory, with its `HEAD`.
    pub git_dir: PathBuf,
    /// The directory shared by all work trees; the same for a main work tree.
    pub common_dir: PathBuf,
}

/// What a reference holds.
enum RefValue {
    Id(ObjectId),
    Symbolic(String),
}

impl RefStore {
    /// Finds the id that a full name (or `HEAD`) stands for; `None` where it does not exist (yet).
    ///
    /// # Errors
    /// A reference is written wrongly, cannot be read, or points to itself over others.
    pub fn find(&self, name: &str) -> Result<Option<ObjectId>, Error> {
        let mut name = name.to_owned();
        for _ in 0..=SYMBOLIC_DEPTH_MAX {
            match self.value(&name)? {
                Some(RefValue::Id(id)) => return Ok(Some(id)),
                Some(RefValue::Symbolic(target)) => name = target,
                None => return Ok(None),
            }
        }
        Err(Error::corrupt(name, "symbolic references form a loop"))
    }

    /// Returns the branch that `HEAD` names, such as `refs/heads/main`; `None` where it is detached.
    ///
    /// # Errors
    /// `HEAD` is written wrongly or cannot be read.
    pub fn head_branch(&self) -> Result<Option<String>, Error> {
        Ok(match self.value("HEAD")? {
            Some(RefValue::Symbolic(name)) => Some(name),
            _ => None,
        })
    }

    /// Lists references below a prefix such as `refs/tags/`, sorted by name.
    ///
    /// # Errors
    /// A reference is written wrongly or cannot be read.
    pub fn list(&self, prefix: &str) -> Result<BTreeMap<String, ObjectId>, Error> {
        let mut found = BTreeMap::new();
        self.each_packed(|name, id| {
            if name.starts_with(prefix) {
                found.insert(name.to_owned(), id);
            }
            None::<()>
        })?;
        let mut loose = Vec::new();
        let directory = prefix.trim_end_matches('/');
        loose_names(&self.common_dir, directory, 0, &mut loose);
        for name in loose {
            if let Some(id) = self.find(&name)? {
                found.insert(name, id);
            }
        }
        Ok(found)
    }

    fn value(&self, name: &str) -> Result<Option<RefValue>, Error> {
        if !is_safe(name) {
            return Ok(None);
        }
        let directory = if name.starts_with("refs/") {
            &self.common_dir
        } else {
            &self.git_dir
        };
        let path = directory.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => parse(&text)
                .map(Some)
                .ok_or_else(|| Error::corrupt(path.display().to_string(), "not a reference")),
            Err(error) if is_absent(error.kind()) => {
                self.each_packed(|packed, id| (packed == name).then_some(RefValue::Id(id)))
            }
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Goes through `packed-refs` until the function answers.
    fn each_packed<T>(
        &self,
        mut visit: impl FnMut(&str, ObjectId) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let path = self.common_dir.join("packed-refs");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if is_absent(error.kind()) => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
        };
        for line in text.lines().filter(|line| !line.starts_with(['#', '^'])) {
            if let Some((hex, name)) = line.split_once(' ')
                && let Some(id) = ObjectId::from_hex(hex)
                && let Some(answer) = visit(name, id)
            {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}

/// A directory stands where a branch `a` was looked up while `a/b` exists.
fn is_absent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    )
}

fn parse(text: &str) -> Option<RefValue> {
    let text = text.trim_end();
    match text.strip_prefix("ref:") {
        Some(target) => Some(RefValue::Symbolic(target.trim_start().to_owned())),
        None => ObjectId::from_hex(text).map(RefValue::Id),
    }
}

/// Names are paths: nothing may lead out of the repository.
fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\0', '\\'])
        && name.split('/').all(|step| !matches!(step, "" | "." | ".."))
}

fn loose_names(root: &Path, directory: &str, depth: usize, names: &mut Vec<String>) {
    let Ok(items) = fs::read_dir(root.join(directory)) else {
        return;
    };
    for item in items.filter_map(Result::ok) {
        let Ok(file_name) = item.file_name().into_string() else {
            continue;
        };
        let name = format!("{directory}/{file_name}");
        match item.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => {
                loose_names(root, &name, depth + 1, names);
            }
            Ok(kind) if kind.is_file() && !name.ends_with(".lock") => names.push(name),
            _ => {}
        }
    }
}

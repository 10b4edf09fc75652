//! Files of a local build: the directory to build, and the file with the Kustomization.

use std::path::Path;
use std::sync::Arc;

use filetree::disk::DirectoryTree;
use filetree::{Entry, EntryKind, FileTree, Ignore, TreeError, join};
use objects::Object;

use crate::error::{CliError, CliResult};
use crate::kinds::KUSTOMIZATION;

/// The whole disk, so that bases next to the directory are found, without the ignored paths below the directory.
pub struct IgnoringTree {
    disk: DirectoryTree,
    /// Directory to build, from the root without a slash at its start.
    directory: String,
    ignore: Option<Ignore>,
}

impl IgnoringTree {
    /// Opens the tree for a directory given by its absolute path.
    pub fn open(directory: &Path, patterns: &[String]) -> CliResult<Self> {
        let disk = DirectoryTree::open(Path::new("/"))
            .map_err(|error| CliError::user(error.to_string()))?;
        let unreadable =
            |error: TreeError| CliError::user(format!("failed to load ignore patterns: {error}"));
        // Files with ignore rules count only together with rules given as flags, as upstream has it.
        let ignore = match patterns.is_empty() {
            true => None,
            false => {
                let below = DirectoryTree::open(directory).map_err(unreadable)?;
                Some(Ignore::load(&below, Some(&patterns.join("\n"))).map_err(unreadable)?)
            }
        };
        let directory = directory.to_string_lossy();
        Ok(Self {
            disk,
            directory: directory.trim_matches('/').to_owned(),
            ignore,
        })
    }

    fn hides(&self, path: &str, kind: EntryKind) -> bool {
        let (Some(ignore), Some(below)) = (&self.ignore, path.strip_prefix(&self.directory)) else {
            return false;
        };
        match below.strip_prefix('/') {
            Some(below) => ignore.excludes(below, kind),
            None => false,
        }
    }
}

impl FileTree for IgnoringTree {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError> {
        self.disk.read(path)
    }

    fn kind(&self, path: &str) -> Result<EntryKind, TreeError> {
        self.disk.kind(path)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, TreeError> {
        let mut entries = self.disk.list(path)?;
        entries.retain(|entry| {
            let full = join(path, &entry.name).unwrap_or_default();
            !self.hides(&full, entry.kind)
        });
        Ok(entries)
    }

    fn resolve(&self, path: &str) -> Result<String, TreeError> {
        self.disk.resolve(path)
    }
}

/// Finds a Kustomization by name, and by namespace where it has one, in a file of several documents.
pub fn find_kustomization(path: &Path, name: &str, namespace: &str) -> CliResult<Object> {
    let shown = path.display();
    let failed = |what: &str, reason: &dyn std::fmt::Display| {
        CliError::user(format!(
            "failed to {what} kustomization file {shown}: {reason}"
        ))
    };
    let text = std::fs::read(path).map_err(|error| failed("read", &error))?;
    let documents = kyaml::parse(&text, &kyaml::ReadOptions::v11())
        .map_err(|error| failed("unmarshall", &error))?;
    for document in &documents {
        let value = kyaml::to_json(document, kyaml::Dialect::V11)
            .map_err(|error| failed("unmarshall", &error))?;
        let Ok(object) = Object::from_value(value) else {
            continue;
        };
        let same_kind =
            object.kind() == KUSTOMIZATION.kind && object.gvk().group == KUSTOMIZATION.group;
        let same_namespace = object.namespace().is_empty() || object.namespace() == namespace;
        if same_kind && same_namespace && object.name() == name {
            return Ok(object);
        }
    }
    Err(CliError::user(format!(
        "failed find kustomization with name '{name}' and namespace '{namespace}' in file '{shown}'"
    )))
}

//! Builds that need not be made again.
//!
//! A build is remembered together with everything it read of its tree. It counts for another tree where all of
//! that is the same, so a commit elsewhere in a repository costs a comparison and no build.

use std::collections::HashMap;
use std::sync::Arc;

use controller_runtime::Key;
use filetree::{Entry, EntryKind, FileTree, TreeError};
use kustomize::RemoteResolver;
use parking_lot::Mutex;

use super::build::{BuildFailure, BuildRequest, Built, build};
use super::remote_bases::RemoteBases;

/// One thing that a build asked its tree, with the answer.
enum Asked {
    Read(String, Result<Arc<[u8]>, TreeError>),
    Kind(String, Result<EntryKind, TreeError>),
    List(String, Result<Vec<Entry>, TreeError>),
    Resolve(String, Result<String, TreeError>),
}

impl Asked {
    fn holds(&self, tree: &dyn FileTree) -> bool {
        match self {
            Self::Read(path, Ok(content)) => tree
                .read(path)
                .is_ok_and(|new| Arc::ptr_eq(&new, content) || new == *content),
            Self::Read(path, Err(error)) => tree.read(path).err().as_ref() == Some(error),
            Self::Kind(path, kind) => tree.kind(path) == *kind,
            Self::List(path, entries) => tree.list(path) == *entries,
            Self::Resolve(path, target) => tree.resolve(path) == *target,
        }
    }
}

/// A tree that remembers what it was asked.
struct Recording {
    tree: Arc<dyn FileTree>,
    asked: Mutex<Vec<Asked>>,
}

impl FileTree for Recording {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, TreeError> {
        let answer = self.tree.read(path);
        self.asked
            .lock()
            .push(Asked::Read(path.to_owned(), answer.clone()));
        answer
    }

    fn kind(&self, path: &str) -> Result<EntryKind, TreeError> {
        let answer = self.tree.kind(path);
        self.asked
            .lock()
            .push(Asked::Kind(path.to_owned(), answer.clone()));
        answer
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, TreeError> {
        let answer = self.tree.list(path);
        self.asked
            .lock()
            .push(Asked::List(path.to_owned(), answer.clone()));
        answer
    }

    fn resolve(&self, path: &str) -> Result<String, TreeError> {
        let answer = self.tree.resolve(path);
        self.asked
            .lock()
            .push(Asked::Resolve(path.to_owned(), answer.clone()));
        answer
    }
}

struct Remembered {
    /// Digest of everything in the request but the tree.
    settings: blake3::Hash,
    asked: Vec<Asked>,
    built: Arc<Built>,
}

/// The last build of every Kustomization.
#[derive(Default)]
pub(super) struct BuildCache {
    builds: Mutex<HashMap<Key, Arc<Remembered>>>,
}

impl BuildCache {
    /// Returns the build of a request, remembered or made. Occupies a thread; builds with remote bases are not remembered.
    pub(super) fn build(
        &self,
        key: &Key,
        request: BuildRequest,
        remote: Option<&RemoteBases>,
    ) -> Result<Arc<Built>, BuildFailure> {
        let settings = settings_digest(&request);
        let known = self.builds.lock().get(key).cloned();
        if let Some(known) = known
            && known.settings == settings
            && known.asked.iter().all(|asked| asked.holds(&*request.tree))
        {
            return Ok(known.built.clone());
        }
        let recording = Arc::new(Recording {
            tree: request.tree.clone(),
            asked: Mutex::default(),
        });
        let request = BuildRequest {
            tree: recording.clone(),
            ..request
        };
        let resolver = remote.map(|remote| remote as &dyn RemoteResolver);
        let built = Arc::new(build(&request, resolver)?);
        if remote.is_some_and(RemoteBases::was_used) {
            // What lies behind a URL may change without any file here changing.
            self.forget(key);
            return Ok(built);
        }
        let remembered = Remembered {
            settings,
            asked: std::mem::take(&mut *recording.asked.lock()),
            built: built.clone(),
        };
        self.builds.lock().insert(key.clone(), Arc::new(remembered));
        Ok(built)
    }

    pub(super) fn forget(&self, key: &Key) {
        self.builds.lock().remove(key);
    }
}

fn settings_digest(request: &BuildRequest) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let spec = serde_json::to_vec(&request.spec).expect("specs are plain data");
    hasher.update(&spec);
    for (name, value) in &request.variables.values {
        for part in [name, value] {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.update(&[u8::from(request.variables.strict)]);
    hasher.finalize()
}

//! Watches local repositories on disk and enqueues the GitRepositories that they feed.
//!
//! A file event leads to a look at the reference, and only a commit not seen yet leads to a pass: other branches, the
//! index and lock files cost nothing. For uncommitted files every change of the work tree leads to a pass.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use controller_runtime::{Key, Queue};
use git::{LocalRepository, ObjectId, Reference};
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tracing::warn;

/// A directory is filled right after it appears, before it can be watched itself; look again after this time.
const AFTER_NEW_DIRECTORY: Duration = Duration::from_millis(100);

/// What a GitRepository follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// Where the repository lies, or the plain directory.
    pub path: PathBuf,
    /// URL as in the spec.
    pub url: String,
    /// Reference as in the spec.
    pub reference: Reference,
    /// Whether uncommitted files count.
    pub work_tree: bool,
}

struct Entry {
    watched: Watched,
    /// The open repository; `None` for a plain directory whose files are taken as they are.
    repository: Option<Arc<LocalRepository>>,
    queue: Queue,
    seen: Option<ObjectId>,
    roots: Vec<(PathBuf, RecursiveMode)>,
}

type Entries = Arc<Mutex<HashMap<Key, Entry>>>;

/// All watches of one controller.
#[derive(Default)]
pub(super) struct RepositoryWatcher {
    entries: Entries,
    watcher: Mutex<Option<RecommendedWatcher>>,
}

impl RepositoryWatcher {
    /// Follows a repository for an object; following the same again does nothing.
    pub fn follow(
        &self,
        key: &Key,
        watched: Watched,
        repository: Option<Arc<LocalRepository>>,
        queue: &Queue,
    ) {
        let pointer =
            |repository: &Option<Arc<LocalRepository>>| repository.as_ref().map(Arc::as_ptr);
        let known = self.entries.lock().get(key).map(|entry| {
            entry.watched == watched && pointer(&entry.repository) == pointer(&repository)
        });
        match known {
            Some(true) => return,
            Some(false) => self.forget(key),
            None => {}
        }
        let roots = roots(repository.as_deref(), &watched);
        for (path, mode) in &roots {
            if let Err(error) = self.watch(path, *mode) {
                warn!(path = %path.display(), %error, "cannot watch repository, relying on the interval");
            }
        }
        let entry = Entry {
            watched,
            repository,
            queue: queue.clone(),
            seen: None,
            roots,
        };
        self.entries.lock().insert(key.clone(), entry);
    }

    /// Records the commit that a pass found.
    pub fn seen(&self, key: &Key, commit: ObjectId) {
        if let Some(entry) = self.entries.lock().get_mut(key) {
            entry.seen = Some(commit);
        }
    }

    /// Ends following for an object.
    pub fn forget(&self, key: &Key) {
        let (gone, used) = {
            let mut entries = self.entries.lock();
            let Some(gone) = entries.remove(key) else {
                return;
            };
            let used: Vec<PathBuf> = entries
                .values()
                .flat_map(|entry| entry.roots.iter().map(|(path, _)| path.clone()))
                .collect();
            (gone, used)
        };
        if let Some(watcher) = self.watcher.lock().as_mut() {
            for (path, _) in gone.roots.iter().filter(|(path, _)| !used.contains(path)) {
                // A repository that is gone took its watches along.
                let _ = watcher.unwatch(path);
            }
        }
    }

    fn watch(&self, path: &Path, mode: RecursiveMode) -> notify::Result<()> {
        let mut watcher = self.watcher.lock();
        if watcher.is_none() {
            let entries = self.entries.clone();
            *watcher = Some(notify::recommended_watcher(move |event| {
                if let Ok(event) = event {
                    dispatch(&entries, &event);
                }
            })?);
        }
        let watcher = watcher.as_mut().expect("made just above");
        watcher.watch(path, mode)
    }
}

/// Chooses directories to watch: files such as `HEAD` are replaced by renaming, which only their directory sees.
fn roots(repository: Option<&LocalRepository>, watched: &Watched) -> Vec<(PathBuf, RecursiveMode)> {
    let Some(repository) = repository.filter(|_| !watched.work_tree) else {
        return vec![(watched.path.clone(), RecursiveMode::Recursive)];
    };
    let mut roots: Vec<(PathBuf, RecursiveMode)> = Vec::new();
    for path in repository.watch_paths() {
        let root = if path.is_dir() {
            (path, RecursiveMode::Recursive)
        } else {
            let parent = path.parent().unwrap_or(&path).to_owned();
            (parent, RecursiveMode::NonRecursive)
        };
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// Enqueues what an event concerns. Reading a repository causes events too, so accesses do not count.
fn dispatch(entries: &Entries, event: &Event) {
    let counts = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    if !counts {
        return;
    }
    let new_directory = matches!(event.kind, EventKind::Create(CreateKind::Folder));
    for (key, entry) in entries.lock().iter() {
        if !event.paths.iter().any(|path| entry.concerns(path)) {
            continue;
        }
        if new_directory {
            entry.queue.add_after(key.clone(), AFTER_NEW_DIRECTORY);
        } else if entry.is_news() {
            entry.queue.add(key.clone());
        }
    }
}

impl Entry {
    fn concerns(&self, path: &Path) -> bool {
        if path.extension().is_some_and(|end| end == "lock") {
            return false;
        }
        if !self.roots.iter().any(|(root, _)| path.starts_with(root)) {
            return false;
        }
        let name = path.file_name().unwrap_or_default();
        let in_refs = path.components().any(|step| step.as_os_str() == "refs");
        let is_reference = in_refs || name == "HEAD" || name == "packed-refs";
        let in_git_dir = path.components().any(|step| step.as_os_str() == ".git");
        is_reference || self.watched.work_tree && !in_git_dir
    }

    fn is_news(&self) -> bool {
        let Watched { url, reference, .. } = &self.watched;
        let Some(repository) = self.repository.as_ref().filter(|_| !self.watched.work_tree) else {
            return true;
        };
        match repository.resolve(url, reference) {
            Ok(commit) => self.seen != Some(commit.id),
            Err(_) => true,
        }
    }
}

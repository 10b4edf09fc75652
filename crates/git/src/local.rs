//! Repositories on the local file system: work trees, linked work trees, bare repositories.
//!
//! Everything is read directly; no `git` program is run and nothing is written. Looking up a branch costs two small
//! reads, a new commit costs the objects that it changed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::checkout::{Checkout, CheckoutCache, checkout};
use crate::commit::{Commit, Details};
use crate::copies::remote_urls;
use crate::object::{ObjectStore, Tag};
use crate::odb::ObjectDatabase;
use crate::refs::RefStore;
use crate::select::{Advertised, Chosen, Reference, Wanted};
use crate::{Error, ObjectId};

/// Commits visited at most to find whether a commit is on a branch.
const HISTORY_MAX: usize = 10_000_000;

/// A repository on disk. Cheap to ask again: objects and trees of the last checkouts are kept.
pub struct LocalRepository {
    root: PathBuf,
    bare: bool,
    refs: RefStore,
    /// Device and number of the shared directory: a repository made anew at the same path is another one.
    identity: Option<(u64, u64)>,
    objects: ObjectDatabase,
    /// By sparse selection, so that several sources of one repository do not drive each other out.
    caches: Mutex<HashMap<Vec<String>, CheckoutCache>>,
    /// Commits known to be on a branch's history: (branch head, commit).
    contained: Mutex<HashSet<(ObjectId, ObjectId)>>,
}

impl LocalRepository {
    /// Opens the repository at a path: a work tree or a bare repository, not a directory inside of one.
    ///
    /// # Errors
    /// Fails where there is no repository, or one of a form that is not known.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let not_found = || Error::NotARepository {
            path: path.to_owned(),
        };
        let root = fs::canonicalize(path).map_err(|_| not_found())?;
        let dot_git = root.join(".git");
        let (git_dir, bare) = if dot_git.is_dir() {
            (dot_git, false)
        } else if dot_git.is_file() {
            (linked_git_dir(&root, &dot_git)?, false)
        } else if root.join("HEAD").is_file() && root.join("objects").is_dir() {
            (root.clone(), true)
        } else {
            return Err(not_found());
        };
        let common_dir = match fs::read_to_string(git_dir.join("commondir")) {
            Ok(text) => git_dir.join(text.trim_end()),
            Err(_) => git_dir.clone(),
        };
        check_format(&common_dir)?;
        let objects = ObjectDatabase::open(&common_dir.join("objects"))?;
        Ok(Self {
            root,
            bare,
            identity: identity(&common_dir),
            refs: RefStore {
                git_dir,
                common_dir,
            },
            objects,
            caches: Mutex::default(),
            contained: Mutex::default(),
        })
    }

    /// Returns the work tree's directory, or the bare repository's.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Tells whether there is no work tree.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Returns the short name of the branch that `HEAD` names; `None` where it is detached.
    ///
    /// # Errors
    /// Fails where `HEAD` cannot be read.
    pub fn head_branch(&self) -> Result<Option<String>, Error> {
        let name = self.refs.head_branch()?;
        Ok(name.and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned)))
    }

    /// Returns the URLs of the repository's remotes, in the order of its configuration; may be empty.
    pub fn remote_urls(&self) -> Vec<String> {
        let config = fs::read_to_string(self.refs.common_dir.join("config"));
        remote_urls(&config.unwrap_or_default())
    }

    /// Returns the commit of `HEAD`; `None` in a repository without commits.
    ///
    /// # Errors
    /// Fails where a reference cannot be read.
    pub fn head(&self) -> Result<Option<ObjectId>, Error> {
        self.refs.find("HEAD")
    }

    /// Returns what must be watched to notice new commits: files and directories, the latter with all below them.
    ///
    /// They may not exist yet, and files are replaced by renaming; watch their directories.
    pub fn watch_paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![
            self.refs.common_dir.join("refs"),
            self.refs.common_dir.join("packed-refs"),
            self.refs.common_dir.join("HEAD"),
        ];
        if self.refs.git_dir != self.refs.common_dir {
            paths.push(self.refs.git_dir.join("HEAD"));
        }
        paths
    }

    /// Tells whether the path still holds the repository that was opened.
    pub(crate) fn still_there(&self) -> bool {
        self.identity.is_some() && identity(&self.refs.common_dir) == self.identity
    }

    /// Tells which commit a reference means now, without reading its files. `url` appears in errors.
    ///
    /// # Errors
    /// Fails where nothing has the name, or an object on the way cannot be read.
    pub fn resolve(&self, url: &str, reference: &Reference) -> Result<Commit, Error> {
        let chosen = self.choose(url, reference)?;
        Ok(Commit {
            id: chosen.commit,
            reference: chosen.reference,
            details: None,
            dirty: None,
        })
    }

    /// Resolves a reference and reads its files.
    ///
    /// # Errors
    /// As [`LocalRepository::resolve`], and where an object of the tree cannot be read.
    pub fn checkout(
        &self,
        url: &str,
        reference: &Reference,
        sparse: &[String],
    ) -> Result<(Commit, Checkout), Error> {
        let chosen = self.choose(url, reference)?;
        self.checkout_chosen(chosen, sparse)
    }

    /// Reads the files of a commit, as a submodule of another repository needs it.
    ///
    /// # Errors
    /// Fails where an object cannot be read.
    pub fn checkout_commit(&self, id: ObjectId) -> Result<(Commit, Checkout), Error> {
        let chosen = Chosen {
            reference: String::new(),
            commit: id,
            tag: None,
        };
        self.checkout_chosen(chosen, &[])
    }

    fn checkout_chosen(
        &self,
        chosen: Chosen,
        sparse: &[String],
    ) -> Result<(Commit, Checkout), Error> {
        let object = self.objects.commit(chosen.commit)?;
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = caches.entry(sparse.to_vec()).or_default();
        let files = checkout(&self.objects, object.tree, sparse, cache)?;
        drop(caches);
        self.objects.forget_bases();
        Ok((concrete(&self.objects, chosen, object)?, files))
    }

    fn choose(&self, url: &str, reference: &Reference) -> Result<Chosen, Error> {
        let wanted = reference.wanted()?;
        if let Wanted::Commit { id, branch } = &wanted {
            return self.choose_commit(url, *id, branch);
        }
        let mut chosen = wanted
            .choose(url, &self.advertised(&wanted)?)
            .map_err(|error| self.explain(error, url))?;
        youngest(&self.objects, &mut chosen)
    }

    /// An unborn repository is reported as empty rather than as lacking a branch.
    fn explain(&self, error: Error, url: &str) -> Error {
        match self.refs.list("refs/") {
            Ok(refs) if refs.is_empty() => Error::Empty.context(format!("unable to clone '{url}'")),
            _ => error,
        }
    }

    fn advertised(&self, wanted: &Wanted) -> Result<Vec<Advertised>, Error> {
        let mut found = Vec::new();
        for prefix in wanted.prefixes() {
            if prefix.ends_with('/') {
                for (name, id) in self.refs.list(&prefix)? {
                    found.push(self.advertise(name, id)?);
                }
            } else if let Some(id) = self.refs.find(&prefix)? {
                found.push(self.advertise(prefix, id)?);
            }
        }
        Ok(found)
    }

    fn advertise(&self, name: String, id: ObjectId) -> Result<Advertised, Error> {
        let peeled = match self.objects.peel(id) {
            Ok((commit, _)) => (commit != id).then_some(commit),
            // A shallow clone may lack what other tags point at; only the chosen one matters.
            Err(Error::Missing(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(Advertised { name, id, peeled })
    }

    fn choose_commit(&self, url: &str, id: ObjectId, branch: &str) -> Result<Chosen, Error> {
        let heads: Vec<ObjectId> = if branch.is_empty() {
            self.refs.list("refs/heads/")?.into_values().collect()
        } else {
            let name = format!("refs/heads/{branch}");
            let head = self.refs.find(&name)?;
            vec![head.ok_or_else(|| {
                Error::NoReference(name).context(format!("unable to clone '{url}'"))
            })?]
        };
        if !self.is_contained(id, &heads)? {
            let context = format!("unable to resolve commit object for '{id}'");
            return Err(Error::Message("object not found".to_owned()).context(context));
        }
        Ok(Chosen {
            reference: commit_reference(branch),
            commit: id,
            tag: None,
        })
    }

    fn is_contained(&self, id: ObjectId, heads: &[ObjectId]) -> Result<bool, Error> {
        let known = |head: &ObjectId| {
            let contained = self
                .contained
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            contained.contains(&(*head, id))
        };
        if heads.contains(&id) || heads.iter().any(known) {
            return Ok(true);
        }
        if !is_ancestor(&self.objects, id, heads)? {
            return Ok(false);
        }
        let mut contained = self
            .contained
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        contained.extend(heads.iter().map(|head| (*head, id)));
        Ok(true)
    }
}

/// Returns the reference under which a commit by id is known.
pub(crate) fn commit_reference(branch: &str) -> String {
    if branch.is_empty() {
        "HEAD".to_owned()
    } else {
        format!("refs/heads/{branch}")
    }
}

/// Keeps the choice with the youngest commit; only equal versions make more than one.
pub(crate) fn youngest(store: &dyn ObjectStore, chosen: &mut Vec<Chosen>) -> Result<Chosen, Error> {
    let mut best = chosen.pop().expect("a choice has at least one answer");
    if chosen.is_empty() {
        return Ok(best);
    }
    let mut time = store.commit(best.commit)?.committer.seconds;
    for other in chosen.drain(..) {
        let seconds = store.commit(other.commit)?.committer.seconds;
        if seconds > time {
            (best, time) = (other, seconds);
        }
    }
    Ok(best)
}

/// Adds what the objects tell to a choice.
pub(crate) fn concrete(
    store: &dyn ObjectStore,
    chosen: Chosen,
    object: crate::object::CommitObject,
) -> Result<Commit, Error> {
    let tag = match chosen.tag {
        Some(id) => match store.find(id)? {
            Some(tag) => Some(Tag::parse(id, &tag.data)?),
            None => None,
        },
        None => None,
    };
    Ok(Commit {
        id: chosen.commit,
        reference: chosen.reference,
        details: Some(Details {
            author: object.author.clone(),
            committer: object.committer.clone(),
            message: object.message.clone(),
            object,
            tag,
        }),
        dirty: None,
    })
}

/// Walks the history of some commits, youngest levels first; a shallow history ends where it is cut.
pub(crate) fn is_ancestor(
    store: &dyn ObjectStore,
    id: ObjectId,
    heads: &[ObjectId],
) -> Result<bool, Error> {
    let mut queue: VecDeque<ObjectId> = heads.iter().copied().collect();
    let mut seen: HashSet<ObjectId> = queue.iter().copied().collect();
    while let Some(next) = queue.pop_front() {
        if next == id {
            return Ok(true);
        }
        let Some(object) = store.find(next)? else {
            continue;
        };
        if object.kind != crate::object::Kind::Commit || seen.len() > HISTORY_MAX {
            continue;
        }
        for parent in store.commit(next)?.parents {
            if seen.insert(parent) {
                queue.push_back(parent);
            }
        }
    }
    Ok(false)
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(directory).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Reads a `.git` file, as linked work trees and submodules have.
fn linked_git_dir(root: &Path, file: &Path) -> Result<PathBuf, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::Io {
        path: file.to_owned(),
        source,
    })?;
    match text.trim_end().strip_prefix("gitdir:") {
        Some(target) => Ok(root.join(target.trim_start())),
        None => Err(Error::Format {
            path: file.to_owned(),
            reason: "no gitdir in .git file".to_owned(),
        }),
    }
}

/// Refuses repositories whose format would be misread.
fn check_format(common_dir: &Path) -> Result<(), Error> {
    let path = common_dir.join("config");
    let text = fs::read_to_string(&path).unwrap_or_default();
    for line in text.lines() {
        let line: String = line
            .to_ascii_lowercase()
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect();
        let reason = match line.as_str() {
            "objectformat=sha256" => "SHA-256 repositories are not supported",
            "refstorage=reftable" => "the reftable format of references is not supported",
            _ => continue,
        };
        return Err(Error::Format {
            path,
            reason: reason.to_owned(),
        });
    }
    Ok(())
}

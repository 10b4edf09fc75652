//! One door to all repositories: local paths, `file://`, `http(s)://`; SSH is refused with a clear error.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use filetree::{FileTree, MemoryTree};
use futures::future::BoxFuture;
use remote::Clients;

use crate::auth::Auth;
use crate::checkout::{Checkout, CheckoutCache, checkout};
use crate::commit::Commit;
use crate::http::{Fetch, Session};
use crate::local::{LocalRepository, commit_reference, concrete, is_ancestor, youngest};
use crate::object::ObjectStore;
use crate::select::{Chosen, Reference, Wanted};
use crate::snapshot::plain_directory;
use crate::submodules;
use crate::{Error, ObjectId};

/// Submodules of submodules are followed this far, as in go-git.
const SUBMODULE_DEPTH_MAX: usize = 10;

/// Whether repositories on the local file system may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalAccess {
    /// No: a tenant could otherwise read the controller's files.
    #[default]
    Denied,
    /// Yes, as for `flux dev`.
    Allowed,
}

/// What to fetch.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Where the repository is.
    pub url: String,
    /// What to check out.
    pub reference: Reference,
    /// Credentials and transport settings.
    pub auth: Auth,
    /// Longest time for everything.
    pub timeout: Duration,
    /// Fill submodules.
    pub recurse_submodules: bool,
    /// Beginnings of paths to check out; empty means all.
    pub sparse_checkout: Vec<String>,
    /// Revision already known; if the reference still gives it, nothing is fetched.
    pub last_observed: Option<String>,
    /// Take the uncommitted files of a local work tree instead of a commit.
    pub work_tree: bool,
}

/// What a fetch found.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// The reference still gives the revision already known.
    Unchanged(Commit),
    /// A commit with its files.
    New(Commit, MemoryTree),
}

/// Fetches from repositories; keeps connections and local repositories open.
#[derive(Default)]
pub struct Client {
    clients: Clients,
    local_access: LocalAccess,
    local: Mutex<HashMap<PathBuf, Arc<LocalRepository>>>,
}

/// Where a URL leads.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    Local(PathBuf),
    Http(&'a str),
}

/// Returns the path of a URL that names a local repository: `file://` or an absolute path.
pub fn local_path(url: &str) -> Option<PathBuf> {
    if let Some(rest) = url.strip_prefix("file://") {
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        return path.starts_with('/').then(|| PathBuf::from(path));
    }
    url.starts_with('/').then(|| PathBuf::from(url))
}

fn place(url: &str) -> Result<Place<'_>, Error> {
    if let Some(path) = local_path(url) {
        return Ok(Place::Local(path));
    }
    match url.split_once("://") {
        Some(("http" | "https", _)) => Ok(Place::Http(url)),
        Some(("ssh", _)) => Err(Error::Unsupported {
            what: "the SSH transport".to_owned(),
        }),
        Some((scheme, _)) => Err(Error::Url(format!("unknown transport '{scheme}'"))),
        None => Err(Error::Url("no transport type set".to_owned())),
    }
}

impl Client {
    /// Makes a client.
    pub fn new(local_access: LocalAccess) -> Self {
        Self {
            local_access,
            ..Self::default()
        }
    }

    /// Opens a local repository, or returns the one already open.
    ///
    /// # Errors
    /// Local access is denied, there is no repository, or its format is not supported.
    pub fn local(&self, path: &Path) -> Result<Arc<LocalRepository>, Error> {
        if self.local_access == LocalAccess::Denied {
            return Err(Error::LocalDenied(path.display().to_string()));
        }
        let mut open = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        // A repository that was replaced by another one is opened anew.
        if let Some(known) = open.get(path).filter(|known| known.still_there()) {
            return Ok(known.clone());
        }
        open.remove(path);
        let repository = Arc::new(LocalRepository::open(path)?);
        open.insert(path.to_owned(), repository.clone());
        Ok(repository)
    }

    /// Fetches a commit, unless it is the one already known.
    ///
    /// # Errors
    /// Fails where the server cannot be reached, refuses, or does not have the reference; a retry helps with the first.
    pub async fn fetch(self: &Arc<Self>, request: FetchRequest) -> Result<Fetched, Error> {
        let timeout = request.timeout;
        let url = request.url.clone();
        let work = self.fetch_now(request);
        match tokio::time::timeout(timeout, work).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout.context(format!("unable to clone '{url}'"))),
        }
    }

    async fn fetch_now(self: &Arc<Self>, request: FetchRequest) -> Result<Fetched, Error> {
        match place(&request.url)? {
            Place::Local(path) => {
                let (client, asked) = (self.clone(), request.clone());
                let found = blocking(move || client.fetch_local(&path, &asked)).await;
                self.fill(found?, &request).await
            }
            Place::Http(_) => {
                let found = self.fetch_http(&request).await?;
                self.fill(found, &request).await
            }
        }
    }

    fn fetch_local(&self, path: &Path, request: &FetchRequest) -> Result<Found, Error> {
        let unable = || format!("unable to clone '{}'", request.url);
        let is_plain = || path.is_dir() && !path.join(".git").exists();
        let repository = match self.local(path) {
            Err(Error::NotARepository { .. }) if request.work_tree && is_plain() => {
                let (commit, tree) = plain_directory(path, &request.reference)?;
                return Ok(found_snapshot(commit, tree, request));
            }
            opened => opened,
        };
        let repository = repository.map_err(|error| match error {
            Error::LocalDenied(_) => error,
            error => error.context(unable()),
        })?;
        if request.work_tree {
            let (commit, tree) = repository.snapshot(&request.url)?;
            return Ok(found_snapshot(commit, tree, request));
        }
        if request.last_observed.is_some() {
            let commit = repository.resolve(&request.url, &request.reference)?;
            if is_known(&commit, request) {
                return Ok(Found::Unchanged(commit));
            }
        }
        let (commit, files) =
            repository.checkout(&request.url, &request.reference, &request.sparse_checkout)?;
        Ok(Found::New(commit, files))
    }

    async fn fetch_http(&self, request: &FetchRequest) -> Result<Found, Error> {
        let unable = |error: Error| error.context(format!("unable to clone '{}'", request.url));
        let wanted = request.reference.wanted()?;
        let session = Session::open(&self.clients, &request.url, &request.auth)
            .await
            .map_err(|error| match request.last_observed {
                Some(_) => error.context(format!("unable to list remote for '{}'", request.url)),
                None => unable(error),
            })?;
        let mut chosen = if let Wanted::Commit { id, branch } = &wanted {
            // A commit never changes: its history need not be looked at again.
            let known = partial(&Chosen {
                reference: commit_reference(branch),
                commit: *id,
                tag: None,
            });
            if is_known(&known, request) {
                return Ok(Found::Unchanged(known));
            }
            vec![choose_commit(&session, *id, branch, &request.url).await?]
        } else {
            choose(&session, &wanted, &request.url).await?
        };
        if let [only] = &chosen[..] {
            let commit = partial(only);
            if is_known(&commit, request) {
                return Ok(Found::Unchanged(commit));
            }
        }
        let wants: Vec<ObjectId> = chosen
            .iter()
            .flat_map(|c| [Some(c.commit), c.tag])
            .flatten()
            .collect();
        let fetch = Fetch {
            wants: &wants,
            depth: 1,
            commits_only: false,
        };
        let pack = session.fetch(&fetch).await.map_err(unable)?;
        let sparse = request.sparse_checkout.clone();
        blocking(move || {
            let chosen = youngest(&pack, &mut chosen)?;
            let object = pack.commit(chosen.commit)?;
            let files = checkout(&pack, object.tree, &sparse, &mut CheckoutCache::default())?;
            Ok(Found::New(concrete(&pack, chosen, object)?, files))
        })
        .await
        .map_err(unable)
    }

    /// Fills submodules where asked for, and gives the result its final form.
    async fn fill(
        self: &Arc<Self>,
        found: Found,
        request: &FetchRequest,
    ) -> Result<Fetched, Error> {
        match found {
            Found::Unchanged(commit) => Ok(Fetched::Unchanged(commit)),
            Found::New(commit, files) => {
                let tree = if request.recurse_submodules && !files.submodules.is_empty() {
                    self.with_submodules(files, &request.url, request, 1)
                        .await
                        .map_err(|error| {
                            error.context(format!("unable to clone '{}'", request.url))
                        })?
                } else {
                    files.tree
                };
                Ok(Fetched::New(commit, tree))
            }
        }
    }

    fn with_submodules<'a>(
        self: &'a Arc<Self>,
        files: Checkout,
        url: &'a str,
        request: &'a FetchRequest,
        depth: usize,
    ) -> BoxFuture<'a, Result<MemoryTree, Error>> {
        Box::pin(async move {
            let mut tree = files.tree;
            let text = match tree.read(".gitmodules") {
                Ok(text) => String::from_utf8_lossy(&text).into_owned(),
                Err(_) => return Ok(tree),
            };
            let declared = submodules::parse(&text, url);
            for (path, id) in files.submodules {
                let Some(declaration) = declared.iter().find(|d| d.path == path) else {
                    continue;
                };
                let below = self.submodule(&declaration.url, id, request).await?;
                let below = if below.submodules.is_empty() || depth >= SUBMODULE_DEPTH_MAX {
                    below.tree
                } else {
                    self.with_submodules(below, &declaration.url, request, depth + 1)
                        .await?
                };
                graft(&mut tree, &path, &below)?;
            }
            Ok(tree)
        })
    }

    /// Checks out one commit of another repository, with the same credentials, as upstream does.
    async fn submodule(
        self: &Arc<Self>,
        url: &str,
        id: ObjectId,
        request: &FetchRequest,
    ) -> Result<Checkout, Error> {
        match place(url)? {
            Place::Local(path) => {
                // A repository fetched over the network must not reach into the local file system.
                if local_path(&request.url).is_none() {
                    return Err(Error::LocalDenied(url.to_owned()));
                }
                let repository = self.local(&path)?;
                blocking(move || repository.checkout_commit(id).map(|(_, files)| files)).await
            }
            Place::Http(url) => {
                let session = Session::open(&self.clients, url, &request.auth).await?;
                let fetch = Fetch {
                    wants: &[id],
                    depth: 1,
                    commits_only: false,
                };
                let pack = session.fetch(&fetch).await?;
                blocking(move || {
                    let tree = pack.commit(id)?.tree;
                    checkout(&pack, tree, &[], &mut CheckoutCache::default())
                })
                .await
            }
        }
    }
}

enum Found {
    Unchanged(Commit),
    New(Commit, Checkout),
}

fn found_snapshot(commit: Commit, tree: MemoryTree, request: &FetchRequest) -> Found {
    if is_known(&commit, request) {
        return Found::Unchanged(commit);
    }
    let files = Checkout {
        tree,
        submodules: Vec::new(),
    };
    Found::New(commit, files)
}

fn partial(chosen: &Chosen) -> Commit {
    Commit {
        id: chosen.commit,
        reference: chosen.reference.clone(),
        details: None,
        dirty: None,
    }
}

/// Tells whether a reference still gives the revision of the artifact.
///
/// Upstream looks at branches, tags and names only and clones anew for semver and commits.
fn is_known(commit: &Commit, request: &FetchRequest) -> bool {
    let Some(observed) = &request.last_observed else {
        return false;
    };
    let by_name = !request.reference.name.is_empty() && request.reference.commit.is_empty();
    if by_name {
        commit.absolute_revision() == *observed
    } else {
        commit.revision() == *observed
    }
}

async fn choose(session: &Session, wanted: &Wanted, url: &str) -> Result<Vec<Chosen>, Error> {
    if matches!(wanted, Wanted::Object(_)) {
        return wanted.choose(url, &[]);
    }
    let advertised = session
        .list(&wanted.prefixes())
        .await
        .map_err(|error| error.context(format!("unable to clone '{url}'")))?;
    match wanted.choose(url, &advertised) {
        Ok(chosen) => Ok(chosen),
        // An empty repository is told apart from one that lacks the reference.
        Err(_) if advertised.is_empty() && session.list(&[]).await?.is_empty() => {
            Err(Error::Empty.context(format!("unable to clone '{url}'")))
        }
        Err(error) => Err(error),
    }
}

/// Checks that a commit is on the branch, or on any branch: servers also hand out commits of forks.
async fn choose_commit(
    session: &Session,
    id: ObjectId,
    branch: &str,
    url: &str,
) -> Result<Chosen, Error> {
    let unable = |error: Error| error.context(format!("unable to clone '{url}'"));
    let prefix = format!("refs/heads/{branch}");
    let mut heads = session
        .list(std::slice::from_ref(&prefix))
        .await
        .map_err(unable)?;
    if !branch.is_empty() {
        heads.retain(|head| head.name == prefix);
        if heads.is_empty() {
            return Err(unable(Error::NoReference(prefix)));
        }
    }
    if heads.is_empty() {
        return Err(unable(Error::Empty));
    }
    let wants: Vec<ObjectId> = heads.iter().map(|head| head.id).collect();
    if !wants.contains(&id) {
        let fetch = Fetch {
            wants: &wants,
            depth: 0,
            commits_only: true,
        };
        let history = session.fetch(&fetch).await.map_err(unable)?;
        if !blocking(move || is_ancestor(&history, id, &wants)).await? {
            let context = format!("unable to resolve commit object for '{id}'");
            return Err(Error::Message("object not found".to_owned()).context(context));
        }
    }
    Ok(Chosen {
        reference: commit_reference(branch),
        commit: id,
        tag: None,
    })
}

/// Copies a tree below a path of another.
fn graft(tree: &mut MemoryTree, path: &str, below: &MemoryTree) -> Result<(), Error> {
    for (name, content) in below.files() {
        let target = format!("{path}/{name}");
        tree.insert(&target, content.clone())
            .map_err(|error| Error::corrupt(&target, error.to_string()))?;
        tree.set_executable(&target, below.is_executable(name));
    }
    Ok(())
}

/// Runs work that reads files or computes for long on the blocking pool.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Transport(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_their_transport() {
        let local = |path: &str| Ok(Place::Local(PathBuf::from(path)));
        let check = |url: &'static str| place(url).map_err(|error| error.to_string());
        assert_eq!(check("/srv/repo"), local("/srv/repo"));
        assert_eq!(check("file:///srv/repo"), local("/srv/repo"));
        assert_eq!(check("https://h/r"), Ok(Place::Http("https://h/r")));
        assert_eq!(
            check("ssh://git@h/r"),
            Err("the SSH transport is not supported yet".into())
        );
        assert_eq!(check("git://h/r"), Err("unknown transport 'git'".into()));
        assert_eq!(check("r"), Err("no transport type set".into()));
    }
}

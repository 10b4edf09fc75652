//! The effects of the GitRepository controller: fetch, store, write status.
//!
//! Decisions are [`reconcile::gitrepository`]'s. A local repository is watched on disk, so that a commit is noticed at
//! once; for remote ones `spec.interval` and reconcile requests are what there is.

mod credentials;
mod includes;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::names::reason;
use api::{Artifact, GitRepository, GitRepositorySpec, GitRepositoryStatus};
use async_trait::async_trait;
use controller_runtime::{Key, Run, Runtime, Trigger};
use filetree::{FileTree, MemoryTree, clean, select};
use git::{Auth, Client, Commit, FetchRequest, Fetched, LocalAccess, LocalCopies};
use reconcile::gitrepository::{CommitFact, Verdict};
use reconcile::source::{Class, Decision, Pass, Problem};

use crate::artifact::{ArtifactStore, StoreError};
use crate::source::{Place, Worker, blocking, load_ignore, owner, start_worker, store_problem};
use watch::{RepositoryWatcher, Watched};

const NAME: &str = "gitrepository";
/// Index over the primary store: repositories by those that they include.
const INCLUDES_INDEX: &str = "include";

/// How the controller runs.
#[derive(Clone, Debug)]
pub struct GitRepositoryOptions {
    /// Whether `file://` URLs are allowed.
    pub local_access: LocalAccess,
    /// Local repositories that stand in for remote ones. Needs [`LocalAccess::Allowed`].
    pub local_copies: LocalCopies,
    /// Local repositories whose uncommitted files are taken.
    pub work_trees: Vec<PathBuf>,
    /// Wait for an included repository without artifact.
    pub requeue_dependency: Duration,
    /// Repositories worked on at once.
    pub concurrency: usize,
}

impl Default for GitRepositoryOptions {
    fn default() -> Self {
        Self {
            local_access: LocalAccess::Denied,
            local_copies: LocalCopies::default(),
            work_trees: Vec::new(),
            requeue_dependency: Duration::from_secs(30),
            concurrency: 2,
        }
    }
}

/// Starts the controller.
pub fn run(runtime: &Arc<Runtime>, store: Arc<ArtifactStore>, options: GitRepositoryOptions) {
    let spec = runtime.spec(<GitRepositorySpec as api::Kind>::gvk(), "");
    runtime
        .store(&spec)
        .add_index(INCLUDES_INDEX, includes::index);
    let concurrency = options.concurrency;
    let worker = GitRepositories {
        git: Arc::new(Client::new(options.local_access)),
        store,
        watcher: RepositoryWatcher::default(),
        options,
    };
    let included = Trigger::new(spec, |change, store| {
        if !includes::artifact_changed(change) {
            return Vec::new();
        }
        store.by_index(INCLUDES_INDEX, &change.key().to_string())
    });
    start_worker(runtime, NAME, concurrency, worker, vec![included]);
}

struct GitRepositories {
    git: Arc<Client>,
    store: Arc<ArtifactStore>,
    watcher: RepositoryWatcher,
    options: GitRepositoryOptions,
}

/// A pass that went through.
enum Done {
    NoOperation,
    Success,
}

#[async_trait]
impl Worker for GitRepositories {
    type Spec = GitRepositorySpec;

    fn store(&self) -> &Arc<ArtifactStore> {
        &self.store
    }

    fn forget(&self, key: &Key) {
        self.watcher.forget(key);
    }

    async fn work(
        &self,
        place: &mut Place<'_>,
        mut pass: Pass<GitRepositorySpec>,
        object: &GitRepository,
    ) -> Decision<GitRepositoryStatus> {
        match self.fetch_and_store(place, &mut pass, object).await {
            Ok(Done::Success) => pass.success(),
            Ok(Done::NoOperation) => pass.no_operation(),
            Err(problem) => pass.fail(problem),
        }
    }
}

impl GitRepositories {
    async fn fetch_and_store(
        &self,
        place: &mut Place<'_>,
        pass: &mut Pass<GitRepositorySpec>,
        repository: &GitRepository,
    ) -> Result<Done, Problem> {
        let spec = &repository.spec;
        let local = self.local_path(&spec.url);
        let auth = match local {
            Some(_) => credentials::none(place.run, spec).await?,
            None => credentials::resolve(place.run, spec).await?,
        };
        let included = includes::gather(place.run, spec, self.options.requeue_dependency)?;
        pass.includes(included.clone());
        if local.is_none() {
            place.show_progress(pass).await;
        }
        let mut request = request(spec, auth);
        if let Some(path) = local {
            // A copy is read from its own place; the object keeps the remote's URL.
            request.url = format!("file://{}", path.display());
            request.work_tree = self.options.work_trees.contains(&path);
            self.watch(place.run, &request, &path);
        } else {
            self.watcher.forget(&place.run.key);
        }
        request.last_observed = pass.last_observed().map(str::to_owned);
        let (commit, tree) = loop {
            match self.fetch(place.run, &request).await? {
                Fetched::Unchanged(commit) => match pass.unchanged(fact(spec, &commit)) {
                    Verdict::UpToDate => return Ok(Done::NoOperation),
                    _ => request.last_observed = None,
                },
                Fetched::New(commit, tree) => break (commit, tree),
            }
        };
        check_sparse_checkout(spec, &tree)?;
        if pass.fetched(fact(spec, &commit)) == Verdict::Keep {
            return Ok(Done::Success);
        }
        pass.stored(
            self.build(place.run, repository, commit, tree, included)
                .await?,
        );
        Ok(Done::Success)
    }

    /// Returns where a repository lies on this machine, as its URL says or as a copy of a remote one.
    fn local_path(&self, url: &str) -> Option<PathBuf> {
        let copy = self.options.local_copies.find(url).map(PathBuf::from);
        copy.or_else(|| git::local_path(url))
    }

    async fn fetch(&self, run: &Run, request: &FetchRequest) -> Result<Fetched, Problem> {
        let fetched = self.git.fetch(request.clone());
        // A remote repository may be slow; others go on meanwhile.
        let result = if git::local_path(&request.url).is_some() {
            fetched.await
        } else {
            run.waiting(fetched).await
        };
        if let Ok(Fetched::New(commit, _) | Fetched::Unchanged(commit)) = &result {
            self.watcher.seen(&run.key, commit.id);
        }
        result.map_err(|error| fetch_problem(&error))
    }

    /// Follows a local repository's references; without a watch there is still the interval.
    fn watch(&self, run: &Run, request: &FetchRequest, path: &std::path::Path) {
        let local = match self.git.local(path) {
            Ok(local) => Some(local),
            Err(git::Error::NotARepository { .. }) if request.work_tree && path.is_dir() => None,
            Err(_) => {
                self.watcher.forget(&run.key);
                return;
            }
        };
        let watched = Watched {
            path: path.to_owned(),
            url: request.url.clone(),
            reference: request.reference.clone(),
            work_tree: request.work_tree,
        };
        self.watcher.follow(&run.key, watched, local, &run.queue);
    }

    /// Packs and stores a commit's files.
    async fn build(
        &self,
        run: &Run,
        repository: &GitRepository,
        commit: Commit,
        mut tree: MemoryTree,
        included: Vec<Artifact>,
    ) -> Result<Artifact, Problem> {
        let (store, repository) = (self.store.clone(), repository.clone());
        let now = run.runtime.clock.now();
        let work = move || {
            includes::copy(&store, &repository.spec.include, &included, &mut tree)?;
            let ignore = load_ignore(&tree, repository.spec.ignore.as_deref())?;
            let revision = revision(&repository.spec, &commit);
            let dirty = commit
                .dirty
                .as_ref()
                .map(|digest| format!("-dirty.{digest}"));
            let file = format!("{}{}.tar.gz", commit.id, dirty.unwrap_or_default());
            select(&tree, &ignore)
                .map_err(StoreError::from)
                .and_then(|entries| store.put(owner(&repository), &file, &revision, &entries, now))
                .map_err(|error| store_problem("archive", &error))
        };
        blocking(work).await.map_err(|error| {
            let message = format!("unable to archive artifact to storage: {error}");
            Problem::storage(reason::ARCHIVE_OPERATION_FAILED, message)
        })?
    }
}

fn request(spec: &GitRepositorySpec, auth: Auth) -> FetchRequest {
    let reference = spec.reference.clone().unwrap_or_default();
    let without_dot = |path: &String| path.strip_prefix("./").unwrap_or(path).to_owned();
    FetchRequest {
        url: spec.url.clone(),
        reference: git::Reference {
            branch: reference.branch,
            tag: reference.tag,
            semver: reference.semver,
            name: reference.name,
            commit: reference.commit,
            word: String::new(),
        },
        auth,
        timeout: spec.timeout(),
        recurse_submodules: spec.recurse_submodules,
        sparse_checkout: spec.sparse_checkout.iter().map(without_dot).collect(),
        last_observed: None,
        work_tree: false,
    }
}

/// Writes a commit's revision; references by full name keep it.
fn revision(spec: &GitRepositorySpec, commit: &Commit) -> String {
    match &spec.reference {
        Some(reference) if !reference.name.is_empty() => commit.absolute_revision(),
        _ => commit.revision(),
    }
}

fn fact(spec: &GitRepositorySpec, commit: &Commit) -> CommitFact {
    let details = commit.details.as_ref().filter(|_| commit.dirty.is_none());
    CommitFact {
        revision: revision(spec, commit),
        subject: details.map(|_| commit.short_message()),
    }
}

fn fetch_problem(error: &git::Error) -> Problem {
    if error.is_empty_repository() {
        return Problem::fetch(reason::EMPTY_GIT_REPOSITORY, "git repository is empty");
    }
    let message = format!("failed to checkout and determine revision: {error}");
    let problem = Problem::fetch(reason::GIT_OPERATION_FAILED, message);
    match error {
        // Trying again cannot help before the object or the program changes.
        git::Error::Unsupported { .. } | git::Error::LocalDenied(_) | git::Error::Url(_) => {
            Problem {
                class: Class::Stalling,
                ..problem
            }
        }
        _ => problem,
    }
}

fn check_sparse_checkout(spec: &GitRepositorySpec, tree: &MemoryTree) -> Result<(), Problem> {
    for directory in &spec.sparse_checkout {
        let found = clean(directory).is_some_and(|path| tree.kind(&path).is_ok());
        if !found {
            let message = format!(
                "failed to sparse checkout directories : sparse checkout dir '{directory}' does not exist in repository: lstat {directory}: no such file or directory"
            );
            return Err(Problem::fetch(reason::GIT_OPERATION_FAILED, message));
        }
    }
    Ok(())
}

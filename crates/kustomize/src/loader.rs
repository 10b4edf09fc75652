//! Access to files from one kustomization: relative paths, the load restrictor, cycles.

use std::cell::RefCell;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use filetree::{EntryKind, FileTree, TreeError};

use crate::error::{BuildError, Fault, Result};
use crate::options::{BuildOptions, FetchError, LoadRestrictor};
use crate::repository::RepositoryUrl;
use crate::resource::Resource;

/// Nesting of kustomizations, at most.
const DEPTH_MAX: usize = 256;

/// The place of one kustomization in the build.
#[derive(Clone)]
pub(crate) struct Loader<'a> {
    tree: &'a dyn FileTree,
    options: &'a BuildOptions<'a>,
    /// Directory from the root of the tree; the last of `visited`.
    root: String,
    /// Directories from the first kustomization to this one.
    visited: Arc<Vec<String>>,
    /// Tree of a remote base, if this kustomization came with one.
    remote: Option<Arc<dyn FileTree>>,
    /// URLs of the remote bases that led here.
    remotes: Arc<Vec<String>>,
    /// What the build has to tell though it goes on, in order.
    pub warnings: Rc<RefCell<Vec<String>>>,
}

/// Why objects could not be had from a file.
pub(crate) enum ReadFault {
    /// The file could not be read.
    File(BuildError),
    /// Its text is not what it should be.
    Content(BuildError),
}

fn is_remote_file(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// Writes a path of the tree as upstream would print it.
pub(crate) fn shown(path: &str) -> String {
    format!("/{path}")
}

impl<'a> Loader<'a> {
    /// Starts at a directory of the tree.
    pub fn new(tree: &'a dyn FileTree, dir: &str, options: &'a BuildOptions<'a>) -> Result<Self> {
        let path = filetree::clean(dir).unwrap_or_else(|| dir.to_owned());
        let root = confirmed_dir(tree, &path)?;
        Ok(Self {
            tree,
            options,
            visited: Arc::new(vec![root.clone()]),
            root,
            remote: None,
            remotes: Arc::default(),
            warnings: Rc::default(),
        })
    }

    pub fn options(&self) -> &'a BuildOptions<'a> {
        self.options
    }

    /// Returns the files that this kustomization may read.
    pub fn tree(&self) -> &dyn FileTree {
        match &self.remote {
            Some(tree) => tree.as_ref(),
            None => self.tree,
        }
    }

    /// Returns the directory from the root of the tree.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the directory as messages show it.
    pub fn shown_root(&self) -> String {
        shown(&self.root)
    }

    /// Returns the path of a file from the root of the tree, for messages.
    pub fn file_name(&self, path: &str) -> String {
        if is_remote_file(path) || RepositoryUrl::parse(path).is_some() {
            return path.to_owned();
        }
        filetree::join(&self.root, path).unwrap_or_else(|| path.to_owned())
    }

    /// Goes on in another directory, or in a remote base.
    pub fn enter(&self, path: &str) -> Result<Self> {
        if path.is_empty() {
            return Err(BuildError::new("new root cannot be empty"));
        }
        if let Some(url) = RepositoryUrl::parse(path) {
            return self.enter_remote(&url);
        }
        if path.starts_with('/') {
            return Err(BuildError::with(
                Fault::Outside,
                format!("new root '{path}' cannot be absolute"),
            ));
        }
        let wrap = |error: BuildError| error.wrap("must build at directory");
        let Some(joined) = filetree::join(&self.root, path) else {
            return Err(wrap(outside(path, &self.root)));
        };
        let root = confirmed_dir(self.tree(), &joined).map_err(wrap)?;
        if let Some(visited) = self.visited.iter().rev().find(|v| contains(&root, v)) {
            return Err(self.cycle(&root, visited));
        }
        self.at(root, self.remote.clone())
    }

    fn at(&self, root: String, remote: Option<Arc<dyn FileTree>>) -> Result<Self> {
        if self.visited.len() >= DEPTH_MAX {
            return Err(BuildError::with(
                Fault::Cycle,
                format!("kustomizations are nested more than {DEPTH_MAX} deep"),
            ));
        }
        // Directories of another tree have nothing to do with those of this one.
        let same_tree = match (&self.remote, &remote) {
            (None, None) => true,
            (Some(here), Some(there)) => Arc::ptr_eq(here, there),
            _ => false,
        };
        let mut visited = if !same_tree {
            Vec::new()
        } else {
            self.visited.as_ref().clone()
        };
        visited.push(root.clone());
        Ok(Self {
            tree: self.tree,
            options: self.options,
            root,
            visited: Arc::new(visited),
            remote,
            remotes: self.remotes.clone(),
            warnings: Rc::clone(&self.warnings),
        })
    }

    fn cycle(&self, root: &str, visited: &str) -> BuildError {
        let mut chain: Vec<String> = self.visited.iter().map(|dir| shown(dir)).collect();
        chain.push(shown(root));
        BuildError::with(
            Fault::Cycle,
            format!(
                "cycle detected: candidate root '{}' contains visited root '{}' (chain: {})",
                shown(root),
                shown(visited),
                chain.join(" -> ")
            ),
        )
    }

    fn enter_remote(&self, url: &RepositoryUrl) -> Result<Self> {
        let Some(resolver) = self.options.remote else {
            return Err(refused(&url.raw));
        };
        let mut before = self.remotes.iter().rev();
        if let Some(previous) = before.find(|known| known.starts_with(&url.raw)) {
            let message = format!(
                "cycle detected: URI '{}' referenced by previous URI '{previous}'",
                url.raw
            );
            return Err(BuildError::with(Fault::Cycle, message));
        }
        let base = resolver
            .directory(url)
            .map_err(|error| BuildError::with(Fault::Remote, error.to_string()))?;
        let root = confirmed_dir(base.tree.as_ref(), &base.dir)?;
        let mut entered = self.at(root, Some(base.tree))?;
        let mut remotes = self.remotes.as_ref().clone();
        remotes.push(url.raw.clone());
        entered.remotes = Arc::new(remotes);
        Ok(entered)
    }

    fn fetch_file(&self, url: &str) -> Result<Arc<[u8]>> {
        let resolver = self.options.remote.ok_or_else(|| refused(url))?;
        resolver.file(url).map_err(|error| match &error {
            FetchError::Status { .. } if RepositoryUrl::parse(url).is_some() => {
                BuildError::with(Fault::Remote, "URL is a git repository")
            }
            FetchError::Status { .. } => BuildError::with(Fault::Http, error.to_string()),
            FetchError::Other(reason) => BuildError::with(Fault::Remote, reason),
        })
    }

    /// Reads a file named by this kustomization.
    pub fn load(&self, path: &str) -> Result<Arc<[u8]>> {
        if is_remote_file(path) {
            return self.fetch_file(path);
        }
        let place = self.place(path)?;
        let read = self.tree().read(&place);
        read.map_err(|error| unreadable(error, &place, "open"))
    }

    /// Hands on the objects of a file one by one, reading no more of it than one document at a time.
    ///
    /// After an error, objects that were handed on mean nothing.
    pub fn read_objects(
        &self,
        path: &str,
        keep: &mut dyn FnMut(Resource),
    ) -> std::result::Result<(), ReadFault> {
        if is_remote_file(path) {
            let content = self.fetch_file(path).map_err(ReadFault::File)?;
            let objects = crate::reading::read_resources(&content).map_err(ReadFault::Content)?;
            objects.into_iter().for_each(keep);
            return Ok(());
        }
        let text = self.open(path).map_err(ReadFault::File)?;
        let Err(error) = crate::reading::stream_resources(text, keep) else {
            return Ok(());
        };
        // Which of several faults is reported depends on the whole text.
        let content = self.load(path).map_err(ReadFault::File)?;
        let whole = crate::reading::read_resources(&content);
        Err(ReadFault::Content(whole.err().unwrap_or(error)))
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read>> {
        let place = self.place(path)?;
        let opened = self.tree().open(&place);
        opened.map_err(|error| unreadable(error, &place, "open"))
    }

    /// Finds a file in the tree, as far as this kustomization may look.
    fn place(&self, path: &str) -> Result<String> {
        let Some(cleaned) = filetree::join(&self.root, path) else {
            return Err(outside(path, &self.root));
        };
        let restricted =
            self.remote.is_some() || self.options.load_restrictor == LoadRestrictor::RootOnly;
        if !restricted {
            return Ok(cleaned);
        }
        let tree = self.tree();
        let resolved = tree
            .resolve(&cleaned)
            .map_err(|error| unresolved(tree, error, &cleaned))?;
        if tree.kind(&resolved) == Ok(EntryKind::Directory) {
            let message = format!("'{}' must resolve to a file", shown(&cleaned));
            return Err(BuildError::with(Fault::Missing, message));
        }
        if !contains(&self.root, filetree::parent(&resolved)) {
            return Err(outside(&shown(&cleaned), &self.root));
        }
        Ok(resolved)
    }

    /// Reads a text file; bytes that are no UTF-8 are an error.
    pub fn load_text(&self, path: &str) -> Result<String> {
        let content = self.load(path)?;
        match std::str::from_utf8(&content) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => {
                let at = error.valid_up_to();
                let line = content[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
                let message = format!("file '{path}' is not text: invalid UTF-8 on line {line}");
                let line = u32::try_from(line).ok();
                let error = BuildError::with(Fault::Malformed, message);
                Err(error.at(&self.file_name(path), line))
            }
        }
    }
}

/// Tells whether a directory is another one or lies above it.
fn contains(outer: &str, inner: &str) -> bool {
    outer.is_empty()
        || inner == outer
        || inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn confirmed_dir(tree: &dyn FileTree, path: &str) -> Result<String> {
    let resolved = tree.resolve(path).map_err(|error| {
        let error = unresolved(tree, error, path);
        error.wrap("not a valid directory")
    })?;
    match tree.kind(&resolved) {
        Ok(EntryKind::Directory) => Ok(resolved),
        Ok(EntryKind::File) => {
            let message = format!("'{}': file is not directory", shown(path));
            Err(BuildError::with(Fault::Missing, message))
        }
        Err(error) => Err(unresolved(tree, error, path).wrap("not a valid directory")),
    }
}

fn outside(path: &str, root: &str) -> BuildError {
    let root = shown(root);
    let message = format!("security; file '{path}' is not in or below '{root}'");
    BuildError::with(Fault::Outside, message)
}

fn unresolved(tree: &dyn FileTree, error: TreeError, path: &str) -> BuildError {
    match error {
        TreeError::NotFound { .. } | TreeError::NotDirectory { .. } => {
            let reason = system_words(&error);
            let missing = shown(first_missing(tree, path));
            let path = shown(path);
            let message = format!("evalsymlink failure on '{path}' : lstat {missing}: {reason}");
            BuildError::with(Fault::Missing, message)
        }
        other => unreadable(other, path, "lstat"),
    }
}

/// Returns the part of a path that ends with the first step that is not there.
fn first_missing<'p>(tree: &dyn FileTree, path: &'p str) -> &'p str {
    let ends = path.match_indices('/').map(|(at, _)| &path[..at]);
    let mut parents = ends.filter(|parent| !parent.is_empty());
    parents
        .find(|parent| tree.kind(parent).is_err())
        .unwrap_or(path)
}

fn system_words(error: &TreeError) -> &'static str {
    match error {
        TreeError::NotDirectory { .. } => "not a directory",
        TreeError::IsDirectory { .. } => "is a directory",
        _ => "no such file or directory",
    }
}

fn unreadable(error: TreeError, path: &str, verb: &str) -> BuildError {
    let path = shown(path);
    match error {
        TreeError::NotFound { .. } | TreeError::NotDirectory { .. } => {
            let message = format!("{verb} {path}: {}", system_words(&error));
            BuildError::with(Fault::Missing, message)
        }
        TreeError::IsDirectory { .. } => {
            BuildError::with(Fault::Missing, format!("read {path}: is a directory"))
        }
        TreeError::Escapes { .. } => BuildError::with(
            Fault::Outside,
            format!("security; file '{path}' leads outside of the root"),
        ),
        TreeError::Io { reason, .. } => {
            BuildError::with(Fault::Missing, format!("{verb} {path}: {reason}"))
        }
    }
}

fn refused(url: &str) -> BuildError {
    BuildError::with(
        Fault::Remote,
        format!("remote resources are not allowed here: '{url}' must be replaced by local files"),
    )
}

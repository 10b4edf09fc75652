//! The uncommitted state of a work tree, for `flux dev --worktree`.
//!
//! Takes every file of the work tree but `.git`, whatever the index says: what a person sees is what is built. Files that
//! Git's own ignore rules exclude are left out, except tracked ones.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use filetree::disk::DirectoryTree;
use filetree::{EntryKind, Ignore, MemoryTree, join};

use crate::checkout::Checkout;
use crate::commit::Commit;
use crate::local::LocalRepository;
use crate::select::Reference;
use crate::{Error, ObjectId};

/// Digits of the digest that marks an uncommitted state in a revision.
const DIGEST_DIGITS: usize = 12;

impl LocalRepository {
    /// Reads the files of the work tree as they are on disk.
    ///
    /// A clean work tree has its commit's revision; otherwise `branch@sha1:<commit>-dirty.<digest>`, where the digest
    /// depends on the files alone.
    ///
    /// # Errors
    /// The repository is bare, its head cannot be checked out, or files cannot be read.
    pub fn snapshot(&self, url: &str) -> Result<(Commit, MemoryTree), Error> {
        if self.is_bare() {
            return Err(Error::Format {
                path: self.root().to_owned(),
                reason: "a bare repository has no work tree".to_owned(),
            });
        }
        let (mut commit, committed) = self.head_checkout(url)?;
        let files = self.read_work_tree(&committed.tree)?;
        if files != committed.tree {
            commit.dirty = Some(digest(&files));
        }
        Ok((commit, files))
    }

    /// Checks `HEAD` out; an unborn branch is an empty tree under the zero id.
    fn head_checkout(&self, url: &str) -> Result<(Commit, Checkout), Error> {
        let branch = self.head_branch()?;
        match (self.head()?, branch) {
            (Some(_), Some(branch)) => {
                let reference = Reference {
                    branch,
                    ..Reference::default()
                };
                self.checkout(url, &reference, &[])
            }
            (Some(id), None) => self.checkout_commit(id),
            (None, branch) => {
                let commit = Commit {
                    id: ObjectId::from_bytes(&[0; 20]).expect("20 bytes"),
                    reference: format!("refs/heads/{}", branch.unwrap_or_default()),
                    details: None,
                    dirty: None,
                };
                Ok((commit, Checkout::default()))
            }
        }
    }

    fn read_work_tree(&self, committed: &MemoryTree) -> Result<MemoryTree, Error> {
        let tracked = |path: &str| filetree::FileTree::kind(committed, path).is_ok();
        Ok(share(&read_directory(self.root(), &tracked)?, committed))
    }
}

/// Reads the files of a directory that is no repository, under the branch of the request.
///
/// The commit has no details; its id follows from the files alone, so that equal files have equal revisions.
///
/// # Errors
/// Files cannot be read.
pub fn plain_directory(root: &Path, reference: &Reference) -> Result<(Commit, MemoryTree), Error> {
    let files = read_directory(root, &|_| false)?;
    let branch = if reference.branch.is_empty() {
        "main"
    } else {
        &reference.branch
    };
    let commit = Commit {
        id: ObjectId::of("tree", &listing(&files)),
        reference: format!("refs/heads/{branch}"),
        details: None,
        dirty: None,
    };
    Ok((commit, files))
}

/// Reads all files below a directory but `.git` and what ignore rules exclude and `tracked` does not keep.
fn read_directory(root: &Path, tracked: &dyn Fn(&str) -> bool) -> Result<MemoryTree, Error> {
    let mut ignore = Ignore::default();
    add_git_ignores(root, "", &mut ignore, 0);
    let skip = |path: &str| {
        let kind = if root.join(path).is_dir() {
            EntryKind::Directory
        } else {
            EntryKind::File
        };
        filetree::base_name(path) == ".git" || ignore.excludes(path, kind) && !tracked(path)
    };
    let failed = |error: filetree::TreeError| Error::Format {
        path: root.to_owned(),
        reason: error.to_string(),
    };
    let tree = DirectoryTree::open(root).map_err(failed)?;
    tree.snapshot(&skip).map_err(failed)
}

/// Builds the tree as a checkout would: no empty directories but those committed, contents shared where equal.
fn share(on_disk: &MemoryTree, committed: &MemoryTree) -> MemoryTree {
    let known: HashMap<&str, &Arc<[u8]>> = committed.files().collect();
    let mut tree = MemoryTree::new();
    for (path, content) in on_disk.files() {
        let content = match known.get(path) {
            Some(same) if *same == content => (*same).clone(),
            _ => content.clone(),
        };
        if tree.insert(path, content).is_ok() {
            tree.set_executable(path, on_disk.is_executable(path));
        }
    }
    for directory in committed.directories() {
        if filetree::FileTree::kind(on_disk, directory) == Ok(EntryKind::Directory) {
            // A directory that stands on disk contradicts no file taken from there.
            let _ = tree.insert_directory(directory);
        }
    }
    tree
}

/// Collects `.gitignore` files down the work tree, and `.git/info/exclude`.
fn add_git_ignores(root: &Path, directory: &str, ignore: &mut Ignore, depth: usize) {
    const DEPTH_MAX: usize = 64;
    let real = root.join(directory);
    let domain: Vec<String> = directory
        .split('/')
        .filter(|step| !step.is_empty())
        .map(str::to_owned)
        .collect();
    if directory.is_empty()
        && let Ok(text) = fs::read_to_string(root.join(".git/info/exclude"))
    {
        ignore.add(&text, &domain);
    }
    if let Ok(text) = fs::read_to_string(real.join(".gitignore")) {
        ignore.add(&text, &domain);
    }
    let Ok(items) = fs::read_dir(&real) else {
        return;
    };
    for item in items.filter_map(Result::ok) {
        let is_directory = item.file_type().is_ok_and(|kind| kind.is_dir());
        let Ok(name) = item.file_name().into_string() else {
            continue;
        };
        let path = join(directory, &name).expect("a file name does not lead upwards");
        let ignored = ignore.excludes(&path, EntryKind::Directory);
        if is_directory && name != ".git" && !ignored && depth < DEPTH_MAX {
            add_git_ignores(root, &path, ignore, depth + 1);
        }
    }
}

fn digest(tree: &MemoryTree) -> String {
    ObjectId::of("tree", &listing(tree)).to_string()[..DIGEST_DIGITS].to_owned()
}

/// Writes mode, content id and path of every file, a line each.
fn listing(tree: &MemoryTree) -> Vec<u8> {
    let mut listing = Vec::new();
    for (path, content) in tree.files() {
        let mark = if tree.is_executable(path) { 'x' } else { '-' };
        let id = ObjectId::of("blob", content);
        listing.extend_from_slice(format!("{mark} {id} {path}\n").as_bytes());
    }
    listing
}

//! Which repository `flux dev` follows: what the argument `PATH|URL` means, which branch, and which
//! directory of it describes the cluster.

use std::path::{Path, PathBuf};

use super::bootstrap::SourceSpec;

/// A repository to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What goes into the GitRepository.
    pub spec: SourceSpec,
    /// Where it lies, when it lies on this machine.
    pub directory: Option<PathBuf>,
    /// Whether files are taken as they are on disk instead of from commits.
    pub worktree: bool,
    /// Something a person should know about the choice; may be empty.
    pub note: String,
}

/// Repositories on this machine that sources may mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Which stand in for remote ones.
    pub copies: git::LocalCopies,
    /// Which are taken as they are on disk.
    pub work_trees: Vec<PathBuf>,
}

/// Why an argument names no repository: the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path does not exist or cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The argument.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The path is a file.
    #[error("{path} is not a directory: give the directory of a repository, or its URL")]
    NotDirectory {
        /// The argument.
        path: String,
    },
    /// `HEAD` names no branch and none was given.
    #[error("{path}: HEAD is not on a branch: choose one with --branch")]
    Detached {
        /// The argument.
        path: String,
    },
    /// Only work trees have uncommitted files.
    #[error("--worktree needs a local repository with a work tree, {path} has none")]
    NoWorktree {
        /// The argument.
        path: String,
    },
    /// Protocols that are not there yet.
    #[error("{url}: only http://, https:// and local repositories can be followed so far")]
    Protocol {
        /// The argument.
        url: String,
    },
    /// The data directory is among the files that are followed.
    #[error(
        "--data {path} lies inside the files that are followed: its own writes would be followed too; choose a place outside"
    )]
    DataInside {
        /// The data directory.
        path: String,
    },
    /// `--local` without a URL or a path.
    #[error("--local {value}: give a URL and a path, as in https://example.com/team/apps=../apps")]
    LocalCopy {
        /// The argument.
        value: String,
    },
    /// Several clusters, none chosen.
    #[error("the repository describes several clusters: choose one with --path ({})", choices.join(", "))]
    ManyClusters {
        /// Paths to choose from.
        choices: Vec<String>,
    },
}

/// Branch followed where neither argument nor repository names one.
const DEFAULT_BRANCH: &str = "main";

/// Finds out what `argument` is.
pub fn resolve(
    argument: &str,
    branch: Option<&str>,
    worktree: bool,
) -> Result<Source, SourceError> {
    if argument.starts_with("http://") || argument.starts_with("https://") {
        if worktree {
            return Err(SourceError::NoWorktree {
                path: argument.to_owned(),
            });
        }
        let branch = branch.unwrap_or(DEFAULT_BRANCH).to_owned();
        let spec = SourceSpec {
            url: argument.to_owned(),
            branch,
        };
        return Ok(Source {
            spec,
            directory: None,
            worktree,
            note: String::new(),
        });
    }
    let path = argument.strip_prefix("file://").unwrap_or(argument);
    if path.contains("://") || path.starts_with("git@") {
        return Err(SourceError::Protocol {
            url: argument.to_owned(),
        });
    }
    local(path, branch, worktree)
}

fn local(path: &str, branch: Option<&str>, worktree: bool) -> Result<Source, SourceError> {
    let directory = Path::new(path)
        .canonicalize()
        .map_err(|error| SourceError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    if !directory.is_dir() {
        return Err(SourceError::NotDirectory {
            path: path.to_owned(),
        });
    }
    let url = format!("file://{}", directory.display());
    let has_worktree = directory.join(".git").exists();
    let is_bare =
        !has_worktree && directory.join("HEAD").is_file() && directory.join("objects").is_dir();
    if is_bare && worktree {
        return Err(SourceError::NoWorktree {
            path: path.to_owned(),
        });
    }
    if !has_worktree && !is_bare {
        let branch = branch.unwrap_or(DEFAULT_BRANCH).to_owned();
        let note =
            format!("{path} is no Git repository itself: its files are taken as they are on disk");
        let spec = SourceSpec { url, branch };
        return Ok(Source {
            spec,
            directory: Some(directory),
            worktree: true,
            note,
        });
    }
    let unreadable = |error: git::Error| SourceError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let branch = match branch {
        Some(branch) => branch.to_owned(),
        None => git::LocalRepository::open(&directory)
            .and_then(|repository| repository.head_branch())
            .map_err(unreadable)?
            .ok_or_else(|| SourceError::Detached {
                path: path.to_owned(),
            })?,
    };
    let spec = SourceSpec { url, branch };
    Ok(Source {
        spec,
        directory: Some(directory),
        worktree,
        note: String::new(),
    })
}

/// Returns which local repositories stand in for which remote ones: the followed one for its own remotes, then those
/// of `--local URL=PATH`.
pub fn local_copies(source: &Source, given: &[String]) -> Result<Copies, SourceError> {
    let mut copies = git::LocalCopies::default();
    let mut work_trees: Vec<PathBuf> = source
        .directory
        .iter()
        .filter(|_| source.worktree)
        .cloned()
        .collect();
    if let Some(directory) = &source.directory
        && let Ok(repository) = git::LocalRepository::open(directory)
    {
        for url in repository.remote_urls() {
            copies.insert(&url, directory);
        }
    }
    for value in given {
        let (url, path) = value
            // A URL may hold an equals sign, a path seldom does.
            .rsplit_once('=')
            .filter(|(url, path)| !url.is_empty() && !path.is_empty())
            .ok_or_else(|| SourceError::LocalCopy {
                value: value.clone(),
            })?;
        let source = local(
            path.strip_prefix("file://").unwrap_or(path),
            Some(""),
            false,
        )?;
        let directory = source.directory.unwrap_or_default();
        copies.insert(url, &directory);
        if source.worktree {
            work_trees.push(directory);
        }
    }
    Ok(Copies { copies, work_trees })
}

/// Refuses a data directory among files that are followed as they are on disk.
pub fn check_data(source: &Source, data: Option<&Path>) -> Result<(), SourceError> {
    let (Some(directory), Some(data), true) = (&source.directory, data, source.worktree) else {
        return Ok(());
    };
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    if absolute.starts_with(directory)
        || data.canonicalize().is_ok_and(|d| d.starts_with(directory))
    {
        return Err(SourceError::DataInside {
            path: data.display().to_string(),
        });
    }
    Ok(())
}

/// Chooses the directory that describes the cluster: the given one, else the only one below
/// `clusters/`, else the root.
pub fn cluster_path(given: Option<&str>, directory: Option<&Path>) -> Result<String, SourceError> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let mut choices: Vec<String> = directory
        .and_then(|directory| std::fs::read_dir(directory.join("clusters")).ok())
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| format!("./clusters/{}", entry.file_name().to_string_lossy()))
        .collect();
    choices.sort();
    match choices.len() {
        0 => Ok("./".to_owned()),
        1 => Ok(choices.remove(0)),
        _ => Err(SourceError::ManyClusters { choices }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_cluster_is_chosen() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(cluster_path(None, Some(directory.path())).unwrap(), "./");
        std::fs::create_dir_all(directory.path().join("clusters/one")).unwrap();
        assert_eq!(
            cluster_path(None, Some(directory.path())).unwrap(),
            "./clusters/one"
        );
        std::fs::create_dir_all(directory.path().join("clusters/two")).unwrap();
        let error = cluster_path(None, Some(directory.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("./clusters/one, ./clusters/two"), "{error}");
        assert_eq!(
            cluster_path(Some("x"), Some(directory.path())).unwrap(),
            "x"
        );
    }

    #[test]
    fn a_plain_directory_is_followed_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let source = resolve(path, None, false).unwrap();
        assert!(source.worktree && !source.note.is_empty());
        assert_eq!(source.spec.branch, "main");
    }

    #[test]
    fn data_among_the_followed_files_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let source = resolve(directory.path().to_str().unwrap(), None, false).unwrap();
        let root = source.directory.clone().unwrap();
        assert!(check_data(&source, Some(&root.join("state"))).is_err());
        assert!(check_data(&source, Some(&root.with_extension("state"))).is_ok());
        assert!(check_data(&source, None).is_ok());
    }

    #[test]
    fn local_copies_are_named_by_url_and_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let source = resolve(path, None, false).unwrap();
        let copies = |value: String| local_copies(&source, &[value]);
        let found = copies(format!("https://example.com/a={path}")).unwrap();
        assert_eq!(found.work_trees.len(), 2);
        let copy = found
            .copies
            .find("git@example.com:a.git")
            .map(PathBuf::from);
        assert_eq!(copy, source.directory);
        for wrong in [
            "https://example.com/a",
            "=x",
            "https://example.com/a=/nowhere",
        ] {
            assert!(copies(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for argument in [
            "ssh://git@example.com/x",
            "git@example.com:x",
            "/nowhere/at/all",
        ] {
            assert!(resolve(argument, None, false).is_err(), "{argument}");
        }
        assert!(resolve("https://example.com/x", None, true).is_err());
    }
}

//! Why a repository could not be read. Texts follow upstream's, since they end up in conditions.

use std::path::PathBuf;

use crate::ObjectId;

/// Failure of a Git operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one of the supported forms.
    #[error("{0}")]
    Url(String),
    /// The way of access exists upstream but is not built yet.
    #[error("{what} is not supported yet")]
    Unsupported {
        /// What was asked for, such as `the SSH transport`.
        what: String,
    },
    /// Nothing at the path is a repository.
    #[error("repository not found: {}", path.display())]
    NotARepository {
        /// The path looked at.
        path: PathBuf,
    },
    /// The repository uses a feature that is not read here.
    #[error("{}: {reason}", path.display())]
    Format {
        /// Repository or file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Reading a file of a local repository failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The file system's words.
        source: std::io::Error,
    },
    /// An object is missing.
    #[error("object not found: {0}")]
    Missing(ObjectId),
    /// An object, pack or answer contradicts the format.
    #[error("{what}: {reason}")]
    Corrupt {
        /// The object, pack or answer.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Something is larger than its bound.
    #[error("{what} is larger than {bytes_max} bytes")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The bound in bytes.
        bytes_max: u64,
    },
    /// The repository has no reference at all.
    #[error("remote repository is empty")]
    Empty,
    /// A reference does not exist.
    #[error("couldn't find remote ref \"{0}\"")]
    NoReference(String),
    /// The server refused the credentials.
    #[error("authentication required: {0}")]
    AuthenticationRequired(String),
    /// The server refused the user.
    #[error("authorization failed: {0}")]
    AuthorizationFailed(String),
    /// The server has no such repository.
    #[error("repository not found: {0}")]
    RepositoryNotFound(String),
    /// The server answered with an error.
    #[error("unexpected client error: {0}")]
    Server(String),
    /// No answer arrived.
    #[error("{0}")]
    Transport(String),
    /// The operation took longer than allowed.
    #[error("context deadline exceeded")]
    Timeout,
    /// Text around another error, in upstream's words.
    #[error("{context}: {source}")]
    Context {
        /// What was being done.
        context: String,
        /// What went wrong.
        source: Box<Error>,
    },
    /// A message of upstream without anything below it.
    #[error("{0}")]
    Message(String),
    /// A local path where only remote URLs are allowed.
    #[error("local repositories are not allowed here: '{0}'")]
    LocalDenied(String),
    /// HTTP settings are unusable.
    #[error(transparent)]
    Remote(#[from] remote::Error),
}

impl Error {
    /// Puts upstream's words in front.
    pub(crate) fn context(self, context: impl Into<String>) -> Self {
        Self::Context {
            context: context.into(),
            source: Box::new(self),
        }
    }

    /// Reports contradictory data.
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            what: what.into(),
            reason: reason.into(),
        }
    }

    /// Tells whether the repository has no commit.
    pub fn is_empty_repository(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Context { source, .. } => source.is_empty_repository(),
            _ => false,
        }
    }
}

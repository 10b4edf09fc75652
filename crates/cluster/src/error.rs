//! Why a cluster did not do what it was asked.

use serde::{Deserialize, Serialize};

/// Result of one API request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The API server answered with a failure `Status`.
    #[error("{0}")]
    Status(Box<StatusError>),
    /// No answer arrived: connection, TLS, timeout. A retry may help.
    #[error("{0}")]
    Transport(String),
    /// The answer could not be understood. A retry does not help.
    #[error("{0}")]
    Decode(String),
    /// The cluster does not serve the kind; it may after a CRD is applied.
    #[error("no matches for kind \"{kind}\" in version \"{api_version}\"")]
    NoMatch {
        /// `group/version` asked for.
        api_version: String,
        /// Kind asked for.
        kind: String,
    },
    /// Credentials or kubeconfig are unusable.
    #[error("{0}")]
    Config(String),
}

/// A `Status` of an API server with `status: Failure`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
#[serde(default)]
pub struct StatusError {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, such as `NotFound`; may be empty.
    pub reason: String,
    /// Text for people; the server's words.
    pub message: String,
    /// API group of the object concerned; may be empty.
    pub group: String,
    /// Resource or kind of the object concerned; may be empty.
    pub kind: String,
    /// Name of the object concerned; may be empty.
    pub name: String,
    /// Uid of the object concerned; may be empty.
    pub uid: String,
    /// Single causes, in the server's order.
    pub causes: Vec<StatusCause>,
    /// Seconds after which a retry is welcome; 0 when not given.
    pub retry_after_seconds: u32,
    /// Further `metadata.continue` token of an expired list; may be empty.
    pub continue_token: String,
}

/// One cause in a `Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusCause {
    /// Machine-readable cause, such as `FieldValueInvalid`.
    pub reason: String,
    /// Text for people.
    pub message: String,
    /// Path of the field, such as `spec.replicas`.
    pub field: String,
}

impl Error {
    /// Wraps a failure `Status`.
    pub fn status(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self::Status(Box::new(StatusError {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            ..StatusError::default()
        }))
    }

    /// Returns the server's reason, or "" when there was no `Status`.
    pub fn reason(&self) -> &str {
        match self {
            Self::Status(status) => &status.reason,
            _ => "",
        }
    }

    /// Returns the HTTP status code, or 0 when there was no `Status`.
    pub fn code(&self) -> u16 {
        match self {
            Self::Status(status) => status.code,
            _ => 0,
        }
    }

    /// Tells whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code() == 404
    }

    /// Tells whether the kind is not served.
    pub fn is_no_match(&self) -> bool {
        matches!(self, Self::NoMatch { .. })
    }

    /// Tells whether the write lost a race (resource version or field manager).
    pub fn is_conflict(&self) -> bool {
        self.code() == 409 && self.reason() == "Conflict"
    }

    /// Tells whether an object of that name exists already.
    pub fn is_already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// Tells whether authorisation or admission refused.
    pub fn is_forbidden(&self) -> bool {
        self.code() == 403
    }

    /// Tells whether validation refused.
    pub fn is_invalid(&self) -> bool {
        self.code() == 422
    }

    /// Tells whether a watch or list has to start over.
    pub fn is_expired(&self) -> bool {
        self.code() == 410
    }

    /// Tells whether the same request may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Status(status) => status.code == 429 || status.code >= 500,
            _ => false,
        }
    }
}

impl From<StatusError> for Error {
    fn from(status: StatusError) -> Self {
        Self::Status(Box::new(status))
    }
}

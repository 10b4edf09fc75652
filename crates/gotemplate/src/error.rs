//! Errors of parsing and of execution, worded as Go words them.

use std::fmt;

use crate::function::CallError;
use crate::text::Text;

/// A template text that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {template}:{line}: {message}")]
pub struct ParseError {
    /// Name under which the text was parsed.
    pub template: String,
    /// Line counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Where execution failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name under which the text was parsed.
    pub file: String,
    /// Line counted from 1.
    pub line: usize,
    /// Byte offset in the line, counted from 0.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A failed execution.
#[derive(Clone, Debug)]
pub struct ExecError {
    /// Name of the template that was executing.
    pub template: String,
    /// Where in its text.
    pub place: Place,
    /// The failing node in canonical form.
    pub node: String,
    /// Why.
    pub cause: Cause,
    /// The text that the place is in.
    pub source: Text,
    /// Offset of the place in the text, in bytes.
    pub pos: usize,
}

/// Why an execution failed.
#[derive(Clone, Debug)]
pub enum Cause {
    /// The evaluator's own message.
    Message(String),
    /// A function or method failed.
    Call {
        /// Name of the function.
        function: String,
        /// Its error.
        error: CallError,
    },
}

impl ExecError {
    /// Text before the cause.
    pub fn context(&self) -> String {
        let name = gocompat::quote::quote(self.template.as_bytes());
        format!(
            "template: {}: executing {name} at <{}>: ",
            self.place, self.node
        )
    }

    /// The error of the template that a function ran, where that is the cause.
    pub fn inner(&self) -> Option<&Self> {
        match &self.cause {
            Cause::Call {
                error: CallError::Exec(_, inner),
                ..
            } => Some(inner),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => f.write_str(message),
            Self::Call { function, error } => write!(f, "error calling {function}: {error}"),
        }
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.context(), self.cause)
    }
}

impl std::error::Error for ExecError {}

/// Why a named template could not be run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// The set has no template of that name.
    #[error("template: no template {} associated with template {}", gocompat::quote::quote(.name.as_bytes()), gocompat::quote::quote(.set.as_bytes()))]
    Missing {
        /// The name asked for.
        name: String,
        /// Name of the set.
        set: String,
    },
    /// Execution failed.
    #[error(transparent)]
    Exec(Box<ExecError>),
}

impl From<RunError> for CallError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Exec(error) => Self::Exec(String::new(), error),
            missing @ RunError::Missing { .. } => Self::Text(missing.to_string()),
        }
    }
}

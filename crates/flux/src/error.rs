//! The one error of the command line.
//!
//! Its kind says who can do something about it; a hint is an action on a line of its own. Upstream prints
//! `✗ message` and exits 1; an error with a code of its own exits with that, and code 1 given explicitly
//! (drift found by `diff`) prints as a warning.

use crate::output::Output;

/// Outcome of a command.
pub type CliResult<T = ()> = Result<T, CliError>;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wrong arguments or input: the caller.
    User,
    /// Unusable kubeconfig or environment: whoever set the machine up.
    Configuration,
    /// The cluster refused or did not answer.
    Cluster,
    /// A defect of this program.
    Internal,
}

/// Why a command failed, with what the user sees of it.
#[derive(Clone, Debug)]
pub struct CliError {
    kind: Kind,
    message: String,
    hints: Vec<String>,
    exit_code: u8,
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Failure,
    Warning,
    Plain,
    Silent,
}

impl CliError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            exit_code: 1,
            style: Style::Failure,
        }
    }

    /// Wrong arguments or input.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Kind::User, message)
    }

    /// Unusable kubeconfig or environment.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, message)
    }

    /// The cluster refused or did not answer.
    pub fn cluster(message: impl Into<String>) -> Self {
        Self::new(Kind::Cluster, message)
    }

    /// A defect of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Everything has been said already; only the exit code is left.
    pub fn silent(exit_code: u8) -> Self {
        let mut error = Self::new(Kind::User, "");
        error.style = Style::Silent;
        error.exit_code = exit_code;
        error
    }

    /// A finding rather than a failure: `⚠️ message`, exit code 1.
    pub fn finding(message: impl Into<String>) -> Self {
        let mut error = Self::new(Kind::User, message);
        error.style = Style::Warning;
        error
    }

    /// Prints `Error: message`, as helm does.
    pub fn plain(mut self) -> Self {
        self.style = Style::Plain;
        self
    }

    /// Adds an action that the user can take.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Exits with this code instead of 1.
    pub fn exit_code(mut self, exit_code: u8) -> Self {
        self.exit_code = exit_code;
        self
    }

    /// Says what was attempted: `context: message`, as Go wraps errors.
    pub fn context(mut self, context: impl std::fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Returns the text without symbol and hints.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Prints the error and returns the exit code.
    pub fn report(&self, out: Output) -> u8 {
        match self.style {
            Style::Failure => out.failure(&self.message),
            Style::Warning => out.warning(&self.message),
            Style::Plain => out.note(&format!("Error: {}", self.message)),
            Style::Silent => {}
        }
        for hint in &self.hints {
            out.note(&format!("  hint: {hint}"));
        }
        if self.kind == Kind::Internal {
            out.note(
                "  This is a defect of flux; please report it with the command that showed it.",
            );
        }
        self.exit_code
    }
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<cluster::Error> for CliError {
    fn from(error: cluster::Error) -> Self {
        match &error {
            cluster::Error::Config(message) => Self::configuration(message.clone())
                .hint("name a kubeconfig with --kubeconfig or the KUBECONFIG variable"),
            cluster::Error::NoMatch { kind, api_version } if api_version.contains("fluxcd.io/") => {
                let kind = kind.clone();
                Self::cluster(error.to_string()).hint(format!(
                    "the cluster does not serve {kind}: is Flux installed there?"
                ))
            }
            cluster::Error::Transport(message) => Self::cluster(unreachable(message)),
            _ => Self::cluster(error.to_string()),
        }
    }
}

/// Words the failure to reach the server as upstream does, whose first request is that of discovery.
fn unreachable(message: &str) -> String {
    let discovery = || {
        let (request, reason) = message
            .strip_prefix("Get \"")?
            .split_once("\": dial tcp ")?;
        let base = ["/apis/", "/api/"]
            .iter()
            .find_map(|root| Some(request.split_once(root)?.0))?;
        Some(format!(
            "failed to get server groups: Get \"{base}/api\": dial tcp {reason}"
        ))
    };
    discovery().unwrap_or_else(|| message.to_owned())
}

//! What goes wrong in a build.
//!
//! The text of an error follows kustomize's own words, because users search for them and scripts compare
//! them. Where the error arose (file, line) and through which kustomizations is kept beside the text.

use std::fmt;

use kyaml::Mark;

/// Result of a build step.
pub type Result<T> = std::result::Result<T, BuildError>;

/// What kind of fault stopped a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The input says something that cannot be built.
    Input,
    /// A file is no YAML.
    Malformed,
    /// A file that the build names is not there, or is of the wrong kind.
    Missing,
    /// A file outside of what the build may read.
    Outside,
    /// Kustomizations lead back to themselves.
    Cycle,
    /// A remote file or base could not be had.
    Remote,
    /// A server refused a remote file; nothing else is tried.
    Http,
}

/// A build that did not finish.
///
/// `Display` prints upstream's words; the alternate form (`{:#}`) adds where it happened and the chain of
/// kustomizations that led there.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct BuildError(Box<Inner>);

#[derive(Clone, PartialEq, Eq, thiserror::Error)]
struct Inner {
    fault: Fault,
    message: String,
    file: Option<String>,
    line: Option<u32>,
    /// Known only together with the line.
    column: Option<u32>,
    chain: Vec<String>,
    warnings: Vec<String>,
}

impl BuildError {
    /// Makes an error of input from a message in upstream's words.
    pub fn new(message: impl Into<String>) -> Self {
        Self::with(Fault::Input, message)
    }

    /// Makes an error of the given kind.
    pub fn with(fault: Fault, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            fault,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            chain: Vec::new(),
            warnings: Vec::new(),
        }))
    }

    /// Returns the kind of fault.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Returns upstream's words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the file that holds the fault, from the root of the tree, if one is known.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// Returns the line in the file, from 1, if one is known.
    pub fn line(&self) -> Option<u32> {
        self.0.line
    }

    /// Returns line and column in the file, if the line is known; column 0 where it is not.
    pub fn mark(&self) -> Option<Mark> {
        let line = self.0.line?;
        let column = self.0.column.unwrap_or(0);
        Some(Mark { line, column })
    }

    /// Returns the directories of the kustomizations from the one asked for to the one that failed.
    pub fn chain(&self) -> &[String] {
        &self.0.chain
    }

    /// Returns what was to be told before the build failed: deprecated fields, in upstream's words.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// Notes what was to be told.
    pub(crate) fn after(mut self, warnings: Vec<String>) -> Self {
        self.0.warnings = warnings;
        self
    }

    /// Puts words and a colon before the message.
    pub(crate) fn wrap(mut self, prefix: impl fmt::Display) -> Self {
        self.0.message = format!("{prefix}: {}", self.0.message);
        self
    }

    /// Replaces the message, keeping kind, place and chain.
    pub(crate) fn reword(mut self, message: String) -> Self {
        self.0.message = message;
        self
    }

    /// Notes the place, unless a closer one is known.
    pub(crate) fn at(mut self, file: &str, line: Option<u32>) -> Self {
        if self.0.line.is_none() {
            self.0.line = line.filter(|line| *line > 0);
        }
        // Readers know the line before anyone knows the file.
        if self.0.file.is_none() && !file.is_empty() {
            self.0.file = Some(file.to_owned());
        }
        self
    }

    /// Notes line and column of a file that its reader does not know, unless a closer place is known.
    pub(crate) fn at_mark(mut self, mark: Mark) -> Self {
        if self.0.line.is_none() && mark.line > 0 {
            self.0.line = Some(mark.line);
            self.0.column = (mark.column > 0).then_some(mark.column);
        }
        self
    }

    /// Notes that the error came through this kustomization; called from the inside out.
    pub(crate) fn through(mut self, root: &str) -> Self {
        self.0.chain.insert(0, root.to_owned());
        self
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !f.alternate() {
            return Ok(());
        }
        if let Some(file) = &self.file {
            write!(f, "\n  at {file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        if self.chain.len() > 1 {
            write!(f, "\n  reached through {}", self.chain.join(" -> "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

/// Returns early with an input error made by `format!`.
macro_rules! fail {
    ($($arg:tt)*) => {
        return Err($crate::error::BuildError::new(format!($($arg)*)))
    };
}
pub(crate) use fail;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alternate_form_tells_where() {
        let error = BuildError::new("bad")
            .at("base/x.yaml", Some(3))
            .wrap("loading")
            .through("/base")
            .through("/prod");
        assert_eq!(error.to_string(), "loading: bad");
        let long = format!("{error:#}");
        assert_eq!(
            long,
            "loading: bad\n  at base/x.yaml:3\n  reached through /prod -> /base"
        );
        let mark = Mark { line: 3, column: 7 };
        let error = BuildError::new("bad").at_mark(mark).at("x.yaml", Some(1));
        assert_eq!(format!("{error:#}"), "bad\n  at x.yaml:3:7");
        assert_eq!(error.mark(), Some(mark));
    }
}

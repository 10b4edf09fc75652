//! What a comparison with the cluster found, in the lines that upstream's `diff kustomization` prints.

use std::io::IsTerminal as _;

use apply::Difference;
use objects::{Object, ObjectKey};

use super::secret;
use crate::commands::tree::subject;
use crate::dyff;
use crate::error::{CliError, CliResult};
use crate::output::Output;

/// Exit code where differences could not be found out; 1 says that there are some.
pub const FAILURE_EXIT_CODE: u8 = 2;

/// Colour of a line that names an object.
#[derive(Clone, Copy)]
pub enum Color {
    Green,
    Orange,
    Red,
}

/// What was found out.
pub struct Report {
    pub text: String,
    pub changed: bool,
    pub errors: Vec<String>,
    colored: bool,
}

impl Default for Report {
    /// Nothing yet; coloured on a terminal.
    fn default() -> Self {
        Self {
            text: String::new(),
            changed: false,
            errors: Vec::new(),
            colored: std::io::stdout().is_terminal(),
        }
    }
}

impl Report {
    /// Adds what an apply would do to one object; values of Secrets are masked.
    pub fn tell(&mut self, object: &Object, difference: Difference) {
        let subject = subject(&object.key());
        match difference {
            Difference::Unchanged => {}
            Difference::Skipped => self.line(Color::Orange, &format!("► {subject} skipped")),
            Difference::Created => {
                self.changed = true;
                self.line(Color::Green, &format!("► {subject} created"));
            }
            Difference::Configured {
                mut live,
                mut merged,
            } => {
                if object.kind() == "Secret" {
                    secret::sanitize(&mut live, &mut merged);
                    if secret::is_same_encrypted(object, &mut live, &mut merged) {
                        return;
                    }
                }
                self.changed = true;
                self.text.push_str(&format!("► {subject} drifted\n"));
                self.text.push_str(&dyff::report(&live, &merged));
            }
        }
    }

    /// Adds an object that would be deleted.
    pub fn deleted(&mut self, key: &ObjectKey) {
        self.changed = true;
        self.line(Color::Red, &format!("► {} deleted", subject(key)));
    }

    /// Adds a line.
    pub fn line(&mut self, color: Color, line: &str) {
        if !self.colored {
            self.text.push_str(&format!("{line}\n"));
            return;
        }
        let code = match color {
            Color::Green => "32",
            Color::Orange => "33",
            Color::Red => "31",
        };
        self.text
            .push_str(&format!("\u{1b}[{code}m{line}\u{1b}[0m\n"));
    }

    /// Prints everything.
    ///
    /// # Errors
    /// Objects could not be compared, or there are differences.
    pub fn print(self, out: &Output) -> CliResult {
        out.data(&self.text);
        let message = match self.errors.as_slice() {
            [] if self.changed => {
                return Err(CliError::finding(
                    "identified at least one change, exiting with non-zero exit code",
                ));
            }
            [] => return Ok(()),
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        Err(CliError::cluster(message).exit_code(FAILURE_EXIT_CODE))
    }
}

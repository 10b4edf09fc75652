//! Questions to the person at the terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::error::{CliError, CliResult};

/// Asks `label? [y/N]` and goes on with yes only; anything else is the error `refusal`.
pub fn confirm(label: &str, refusal: &str) -> CliResult {
    let mut stdout = std::io::stdout().lock();
    let _closed_pipe = write!(stdout, "? {label}? [y/N] ").and_then(|()| stdout.flush());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if !std::io::stdin().is_terminal() {
        let _closed_pipe = writeln!(stdout);
    }
    let yes = matches!(answer.trim(), "y" | "Y" | "yes");
    match read {
        Ok(_) if yes => Ok(()),
        _ => Err(CliError::user(refusal)),
    }
}

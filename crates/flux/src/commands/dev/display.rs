//! How `flux dev` shows the board: a table that moves on a terminal, one line per change elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::board::{Board, Phase, Row, RowKey};
use super::hints::headline;

/// How often spinners turn.
const TICK: Duration = Duration::from_millis(100);
/// Hexadecimal digits of a digest that are shown.
const DIGEST_CHARS: usize = 8;

/// The place where a person sees the board. Everything goes to stderr.
pub enum Display {
    /// A live table.
    Terminal {
        /// The bars, one a line.
        bars: MultiProgress,
        /// Bar of each row.
        rows: BTreeMap<RowKey, ProgressBar>,
    },
    /// Lines, each printed when a row has changed.
    Lines {
        /// What was printed last of each row.
        shown: BTreeMap<RowKey, String>,
    },
}

impl Display {
    /// Chooses by whether stderr is a terminal.
    pub fn new() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Terminal {
                bars: MultiProgress::new(),
                rows: BTreeMap::new(),
            }
        } else {
            Self::Lines {
                shown: BTreeMap::new(),
            }
        }
    }

    /// Prints lines from now on, and only for what changes after the present state.
    pub fn lines(board: &Board) -> Self {
        Self::Lines {
            shown: board
                .rows()
                .map(|(k, row)| (k.clone(), table_line(k, row, 0)))
                .collect(),
        }
    }

    /// Shows the present state of all rows.
    pub fn update(&mut self, board: &Board) {
        match self {
            Self::Terminal { bars, rows } => update_table(bars, rows, board),
            Self::Lines { shown } => update_lines(shown, board),
        }
    }

    /// Prints a line above the table.
    pub fn line(&self, text: &str) {
        match self {
            // A terminal that went away must not stop the cluster.
            Self::Terminal { bars, .. } => drop(bars.println(text)),
            Self::Lines { .. } => anstream::eprintln!("{text}"),
        }
    }

    /// Leaves the table on the screen as it is, and stops the spinners.
    pub fn rest(&mut self) {
        if let Self::Terminal { rows, .. } = self {
            for bar in std::mem::take(rows).into_values() {
                let message = bar.message();
                bar.set_style(still());
                bar.finish_with_message(message);
            }
            // The last bar leaves the cursor at the end of its line.
            anstream::eprintln!();
        }
    }
}

fn update_table(bars: &MultiProgress, rows: &mut BTreeMap<RowKey, ProgressBar>, board: &Board) {
    let width = name_width(board);
    rows.retain(|key, bar| {
        let stays = board.rows().any(|(k, _)| k == key);
        if !stays {
            bars.remove(bar);
        }
        stays
    });
    for (key, row) in board.rows() {
        let bar = rows.get(key).cloned().unwrap_or_else(|| {
            let after = rows
                .range(..key.clone())
                .next_back()
                .map(|(_, bar)| bar.clone());
            let bar = ProgressBar::new_spinner();
            let bar = match after {
                Some(previous) => bars.insert_after(&previous, bar),
                None => bars.insert(0, bar),
            };
            rows.insert(key.clone(), bar.clone());
            bar
        });
        if row.phase == Phase::Working {
            bar.set_style(turning());
            bar.enable_steady_tick(TICK);
        } else {
            bar.disable_steady_tick();
            bar.set_style(still());
        }
        bar.set_message(table_line(key, row, width));
        bar.tick();
    }
}

fn turning() -> ProgressStyle {
    template("{spinner:.cyan} {wide_msg}")
        .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "])
}

fn still() -> ProgressStyle {
    template("{wide_msg}")
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn update_lines(shown: &mut BTreeMap<RowKey, String>, board: &Board) {
    let width = name_width(board);
    for (key, row) in board.rows() {
        // The summary counts them.
        if row.phase == Phase::Unattended {
            continue;
        }
        // Progress is for eyes that watch; a log gets the outcomes.
        let is_outcome = row.phase != Phase::Working || row.is_retried;
        if !is_outcome && row.reason != "DependencyNotReady" {
            continue;
        }
        // Compared without padding: a longer name elsewhere is no news of this row.
        let news = table_line(key, row, 0);
        if shown.get(key) != Some(&news) {
            let lead = if row.phase == Phase::Working {
                "◎ "
            } else {
                ""
            };
            anstream::eprintln!("{lead}{}", table_line(key, row, width));
            shown.insert(key.clone(), news);
        }
    }
}

fn name_width(board: &Board) -> usize {
    board
        .rows()
        .map(|(key, _)| full_name(key).chars().count())
        .max()
        .unwrap_or(0)
}

/// Returns `kind/namespace/name`, lower case kind, as the CLI's own commands name objects.
pub fn full_name(key: &RowKey) -> String {
    format!("{}/{}/{}", key.kind.to_lowercase(), key.namespace, key.name)
}

fn table_line(key: &RowKey, row: &Row, name_width: usize) -> String {
    let symbol = match row.phase {
        Phase::Working => "",
        Phase::Ready => "\u{1b}[32m✔\u{1b}[0m ",
        Phase::Failed => "\u{1b}[31m✗\u{1b}[0m ",
        Phase::Suspended => "\u{1b}[33m‖\u{1b}[0m ",
        Phase::Unattended => "\u{1b}[33m–\u{1b}[0m ",
    };
    let name = full_name(key);
    let revision = short_revision(&row.revision);
    let message = match row.phase {
        Phase::Unattended => "this version has no controller for the kind",
        Phase::Suspended => "suspended",
        Phase::Working if row.message.is_empty() => "waiting for its controller",
        _ => row.message.as_str(),
    };
    let message = short_revision(&headline(message));
    format!("{symbol}{name:<name_width$}  {revision:<22}  {message}")
}

/// Cuts every hexadecimal digest in a text to its first digits, as `flux get` does.
pub fn short_revision(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("sha1:").or_else(|| rest.find("sha256:")) {
        let digest = at + rest[at..].find(':').map_or(0, |colon| colon + 1);
        let digits = rest[digest..]
            .bytes()
            .take_while(u8::is_ascii_hexdigit)
            .count();
        out.push_str(&rest[..digest + digits.min(DIGEST_CHARS)]);
        rest = &rest[digest + digits..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_cut() {
        assert_eq!(
            short_revision(
                "Applied revision: main@sha1:0123456789abcdef0123456789abcdef01234567 ok"
            ),
            "Applied revision: main@sha1:01234567 ok"
        );
        assert_eq!(short_revision("sha1:ab"), "sha1:ab");
        assert_eq!(short_revision(""), "");
    }
}

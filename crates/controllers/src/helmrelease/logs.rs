//! The last things that happened during an action, for the event of its failure.

use std::collections::VecDeque;

use jiff::Timestamp;
use parking_lot::Mutex;

/// Lines kept.
const LINES_MAX: usize = 10;

/// The last lines of an action; equal ones in a row are counted.
#[derive(Debug, Default)]
pub(super) struct Logs {
    lines: Mutex<VecDeque<Line>>,
}

#[derive(Debug)]
struct Line {
    first: Timestamp,
    last: Timestamp,
    text: String,
    more: usize,
}

impl Logs {
    pub(super) fn add(&self, now: Timestamp, text: impl Into<String>) {
        let text = text.into();
        let mut lines = self.lines.lock();
        if let Some(line) = lines.back_mut().filter(|line| line.text == text) {
            line.last = now;
            line.more += 1;
            return;
        }
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(Line {
            first: now,
            last: now,
            text,
            more: 0,
        });
    }

    /// Returns the lines, oldest first, without a final line end.
    pub(super) fn text(&self) -> String {
        let mut out = Vec::new();
        for line in self.lines.lock().iter() {
            out.push(format!("{}: {}", line.first, line.text));
            match line.more {
                0 => {}
                1 => out.push(format!("{}: {}", line.last, line.text)),
                n => out.push(format!(
                    "{}: {} ({} duplicate line{} omitted)",
                    line.last,
                    line.text,
                    n - 1,
                    if n == 2 { "" } else { "s" }
                )),
            }
        }
        out.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_repeated_ones_counted() {
        let logs = Logs::default();
        for n in 0..12 {
            logs.add(Timestamp::UNIX_EPOCH, format!("line {n}"));
        }
        for _ in 0..4 {
            logs.add(Timestamp::UNIX_EPOCH, "again");
        }
        let text = logs.text();
        assert!(
            !text.contains("line 2\n") && text.contains("line 3\n"),
            "{text}"
        );
        assert!(
            text.ends_with("again (2 duplicate lines omitted)"),
            "{text}"
        );
    }
}

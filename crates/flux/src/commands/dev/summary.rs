//! What `flux dev` says when the cluster has converged, or why it has not, and what to do next.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anstream::eprintln;

use super::board::{Board, Phase, Row, RowKey};
use super::display::{full_name, short_revision};
use super::hints;

/// Everything is Ready: what was applied, by whom, how fast.
pub fn converged(board: &Board, elapsed: Duration) {
    let appliers: Vec<_> = appliers(board).collect();
    let objects: usize = appliers.iter().map(|(_, row)| row.applied_count).sum();
    let number = |kind: &str| appliers.iter().filter(|(key, _)| key.kind == kind).count();
    let releases = match number("HelmRelease") {
        0 => String::new(),
        releases => format!(" and {}", counted(releases, "HelmRelease")),
    };
    eprintln!(
        "\n\u{1b}[32m✔\u{1b}[0m converged in {}: {} applied by {}{releases}",
        seconds(elapsed),
        counted(objects, "object"),
        counted(number("Kustomization"), "Kustomization")
    );
    let width = appliers
        .iter()
        .map(|(key, _)| full_name(key).len())
        .max()
        .unwrap_or(0);
    for (key, row) in appliers {
        eprintln!(
            "  {:<width$}  {:>4} objects  {:>12}  {}",
            full_name(key),
            row.applied_count,
            milliseconds(&row.duration),
            short_revision(&row.revision)
        );
    }
    unattended(board);
}

/// Something failed and nothing is in progress any more.
pub fn failed(board: &Board, elapsed: Duration) {
    eprintln!(
        "\n\u{1b}[31m✗\u{1b}[0m not converged after {}: nothing is in progress any more",
        seconds(elapsed)
    );
    not_ready(board);
}

/// The time was up first.
pub fn timed_out(board: &Board, elapsed: Duration) {
    eprintln!(
        "\n\u{1b}[31m✗\u{1b}[0m not converged after {} (--timeout)",
        seconds(elapsed)
    );
    not_ready(board);
}

/// Says so where the data directory takes no writes any more, for instance because the disk is full: whatever else is
/// wrong may only follow from it.
pub fn data_trouble(data: Option<&Path>) {
    let Some(data) = data else { return };
    if let Err(error) = try_to_write(data) {
        eprintln!(
            "\u{1b}[31m✗\u{1b}[0m {} cannot be written: {error}; changes wait until it can",
            data.display()
        );
    }
}

/// Bytes that a data directory must have room for: a few commits of the log.
const ROOM_BYTES: usize = 64 << 10;

fn try_to_write(data: &Path) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(data)?;
    file.write_all(&vec![0; ROOM_BYTES])?;
    file.flush()
}

/// Where a person may look further.
pub fn next_steps(kubeconfig: &Path) {
    let kubeconfig = kubeconfig.display();
    eprintln!("\nLook further, in another terminal:");
    eprintln!("  kubectl --kubeconfig {kubeconfig} get pods -A");
    eprintln!("  flux --kubeconfig {kubeconfig} get all -A");
    eprintln!("  flux --kubeconfig {kubeconfig} tree kustomization flux-system");
    eprintln!("Commits are applied as they come; Ctrl-C ends.\n");
}

fn appliers(board: &Board) -> impl Iterator<Item = (&RowKey, &Row)> {
    let kinds = ["Kustomization", "HelmRelease"];
    board
        .rows()
        .filter(move |(key, _)| kinds.contains(&key.kind.as_str()))
}

fn not_ready(board: &Board) {
    for (key, row) in board.rows() {
        let symbol = match row.phase {
            Phase::Failed => "\u{1b}[31m✗\u{1b}[0m",
            Phase::Working => "◎",
            _ => continue,
        };
        let reason = if row.reason.is_empty() {
            "not looked at yet"
        } else {
            &row.reason
        };
        eprintln!("{symbol} {}: {reason}", full_name(key));
        for line in hints::details(&row.message) {
            eprintln!("    {line}");
        }
    }
    unattended(board);
    let messages: Vec<&str> = board
        .rows()
        .filter(|(_, row)| row.phase == Phase::Failed)
        .map(|(_, row)| row.message.as_str())
        .collect();
    for advice in hints::advice(&messages) {
        eprintln!("  hint: {advice}");
    }
}

/// Kinds that wait for nobody, each with the number of its objects.
fn unattended(board: &Board) {
    let mut counts = BTreeMap::new();
    for (key, _) in board
        .rows()
        .filter(|(_, row)| row.phase == Phase::Unattended)
    {
        *counts.entry(key.kind.as_str()).or_insert(0_usize) += 1;
    }
    for (kind, count) in counts {
        eprintln!(
            "– {kind}: {} stored only, this version has no controller for the kind",
            counted(count, "object")
        );
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Rounds a duration as Go prints it to whole milliseconds, up; what is no duration stays as it is.
fn milliseconds(duration: &str) -> String {
    const NANOSECONDS: i64 = 1_000_000;
    gocompat::duration::parse(duration).map_or_else(
        |_| duration.to_owned(),
        |exact| {
            gocompat::duration::format(
                exact.saturating_add(NANOSECONDS - 1) / NANOSECONDS * NANOSECONDS,
            )
        },
    )
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.2}s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn durations_are_rounded_up_to_milliseconds() {
        let cases = [
            ("1.102970324s", "1.103s"),
            ("647.216µs", "1ms"),
            ("25ms", "25ms"),
            ("", ""),
        ];
        for (exact, shown) in cases {
            assert_eq!(milliseconds(exact), shown);
        }
    }
}

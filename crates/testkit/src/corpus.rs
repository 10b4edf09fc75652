//! Conformance corpora: where their data lies, and how a run over one is reported.
//!
//! A corpus is a folder of inputs with results recorded from a reference program. It is not part of the
//! repository: tests look in `FERROFLUX_CONFORMANCE`, then in `../shared/conformance` beside the checkout,
//! and say plainly when neither is there. A run ends in a [`Report`], which fails the test for every
//! failing case that is not listed as a deviation with its reason, and for every listed case that passes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Environment variable naming the folder that holds the corpora.
pub const DATA_VARIABLE: &str = "FERROFLUX_CONFORMANCE";
/// Environment variable naming a file to which reports are appended instead of judged, as JSON lines.
pub const REPORT_VARIABLE: &str = "FERROFLUX_CONFORMANCE_REPORT";

/// Finds the folder of one corpus, such as `kustomize`.
///
/// Prints a line and returns `None` where the data is absent.
pub fn data_dir(corpus: &str) -> Option<PathBuf> {
    let root = std::env::var_os(DATA_VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
        PathBuf::from,
    );
    let dir = root.join(corpus);
    if dir.is_dir() {
        return Some(dir);
    }
    say(&format!(
        "SKIPPED: no conformance data for {corpus} (set {DATA_VARIABLE})"
    ));
    None
}

/// Outcome of a run over one corpus.
#[derive(Debug, Default)]
pub struct Report {
    name: String,
    ids: BTreeSet<String>,
    failures: BTreeMap<String, String>,
}

impl Report {
    /// Starts an empty report.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Counts one case under an id that is unique in the corpus; `Err` carries its first difference.
    pub fn case(&mut self, id: &str, outcome: Result<(), String>) {
        self.ids.insert(id.to_owned());
        if let Err(difference) = outcome {
            self.failures.insert(id.to_owned(), difference);
        }
    }

    /// Judges the run: every failure must be in `known` (id, reason), and every entry of `known` that was
    /// run must still fail.
    ///
    /// With [`REPORT_VARIABLE`] set, writes the report there and judges nothing.
    ///
    /// # Panics
    /// When the run does not agree with `known`, naming the cases.
    pub fn check(self, known: &[(&str, &str)]) {
        let total = self.ids.len();
        say(&format!(
            "{}: {}/{total}",
            self.name,
            total - self.failures.len()
        ));
        if let Some(path) = std::env::var_os(REPORT_VARIABLE) {
            self.append_to(Path::new(&path));
            return;
        }
        let known: BTreeMap<&str, &str> = known.iter().copied().collect();
        let unexpected: Vec<String> = self
            .failures
            .iter()
            .filter(|(id, _)| !known.contains_key(id.as_str()))
            .map(|(id, difference)| format!("--- {id}\n{difference}"))
            .collect();
        let mended: Vec<&str> = known
            .keys()
            .copied()
            .filter(|id| self.ids.contains(*id) && !self.failures.contains_key(*id))
            .collect();
        assert!(
            unexpected.is_empty(),
            "{}: {} cases differ:\n{}",
            self.name,
            unexpected.len(),
            unexpected.join("\n")
        );
        assert!(
            mended.is_empty(),
            "{}: listed as deviations but pass: {mended:?}",
            self.name
        );
    }

    fn append_to(&self, path: &Path) {
        let line = serde_json::json!({
            "name": self.name, "total": self.ids.len(), "failures": self.failures,
        });
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("the report file can be written");
        writeln!(file, "{line}").expect("the report file can be written");
    }
}

/// Describes the first line in which two texts differ, or nothing where they are equal.
pub fn first_difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut left, mut right) = (expected.lines(), actual.lines());
    for line in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (expected, actual) if expected == actual => {}
            (expected, actual) => {
                let show =
                    |text: Option<&str>| text.map_or("<end>".to_owned(), |t| format!("{t:?}"));
                return Some(format!(
                    "line {line}\n  expected {}\n  actual   {}",
                    show(expected),
                    show(actual)
                ));
            }
        }
    }
    Some("line ends or the final line break differ".to_owned())
}

/// Writes past the test harness's capture, so that scores and skips are always seen.
fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    // A closed stderr must not fail a test.
    let _ = writeln!(stderr, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert!(
            first_difference("a\nb\n", "a\nc\n")
                .unwrap()
                .starts_with("line 2")
        );
        assert!(first_difference("a\n", "a\nb\n").unwrap().contains("<end>"));
        assert!(first_difference("a\n", "a").is_some());
    }

    #[test]
    #[should_panic(expected = "1 cases differ")]
    fn unlisted_failures_fail() {
        let mut report = Report::new("x");
        report.case("good", Ok(()));
        report.case("bad", Err("why".into()));
        report.check(&[]);
    }

    #[test]
    #[should_panic(expected = "listed as deviations but pass")]
    fn mended_deviations_fail() {
        let mut report = Report::new("x");
        report.case("good", Ok(()));
        report.check(&[("good", "was different")]);
    }
}

//! `cargo xtask conformance`: runs the crates' own conformance tests and prints scores and differences.
//!
//! The tests do the work (`crates/*/tests/it/conformance*.rs`); here they are asked to report instead of
//! to judge, over any folder of data, and their reports are added up per corpus.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Corpus and the crates whose tests read it.
const CORPORA: &[(&str, &[&str])] = &[
    ("kustomize", &["kustomize"]),
    ("helm", &["gotemplate", "helm", "gocompat"]),
    ("smd", &["objects"]),
    ("apiserver", &["apiserver"]),
];

/// Differences longer than this are cut when printed.
const DIFFERENCE_CHARS_MAX: usize = 600;

/// Runs one corpus or `all`; returns whether every case passed.
pub fn run(corpus: &str, data: Option<&Path>) -> anyhow::Result<bool> {
    let chosen: Vec<_> = CORPORA
        .iter()
        .filter(|(name, _)| corpus == "all" || corpus == *name)
        .collect();
    ensure!(
        !chosen.is_empty(),
        "unknown corpus {corpus:?}: kustomize, helm, smd, apiserver or all"
    );
    let mut scores = Vec::new();
    for (name, crates) in chosen {
        let report = run_crates(crates, data).with_context(|| format!("corpus {name}"))?;
        for (id, difference) in &report.failures {
            let cut: String = difference.chars().take(DIFFERENCE_CHARS_MAX).collect();
            println!("--- {name}: {id}\n{cut}");
        }
        scores.push((name, report));
    }
    let mut all_passed = true;
    for (name, report) in scores {
        let passed = report.total - report.failures.len();
        println!("{name}: {passed}/{}", report.total);
        all_passed &= passed == report.total && report.total > 0;
    }
    Ok(all_passed)
}

#[derive(Default)]
struct CorpusReport {
    total: usize,
    failures: BTreeMap<String, String>,
}

fn run_crates(crates: &[&str], data: Option<&Path>) -> anyhow::Result<CorpusReport> {
    let file = std::env::temp_dir().join(format!("ferroflux-conformance-{}", std::process::id()));
    let _ = std::fs::remove_file(&file);
    for name in crates {
        let mut command = crate::cargo();
        command
            .current_dir(crate::workspace_root())
            .args([
                "test",
                "--quiet",
                "--package",
                name,
                "--test",
                "it",
                "--",
                "conformance",
            ])
            .env("FERROFLUX_CONFORMANCE_REPORT", &file)
            .stdout(std::process::Stdio::null());
        if let Some(data) = data {
            let data = data
                .canonicalize()
                .with_context(|| data.display().to_string())?;
            command.env("FERROFLUX_CONFORMANCE", data);
        }
        let status = command.status().context("cannot run cargo")?;
        if !status.success() {
            bail!("the conformance tests of {name} did not finish ({status})");
        }
    }
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    add_up(&text)
}

/// Adds up report lines; ids get the report's name in front where a corpus has several reports.
fn add_up(lines: &str) -> anyhow::Result<CorpusReport> {
    let mut sum = CorpusReport::default();
    for line in lines.lines() {
        let report: Value = serde_json::from_str(line).context("unreadable report line")?;
        let name = report["name"].as_str().unwrap_or("?");
        sum.total += usize::try_from(report["total"].as_u64().unwrap_or(0))?;
        for (id, difference) in report["failures"].as_object().into_iter().flatten() {
            let difference = difference.as_str().unwrap_or("").to_owned();
            sum.failures.insert(format!("{name} {id}"), difference);
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up() {
        let lines = "{\"name\":\"a\",\"total\":3,\"failures\":{\"x\":\"d\"}}\n{\"name\":\"b\",\"total\":2,\"failures\":{}}";
        let sum = add_up(lines).unwrap();
        assert_eq!((sum.total, sum.failures.len()), (5, 1));
        assert!(sum.failures.contains_key("a x"));
    }
}

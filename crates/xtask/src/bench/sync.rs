//! `cargo xtask bench sync`: from a commit to an applied object.

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Goals by scenario and figure; a measured value above its goal fails the run.
const GOALS: &[(&str, &str, f64)] = &[
    ("change", "/p50_ms", 50.0),
    ("drift", "/edited/p50_ms", 200.0),
    ("drift", "/deleted/p50_ms", 200.0),
    ("hop", "/p50_ms", 20.0),
    ("fleet", "/converged_s", 20.0),
    ("fleet", "/peak_memory_mib", 256.0),
    ("fleet", "/writes_of_second_reconcile", 0.0),
    ("idle", "/reads", 0.0),
    ("idle", "/writes", 0.0),
];

/// Runs all scenarios and writes `docs/bench/sync.md`.
pub fn run(_: &super::Arguments) -> anyhow::Result<()> {
    let root = crate::workspace_root();
    let output = crate::cargo()
        .current_dir(&root)
        .args(["bench", "--quiet", "--package", "flux", "--bench", "sync"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo bench")?;
    ensure!(output.status.success(), "the benchmark failed");
    let lines = String::from_utf8(output.stdout)?;
    let results: Vec<Value> = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let (report, missed) = report(&results);
    print!("{report}");
    let path = root.join("docs/bench/sync.md");
    std::fs::create_dir_all(root.join("docs/bench"))?;
    std::fs::write(&path, report)?;
    ensure!(missed.is_empty(), "goals missed: {}", missed.join(", "));
    Ok(())
}

fn report(results: &[Value]) -> (String, Vec<String>) {
    let mut text = String::from(
        "# From a commit to an applied object\n\n\
         Written by `cargo xtask bench sync`: embedded server, controllers and a local repository in one process, release\n\
         build, two worker threads; each scenario in a process of its own (`crates/flux/benches/sync`).\n\n\
         | scenario | figure | goal | measured |\n|---|---|---|---|\n",
    );
    let mut missed = Vec::new();
    for (scenario, figure, goal) in GOALS {
        let result = results.iter().find(|r| r["scenario"] == *scenario);
        let measured = result
            .and_then(|r| r.pointer(figure))
            .and_then(Value::as_f64);
        let name = figure.trim_start_matches('/').replace('/', " ");
        let shown = measured.map_or("not measured".to_owned(), |m| m.to_string());
        text.push_str(&format!("| {scenario} | {name} | ≤ {goal} | {shown} |\n"));
        if measured.is_none_or(|m| m > *goal) {
            missed.push(format!("{scenario} {name}"));
        }
    }
    text.push_str("\nAll figures:\n\n```json\n");
    for result in results {
        text.push_str(&format!("{result}\n"));
    }
    text.push_str("```\n");
    (text, missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_not_met_or_not_measured_are_missed() {
        let results = [serde_json::json!({"scenario": "change", "p50_ms": 60.0})];
        let (_, missed) = report(&results);
        assert_eq!(missed.len(), GOALS.len());
        let results = [serde_json::json!({"scenario": "change", "p50_ms": 40.0})];
        assert_eq!(report(&results).1.len(), GOALS.len() - 1);
    }
}

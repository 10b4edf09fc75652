//! `cargo xtask bench helmrelease`: a thousand releases of one chart.

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Goals by figure, each a path of the result; a measured value above its goal fails the run.
const GOALS: &[(&str, f64)] = &[
    ("/converged_s", 25.0),
    ("/peak_memory_mib", 300.0),
    ("/writes_of_second_reconcile", 0.0),
    ("/drift/edited/p50_ms", 200.0),
    ("/drift/edited/max_ms", 200.0),
    ("/drift/deleted/p50_ms", 200.0),
    ("/drift/deleted/max_ms", 200.0),
];

/// Runs the benchmark and writes `docs/bench/helmrelease.md`.
pub fn run(_: &super::Arguments) -> anyhow::Result<()> {
    let root = crate::workspace_root();
    let arguments = [
        "bench",
        "--quiet",
        "--package",
        "flux",
        "--bench",
        "helmrelease",
    ];
    let output = crate::cargo()
        .current_dir(&root)
        .args(arguments)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo bench")?;
    ensure!(output.status.success(), "the benchmark failed");
    let lines = String::from_utf8(output.stdout)?;
    let found = lines
        .lines()
        .find_map(|line| serde_json::from_str(line).ok());
    let result: Value = found.context("the benchmark printed no result")?;
    let (report, missed) = report(&result);
    print!("{report}");
    std::fs::create_dir_all(root.join("docs/bench"))?;
    std::fs::write(root.join("docs/bench/helmrelease.md"), report)?;
    ensure!(missed.is_empty(), "goals missed: {}", missed.join(", "));
    Ok(())
}

fn report(result: &Value) -> (String, Vec<String>) {
    let mut text = String::from(
        "# A thousand Helm releases\n\n\
         Written by `cargo xtask bench helmrelease`: 1,000 HelmReleases of a four-object chart, embedded server and controller\n\
         in one process, release build, two worker threads (`crates/flux/benches/helmrelease`). The chart comes from one source\n\
         that all releases refer to; workloads are not acted out, so nothing is waited for. Drift: a ConfigMap of one of them\n\
         is edited and deleted by hand, time until it is back.\n\n\
         | figure | goal | measured |\n|---|---|---|\n",
    );
    let mut missed = Vec::new();
    for (figure, goal) in GOALS {
        let measured = result.pointer(figure).and_then(Value::as_f64);
        let name = figure[1..].replace(['_', '/'], " ");
        let shown = measured.map_or("not measured".to_owned(), |m| m.to_string());
        text.push_str(&format!("| {name} | ≤ {goal} | {shown} |\n"));
        if measured.is_none_or(|m| m > *goal) {
            missed.push(name);
        }
    }
    text.push_str(&format!("\nAll figures:\n\n```json\n{result}\n```\n"));
    (text, missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_not_met_or_not_measured_are_missed() {
        let (_, missed) = report(&serde_json::json!({"converged_s": 30.0}));
        assert_eq!(missed.len(), GOALS.len());
        let met = serde_json::json!({
            "converged_s": 3.0, "peak_memory_mib": 100, "writes_of_second_reconcile": 0,
            "drift": {"edited": {"p50_ms": 1, "max_ms": 2}, "deleted": {"p50_ms": 1, "max_ms": 2}},
        });
        assert!(report(&met).1.is_empty());
    }
}

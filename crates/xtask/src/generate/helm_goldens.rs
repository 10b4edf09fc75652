//! Records what the reference programs print for the charts of `crates/helm/tests/golden/charts`.
//!
//! Each folder there has a chart and `cases.json`: a list of `{"id", "args", "path"}`, arguments of
//! `helm template r PATH` run inside the chart. Written beside them is `ID.4.txt` and `ID.3.txt`: standard
//! output, or the error as the program prints it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

const HINT: &str = "Use --debug flag to render out invalid YAML";

/// Runs both programs, `helm4` and `helm3` on PATH, over all cases.
pub fn write() -> Result<()> {
    let root = crate::workspace_root().join("crates/helm/tests/golden/charts");
    for folder in fs::read_dir(&root)? {
        let folder = folder?.path();
        let cases = fs::read(folder.join("cases.json"))?;
        let cases: Vec<Value> = serde_json::from_slice(&cases)
            .with_context(|| format!("{}: cases", folder.display()))?;
        for case in &cases {
            let id = case["id"].as_str().context("a case has an id")?;
            for version in ["4", "3"] {
                let text = record(version, &folder.join("chart"), case)?;
                fs::write(folder.join(format!("{id}.{version}.txt")), text)?;
            }
        }
    }
    Ok(())
}

fn record(version: &str, chart: &Path, case: &Value) -> Result<Vec<u8>> {
    let args = case["args"].as_array().into_iter().flatten();
    let done = Command::new(format!("helm{version}"))
        .args(["template", "r", case["path"].as_str().unwrap_or(".")])
        .args(args.filter_map(Value::as_str))
        .current_dir(chart)
        .env("TZ", "UTC")
        .output()
        .with_context(|| format!("helm{version} is looked up on PATH"))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let text = String::from_utf8_lossy(&done.stderr);
    let error = text.find("Error: ").map_or(&*text, |at| &text[at..]);
    // The programs print this below every error of a render, whether there is YAML to see or not.
    let error = error.trim_end().trim_end_matches(HINT).trim_end();
    Ok(format!("{error}\n").into_bytes())
}

//! `cargo xtask bench apiserver`: what a request to the embedded API server costs.

use anyhow::{Context as _, ensure};

/// Goals by figure; `true` where the value has to be at least the goal.
const GOALS: &[(&str, f64, bool)] = &[
    ("start to ready", 50.0, false),
    ("idle memory", 25.0, false),
    ("apply ConfigMap: create", 0.12, false),
    ("apply ConfigMap: no change", 0.12, false),
    ("apply ConfigMap: change", 0.12, false),
    ("apply ConfigMap: field removed", 0.12, false),
    ("apply Deployment: create", 0.35, false),
    ("apply Deployment: no change", 0.35, false),
    ("apply Deployment: change", 0.35, false),
    ("apply Deployment: field removed", 0.35, false),
    ("list of 2,000 ConfigMaps", 2.0, false),
    ("1,000 watchers told of one write", 10.0, false),
    ("durable writes, 64 clients", 5_000.0, true),
];

/// Runs the figures and writes `docs/bench/apiserver.md`.
pub fn run(_: &super::Arguments) -> anyhow::Result<()> {
    let root = crate::workspace_root();
    let output = crate::cargo()
        .current_dir(&root)
        .args([
            "bench",
            "--quiet",
            "--package",
            "apiserver",
            "--bench",
            "figures",
        ])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo bench")?;
    ensure!(output.status.success(), "the benchmark failed");
    let (report, missed) = report(&String::from_utf8(output.stdout)?);
    print!("{report}");
    let path = root.join("docs/bench/apiserver.md");
    std::fs::create_dir_all(root.join("docs/bench"))?;
    std::fs::write(&path, report)?;
    ensure!(missed.is_empty(), "goals missed: {}", missed.join(", "));
    Ok(())
}

fn report(lines: &str) -> (String, Vec<String>) {
    let mut text = String::from(
        "# Requests to the embedded API server\n\n\
         Written by `cargo xtask bench apiserver`: in process, one client, release build; processor time is that of the whole\n\
         process over 2,000 requests (`crates/apiserver/benches/figures.rs`).\n\n\
         | figure | goal | measured |\n|---|---|---|\n",
    );
    let mut missed = Vec::new();
    for line in lines.lines() {
        let mut parts = line.split('\t');
        let (Some(name), Some(value), Some(unit)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let goal = GOALS.iter().find(|(known, _, _)| *known == name);
        let shown = match goal {
            Some((_, goal, true)) => format!("≥ {goal} {unit}"),
            Some((_, goal, false)) => format!("≤ {goal} {unit}"),
            None => "–".to_owned(),
        };
        let measured: f64 = value.parse().unwrap_or(f64::NAN);
        let met = goal.is_none_or(|(_, goal, least)| {
            if *least {
                measured >= *goal
            } else {
                measured <= *goal
            }
        });
        if !met {
            missed.push(name.to_owned());
        }
        let line = format!(
            "| {name} | {} | {} |\n",
            shown.trim(),
            format!("{value} {unit}").trim()
        );
        text.push_str(&line);
    }
    (text, missed)
}

//! Our own charts against what the reference programs print for them (`cargo xtask generate helm-goldens`).

use std::fs;
use std::path::Path;

use filetree::disk::DirectoryTree;
use helm::Version;
use serde_json::Value;
use testkit::corpus::first_difference;

use super::charts::{Args, run};

/// Runs one case; an error is shown as the program shows it.
fn shown(chart: &Path, case: &Value, version: Version) -> String {
    let args = case["args"].as_array().unwrap().iter();
    let args: Vec<String> = args.map(|arg| arg.as_str().unwrap().to_owned()).collect();
    let mut args = Args::parse(&args, &|name| fs::read(chart.join(name)).unwrap());
    args.name = Some("r".to_owned());
    let tree = DirectoryTree::open(chart).unwrap();
    match run(&tree, case["path"].as_str().unwrap_or(""), &args, version) {
        Ok(text) => text,
        Err(error) => format!("Error: {}\n", error.to_string().trim_end()),
    }
}

fn check(folder: &Path, version: Version, number: u8, failures: &mut Vec<String>) -> usize {
    let cases = fs::read(folder.join("cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
    for case in &cases {
        let name = format!("{}.{number}.txt", case["id"].as_str().unwrap());
        let expected = fs::read_to_string(folder.join(&name)).unwrap();
        let found = shown(&folder.join("chart"), case, version);
        if let Some(difference) = first_difference(&expected, &found) {
            failures.push(format!("{}/{name}: {difference}", folder.display()));
        }
    }
    cases.len()
}

#[test]
fn our_charts_render_as_the_programs_render_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/charts");
    let mut failures = Vec::new();
    let mut cases = 0;
    for folder in fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        cases += check(&folder, Version::V4, 4, &mut failures);
        cases += check(&folder, Version::V3, 3, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(cases > 100, "only {cases} cases were found");
}

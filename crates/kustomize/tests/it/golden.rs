//! Kustomizations of our own with the output recorded from kustomize v5.8.1.

use filetree::MemoryTree;
use kustomize::{BuildOptions, LoadRestrictor, Reorder, build};
use serde_json::Value;
use testkit::corpus::{Report, first_difference};

/// Deviations, with the reason.
const KNOWN: &[(&str, &str)] = &[
    (
        "cycle",
        "the whole chain of the cycle stands behind upstream's words",
    ),
    (
        "duplicate-keys",
        "names the object where upstream prints an empty Go map",
    ),
    ("generator-create-again", "upstream prints a pointer"),
    (
        "no-kustomization",
        "the root is / here; upstream's was a directory whose path is taken out",
    ),
    (
        "two-kustomizations",
        "the root is / here; upstream's was a directory whose path is taken out",
    ),
];

#[test]
fn builds_as_the_program() {
    let mut report = Report::new("kustomize goldens");
    for line in include_str!("../golden/builds.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        report.case(case["name"].as_str().unwrap(), check(&case));
    }
    report.check(KNOWN);
}

fn check(case: &Value) -> Result<(), String> {
    let mut tree = MemoryTree::new();
    for (path, content) in case["files"].as_object().unwrap() {
        tree.insert(path, content.as_str().unwrap().as_bytes().to_vec())
            .unwrap();
    }
    let dir = case["dir"].as_str().unwrap();
    let actual = build(&tree, dir, &options(case)).and_then(|output| output.to_yaml());
    match (case["output"].as_str(), case["error"].as_str(), actual) {
        (Some(expected), _, Ok(actual)) => first_difference(expected, &actual).map_or(Ok(()), Err),
        (_, Some(expected), Err(actual)) if expected == actual.message() => Ok(()),
        (expected, error, actual) => Err(format!(
            "expected {:?}\nactual   {:?}",
            expected.or(error),
            actual.map_err(|error| error.message().to_owned())
        )),
    }
}

fn options(case: &Value) -> BuildOptions<'static> {
    let flags: Vec<&str> = case["flags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut options = BuildOptions::command_line();
    if flags.contains(&"none") {
        options.reorder = Reorder::None;
    }
    if flags.contains(&"LoadRestrictionsNone") {
        options.load_restrictor = LoadRestrictor::None;
    }
    options.add_managedby_label = flags.contains(&"--enable-managedby-label");
    options
}

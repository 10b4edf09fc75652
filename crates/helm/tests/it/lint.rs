//! `helm lint`, compared with what both versions of the real program print (`tests/golden/lint.jsonl`).

use filetree::MemoryTree;
use helm::Version;
use helm::capabilities::KubeVersion;
use helm::lint::{Input, Severity, lint};
use helm::values::UserValues;
use serde_json::Value;
use testkit::corpus::{Report, first_difference};

#[test]
fn messages_are_helms() {
    let text = std::fs::read_to_string("tests/golden/lint.jsonl").unwrap();
    let mut report = Report::new("helm/lint");
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        for (version, label) in [(Version::V4, "4"), (Version::V3, "3")] {
            let expected = case.get("expected").unwrap_or(&case["by_version"][label]);
            let (messages, failed) = run(&case, version);
            let wanted = expected["messages"].as_str().unwrap();
            let mut outcome = first_difference(wanted, &messages).map_or(Ok(()), Err);
            if outcome.is_ok() && expected["failed"] != failed {
                outcome = Err(format!("failed: {failed}"));
            }
            let id = format!("{}@{label}", case["id"].as_str().unwrap());
            report.case(&id, outcome.map_err(|e| format!("{}: {e}", case["note"])));
        }
    }
    report.check(&[]);
}

fn run(case: &Value, version: Version) -> (String, bool) {
    let mut tree = MemoryTree::new();
    for (path, text) in case["files"].as_object().unwrap() {
        tree.insert(path, text.as_str().unwrap().as_bytes())
            .unwrap();
    }
    let args: Vec<&str> = case["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    let after = |flag: &str| {
        let at = args.iter().position(|arg| *arg == flag)?;
        args.get(at + 1).map(|arg| (*arg).to_owned())
    };
    let user = UserValues {
        set: after("--set").into_iter().collect(),
        ..UserValues::default()
    };
    let values = user
        .merge(version, &|_| Err("no files".to_owned()))
        .unwrap();
    let kube = after("--kube-version").map(|text| KubeVersion::parse(&text, version).unwrap());
    let mut world = super::charts::world();
    world.lint = true;
    let found = lint(&Input {
        tree: &tree,
        directory: "",
        shown: "DIR",
        values: &values,
        namespace: "default",
        kube_version: kube.as_ref(),
        skip_schema: args.contains(&"--skip-schema-validation"),
        version,
        world: &world,
    });
    let least = if args.contains(&"--strict") {
        Severity::Warning
    } else {
        Severity::Error
    };
    let failed = found
        .messages
        .iter()
        .any(|message| message.severity >= least);
    let lines = found.messages.iter().map(|message| format!("{message}\n"));
    (lines.collect(), failed)
}

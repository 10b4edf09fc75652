//! Version parsing and ranges against the recorded table.

use gocompat::semver::{Range, Version};
use serde_json::Value;
use testkit::corpus::{Report, data_dir};

#[test]
fn conformance_semver() {
    let Some(dir) = data_dir("helm") else { return };
    let text = std::fs::read_to_string(dir.join("tables/semver.jsonl")).unwrap();
    let mut report = Report::new("helm/semver");
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        report.case(case["id"].as_str().unwrap(), check(&case));
    }
    report.check(&[]);
}

fn check(case: &Value) -> Result<(), String> {
    let (range, version) = (
        case["constraint"].as_str().unwrap(),
        case["version"].as_str().unwrap(),
    );
    let actual = if range.is_empty() {
        parsed(version)
    } else {
        checked(range, version)
    };
    let fields = actual.as_object().unwrap();
    for (key, value) in fields {
        if case[key] != *value {
            return Err(format!("{case}\n  actual {actual}"));
        }
    }
    Ok(())
}

fn parsed(version: &str) -> Value {
    match Version::parse(version) {
        Ok(v) => serde_json::json!({"major": v.major, "minor": v.minor, "patch": v.patch,
            "prerelease": v.pre, "metadata": v.metadata, "string": v.to_string()}),
        Err(error) => serde_json::json!({"error": error.to_string()}),
    }
}

fn checked(range: &str, version: &str) -> Value {
    let range = match Range::parse(range) {
        Ok(range) => range,
        Err(error) => return serde_json::json!({"error": error.to_string()}),
    };
    match Version::parse(version) {
        Ok(version) => serde_json::json!({"ok": range.matches(&version)}),
        Err(error) => serde_json::json!({"error": error.to_string()}),
    }
}

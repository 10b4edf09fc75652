//! Every template case of the corpus, under both versions.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use gotemplate::{MissingKey, Set, Text, Value};
use helm::Version;
use helm::convert::from_json;
use helm::functions::{World, registry};
use helm::template::render_text;
use testkit::corpus::{Report, data_dir};

fn world(lint: bool) -> World {
    let mut world = World::offline(1_795_219_200, 0, super::charts::pseudo_random);
    world.lint = lint;
    world
}

#[test]
fn conformance_templates() {
    let Some(dir) = data_dir("helm") else { return };
    let dir = dir.join("templates");
    let shared = shared_values(&dir);
    let mut report = Report::new("helm/templates");
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    for file in files
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "jsonl"))
    {
        let text = std::fs::read_to_string(file).unwrap();
        for line in text.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            for (version, label) in [(Version::V4, "4.2"), (Version::V3, "3.21")] {
                let id = format!("{}@{label}", case["id"].as_str().unwrap());
                report.case(&id, check(&case, &shared, version, label));
            }
        }
    }
    report.check(&[]);
}

fn shared_values(dir: &Path) -> HashMap<String, serde_json::Value> {
    ["common", "go-types", "helm-dot"]
        .into_iter()
        .map(|name| {
            let text = std::fs::read_to_string(dir.join(format!("values-{name}.json"))).unwrap();
            (name.to_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect()
}

fn check(
    case: &serde_json::Value,
    shared: &HashMap<String, serde_json::Value>,
    version: Version,
    label: &str,
) -> Result<(), String> {
    let expected = case.get("by_version").map_or(case, |by| &by[label]);
    if expected.is_null() {
        return Ok(());
    }
    let data = match case["values_ref"].as_str() {
        Some(name) => &shared[name],
        None => &case["values"],
    };
    let actual = run(case, &from_json(data), version);
    let newer = expected.get("error_4_2").filter(|_| version == Version::V4);
    let error = newer
        .or_else(|| expected.get("error"))
        .and_then(|e| e.as_str());
    let text = expected["expected"]
        .as_str()
        .map(|t| t.as_bytes().to_vec())
        .or_else(|| {
            let encoded = expected["expected_b64"].as_str()?;
            Some(
                base64::engine::general_purpose::STANDARD
                    .decode(encoded)
                    .unwrap(),
            )
        });
    match (&text, error, &actual) {
        (Some(expected), _, Ok(actual)) if expected == actual => Ok(()),
        (_, Some(expected), Err(actual)) if expected == actual => Ok(()),
        (None, None, Err(_)) if expected.get("panic").is_some() => Ok(()),
        _ => Err(format!(
            "template {}\n  expected {:?}\n  actual   {:?}",
            case["template"],
            error.map_or_else(
                || text.as_deref().map(String::from_utf8_lossy).map(Ok),
                |e| Some(Err(e))
            ),
            actual.as_deref().map(String::from_utf8_lossy)
        )),
    }
}

fn run(case: &serde_json::Value, data: &Value, version: Version) -> Result<Vec<u8>, String> {
    let text = case["template"].as_str().unwrap();
    let flag = |name: &str| case[name].as_bool().unwrap_or(false);
    if case["engine"] == "helm" {
        return render_text(
            "t",
            text,
            data,
            flag("strict"),
            version,
            &world(flag("lint")),
        );
    }
    let mut set = Set::new("gotpl", Arc::new(registry(version)), MissingKey::Invalid);
    set.parse("t", &Text::from(text))
        .map_err(|e| e.to_string())?;
    let set = Arc::new(set);
    let world = world(false);
    gotemplate::with_deep_stack(|| set.execute("t", data, &world))?.map_err(|e| e.to_string())
}

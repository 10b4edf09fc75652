//! Calls of every function with arguments at their edges, compared with what the engines of both versions of Helm
//! print (`tests/golden/functions.jsonl`; the calls were made at random over types that mostly fit).

use helm::capabilities::Capabilities;
use helm::chart::File;
use helm::functions::World;
use helm::render::{RenderInput, render};
use helm::values::untyped;
use helm::{Release, Version};
use serde_json::Value;
use testkit::corpus::first_difference;

fn rendered(template: &str, values: &Value, version: Version) -> String {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
    };
    let files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        file("templates/t", template),
    ];
    let input = RenderInput {
        chart: &helm::load::load_files(files, version).unwrap(),
        values: &untyped(values.as_object().unwrap()),
        release: &Release {
            name: "r".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            is_upgrade: false,
        },
        capabilities: &Capabilities::offline(version),
        strict: false,
        world: &World::offline(1_795_219_200, 0, super::charts::pseudo_random),
    };
    match render(&input) {
        Ok(files) => format!("OK {}", files["c/templates/t"].to_str()),
        Err(error) => format!("ERR {error}"),
    }
}

#[test]
fn functions_print_what_helm_prints() {
    let golden = |name: &str| std::fs::read_to_string(format!("tests/golden/{name}")).unwrap();
    let values = serde_json::from_str(&golden("functions-values.json")).unwrap();
    let mut failures = Vec::new();
    for line in golden("functions.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let template = case["template"].as_str().unwrap();
        let four = case["4"].as_str().unwrap();
        let three = case["3"].as_str().unwrap_or(four);
        for (version, expected) in [(Version::V4, four), (Version::V3, three)] {
            let found = rendered(template, &values, version);
            if let Some(difference) = first_difference(expected, &found) {
                failures.push(format!("{version:?} {template}: {difference}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

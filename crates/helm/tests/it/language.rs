//! The language, the functions that read texts, and the grammars beside them, compared with what the engines of both
//! versions of Helm print (`tests/golden/language.jsonl`).

use helm::functions::World;
use helm::template::render_text;
use helm::{Version, ignore, manifest, strvals};
use serde_json::Value;
use testkit::corpus::first_difference;

use super::charts;

fn text<'c>(case: &'c Value, field: &str) -> &'c str {
    case[field].as_str().unwrap_or("")
}

fn template(case: &Value, version: Version) -> Result<String, String> {
    let data = helm::convert::from_json(&case["values"]);
    let world = World::offline(1_795_219_200, 0, charts::pseudo_random);
    let out = render_text("t", text(case, "template"), &data, false, version, &world)?;
    Ok(String::from_utf8(out).unwrap())
}

fn set(case: &Value, version: Version) -> Result<String, String> {
    let mut values = case["base"].as_object().cloned().unwrap_or_default();
    let mode = match text(case, "mode") {
        "set-json" => strvals::Mode::Json,
        _ => strvals::Mode::Set,
    };
    strvals::parse_into(text(case, "input"), mode, version, &mut values)
        .map(|()| Value::Object(values).to_string())
        .map_err(|error| error.to_string())
}

fn ignored(case: &Value) -> Result<String, String> {
    let mut rules = ignore::Rules::parse(text(case, "rules")).map_err(|error| error.to_string())?;
    if case["defaults"] == true {
        rules.add_defaults();
    }
    Ok(rules
        .ignores(text(case, "path"), case["dir"] == true)
        .to_string())
}

fn values(case: &Value, version: Version) -> Result<String, String> {
    let tree = charts::tree(&case["files"]);
    let mut chart = helm::load::load_path(&tree, "", version).map_err(|error| error.to_string())?;
    let user = helm::values::untyped(&serde_json::Map::new());
    let all = helm::action::coalesced(&mut chart, &user, version, &mut Vec::new())?;
    let all = helm::convert::to_json(&gotemplate::Value::Map(all)).unwrap();
    Ok(all.to_string())
}

fn outcome(case: &Value, version: Version) -> String {
    let outcome = match text(case, "op") {
        "tpl" => template(case, version),
        "strvals" => set(case, version),
        "ignore" => ignored(case),
        "split" => Ok(Value::from(manifest::split(text(case, "in"), version)).to_string()),
        "values" => values(case, version),
        "render" => {
            let tree = charts::tree(&case["files"]);
            let out = charts::run(&tree, "", &charts::Args::default(), version);
            out.map_err(|error| error.to_string())
        }
        other => panic!("no such case: {other}"),
    };
    match outcome {
        Ok(text) => format!("OK {text}"),
        Err(text) => format!("ERR {text}"),
    }
}

/// Text as it is, but JSON by value: Go escapes more of it and writes floats without a point.
fn comparable(case: &Value, outcome: &str) -> String {
    let json = matches!(text(case, "op"), "strvals" | "split" | "values");
    match outcome.strip_prefix("OK ").filter(|_| json) {
        Some(json) => floats(serde_json::from_str(json).unwrap()).to_string(),
        None => outcome.to_owned(),
    }
}

fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.into_iter().map(floats).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, floats(v))).collect(),
        other => other,
    }
}

#[test]
fn language_and_grammars_do_what_helm_does() {
    let mut failures = Vec::new();
    for line in include_str!("../golden/language.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let four = case["4"].as_str().unwrap();
        let three = case["3"].as_str().unwrap_or(four);
        for (version, expected) in [(Version::V4, four), (Version::V3, three)] {
            let found = comparable(&case, &outcome(&case, version));
            if let Some(difference) = first_difference(&comparable(&case, expected), &found) {
                failures.push(format!("{version:?} {case}: {difference}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

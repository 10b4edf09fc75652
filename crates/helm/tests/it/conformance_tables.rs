//! The tables of the Helm corpus that need no template: `--set` grammar, ignore rules, document splitting.

use std::path::Path;

use helm::{Version, ignore, manifest, strvals};
use objects::{Map, Value};
use testkit::corpus::{Report, data_dir};

const VERSIONS: [(Version, &str); 2] = [(Version::V4, "4.2"), (Version::V3, "3.21")];

/// Runs every line of a table under both versions.
fn check(name: &str, run: impl Fn(&Value, Version) -> Result<Value, String>, result_field: &str) {
    let Some(dir) = data_dir("helm") else { return };
    let text = std::fs::read_to_string(dir.join(Path::new("tables")).join(format!("{name}.jsonl")))
        .expect("the table can be read");
    let mut report = Report::new(&format!("helm/{name}"));
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        for (version, label) in VERSIONS {
            let id = format!("{}@{label}", case["id"].as_str().unwrap_or("?"));
            let expected = case.get("by_version").map_or(&case, |by| &by[label]);
            report.case(
                &id,
                compare(expected, version, result_field, run(&case, version)),
            );
        }
    }
    report.check(&[]);
}

fn compare(
    expected: &Value,
    version: Version,
    result_field: &str,
    actual: Result<Value, String>,
) -> Result<(), String> {
    let newer = expected.get("error_4_2").filter(|_| version == Version::V4);
    let error = newer
        .or_else(|| expected.get("error"))
        .and_then(Value::as_str);
    match (error, actual) {
        (Some(expected), Err(actual)) if expected == actual => Ok(()),
        (None, Ok(actual)) if same(&actual, &expected[result_field]) => Ok(()),
        (_, actual) => Err(format!("expected {expected}\nactual   {actual:?}")),
    }
}

/// Compares by value: the tables are JSON, in which `1` and `1.0` are the same.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => left == right,
    }
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or("")
}

#[test]
fn conformance_strvals() {
    let run = |case: &Value, version| {
        let mut values: Map = case["base"].as_object().cloned().unwrap_or_default();
        for value in values.values_mut() {
            numbers_to_floats(value);
        }
        let read = |path: &str| Ok(format!("FILE({path})"));
        let mode = match text(case, "mode") {
            "set" => strvals::Mode::Set,
            "set-string" => strvals::Mode::String,
            "set-json" => strvals::Mode::Json,
            "set-literal" => strvals::Mode::Literal,
            _ => strvals::Mode::File(&read),
        };
        strvals::parse_into(text(case, "input"), mode, version, &mut values)
            .map(|()| Value::Object(values))
            .map_err(|error| error.to_string())
    };
    check("strvals", run, "result");
}

/// Values that come from YAML hold floats.
fn numbers_to_floats(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().and_then(serde_json::Number::from_f64);
            *number = float.expect("every JSON number of the tables is a finite float");
        }
        Value::Array(items) => items.iter_mut().for_each(numbers_to_floats),
        Value::Object(map) => map.values_mut().for_each(numbers_to_floats),
        _ => {}
    }
}

#[test]
fn conformance_helmignore() {
    let run = |case: &Value, _| {
        let mut rules =
            ignore::Rules::parse(text(case, "rules")).map_err(|error| error.to_string())?;
        if case["defaults"] == true {
            rules.add_defaults();
        }
        let is_directory = case["dir"] == true;
        Ok(Value::Bool(rules.ignores(text(case, "path"), is_directory)))
    };
    check("helmignore", run, "ignored");
}

#[test]
fn conformance_split_manifests() {
    let run = |case: &Value, version| Ok(manifest::split(text(case, "in"), version).into());
    check("split-manifests", run, "docs");
}

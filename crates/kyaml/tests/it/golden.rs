//! Recorded answers of the Go libraries; how they were made is in `tests/golden/README.md`.

use kyaml::{Dialect, EmitOptions, ReadOptions};
use serde_json::Value;
use testkit::corpus::Report;

/// Deviations: inputs that only a machine writes.
const KNOWN: &[(&str, &str)] = &[];

#[test]
fn answers_as_the_go_libraries() {
    let text = include_str!("../golden/go-yaml.jsonl");
    let mut report = Report::new("kyaml goldens");
    for (number, line) in text.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let op = case["op"].as_str().unwrap();
        let outcome = check(op, &case);
        report.case(&format!("{}-{op}", number + 1), outcome);
    }
    report.check(KNOWN);
}

fn check(op: &str, case: &Value) -> Result<(), String> {
    let input = case["in"].as_str().unwrap();
    let actual = answer(op, input);
    let expected = match case.get("err") {
        Some(error) => Err(error.as_str().unwrap().to_owned()),
        None => Ok(case["out"].as_str().unwrap().to_owned()),
    };
    let same = match (&expected, &actual) {
        (Ok(expected), Ok(actual)) if matches!(op, "y2j" | "v3json") => {
            normal(serde_json::from_str(expected).unwrap())
                == normal(serde_json::from_str(actual).unwrap())
        }
        _ => expected == actual,
    };
    if same {
        return Ok(());
    }
    Err(format!(
        "{op} of {input:?}\nexpected {expected:?}\nactual   {actual:?}"
    ))
}

/// Go spells large floats with digits where Rust uses an exponent; both mean the same number.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            Value::String(number.as_f64().unwrap().to_string())
        }
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, normal(value)))
            .collect(),
        other => other,
    }
}

fn answer(op: &str, input: &str) -> Result<String, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let value = || serde_json::from_str::<Value>(input).unwrap();
    match op {
        "y2j" => json_of(input, &ReadOptions::v11(), Dialect::V11),
        "v3json" => json_of(input, &ReadOptions::v3(), Dialect::V3),
        "sigs" => kyaml::emit_sigs(&value()).map_err(|e| text(&e)),
        "pretty" => kyaml::emit_pretty(&value()).map_err(|e| text(&e)),
        "kust" | "knode" => {
            let node =
                kyaml::parse_first(input.as_bytes(), &ReadOptions::v3()).map_err(|e| text(&e))?;
            match node {
                None => Ok("null\n".to_owned()),
                Some(node) if op == "knode" => kyaml::emit_sigs_node(&node).map_err(|e| text(&e)),
                Some(node) => {
                    let value = kyaml::to_json(&node, Dialect::V3).map_err(|e| text(&e))?;
                    kyaml::emit_sigs(&value).map_err(|e| text(&e))
                }
            }
        }
        _ => {
            let documents = kyaml::parse_documents(input.as_bytes(), &ReadOptions::editing())
                .map_err(|e| text(&e))?;
            let options = match op {
                "v3node" => EmitOptions::wide(),
                "v3nodecompact" => EmitOptions::compact(),
                _ => EmitOptions {
                    indent: 4,
                    compact_lists: false,
                },
            };
            Ok(kyaml::emit_documents(&documents, options))
        }
    }
}

fn json_of(input: &str, options: &ReadOptions, dialect: Dialect) -> Result<String, String> {
    let node = kyaml::parse_first(input.as_bytes(), options).map_err(|e| e.to_string())?;
    let value = match node {
        None => Value::Null,
        Some(node) => kyaml::to_json(&node, dialect).map_err(|e| e.to_string())?,
    };
    Ok(value.to_string())
}

//! `values.schema.json`, compared with what the library behind Helm says (`tests/golden/schema.jsonl`).

use helm::schema::validate_single;
use helm::values::untyped;
use serde_json::Value;
use testkit::corpus::{Report, first_difference};

#[test]
fn violations_are_helms() {
    let text = std::fs::read_to_string("tests/golden/schema.jsonl").unwrap();
    let mut report = Report::new("helm/schema");
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let schema = case["schema"].as_str().unwrap();
        let values = untyped(case["values"].as_object().unwrap());
        let outcome = validate_single(schema.as_bytes(), &values);
        let actual = outcome.err().map_or(String::new(), |error| error.text);
        let outcome = match case["one_of"].as_array() {
            // Upstream walks maps in random order.
            Some(all)
                if all
                    .iter()
                    .any(|one| sorted(one.as_str().unwrap()) == sorted(&actual)) =>
            {
                Ok(())
            }
            Some(_) => Err(format!("{} gave {actual}", case["one_of"])),
            None => {
                first_difference(case["expected"].as_str().unwrap(), &actual).map_or(Ok(()), Err)
            }
        };
        let id = case["id"].as_str().unwrap();
        report.case(
            id,
            outcome.map_err(|e| format!("{schema} {} {e}", case["values"])),
        );
    }
    report.check(super::known::SCHEMA);
}

/// The lines without regard to their order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

//! `values.schema.json`, compared with what the library behind Helm says (`tests/golden/schema.jsonl`).

use helm::schema::{SchemaLoader, validate_single};
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
        let outcome = validate_single(schema.as_bytes(), &values, None, &mut Vec::new());
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

/// Documents by address.
struct Shelf(&'static [(&'static str, &'static str)]);

impl SchemaLoader for Shelf {
    fn load(&self, url: &str) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(address, _)| *address == url);
        let (_, text) = found.ok_or_else(|| "not on the shelf".to_owned())?;
        Ok(text.as_bytes().to_vec())
    }
}

#[test]
fn documents_elsewhere_come_from_the_loader() {
    const SHELF: Shelf = Shelf(&[
        ("http://h/text.json", r#"{"type": "string"}"#),
        (
            "http://h/d/number.json",
            r#"{"$defs": {"n": {"$ref": "five.json"}}}"#,
        ),
        ("http://h/d/five.json", r#"{"minimum": 5}"#),
        ("http://h/none.json", "nothing"),
        (
            "http://h/meta",
            r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#,
        ),
    ]);
    let refused = "failing loading \"http://h/text.json\": schemas are not fetched";
    let check = |schema: &str, loader: Option<&dyn SchemaLoader>, expected: &str| {
        let values = serde_json::json!({"a": 1});
        let values = untyped(values.as_object().unwrap());
        let outcome = validate_single(schema.as_bytes(), &values, loader, &mut Vec::new());
        let text = outcome.err().map_or(String::new(), |error| error.text);
        assert_eq!(text, expected, "{schema}");
    };
    let a = |address: &str| format!(r#"{{"properties": {{"a": {{"$ref": "{address}"}}}}}}"#);
    check(&a("http://h/text.json"), None, refused);
    for (address, expected) in [
        ("http://h/text.json", "- at '/a': got number, want string\n"),
        (
            "http://h/d/number.json#/$defs/n",
            "- at '/a': minimum: got 1, want 5\n",
        ),
        (
            "http://h/none.json",
            "failing loading \"http://h/none.json\": invalid character 'o' in literal null (expecting 'u')",
        ),
        (
            "http://h/x",
            "failing loading \"http://h/x\": not on the shelf",
        ),
        ("urn:a:b", ""),
    ] {
        check(&a(address), Some(&SHELF), expected);
    }
    let draft7 =
        r#"{"$schema": "http://h/meta", "properties": {"a": {"$ref": "urn:x", "type": "string"}}}"#;
    check(draft7, Some(&SHELF), "");
}

/// The lines without regard to their order.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

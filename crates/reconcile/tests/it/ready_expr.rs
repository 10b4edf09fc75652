//! `readyExpr` against `fluxcd/pkg/runtime/cel`: what is refused, what fails, what holds, in which words.

use objects::{Object, Value};
use reconcile::expression::dependency_ready;

/// Expressions that come out differently, and why.
const KNOWN: &[(&str, &str)] = &[
    ("int(dep.metadata.name) == 3", CONVERSION),
    ("type(1) == int", TYPES),
    ("type(dep.metadata.name) == string", TYPES),
    ("type(true) == bool", TYPES),
    ("dep.?status.?missing.orValue('x') == 'x'", OPTIONAL),
    ("dep.?status.?missing.hasValue()", OPTIONAL),
    ("dep.?spec.?prune.orValue(false)", OPTIONAL),
    ("dep.?spec.?prune.orValue(false) == true", OPTIONAL),
    ("dep[?'status'].hasValue()", OPTIONAL),
    ("[?dep.?x] == []", OPTIONAL),
    ("[1, 2, 3].first().value() == 1", OPTIONAL),
    (
        "dep.`metadata`.name == 'infra'",
        "the parser takes quoted names",
    ),
    ("google.protobuf.BoolValue{value: true}", MESSAGES),
    ("google.protobuf.Struct{}", MESSAGES),
    ("null < null", OPERATORS),
    ("dep.metadata.name.all(c, true)", OPERATORS),
    ("1 +\n", "the excerpt of an empty line is left out"),
    (
        "",
        "column 1 instead of 0; an empty expression is no expression to Flux",
    ),
];
const CONVERSION: &str = "another wording of a failed conversion";
const TYPES: &str = "the evaluator has no types as values";
const OPTIONAL: &str = "the evaluator has no optional selections";
const MESSAGES: &str = "messages of named types are refused before they are looked at";
const OPERATORS: &str = "another wording of operators and ranges that do not fit at run time";

fn golden(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ready-expr");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn object(name: &str) -> Object {
    Object::from_value(serde_json::from_str(&golden(name)).unwrap()).unwrap()
}

/// Says what became of an expression: `refused`, `failed` or `value`, with the words or the value.
fn outcome(text: &str, own: &Object, dependency: &Object) -> (&'static str, Value) {
    match dependency_ready(text, own, dependency) {
        Ok(holds) => ("value", holds.into()),
        Err(error) if error.is_terminal() => ("refused", error.to_string().into()),
        Err(error) => ("failed", error.to_string().into()),
    }
}

#[test]
fn expressions_come_out_as_recorded() {
    let (own, dependency) = (object("own.json"), object("dep.json"));
    let (mut differences, mut unused) = (Vec::new(), KNOWN.to_vec());
    for line in golden("cases.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["expression"].as_str().unwrap();
        let (kind, got) = outcome(text, &own, &dependency);
        let same = case[kind] == got;
        let known = unused.iter().position(|(id, _)| *id == text);
        match known {
            Some(position) if !same => drop(unused.remove(position)),
            _ if same => {}
            _ => differences.push(format!("{text}\n  wanted {case}\n  got    {kind} {got}")),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(unused.is_empty(), "not different any more: {unused:?}");
}

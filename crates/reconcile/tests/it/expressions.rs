//! `readyExpr` and `healthCheckExprs` against `fluxcd/pkg/runtime/cel`: what is refused, fails or holds, in which words.

use objects::{Object, Value};
use proptest::prelude::*;
use reconcile::expression::{Expression, ExpressionError, dependency_ready};

/// Expressions that come out differently, and why.
const KNOWN: &[(&str, &str)] = &[
    ("type(1) == int", TYPES),
    ("type(dep.metadata.name) == string", TYPES),
    ("type(true) == bool", TYPES),
    ("dep.?status.?missing.orValue('x') == 'x'", OPTIONAL),
    ("dep.?status.?missing.hasValue()", OPTIONAL),
    ("dep.?spec.?prune.orValue(false)", OPTIONAL),
    ("dep.?spec.?prune.orValue(false) == true", OPTIONAL),
    ("dep[?'status'].hasValue()", OPTIONAL),
    ("[?dep.?x] == []", OPTIONAL),
    (
        "dep.`metadata`.name == 'infra'",
        "the parser takes quoted names",
    ),
    ("google.protobuf.BoolValue{value: true}", MESSAGES),
    ("google.protobuf.Struct{}", MESSAGES),
    ("null < null", OPERATORS),
    ("dep.metadata.name.all(c, true)", OPERATORS),
    ("dep.metadata.generation.exists(c, true)", OPERATORS),
    ("dep.status.conditions['x'] == 1", OPERATORS),
    ("dep.metadata.name[0] == 'x'", OPERATORS),
    ("sets.contains(dep.metadata.name, [1])", OPERATORS),
    ("base64.decode('%') == b''", OPERATORS),
    ("dep.metadata.name.x == 1", SELECTION),
    ("dep.metadata.generation.x == 1", SELECTION),
    ("dep.metadata.generation == 3.0", NUMBERS),
    ("dep.status.conditions + dep.metadata == []", NUMBERS),
    ("int('x') == 1", CONSTANTS),
    ("double('x') == 1.0", CONSTANTS),
    ("uint(-1) == 1u", CONSTANTS),
    ("uint('x') == 1u", CONSTANTS),
    ("bool('x') == true", CONSTANTS),
    ("timestamp('x') == timestamp('x')", CONSTANTS),
    ("duration('x') == duration('x')", CONSTANTS),
    ("dep.metadata.name.matches('(')", CONSTANTS),
    ("'%d'.format(['x']) == ''", CONSTANTS),
    ("'%s'.format([]) == ''", CONSTANTS),
    ("1 +\n", "the excerpt of an empty line is left out"),
    (
        "",
        "column 1 instead of 0; an empty expression is no expression to Flux",
    ),
];
const TYPES: &str = "the evaluator has no types as values";
const OPTIONAL: &str = "the evaluator has no optional selections";
const MESSAGES: &str = "messages of named types are refused before they are looked at";
const SELECTION: &str = "the evaluator has fields of texts and numbers, which equal nothing";
const NUMBERS: &str =
    "the evaluator compares what cel-go cannot, and whole numbers with others as different";
const CONSTANTS: &str = "the evaluator computes constants only when it evaluates";
const OPERATORS: &str = "another wording of operators and ranges that do not fit at run time";

/// As above, for health checks.
const KNOWN_HEALTH: &[(&str, &str)] = &[
    ("quantity('1') == quantity('1')", OPERATORS),
    ("type(1) == int", TYPES),
];

fn golden(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn object(name: &str) -> Object {
    Object::from_value(serde_json::from_str(&golden(name)).unwrap()).unwrap()
}

/// Says what became of an expression: `refused`, `failed` or `value`, with the words or the value.
fn outcome(result: Result<bool, ExpressionError>) -> (&'static str, Value) {
    match result {
        Ok(holds) => ("value", holds.into()),
        Err(error) if error.is_terminal() => ("refused", error.to_string().into()),
        Err(error) => ("failed", error.to_string().into()),
    }
}

/// Compares with a recording; what differs must be known.
fn check(
    recording: &str,
    known: &[(&str, &str)],
    evaluate: impl Fn(&str) -> Result<bool, ExpressionError>,
) {
    let (mut differences, mut unused) = (Vec::new(), known.to_vec());
    for line in golden(recording).lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["expression"].as_str().unwrap();
        let (kind, got) = outcome(evaluate(text));
        let same = case[kind] == got;
        match unused.iter().position(|(id, _)| *id == text) {
            Some(position) if !same => drop(unused.remove(position)),
            _ if same => {}
            _ => differences.push(format!("{text}\n  wanted {case}\n  got    {kind} {got}")),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(unused.is_empty(), "not different any more: {unused:?}");
}

#[test]
fn ready_expressions_come_out_as_recorded() {
    let own = object("ready-expr/own.json");
    let dependency = object("ready-expr/dep.json");
    check("ready-expr/cases.jsonl", KNOWN, |text| {
        dependency_ready(text, &own, &dependency)
    });
}

#[test]
fn health_expressions_come_out_as_recorded() {
    let object = object("health-expr/object.json");
    check("health-expr/cases.jsonl", KNOWN_HEALTH, |text| {
        Expression::new(text)?.holds(object.0.iter().map(|(key, value)| (key.as_str(), value)))
    });
}

/// Texts made of what expressions are made of.
fn plausible() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "self",
        "dep",
        "x",
        "a",
        "1",
        "0",
        "2u",
        "1.5",
        "'s'",
        "b'x'",
        "true",
        "null",
        "int",
        "type",
        "has",
        "size",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "string",
        "duration",
        "timestamp",
        "matches",
        "split",
        "format",
        "sets",
        "optional",
        "of",
        "none",
        "first",
        "in",
        ".",
        ".?",
        "[",
        "[?",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "?",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        " ",
        "//",
        "\n",
        "\"",
        "`",
    ]);
    prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn no_expression_panics(text in plausible(), any in "\\PC{0,40}") {
        let object = object("ready-expr/dep.json");
        for text in [text, any] {
            let _ = dependency_ready(&text, &object, &object);
            if let Ok(expression) = Expression::new(&text) {
                let _ = expression.holds(object.0.iter().map(|(key, value)| (key.as_str(), value)));
            }
        }
    }
}

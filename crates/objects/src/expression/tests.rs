//! What is particular to schemas and to the two libraries; a recording of cel-go is compared where expressions are used.

use super::*;
use crate::json;

fn outcome(source: &str, library: Library) -> String {
    let schema = json!({"type": "object", "properties": {
        "replicas": {"type": "integer"},
        "my-name": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "ports": {"type": "array", "items": {"type": "object", "properties": {"port": {"type": "integer"}}}},
        "until": {"type": "string", "format": "date-time"},
        "any": {"x-kubernetes-preserve-unknown-fields": true}
    }});
    let variables = vec![("self".to_owned(), Type::of(&schema, true))];
    match check(source, library, variables) {
        Ok(kind) => kind.full_name().unwrap_or_else(|| "?".to_owned()),
        Err(Refusal::Types(text)) => text.lines().next().unwrap_or_default().to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn schemas_give_types_to_fields() {
    for (source, expected) in [
        ("self.replicas", "int"),
        ("self.my__dash__name", "string"),
        ("self.labels['a']", "string"),
        ("self.ports.map(p, p.port)", "list(int)"),
        ("self.ports.all(p, p.port > 0)", "bool"),
        ("self.until", "google.protobuf.Timestamp"),
        ("self.until == null", "bool"),
        ("self.any", "dyn"),
        ("self.metadata.name", "string"),
        ("self.gone", "ERROR: <input>:1:5: undefined field 'gone'"),
        (
            "self.replicas == 'x'",
            "ERROR: <input>:1:15: found no matching overload for '_==_' applied to '(int, string)'",
        ),
        ("self.replicas + self.any", "int"),
        ("self.replicas > 1.5", "bool"),
    ] {
        assert_eq!(outcome(source, Library::Kubernetes), expected, "{source}");
    }
}

#[test]
fn libraries_differ_in_their_functions() {
    let flux = "ERROR: <input>:1:9: undeclared reference to 'quantity' (in container '')";
    for (source, kubernetes, in_flux) in [
        ("quantity('1') == quantity('2')", "bool", flux),
        ("'a'.startsWith('b')", "bool", "bool"),
        // Kubernetes may have further overloads, so that nothing is refused there.
        (
            "'a'.indexOf(1)",
            "int",
            "ERROR: <input>:1:12: found no matching overload for 'indexOf' applied to 'string.(int)'",
        ),
        ("optional.of(1).orValue(2)", "int", "int"),
        ("optional.none().hasValue()", "bool", "bool"),
        ("type(1) == int", "bool", "bool"),
    ] {
        assert_eq!(outcome(source, Library::Kubernetes), kubernetes, "{source}");
        assert_eq!(outcome(source, Library::Flux), in_flux, "{source}");
    }
}

#[test]
fn what_cannot_be_read_or_evaluated_has_no_type() {
    for (source, expected) in [
        ("self.", "Syntax"),
        ("Foo{}", "Unfit(Message)"),
        (&"(".repeat(50), "Unfit(Nesting)"),
    ] {
        assert_eq!(outcome(source, Library::Flux), expected, "{source}");
    }
}

//! Objects as messages of immutable fields print them: Go's internal structs as JSON, and diffs of those.
//!
//! The v1 form of an object goes in, the JSON that Go makes of the internal struct comes out: all fields in the
//! struct's order, unset ones as zero or null. Which fields those are is in the packed asset (struct name → Go name, v1
//! name, type, whether omitted when empty), made from the types of Kubernetes 1.35 by the Go program
//! `assets/internals.go`.

mod diff;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use objects::{Map, Value};

static ASSET: &[u8] = include_bytes!("../../assets/internals.json.gz");

/// Bound on nesting.
const DEPTH_MAX: usize = 64;

/// Go name ("" where embedded), v1 name, type, whether omitted when empty.
type Field = (String, String, String, bool);

static STRUCTS: LazyLock<HashMap<String, Vec<Field>>> = LazyLock::new(|| {
    let mut text = Vec::new();
    GzDecoder::new(ASSET)
        .read_to_end(&mut text)
        .expect("the committed asset is gzip");
    serde_json::from_slice(&text).expect("the committed asset has this shape")
});

/// JSON with members in order.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    /// Anything without members, as text.
    Leaf(String),
    List(Vec<Tree>),
    Struct(Vec<(String, Tree)>),
}

/// Prints an object of a struct on one line.
pub fn compact(name: &str, object: &Map) -> String {
    let mut out = String::new();
    tree(name, &Value::Object(object.clone()), 0).write(&mut out, None);
    out
}

/// Prints what differs between two objects of a struct, as a unified diff with three lines around each change.
pub fn difference(name: &str, old: &Map, new: &Map) -> String {
    let lines = |object: &Map| {
        let mut out = String::new();
        tree(name, &Value::Object(object.clone()), 0).write(&mut out, Some(0));
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    diff::unified(&lines(old), &lines(new))
}

fn tree(kind: &str, value: &Value, depth: usize) -> Tree {
    if depth > DEPTH_MAX {
        return Tree::Leaf("null".into());
    }
    if let Some(inner) = kind.strip_prefix('*') {
        return match value {
            Value::Null => Tree::Leaf("null".into()),
            value => tree(inner, value, depth + 1),
        };
    }
    if let Some(inner) = kind.strip_prefix("[]") {
        return match value {
            Value::Array(items) => {
                Tree::List(items.iter().map(|v| tree(inner, v, depth + 1)).collect())
            }
            _ => Tree::Leaf("null".into()),
        };
    }
    if let Some(inner) = kind.strip_prefix("map[") {
        return match value {
            Value::Object(map) => Tree::Struct(
                map.iter()
                    .map(|(key, v)| (key.clone(), tree(inner, v, depth + 1)))
                    .collect(),
            ),
            _ => Tree::Leaf("null".into()),
        };
    }
    match STRUCTS.get(kind) {
        Some(fields) => {
            let empty = Map::new();
            let map = value.as_object().unwrap_or(&empty);
            Tree::Struct(members(kind, fields, map, depth))
        }
        None => Tree::Leaf(leaf(kind, value)),
    }
}

fn leaf(kind: &str, value: &Value) -> String {
    let zero = match kind {
        "string" => "\"\"",
        "quantity" => "\"0\"",
        "bool" => "false",
        "int" | "intstr" => "0",
        _ => "null",
    };
    match value {
        Value::Null => zero.to_owned(),
        value => escaped(value),
    }
}

/// Writes a scalar as Go's encoder does, which keeps HTML safe.
fn escaped(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn members(kind: &str, fields: &[Field], map: &Map, depth: usize) -> Vec<(String, Tree)> {
    let mut out = Vec::with_capacity(fields.len());
    for (shown, name, inner, omit) in fields {
        if shown.is_empty() {
            // Embedded: ObjectMeta has its own object in v1, the others share the parent's.
            let own = map.get("metadata").and_then(Value::as_object);
            let source = match own {
                Some(own) if inner == "ObjectMeta" => own,
                _ => map,
            };
            if let Some(fields) = STRUCTS.get(inner) {
                out.extend(members(inner, fields, source, depth + 1));
            }
            continue;
        }
        // Fields without a name in v1 go by their Go name there.
        let own = match name.as_str() {
            "" => lowered(shown),
            name => name.to_owned(),
        };
        let value = map.get(&own).unwrap_or(&Value::Null);
        if *omit && empty(value) {
            continue;
        }
        let value = match (kind, inner.as_str()) {
            ("PodSpec", "*PodSecurityContext") => security_context(map),
            _ => value.clone(),
        };
        out.push((shown.clone(), tree(inner, &value, depth + 1)));
    }
    out
}

/// Internally the host's namespaces are part of the security context.
fn security_context(spec: &Map) -> Value {
    let mut context = match spec.get("securityContext") {
        Some(Value::Object(context)) => context.clone(),
        _ => Map::new(),
    };
    let fields = STRUCTS.get("PodSecurityContext");
    for (shown, name, _, _) in fields.into_iter().flatten() {
        let own = lowered(shown);
        if name.is_empty()
            && let Some(value) = spec.get(&own)
        {
            context.insert(own, value.clone());
        }
    }
    Value::Object(context)
}

/// Writes the first letter of a Go name small.
fn lowered(name: &str) -> String {
    let first = name.chars().next().unwrap_or('H').to_ascii_lowercase();
    format!("{first}{}", name.get(1..).unwrap_or(""))
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

impl Tree {
    /// Writes on one line, or indented by one space a level.
    fn write(&self, out: &mut String, level: Option<usize>) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::List(items) => {
                let items = items.iter().map(|item| (None, item));
                write_all(out, level, ('[', ']'), items.collect());
            }
            Self::Struct(fields) => {
                let fields = fields.iter().map(|(name, item)| (Some(name), item));
                write_all(out, level, ('{', '}'), fields.collect());
            }
        }
    }
}

fn write_all(
    out: &mut String,
    level: Option<usize>,
    (open, close): (char, char),
    members: Vec<(Option<&String>, &Tree)>,
) {
    let next = level.map(|level| level + 1);
    let line = |out: &mut String, level: Option<usize>| {
        if let Some(level) = level {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', level));
        }
    };
    let any = !members.is_empty();
    out.push(open);
    for (index, (name, item)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        line(out, next);
        if let Some(name) = name {
            out.push_str(&escaped(&name.as_str().into()));
            out.push_str(if level.is_some() { ": " } else { ":" });
        }
        item.write(out, next);
    }
    if any {
        line(out, level);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    #[test]
    fn unset_fields_are_shown_and_embedded_ones_lifted() {
        let volume = json!({"name": "v", "emptyDir": {"sizeLimit": "1Gi"}});
        let text = compact("Volume", volume.as_object().unwrap());
        assert!(text.starts_with(
            r#"{"Name":"v","HostPath":null,"EmptyDir":{"Medium":"","SizeLimit":"1Gi"},"#
        ));
    }

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let claim = |mode: &str| {
            let value =
                json!({"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}});
            value.as_object().unwrap().clone()
        };
        let found = difference(
            "PersistentVolumeClaimSpec",
            &claim("ReadWriteOnce"),
            &claim("ReadWriteMany"),
        );
        assert_eq!(
            found,
            "@@ -1,6 +1,6 @@\n {\n  \"AccessModes\": [\n-  \"ReadWriteOnce\"\n+  \"ReadWriteMany\"\n  ],\n  \"Selector\": null,\n  \"Resources\": {\n"
        );
    }
}

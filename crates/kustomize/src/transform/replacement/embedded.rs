//! Replacement inside a string that holds YAML or JSON.
//!
//! JSON is printed again compactly, or with two blanks where it had line breaks and blanks; YAML in the
//! order and style it had.

use kyaml::{Document, EmitOptions, Node};
use serde_json::Value;

use crate::node::lookup::{lookup, lookup_mut};
use crate::node::matcher::Matcher;
use crate::node::{Kind, kind, set_text, text};

/// Writes a value where a path goes on inside a string. `false` means that the path does not, or that it
/// leads nowhere there; the object is then as it was.
pub(super) fn write(
    object: &mut Node,
    value: &Node,
    path: &[String],
    create: Option<Kind>,
) -> bool {
    let Some((at, mut parsed)) = find(object, path) else {
        return false;
    };
    let mut set = |field: &mut Node| {
        super::put(field, value);
        Ok(())
    };
    let mut matcher = Matcher {
        create,
        found: &mut set,
        count: 0,
    };
    if matcher.visit(&mut parsed.root, &path[at..]).is_err() || matcher.count == 0 {
        return false;
    }
    let Ok(Some(scalar)) = lookup_mut(object, &path[..at]) else {
        return false;
    };
    match printed(parsed, text(scalar)) {
        Some(printed) => {
            set_text(scalar, &printed);
            true
        }
        None => false,
    }
}

/// Finds the first scalar on the path that parses, and what it holds.
fn find(object: &Node, path: &[String]) -> Option<(usize, Document)> {
    for at in 1..path.len() {
        let Ok(Some(found)) = lookup(object, &path[..at]) else {
            continue;
        };
        if kind(found) != Kind::Scalar {
            continue;
        }
        let content = text(found);
        if content.trim().is_empty() {
            return None;
        }
        if let Ok(parsed) = crate::reading::parse_embedded_document(content) {
            return Some((at, parsed));
        }
    }
    None
}

fn printed(parsed: Document, original: &str) -> Option<String> {
    if !original.trim_start().starts_with(['{', '[']) {
        let text = kyaml::emit_documents(&[parsed], EmitOptions::compact());
        return Some(text.trim().to_owned());
    }
    let json = crate::emission::to_json(&parsed.root).ok()?;
    if original.contains('\n') && original.contains("  ") {
        let mut out = String::new();
        indented(&json, 0, &mut out);
        return Some(out);
    }
    Some(crate::emission::go_json(&json))
}

/// Prints as Go's `json.MarshalIndent` with two blanks.
fn indented(value: &Value, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                line(out, depth + 1);
                indented(item, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Object(map) if !map.is_empty() => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                line(out, depth + 1);
                out.push_str(&crate::emission::go_json(&Value::String(key.clone())));
                out.push_str(": ");
                indented(item, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        other => out.push_str(&crate::emission::go_json(other)),
    }
}

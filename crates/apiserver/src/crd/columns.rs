//! Printer columns of custom kinds: JSON paths (in Kubernetes' dialect) into table cells.

use jiff::Timestamp;
use objects::{Map, Value};

use crate::catalog::{Column, Resource};

/// Builds the cells of a row; the first column is the name.
pub fn cells(resource: &Resource, object: &Map, now: Timestamp) -> Vec<Value> {
    let root = Value::Object(object.clone());
    let cell = |(index, column): (usize, &Column)| {
        if index == 0 {
            return root["metadata"]["name"].clone();
        }
        cell(column, &root, now)
    };
    resource.columns.iter().enumerate().map(cell).collect()
}

fn cell(column: &Column, root: &Value, now: Timestamp) -> Value {
    let found = find(root, &column.path);
    let Some(first) = found.first() else {
        return Value::Null;
    };
    match column.kind.as_str() {
        "integer" => first
            .as_i64()
            .map(Value::from)
            .or_else(|| {
                #[expect(clippy::cast_possible_truncation, reason = "Go truncates here too")]
                first.as_f64().map(|number| Value::from(number as i64))
            })
            .unwrap_or(Value::Null),
        "number" if first.is_number() => (*first).clone(),
        "boolean" if first.is_boolean() => (*first).clone(),
        "date" => date(first, now),
        "string" => {
            let texts: Vec<String> = found.iter().map(|value| print(value)).collect();
            Value::from(texts.join(" "))
        }
        _ => Value::Null,
    }
}

fn date(value: &Value, now: Timestamp) -> Value {
    let Some(text) = value.as_str() else {
        return "<invalid>".into();
    };
    match text.parse::<Timestamp>() {
        Ok(moment) => crate::age::since(moment, now).into(),
        Err(_) => "<invalid>".into(),
    }
}

fn print(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

/// Finds the values at a path such as `.status.conditions[?(@.type=="Ready")].status`.
pub fn find<'a>(root: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![root];
    for step in steps(path) {
        found = found
            .into_iter()
            .flat_map(|value| step.take(value))
            .collect();
    }
    found
}

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Index(i64),
    All,
    Filter(String, &'static str, String),
    Exists(String),
}

impl Step {
    fn take<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Key(key) => value.get(key).into_iter().collect(),
            Self::Index(index) => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *index < 0 { length + index } else { *index };
                let at = usize::try_from(at).ok();
                at.and_then(|at| items.get(at)).into_iter().collect()
            }
            Self::All => match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            },
            Self::Filter(path, operator, wanted) => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let fits = |item: &&Value| {
                    let found = find(item, path);
                    found
                        .first()
                        .is_some_and(|v| (print(v) == *wanted) == (*operator == "=="))
                };
                items.iter().filter(fits).collect()
            }
            Self::Exists(path) => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                items
                    .iter()
                    .filter(|item| !find(item, path).is_empty())
                    .collect()
            }
        }
    }
}

/// Splits a path; what cannot be understood finds nothing.
fn steps(path: &str) -> Vec<Step> {
    let path = path
        .trim()
        .trim_start_matches('{')
        .trim_end_matches('}')
        .trim_start_matches('$');
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some(end) = closing(after) else { break };
            steps.push(bracket(after[..end].trim()));
            rest = &after[end + 1..];
            continue;
        }
        let after = rest.strip_prefix('.').unwrap_or(rest);
        let (key, tail) = word(after);
        if key == "*" {
            steps.push(Step::All);
        } else if !key.is_empty() {
            steps.push(Step::Key(key));
        } else if tail.len() == rest.len() {
            break;
        }
        rest = tail;
    }
    steps
}

/// Reads a key, in which a backslash keeps the next character.
fn word(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => {
                if let Some((_, kept)) = chars.next() {
                    key.push(kept);
                }
            }
            '.' | '[' => return (key, &text[index..]),
            c => key.push(c),
        }
    }
    (key, "")
}

/// Finds the bracket that ends a subscript, outside quotes.
fn closing(text: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0);
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(index),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Step {
    if inner == "*" {
        return Step::All;
    }
    if let Ok(index) = inner.parse() {
        return Step::Index(index);
    }
    if let Some(filter) = inner.strip_prefix("?(").and_then(|f| f.strip_suffix(')')) {
        let filter = filter.trim();
        for operator in ["==", "!="] {
            if let Some((left, right)) = filter.split_once(operator) {
                let path = left.trim().trim_start_matches('@').to_owned();
                let wanted = right.trim().trim_matches(['"', '\'']).to_owned();
                return Step::Filter(path, operator, wanted);
            }
        }
        return Step::Exists(filter.trim_start_matches('@').to_owned());
    }
    Step::Key(inner.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    #[test]
    fn paths_find_what_kubectl_shows() {
        let object = json!({"status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}], "a.b": 1}});
        for (path, expected) in [
            (
                ".status.conditions[?(@.type==\"Ready\")].status",
                vec![json!("True")],
            ),
            (
                ".status.conditions[*].type",
                vec![json!("A"), json!("Ready")],
            ),
            (".status.conditions[-1].type", vec![json!("Ready")]),
            (".status['a.b']", vec![json!(1)]),
            (".status.a\\.b", vec![json!(1)]),
            (".none.at.all", vec![]),
            (".[", vec![object.clone()]),
        ] {
            let found: Vec<Value> = find(&object, path).into_iter().cloned().collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_paths_never_panic(path: String) {
            find(&json!({"a": [{"b": 1}]}), &path);
        }
    }
}

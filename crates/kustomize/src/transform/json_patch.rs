//! JSON patches (RFC 6902) with the leniency of the Go library upstream uses.
//!
//! `replace` of a missing map key adds it, negative list indices count from the end, `test` of a missing
//! path agrees with `null`. Everything passes through JSON: styles and number spellings are lost.

use serde_json::Value;

use crate::error::{BuildError, Result, fail};

/// Operations applied to one object, at most; each is linear in the depth of its path.
const OPERATIONS_MAX: usize = 100_000;

/// A parsed patch.
#[derive(Clone, Debug)]
pub(crate) struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    op: String,
    path: Option<String>,
    from: Option<String>,
    value: Option<Value>,
}

impl JsonPatch {
    /// Reads a patch; text that starts with `[` is JSON, all else is YAML.
    pub fn parse(text: &str) -> Result<Self> {
        let json = if text.starts_with('[') {
            serde_json::from_str(text).map_err(|e| BuildError::new(e.to_string()))?
        } else {
            crate::reading::yaml_to_json(text.as_bytes())?
        };
        Self::from_json(json)
    }

    fn from_json(json: Value) -> Result<Self> {
        let items = match json {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => {
                let got = type_name(&other);
                fail!("json: cannot unmarshal {got} into Go value of type jsonpatch.Patch")
            }
        };
        if items.len() > OPERATIONS_MAX {
            fail!("a patch of more than {OPERATIONS_MAX} operations");
        }
        let operations = items.into_iter().map(Operation::from_json);
        Ok(Self {
            operations: operations.collect::<Result<_>>()?,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Applies all operations; a failing one leaves the document half changed.
    pub fn apply(&self, document: &mut Value) -> Result<()> {
        self.operations
            .iter()
            .try_for_each(|operation| operation.apply(document))
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Operation {
    fn from_json(json: Value) -> Result<Self> {
        let Value::Object(mut fields) = json else {
            let got = type_name(&json);
            fail!("json: cannot unmarshal {got} into Go value of type jsonpatch.Operation");
        };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (op, path, from) = (text("op"), text("path"), text("from"));
        Ok(Self {
            op: op.unwrap_or_else(|| "unknown".into()),
            path,
            from,
            value: fields.remove("value"),
        })
    }

    fn apply(&self, document: &mut Value) -> Result<()> {
        let missing =
            |what: &str| BuildError::new(format!("{} operation missing {what} field", self.op));
        let path = || self.path.as_deref().ok_or_else(|| missing("path"));
        match self.op.as_str() {
            "add" => add(document, path()?, self.value(), "add"),
            "remove" => remove(document, path()?).map(|_| ()),
            "replace" => replace(document, path()?, self.value()),
            "move" => {
                let from = self.from.as_deref().ok_or_else(|| missing("from"))?;
                let value = take(document, from)?;
                add(document, path()?, value, "move")
            }
            "copy" => {
                let from = self.from.as_deref().ok_or_else(|| missing("from"))?;
                let value = get(document, from, "copy", "from ")?;
                add(document, path()?, value, "copy")
            }
            "test" => self.test(document, path()?),
            other => fail!("Unexpected kind: {other}"),
        }
    }

    fn value(&self) -> Value {
        self.value.clone().unwrap_or(Value::Null)
    }

    fn test(&self, document: &mut Value, path: &str) -> Result<()> {
        let found = if path.is_empty() {
            document.clone()
        } else {
            get(document, path, "test", "")?
        };
        let wanted = self.value();
        if same(&found, &wanted) {
            return Ok(());
        }
        fail!("testing value {path} failed: test failed")
    }
}

/// Compares decoded values: numbers by value.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(l), Value::Number(r)) => l == r || l.as_f64() == r.as_f64(),
        (Value::Array(l), Value::Array(r)) => {
            l.len() == r.len() && l.iter().zip(r).all(|(l, r)| same(l, r))
        }
        (Value::Object(l), Value::Object(r)) => {
            l.len() == r.len()
                && l.iter()
                    .all(|(key, l)| r.get(key).is_some_and(|r| same(l, r)))
        }
        _ => left == right,
    }
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// Splits a pointer into the steps to the parent and the last step.
fn split(path: &str) -> Option<(Vec<String>, String)> {
    let mut steps: Vec<&str> = path.split('/').collect();
    if steps.len() < 2 {
        return None;
    }
    let last = steps.pop()?;
    let parents = steps.into_iter().skip(1).map(unescape).collect();
    Some((parents, unescape(last)))
}

/// Finds the collection that holds the last step of a path.
fn parent<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parents, last) = split(path)?;
    let mut at = document;
    for step in &parents {
        at = match at {
            Value::Object(map) => map.get_mut(step.as_str())?,
            Value::Array(list) => {
                let index = list_index(step, list.len()).ok()?;
                list.get_mut(index)?
            }
            _ => return None,
        };
    }
    (at.is_object() || at.is_array()).then_some((at, last))
}

/// Reads an index of an existing element; negative ones count from the end.
fn list_index(step: &str, len: usize) -> Result<usize> {
    let Ok(index) = step.parse::<i64>() else {
        fail!("strconv.Atoi: parsing {step:?}: invalid syntax");
    };
    let length = i64::try_from(len).unwrap_or(i64::MAX);
    let at = if index < 0 { index + length } else { index };
    match usize::try_from(at) {
        Ok(at) if at < len => Ok(at),
        _ => fail!("Unable to access invalid index: {index}: invalid index referenced"),
    }
}

fn no_parent(op: &str, what: &str, path: &str) -> BuildError {
    BuildError::new(format!(
        "{op} operation does not apply: {what} path: {path}: missing value"
    ))
}

fn add(document: &mut Value, path: &str, value: Value, op: &str) -> Result<()> {
    let quoted = format!("{path:?}");
    let (what, shown) = match op {
        "add" => ("doc is missing", quoted.as_str()),
        _ => ("doc is missing destination", path),
    };
    let Some((parent, last)) = parent(document, path) else {
        return Err(no_parent(op, what, shown));
    };
    match parent {
        Value::Array(list) if last == "-" => list.push(value),
        Value::Array(list) => {
            let index = insert_index(&last, list.len())
                .map_err(|error| error.wrap(format!("error in {op} for path: '{path}'")))?;
            list.insert(index, value);
        }
        Value::Object(map) => {
            map.insert(last, value);
        }
        _ => return Err(no_parent(op, what, shown)),
    }
    Ok(())
}

fn insert_index(step: &str, len: usize) -> Result<usize> {
    let Ok(index) = step.parse::<i64>() else {
        fail!("value was not a proper array index: '{step}'");
    };
    let length = i64::try_from(len).unwrap_or(i64::MAX);
    let at = if index < 0 { index + length + 1 } else { index };
    match usize::try_from(at) {
        Ok(at) if at <= len => Ok(at),
        _ => fail!("Unable to access invalid index: {index}: invalid index referenced"),
    }
}

fn remove(document: &mut Value, path: &str) -> Result<Value> {
    let Some((parent, last)) = parent(document, path) else {
        return Err(BuildError::new(format!(
            "remove operation does not apply: doc is missing path: \"{path}\": missing value"
        )));
    };
    take_child(parent, &last)
        .map_err(|error| error.wrap(format!("error in remove for path: '{path}'")))
}

fn take_child(parent: &mut Value, step: &str) -> Result<Value> {
    match parent {
        Value::Object(map) => match map.remove(step) {
            Some(value) => Ok(value),
            None => fail!("Unable to remove nonexistent key: {step}: missing value"),
        },
        Value::Array(list) => {
            let index = list_index(step, list.len())?;
            Ok(list.remove(index))
        }
        _ => fail!("missing value"),
    }
}

fn replace(document: &mut Value, path: &str, value: Value) -> Result<()> {
    if path.is_empty() {
        if !value.is_object() && !value.is_array() {
            fail!("replace operation hit non-object/non-array root");
        }
        *document = value;
        return Ok(());
    }
    let Some((parent, last)) = parent(document, path) else {
        return Err(no_parent("replace", "doc is missing", path));
    };
    match parent {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(list) => {
            let index = list_index(&last, list.len()).map_err(|_| {
                BuildError::new(format!(
                    "replace operation does not apply: doc is missing key: {path}: missing value"
                ))
            })?;
            list[index] = value;
        }
        _ => return Err(no_parent("replace", "doc is missing", path)),
    }
    Ok(())
}

fn take(document: &mut Value, path: &str) -> Result<Value> {
    let Some((parent, last)) = parent(document, path) else {
        return Err(no_parent("move", "doc is missing from", path));
    };
    take_child(parent, &last).map_err(|e| e.wrap(format!("error in move for path: '{last}'")))
}

/// Returns a value; a missing key of a map reads as null.
fn get(document: &mut Value, path: &str, op: &str, from: &str) -> Result<Value> {
    let what = match op {
        "test" => "is missing",
        _ => "doc is missing from",
    };
    match parent(document, path) {
        None => Err(no_parent(op, what, path)),
        Some((Value::Array(list), last)) => {
            let index = list_index(&last, list.len())
                .map_err(|error| error.wrap(format!("error in {op} for {from}path: '{path}'")))?;
            Ok(list[index].clone())
        }
        Some((parent, last)) => Ok(parent.get(&last).cloned().unwrap_or(Value::Null)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(document: Value, patch: Value, expected: std::result::Result<Value, &str>) {
        let mut result = document;
        let outcome = JsonPatch::from_json(patch).and_then(|patch| patch.apply(&mut result));
        match expected {
            Ok(value) => {
                outcome.unwrap();
                assert_eq!(result, value);
            }
            Err(text) => {
                let error = outcome.unwrap_err();
                assert!(error.message().contains(text), "{error}");
            }
        }
    }

    #[test]
    fn operations_follow_the_lenient_library() {
        let op =
            |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
        check(
            json!({}),
            op("replace", "/a", json!(1)),
            Ok(json!({"a": 1})),
        );
        check(
            json!({"a": [1]}),
            op("add", "/a/-", json!(2)),
            Ok(json!({"a": [1, 2]})),
        );
        check(
            json!({"a": [1]}),
            op("add", "/a/-1", json!(2)),
            Ok(json!({"a": [1, 2]})),
        );
        check(
            json!({"a": [1]}),
            op("add", "/a/2", json!(2)),
            Err("Unable to access invalid index"),
        );
        check(
            json!({}),
            op("add", "/a/b", json!(2)),
            Err("doc is missing path"),
        );
        check(
            json!({}),
            op("remove", "/a", json!(null)),
            Err("nonexistent key"),
        );
        check(
            json!({"a/b": 1}),
            op("test", "/a~1b", json!(1.0)),
            Ok(json!({"a/b": 1})),
        );
        check(
            json!({"a": 1}),
            op("test", "/a", json!(2)),
            Err("test failed"),
        );
    }

    #[test]
    fn moving_and_copying() {
        let patch = json!([
            {"op": "copy", "from": "/a", "path": "/b"},
            {"op": "move", "from": "/a", "path": "/c"},
        ]);
        check(json!({"a": 1}), patch, Ok(json!({"b": 1, "c": 1})));
    }
}

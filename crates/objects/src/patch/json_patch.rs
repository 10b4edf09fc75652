//! JSON patches (RFC 6902), as lenient as the library of Kubernetes and kustomize.
//!
//! Negative indices count from the end (`-1` is the last item, or the place after it for `add`), a path may lack its first
//! slash segment's meaning, `replace` may add a missing key, and a null counts as absent on the way. Error texts are the library's.

use crate::Value;

/// Bound on operations in one patch, as in the API server.
pub const OPERATIONS_MAX: usize = 10_000;

/// Why a patch does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// The patch is no list of operations.
    #[error("invalid JSON patch: expected a list of operations")]
    NotAList,
    /// More operations than [`OPERATIONS_MAX`].
    #[error("The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {0}")]
    TooMany(usize),
    /// A `test` that does not hold.
    #[error("testing value {0} failed: test failed")]
    Test(String),
    /// Anything else, in the library's words.
    #[error("{0}")]
    Apply(String),
}

/// Applies a patch; on error the target is left half changed.
///
/// # Errors
/// Fails on an operation that cannot be read, or does not fit the target.
pub fn json_patch(target: &mut Value, patch: &Value) -> Result<(), JsonPatchError> {
    let operations = patch.as_array().ok_or(JsonPatchError::NotAList)?;
    if operations.len() > OPERATIONS_MAX {
        return Err(JsonPatchError::TooMany(operations.len()));
    }
    for operation in operations {
        apply(target, operation)?;
    }
    Ok(())
}

fn apply(target: &mut Value, operation: &Value) -> Result<(), JsonPatchError> {
    let kind = operation
        .get("op")
        .and_then(Value::as_str)
        .unwrap_or("unknown");
    let value = operation.get("value");
    match kind {
        "add" => {
            let path = path_of(operation, "path")
                .map_err(|_| failed("add operation failed to decode path: missing value"))?;
            add(target, path, value.cloned().unwrap_or(Value::Null))
        }
        "remove" => {
            let path = path_of(operation, "path")
                .map_err(|_| failed("remove operation failed to decode path: missing value"))?;
            remove(target, path)
        }
        "replace" => {
            let path = path_of(operation, "path")
                .map_err(|e| failed(format!("replace operation failed to decode path: {e}")))?;
            replace(target, path, value)
        }
        "move" => relocate(target, operation),
        "copy" => duplicate(target, operation),
        "test" => {
            let path = path_of(operation, "path")
                .map_err(|e| failed(format!("test operation failed to decode path: {e}")))?;
            test(target, path, value.unwrap_or(&Value::Null))
        }
        other => Err(failed(format!("Unexpected kind: {other}"))),
    }
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), JsonPatchError> {
    let (container, key) = find(target, path).ok_or_else(|| {
        failed(format!(
            "add operation does not apply: doc is missing path: \"{path}\": missing value"
        ))
    })?;
    insert(container, &key, value)
        .map_err(|e| failed(format!("error in add for path: '{path}': {e}")))
}

fn remove(target: &mut Value, path: &str) -> Result<(), JsonPatchError> {
    let (container, key) = find(target, path).ok_or_else(|| {
        failed(format!(
            "remove operation does not apply: doc is missing path: \"{path}\": missing value"
        ))
    })?;
    take(container, &key)
        .map(drop)
        .map_err(|e| failed(format!("error in remove for path: '{path}': {e}")))
}

fn replace(target: &mut Value, path: &str, value: Option<&Value>) -> Result<(), JsonPatchError> {
    let value = value.cloned().unwrap_or(Value::Null);
    if path.is_empty() {
        if !value.is_object() && !value.is_array() {
            return Err(failed(
                "replace operation value must be object or array: %!w(<nil>)",
            ));
        }
        *target = value;
        return Ok(());
    }
    let (container, key) = find(target, path).ok_or_else(|| {
        failed(format!(
            "replace operation does not apply: doc is missing path: {path}: missing value"
        ))
    })?;
    match container {
        Value::Object(map) => {
            map.insert(key, value);
        }
        other => {
            let place = get_mut(other, &key).map_err(|_| {
                failed(format!(
                    "replace operation does not apply: doc is missing key: {path}: missing value"
                ))
            })?;
            if let Some(place) = place {
                *place = value;
            }
        }
    }
    Ok(())
}

fn relocate(target: &mut Value, operation: &Value) -> Result<(), JsonPatchError> {
    let from = path_of(operation, "from")
        .map_err(|e| failed(format!("move operation failed to decode from: {e}")))?;
    let (container, key) = find(target, from).ok_or_else(|| {
        failed(format!(
            "move operation does not apply: doc is missing from path: {from}: missing value"
        ))
    })?;
    let value = take(container, &key)
        .map_err(|e| failed(format!("error in move for path: '{key}': {e}")))?;
    let path = path_of(operation, "path")
        .map_err(|e| failed(format!("move operation failed to decode path: {e}")))?;
    let (container, key) = find(target, path).ok_or_else(|| {
        failed(format!(
            "move operation does not apply: doc is missing destination path: {path}: missing value"
        ))
    })?;
    insert(container, &key, value)
        .map_err(|e| failed(format!("error in move for path: '{path}': {e}")))
}

fn duplicate(target: &mut Value, operation: &Value) -> Result<(), JsonPatchError> {
    let from = path_of(operation, "from")
        .map_err(|e| failed(format!("copy operation failed to decode from: {e}")))?;
    let (container, key) = find(target, from).ok_or_else(|| {
        failed(format!(
            "copy operation does not apply: doc is missing from path: {from}: missing value"
        ))
    })?;
    let value = get_mut(container, &key)
        .map_err(|e| failed(format!("error in copy for from: '{from}': {e}")))?
        .cloned()
        .unwrap_or(Value::Null);
    let path = path_of(operation, "path")
        .map_err(|_| failed("copy operation failed to decode path: missing value"))?;
    let (container, key) = find(target, path).ok_or_else(|| {
        failed(format!(
            "copy operation does not apply: doc is missing destination path: {path}: missing value"
        ))
    })?;
    insert(container, &key, value)
        .map_err(|e| failed(format!("error while adding value during copy: {e}")))
}

fn test(target: &mut Value, path: &str, value: &Value) -> Result<(), JsonPatchError> {
    let unequal = || JsonPatchError::Test(path.to_owned());
    if path.is_empty() {
        return if same(target, value) {
            Ok(())
        } else {
            Err(unequal())
        };
    }
    let (container, key) = find(target, path).ok_or_else(|| {
        failed(format!(
            "test operation does not apply: is missing path: {path}: missing value"
        ))
    })?;
    let found = get_mut(container, &key)
        .map_err(|e| failed(format!("error in test for path: '{path}': {e}")))?;
    match found {
        Some(found) if same(found, value) => Ok(()),
        None if value.is_null() => Ok(()),
        _ => Err(unequal()),
    }
}

/// Compares as the library does: numbers by their text, which `1` and `1.0` do not share.
fn same(a: &Value, b: &Value) -> bool {
    a == b
}

fn path_of<'a>(operation: &'a Value, key: &str) -> Result<&'a str, String> {
    let missing = match key {
        "from" => "operation, missing from field: missing value",
        _ => "operation missing path field: missing value",
    };
    operation
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| missing.to_owned())
}

/// Walks to the map or list that holds the last segment; what stands before the first slash is ignored.
fn find<'a>(target: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (_, path) = path.split_once('/')?;
    let mut container = target;
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        if segments.peek().is_none() {
            let holds = container.is_object() || container.is_array();
            return holds.then_some((container, segment));
        }
        container = get_mut(container, &segment).ok()??;
    }
    None
}

/// Returns the value at a key; a missing key of a map is no error, a bad index is.
fn get_mut<'a>(container: &'a mut Value, key: &str) -> Result<Option<&'a mut Value>, String> {
    match container {
        Value::Object(map) => Ok(map.get_mut(key)),
        Value::Array(items) => {
            let at = index(key, items.len(), items.len())?;
            Ok(items.get_mut(at))
        }
        _ => Ok(None),
    }
}

fn insert(container: &mut Value, key: &str, value: Value) -> Result<(), String> {
    match container {
        Value::Object(map) => {
            map.insert(key.to_owned(), value);
        }
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let length = items.len() + 1;
            let at = index(key, length, length).map_err(|e| match e.strip_prefix("strconv") {
                Some(_) => format!("value was not a proper array index: '{key}': {e}"),
                None => e,
            })?;
            items.insert(at, value);
        }
        _ => {}
    }
    Ok(())
}

fn take(container: &mut Value, key: &str) -> Result<Value, String> {
    match container {
        Value::Object(map) => map
            .remove(key)
            .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value")),
        Value::Array(items) => {
            let at = index(key, items.len(), items.len())?;
            Ok(items.remove(at))
        }
        _ => Err("invalid state detected".into()),
    }
}

/// Reads an index below `length`; negative ones count back from `from_end`.
fn index(key: &str, length: usize, from_end: usize) -> Result<usize, String> {
    let number: i64 = key
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing {key:?}: invalid syntax"))?;
    let outside = || format!("Unable to access invalid index: {number}: invalid index referenced");
    let at = if number < 0 {
        from_end.checked_sub(usize::try_from(number.unsigned_abs()).map_err(|_| outside())?)
    } else {
        usize::try_from(number).ok()
    };
    at.filter(|at| *at < length).ok_or_else(outside)
}

fn failed(text: impl Into<String>) -> JsonPatchError {
    JsonPatchError::Apply(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn check(target: Value, patch: Value, expected: Result<Value, &str>) {
        let mut actual = target.clone();
        let outcome = json_patch(&mut actual, &patch)
            .map(|()| actual)
            .map_err(|e| e.to_string());
        assert_eq!(outcome, expected.map_err(str::to_owned), "{target} {patch}");
    }

    #[test]
    fn operations() {
        let object = || json!({"a": {"b": [1, 2, 3]}, "x/y": 1, "n": null});
        check(
            object(),
            json!([{"op": "add", "path": "/a/b/-", "value": 4}, {"op": "remove", "path": "/a/b/0"},
                   {"op": "replace", "path": "/x~1y", "value": 2}, {"op": "test", "path": "/a/b/-1", "value": 4}]),
            Ok(json!({"a": {"b": [2, 3, 4]}, "x/y": 2, "n": null})),
        );
        check(
            object(),
            json!([{"op": "move", "from": "/a/b", "path": "/c"}, {"op": "copy", "from": "/c/0", "path": "/a/d"}]),
            Ok(json!({"a": {"d": 1}, "c": [1, 2, 3], "x/y": 1, "n": null})),
        );
        check(
            object(),
            json!([{"op": "test", "path": "/n"}]),
            Ok(object()),
        );
        check(
            object(),
            json!([{"op": "test", "path": "/absent", "value": null}]),
            Ok(object()),
        );
    }

    #[test]
    fn errors() {
        let object = || json!({"a": [1]});
        for (patch, expected) in [
            (
                json!([{"op": "remove", "path": "/b"}]),
                "error in remove for path: '/b': Unable to remove nonexistent key: b: missing value",
            ),
            (
                json!([{"op": "add", "path": "/b/c", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/b/c\": missing value",
            ),
            (
                json!([{"op": "replace", "path": "/b/c", "value": 1}]),
                "replace operation does not apply: doc is missing path: /b/c: missing value",
            ),
            (
                json!([{"op": "replace", "path": "/a/3", "value": 1}]),
                "replace operation does not apply: doc is missing key: /a/3: missing value",
            ),
            (
                json!([{"op": "test", "path": "/a/0", "value": 2}]),
                "testing value /a/0 failed: test failed",
            ),
            (
                json!([{"op": "add", "path": "/a/x", "value": 2}]),
                "error in add for path: '/a/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                json!([{"op": "add", "path": "/a/7", "value": 2}]),
                "error in add for path: '/a/7': Unable to access invalid index: 7: invalid index referenced",
            ),
            (
                json!([{"op": "jump", "path": "/a"}]),
                "Unexpected kind: jump",
            ),
        ] {
            check(object(), patch, Err(expected));
        }
    }
}

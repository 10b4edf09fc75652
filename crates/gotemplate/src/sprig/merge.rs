//! `merge` and `mergeOverwrite` by the rules of the `mergo` library (v1.0.1).

use super::is_empty;
use super::maps::is_map;
use crate::function::{Call, CallError, CallResult};
use crate::value::{Map, MapKind, Tree, Value};

/// Deepest nesting that is merged.
const DEPTH_MAX: usize = 500;

/// Fills what is absent or empty in the first map.
pub(super) fn merge_into(c: &mut Call<'_, '_>) -> CallResult {
    run(c, false)
}

/// Later maps win, also with empty values.
pub(super) fn merge_overwriting(c: &mut Call<'_, '_>) -> CallResult {
    run(c, true)
}

fn run(c: &mut Call<'_, '_>, overwrite: bool) -> CallResult {
    let mut target = c.map(0);
    for index in 1..c.args.len() {
        let source = c.map(index);
        if target.is_nil() && !source.is_nil() {
            target = Map::new(Tree::new());
        }
        merge(c, &target, &source, overwrite, 0)?;
    }
    Ok(target.as_kind(MapKind::Any).into())
}

fn merge(
    c: &mut Call<'_, '_>,
    target: &Map,
    source: &Map,
    overwrite: bool,
    depth: usize,
) -> Result<(), CallError> {
    if depth > DEPTH_MAX {
        return Err(CallError::Limit(format!(
            "values are nested deeper than {DEPTH_MAX}"
        )));
    }
    if target.same(source) || target.is_nil() {
        return Ok(());
    }
    for (key, value) in source.snapshot() {
        c.run.charge(1)?;
        let old = target.get(&key);
        if value.is_nil() {
            if overwrite {
                target.set(key, value);
            }
            continue;
        }
        if let (Some(Value::Map(inner)), Value::Map(other)) = (&old, &value) {
            merge(c, inner, other, overwrite, depth + 1)?;
        }
        let is_list = value.elements().is_some();
        let taken = overwrite || old.as_ref().is_none_or(is_empty);
        let keeps = old.as_ref().is_some_and(|old| {
            !is_empty(old) && ((is_list && !overwrite) || (is_map(&value) && is_map(old)))
        });
        if taken && !keeps {
            target.set(key, value);
        }
    }
    Ok(())
}

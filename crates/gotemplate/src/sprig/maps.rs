//! Maps. `set`, `unset` and `merge` change their first argument.

use super::merge::{merge_into, merge_overwriting};
use crate::format::strval;
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::{Element, Kind, List, Map, MapKind, Tree, Value};

const A: Type = Type::Any;
const M: Type = Type::Map;
const T: Type = Type::Text;
const C: Type = Type::Concrete;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("dict", &[A], M, dict),
    Function::fixed("get", &[M, T], A, |c| {
        Ok(c.map(0).get(c.text(1)).unwrap_or_else(|| "".into()))
    }),
    Function::fixed("set", &[M, T, A], M, |c| {
        let map = c.map(0);
        if map.is_nil() {
            return Err(CallError::text("assignment to entry in nil map"));
        }
        map.set(c.shared_text(1), c.value(2));
        Ok(map.as_kind(MapKind::Any).into())
    }),
    Function::fixed("unset", &[M, T], M, |c| {
        let _removed = c.map(0).write().remove(c.text(1));
        Ok(c.map(0).as_kind(MapKind::Any).into())
    }),
    Function::fixed("hasKey", &[M, T], Type::Bool, |c| {
        Ok(Value::Bool(c.map(0).read().contains_key(c.text(1))))
    }),
    Function::variadic("pluck", &[T, M], C, |c| {
        let found = (1..c.args.len()).filter_map(|index| c.map(index).get(c.text(0)));
        Ok(List::appended(Element::Any, found.collect()).into())
    }),
    Function::variadic("keys", &[M], C, |c| {
        let keys = (0..c.args.len()).flat_map(|index| c.map(index).snapshot().into_keys());
        Ok(List::appended_texts(keys).into())
    }),
    Function::fixed("values", &[M], C, |c| {
        let values = c.map(0).snapshot().into_values().collect();
        Ok(List::appended(Element::Any, values).into())
    }),
    Function::variadic("pick", &[M, T], M, |c| {
        let map = c.map(0);
        let keys = (1..c.args.len()).map(|index| c.shared_text(index));
        Ok(Value::map(
            keys.filter_map(|key| map.get(&key).map(|value| (key, value))),
        ))
    }),
    Function::variadic("omit", &[M, T], M, |c| {
        let mut tree = c.map(0).snapshot();
        for index in 1..c.args.len() {
            tree.remove(c.text(index));
        }
        Ok(Value::map(tree))
    }),
    Function::variadic("merge", &[M, M], A, |c| merge_into(c).or_else(swallow)),
    Function::variadic("mustMerge", &[M, M], A, merge_into),
    Function::variadic("mergeOverwrite", &[M, M], A, |c| {
        merge_overwriting(c).or_else(swallow)
    }),
    Function::variadic("mustMergeOverwrite", &[M, M], A, merge_overwriting),
    Function::variadic("dig", &[A], A, dig),
    Function::fixed("deepCopy", &[A], A, |c| deep_copy(c, "deepCopy error: ")),
    Function::fixed("mustDeepCopy", &[A], A, |c| deep_copy(c, "")),
    Function::fixed("deepEqual", &[A, A], Type::Bool, |c| {
        Ok(Value::Bool(c.args[0].deep_equal(&c.args[1])))
    }),
];

/// The forms without `must` give an empty text where a merge fails; limits still count.
fn swallow(error: CallError) -> CallResult {
    match error {
        CallError::Limit(_) => Err(error),
        _ => Ok("".into()),
    }
}

fn dict(c: &mut Call<'_, '_>) -> CallResult {
    let mut tree = Tree::new();
    for pair in c.args.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| "".into());
        tree.insert(strval(&pair[0]).into(), value);
    }
    Ok(Value::map(tree))
}

fn not_a_map(value: &Value) -> CallError {
    let wanted = "interface conversion: interface {} is";
    match value {
        Value::Nil => CallError::text(format!("{wanted} nil, not map[string]interface {{}}")),
        other => CallError::text(format!(
            "{wanted} {}, not map[string]interface {{}}",
            other.type_name()
        )),
    }
}

fn plain_map(value: &Value) -> Result<&Map, CallError> {
    match value {
        Value::Map(map) if map.kind() == MapKind::Any => Ok(map),
        other => Err(not_a_map(other)),
    }
}

fn dig(c: &mut Call<'_, '_>) -> CallResult {
    let [keys @ .., default, last] = c.args else {
        return Err(CallError::text("dig needs at least three arguments"));
    };
    if keys.is_empty() {
        return Err(CallError::text("dig needs at least three arguments"));
    }
    let mut map = plain_map(last)?.clone();
    let mut names = Vec::new();
    for key in keys {
        match key {
            Value::Text(name) => names.push(name),
            Value::Nil => {
                return Err(CallError::text(
                    "interface conversion: interface {} is nil, not string",
                ));
            }
            other => {
                let type_name = other.type_name();
                return Err(CallError::text(format!(
                    "interface conversion: interface {{}} is {type_name}, not string"
                )));
            }
        }
    }
    for (index, name) in names.iter().enumerate() {
        let Some(step) = map.get(name) else {
            return Ok(default.clone());
        };
        if index + 1 == names.len() {
            return Ok(step);
        }
        map = plain_map(&step)?.clone();
    }
    Ok(default.clone())
}

/// Deepest nesting that is copied.
const COPY_DEPTH_MAX: usize = 500;

fn deep_copy(c: &mut Call<'_, '_>, prefix: &str) -> CallResult {
    if c.args[0].is_nil() {
        return Err(CallError::text(
            "reflect: call of reflect.Value.Type on zero Value",
        ));
    }
    let value = c.value(0);
    copy(c, &value, 0).map_err(|error| match error {
        CallError::Text(text) => CallError::Text(format!("{prefix}{text}")),
        other => other,
    })
}

/// What copying a map or list costs: a million of them fit memory, and shared ones may be copied often.
const NESTED_COST: u64 = 5_000;

fn copy(c: &mut Call<'_, '_>, value: &Value, depth: usize) -> CallResult {
    if depth > COPY_DEPTH_MAX {
        return Err(CallError::Limit(format!(
            "values are nested deeper than {COPY_DEPTH_MAX}"
        )));
    }
    let nested = matches!(value, Value::List(_) | Value::Map(_));
    c.run.charge(if nested { NESTED_COST } else { 16 })?;
    Ok(match value {
        Value::List(list) if !list.is_nil() => {
            let items = list.items().iter().map(|item| copy(c, item, depth + 1));
            let items = List::of(list.element(), items.collect::<Result<_, _>>()?);
            items.with_room(list.room()).into()
        }
        Value::Map(map) if !map.is_nil() => {
            let mut tree = Tree::new();
            for (key, item) in map.snapshot() {
                tree.insert(key, copy(c, &item, depth + 1)?);
            }
            Value::Map(Map::of(map.kind(), tree))
        }
        other => other.clone(),
    })
}

/// Whether a value is a map of any type.
pub(super) fn is_map(value: &Value) -> bool {
    value.kind() == Kind::Map
}

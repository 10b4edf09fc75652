//! Lists: every function gives a fresh list.

use super::math::index_of;
use super::{check_size, is_empty};
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::{Element, List, Value};

const A: Type = Type::Any;
const C: Type = Type::Concrete;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic("list", &[A], C, |c| Ok(Value::list(c.args.to_vec()))),
    Function::variadic("tuple", &[A], C, |c| Ok(Value::list(c.args.to_vec()))),
    Function::fixed("first", &[A], A, first),
    Function::fixed("mustFirst", &[A], A, first),
    Function::fixed("last", &[A], A, last),
    Function::fixed("mustLast", &[A], A, last),
    Function::fixed("rest", &[A], C, rest),
    Function::fixed("mustRest", &[A], C, rest),
    Function::fixed("initial", &[A], C, initial),
    Function::fixed("mustInitial", &[A], C, initial),
    Function::fixed("append", &[A, A], C, append),
    Function::fixed("mustAppend", &[A, A], C, append),
    Function::fixed("push", &[A, A], C, append),
    Function::fixed("mustPush", &[A, A], C, append),
    Function::fixed("prepend", &[A, A], C, prepend),
    Function::fixed("mustPrepend", &[A, A], C, prepend),
    Function::variadic("concat", &[A], A, concat),
    Function::fixed("reverse", &[A], C, reverse),
    Function::fixed("mustReverse", &[A], C, reverse),
    Function::fixed("uniq", &[A], C, uniq),
    Function::fixed("mustUniq", &[A], C, uniq),
    Function::variadic("without", &[A, A], C, without),
    Function::variadic("mustWithout", &[A, A], C, without),
    Function::fixed("has", &[A, A], Type::Bool, has),
    Function::fixed("mustHas", &[A, A], Type::Bool, has),
    Function::fixed("compact", &[A], C, compact),
    Function::fixed("mustCompact", &[A], C, compact),
    Function::variadic("slice", &[A, A], A, slice),
    Function::variadic("mustSlice", &[A, A], A, slice),
    Function::fixed("chunk", &[Type::Int, A], C, chunk),
    Function::fixed("mustChunk", &[Type::Int, A], C, chunk),
];

const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The elements of a list argument; the message names the kind of anything else.
fn items(value: &Value, complaint: &str) -> Result<Vec<Value>, CallError> {
    if value.is_nil() {
        return Err(CallError::text(NIL_POINTER));
    }
    match value.elements() {
        Some(items) => Ok(items.into_owned()),
        None => Err(CallError::text(format!(
            "{complaint} {}",
            value.kind().name()
        ))),
    }
}

fn nil_or(items: Vec<Value>, source_empty: bool) -> Value {
    if source_empty {
        return List::nil(Element::Any).into();
    }
    Value::list(items)
}

fn first(c: &mut Call<'_, '_>) -> CallResult {
    let items = items(&c.args[0], "Cannot find first on type")?;
    Ok(items.first().cloned().unwrap_or_default())
}

fn last(c: &mut Call<'_, '_>) -> CallResult {
    let items = items(&c.args[0], "Cannot find last on type")?;
    Ok(items.last().cloned().unwrap_or_default())
}

fn rest(c: &mut Call<'_, '_>) -> CallResult {
    let items = items(&c.args[0], "Cannot find rest on type")?;
    let empty = items.is_empty();
    Ok(nil_or(items.into_iter().skip(1).collect(), empty))
}

fn initial(c: &mut Call<'_, '_>) -> CallResult {
    let mut items = items(&c.args[0], "Cannot find initial on type")?;
    let empty = items.pop().is_none();
    Ok(nil_or(items, empty))
}

fn append(c: &mut Call<'_, '_>) -> CallResult {
    let mut items = items(&c.args[0], "Cannot push on type")?;
    let before = items.len();
    items.push(c.value(1));
    Ok(List::extended(before, Element::Any, items).into())
}

fn prepend(c: &mut Call<'_, '_>) -> CallResult {
    let mut items = items(&c.args[0], "Cannot prepend on type")?;
    items.insert(0, c.value(1));
    Ok(List::extended(1, Element::Any, items).into())
}

fn concat(c: &mut Call<'_, '_>) -> CallResult {
    let mut all = Vec::new();
    for list in c.args {
        if list.is_nil() {
            return Err(CallError::text(NIL_POINTER));
        }
        let Some(items) = list.elements() else {
            let kind = list.kind().name();
            return Err(CallError::text(format!(
                "Cannot concat type {kind} as list"
            )));
        };
        check_size((all.len() + items.len()).saturating_mul(size_of::<Value>()))?;
        all.extend_from_slice(&items);
    }
    Ok(if all.is_empty() {
        List::nil(Element::Any).into()
    } else {
        List::appended(Element::Any, all).into()
    })
}

fn reverse(c: &mut Call<'_, '_>) -> CallResult {
    let mut items = items(&c.args[0], "Cannot find reverse on type")?;
    items.reverse();
    Ok(Value::list(items))
}

/// Deep comparisons that one call may make, each charged as work.
fn contains(c: &mut Call<'_, '_>, haystack: &[Value], needle: &Value) -> Result<bool, CallError> {
    c.run.charge(haystack.len() as u64)?;
    Ok(haystack.iter().any(|item| needle.deep_equal(item)))
}

fn uniq(c: &mut Call<'_, '_>) -> CallResult {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(&c.args[0], "Cannot find uniq on type")? {
        if !contains(c, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(List::appended(Element::Any, kept).into())
}

fn without(c: &mut Call<'_, '_>) -> CallResult {
    let omit = c.args[1..].to_vec();
    let mut kept = Vec::new();
    for item in items(&c.args[0], "Cannot find without on type")? {
        if !contains(c, &omit, &item)? {
            kept.push(item);
        }
    }
    Ok(List::appended(Element::Any, kept).into())
}

fn has(c: &mut Call<'_, '_>) -> CallResult {
    if c.args[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    let haystack = items(&c.args[1], "Cannot find has on type")?;
    let needle = c.value(0);
    Ok(Value::Bool(contains(c, &haystack, &needle)?))
}

fn compact(c: &mut Call<'_, '_>) -> CallResult {
    let mut items = items(&c.args[0], "Cannot compact on type")?;
    items.retain(|item| !is_empty(item));
    Ok(List::appended(Element::Any, items).into())
}

fn slice(c: &mut Call<'_, '_>) -> CallResult {
    let list = &c.args[0];
    let items = items(list, "list should be type of slice or array but")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let room = match list {
        Value::List(list) => list.room(),
        _ => items.len(),
    };
    let start = c.args.get(1).map_or(0, index_of);
    let end = c.args.get(2).map_or(items.len() as i64, index_of);
    if start < 0 || end < start || end > room as i64 {
        return Err(CallError::text(
            "reflect.Value.Slice: slice index out of bounds",
        ));
    }
    let range = start as usize..end as usize;
    Ok(match list {
        Value::List(list) => {
            // What Go's slice still sees of the elements behind it is not kept.
            let room = if range.end < items.len() {
                0
            } else {
                room - range.start
            };
            let mut items = items;
            items.resize(range.end.max(items.len()), list.element().zero());
            let slice = List::of(list.element(), items[range].to_vec());
            slice.with_room(room).into()
        }
        Value::Bytes(bytes) => Value::Bytes(bytes[range].into()),
        _ => Value::list(items[range].to_vec()),
    })
}

fn chunk(c: &mut Call<'_, '_>) -> CallResult {
    let size = c.int(0);
    let items = items(&c.args[1], "Cannot chunk type")?;
    if size <= 0 {
        // How many chunks there are is a float upstream, rounded down: infinite for none of a size, else mostly
        // below zero.
        let count = ((items.len() as f64 - 1.0) / size as f64).floor() + 1.0;
        let chunks = match items.len() {
            1 if size < -1 => vec![Value::list(items)],
            2.. if count == 0.0 => Vec::new(),
            _ => {
                return Err(CallError::text(
                    "runtime error: makeslice: len out of range",
                ));
            }
        };
        return Ok(Value::List(List::of(Element::Lists, chunks)));
    }
    let chunks = items
        .chunks(size as usize)
        .map(|chunk| Value::list(chunk.to_vec()));
    Ok(Value::List(List::of(Element::Lists, chunks.collect())))
}

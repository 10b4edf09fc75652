//! The functions that belong to the language itself.

use gocompat::fmt::{sprint, sprintf, sprintln};

use crate::compare::{equal, less};
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::{Element, Kind, List, MapKind, Value};

const ANY: Type = Type::Any;
const REFLECT: Type = Type::Reflect;

const BUILTINS: &[Function] = &[
    Function::variadic("and", &[REFLECT, REFLECT], ANY, |_| Ok(Value::Nil)),
    Function::variadic("or", &[REFLECT, REFLECT], ANY, |_| Ok(Value::Nil)),
    Function::fixed("not", &[REFLECT], Type::Bool, |c| {
        Ok(Value::Bool(!c.args[0].truth()))
    }),
    Function::variadic("call", &[REFLECT, REFLECT], ANY, call),
    Function::variadic("html", &[ANY], Type::Text, html),
    Function::variadic("js", &[ANY], Type::Text, js),
    Function::variadic("urlquery", &[ANY], Type::Text, urlquery),
    Function::variadic("index", &[REFLECT, REFLECT], ANY, index),
    Function::variadic("slice", &[REFLECT, REFLECT], ANY, slice),
    Function::fixed("len", &[REFLECT], Type::Int, len),
    Function::variadic("print", &[ANY], Type::Text, |c| {
        Ok(Value::text(sprint(c.args)))
    }),
    Function::variadic("println", &[ANY], Type::Text, |c| {
        Ok(Value::text(sprintln(c.args)))
    }),
    Function::variadic("printf", &[Type::Text, ANY], Type::Text, |c| {
        Ok(Value::text(sprintf(c.text(0), &c.args[1..])))
    }),
    Function::variadic("eq", &[REFLECT, REFLECT], Type::Bool, eq),
    Function::fixed("ne", &[REFLECT, REFLECT], Type::Bool, |c| {
        Ok(Value::Bool(!equal(&c.args[0], &c.args[1])?))
    }),
    Function::fixed("lt", &[REFLECT, REFLECT], Type::Bool, |c| {
        Ok(Value::Bool(less(&c.args[0], &c.args[1])?))
    }),
    Function::fixed("le", &[REFLECT, REFLECT], Type::Bool, |c| {
        Ok(Value::Bool(less_or_equal(c)?))
    }),
    Function::fixed("gt", &[REFLECT, REFLECT], Type::Bool, |c| {
        Ok(Value::Bool(!less_or_equal(c)?))
    }),
    Function::fixed("ge", &[REFLECT, REFLECT], Type::Bool, |c| {
        Ok(Value::Bool(!less(&c.args[0], &c.args[1])?))
    }),
];

/// The built-in function of that name.
pub(crate) fn get(name: &str) -> Option<&'static Function> {
    BUILTINS.iter().find(|function| function.name == name)
}

fn eq(c: &mut Call<'_, '_>) -> CallResult {
    if c.args.len() < 2 {
        return Err(CallError::text("missing argument for comparison"));
    }
    for other in &c.args[1..] {
        if equal(&c.args[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn less_or_equal(c: &Call<'_, '_>) -> Result<bool, CallError> {
    Ok(less(&c.args[0], &c.args[1])? || equal(&c.args[0], &c.args[1])?)
}

fn call(c: &mut Call<'_, '_>) -> CallResult {
    match &c.args[0] {
        Value::Nil => Err(CallError::text("call of nil")),
        value => Err(CallError::text(format!(
            "non-function {} of type {}",
            c.first_operand,
            value.type_name()
        ))),
    }
}

fn len(c: &mut Call<'_, '_>) -> CallResult {
    let value = &c.args[0];
    if value.is_nil() {
        return Err(CallError::text(if c.absent & 1 == 1 {
            "reflect: call of reflect.Value.Type on zero Value"
        } else {
            "len of nil pointer"
        }));
    }
    match value.length() {
        Some(len) => Ok(Value::Int(len as i64)),
        None => Err(CallError::text(format!(
            "len of type {}",
            value.type_name()
        ))),
    }
}

/// An integer index within `0..=capacity`.
fn position(index: &Value, capacity: usize) -> Result<usize, CallError> {
    let number = match index {
        Value::Nil => return Err(CallError::text("cannot index slice/array with nil")),
        _ => index.as_int().or_else(|| index.as_uint().map(|n| n as i64)),
    };
    let Some(number) = number else {
        let type_name = index.type_name();
        return Err(CallError::text(format!(
            "cannot index slice/array with type {type_name}"
        )));
    };
    usize::try_from(number)
        .ok()
        .filter(|&position| position <= capacity)
        .ok_or_else(|| CallError::text(format!("index out of range: {number}")))
}

fn index(c: &mut Call<'_, '_>) -> CallResult {
    let mut item = c.args[0].clone();
    if item.is_nil() {
        return Err(CallError::text("index of untyped nil"));
    }
    for key in &c.args[1..] {
        item = index_one(&item, key)?;
    }
    Ok(item)
}

fn index_one(item: &Value, key: &Value) -> CallResult {
    if item.is_nil() {
        return Err(CallError::text("index of nil pointer"));
    }
    if let Value::Text(text) = item {
        let at = position(key, text.len())?;
        let byte = text.get(at).copied().map(Value::Uint8);
        return byte.ok_or_else(|| CallError::text("reflect: string index out of range"));
    }
    if let Some(elements) = item.elements() {
        let at = position(key, elements.len())?;
        let element = elements.get(at).cloned();
        return element.ok_or_else(|| CallError::text("reflect: slice index out of range"));
    }
    let zero = match item {
        Value::Map(map) if map.kind() == MapKind::Text => Value::text(""),
        Value::Map(_) => Value::Nil,
        Value::Object(object) if object.kind() == Kind::Map => Value::Bytes(Default::default()),
        other => {
            return Err(CallError::text(format!(
                "can't index item of type {}",
                other.type_name()
            )));
        }
    };
    let key = match key {
        Value::Text(key) => key,
        Value::Nil => return Err(CallError::text("value is nil; should be of type string")),
        other => {
            let type_name = other.type_name();
            return Err(CallError::text(format!(
                "value has type {type_name}; should be string"
            )));
        }
    };
    let found = match item {
        Value::Map(map) => map.get(key),
        other => other.entries().and_then(|mut entries| entries.remove(key)),
    };
    Ok(found.unwrap_or(zero))
}

fn slice(c: &mut Call<'_, '_>) -> CallResult {
    let item = &c.args[0];
    let indexes = &c.args[1..];
    if item.is_nil() {
        return Err(CallError::text("slice of untyped nil"));
    }
    if indexes.len() > 3 {
        return Err(CallError::text(format!(
            "too many slice indexes: {}",
            indexes.len()
        )));
    }
    let Some(len) = item
        .length()
        .filter(|_| matches!(item.kind(), Kind::String | Kind::Slice))
    else {
        return Err(CallError::text(format!(
            "can't slice item of type {}",
            item.type_name()
        )));
    };
    if item.kind() == Kind::String && indexes.len() == 3 {
        return Err(CallError::text("cannot 3-index slice a string"));
    }
    let mut bounds = [0, len, len];
    for (slot, index) in bounds.iter_mut().zip(indexes) {
        *slot = position(index, len)?;
    }
    let [start, end, capacity] = bounds;
    if start > end {
        return Err(CallError::text(format!(
            "invalid slice index: {start} > {end}"
        )));
    }
    if indexes.len() == 3 && end > capacity {
        return Err(CallError::text(format!(
            "invalid slice index: {end} > {capacity}"
        )));
    }
    Ok(match item {
        Value::Text(text) => Value::text(&text[start..end]),
        Value::Bytes(bytes) => Value::Bytes(bytes[start..end].into()),
        Value::List(list) => {
            Value::List(List::of(list.element(), list.items()[start..end].to_vec()))
        }
        other => Value::List(List::of(
            Element::Any,
            other
                .elements()
                .map(|items| items[start..end].to_vec())
                .unwrap_or_default(),
        )),
    })
}

/// Arguments of the escaping functions as one text.
fn joined(args: &[Value]) -> Vec<u8> {
    match args {
        [Value::Text(text)] => text.to_vec(),
        _ => {
            let printable = |value: &Value| match value {
                Value::Nil => Value::text("<no value>"),
                other => other.clone(),
            };
            sprint(&args.iter().map(printable).collect::<Vec<_>>())
        }
    }
}

fn html(c: &mut Call<'_, '_>) -> CallResult {
    let mut out = Vec::new();
    for &byte in &joined(c.args) {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(byte),
        }
    }
    Ok(Value::text(out))
}

fn js(c: &mut Call<'_, '_>) -> CallResult {
    let mut out = String::new();
    for ch in String::from_utf8_lossy(&joined(c.args)).chars() {
        match ch {
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(ch);
            }
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", ch as u32)),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if c.is_ascii() || gocompat::unicode::is_print(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", c as u32)),
        }
    }
    Ok(Value::text(out))
}

fn urlquery(c: &mut Call<'_, '_>) -> CallResult {
    Ok(Value::text(crate::url::query_escape(&joined(c.args))))
}

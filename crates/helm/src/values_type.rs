//! The type of `.Values`, whose methods templates can call: `.Values.AsMap`, `.Values.PathValue "a.b"`.
//!
//! Follows `common.Values` of Helm 4, which Helm 3 calls `chartutil.Values`. Only the whole is of this type, and what
//! `Table` returns; tables inside are plain maps. A method stands before a value of the same name.

use gocompat::quote::quote;
use gotemplate::{
    CallError, CallResult, Map, MapKind, MapType, Signature, Text, Tree, Type, Value,
};

use crate::Version;
use crate::functions::yaml;

static HELM_3: MapType = MapType {
    name: "chartutil.Values",
    method,
    call,
};

static HELM_4: MapType = MapType {
    name: "common.Values",
    method,
    call,
};

/// The type of `.Values`.
pub(crate) fn values_kind(version: Version) -> MapKind {
    MapKind::Named(match version {
        Version::V3 => &HELM_3,
        Version::V4 => &HELM_4,
    })
}

const fn signature(params: &'static [Type], result: Type) -> Signature {
    Signature {
        params,
        variadic: false,
        result,
    }
}

static AS_MAP: Signature = signature(&[], Type::Map);
static YAML: Signature = signature(&[], Type::Text);
static TABLE: Signature = signature(&[Type::Text], Type::Concrete);
static PATH_VALUE: Signature = signature(&[Type::Text], Type::Any);
/// No template has a writer, so that arguments never fit.
static ENCODE: Signature = signature(&[Type::Object("io.Writer")], Type::Any);

fn method(name: &[u8]) -> Option<&'static Signature> {
    match name {
        b"AsMap" => Some(&AS_MAP),
        b"Encode" => Some(&ENCODE),
        b"PathValue" => Some(&PATH_VALUE),
        b"Table" => Some(&TABLE),
        b"YAML" => Some(&YAML),
        _ => None,
    }
}

fn call(values: &Map, name: &[u8], args: &[Value]) -> CallResult {
    let argument = match args.first() {
        Some(Value::Text(text)) => text.clone(),
        _ => Text::default(),
    };
    match name {
        b"AsMap" if values.is_empty() => Ok(Value::Map(Map::new(Tree::new()))),
        b"AsMap" => Ok(Value::Map(values.as_kind(MapKind::Any))),
        b"YAML" => yaml(&Value::Map(values.clone()))
            .map(|text| Value::text(text + "\n"))
            .map_err(CallError::text),
        b"Table" => table(values, &argument).map(Value::Map),
        b"PathValue" => path_value(values, &argument),
        _ => Err(CallError::text("no writer")),
    }
}

/// The table at a path of names with dots between.
fn table(values: &Map, path: &[u8]) -> Result<Map, CallError> {
    let mut found = values.clone();
    for name in path.split(|&byte| byte == b'.') {
        found = match found.get(name) {
            Some(Value::Map(inner)) if inner.kind() != MapKind::Text => {
                inner.as_kind(values.kind())
            }
            _ => return Err(missing(name, "table")),
        };
    }
    Ok(found)
}

/// The value at a path, which is no table.
fn path_value(values: &Map, path: &[u8]) -> CallResult {
    if path.is_empty() {
        return Err(CallError::text("YAML path cannot be empty"));
    }
    let dot = path.iter().rposition(|&byte| byte == b'.');
    let (holder, key) = match dot {
        None => (Ok(values.clone()), path),
        Some(dot) => (table(values, &path[..dot]), &path[dot + 1..]),
    };
    match holder.ok().and_then(|holder| holder.get(key)) {
        Some(Value::Map(inner)) if inner.kind() == MapKind::Any => Err(missing(key, "value")),
        Some(value) => Ok(value),
        None => Err(missing(key, "value")),
    }
}

fn missing(name: &[u8], what: &str) -> CallError {
    CallError::text(format!("{} is not a {what}", quote(name)))
}

//! Objects as Go prints them: the members of structs in the order of their declaration.
//!
//! The packed field tables keep that order. Used where a message shows a whole object: a patched one whose outcome cannot be
//! decoded. What a patch touched was turned into plain maps on the way, and those print sorted.

use std::collections::HashMap;
use std::sync::LazyLock;

use objects::{Gvk, Map, Value};

use super::{ASSET, DEPTH_MAX, message_of, resolve, unpack};

/// Members of a message in declared order: JSON name and type.
type Members = Vec<(String, String)>;

static ORDER: LazyLock<HashMap<String, Members>> = LazyLock::new(|| {
    let raw = unpack(ASSET);
    let mut all = HashMap::new();
    for name in raw.keys() {
        let mut members = Members::new();
        flatten(&raw, name, &mut members, 0);
        all.insert(name.clone(), members);
    }
    all
});

/// Lists the members of a message, those of embedded structs in their place.
fn flatten(
    raw: &HashMap<String, Vec<Vec<Value>>>,
    name: &str,
    members: &mut Members,
    depth: usize,
) {
    if depth > DEPTH_MAX {
        return;
    }
    for field in raw.get(name).into_iter().flatten() {
        let text = |at: usize| field.get(at).and_then(Value::as_str).unwrap_or("");
        if text(3) == "inline" {
            flatten(raw, text(2), members, depth + 1);
        } else {
            members.push((text(1).to_owned(), text(2).to_owned()));
        }
    }
}

/// Prints an object of a built-in kind; `touched` has an entry for every map that a patch went through.
pub fn print(gvk: &Gvk, object: &Map, touched: &Value) -> String {
    let mut out = String::new();
    let mut members: Members = vec![
        ("apiVersion".into(), "string".into()),
        ("kind".into(), "string".into()),
    ];
    if let Some(own) = message_of(gvk).and_then(|name| ORDER.get(name)) {
        members.extend(own.iter().cloned());
    }
    write_members(&mut out, object, &members, touched, 0);
    out
}

fn write_members(
    out: &mut String,
    object: &Map,
    members: &[(String, String)],
    touched: &Value,
    depth: usize,
) {
    let rank = |key: &str| members.iter().position(|(name, _)| name == key);
    let mut keys: Vec<&String> = object.keys().collect();
    if !touched.is_object() {
        keys.sort_by_key(|key| rank(key).unwrap_or(usize::MAX));
    }
    out.push('{');
    for (at, key) in keys.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        let kind = rank(key).map_or("", |rank| members[rank].1.as_str());
        write(out, &object[key], kind, &touched[key.as_str()], depth + 1);
    }
    out.push('}');
}

fn write(out: &mut String, value: &Value, kind: &str, touched: &Value, depth: usize) {
    if depth > DEPTH_MAX {
        out.push_str(&value.to_string());
        return;
    }
    match value {
        Value::Array(items) => {
            let kind = kind.strip_prefix("[]").unwrap_or(kind);
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let touched = &touched[at.to_string().as_str()];
                write(out, item, kind, touched, depth + 1);
            }
            out.push(']');
        }
        Value::Object(object) => match kind.strip_prefix("map<") {
            Some(pair) => {
                let kind = pair.split_once(',').map_or("", |(_, kind)| kind);
                let kind = kind.trim_end_matches('>');
                let members: Members = object
                    .keys()
                    .map(|key| (key.clone(), kind.to_owned()))
                    .collect();
                write_members(out, object, &members, touched, depth);
            }
            None => {
                let members = ORDER.get(resolve(kind)).map_or(&[][..], Vec::as_slice);
                write_members(out, object, members, touched, depth);
            }
        },
        scalar => out.push_str(&scalar.to_string()),
    }
}

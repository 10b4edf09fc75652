//! Types stated in comments of an object: the JSON of an OpenAPI schema behind `#`.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use super::{ListMerge, Schema};

pub(super) fn of_comments(comments: &kyaml::Comments) -> Option<Schema<'static>> {
    let texts = [&comments.line, &comments.head];
    let text = texts.into_iter().find(|text| !text.is_empty())?;
    let json = serde_json::from_str(text.trim_start_matches('#')).ok()?;
    match json {
        Value::Object(map) if !map.is_empty() => resolve(&Value::Object(map)),
        _ => None,
    }
}

pub(super) fn field(definition: &Value, name: &str) -> Option<Schema<'static>> {
    let properties = definition.get("properties");
    let own = properties.and_then(|properties| properties.get(name));
    let others = || {
        definition
            .get("additionalProperties")
            .filter(|o| o.is_object())
    };
    resolve(own.or_else(others)?)
}

pub(super) fn list_merge(definition: &Value) -> Option<ListMerge<'static>> {
    let text = |name: &str| definition.get(name).and_then(Value::as_str);
    let strategy = text("x-kubernetes-patch-strategy")?;
    if !strategy.split(',').any(|part| part == "merge") {
        return None;
    }
    let listed = definition
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array);
    let keys = match listed {
        Some(keys) => keys.iter().filter_map(Value::as_str).map(owned).collect(),
        None => text("x-kubernetes-patch-merge-key")
            .map(owned)
            .into_iter()
            .collect(),
    };
    let items = definition
        .get("items")
        .filter(|_| text("type") == Some("array"));
    Some(ListMerge {
        keys,
        items: items.and_then(resolve),
    })
}

fn owned(key: &str) -> Cow<'static, str> {
    Cow::Owned(key.to_owned())
}

/// References lead to built-in definitions.
fn resolve(schema: &Value) -> Option<Schema<'static>> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => super::definition(reference.strip_prefix("#/definitions/")?),
        None => Some(Schema::Inline(Rc::new(schema.clone()))),
    }
}

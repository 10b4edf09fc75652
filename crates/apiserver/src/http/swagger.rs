//! The OpenAPI v2 document, as JSON and as the protobuf of the OpenAPI project.
//!
//! It is made from the same components and operations as the v3 documents. Clients read it for
//! `kubectl explain --output=plaintext-openapiv2`, for merge keys, and old ones to see what a PATCH understands. What v2
//! cannot say (`oneOf`, `nullable`, …) is left out, as upstream does.

use bytes::Bytes;
use http::{HeaderMap, Response};
use objects::{Map, Value, json};

use super::openapi::{REFERENCE, build_whole, whole_hash};
use super::respond::{build, insert, to_bytes};
use super::{ResponseBody, accept, full, header_text, status};
use crate::catalog::Catalog;
use crate::engine::Engine;
use crate::failure::Answered;
use crate::proto::{put_bytes, put_double, put_varint};

/// Media types of the protobuf form that clients name.
const PROTOBUF: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];

/// Words of v3 that v2 does not have.
const NOT_IN_V2: &[&str] = &["oneOf", "anyOf", "not", "nullable", "default"];

/// Answers `/openapi/v2`.
pub fn answer(
    engine: &Engine,
    catalog: &Catalog,
    headers: &HeaderMap,
) -> Answered<Response<ResponseBody>> {
    let accepted = header_text(headers, "accept");
    let wanted = accept::entries(if accepted.trim().is_empty() {
        "*/*"
    } else {
        accepted
    });
    let binary = wanted.iter().find_map(|entry| match entry.media {
        "application/json" | "application/*" | "*/*" => Some(false),
        media => PROTOBUF.contains(&media).then_some(true),
    });
    let Some(binary) = binary else {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = status(406);
        return Ok(response);
    };
    let hash = whole_hash(catalog);
    let tag = format!("\"{hash}\"");
    let mut response = if header_text(headers, "if-none-match") == tag {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = status(304);
        response
    } else {
        let key = format!("v2 {binary} {hash}");
        let bytes = engine.documents.get(&key, || {
            let document = document(catalog);
            if binary {
                encode(&document)
            } else {
                to_bytes(&document)
            }
        });
        let media = if binary {
            PROTOBUF[1]
        } else {
            "application/json"
        };
        build(200, media, bytes)
    };
    insert(response.headers_mut(), "etag", &tag);
    insert(response.headers_mut(), "vary", "Accept");
    Ok(response)
}

fn document(catalog: &Catalog) -> Value {
    let (paths, components) = build_whole(catalog);
    let paths: Map = paths
        .into_iter()
        .map(|(path, item)| (path, path_item(item)))
        .collect();
    let definitions: Map = components
        .into_iter()
        .map(|(name, schema)| (name, schema_form(schema)))
        .collect();
    json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.35.6+embedded"},
        "definitions": definitions, "paths": paths, "parameters": {},
        "security": [{"BearerToken": []}],
        "securityDefinitions": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header", "description": "Bearer Token authentication"}},
    })
}

/// Rewrites a v3 schema: references point to definitions, what v2 cannot say goes.
fn schema_form(schema: Value) -> Value {
    let Value::Object(mut map) = schema else {
        return schema;
    };
    let referred = map
        .get("$ref")
        .or_else(|| map.get("allOf")?.get(0)?.get("$ref"))
        .and_then(Value::as_str);
    if let Some(target) = referred {
        let name = target.strip_prefix(REFERENCE).unwrap_or(target);
        let mut out = json!({"$ref": format!("#/definitions/{name}")});
        for (key, value) in &map {
            if key == "description" || key.starts_with("x-kubernetes-") {
                out[key] = value.clone();
            }
        }
        return out;
    }
    let either = map.contains_key("oneOf") || map.contains_key("anyOf");
    map.retain(|key, _| !NOT_IN_V2.contains(&key.as_str()));
    if either && !map.contains_key("type") && !map.contains_key("properties") {
        // Quantities, and numbers that may be texts.
        map.insert("type".into(), "string".into());
    }
    let inner = map.into_iter().map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => properties
                .into_iter()
                .map(|(name, schema)| (name, schema_form(schema)))
                .collect::<Map>()
                .into(),
            ("items" | "additionalProperties", schema) => schema_form(schema),
            ("allOf", Value::Array(all)) => all.into_iter().map(schema_form).collect(),
            (_, value) => value,
        };
        (key, value)
    });
    Value::Object(inner.collect())
}

fn path_item(item: Value) -> Value {
    let Value::Object(map) = item else {
        return item;
    };
    let members = map.into_iter().map(|(key, value)| {
        let value = if key == "parameters" {
            parameters(&value)
        } else {
            operation(value)
        };
        (key, value)
    });
    Value::Object(members.collect())
}

/// Rewrites parameters: v2 has the type beside the name.
fn parameters(given: &Value) -> Value {
    let given = given.as_array().into_iter().flatten();
    given
        .map(|parameter| {
            let mut out = parameter.as_object().cloned().unwrap_or_default();
            if let Some(Value::Object(schema)) = out.remove("schema") {
                out.extend(schema);
            }
            Value::Object(out)
        })
        .collect()
}

fn operation(given: Value) -> Value {
    let Value::Object(mut map) = given else {
        return given;
    };
    let mut list = map.get("parameters").map_or(json!([]), parameters);
    if let (Some(body), Some(list)) = (map.remove("requestBody"), list.as_array_mut()) {
        let schema = schema_form(body["content"]["*/*"]["schema"].clone());
        list.push(json!({"name": "body", "in": "body", "required": true, "schema": schema}));
    }
    map.insert("parameters".into(), list);
    if let Some(Value::Object(responses)) = map.get_mut("responses") {
        for response in responses.values_mut() {
            let schema = response["content"]["application/json"]["schema"].clone();
            *response = json!({"description": response["description"]});
            if !schema.is_null() {
                response["schema"] = schema_form(schema);
            }
        }
    }
    Value::Object(map)
}

/// How a member stands in a message of the OpenAPI project.
#[derive(Clone, Copy)]
enum Form {
    /// A text, or a list of texts as repeated fields.
    Text,
    Bool,
    Int,
    Double,
    /// `Any` with the value as YAML (JSON is YAML).
    Any,
    /// A message with its own encoder.
    Message(fn(&Value) -> Vec<u8>),
    /// A list of messages as repeated fields.
    List(fn(&Value) -> Vec<u8>),
}

/// Members of a message: field number, JSON name, form.
type Members = &'static [(u64, &'static str, Form)];

const DOCUMENT: Members = &[
    (1, "swagger", Form::Text),
    (2, "info", Form::Message(|v| message(v, INFO, 7))),
    (
        8,
        "paths",
        Form::Message(|v| named(v, 2, |v| message(v, PATH_ITEM, 10))),
    ),
    (9, "definitions", Form::Message(|v| named(v, 1, schema))),
    (
        12,
        "security",
        Form::List(|v| named(v, 1, |v| message(&json!({"value": v}), STRINGS, 0))),
    ),
    (
        13,
        "securityDefinitions",
        Form::Message(|v| named(v, 1, |v| wrapped(2, &message(v, API_KEY, 5)))),
    ),
];
const INFO: Members = &[(1, "title", Form::Text), (2, "version", Form::Text)];
const STRINGS: Members = &[(1, "value", Form::Text)];
const API_KEY: Members = &[
    (1, "type", Form::Text),
    (2, "name", Form::Text),
    (3, "in", Form::Text),
    (4, "description", Form::Text),
];
const PATH_ITEM: Members = &[
    (2, "get", Form::Message(|v| message(v, OPERATION, 13))),
    (3, "put", Form::Message(|v| message(v, OPERATION, 13))),
    (4, "post", Form::Message(|v| message(v, OPERATION, 13))),
    (5, "delete", Form::Message(|v| message(v, OPERATION, 13))),
    (8, "patch", Form::Message(|v| message(v, OPERATION, 13))),
    (9, "parameters", Form::List(parameter)),
];
const OPERATION: Members = &[
    (3, "description", Form::Text),
    (5, "operationId", Form::Text),
    (8, "parameters", Form::List(parameter)),
    (
        9,
        "responses",
        Form::Message(|v| named(v, 1, |v| wrapped(1, &message(v, RESPONSE, 5)))),
    ),
];
const RESPONSE: Members = &[
    (1, "description", Form::Text),
    (2, "schema", Form::Message(|v| wrapped(1, &schema(v)))),
];
const BODY: Members = &[
    (2, "name", Form::Text),
    (3, "in", Form::Text),
    (4, "required", Form::Bool),
    (5, "schema", Form::Message(schema)),
];
const QUERY: Members = &[
    (1, "required", Form::Bool),
    (2, "in", Form::Text),
    (3, "description", Form::Text),
    (4, "name", Form::Text),
    (6, "type", Form::Text),
    (20, "uniqueItems", Form::Bool),
];
const PATH: Members = &[
    (1, "required", Form::Bool),
    (2, "in", Form::Text),
    (3, "description", Form::Text),
    (4, "name", Form::Text),
    (5, "type", Form::Text),
    (19, "uniqueItems", Form::Bool),
];
const SCHEMA: Members = &[
    (1, "$ref", Form::Text),
    (2, "format", Form::Text),
    (3, "title", Form::Text),
    (4, "description", Form::Text),
    (5, "default", Form::Any),
    (6, "multipleOf", Form::Double),
    (7, "maximum", Form::Double),
    (8, "exclusiveMaximum", Form::Bool),
    (9, "minimum", Form::Double),
    (10, "exclusiveMinimum", Form::Bool),
    (11, "maxLength", Form::Int),
    (12, "minLength", Form::Int),
    (13, "pattern", Form::Text),
    (14, "maxItems", Form::Int),
    (15, "minItems", Form::Int),
    (16, "uniqueItems", Form::Bool),
    (17, "maxProperties", Form::Int),
    (18, "minProperties", Form::Int),
    (19, "required", Form::Text),
    (20, "enum", Form::List(any)),
    (21, "additionalProperties", Form::Message(additional)),
    (
        22,
        "type",
        Form::Message(|v| message(&json!({"value": v}), STRINGS, 0)),
    ),
    (23, "items", Form::Message(|v| wrapped(1, &schema(v)))),
    (24, "allOf", Form::List(schema)),
    (25, "properties", Form::Message(|v| named(v, 1, schema))),
];

/// Encodes a v2 document.
fn encode(document: &Value) -> Vec<u8> {
    message(document, DOCUMENT, 16)
}

fn schema(value: &Value) -> Vec<u8> {
    message(value, SCHEMA, 31)
}

/// Encodes the known members, then the `x-…` ones under the field of extensions (none where 0).
fn message(value: &Value, members: Members, extensions: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for (field, name, form) in members {
        if let Some(value) = value.get(name) {
            member(&mut out, *field, *form, value);
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        if extensions > 0 && name.starts_with("x-") {
            put_bytes(&mut out, extensions, &pair(name, &any(value)));
        }
    }
    out
}

fn member(out: &mut Vec<u8>, field: u64, form: Form, value: &Value) {
    match (form, value) {
        (Form::Text, Value::String(text)) => put_bytes(out, field, text.as_bytes()),
        (Form::Text, Value::Array(items)) => {
            for text in items.iter().filter_map(Value::as_str) {
                put_bytes(out, field, text.as_bytes());
            }
        }
        (Form::Bool, value) => put_varint(out, field, u64::from(value == &Value::Bool(true))),
        (Form::Int, value) => {
            put_varint(out, field, value.as_i64().unwrap_or(0).cast_unsigned());
        }
        (Form::Double, value) => put_double(out, field, value.as_f64().unwrap_or(0.0)),
        (Form::Any, value) => put_bytes(out, field, &any(value)),
        (Form::Message(encode), value) => put_bytes(out, field, &encode(value)),
        (Form::List(encode), Value::Array(items)) => {
            for item in items {
                put_bytes(out, field, &encode(item));
            }
        }
        (Form::Text | Form::List(_), _) => {}
    }
}

/// Encodes a map as repeated pairs of name and message.
fn named(value: &Value, field: u64, encode: fn(&Value) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        put_bytes(&mut out, field, &pair(name, &encode(value)));
    }
    out
}

fn pair(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + value.len() + 12);
    put_bytes(&mut out, 1, name.as_bytes());
    put_bytes(&mut out, 2, value);
    out
}

fn wrapped(field: u64, inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len() + 6);
    put_bytes(&mut out, field, inner);
    out
}

fn any(value: &Value) -> Vec<u8> {
    wrapped(2, format!("{value}\n").as_bytes())
}

fn additional(value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(allowed) => {
            let mut out = Vec::new();
            put_varint(&mut out, 2, u64::from(*allowed));
            out
        }
        value => wrapped(1, &schema(value)),
    }
}

fn parameter(value: &Value) -> Vec<u8> {
    let inner = match value["in"].as_str() {
        Some("body") => wrapped(1, &message(value, BODY, 6)),
        Some("path") => wrapped(2, &wrapped(4, &message(value, PATH, 22))),
        _ => wrapped(2, &wrapped(3, &message(value, QUERY, 23))),
    };
    wrapped(1, &inner)
}

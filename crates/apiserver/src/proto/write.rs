//! Encoding: the JSON form of an object becomes wire bytes.
//!
//! Members that the message does not know are left out, as is what has the wrong JSON type: the object has been
//! validated before. Fields stand in the order of their numbers, map entries in that of their keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use objects::{Gvk, Map, Value};

use super::{DEPTH_MAX, Field, MAGIC, MESSAGES, message_of, resolve};

/// Encodes an object in the Kubernetes envelope; `None` for kinds without a protobuf form.
pub fn encode(object: &Map) -> Option<Vec<u8>> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("");
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let message = message_of(&Gvk::from_api_version(api_version, kind))?;
    let mut meta = Vec::new();
    put_bytes(&mut meta, 1, api_version.as_bytes());
    put_bytes(&mut meta, 2, kind.as_bytes());
    let mut raw = Vec::new();
    write_message(message, object, &mut raw, 0);
    let mut out = Vec::with_capacity(raw.len() + 64);
    out.extend_from_slice(MAGIC);
    put_bytes(&mut out, 1, &meta);
    put_bytes(&mut out, 2, &raw);
    // Content encoding and type: the raw object is plain protobuf.
    put_bytes(&mut out, 3, b"");
    put_bytes(&mut out, 4, b"");
    Some(out)
}

/// Encodes one frame of a watch: length, then a `WatchEvent` around the enveloped object.
pub fn frame(kind: &str, object: &Map) -> Option<Vec<u8>> {
    let object = encode(object)?;
    let mut raw = Vec::with_capacity(object.len() + 8);
    put_bytes(&mut raw, 1, &object);
    let mut event = Vec::with_capacity(raw.len() + 32);
    put_bytes(&mut event, 1, kind.as_bytes());
    put_bytes(&mut event, 2, &raw);
    let length = u32::try_from(event.len()).ok()?;
    let mut out = length.to_be_bytes().to_vec();
    out.extend_from_slice(&event);
    Some(out)
}

/// Appends a varint.
fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number as a field.
pub(crate) fn put_varint(out: &mut Vec<u8>, field: u64, number: u64) {
    varint(out, field << 3);
    varint(out, number);
}

/// Appends bytes, a text or a message as a field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a floating-point number as a field.
pub(crate) fn put_double(out: &mut Vec<u8>, field: u64, number: f64) {
    varint(out, field << 3 | 1);
    out.extend_from_slice(&number.to_bits().to_le_bytes());
}

fn write_message(name: &str, object: &Map, out: &mut Vec<u8>, depth: usize) {
    let Some(fields) = MESSAGES.get(name).filter(|_| depth <= DEPTH_MAX) else {
        return;
    };
    for field in fields {
        write_field(field, object, out, depth);
    }
}

fn write_field(field: &Field, object: &Map, out: &mut Vec<u8>, depth: usize) {
    let (number, json, kind, inline) = field;
    if *inline {
        let mut inner = Vec::new();
        write_message(resolve(kind), object, &mut inner, depth + 1);
        return put_bytes(out, *number, &inner);
    }
    let Some(value) = object.get(json) else {
        return;
    };
    match value {
        Value::Null => {}
        Value::Array(items) if kind.starts_with("[]") => {
            for item in items {
                write_value(*number, &kind[2..], item, out, depth);
            }
        }
        Value::Object(map) if kind.starts_with("map<") => {
            let inner = kind.strip_prefix("map<string,").unwrap_or("");
            let inner = inner.strip_suffix('>').unwrap_or("");
            for (key, value) in map {
                let mut entry = Vec::new();
                put_bytes(&mut entry, 1, key.as_bytes());
                write_value(2, inner, value, &mut entry, depth);
                put_bytes(out, *number, &entry);
            }
        }
        value => write_value(*number, kind, value, out, depth),
    }
}

fn write_value(number: u64, kind: &str, value: &Value, out: &mut Vec<u8>, depth: usize) {
    match (kind, value) {
        ("string", Value::String(text)) => put_bytes(out, number, text.as_bytes()),
        ("bytes", Value::String(text)) => {
            put_bytes(out, number, &STANDARD.decode(text).unwrap_or_default());
        }
        ("bool", Value::Bool(set)) => put_varint(out, number, u64::from(*set)),
        ("int32" | "int64" | "uint32" | "uint64", Value::Number(digits)) => {
            let signed = digits.as_i64().map(i64::cast_unsigned);
            if let Some(bits) = signed.or_else(|| digits.as_u64()) {
                put_varint(out, number, bits);
            }
        }
        ("double", Value::Number(digits)) => {
            put_double(out, number, digits.as_f64().unwrap_or(0.0));
        }
        ("string" | "bytes" | "bool" | "int32" | "int64" | "uint32" | "uint64" | "double", _) => {}
        (kind, value) => {
            if let Some(bytes) = special(resolve(kind), value, depth) {
                put_bytes(out, number, &bytes);
            }
        }
    }
}

/// Writes a message whose JSON form may be something else than an object with its fields.
fn special(name: &str, value: &Value, depth: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let suffix = name.rsplit('.').next().unwrap_or(name);
    match (suffix, value) {
        ("Time" | "MicroTime", value) => {
            let moment: Timestamp = value.as_str()?.parse().ok()?;
            put_varint(&mut out, 1, moment.as_second().cast_unsigned());
            let nanos = i64::from(moment.subsec_nanosecond());
            put_varint(&mut out, 2, nanos.cast_unsigned());
        }
        ("Quantity", Value::String(text)) => put_bytes(&mut out, 1, text.as_bytes()),
        ("Quantity", Value::Number(number)) => {
            put_bytes(&mut out, 1, number.to_string().as_bytes());
        }
        ("IntOrString", Value::String(text)) => int_or_string(&mut out, 1, 0, text),
        ("IntOrString", Value::Number(number)) => {
            int_or_string(&mut out, 0, number.as_i64().unwrap_or(0), "");
        }
        ("FieldsV1" | "RawExtension" | "JSON", value) => {
            put_bytes(&mut out, 1, &serde_json::to_vec(value).ok()?);
        }
        ("Verbs" | "ExtraValue", Value::Array(items)) => {
            for item in items.iter().filter_map(Value::as_str) {
                put_bytes(&mut out, 1, item.as_bytes());
            }
        }
        ("JSONSchemaPropsOrBool", Value::Bool(allows)) => {
            put_varint(&mut out, 1, u64::from(*allows));
        }
        ("JSONSchemaPropsOrBool", schema @ Value::Object(_)) => {
            put_varint(&mut out, 1, 1);
            write_value(2, "JSONSchemaProps", schema, &mut out, depth + 1);
        }
        ("JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray", schema @ Value::Object(_)) => {
            write_value(1, "JSONSchemaProps", schema, &mut out, depth + 1)
        }
        ("JSONSchemaPropsOrArray", Value::Array(schemas)) => {
            for schema in schemas {
                write_value(2, "JSONSchemaProps", schema, &mut out, depth + 1);
            }
        }
        ("JSONSchemaPropsOrStringArray", Value::Array(names)) => {
            for name in names {
                write_value(2, "string", name, &mut out, depth + 1);
            }
        }
        (_, Value::Object(map)) => write_message(name, map, &mut out, depth + 1),
        _ => return None,
    }
    Some(out)
}

fn int_or_string(out: &mut Vec<u8>, kind: u64, number: i64, text: &str) {
    put_varint(out, 1, kind);
    put_varint(out, 2, number.cast_unsigned());
    put_bytes(out, 3, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;
    use objects::json;

    fn check(object: Value) {
        let Value::Object(object) = object else {
            panic!("an object is wanted");
        };
        let decoded = decode(&encode(&object).unwrap()).unwrap();
        assert_eq!(Value::Object(decoded), Value::Object(object));
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        check(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {
                "name": "a", "creationTimestamp": "2024-01-01T00:00:00Z", "labels": {"b": "c", "a": "d"},
                "managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8081}]},
        }));
        check(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a.b"},
            "spec": {"group": "b", "versions": [{"name": "v1", "served": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {
                    "a": {"type": "object", "additionalProperties": {"type": "string", "default": "x"}},
                    "b": {"type": "array", "items": {"type": "integer", "minimum": 0.5}},
                    "c": {"additionalProperties": false, "enum": [1, "a", null]},
                },
            }}}]},
        }));
        check(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"},
            "eventTime": "2024-01-01T00:00:00.123456Z", "count": -3,
        }));
    }

    #[test]
    fn custom_kinds_have_no_protobuf_form() {
        let object = json!({"apiVersion": "example.com/v1", "kind": "Thing"});
        assert_eq!(encode(object.as_object().unwrap()), None);
    }
}

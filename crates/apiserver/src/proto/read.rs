//! Decoding: wire bytes become the JSON form of the object.
//!
//! Go's encoder writes zero values of fields that are no pointers; JSON leaves those out, so they are dropped here unless
//! the field is known to be a pointer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use objects::{Gvk, Map, Value};

use super::{DEPTH_MAX, MAGIC, MESSAGES, message_of, resolve};

/// Fields whose zero is a value of its own: they are pointers in Go.
const POINTERS: &[&str] = &[
    "activeDeadlineSeconds",
    "allocateLoadBalancerNodePorts",
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "backoffLimit",
    "blockOwnerDeletion",
    "completions",
    "controller",
    "defaultMode",
    "enableServiceLinks",
    "expirationSeconds",
    "failedJobsHistoryLimit",
    "fsGroup",
    "gracePeriodSeconds",
    "hostUsers",
    "immutable",
    "leaseDurationSeconds",
    "leaseTransitions",
    "minReplicas",
    "mode",
    "optional",
    "orphanDependents",
    "parallelism",
    "partition",
    "priority",
    "privileged",
    "progressDeadlineSeconds",
    "readOnlyRootFilesystem",
    "ready",
    "replicas",
    "revisionHistoryLimit",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "serving",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "startingDeadlineSeconds",
    "successfulJobsHistoryLimit",
    "suspend",
    "terminating",
    "terminationGracePeriodSeconds",
    "tolerationSeconds",
    "ttlSecondsAfterFinished",
];

/// Types whose zero is left out where the field is no pointer.
const SCALARS: &[&str] = &["bool", "int32", "int64", "uint32", "uint64", "double"];

/// Decodes a body in the Kubernetes envelope into a JSON object.
pub fn decode(bytes: &[u8]) -> Result<Map, String> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    )?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for part in parts(envelope)? {
        match (part.number, part.data) {
            (1, Data::Bytes(meta)) => {
                for part in parts(meta)? {
                    match (part.number, part.data) {
                        (1, Data::Bytes(text)) => api_version = utf8(text)?,
                        (2, Data::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Data::Bytes(object)) => raw = object,
            _ => {}
        }
    }
    let gvk = Gvk::from_api_version(&api_version, &kind);
    let message = message_of(&gvk)
        .ok_or_else(|| format!("no kind \"{kind}\" is registered for version \"{api_version}\""))?;
    let mut object = Map::new();
    read_message(message, raw, &mut object, 0)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(object)
}

/// One field as it stands on the wire.
struct Part<'a> {
    number: u64,
    data: Data<'a>,
}

enum Data<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

fn parts(mut bytes: &[u8]) -> Result<Vec<Part<'_>>, String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let data = match tag & 7 {
            0 => Data::Varint(varint(&mut bytes)?),
            1 => {
                let mut word = [0; 8];
                word.copy_from_slice(take(&mut bytes, 8)?);
                Data::Fixed64(u64::from_le_bytes(word))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| truncated())?;
                Data::Bytes(take(&mut bytes, length)?)
            }
            5 => {
                let mut word = [0; 4];
                word.copy_from_slice(take(&mut bytes, 4)?);
                Data::Fixed32(u32::from_le_bytes(word))
            }
            kind => return Err(format!("proto: illegal wireType {kind}")),
        };
        found.push(Part {
            number: tag >> 3,
            data,
        });
    }
    Ok(found)
}

fn truncated() -> String {
    "unexpected EOF".to_owned()
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or_else(truncated)?;
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("proto: integer overflow".to_owned())
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "proto: a text is not UTF-8".to_owned())
}

fn read_message(name: &str, bytes: &[u8], into: &mut Map, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err("proto: nested too deeply".into());
    }
    let Some(fields) = MESSAGES.get(name) else {
        return Err(format!("proto: unknown message {name}"));
    };
    for part in parts(bytes)? {
        let Some((_, json, kind, inline)) = fields.iter().find(|f| f.0 == part.number) else {
            continue;
        };
        read_field(json, kind, *inline, part.data, into, depth)?;
    }
    Ok(())
}

fn read_field(
    json: &str,
    kind: &str,
    inline: bool,
    data: Data<'_>,
    into: &mut Map,
    depth: usize,
) -> Result<(), String> {
    if let Some(inner) = kind.strip_prefix("[]") {
        return read_repeated(json, inner, data, into, depth);
    }
    if let Some(types) = kind.strip_prefix("map<").and_then(|k| k.strip_suffix('>')) {
        return read_entry(json, types, data, into, depth);
    }
    if inline && let Data::Bytes(bytes) = data {
        return read_message(resolve(kind), bytes, into, depth + 1);
    }
    let value = read_value(kind, &data, depth)?;
    let scalar = SCALARS.contains(&kind) || (kind.ends_with("IntOrString") && json == "targetPort");
    let zero = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) if scalar => {
            number.as_f64() == Some(0.0) && !POINTERS.contains(&json)
        }
        Value::Bool(set) if scalar => !set && !POINTERS.contains(&json),
        _ => false,
    };
    if !zero {
        into.insert(json.to_owned(), value);
    }
    Ok(())
}

fn read_repeated(
    json: &str,
    inner: &str,
    data: Data<'_>,
    into: &mut Map,
    depth: usize,
) -> Result<(), String> {
    let list = into
        .entry(json.to_owned())
        .or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(list) = list else {
        return Ok(());
    };
    if let (Data::Bytes(packed), "int32" | "int64" | "bool") = (&data, inner) {
        let mut packed = *packed;
        while !packed.is_empty() {
            let number = varint(&mut packed)?;
            list.push(read_value(inner, &Data::Varint(number), depth)?);
        }
        return Ok(());
    }
    list.push(read_value(inner, &data, depth)?);
    Ok(())
}

fn read_entry(
    json: &str,
    types: &str,
    data: Data<'_>,
    into: &mut Map,
    depth: usize,
) -> Result<(), String> {
    let (Some((_, kind)), Data::Bytes(bytes)) = (types.split_once(','), data) else {
        return Ok(());
    };
    let (mut key, mut value) = (String::new(), None);
    for part in parts(bytes)? {
        match (part.number, part.data) {
            (1, Data::Bytes(text)) => key = utf8(text)?,
            (2, data) => value = Some(read_value(kind, &data, depth)?),
            _ => {}
        }
    }
    let value = match value {
        Some(value) => value,
        None => read_value(kind, &Data::Bytes(&[]), depth)?,
    };
    let map = into
        .entry(json.to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(map) = map {
        map.insert(key, value);
    }
    Ok(())
}

fn read_value(kind: &str, data: &Data<'_>, depth: usize) -> Result<Value, String> {
    Ok(match (kind, data) {
        ("string", Data::Bytes(bytes)) => utf8(bytes)?.into(),
        ("bytes", Data::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        ("bool", Data::Varint(number)) => (*number != 0).into(),
        ("int32" | "int64", Data::Varint(number)) => number.cast_signed().into(),
        ("uint32" | "uint64", Data::Varint(number)) => (*number).into(),
        ("double", Data::Fixed64(bits)) => f64::from_bits(*bits).into(),
        ("float", Data::Fixed32(bits)) => f64::from(f32::from_bits(*bits)).into(),
        (kind, Data::Bytes(bytes)) => read_special(resolve(kind), bytes, depth)?,
        (kind, _) => return Err(format!("proto: wrong wire type for a field of type {kind}")),
    })
}

/// Reads a message whose JSON form is not an object with its fields.
fn read_special(name: &str, bytes: &[u8], depth: usize) -> Result<Value, String> {
    let fields = || -> Result<Map, String> {
        let mut map = Map::new();
        read_message(name, bytes, &mut map, depth + 1)?;
        Ok(map)
    };
    let raw = || -> Result<Value, String> {
        let part = parts(bytes)?.into_iter().find(|part| part.number == 1);
        match part.map(|part| part.data) {
            Some(Data::Bytes(json)) if !json.is_empty() => {
                serde_json::from_slice(json).map_err(|error| error.to_string())
            }
            _ => Ok(Value::Null),
        }
    };
    let suffix = name.rsplit('.').next().unwrap_or(name);
    Ok(match suffix {
        "Time" => time(&fields()?, false),
        "MicroTime" => time(&fields()?, true),
        "Quantity" => fields()?.remove("string").unwrap_or_else(|| "0".into()),
        "IntOrString" => {
            let mut map = fields()?;
            let text = map.get("type").and_then(Value::as_i64) == Some(1);
            if text {
                map.remove("strVal").unwrap_or_else(|| "".into())
            } else {
                map.remove("intVal").unwrap_or_else(|| 0.into())
            }
        }
        "FieldsV1" | "RawExtension" | "JSON" => raw()?,
        "Verbs" | "ExtraValue" => fields()?
            .remove("items")
            .unwrap_or_else(|| Value::Array(Vec::new())),
        "JSONSchemaPropsOrBool" => {
            let mut map = fields()?;
            let allows = map.contains_key("allows");
            map.remove("schema").unwrap_or_else(|| allows.into())
        }
        "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray" => {
            let mut map = fields()?;
            let one = map.remove("schema");
            let several = map.remove("jSONSchemas").or_else(|| map.remove("property"));
            one.or(several).unwrap_or_else(|| Value::Array(Vec::new()))
        }
        _ => Value::Object(fields()?),
    })
}

fn time(map: &Map, micro: bool) -> Value {
    let number = |key: &str| map.get(key).and_then(Value::as_i64).unwrap_or(0);
    let (seconds, nanos) = (number("seconds"), number("nanos"));
    if seconds == 0 && nanos == 0 {
        return Value::Null;
    }
    let nanos = i32::try_from(nanos).unwrap_or(0);
    match Timestamp::new(seconds, nanos) {
        Ok(moment) if micro => moment.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into(),
        Ok(moment) => crate::environment::format_seconds(moment).into(),
        Err(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;
    use proptest::prelude::*;

    #[test]
    fn a_config_map_of_kubectl_is_read() {
        let body = "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEhsKEQoBYRIAGgAiACoAMgA4AEIAEgYKAWsSAXYaACIA";
        let decoded = decode(&STANDARD.decode(body).unwrap()).unwrap();
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
        assert_eq!(Value::Object(decoded), expected);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
            let head = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12";
            let mut body = head.to_vec();
            body.push(u8::try_from(bytes.len().min(120)).unwrap());
            body.extend_from_slice(&bytes[..bytes.len().min(120)]);
            let _ = decode(&body);
        }
    }
}

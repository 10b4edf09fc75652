//! Both directions against objects recorded from a real server as JSON and as protobuf.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use objects::Value;
use testkit::corpus::{data_dir, first_difference};

use super::{decode, encode};

/// Drops what JSON shows and the wire does not tell apart: null and empty values.
fn pruned(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(key, value)| (key, pruned(value)));
            Value::Object(kept.filter(|(_, value)| !empty(value)).collect())
        }
        Value::Array(items) => items.into_iter().map(pruned).collect(),
        other => other,
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
    }
}

/// Items of typed lists and claim templates carry no type of their own on the wire.
fn typed_items(mut object: Value) -> Value {
    for path in ["/items", "/spec/volumeClaimTemplates"] {
        let items = object.pointer_mut(path).and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            if let Some(item) = item.as_object_mut() {
                item.remove("kind");
                item.remove("apiVersion");
            }
        }
    }
    object
}

#[test]
fn recorded_pairs_agree_both_ways() {
    let Some(dir) = data_dir("apiserver") else {
        return;
    };
    let text = std::fs::read(dir.join("v1.32/protobuf-pairs.json")).unwrap();
    let pairs: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let mut compared = 0;
    for pair in &pairs {
        let (Some(json), Some(bytes)) = (pair["json"].as_object(), pair["protobuf"].as_str())
        else {
            continue;
        };
        compared += 1;
        let wanted = pruned(typed_items(pair["json"].clone()));
        let recorded = decode(&STANDARD.decode(bytes).unwrap()).unwrap();
        let ours = decode(&encode(json).unwrap()).unwrap();
        for (what, actual) in [("recorded", recorded), ("ours", ours)] {
            let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
            let actual = pruned(Value::Object(actual));
            let found = first_difference(&pretty(&wanted), &pretty(&actual));
            assert!(found.is_none(), "{what} {}: {found:?}", json["kind"]);
        }
    }
    assert!(compared >= 35, "only {compared} pairs were compared");
}

//! Values of a release: references and inline values merged as fluxcd/pkg's `chartutil` does, and their digest.
//!
//! Numbers that come from YAML are floats and numbers from a `targetPath` are whole, as Go's decoders leave them;
//! templates can tell them apart.

use api::ValuesReference;
use helm::Version;
use helm::strvals::{self, Mode};
use objects::Value;
use serde_json::Map;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Why values could not be composed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "could not resolve{} {kind} chart values reference '{namespace}/{name}' with key '{key}': {reason}",
    if *optional { " optional" } else { "" }
)]
pub struct ValuesError {
    optional: bool,
    kind: String,
    namespace: String,
    name: String,
    key: String,
    reason: String,
}

impl ValuesError {
    /// Builds an error about a reference.
    pub fn new(reference: &ValuesReference, namespace: &str, reason: impl Into<String>) -> Self {
        Self {
            optional: reference.optional,
            kind: reference.kind.clone(),
            namespace: namespace.to_owned(),
            name: reference.name.clone(),
            key: reference.values_key().to_owned(),
            reason: reason.into(),
        }
    }
}

/// What a reference leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The data of its key.
    Data(Vec<u8>),
    /// The object does not exist; the server's words.
    NoObject(String),
    /// The object has no such key.
    NoKey,
}

/// Composed values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(pub Map<String, Value>);

impl Values {
    /// Returns the values as Go writes them to JSON: whole floats as whole numbers.
    pub fn config(&self) -> Map<String, Value> {
        whole_map(&self.0)
    }

    /// Returns the digest that a snapshot records.
    pub fn digest(&self) -> String {
        digest_values(&self.0, "sha256").unwrap_or_default()
    }

    /// Tells whether a recorded digest is that of these values.
    pub fn matches(&self, digest: &str) -> bool {
        let algorithm = digest
            .split_once(':')
            .map_or("", |(algorithm, _)| algorithm);
        digest_values(&self.0, algorithm).as_deref() == Some(digest)
    }
}

/// Returns the digest of values; `None` for an algorithm that is not known.
pub fn digest_values(values: &Map<String, Value>, algorithm: &str) -> Option<String> {
    let text = if values.is_empty() {
        String::new()
    } else {
        // Keys of JSON maps are in byte order already, and the node keeps it.
        let node = kyaml::from_json(&Value::Object(whole_map(values)));
        kyaml::emit_sigs_node(&node).unwrap_or_default()
    };
    let digest = match algorithm {
        "sha256" => hex::encode(Sha256::digest(&text)),
        "sha384" => hex::encode(Sha384::digest(&text)),
        "sha512" => hex::encode(Sha512::digest(&text)),
        _ => return None,
    };
    Some(format!("{algorithm}:{digest}"))
}

fn whole_map(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().map(|(k, v)| (k.clone(), whole(v))).collect()
}

fn whole(value: &Value) -> Value {
    /// Largest magnitude that Go prints without an exponent as a whole number here.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(0.0);
            if float.fract() == 0.0 && float.abs() <= WHOLE_MAX {
                // The cast is exact within the bound.
                Value::from(float as i64)
            } else {
                value.clone()
            }
        }
        Value::Array(items) => Value::Array(items.iter().map(whole).collect()),
        Value::Object(map) => Value::Object(whole_map(map)),
        other => other.clone(),
    }
}

fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(serde_json::Number::from_f64)
            .map_or(Value::Null, Value::Number),
        Value::Array(items) => Value::Array(items.into_iter().map(floats).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, floats(v))).collect()),
        other => other,
    }
}

/// Merges deeply: maps meet maps, anything else is replaced; null replaces too.
fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(map)) => merge(inner, map),
            (_, value) => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Composes values from resolved references, in order, and inline values.
///
/// # Errors
/// A reference that is not optional has no object or key, or what it holds are no values.
pub fn compose(
    namespace: &str,
    inline: Option<&Value>,
    references: &[(ValuesReference, Resolved)],
) -> Result<Values, ValuesError> {
    let mut inline = match inline.cloned().map(floats) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let mut result = Map::new();
    for (reference, resolved) in references {
        let error = |reason: String| ValuesError::new(reference, namespace, reason);
        let data = match resolved {
            Resolved::Data(data) => data,
            Resolved::NoObject(_) | Resolved::NoKey if reference.optional => continue,
            Resolved::NoObject(cause) => return Err(error(cause.clone())),
            Resolved::NoKey => return Err(error("key not found".to_owned())),
        };
        if reference.target_path.is_empty() {
            merge(&mut result, &read(data).map_err(error)?);
        } else {
            let text = String::from_utf8_lossy(data);
            let shared = is_shared(&reference.target_path, &inline, &result);
            merge(&mut result, &inline);
            set_path(&mut result, reference, &text).map_err(error)?;
            if shared {
                // Upstream writes through to the inline values here, so that this value is kept by the last merge.
                set_path(&mut inline, reference, &text).map_err(error)?;
            }
        }
    }
    merge(&mut result, &inline);
    Ok(Values(result))
}

fn read(data: &[u8]) -> Result<Map<String, Value>, String> {
    match kyaml::yaml_to_json(data).map_err(|error| error.to_string())? {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => match floats(Value::Object(map)) {
            Value::Object(map) => Ok(map),
            _ => Ok(Map::new()),
        },
        other => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            kyaml::json_kind(&other)
        )),
    }
}

fn set_path(
    values: &mut Map<String, Value>,
    reference: &ValuesReference,
    text: &str,
) -> Result<(), String> {
    let path = &reference.target_path;
    let is_quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
    let (text, mode) = if reference.literal {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            if matches!(c, '\\' | ',' | '[' | ']' | '{' | '}') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        (format!("{path}={escaped}"), Mode::String)
    } else if is_quoted('\'') || is_quoted('"') {
        let bare = text.trim_matches(['\'', '"']);
        (format!("{path}={bare}"), Mode::String)
    } else {
        (format!("{path}={text}"), Mode::Set)
    };
    strvals::parse_into(&text, mode, Version::V4, values).map_err(|error| error.to_string())
}

/// Tells whether a write at a path into merged values lands in a part that is the inline values' own: below the first
/// key at which inline values have a collection and the values merged so far have no map.
fn is_shared(path: &str, inline: &Map<String, Value>, result: &Map<String, Value>) -> bool {
    let mut inline = Some(inline);
    let mut result = Some(result);
    let keys = keys_of(path);
    for (depth, (key, index)) in keys.iter().enumerate() {
        let Some(here) = inline.and_then(|map| map.get(key.as_str())) else {
            return false;
        };
        let merged = result.and_then(|map| map.get(key.as_str()));
        match (here, index) {
            (Value::Array(items), Some(index)) => return *index < items.len(),
            (Value::Object(map), None) if depth + 1 < keys.len() => {
                match merged.and_then(Value::as_object) {
                    None => return true,
                    Some(below) => result = Some(below),
                }
                inline = Some(map);
            }
            _ => return false,
        }
    }
    false
}

/// Splits a path at dots into keys with their first list index; `\` escapes.
fn keys_of(path: &str) -> Vec<(String, Option<usize>)> {
    let mut keys = vec![(String::new(), None)];
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        let last = keys.last_mut().expect("there is always a key");
        match c {
            '\\' => last.0.extend(chars.next()),
            '.' => keys.push((String::new(), None)),
            '[' => {
                let digits: String = chars.by_ref().take_while(|c| *c != ']').collect();
                last.1 = last.1.or(digits.parse().ok());
            }
            c => last.0.push(c),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    fn reference(target_path: &str, literal: bool, optional: bool) -> ValuesReference {
        ValuesReference {
            kind: "Secret".into(),
            name: "v".into(),
            target_path: target_path.into(),
            literal,
            optional,
            ..ValuesReference::default()
        }
    }

    fn data(text: &str) -> Resolved {
        Resolved::Data(text.into())
    }

    fn check(name: &str, inline: Value, references: &[(ValuesReference, Resolved)], wanted: Value) {
        let got = compose("ns", Some(&inline), references).unwrap();
        assert_eq!(Value::Object(got.config()), wanted, "{name}");
    }

    #[test]
    fn references_merge_in_order_below_inline_values() {
        let whole = reference("", false, false);
        check(
            "later references win, inline wins over all, lists and nulls replace",
            json!({"a": {"v": 1}, "k": null}),
            &[
                (whole.clone(), data("a: {x: 1, w: 1}\nl: [1, 2]\nk: 5")),
                (whole.clone(), data("a: {w: 2, v: 9}\nl: [3]")),
            ],
            json!({"a": {"x": 1, "w": 2, "v": 1}, "l": [3], "k": null}),
        );
        check(
            "missing objects and keys of optional references are skipped",
            json!({"a": 1}),
            &[
                (reference("", false, true), Resolved::NoKey),
                (
                    reference("", false, true),
                    Resolved::NoObject("gone".into()),
                ),
            ],
            json!({"a": 1}),
        );
    }

    #[test]
    fn target_paths_type_quote_and_take_literally() {
        let at = |path: &str| reference(path, false, false);
        for (name, reference, text, wanted) in [
            ("a number", at("a.b"), "5", json!({"a": {"b": 5}})),
            (
                "a quoted number",
                at("a.b"),
                "\"5\"",
                json!({"a": {"b": "5"}}),
            ),
            ("a list", at("a[1]"), "x", json!({"a": [null, "x"]})),
            ("an escaped dot", at(r"a\.b"), "true", json!({"a.b": true})),
            (
                "a literal",
                reference_literal("a.b"),
                "{\"k\": [1,2]}\\n",
                json!({"a": {"b": "{\"k\": [1,2]}\\n"}}),
            ),
        ] {
            check(name, json!({}), &[(reference, data(text))], wanted);
        }
    }

    fn reference_literal(path: &str) -> ValuesReference {
        reference(path, true, false)
    }

    #[test]
    fn target_paths_beat_inline_values_where_upstream_shares_maps() {
        let at = |path: &str| reference(path, false, false);
        let whole = reference("", false, false);
        check(
            "a nested leaf of inline values only",
            json!({"a": {"b": "inline"}}),
            &[(at("a.b"), data("target"))],
            json!({"a": {"b": "target"}}),
        );
        check(
            "a leaf at the top",
            json!({"a": "inline"}),
            &[(at("a"), data("target"))],
            json!({"a": "inline"}),
        );
        check(
            "a nested leaf whose map an earlier reference brought",
            json!({"a": {"b": "inline"}}),
            &[(whole, data("a: {c: 1}")), (at("a.b"), data("target"))],
            json!({"a": {"b": "inline", "c": 1}}),
        );
        check(
            "the second of two target paths into one map",
            json!({"a": {"b": "inline", "c": "inline"}}),
            &[(at("a.b"), data("one")), (at("a.c"), data("two"))],
            json!({"a": {"b": "one", "c": "inline"}}),
        );
    }

    #[test]
    fn digests_are_those_of_sorted_yaml() {
        let values = json!({
            "replicas": 3, "image": {"tag": "latest", "repository": "nginx"},
            "ports": [{"protocol": "TCP", "port": 8080}, {"port": 9090, "protocol": "UDP"}]
        });
        let composed = compose("ns", Some(&values), &[]).unwrap();
        let digest = "sha256:fcdc2b0de1581a3633ada4afee3f918f6eaa5b5ab38c3fef03d5b48d3f85d9f6";
        assert_eq!(composed.digest(), digest);
        assert!(composed.matches(digest));
        assert!(!composed.matches("sha1:5"));
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Values::default().digest(), empty);
    }

    #[test]
    fn errors_name_the_reference() {
        for (optional, resolved, text) in [
            (false, Resolved::NoKey, "key not found"),
            (
                false,
                Resolved::NoObject("secrets \"v\" not found".into()),
                "secrets \"v\" not found",
            ),
            (
                true,
                data("- a"),
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}",
            ),
        ] {
            let error = compose("ns", None, &[(reference("", false, optional), resolved)]);
            let optional = if optional { " optional" } else { "" };
            assert_eq!(
                error.unwrap_err().to_string(),
                format!(
                    "could not resolve{optional} Secret chart values reference 'ns/v' with key 'values.yaml': {text}"
                )
            );
        }
    }
}

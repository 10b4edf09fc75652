//! Structural schemas at work: defaults, and everything a schema says against an object.
//!
//! Messages are those of kube-openapi's validator. On update, a part that did not change is not judged again.

use std::sync::OnceLock;

use cluster::StatusCause;
use objects::{Map, Value};
use parking_lot::Mutex;
use regex::Regex;

use crate::failure::field;

/// Bound on nesting of schemas and objects.
const DEPTH_MAX: usize = 200;

/// Drops nulls that the schema does not allow and fills in its defaults.
pub fn apply_defaults(schema: &Value, object: &mut Map) {
    defaults_of_map(schema, object, 0, true);
}

fn defaults_of_map(schema: &Value, map: &mut Map, depth: usize, root: bool) {
    if depth > DEPTH_MAX {
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if root && matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
            continue;
        }
        if map.get(name).is_some_and(Value::is_null) && !nullable(property) {
            map.remove(name);
        }
        if !map.contains_key(name)
            && let Some(default) = property.get("default")
        {
            map.insert(name.clone(), default.clone());
        }
        if let Some(value) = map.get_mut(name) {
            defaults_of(property, value, depth + 1);
        }
    }
    if let Some(additional) = schema.get("additionalProperties").filter(|a| a.is_object()) {
        let known = |key: &String| properties.is_some_and(|p| p.contains_key(key));
        if !nullable(additional) {
            map.retain(|key, value| known(key) || !value.is_null() || root);
        }
        for (key, value) in map.iter_mut() {
            if !known(key) {
                defaults_of(additional, value, depth + 1);
            }
        }
    }
}

fn defaults_of(schema: &Value, value: &mut Value, depth: usize) {
    match value {
        Value::Object(map) => defaults_of_map(schema, map, depth, false),
        Value::Array(items) => {
            if let Some(element) = schema.get("items") {
                for item in items {
                    defaults_of(element, item, depth + 1);
                }
            }
        }
        _ => {}
    }
}

fn nullable(schema: &Value) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
        || (flag(schema, "x-kubernetes-preserve-unknown-fields") && schema.get("type").is_none())
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

/// Tells whether a value has members that its schema does not know.
pub fn has_unknown(schema: &Value, value: &Value, depth: usize) -> bool {
    if depth > DEPTH_MAX || flag(schema, "x-kubernetes-preserve-unknown-fields") {
        return false;
    }
    match value {
        Value::Array(items) => schema.get("items").is_some_and(|element| {
            items
                .iter()
                .any(|item| has_unknown(element, item, depth + 1))
        }),
        Value::Object(map) => map.iter().any(|(key, value)| {
            let property = schema.get("properties").and_then(|p| p.get(key));
            let more = schema.get("additionalProperties");
            let embedded = flag(schema, "x-kubernetes-embedded-resource")
                && matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
            match property.or(more.filter(|more| more.is_object())) {
                Some(inner) => has_unknown(inner, value, depth + 1),
                None => !embedded && more != Some(&Value::Bool(true)),
            }
        }),
        _ => false,
    }
}

/// Finds everything that a schema says against an object; `live` is its state before an update.
pub fn validate(schema: &Value, object: &Map, live: Option<&Map>) -> Vec<StatusCause> {
    let mut judge = Judge { causes: Vec::new() };
    let mut body = object.clone();
    body.remove("metadata");
    let before = live.map(|live| Value::Object(live.clone()));
    judge.map(schema, &body, before.as_ref(), "", 0);
    judge.causes
}

/// Finds what a schema says against one value.
pub fn validate_value(schema: &Value, value: &Value) -> Vec<StatusCause> {
    let mut judge = Judge { causes: Vec::new() };
    judge.value(schema, value, None, "", 0);
    judge.causes
}

/// Tells whether nothing further can be checked while a cause stands.
pub fn blocks(cause: &StatusCause) -> bool {
    matches!(
        cause.reason.as_str(),
        "FieldValueRequired"
            | "FieldValueNotSupported"
            | "FieldValueTooLong"
            | "FieldValueTooMany"
            | "FieldValueTypeInvalid"
    )
}

struct Judge {
    causes: Vec<StatusCause>,
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl Judge {
    fn value(
        &mut self,
        schema: &Value,
        value: &Value,
        old: Option<&Value>,
        path: &str,
        depth: usize,
    ) {
        if depth > DEPTH_MAX || old == Some(value) {
            return;
        }
        if value.is_null() {
            if !nullable(schema) && schema.get("type").is_some() {
                self.wrong_type(schema, value, path);
            }
            return;
        }
        let fits = fits_type(schema, value);
        if !fits {
            self.wrong_type(schema, value, path);
        }
        self.combined(schema, value, path, depth);
        match value {
            Value::Array(items) if fits => self.list(schema, items, old, path, depth),
            Value::String(text) if fits => self.text(schema, text, path),
            Value::Number(number) => {
                self.number(schema, number.as_f64().unwrap_or(0.0), value, path);
            }
            _ => {}
        }
        self.allowed(schema, value, path);
        if let Value::Object(map) = value
            && fits
        {
            self.map(schema, map, old, path, depth);
        }
    }

    fn wrong_type(&mut self, schema: &Value, value: &Value, path: &str) {
        let wanted = if flag(schema, "x-kubernetes-int-or-string") {
            "integer,string".to_owned()
        } else {
            schema["type"].as_str().unwrap_or("").to_owned()
        };
        let found = json_type(value);
        let shown = Value::from(found);
        if wanted == "integer" && found == "number" && schema.get("multipleOf").is_none() {
            let why = format!("Checked value must be of type integer (default format) in {path}");
            self.causes.push(field::invalid("<nil>", &"".into(), &why));
        }
        let why = format!("{path} in body must be of type {wanted}: {shown}");
        self.causes.push(field::type_invalid(path, &shown, &why));
    }

    fn allowed(&mut self, schema: &Value, value: &Value, path: &str) {
        let Some(list) = schema.get("enum").and_then(Value::as_array) else {
            return;
        };
        if list.contains(value) {
            return;
        }
        let texts: Vec<String> = list
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.causes.push(field::not_supported(path, value, &texts));
    }

    fn map(&mut self, schema: &Value, map: &Map, old: Option<&Value>, path: &str, depth: usize) {
        let root = path.is_empty();
        if flag(schema, "x-kubernetes-embedded-resource") {
            for name in ["apiVersion", "kind"] {
                if map
                    .get(name)
                    .and_then(Value::as_str)
                    .is_none_or(str::is_empty)
                {
                    self.causes.push(field::required(&below(path, name), ""));
                }
            }
        }
        self.count(schema, map.len(), "Properties", "properties", path);
        let properties = schema.get("properties").and_then(Value::as_object);
        let additional = schema.get("additionalProperties").filter(|a| a.is_object());
        for (key, value) in map {
            let property = properties.and_then(|p| p.get(key)).or(additional);
            let Some(property) = property else { continue };
            if root && matches!(key.as_str(), "apiVersion" | "kind") {
                continue;
            }
            let before = old.and_then(|old| old.get(key));
            self.value(property, value, before, &below(path, key), depth + 1);
        }
        for name in strings(schema.get("required")) {
            let given = root && name == "metadata";
            if !given && !map.contains_key(name) {
                self.causes.push(field::required(&below(path, name), ""));
            }
        }
    }

    fn list(
        &mut self,
        schema: &Value,
        items: &[Value],
        old: Option<&Value>,
        path: &str,
        depth: usize,
    ) {
        self.count(schema, items.len(), "Items", "items", path);
        let keys: Vec<&str> = strings(schema.get("x-kubernetes-list-map-keys")).collect();
        match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => self.duplicates(items, path, |item| Some(item.clone())),
            Some("map") => self.duplicates(items, path, |item| key_of(&keys, item)),
            _ => {}
        }
        let Some(element) = schema.get("items") else {
            return;
        };
        let before = old.and_then(Value::as_array);
        for (index, item) in items.iter().enumerate() {
            let old_item = if keys.is_empty() {
                None
            } else {
                let key = key_of(&keys, item);
                before.and_then(|list| list.iter().find(|other| key_of(&keys, other) == key))
            };
            let place = format!("{path}[{index}]");
            self.value(element, item, old_item, &place, depth + 1);
        }
    }

    fn duplicates(&mut self, items: &[Value], path: &str, key: impl Fn(&Value) -> Option<Value>) {
        let mut seen = std::collections::HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let Some(key) = key(item) else { continue };
            if !seen.insert(key.to_string()) {
                let place = format!("{path}[{index}]");
                self.causes.push(field::duplicate(&place, &key));
            }
        }
    }

    fn count(&mut self, schema: &Value, count: usize, suffix: &str, words: &str, path: &str) {
        let bound = |prefix: &str| {
            let bound = schema.get(format!("{prefix}{suffix}"))?.as_u64()?;
            usize::try_from(bound).ok()
        };
        if let Some(max) = bound("max")
            && count > max
        {
            self.causes.push(StatusCause {
                reason: "FieldValueTooMany".into(),
                message: format!("Too many: {count}: must have at most {max} items"),
                field: path.to_owned(),
            });
        }
        if let Some(min) = bound("min")
            && count < min
        {
            let why = format!("{path} in body should have at least {min} {words}");
            let value = Value::from(count);
            self.causes.push(field::invalid(path, &value, &why));
        }
    }

    /// The first rule that a text breaks is told.
    fn text(&mut self, schema: &Value, text: &str, path: &str) {
        let length = text.chars().count();
        let bound = |key: &str| {
            let bound = schema.get(key)?.as_u64()?;
            usize::try_from(bound).ok()
        };
        let value = Value::from(text);
        if let Some(max) = bound("maxLength")
            && length > max
        {
            self.causes.push(field::too_long(path, "bytes", max));
            return;
        }
        if let Some(min) = bound("minLength")
            && length < min
        {
            let why = format!("{path} in body should be at least {min} chars long");
            self.causes.push(field::invalid(path, &value, &why));
            return;
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && !matches_pattern(pattern, text)
        {
            let why = format!("{path} in body should match '{pattern}'");
            self.causes.push(field::invalid(path, &value, &why));
            return;
        }
        if let Some(format) = schema.get("format").and_then(Value::as_str)
            && !fits_format(format, text)
        {
            let why = format!("{path} in body must be of type {format}: {value}");
            self.causes.push(field::type_invalid(path, &value, &why));
        }
    }

    fn number(&mut self, schema: &Value, number: f64, value: &Value, path: &str) {
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        let shown = |key: &str| schema[key].to_string();
        let mut say = |words: String| {
            let why = format!("{path} in body {words}");
            self.causes.push(field::invalid(path, value, &why));
        };
        if let Some(of) = bound("multipleOf")
            && of != 0.0
            && ((number / of) - (number / of).round()).abs() > 1e-9
        {
            say(format!("should be a multiple of {}", shown("multipleOf")));
        }
        if let Some(max) = bound("maximum") {
            let exclusive = flag(schema, "exclusiveMaximum");
            if exclusive && number >= max {
                say(format!("should be less than {}", shown("maximum")));
            } else if number > max {
                say(format!(
                    "should be less than or equal to {}",
                    shown("maximum")
                ));
            }
        }
        if let Some(min) = bound("minimum") {
            let exclusive = flag(schema, "exclusiveMinimum");
            if exclusive && number <= min {
                say(format!("should be greater than {}", shown("minimum")));
            } else if number < min {
                say(format!(
                    "should be greater than or equal to {}",
                    shown("minimum")
                ));
            }
        }
    }

    /// Judges a value by schemas that are put together. Of branches that do not fit the first one tells why.
    fn combined(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) {
        let judged = |branch: &Value| {
            let mut judge = Judge { causes: Vec::new() };
            judge.value(branch, value, None, path, depth + 1);
            judge.causes
        };
        let branches = |key: &str| -> Option<Vec<Vec<StatusCause>>> {
            let list = schema.get(key).and_then(Value::as_array)?;
            Some(list.iter().map(judged).collect())
        };
        let must = |words: &str| {
            // Upstream knows no field for these.
            let why = format!("\"{path}\" must {words}");
            field::invalid("<nil>", &"".into(), &why)
        };
        let valid = |list: &[Vec<StatusCause>]| list.iter().filter(|c| c.is_empty()).count();
        if !flag(schema, "x-kubernetes-int-or-string")
            && let Some(list) = branches("anyOf")
            && valid(&list) == 0
        {
            self.causes
                .push(must("validate at least one schema (anyOf)"));
            self.causes
                .extend(list.into_iter().next().into_iter().flatten());
        }
        if let Some(list) = branches("oneOf") {
            const ONE: &str = "validate one and only one schema (oneOf). Found";
            match valid(&list) {
                1 => {}
                0 => {
                    self.causes.push(must(&format!("{ONE} none valid")));
                    self.causes
                        .extend(list.into_iter().next().into_iter().flatten());
                }
                many => self
                    .causes
                    .push(must(&format!("{ONE} {many} valid alternatives"))),
            }
        }
        if let Some(list) = branches("allOf") {
            let (count, valid) = (list.len(), valid(&list));
            self.causes.extend(list.into_iter().flatten());
            if valid < count {
                let more = if valid == 0 { ". None validated" } else { "" };
                self.causes
                    .push(must(&format!("validate all the schemas (allOf){more}")));
            }
        }
        if let Some(not) = schema.get("not")
            && judged(not).is_empty()
        {
            self.causes.push(must("not validate the schema (not)"));
        }
    }
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str)
}

fn key_of(keys: &[&str], item: &Value) -> Option<Value> {
    let item = item.as_object()?;
    let members = keys
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), item.get(*key)?.clone())));
    Some(Value::Object(members.collect()))
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn fits_type(schema: &Value, value: &Value) -> bool {
    if flag(schema, "x-kubernetes-int-or-string") {
        return matches!(json_type(value), "integer" | "string");
    }
    match schema.get("type").and_then(Value::as_str) {
        None | Some("") => true,
        Some("number") => value.is_number(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some(wanted) => json_type(value) == wanted,
    }
}

/// Patterns compiled so far; a server sees few different ones.
const PATTERNS_MAX: usize = 4096;

fn matches_pattern(pattern: &str, text: &str) -> bool {
    type Cache = Mutex<std::collections::HashMap<String, Option<Regex>>>;
    static CACHE: OnceLock<Cache> = OnceLock::new();
    let mut cache = CACHE.get_or_init(Cache::default).lock();
    if cache.len() > PATTERNS_MAX {
        cache.clear();
    }
    let compiled = cache
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(pattern).ok());
    // A pattern that this library does not know refuses nothing.
    compiled.as_ref().is_none_or(|regex| regex.is_match(text))
}

fn fits_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uuid" => uuid::Uuid::parse_str(text).is_ok(),
        "byte" => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .is_ok()
        }
        "duration" => gocompat::duration::parse(text).is_ok(),
        "cidr" => {
            let parts = text.split_once('/');
            parts.is_some_and(|(address, bits)| {
                let address = address.parse::<std::net::IpAddr>();
                let most = |a: &std::net::IpAddr| if a.is_ipv4() { 32 } else { 128 };
                address.is_ok_and(|a| bits.parse::<u8>().is_ok_and(|bits| bits <= most(&a)))
            })
        }
        "hostname" => is_host_name(text),
        "email" => is_email(text),
        "uri" => is_absolute_uri(text),
        _ => true,
    }
}

/// Longest name of a host.
const HOST_NAME_MAX: usize = 255;

/// Tells whether a text is the name of a host, which begins and ends with a letter or digit in each part.
fn is_host_name(text: &str) -> bool {
    let part = |part: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !part.is_empty()
            && part.len() <= 63
            && part.chars().all(sound)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= HOST_NAME_MAX && text.split('.').all(part)
}

/// Tells whether a text is a plain address of mail: something on both sides of one `@`.
fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(name, host)| {
        !name.is_empty() && !name.contains(char::is_whitespace) && is_host_name(host)
    })
}

/// Tells whether a text is a URI with a scheme, or a path from the root.
fn is_absolute_uri(text: &str) -> bool {
    let scheme = |scheme: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(sound)
    };
    let absolute = text.split_once(':').is_some_and(|(first, _)| scheme(first));
    let bytes = text.as_bytes();
    let escaped = (0..bytes.len()).filter(|at| bytes[*at] == b'%').all(|at| {
        bytes
            .get(at + 1..at + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    (absolute || text.starts_with('/')) && escaped && !text.chars().any(char::is_control)
}

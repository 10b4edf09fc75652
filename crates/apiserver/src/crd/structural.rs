//! Whether a schema is structural: every part has a type, list keys are there, defaults fit, logical parts add nothing.
//!
//! Follows apiextensions-apiserver 0.35; its answers to 80 schemas are part of the tests.

use cluster::StatusCause;
use objects::{Map, Value};

use super::validations;
use crate::catalog::text;
use crate::failure::field;

/// Bound on nesting of schemas.
const DEPTH_MAX: usize = 100;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// Parts that structural schemas may have only outside of `allOf`, `anyOf`, `oneOf` and `not`: name, kind of emptiness.
const STRUCTURAL_ONLY: [(&str, &str); 11] = [
    ("additionalProperties", "undefined"),
    ("type", "empty"),
    ("nullable", "false"),
    ("default", "undefined"),
    ("title", "empty"),
    ("description", "empty"),
    ("x-kubernetes-preserve-unknown-fields", "undefined"),
    ("x-kubernetes-embedded-resource", "false"),
    ("x-kubernetes-list-type", "undefined"),
    ("x-kubernetes-map-type", "undefined"),
    ("x-kubernetes-validations", "empty"),
];
const UNSUPPORTED: [&str; 8] = [
    "$ref",
    "$schema",
    "id",
    "additionalItems",
    "patternProperties",
    "definitions",
    "dependencies",
    "externalDocs",
];

/// Checks the schema of a version.
pub fn check(schema: &Value, path: &str, causes: &mut Vec<StatusCause>) {
    let Some(root) = schema.as_object() else {
        return;
    };
    match text(root, "type") {
        "" => causes.push(field::required(
            &format!("{path}.type"),
            "must not be empty at the root",
        )),
        "object" => {}
        other => causes.push(field::invalid(
            &format!("{path}.type"),
            &other.into(),
            "must be object at the root",
        )),
    }
    let mut checker = Checker { causes };
    checker.metadata(root, path);
    checker.node(root, path, 0);
    validations::check(schema, path, causes);
}

struct Checker<'a> {
    causes: &'a mut Vec<StatusCause>,
}

fn flag(schema: &Map, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

fn is_untyped(schema: &Map) -> bool {
    text(schema, "type").is_empty()
        && !schema.contains_key("$ref")
        && !flag(schema, "x-kubernetes-int-or-string")
        && !flag(schema, "x-kubernetes-preserve-unknown-fields")
}

fn map_at<'a>(schema: &'a Map, key: &str) -> impl Iterator<Item = (&'a String, &'a Map)> {
    let map = schema.get(key).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(name, inner)| Some((name, inner.as_object()?)))
}

impl Checker<'_> {
    fn required(&mut self, path: &str, key: &str, why: &str) {
        self.causes
            .push(field::required(&format!("{path}.{key}"), why));
    }

    fn invalid(&mut self, path: &str, key: &str, value: &Value, why: &str) {
        self.causes
            .push(field::invalid(&format!("{path}.{key}"), value, why));
    }

    fn forbidden(&mut self, path: &str, key: &str, why: &str) {
        self.causes
            .push(field::forbidden(&format!("{path}.{key}"), why));
    }

    /// What every object has is not described, but for names.
    fn metadata(&mut self, root: &Map, path: &str) {
        for (name, inner) in map_at(root, "properties") {
            let own = format!("{path}.properties[{name}]");
            let wanted = match name.as_str() {
                "apiVersion" | "kind" => "string",
                "metadata" => "object",
                _ => continue,
            };
            let kind = text(inner, "type");
            if kind != wanted && !kind.is_empty() {
                self.invalid(&own, "type", &kind.into(), &format!("must be {wanted}"));
            }
            let more = map_at(inner, "properties")
                .any(|(name, _)| name != "name" && name != "generateName");
            if name == "metadata" && more {
                let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
                self.causes.push(field::forbidden(&own, why));
            }
        }
    }

    fn node(&mut self, schema: &Map, path: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        self.keywords(schema, path);
        self.extensions(schema, path);
        self.children(schema, path, depth);
        self.logical(schema, path, depth);
        if let Some(default) = schema.get("default") {
            self.default(schema, default, path);
        }
    }

    fn keywords(&mut self, schema: &Map, path: &str) {
        for key in UNSUPPORTED.iter().filter(|key| schema.contains_key(**key)) {
            self.forbidden(path, key, &format!("{key} is not supported"));
        }
        let kind = text(schema, "type");
        if !kind.is_empty() && !TYPES.contains(&kind) {
            let place = format!("{path}.type");
            self.causes
                .push(field::not_supported(&place, &kind.into(), &TYPES));
        }
        if flag(schema, "uniqueItems") {
            let why =
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.forbidden(path, "uniqueItems", why);
        }
        let pattern = text(schema, "pattern");
        if let Err(error) = regex::Regex::new(pattern) {
            let why = format!(
                "must be a valid regular expression, but isn't: error parsing regexp: {}",
                regex_words(&error)
            );
            self.invalid(path, "pattern", &pattern.into(), &why);
        }
        let describes_both = schema.contains_key("properties")
            && schema
                .get("additionalProperties")
                .is_some_and(|more| more.is_object() || more == &Value::Bool(true));
        if describes_both {
            let why = "additionalProperties and properties are mutual exclusive";
            self.forbidden(path, "additionalProperties", why);
        }
    }

    fn extensions(&mut self, schema: &Map, path: &str) {
        const LIST_TYPE: &str = "x-kubernetes-list-type";
        const KEYS: &str = "x-kubernetes-list-map-keys";
        const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
        let kind = text(schema, "type");
        if schema.get(PRESERVE) == Some(&Value::Bool(false)) {
            self.invalid(path, PRESERVE, &false.into(), "must be true or undefined");
        }
        if flag(schema, "x-kubernetes-embedded-resource") {
            if kind != "object" && !kind.is_empty() {
                let why = "must be object if x-kubernetes-embedded-resource is true";
                self.invalid(path, "type", &kind.into(), why);
            }
            let described = map_at(schema, "properties").next().is_some();
            if !described && !flag(schema, PRESERVE) {
                let why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
                self.required(path, "properties", why);
            }
        }
        let keys = schema.get(KEYS).and_then(Value::as_array);
        let keyed = keys.is_some_and(|keys| !keys.is_empty());
        match text(schema, LIST_TYPE) {
            "" if keyed => {
                let why = "must be map if x-kubernetes-list-map-keys is non-empty";
                self.required(path, LIST_TYPE, why);
            }
            "" => {}
            list => self.list_type(schema, list, kind, path),
        }
        let map_type = text(schema, "x-kubernetes-map-type");
        if !map_type.is_empty() {
            if kind != "object" {
                let why = "must be object if x-kubernetes-map-type is specified";
                self.invalid(path, "type", &kind.into(), why);
            }
            let supported = ["atomic", "granular"];
            if !supported.contains(&map_type) {
                let place = format!("{path}.x-kubernetes-map-type");
                self.causes
                    .push(field::not_supported(&place, &map_type.into(), &supported));
            }
        }
    }

    fn list_type(&mut self, schema: &Map, list: &str, kind: &str, path: &str) {
        if kind != "array" {
            let why = "must be array if x-kubernetes-list-type is specified";
            self.invalid(path, "type", &kind.into(), why);
        }
        let empty = Map::new();
        let items = schema.get("items").and_then(Value::as_object);
        let items = items.unwrap_or(&empty);
        match list {
            "atomic" => {}
            "map" => self.list_map(schema, items, path),
            "set" => {
                let place = format!("{path}.items");
                if flag(items, "nullable") {
                    let why = "cannot be nullable when x-kubernetes-list-type is set";
                    self.forbidden(&place, "nullable", why);
                }
                let atomic = match text(items, "type") {
                    "object" => "x-kubernetes-map-type",
                    "array" => "x-kubernetes-list-type",
                    _ => return,
                };
                let given = text(items, atomic);
                if given != "atomic" && !(given.is_empty() && atomic.contains("list")) {
                    let value = items.get(atomic).cloned().unwrap_or(Value::Null);
                    let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
                    self.invalid(&place, atomic, &value, why);
                }
            }
            other => {
                let place = format!("{path}.x-kubernetes-list-type");
                let supported = ["atomic", "set", "map"];
                self.causes
                    .push(field::not_supported(&place, &other.into(), &supported));
            }
        }
    }

    fn list_map(&mut self, schema: &Map, items: &Map, path: &str) {
        const KEYS: &str = "x-kubernetes-list-map-keys";
        let given = schema.get(KEYS).cloned().unwrap_or(Value::Null);
        let keys: Vec<&str> = given
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if keys.is_empty() {
            let why = "must not be empty if x-kubernetes-list-type is map";
            self.required(path, KEYS, why);
            return;
        }
        if !items.is_empty() && text(items, "type") != "object" {
            let why = "must be object if parent array's x-kubernetes-list-type is map";
            let kind = text(items, "type").into();
            self.invalid(&format!("{path}.items"), "type", &kind, why);
        }
        let properties: Vec<(&String, &Map)> = map_at(items, "properties").collect();
        let find = |key: &str| properties.iter().find(|(name, _)| *name == key);
        if keys.iter().any(|key| find(key).is_none()) {
            let why = "entries must all be names of item properties";
            self.invalid(path, KEYS, &given, why);
        }
        let mut unique = keys.clone();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() < keys.len() {
            self.invalid(path, KEYS, &given, "must not contain duplicate entries");
        }
        let required = items.get("required").and_then(Value::as_array);
        for (name, property) in unique.iter().filter_map(|key| find(key)) {
            let own = format!("{path}.items.properties[{name}]");
            if matches!(text(property, "type"), "object" | "array") {
                let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                let kind = text(property, "type").into();
                self.invalid(&own, "type", &kind, why);
            }
            let needed = required.is_some_and(|list| list.iter().any(|r| r == name.as_str()));
            if !needed && !property.contains_key("default") {
                let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                self.required(&own, "default", why);
            }
            if flag(property, "nullable") {
                let why =
                    "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
                self.forbidden(&own, "nullable", why);
            }
        }
    }

    fn children(&mut self, schema: &Map, path: &str, depth: usize) {
        for (name, property) in map_at(schema, "properties") {
            let inner = format!("{path}.properties[{name}]");
            if is_untyped(property) {
                let why = "must not be empty for specified object fields";
                self.required(&inner, "type", why);
            }
            self.node(property, &inner, depth + 1);
        }
        match schema.get("items") {
            Some(Value::Object(items)) => {
                let inner = format!("{path}.items");
                if is_untyped(items) {
                    let why = "must not be empty for specified array items";
                    self.required(&inner, "type", why);
                }
                self.node(items, &inner, depth + 1);
            }
            Some(Value::Array(_)) => {
                self.forbidden(
                    path,
                    "items",
                    "items must be a schema object and not an array",
                );
            }
            _ if text(schema, "type") == "array" => {
                self.required(path, "items", "must be specified");
            }
            _ => {}
        }
        if let Some(Value::Object(more)) = schema.get("additionalProperties") {
            let inner = format!("{path}.additionalProperties");
            if is_untyped(more) {
                let why = "must not be empty for specified object fields";
                self.required(&inner, "type", why);
            }
            self.node(more, &inner, depth + 1);
        }
    }

    /// Checks `allOf`, `anyOf`, `oneOf` and `not`, which may only say more about what is described elsewhere.
    fn logical(&mut self, schema: &Map, path: &str, depth: usize) {
        let either = flag(schema, "x-kubernetes-int-or-string");
        for key in ["allOf", "anyOf", "oneOf"] {
            let list = schema.get(key).and_then(Value::as_array);
            let list = list.into_iter().flatten().filter_map(Value::as_object);
            for (index, inner) in list.enumerate() {
                self.junction(inner, &format!("{path}.{key}[{index}]"), either, depth + 1);
            }
        }
        if let Some(inner) = schema.get("not").and_then(Value::as_object) {
            self.junction(inner, &format!("{path}.not"), false, depth + 1);
        }
    }

    fn junction(&mut self, schema: &Map, path: &str, either: bool, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        for (key, state) in STRUCTURAL_ONLY {
            let Some(value) = schema.get(key) else {
                continue;
            };
            let empty = matches!(value, Value::Bool(false)) && state == "false" || *value == "";
            // Integers or texts say so by their two alternatives.
            let alternative = key == "type" && either;
            if !empty && !alternative {
                self.forbidden(path, key, &format!("must be {state} to be structural"));
            }
        }
        for (name, property) in map_at(schema, "properties") {
            let inner = format!("{path}.properties[{name}]");
            self.junction(property, &inner, false, depth + 1);
        }
        if let Some(items) = schema.get("items").and_then(Value::as_object) {
            self.junction(items, &format!("{path}.items"), false, depth + 1);
        }
        self.logical(schema, path, depth);
    }

    /// Checks that a default is a value of its own schema.
    fn default(&mut self, schema: &Map, default: &Value, path: &str) {
        if default.is_null() {
            return;
        }
        let schema = Value::Object(schema.clone());
        let place = format!("{path}.default");
        if super::schema::has_unknown(&schema, default, 0) {
            self.causes.push(field::invalid(
                &place,
                default,
                "must not have unknown fields",
            ));
        }
        let mut found = super::judge::validate_value(&schema, default);
        if found.is_empty() {
            found = super::cel::default_faults(&schema, default);
        }
        for cause in &mut found {
            cause.field = match cause.field.as_str() {
                "" => place.clone(),
                inner => format!("{place}.{inner}"),
            };
        }
        self.causes.append(&mut found);
    }
}

/// Words an error of a regular expression as Go's library does, for the common ones.
fn regex_words(error: &regex::Error) -> String {
    let text = error.to_string();
    let pattern = text.lines().nth(1).unwrap_or("").trim();
    if text.contains("unclosed character class") {
        let at = pattern.find('[').unwrap_or(0);
        return format!("missing closing ]: `{}`", &pattern[at..]);
    }
    if text.contains("unclosed group") {
        return format!("missing closing ): `{pattern}`");
    }
    if text.contains("unopened group") {
        return format!("unexpected ): `{pattern}`");
    }
    if text.contains("repetition operator missing expression") {
        let at = pattern.find(['*', '+', '?']).unwrap_or(0);
        let operator = pattern.get(at..=at).unwrap_or("");
        return format!("missing argument to repetition operator: `{operator}`");
    }
    text.lines().last().unwrap_or("").to_owned()
}

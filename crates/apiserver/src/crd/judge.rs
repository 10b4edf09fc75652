//! Everything that a structural schema says against an object.
//!
//! Messages are those of kube-openapi's validator. On update, a part that did not change is not judged again.

use cluster::StatusCause;
use objects::{Map, Value};

use super::format::{fits_format, matches_pattern};
use super::schema::{DEPTH_MAX, flag, nullable};
use crate::failure::field;

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

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
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

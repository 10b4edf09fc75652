//! Values that a plain schema allows, found without compiling the schema.
//!
//! Most schemas use a handful of keywords and most values are as they should be. What this walk allows, the compiled
//! schema allows too; whatever it refuses or does not know goes through the whole check, which has the messages.

use gocompat::regexp::Regexp;
use serde_json::{Map, Value};

use super::decimal::Decimal;
use super::document::{Draft, LATEST, draft_of};
use super::run::{equal, is_integer, type_of};
use super::{format, plain};

/// Most schemas that are visited; patterns of references could ask for exponentially many.
const STEPS_MAX: usize = 200_000;
/// Deepest nesting of schemas and references.
const DEPTH_MAX: usize = 100;

/// Whether a schema is valid and allows a value, both without doubt.
pub(super) fn allows(schema: &Value, value: &Value) -> bool {
    let Some(draft) = draft(schema) else {
        return false;
    };
    let mut walk = Walk {
        root: schema,
        draft,
        steps: 0,
    };
    plain::is_valid(schema, draft)
        && walk.references_are_plain(schema, 0)
        && walk.check(schema, value, 0) == Some(true)
}

/// The draft of a schema without an address of its own.
fn draft(schema: &Value) -> Option<Draft> {
    let map = schema.as_object()?;
    if map.contains_key("$id") {
        return None;
    }
    match map.get("$schema") {
        None => Some(LATEST),
        Some(address) => draft_of(address.as_str()?),
    }
}

struct Walk<'s> {
    root: &'s Value,
    draft: Draft,
    steps: usize,
}

impl<'s> Walk<'s> {
    /// Whether every reference, wherever it stands, leads to a definition at the top.
    fn references_are_plain(&self, value: &Value, depth: usize) -> bool {
        let inside = |value: &Value| self.references_are_plain(value, depth + 1);
        match value {
            _ if depth > 2 * DEPTH_MAX => false,
            Value::Array(items) => items.iter().all(inside),
            Value::Object(map) => {
                let reference = map.get("$ref").and_then(Value::as_str);
                reference.is_none_or(|reference| self.target(reference).is_some())
                    && map.values().all(inside)
            }
            _ => true,
        }
    }

    fn target(&self, reference: &str) -> Option<&'s Value> {
        let (key, name) = reference.strip_prefix("#/")?.split_once('/')?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if !matches!(key, "definitions" | "$defs") || !name.bytes().all(plain) {
            return None;
        }
        self.root.get(key)?.get(name)
    }

    /// Whether a schema allows a value; none where that takes more than this module knows.
    fn check(&mut self, schema: &'s Value, value: &Value, depth: usize) -> Option<bool> {
        self.steps += 1;
        if self.steps > STEPS_MAX || depth > DEPTH_MAX {
            return None;
        }
        let map = match schema {
            Value::Bool(flag) => return Some(*flag),
            Value::Object(map) => map,
            _ => return None,
        };
        if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
            let target = self.target(reference)?;
            let outcome = self.check(target, value, depth + 1)?;
            if self.draft < 2019 || !outcome {
                return Some(outcome);
            }
        }
        for (key, wanted) in map {
            if !self.keyword(map, key, wanted, value, depth)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn keyword(
        &mut self,
        map: &'s Map<String, Value>,
        key: &str,
        wanted: &'s Value,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        Some(match key {
            "type" => has_type(wanted, value),
            "enum" => wanted.as_array()?.iter().any(|one| equal(value, one)),
            "const" if self.draft >= 6 => equal(value, wanted),
            "format" if self.draft < 2019 => match (wanted, value) {
                (Value::String(name), Value::String(text)) => format::check(name, text).is_ok(),
                _ => true,
            },
            "pattern" => match value {
                Value::String(text) => matches_pattern(wanted.as_str()?, text)?,
                _ => true,
            },
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => within(key, wanted, value)?,
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                bound(key, wanted, value)?
            }
            "required" => match value {
                Value::Object(entries) => {
                    let mut names = wanted.as_array()?.iter();
                    names.all(|name| name.as_str().is_some_and(|name| entries.contains_key(name)))
                }
                _ => true,
            },
            "properties" => self.properties(wanted.as_object()?, value, depth)?,
            "patternProperties" => self.pattern_properties(wanted.as_object()?, value, depth)?,
            "additionalProperties" => self.additional(map, wanted, value, depth)?,
            "items" => self.items(map, wanted, value, depth)?,
            "uniqueItems" => match value {
                Value::Array(items) => wanted != &Value::Bool(true) || items.len() < 2,
                _ => true,
            }
            .then_some(true)?,
            "allOf" => self.count(wanted, value, depth)? == wanted.as_array()?.len(),
            "anyOf" => self.count(wanted, value, depth)? > 0,
            "oneOf" => self.count(wanted, value, depth)? == 1,
            "not" => !self.check(wanted, value, depth + 1)?,
            "if" if self.draft >= 7 => {
                let holds = self.check(wanted, value, depth + 1)?;
                match map.get(if holds { "then" } else { "else" }) {
                    Some(schema) => self.check(schema, value, depth + 1)?,
                    None => true,
                }
            }
            "additionalItems"
            | "contains"
            | "propertyNames"
            | "multipleOf"
            | "prefixItems"
            | "dependentSchemas"
            | "unevaluatedItems"
            | "unevaluatedProperties" => return None,
            // Notes, definitions, words that mean nothing in this draft, and those read with another one.
            _ => true,
        })
    }

    /// How many of the schemas allow the value.
    fn count(&mut self, schemas: &'s Value, value: &Value, depth: usize) -> Option<usize> {
        let mut count = 0;
        for schema in schemas.as_array()? {
            count += usize::from(self.check(schema, value, depth + 1)?);
        }
        Some(count)
    }

    fn properties(
        &mut self,
        schemas: &'s Map<String, Value>,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Object(entries) = value else {
            return Some(true);
        };
        for (name, value) in entries {
            if let Some(schema) = schemas.get(name)
                && !self.check(schema, value, depth + 1)?
            {
                return Some(false);
            }
        }
        Some(true)
    }

    fn pattern_properties(
        &mut self,
        schemas: &'s Map<String, Value>,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Object(entries) = value else {
            return Some(true);
        };
        for (pattern, schema) in schemas {
            for (name, value) in entries {
                if matches_pattern(pattern, name)? && !self.check(schema, value, depth + 1)? {
                    return Some(false);
                }
            }
        }
        Some(true)
    }

    /// Entries that neither `properties` nor `patternProperties` speak of.
    fn additional(
        &mut self,
        map: &'s Map<String, Value>,
        schema: &'s Value,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Object(entries) = value else {
            return Some(true);
        };
        let named = map.get("properties").and_then(Value::as_object);
        let patterns = map.get("patternProperties").and_then(Value::as_object);
        for (name, value) in entries {
            if named.is_some_and(|named| named.contains_key(name)) {
                continue;
            }
            let mut matched = false;
            for pattern in patterns.into_iter().flat_map(Map::keys) {
                matched |= matches_pattern(pattern, name)?;
            }
            if !matched && !self.check(schema, value, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn items(
        &mut self,
        map: &'s Map<String, Value>,
        schema: &'s Value,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Array(items) = value else {
            return Some(true);
        };
        if schema.is_array() || map.contains_key("prefixItems") {
            return None;
        }
        for item in items {
            if !self.check(schema, item, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let got = type_of(value);
    let is = |name: &Value| {
        name.as_str()
            .is_some_and(|name| name == got || (name == "integer" && is_integer(value)))
    };
    match wanted {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    }
}

fn matches_pattern(pattern: &str, text: &str) -> Option<bool> {
    Some(Regexp::new(pattern).ok()?.is_match(text.as_bytes()))
}

fn within(key: &str, wanted: &Value, value: &Value) -> Option<bool> {
    let size = match (&key[3..], value) {
        ("Length", Value::String(text)) => text.chars().count(),
        ("Items", Value::Array(items)) => items.len(),
        ("Properties", Value::Object(entries)) => entries.len(),
        _ => return Some(true),
    };
    let wanted = usize::try_from(wanted.as_u64()?).ok()?;
    Some(if key.starts_with("min") {
        size >= wanted
    } else {
        size <= wanted
    })
}

fn bound(key: &str, wanted: &Value, value: &Value) -> Option<bool> {
    // Draft 4 has flags for the exclusive ones.
    let Value::Number(wanted) = wanted else {
        return None;
    };
    let Value::Number(number) = value else {
        return Some(true);
    };
    let order = Decimal::new(number).compare(Decimal::new(wanted));
    Some(match key {
        "minimum" => order.is_ge(),
        "maximum" => order.is_le(),
        "exclusiveMinimum" => order.is_gt(),
        _ => order.is_lt(),
    })
}

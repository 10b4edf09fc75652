//! Values that a plain schema allows, found without compiling the schema.
//!
//! Most schemas use a handful of keywords and most values are as they should be. What this walk allows, the compiled
//! schema allows too; whatever it refuses or does not know goes through the whole check, which has the messages.

use gocompat::regexp::Regexp;
use serde_json::Value;

use super::decimal::Decimal;
use super::draft::{Draft, LATEST, draft_of};
use super::run::{equal, is_integer, type_of};
use super::tree::{Entries, Tree};
use super::{format, plain};

/// Most schemas that are visited; patterns of references could ask for exponentially many.
const STEPS_MAX: usize = 200_000;
/// Deepest nesting of schemas and references.
const DEPTH_MAX: usize = 100;

/// Whether a schema is valid and allows a value, both without doubt.
pub(super) fn allows(schema: &Tree<'_>, value: &Value) -> bool {
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

/// The draft of a schema whose address, if it has one, changes nothing.
fn draft(schema: &Tree<'_>) -> Option<Draft> {
    let map = schema.as_map()?;
    if !map.get("$id").is_none_or(is_plain_address) {
        return None;
    }
    match map.get("$schema") {
        None => Some(LATEST),
        Some(address) => draft_of(address.as_str()?),
    }
}

/// Whether references to the same document are the same below this address.
fn is_plain_address(address: &Tree<'_>) -> bool {
    let address = address.as_str().unwrap_or_default();
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/".contains(&b);
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty() && rest.bytes().all(plain) && !rest.starts_with("json-schema.org")
    })
}

struct Walk<'s> {
    root: &'s Tree<'s>,
    draft: Draft,
    steps: usize,
}

impl<'s> Walk<'s> {
    /// Whether every reference, wherever it stands, leads to a valid schema below the definitions at the top.
    fn references_are_plain(&self, tree: &Tree<'s>, depth: usize) -> bool {
        let inside = |tree: &Tree<'s>| self.references_are_plain(tree, depth + 1);
        match tree {
            _ if depth > 2 * DEPTH_MAX => false,
            Tree::List(items) => items.iter().all(inside),
            Tree::Map(map) => {
                let reference = map.get("$ref").and_then(Tree::as_str);
                reference.is_none_or(|reference| self.leads_to_schema(reference))
                    && map.values().all(inside)
            }
            _ => true,
        }
    }

    fn leads_to_schema(&self, reference: &str) -> bool {
        // One step below the definitions was checked with the document.
        self.target(reference).is_some_and(|target| {
            reference.matches('/').count() == 2 || plain::is_valid_inside(target, self.draft)
        })
    }

    fn target(&self, reference: &str) -> Option<&'s Tree<'s>> {
        let mut names = reference.strip_prefix("#/")?.split('/');
        let key = names.next()?;
        if !matches!(key, "definitions" | "$defs") {
            return None;
        }
        let first = self.root.as_map()?.get(key)?.as_map()?.get(names.next()?)?;
        names.try_fold(first, |tree, name| tree.as_map()?.get(name))
    }

    /// Whether a schema allows a value; none where that takes more than this module knows.
    fn check(&mut self, schema: &'s Tree<'s>, value: &Value, depth: usize) -> Option<bool> {
        self.steps += 1;
        if self.steps > STEPS_MAX || depth > DEPTH_MAX {
            return None;
        }
        let map = match schema {
            Tree::Bool(flag) => return Some(*flag),
            Tree::Map(map) => map,
            _ => return None,
        };
        if let Some(reference) = map.get("$ref").and_then(Tree::as_str) {
            let target = self.target(reference)?;
            let outcome = self.check(target, value, depth + 1)?;
            if self.draft < 2019 || !outcome {
                return Some(outcome);
            }
        }
        for (key, wanted) in map.iter() {
            if !self.keyword(map, key, wanted, value, depth)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn keyword(
        &mut self,
        map: &'s Entries<'s>,
        key: &str,
        wanted: &'s Tree<'s>,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        Some(match key {
            "type" => has_type(wanted, value),
            "enum" => wanted.as_list()?.iter().any(|one| same(value, one)),
            "const" if self.draft >= 6 => same(value, wanted),
            "format" if self.draft < 2019 => match (wanted, value) {
                (Tree::Text(name), Value::String(text)) => format::check(name, text).is_ok(),
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
                    let mut names = wanted.as_list()?.iter();
                    names.all(|name| name.as_str().is_some_and(|name| entries.contains_key(name)))
                }
                _ => true,
            },
            "properties" => self.properties(wanted.as_map()?, value, depth)?,
            "patternProperties" => self.pattern_properties(wanted.as_map()?, value, depth)?,
            "additionalProperties" => self.additional(map, wanted, value, depth)?,
            "items" => self.items(map, wanted, value, depth)?,
            "uniqueItems" => match value {
                Value::Array(items) => !matches!(wanted, Tree::Bool(true)) || items.len() < 2,
                _ => true,
            }
            .then_some(true)?,
            "allOf" => self.count(wanted, value, depth)? == wanted.as_list()?.len(),
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
            "dependencies" => self.dependencies(wanted.as_map()?, value, depth)?,
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
    fn count(&mut self, schemas: &'s Tree<'s>, value: &Value, depth: usize) -> Option<usize> {
        let mut count = 0;
        for schema in schemas.as_list()? {
            count += usize::from(self.check(schema, value, depth + 1)?);
        }
        Some(count)
    }

    fn properties(
        &mut self,
        schemas: &'s Entries<'s>,
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

    /// What the presence of an entry asks for: other entries, or a schema of the whole value.
    fn dependencies(
        &mut self,
        wanted: &'s Entries<'s>,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Object(entries) = value else {
            return Some(true);
        };
        for (name, wanted) in wanted.iter() {
            let holds = match wanted {
                _ if !entries.contains_key(name) => true,
                Tree::List(names) => {
                    let mut names = names.iter().filter_map(Tree::as_str);
                    names.all(|name| entries.contains_key(name))
                }
                schema => self.check(schema, value, depth + 1)?,
            };
            if !holds {
                return Some(false);
            }
        }
        Some(true)
    }

    fn pattern_properties(
        &mut self,
        schemas: &'s Entries<'s>,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Object(entries) = value else {
            return Some(true);
        };
        for (pattern, schema) in schemas.iter() {
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
        map: &'s Entries<'s>,
        schema: &'s Tree<'s>,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Object(entries) = value else {
            return Some(true);
        };
        let named = map.get("properties").and_then(Tree::as_map);
        let patterns = map.get("patternProperties").and_then(Tree::as_map);
        for (name, value) in entries {
            if named.is_some_and(|named| named.contains_key(name)) {
                continue;
            }
            let mut matched = false;
            for pattern in patterns.into_iter().flat_map(Entries::keys) {
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
        map: &'s Entries<'s>,
        schema: &'s Tree<'s>,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let Value::Array(items) = value else {
            return Some(true);
        };
        if schema.as_list().is_some() || map.contains_key("prefixItems") {
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

/// Equality by value, most often of two texts.
fn same(value: &Value, wanted: &Tree<'_>) -> bool {
    match (value, wanted) {
        (Value::String(value), Tree::Text(wanted)) => value == wanted,
        _ => equal(value, &wanted.to_value()),
    }
}

fn has_type(wanted: &Tree<'_>, value: &Value) -> bool {
    let got = type_of(value);
    let is = |name: &Tree<'_>| {
        name.as_str()
            .is_some_and(|name| name == got || (name == "integer" && is_integer(value)))
    };
    match wanted {
        Tree::List(names) => names.iter().any(is),
        name => is(name),
    }
}

fn matches_pattern(pattern: &str, text: &str) -> Option<bool> {
    Some(Regexp::new(pattern).ok()?.is_match(text.as_bytes()))
}

fn within(key: &str, wanted: &Tree<'_>, value: &Value) -> Option<bool> {
    let size = match (&key[3..], value) {
        ("Length", Value::String(text)) => text.chars().count(),
        ("Items", Value::Array(items)) => items.len(),
        ("Properties", Value::Object(entries)) => entries.len(),
        _ => return Some(true),
    };
    let Tree::Number(wanted) = wanted else {
        return None;
    };
    let wanted = usize::try_from(wanted.as_u64()?).ok()?;
    Some(if key.starts_with("min") {
        size >= wanted
    } else {
        size <= wanted
    })
}

fn bound(key: &str, wanted: &Tree<'_>, value: &Value) -> Option<bool> {
    // Draft 4 has flags for the exclusive ones.
    let Tree::Number(wanted) = wanted else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_directly_passes_the_whole_check() {
        let heads = [
            "",
            r#""$schema": "http://json-schema.org/draft-07/schema#","#,
            r#""$schema": "http://json-schema.org/draft-04/schema#","#,
            r#""$id": "https://example.com/a/chart.schema.json","#,
            r#""$id": "urn:x:y","#,
            r##""$id": "https://example.com/#a","##,
        ];
        let bodies = [
            r##""properties": {"a": {"$ref": "#/definitions/deep/inside"}}"##,
            r##""properties": {"a": {"$ref": "#/definitions/plain"}}"##,
            r##""properties": {"a": {"$ref": "#/definitions/plain/properties/b"}}"##,
            r##""properties": {"a": {"$ref": "#/definitions/wrong/inside"}}"##,
            r##""properties": {"a": {"$ref": "#/definitions/own/inside"}}"##,
            r##""properties": {"a": {"$ref": "https://example.com/a/chart.schema.json#/definitions/plain"}}"##,
            r#""properties": {"a": {"enum": ["x", 1, null]}}"#,
            r#""dependencies": {"a": ["b"], "c": ["d"]}"#,
            r#""dependencies": {"a": {"properties": {"a": {"type": "integer"}}}, "c": false}"#,
            r#""dependencies": {"a": "b"}"#,
        ];
        let definitions = r#""definitions": {
            "deep": {"inside": {"type": "integer"}},
            "plain": {"type": ["integer", "object"], "properties": {"b": {"minimum": 1}}},
            "wrong": {"inside": {"type": 7}},
            "own": {"inside": {"$id": "other.json", "type": "integer"}}
        }"#;
        let values = [
            "{}",
            r#"{"a": 1}"#,
            r#"{"a": 0}"#,
            r#"{"a": "x"}"#,
            r#"{"a": {"b": 0}}"#,
        ];
        let mut allowed = 0;
        for head in heads {
            for body in bodies {
                let text = format!("{{{head} {body}, {definitions}}}");
                let tree = Tree::read(text.as_bytes()).unwrap();
                let schema = serde_json::from_str(&text).unwrap();
                for value in values {
                    let value = serde_json::from_str(value).unwrap();
                    if allows(&tree, &value) {
                        allowed += 1;
                        let nothing = super::super::outside::Loaded::new();
                        let outside = super::super::outside::Outside::new(&nothing);
                        let program = super::super::compile::compile(&schema, &outside).unwrap();
                        let fault = super::super::run::check(&program, &value);
                        assert!(fault.is_none(), "{text}: {value}");
                    }
                }
            }
        }
        assert_eq!(allowed, 65);
    }
}

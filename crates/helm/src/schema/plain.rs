//! Schemas that are valid at first sight: their keywords have the shapes that every metaschema asks for.
//!
//! Checking a chart's schema against its metaschema takes longer than checking the values. What is accepted here
//! passes that check as well; everything doubtful is left to it, and so are all messages.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::document::Draft;
use super::format;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 100;

/// What a keyword asks of its value.
#[derive(Clone, Copy)]
enum Shape {
    Anything,
    Text,
    /// A text of that format.
    Formatted(&'static str),
    Flag,
    Number,
    /// A whole number from zero.
    Count,
    /// A number above zero.
    Positive,
    List,
    /// One type or several.
    Types,
    /// Different texts.
    Names,
    /// Different scalars, at least one.
    Choices,
    Schema,
    /// A schema, or a truth value in every draft.
    SchemaOrFlag,
    /// Schemas, at least one.
    Schemas,
    /// A schema, or several before draft 2020-12.
    Items,
    /// Schemas by name.
    Named,
    /// Schemas by pattern.
    Patterns,
}

const KEYWORDS: &[(&str, Shape)] = &[
    ("$comment", Shape::Text),
    ("$defs", Shape::Named),
    ("$ref", Shape::Formatted("uri-reference")),
    ("additionalItems", Shape::SchemaOrFlag),
    ("additionalProperties", Shape::SchemaOrFlag),
    ("allOf", Shape::Schemas),
    ("anyOf", Shape::Schemas),
    ("const", Shape::Anything),
    ("contains", Shape::Schema),
    ("contentEncoding", Shape::Text),
    ("contentMediaType", Shape::Text),
    ("default", Shape::Anything),
    ("definitions", Shape::Named),
    ("dependentSchemas", Shape::Named),
    ("deprecated", Shape::Flag),
    ("description", Shape::Text),
    ("else", Shape::Schema),
    ("enum", Shape::Choices),
    ("examples", Shape::List),
    ("format", Shape::Text),
    ("if", Shape::Schema),
    ("items", Shape::Items),
    ("maxContains", Shape::Count),
    ("maxItems", Shape::Count),
    ("maxLength", Shape::Count),
    ("maxProperties", Shape::Count),
    ("maximum", Shape::Number),
    ("minContains", Shape::Count),
    ("minItems", Shape::Count),
    ("minLength", Shape::Count),
    ("minProperties", Shape::Count),
    ("minimum", Shape::Number),
    ("multipleOf", Shape::Positive),
    ("not", Shape::Schema),
    ("oneOf", Shape::Schemas),
    ("pattern", Shape::Formatted("regex")),
    ("patternProperties", Shape::Patterns),
    ("prefixItems", Shape::Schemas),
    ("properties", Shape::Named),
    ("propertyNames", Shape::Schema),
    ("readOnly", Shape::Flag),
    ("required", Shape::Names),
    ("then", Shape::Schema),
    ("title", Shape::Text),
    ("type", Shape::Types),
    ("unevaluatedItems", Shape::Schema),
    ("unevaluatedProperties", Shape::Schema),
    ("uniqueItems", Shape::Flag),
    ("writeOnly", Shape::Flag),
];

/// Keywords that metaschemas know and this module does not judge.
const DOUBTFUL: &[&str] = &[
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$schema",
    "$vocabulary",
    "contentSchema",
    "dependencies",
    "dependentRequired",
    "id",
];

const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// Whether a whole document is a valid schema of a draft without doubt.
pub(super) fn is_valid(document: &Value, draft: Draft) -> bool {
    let Value::Object(map) = document else {
        return false;
    };
    let address = |key: &str, name: &str| match map.get(key) {
        None => true,
        Some(Value::String(text)) => {
            format::check(name, text).is_ok() && (key == "$schema" || !text.contains('#'))
        }
        Some(_) => false,
    };
    let reader = Reader { draft };
    let head = |key: &str| matches!(key, "$schema" | "$id");
    address("$schema", "uri")
        && address("$id", "uri-reference")
        && reader.keywords(map.iter().filter(|(key, _)| !head(key)), map, 0)
}

struct Reader {
    draft: Draft,
}

impl Reader {
    fn schema(&self, value: &Value, depth: usize) -> bool {
        match value {
            Value::Bool(_) => self.draft >= 6,
            Value::Object(map) => depth < DEPTH_MAX && self.keywords(map.iter(), map, depth),
            _ => false,
        }
    }

    fn keywords<'v>(
        &self,
        mut entries: impl Iterator<Item = (&'v String, &'v Value)>,
        map: &Map<String, Value>,
        depth: usize,
    ) -> bool {
        entries.all(|(key, value)| {
            if matches!(key.as_str(), "exclusiveMinimum" | "exclusiveMaximum") {
                return self.exclusive(key, value, map);
            }
            match KEYWORDS.binary_search_by(|(name, _)| (*name).cmp(key)) {
                Ok(index) => self.fits(value, KEYWORDS[index].1, depth),
                Err(_) => !DOUBTFUL.contains(&key.as_str()),
            }
        })
    }

    /// Draft 4 has flags beside a bound where later ones have bounds.
    fn exclusive(&self, key: &str, value: &Value, map: &Map<String, Value>) -> bool {
        if self.draft >= 6 {
            return value.is_number();
        }
        let bound = if key == "exclusiveMinimum" {
            "minimum"
        } else {
            "maximum"
        };
        value.is_boolean() && map.contains_key(bound)
    }

    fn fits(&self, value: &Value, shape: Shape, depth: usize) -> bool {
        let schema = |value: &Value| self.schema(value, depth + 1);
        match (shape, value) {
            (Shape::Anything, _)
            | (Shape::Text, Value::String(_))
            | (Shape::Flag | Shape::SchemaOrFlag, Value::Bool(_))
            | (Shape::Number, Value::Number(_))
            | (Shape::List, Value::Array(_)) => true,
            (Shape::Formatted(name), Value::String(text)) => format::check(name, text).is_ok(),
            (Shape::Count, Value::Number(number)) => number.is_u64(),
            (Shape::Positive, Value::Number(number)) => {
                number.as_f64().is_some_and(|number| number > 0.0)
            }
            (Shape::Types, Value::String(name)) => TYPES.contains(&name.as_str()),
            (Shape::Types, Value::Array(names)) => {
                let known = |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
                !names.is_empty() && names.iter().all(known) && different(names)
            }
            (Shape::Names, Value::Array(names)) => {
                let allowed = self.draft >= 6 || !names.is_empty();
                allowed && names.iter().all(Value::is_string) && different(names)
            }
            (Shape::Choices, Value::Array(items)) => !items.is_empty() && different(items),
            (
                Shape::Schema | Shape::SchemaOrFlag | Shape::Items,
                Value::Object(_) | Value::Bool(_),
            ) => schema(value),
            (Shape::Items, Value::Array(items)) => {
                self.draft < 2020 && !items.is_empty() && items.iter().all(schema)
            }
            (Shape::Schemas, Value::Array(items)) => !items.is_empty() && items.iter().all(schema),
            (Shape::Named, Value::Object(map)) => map.values().all(schema),
            (Shape::Patterns, Value::Object(map)) => map
                .iter()
                .all(|(pattern, value)| format::check("regex", pattern).is_ok() && schema(value)),
            _ => false,
        }
    }
}

/// Whether all are different texts, truth values, nulls or whole numbers; other values are not compared.
fn different(items: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(items.len());
    items.iter().all(|item| {
        let comparable = match item {
            Value::Number(number) => number.is_i64() || number.is_u64(),
            Value::Array(_) | Value::Object(_) => false,
            _ => true,
        };
        comparable && seen.insert(item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(KEYWORDS.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn what_is_valid_at_first_sight_passes_the_metaschema() {
        let shapes = [
            "null",
            "true",
            "0",
            "-1",
            "1.5",
            "2.0",
            "\"\"",
            "\"string\"",
            "\"a b\"",
            "\"(\"",
            "\"#/x\"",
            "\"http://a b\"",
            "[]",
            "[\"a\"]",
            "[\"a\", \"a\"]",
            "[\"string\", \"null\"]",
            "[1, 1.0]",
            "[{}]",
            "[true]",
            "[{\"type\": 1}]",
            "{}",
            "{\"a\": {}}",
            "{\"a\": true}",
            "{\"a\": 1}",
            "{\"(\": {}}",
            "{\"type\": \"x\"}",
            "{\"a\": [\"b\"]}",
        ];
        let others = [
            "exclusiveMinimum",
            "exclusiveMaximum",
            "$schema",
            "$id",
            "id",
            "unknown",
        ];
        let names = KEYWORDS.iter().map(|(name, _)| *name);
        let mut accepted = 0;
        for name in names.chain(DOUBTFUL.iter().copied()).chain(others) {
            for shape in shapes {
                for draft in [4, 6, 7, 2019, 2020] {
                    for around in [
                        "X",
                        "{\"properties\": {\"p\": X}}",
                        "{\"minimum\": 1, \"not\": X}",
                    ] {
                        let text = around.replace('X', &format!("{{\"{name}\": {shape}}}"));
                        let schema = serde_json::from_str(&text).unwrap();
                        if is_valid(&schema, draft) {
                            accepted += 1;
                            let program = super::super::compile::compiled_metaschema(draft);
                            let fault = super::super::run::check(&program, &schema);
                            assert!(fault.is_none(), "{draft}: {text}");
                        }
                    }
                }
            }
        }
        assert!(accepted > 2_000, "{accepted}");
    }
}

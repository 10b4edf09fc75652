//! Schemas that are valid at first sight: their keywords have the shapes that every metaschema asks for.
//!
//! Checking a chart's schema against its metaschema takes longer than checking the values. What is accepted here
//! passes that check as well; everything doubtful is left to it, and so are all messages.

use serde_json::Number;

use super::draft::Draft;
use super::format;
use super::tree::{Entries, Tree};

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
    /// By name schemas, or names that have to be there.
    Dependencies,
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
    ("dependencies", Shape::Dependencies),
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
    "dependentRequired",
    "id",
];

const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// Whether a whole document is a valid schema of a draft without doubt.
pub(super) fn is_valid(document: &Tree<'_>, draft: Draft) -> bool {
    let Tree::Map(map) = document else {
        return false;
    };
    let address = |key: &str, name: &str| match map.get(key) {
        None => true,
        Some(Tree::Text(text)) => {
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

/// Whether a part of a document is a valid schema without doubt.
pub(super) fn is_valid_inside(part: &Tree<'_>, draft: Draft) -> bool {
    Reader { draft }.schema(part, 0)
}

struct Reader {
    draft: Draft,
}

impl Reader {
    fn schema(&self, value: &Tree<'_>, depth: usize) -> bool {
        match value {
            Tree::Bool(_) => self.draft >= 6,
            Tree::Map(map) => depth < DEPTH_MAX && self.keywords(map.iter(), map, depth),
            _ => false,
        }
    }

    fn keywords<'v>(
        &self,
        mut entries: impl Iterator<Item = (&'v str, &'v Tree<'v>)>,
        map: &Entries<'_>,
        depth: usize,
    ) -> bool {
        entries.all(|(key, value)| {
            if matches!(key, "exclusiveMinimum" | "exclusiveMaximum") {
                return self.exclusive(key, value, map);
            }
            match KEYWORDS.binary_search_by(|(name, _)| (*name).cmp(key)) {
                Ok(index) => self.fits(value, KEYWORDS[index].1, depth),
                Err(_) => !DOUBTFUL.contains(&key),
            }
        })
    }

    /// Draft 4 has flags beside a bound where later ones have bounds.
    fn exclusive(&self, key: &str, value: &Tree<'_>, map: &Entries<'_>) -> bool {
        if self.draft >= 6 {
            return matches!(value, Tree::Number(_));
        }
        let bound = if key == "exclusiveMinimum" {
            "minimum"
        } else {
            "maximum"
        };
        matches!(value, Tree::Bool(_)) && map.contains_key(bound)
    }

    fn fits(&self, value: &Tree<'_>, shape: Shape, depth: usize) -> bool {
        let schema = |value: &Tree<'_>| self.schema(value, depth + 1);
        match (shape, value) {
            (Shape::Anything, _)
            | (Shape::Text, Tree::Text(_))
            | (Shape::Flag | Shape::SchemaOrFlag, Tree::Bool(_))
            | (Shape::Number, Tree::Number(_))
            | (Shape::List, Tree::List(_)) => true,
            (Shape::Formatted(name), Tree::Text(text)) => format::check(name, text).is_ok(),
            (Shape::Count, Tree::Number(number)) => number.is_u64(),
            (Shape::Positive, Tree::Number(number)) => {
                number.as_f64().is_some_and(|number| number > 0.0)
            }
            (Shape::Types, Tree::Text(name)) => TYPES.contains(&&**name),
            (Shape::Types, Tree::List(names)) => {
                let known =
                    |name: &Tree<'_>| name.as_str().is_some_and(|name| TYPES.contains(&name));
                !names.is_empty() && names.iter().all(known) && different(names)
            }
            (Shape::Names, Tree::List(names)) => {
                let allowed = self.draft >= 6 || !names.is_empty();
                allowed && names.iter().all(Tree::is_text) && different(names)
            }
            (Shape::Choices, Tree::List(items)) => !items.is_empty() && different(items),
            (Shape::Schema | Shape::SchemaOrFlag | Shape::Items, Tree::Map(_) | Tree::Bool(_)) => {
                schema(value)
            }
            (Shape::Items, Tree::List(items)) => {
                self.draft < 2020 && !items.is_empty() && items.iter().all(schema)
            }
            (Shape::Schemas, Tree::List(items)) => !items.is_empty() && items.iter().all(schema),
            (Shape::Named, Tree::Map(map)) => map.values().all(schema),
            (Shape::Dependencies, Tree::Map(map)) => map.values().all(|value| match value {
                Tree::List(_) => self.fits(value, Shape::Names, depth),
                value => schema(value),
            }),
            (Shape::Patterns, Tree::Map(map)) => map
                .iter()
                .all(|(pattern, value)| format::check("regex", pattern).is_ok() && schema(value)),
            _ => false,
        }
    }
}

/// Longest list whose items are compared one by one.
const COMPARED_MAX: usize = 256;

/// Whether all are different texts, truth values, nulls or whole numbers; other values are not compared.
fn different(items: &[Tree<'_>]) -> bool {
    let mut all = items.iter().enumerate();
    items.len() <= COMPARED_MAX
        && all.all(|(index, item)| {
            let mut earlier = items[..index].iter();
            earlier.all(|other| differ(item, other) == Some(true))
                && differ(item, &Tree::Null).is_some()
        })
}

/// Whether two values differ; none for those that are not compared.
fn differ(left: &Tree<'_>, right: &Tree<'_>) -> Option<bool> {
    let whole = |number: &Number| number.is_i64() || number.is_u64();
    match (left, right) {
        (Tree::List(_) | Tree::Map(_), _) | (_, Tree::List(_) | Tree::Map(_)) => None,
        (Tree::Number(number), _) | (_, Tree::Number(number)) if !whole(number) => None,
        (Tree::Number(a), Tree::Number(b)) => Some(!whole(b) || a != b),
        (Tree::Text(a), Tree::Text(b)) => Some(a != b),
        (Tree::Bool(a), Tree::Bool(b)) => Some(a != b),
        (Tree::Null, Tree::Null) => Some(false),
        _ => Some(true),
    }
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
                        if is_valid(&Tree::of(&schema), draft) {
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

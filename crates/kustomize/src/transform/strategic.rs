//! Strategic merge: a patch laid over an object, lists merged by the keys the API declares.
//!
//! Follows kustomize, not the API server: elements new to a merged list come first, `null` deletes,
//! `$patch` is the only directive, and untouched lists are put through the same merge, so that an element
//! with the key of another takes its place. See the `list` submodule for lists.

mod list;

use kyaml::{Node, Style};

use crate::error::{Result, fail};
use crate::node::lookup::ensure_all;
use crate::node::set::set_field_with_key_style;
use crate::node::shared::{number_of, set_number};
use crate::node::{Kind, is_empty, is_null, kind, text};
use crate::openapi::{Schema, Schemas};

const DIRECTIVE: &str = "$patch";

/// Which side a merged node is.
pub(super) enum Merged {
    /// The node of the object, changed in place.
    Dest(Node),
    /// The node of the patch.
    Patch(Node),
    /// A null of the object that stays.
    KeptNull(Node),
    /// Nothing is left.
    Gone,
}

impl Merged {
    fn into_node(self) -> Option<Node> {
        match self {
            Self::Dest(node) | Self::Patch(node) | Self::KeptNull(node) => Some(node),
            Self::Gone => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

/// Lays a patch over an object. `false` means that the object is to be deleted.
pub(crate) fn apply(object: &mut Node, patch: Node, schemas: &Schemas) -> Result<bool> {
    // A whole-object `replace` is merged elsewhere and thrown away by upstream: the object stays.
    if patch.get(DIRECTIVE).is_some_and(|d| text(d) == "replace") {
        return Ok(true);
    }
    let dest = std::mem::replace(object, Node::null());
    match walk(schemas, Some(dest), Some(patch), None)?.into_node() {
        Some(merged) => {
            *object = merged;
            Ok(true)
        }
        None => Ok(false),
    }
}

fn present(node: &Option<Node>) -> Option<&Node> {
    node.as_ref().filter(|node| !is_null(node))
}

/// Merges two nodes of which either may be missing.
pub(super) fn walk(
    schemas: &Schemas,
    dest: Option<Node>,
    patch: Option<Node>,
    schema: Option<Schema<'_>>,
) -> Result<Merged> {
    let sides = [present(&dest), present(&patch)];
    let schema = schema.or_else(|| sides.iter().flatten().find_map(|n| own_schema(schemas, n)));
    let wanted = sides.iter().flatten().next().map(|node| kind(node));
    if let Some(wanted) = wanted {
        ensure_all(wanted, sides)?;
    }
    match wanted {
        None | Some(Kind::Mapping) => map(schemas, dest, patch, schema),
        Some(Kind::Scalar) => Ok(scalar(dest, patch)),
        Some(Kind::Sequence) => match schema.and_then(|schema| schema.list_merge()) {
            Some(merge) => list::merge(schemas, dest, patch, &merge),
            None => Ok(scalar(dest, patch)),
        },
    }
}

/// Finds the type of a node that says itself what it is.
fn own_schema<'a>(schemas: &'a Schemas, node: &Node) -> Option<Schema<'a>> {
    let part = |name: &str| {
        let value = node.get(name).filter(|value| !is_empty(value));
        value.map(text).filter(|text| !text.is_empty())
    };
    schemas.of_kind(part("apiVersion")?, part("kind")?)
}

/// Scalars, and lists that do not merge: the patch wins where it says anything.
fn scalar(dest: Option<Node>, patch: Option<Node>) -> Merged {
    match (dest, patch) {
        (_, Some(patch)) => Merged::Patch(patch),
        (Some(dest), None) => Merged::Dest(dest),
        (None, None) => Merged::Gone,
    }
}

fn map(
    schemas: &Schemas,
    dest: Option<Node>,
    patch: Option<Node>,
    schema: Option<Schema<'_>>,
) -> Result<Merged> {
    let Some(dest) = dest.filter(|node| !is_null(node) || patch.is_none()) else {
        return add_map(schemas, patch, schema);
    };
    if is_null(&dest) {
        // Written out, a null stays; an empty value goes.
        return Ok(if text(&dest).is_empty() {
            Merged::Gone
        } else {
            Merged::KeptNull(dest)
        });
    }
    match patch {
        None => fields(schemas, dest, None, schema).map(Merged::Dest),
        Some(patch) if is_null(&patch) => Ok(Merged::Gone),
        Some(mut patch) => match map_directive(&mut patch)? {
            Directive::Delete => Ok(Merged::Gone),
            Directive::Replace => with_itself(schemas, patch, schema),
            Directive::Merge => fields(schemas, dest, Some(patch), schema).map(Merged::Dest),
        },
    }
}

/// A map that the object lacks.
fn add_map(schemas: &Schemas, patch: Option<Node>, schema: Option<Schema<'_>>) -> Result<Merged> {
    match patch {
        Some(mut patch) if !is_null(&patch) => match map_directive(&mut patch) {
            Ok(Directive::Delete) => Ok(Merged::Gone),
            _ => with_itself(schemas, patch, schema),
        },
        _ => Ok(Merged::Gone),
    }
}

/// What comes from the patch whole is merged with itself: nulls and directives inside it take effect.
fn with_itself(schemas: &Schemas, patch: Node, schema: Option<Schema<'_>>) -> Result<Merged> {
    let copy = patch.clone();
    fields(schemas, patch, Some(copy), schema).map(Merged::Patch)
}

fn fields(
    schemas: &Schemas,
    mut dest: Node,
    patch: Option<Node>,
    schema: Option<Schema<'_>>,
) -> Result<Node> {
    let mut added: Vec<(Node, Node)> = Vec::new();
    for entry in patch.and_then(into_entries).unwrap_or_default() {
        let known = added.iter().any(|(key, _)| text(key) == text(&entry.0));
        if !known {
            added.push(entry);
        }
    }
    let entries = dest.entries_mut().map(std::mem::take).unwrap_or_default();
    let mut kept = Vec::with_capacity(entries.len() + added.len());
    for (key, value) in entries {
        let same = added.iter().position(|(k, _)| text(k) == text(&key));
        let other = same.map(|index| added.swap_remove(index).1);
        let (style, number) = (style_after(&value, other.as_ref()), number_of(&value));
        let tagged = value.tagged;
        let field = stated(&key, &value)
            .or_else(|| schema.as_ref().and_then(|schema| schema.field(text(&key))));
        match walk(schemas, Some(value), other, field)? {
            Merged::Dest(mut value) | Merged::KeptNull(mut value) => {
                value.style = style;
                kept.push((key, value));
            }
            Merged::Patch(mut value) if !is_null(&value) => {
                value.style = style;
                value.tagged = tagged;
                if number != 0 {
                    set_number(&mut value, number);
                }
                kept.push((key, value));
            }
            Merged::Patch(_) | Merged::Gone => {}
        }
    }
    if let Some(entries) = dest.entries_mut() {
        *entries = kept;
    }
    added.sort_by(|a, b| text(&a.0).cmp(text(&b.0)));
    for (key, value) in added {
        let field = stated(&key, &value)
            .or_else(|| schema.as_ref().and_then(|schema| schema.field(text(&key))));
        if let Some(value) = walk(schemas, None, Some(value), field)?.into_node() {
            let style: Style = key.style;
            set_field_with_key_style(&mut dest, text(&key), style, value)?;
        }
    }
    Ok(dest)
}

/// The style of the object stays, but an empty map or list takes the one of the patch.
fn style_after(value: &Node, patch: Option<&Node>) -> Style {
    let is_empty_collection = kind(value) != Kind::Scalar && is_empty(value);
    match patch {
        Some(patch) if is_empty_collection => patch.style,
        _ => value.style,
    }
}

/// Finds a type stated in a comment of a field. Comments are read only where a file has such.
fn stated(key: &Node, value: &Node) -> Option<Schema<'static>> {
    let comments = [value, key]
        .into_iter()
        .filter_map(|node| node.comments.as_ref());
    comments.into_iter().find_map(|c| Schema::of_comments(c))
}

fn into_entries(node: Node) -> Option<Vec<(Node, Node)>> {
    match node.value {
        kyaml::NodeValue::Mapping(entries) => Some(entries),
        _ => None,
    }
}

fn directive_of(word: &str) -> Result<Directive> {
    Ok(match word {
        "delete" => Directive::Delete,
        "replace" => Directive::Replace,
        "merge" => Directive::Merge,
        other => fail!("unknown patch strategy '{other}'"),
    })
}

/// Reads and removes the directive of a map.
fn map_directive(patch: &mut Node) -> Result<Directive> {
    let Some(word) = patch.get(DIRECTIVE) else {
        return Ok(Directive::Merge);
    };
    let directive = directive_of(text(word))?;
    patch.remove(DIRECTIVE);
    Ok(directive)
}

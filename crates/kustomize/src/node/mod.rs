//! Reading and editing of YAML nodes in kustomize's manner.
//!
//! After reading, every scalar of a resource carries its resolved tag; a scalar that the engine writes may
//! have none ([`Tag::Implicit`]) and is typed by its text when the build prints it.

pub(crate) mod fieldspec;
pub(crate) mod lookup;
pub(crate) mod matcher;
pub(crate) mod set;
pub(crate) mod shared;

use kyaml::{Node, NodeValue, Style, Tag};

/// What a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    Mapping,
    Sequence,
}

/// Tells what a node holds.
pub(crate) fn kind(node: &Node) -> Kind {
    match node.value {
        NodeValue::Mapping(_) => Kind::Mapping,
        NodeValue::Sequence(_) => Kind::Sequence,
        NodeValue::Scalar(_) | NodeValue::Alias(_) => Kind::Scalar,
    }
}

/// Upstream's word for a kind.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Scalar => "ScalarNode",
        Kind::Mapping => "MappingNode",
        Kind::Sequence => "SequenceNode",
    }
}

/// Tells whether a node is a null.
pub(crate) fn is_null(node: &Node) -> bool {
    node.tag == Tag::Null
}

/// Tells whether nothing is there, or a null.
pub(crate) fn is_missing_or_null(node: Option<&Node>) -> bool {
    node.is_none_or(is_null)
}

/// Tells whether a node is a null, an empty map or an empty list.
pub(crate) fn is_empty(node: &Node) -> bool {
    is_null(node)
        || match &node.value {
            NodeValue::Mapping(entries) => entries.is_empty(),
            NodeValue::Sequence(items) => items.is_empty(),
            _ => false,
        }
}

/// Returns the text of a scalar, or "".
pub(crate) fn text(node: &Node) -> &str {
    node.as_str().unwrap_or("")
}

/// Returns the text of a scalar, or "" for nulls, collections and absent nodes.
pub(crate) fn value_text(node: Option<&Node>) -> &str {
    node.filter(|node| !is_null(node)).map_or("", text)
}

/// Tells whether a scalar counts as a string: tagged so, or not tagged.
pub(crate) fn is_string(node: &Node) -> bool {
    matches!(node.value, NodeValue::Scalar(_)) && matches!(node.tag, Tag::Str | Tag::Implicit)
}

/// Makes a string; text of several lines becomes a literal block.
pub(crate) fn string(text: &str) -> Node {
    let mut node = Node::string(text);
    if text.contains('\n') {
        node.style = Style::Literal;
    }
    node
}

/// Makes an empty node of a kind, untagged.
pub(crate) fn empty(kind: Kind) -> Node {
    match kind {
        Kind::Scalar => Node::plain(""),
        Kind::Mapping => Node::mapping(),
        Kind::Sequence => Node::sequence(),
    }
}

/// Sets the text of a scalar, keeping tag and style.
pub(crate) fn set_text(node: &mut Node, text: &str) {
    node.value = NodeValue::Scalar(text.into());
}

/// Splits a path at the delimiter; a backslash before it makes it part of the step. One leading delimiter
/// is ignored.
pub(crate) fn split_path(path: &str, delimiter: char) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut parts = path.split(delimiter).peekable();
    if let Some(first) = parts.next() {
        let skip = first.is_empty() && parts.peek().is_some();
        let first = if skip { parts.next() } else { Some(first) };
        steps.extend(first.map(str::to_owned));
    }
    for part in parts {
        match steps.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => steps.push(part.to_owned()),
        }
    }
    steps
}

/// Splits a path of dots, in which `[…]` holds dots together: `[k=v]` stays as it is, `[a.b]` means `a.b`.
pub(crate) fn split_dotted(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut parts = split_path(path, '.').into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            steps.push(part);
            continue;
        }
        let mut bracketed = part;
        for next in parts.by_ref() {
            bracketed.push('.');
            bracketed.push_str(&next);
            if next.ends_with(']') {
                break;
            }
        }
        if bracketed.contains('=') {
            steps.push(bracketed);
        } else {
            steps.push(bracketed.trim_matches(['[', ']']).to_owned());
        }
    }
    steps
}

/// Reads a step as Go's `strconv.Atoi` does.
pub(crate) fn index_of(step: &str) -> Option<i64> {
    let digits = step.strip_prefix(['+', '-']).unwrap_or(step);
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if all { step.parse().ok() } else { None }
}

/// Tells whether a step selects list elements, as `[k=v]`.
pub(crate) fn is_element_step(step: &str) -> bool {
    step.starts_with('[') && step.ends_with(']')
}

/// Splits `[k=v]` into key and value; the key is empty for lists of plain values.
pub(crate) fn split_element_step(step: &str) -> Option<(&str, &str)> {
    let inner = step.strip_suffix(']').unwrap_or(step);
    inner.strip_prefix('[').unwrap_or(inner).split_once('=')
}

/// The kind a created step needs so that the next one fits into it.
pub(crate) fn kind_before(next: Option<&str>, last: Kind) -> Kind {
    match next {
        None | Some("") => last,
        Some(step) if is_element_step(step) || index_of(step).is_some_and(|i| i >= 0) => {
            Kind::Sequence
        }
        Some(_) => Kind::Mapping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_at_unescaped_delimiters() {
        assert_eq!(split_path("a/b\\/c/d", '/'), ["a", "b/c", "d"]);
        assert_eq!(split_path("/a/b", '/'), ["a", "b"]);
        assert_eq!(split_path("", '/'), [""]);
    }

    #[test]
    fn brackets_hold_dots_together() {
        assert_eq!(
            split_dotted("spec.[name=a.b].x"),
            ["spec", "[name=a.b]", "x"]
        );
        assert_eq!(
            split_dotted("metadata.annotations.[a.b/c]"),
            ["metadata", "annotations", "a.b/c"]
        );
        assert_eq!(split_dotted("a\\.b.c"), ["a.b", "c"]);
    }
}

//! Finding of nodes by a path of literal steps: names, indices, `-` for the last element, `[k=v]`.

use kyaml::Node;

use super::{
    Kind, index_of, is_element_step, is_missing_or_null, is_null, kind, kind_name,
    split_element_step,
};
use crate::error::{BuildError, Result, fail};

/// Fails with upstream's words unless the node is a null or of the kind.
pub(crate) fn ensure(node: &Node, wanted: Kind) -> Result<()> {
    let got = kind(node);
    if is_null(node) || got == wanted {
        return Ok(());
    }
    Err(wrong_kind(node, wanted, got))
}

fn wrong_kind(node: &Node, wanted: Kind, got: Kind) -> BuildError {
    let (wanted, got) = (kind_name(wanted), kind_name(got));
    let contents = crate::emission::node_text(node);
    BuildError::new(format!(
        "wrong node kind: expected {wanted} but got {got}: node contents:\n{contents}"
    ))
}

/// Returns a field; a null has none, and anything but a map is an error.
pub(crate) fn field<'a>(node: &'a Node, name: &str) -> Result<Option<&'a Node>> {
    if is_null(node) {
        return Ok(None);
    }
    ensure(node, Kind::Mapping)?;
    Ok(node.get(name))
}

/// Follows a path; nothing at a step is no error, a step that does not fit the node is one.
pub(crate) fn lookup<'a>(node: &'a Node, path: &[impl AsRef<str>]) -> Result<Option<&'a Node>> {
    let mut at = node;
    for step in path {
        let step = step.as_ref().trim();
        if step.is_empty() {
            continue;
        }
        match next(at, step)? {
            Some(found) => at = found,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// Follows a path for editing.
pub(crate) fn lookup_mut<'a>(
    node: &'a mut Node,
    path: &[impl AsRef<str>],
) -> Result<Option<&'a mut Node>> {
    let mut at = node;
    for step in path {
        let step = step.as_ref().trim();
        if step.is_empty() {
            continue;
        }
        let Some(place) = place(at, step)? else {
            return Ok(None);
        };
        at = match place {
            Place::Item(index) => match at.items_mut().and_then(|items| items.get_mut(index)) {
                Some(item) => item,
                None => return Ok(None),
            },
            Place::Field => match at.get_mut(step) {
                Some(value) => value,
                None => return Ok(None),
            },
        };
    }
    Ok(Some(at))
}

enum Place {
    Field,
    Item(usize),
}

fn next<'a>(node: &'a Node, step: &str) -> Result<Option<&'a Node>> {
    Ok(match place(node, step)? {
        None => None,
        Some(Place::Field) => node.get(step),
        Some(Place::Item(index)) => node.items().and_then(|items| items.get(index)),
    })
}

fn place(node: &Node, step: &str) -> Result<Option<Place>> {
    if let Some(index) = index_of(step) {
        let Ok(index) = usize::try_from(index) else {
            fail!("array index {index} cannot be negative");
        };
        ensure(node, Kind::Sequence)?;
        return Ok(Some(Place::Item(index)));
    }
    if step == "-" {
        ensure(node, Kind::Sequence)?;
        let last = node.items().and_then(|items| items.len().checked_sub(1));
        return Ok(last.map(Place::Item));
    }
    if step == "*" {
        fail!("wildcard is not supported in PathGetter");
    }
    if is_element_step(step) {
        return element(node, step);
    }
    if is_null(node) {
        return Ok(None);
    }
    ensure(node, Kind::Mapping)?;
    Ok(Some(Place::Field))
}

fn element(node: &Node, step: &str) -> Result<Option<Place>> {
    let Some((name, value)) = split_element_step(step) else {
        fail!("list path element must contain fieldName=fieldValue for element to match");
    };
    ensure(node, Kind::Sequence)?;
    let items = node.items().unwrap_or_default();
    let found = items.iter().position(|item| {
        if name.is_empty() {
            super::text(item) == value
        } else {
            item.get(name)
                .is_some_and(|field| super::text(field) == value)
        }
    });
    Ok(found.map(Place::Item))
}

/// Fails unless every node that is there and no null is of the kind.
pub(crate) fn ensure_all(wanted: Kind, nodes: [Option<&Node>; 2]) -> Result<()> {
    for node in nodes {
        if let Some(node) = node.filter(|node| !is_missing_or_null(Some(node))) {
            ensure(node, wanted)?;
        }
    }
    Ok(())
}

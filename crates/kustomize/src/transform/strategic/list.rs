//! Merging of lists by key, with upstream's treatment of absent, partial and repeated keys.
//!
//! All values of the keys are collected, those of the patch first; the elements of each are merged and put
//! in that order; then the elements of the object are laid over the result, so that what the patch did not
//! touch follows behind.

use kyaml::Node;

use super::{DIRECTIVE, Directive, Merged, directive_of, walk};
use crate::error::Result;
use crate::node::lookup::{ensure, field};
use crate::node::set::set_field;
use crate::node::{Kind, is_empty, is_null, kind, text, value_text};
use crate::openapi::{ListMerge, Schemas};

type Values = Vec<String>;

/// Merges two lists of which either may be missing.
pub(super) fn merge(
    schemas: &Schemas,
    dest: Option<Node>,
    patch: Option<Node>,
    merge: &ListMerge<'_>,
) -> Result<Merged> {
    let merger = Merger { schemas, merge };
    let Some(dest) = dest.filter(|node| !is_null(node)) else {
        return Ok(match patch {
            Some(patch) => merged(merger.with_itself(patch)?, Merged::Patch),
            None => Merged::Gone,
        });
    };
    match patch {
        None => Ok(merged(merger.run(dest, None, false)?, Merged::Dest)),
        Some(patch) if is_null(&patch) => Ok(Merged::Gone),
        Some(mut patch) => match list_directive(&mut patch)? {
            Directive::Delete => Ok(Merged::Gone),
            Directive::Replace => Ok(merged(merger.with_itself(patch)?, Merged::Patch)),
            Directive::Merge => Ok(merged(merger.run(dest, Some(patch), false)?, Merged::Dest)),
        },
    }
}

fn merged(node: Option<Node>, side: fn(Node) -> Merged) -> Merged {
    node.filter(|node| !is_null(node))
        .map_or(Merged::Gone, side)
}

/// Reads and removes a directive that stands as an element of its own.
fn list_directive(patch: &mut Node) -> Result<Directive> {
    let items = patch.items().unwrap_or_default();
    let Some(element) = items.iter().find(|item| item.get(DIRECTIVE).is_some()) else {
        return Ok(Directive::Merge);
    };
    if element.entries().is_some_and(|entries| entries.len() > 1) {
        return Ok(Directive::Merge);
    }
    let word = element.get(DIRECTIVE).map_or("", text).to_owned();
    let directive = directive_of(&word)?;
    set_element(patch, None, &[DIRECTIVE], &[word])?;
    Ok(directive)
}

struct Merger<'a> {
    schemas: &'a Schemas,
    merge: &'a ListMerge<'a>,
}

impl Merger<'_> {
    /// In upstream both sides are then one and the same list: what is removed from one is gone from both.
    fn with_itself(&self, patch: Node) -> Result<Option<Node>> {
        let copy = patch.clone();
        self.run(patch, Some(copy), true)
    }

    fn run(&self, dest: Node, patch: Option<Node>, aliased: bool) -> Result<Option<Node>> {
        let keys: Vec<&str> = self.merge.keys.iter().map(AsRef::as_ref).collect();
        let keys = keys.as_slice();
        if keys.is_empty() {
            let rows = plain_values(&dest, patch.as_ref());
            return self.rows(dest, patch, rows, &[""], aliased);
        }
        let mut rows = key_values(&dest, patch.as_ref(), keys);
        if keys.len() > 1 {
            unify(&mut rows);
        }
        self.rows(dest, patch, rows, keys, aliased)
    }

    fn rows(
        &self,
        mut dest: Node,
        mut patch: Option<Node>,
        rows: Vec<Values>,
        keys: &[&str],
        aliased: bool,
    ) -> Result<Option<Node>> {
        if rows.is_empty() {
            return Ok(Some(dest));
        }
        let used = used_keys(&rows, keys);
        let keys: Vec<&str> = used.iter().map(|index| keys[*index]).collect();
        let mut result = Node::sequence();
        for row in &rows {
            let values: Values = used.iter().map(|index| row[*index].clone()).collect();
            let Some(mut element) = self.element(&mut dest, patch.as_mut(), &keys, &values)? else {
                set_element(&mut dest, None, &keys, &values)?;
                if let Some(patch) = patch.as_mut().filter(|_| aliased) {
                    set_element(patch, None, &keys, &values)?;
                }
                continue;
            };
            for (key, value) in keys.iter().zip(&values) {
                if kind(&element) == Kind::Mapping
                    && element.get(key).is_none()
                    && !value.is_empty()
                {
                    set_field(&mut element, key, Node::plain(value.as_str()))?;
                }
            }
            set_element(&mut result, Some(element), &keys, &values)?;
        }
        append(&mut result, dest, &keys)?;
        Ok(Some(result))
    }

    /// Merges the elements that one set of key values means; nothing when nothing is left of them.
    fn element(
        &self,
        dest: &mut Node,
        patch: Option<&mut Node>,
        keys: &[&str],
        values: &[String],
    ) -> Result<Option<Node>> {
        let at = find(dest, keys, values);
        let in_patch = patch.as_deref().and_then(|patch| find(patch, keys, values));
        let take = |list: &mut Node, at: usize| {
            let item = list.items_mut().and_then(|items| items.get_mut(at));
            item.map(|item| item.clone())
        };
        let theirs = patch.zip(in_patch).and_then(|(list, at)| take(list, at));
        let mine = at.and_then(|at| {
            let item = dest.items_mut().and_then(|items| items.get_mut(at));
            item.map(|item| std::mem::replace(item, Node::null()))
        });
        let before = mine.as_ref().filter(|_| theirs.is_some()).cloned();
        let merged = walk(self.schemas, mine, theirs, self.merge.items.clone())?;
        // The list keeps the element that was merged in place; where the patch's own was taken instead,
        // it keeps what stood there.
        let (stays, element) = match merged {
            Merged::Dest(node) => (Some(node.clone()), Some(node)),
            Merged::Patch(node) => (before, Some(node)),
            Merged::KeptNull(node) => (Some(node), None),
            Merged::Gone => (before, None),
        };
        if let Some((at, items)) = at.zip(dest.items_mut()) {
            match stays {
                Some(stays) => items[at] = stays,
                None => drop(items.remove(at)),
            }
        }
        Ok(element.filter(|node| !is_null(node) && !is_empty_map(node)))
    }
}

fn is_empty_map(node: &Node) -> bool {
    kind(node) == Kind::Mapping && is_empty(node)
}

fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::items).unwrap_or_default()
}

/// Collects the values of the keys, patch first, each combination once.
fn key_values(dest: &Node, patch: Option<&Node>, keys: &[&str]) -> Vec<Values> {
    let mut seen = std::collections::HashSet::new();
    let mut rows = Vec::new();
    for item in items(patch).iter().chain(items(Some(dest))) {
        let value = |key: &&str| {
            let field = item.get(key).filter(|field| !is_empty(field));
            value_text(field).to_owned()
        };
        let row: Values = keys.iter().map(value).collect();
        if seen.insert(row.clone()) {
            rows.push(row);
        }
    }
    rows
}

fn plain_values(dest: &Node, patch: Option<&Node>) -> Vec<Values> {
    let mut seen = std::collections::HashSet::new();
    let all = items(patch).iter().chain(items(Some(dest)));
    let texts = all.map(|item| text(item).to_owned());
    texts
        .filter(|text| seen.insert(text.clone()))
        .map(|text| vec![text])
        .collect()
}

/// Lets rows that agree where both say something, and agree somewhere, mean the same element.
fn unify(rows: &mut [Values]) {
    for i in 0..rows.len() {
        for j in 0..rows.len() {
            if let Some(row) = agreement(&rows[i], &rows[j]) {
                rows[i].clone_from(&row);
                rows[j] = row;
            }
        }
    }
}

fn agreement(left: &[String], right: &[String]) -> Option<Values> {
    let mut common = false;
    let mut row = Vec::with_capacity(left.len());
    for (l, r) in left.iter().zip(right) {
        if l == r {
            common = true;
            row.push(l.clone());
        } else if !l.is_empty() && !r.is_empty() {
            return None;
        } else {
            row.push(if l.is_empty() { r.clone() } else { l.clone() });
        }
    }
    common.then_some(row)
}

/// The keys that any row has a value for; all of them where none has.
fn used_keys(rows: &[Values], keys: &[&str]) -> Vec<usize> {
    let has_value = |index: &usize| rows.iter().any(|row| !row[*index].is_empty());
    let used: Vec<usize> = (0..keys.len()).filter(has_value).collect();
    if used.is_empty() {
        (0..keys.len()).collect()
    } else {
        used
    }
}

/// Finds the first element whose keys have the values; keys without a value are left out unless all are.
fn find(list: &Node, keys: &[&str], values: &[String]) -> Option<usize> {
    let any = values.iter().any(|value| !value.is_empty());
    let pairs = || {
        let pairs = keys.iter().zip(values);
        pairs.filter(move |(_, value)| !any || !value.is_empty())
    };
    list.items()?.iter().position(|item| {
        if keys[0].is_empty() {
            return text(item) == values[0];
        }
        kind(item) == Kind::Mapping
            && pairs().all(|(key, value)| item.get(key).is_some_and(|field| text(field) == value))
    })
}

/// Puts an element in place of every element with the keys, or at the end; without an element, removes
/// them. Nulls and empty maps go in any case.
fn set_element(
    list: &mut Node,
    element: Option<Node>,
    keys: &[&str],
    values: &[String],
) -> Result<()> {
    let is_map_setter = !keys[0].is_empty() && values.first().is_some_and(|v| !v.is_empty());
    let old = list.items_mut().map(std::mem::take).unwrap_or_default();
    let mut new = Vec::with_capacity(old.len() + 1);
    let mut found = false;
    for item in old {
        if is_null(&item) || is_empty_map(&item) {
            continue;
        }
        if kind(&item) != Kind::Mapping && is_map_setter {
            new.push(item);
            continue;
        }
        if !has_values(&item, keys, values)? {
            if !values.is_empty() {
                new.push(item);
            }
            continue;
        }
        found = true;
        new.extend(element.clone());
    }
    if !found {
        new.extend(element.filter(|element| !is_null(element)));
    }
    if let Some(items) = list.items_mut() {
        *items = new;
    }
    Ok(())
}

/// Tells whether an element has the values; an empty value asks only that the field is there.
fn has_values(item: &Node, keys: &[&str], values: &[String]) -> Result<bool> {
    if values.is_empty() {
        return Ok(false);
    }
    for (key, value) in keys.iter().zip(values) {
        let matches = if key.is_empty() {
            ensure(item, Kind::Scalar)?;
            text(item) == value
        } else {
            let field = field(item, key)?;
            field.is_some_and(|field| value.is_empty() || text(field) == value)
        };
        if !matches {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Lays the elements of one list over another: in place of those with the same keys, else at the end.
fn append(list: &mut Node, others: Node, keys: &[&str]) -> Result<()> {
    let kyaml::NodeValue::Sequence(others) = others.value else {
        return Ok(());
    };
    for item in others {
        if keys[0].is_empty() {
            let value = text(&item).to_owned();
            set_element(list, Some(item), keys, &[value])?;
            continue;
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            match field(&item, key)? {
                Some(value) => values.push(text(value).to_owned()),
                None => list
                    .items_mut()
                    .into_iter()
                    .for_each(|l| l.push(item.clone())),
            }
        }
        if keys.len() > 1 {
            set_element(list, None, keys, &values)?;
        }
        set_element(list, Some(item), keys, &values)?;
    }
    Ok(())
}

//! Aliases, merge keys and duplicate keys.

use foldhash::{HashMap, HashSet};
use std::rc::Rc;

use crate::{ConvertError, Node, NodeValue, ReadOptions, Tag};

/// A key that stands twice in one mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateKey {
    /// Text of the key.
    pub key: String,
    /// Line of the later one.
    pub line: u32,
    /// Line of the earlier one.
    pub first_line: u32,
}

impl std::fmt::Display for DuplicateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            key,
            line,
            first_line,
        } = self;
        write!(
            f,
            "line {line}: mapping key {key:?} already defined at line {first_line}"
        )
    }
}

/// Lists the duplicate keys of a tree, mapping by mapping from the outside in, as go-yaml v3 reports them.
///
/// A mapping with duplicates is not looked into.
pub fn duplicate_keys(node: &Node) -> Vec<DuplicateKey> {
    let mut found = Vec::new();
    collect_duplicates(node, &mut found);
    found
}

/// Fails where a key stands twice in a mapping.
///
/// # Errors
/// [`ConvertError::DuplicateKeys`] with go-yaml's text.
pub fn check_duplicate_keys(node: &Node) -> Result<(), ConvertError> {
    let found = duplicate_keys(node);
    if found.is_empty() {
        return Ok(());
    }
    let lines = found
        .iter()
        .map(|duplicate| format!("  {duplicate}"))
        .collect();
    Err(ConvertError::DuplicateKeys(lines))
}

fn collect_duplicates(node: &Node, found: &mut Vec<DuplicateKey>) {
    match &node.value {
        NodeValue::Sequence(items) => items
            .iter()
            .for_each(|item| collect_duplicates(item, found)),
        NodeValue::Mapping(entries) => {
            let before = found.len();
            duplicates_of(entries, found);
            if found.len() > before {
                return;
            }
            for (key, value) in entries {
                collect_duplicates(key, found);
                collect_duplicates(value, found);
            }
        }
        NodeValue::Scalar(_) | NodeValue::Alias(_) => {}
    }
}

/// Kind and text decide; collections have no text, so two of a kind count as equal.
fn key_identity(key: &Node) -> (u8, &str) {
    match &key.value {
        NodeValue::Scalar(text) => (0, text),
        NodeValue::Alias(name) => (1, name),
        NodeValue::Sequence(_) => (2, ""),
        NodeValue::Mapping(_) => (3, ""),
    }
}

fn duplicates_of(entries: &[(Node, Node)], found: &mut Vec<DuplicateKey>) {
    if !has_duplicates(entries) {
        return;
    }
    for (index, (first, _)) in entries.iter().enumerate() {
        let identity = key_identity(first);
        for (later, _) in &entries[index + 1..] {
            if key_identity(later) == identity && found.len() < MAX_REPORTED {
                found.push(DuplicateKey {
                    key: identity.1.to_owned(),
                    line: later.mark.line,
                    first_line: first.mark.line,
                });
            }
        }
    }
}

/// Most duplicates that one report lists.
const MAX_REPORTED: usize = 1000;

fn has_duplicates(entries: &[(Node, Node)]) -> bool {
    if entries.len() <= 8 {
        let mut rest = entries.iter().enumerate();
        return rest.any(|(index, (key, _))| {
            let identity = key_identity(key);
            entries[..index]
                .iter()
                .any(|(earlier, _)| key_identity(earlier) == identity)
        });
    }
    let mut seen = HashSet::with_capacity_and_hasher(entries.len(), Default::default());
    !entries
        .iter()
        .all(|(key, _)| seen.insert(key_identity(key)))
}

/// Tells whether the tree has aliases.
pub(crate) fn has_aliases(node: &Node) -> bool {
    match &node.value {
        NodeValue::Alias(_) => true,
        NodeValue::Scalar(_) => false,
        NodeValue::Sequence(items) => items.iter().any(has_aliases),
        NodeValue::Mapping(entries) => entries
            .iter()
            .any(|(key, value)| has_aliases(key) || has_aliases(value)),
    }
}

fn has_anchors_or_merges(node: &Node) -> bool {
    node.anchor().is_some()
        || match &node.value {
            NodeValue::Alias(_) => true,
            NodeValue::Scalar(_) => node.tag == Tag::Merge,
            NodeValue::Sequence(items) => items.iter().any(has_anchors_or_merges),
            NodeValue::Mapping(entries) => entries
                .iter()
                .any(|(key, value)| has_anchors_or_merges(key) || has_anchors_or_merges(value)),
        }
}

/// Replaces aliases by copies of what they name, and merge keys by the entries they bring in.
///
/// Own entries win over merged ones, earlier items of a merge list over later ones; merged entries stand
/// behind the own ones. Anchors are dropped. Costs one look at the tree where there is nothing to do.
///
/// # Errors
/// Unknown anchors, anchors within themselves, merge values that are no mappings, and expansion beyond
/// `options.max_alias_expansion` nodes or go-yaml's ratio of aliased to written nodes.
pub fn expand_aliases(node: &mut Node, options: &ReadOptions) -> Result<(), ConvertError> {
    if !has_anchors_or_merges(node) {
        return Ok(());
    }
    let expanded = replace_aliases(node, options)?;
    *node = expanded;
    merge_all(node)
}

/// Returns the tree without aliases and anchors; merge keys stay.
pub(crate) fn replace_aliases(node: &Node, options: &ReadOptions) -> Result<Node, ConvertError> {
    let mut expander = Expander {
        anchors: HashMap::default(),
        open: HashSet::default(),
        visited: 0,
        copied: 0,
        alias_depth: 0,
        max_copied: options.max_alias_expansion,
    };
    expander.expand(node)
}

/// State of an expansion; counts as go-yaml's decoder does.
struct Expander<'a> {
    anchors: HashMap<&'a str, Rc<Node>>,
    /// Anchors whose node is being read.
    open: HashSet<&'a str>,
    visited: usize,
    copied: usize,
    alias_depth: usize,
    max_copied: usize,
}

impl<'a> Expander<'a> {
    fn expand(&mut self, node: &'a Node) -> Result<Node, ConvertError> {
        let name = node.anchor();
        if let Some(name) = name {
            self.open.insert(name);
        }
        self.visited += 1;
        let value = match &node.value {
            NodeValue::Alias(name) => return self.copy_of(name, node),
            NodeValue::Scalar(text) => NodeValue::Scalar(text.clone()),
            NodeValue::Sequence(items) => {
                let items = items.iter().map(|item| self.expand(item));
                NodeValue::Sequence(items.collect::<Result<_, _>>()?)
            }
            NodeValue::Mapping(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| Ok((self.expand(key)?, self.expand(value)?)));
                NodeValue::Mapping(entries.collect::<Result<_, _>>()?)
            }
        };
        let mut expanded = Node {
            value,
            ..shell_of(node)
        };
        expanded.set_anchor(None);
        if let Some(name) = name {
            self.open.remove(name);
            self.anchors.insert(name, Rc::new(expanded.clone()));
        }
        Ok(expanded)
    }

    fn copy_of(&mut self, name: &'a str, alias: &Node) -> Result<Node, ConvertError> {
        if self.open.contains(name) {
            return Err(ConvertError::Cycle(name.to_owned()));
        }
        let Some(target) = self.anchors.get(name).map(Rc::clone) else {
            return Err(ConvertError::UnknownAnchor(name.to_owned()));
        };
        self.alias_depth += 1;
        self.count(&target)?;
        self.alias_depth -= 1;
        let mut copy = Node::clone(&target);
        copy.mark = alias.mark;
        Ok(copy)
    }

    fn count(&mut self, node: &Node) -> Result<(), ConvertError> {
        self.visited += 1;
        self.copied += 1;
        let excessive = self.copied > 100
            && self.visited > 1000
            && ratio(self.copied, self.visited) > allowed_ratio(self.visited);
        if excessive || self.copied > self.max_copied {
            return Err(ConvertError::Aliasing);
        }
        match &node.value {
            NodeValue::Sequence(items) => items.iter().try_for_each(|item| self.count(item)),
            NodeValue::Mapping(entries) => entries.iter().try_for_each(|(key, value)| {
                self.count(key)?;
                self.count(value)
            }),
            NodeValue::Scalar(_) | NodeValue::Alias(_) => Ok(()),
        }
    }
}

/// Copies everything of a node but its content.
fn shell_of(node: &Node) -> Node {
    Node {
        value: NodeValue::Sequence(Vec::new()),
        tag: node.tag.clone(),
        tagged: node.tagged,
        style: node.style,
        mark: node.mark,
        comments: node.comments.clone(),
        names: node.names.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// go-yaml's bound: 99 % of small documents may come from aliases, 10 % of large ones.
fn allowed_ratio(visited: usize) -> f64 {
    const LOW: usize = 400_000;
    const HIGH: usize = 4_000_000;
    match visited {
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ratio(visited - LOW, HIGH - LOW),
    }
}

/// Replaces the merge keys of a tree without aliases, from the inside out.
fn merge_all(node: &mut Node) -> Result<(), ConvertError> {
    match &mut node.value {
        NodeValue::Sequence(items) => items.iter_mut().try_for_each(merge_all),
        NodeValue::Mapping(entries) => {
            for (key, value) in entries.iter_mut() {
                merge_all(key)?;
                merge_all(value)?;
            }
            if entries.iter().any(|(key, _)| key.tag == Tag::Merge) {
                merge_entries(entries)?;
            }
            Ok(())
        }
        NodeValue::Scalar(_) | NodeValue::Alias(_) => Ok(()),
    }
}

fn merge_entries(entries: &mut Vec<(Node, Node)>) -> Result<(), ConvertError> {
    let mut merged = Vec::new();
    let mut own = Vec::with_capacity(entries.len());
    for (key, value) in std::mem::take(entries) {
        if key.tag == Tag::Merge {
            merged.push(value);
        } else {
            own.push((key, value));
        }
    }
    let mut seen: HashSet<String> = own
        .iter()
        .filter_map(|(key, _)| key.as_str().map(str::to_owned))
        .collect();
    for source in merged {
        for (key, value) in merge_sources(source)?.into_iter().flatten() {
            if key.as_str().is_none_or(|text| seen.insert(text.to_owned())) {
                own.push((key, value));
            }
        }
    }
    *entries = own;
    Ok(())
}

/// Returns the mappings that a merge value brings in, in order of precedence.
pub(crate) fn merge_sources(source: Node) -> Result<Vec<Vec<(Node, Node)>>, ConvertError> {
    match source.value {
        NodeValue::Mapping(entries) => Ok(vec![entries]),
        NodeValue::Sequence(items) => items
            .into_iter()
            .map(|item| match item.value {
                NodeValue::Mapping(entries) => Ok(entries),
                _ => Err(ConvertError::Merge),
            })
            .collect(),
        NodeValue::Scalar(_) | NodeValue::Alias(_) => Err(ConvertError::Merge),
    }
}

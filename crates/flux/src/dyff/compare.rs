//! Comparing two nodes: maps by key, lists by an identifying field where there is one, else by content.

use std::collections::{BTreeMap, HashSet};

use super::node::Node;

/// Fields that identify the items of a list, most telling first.
const IDENTIFIERS: [&str; 4] = ["name", "key", "id", "manager"];
/// A field that is none of these identifies the items of lists with more than this many.
const GUESS_THRESHOLD: usize = 3;

/// What changed at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// Keys, names and indices on the way there.
    pub path: Vec<String>,
    /// Changes.
    pub details: Vec<Detail>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Entries or items appeared.
    Addition(Node),
    /// Entries or items went.
    Removal(Node),
    /// A value became another.
    Modification(Node, Node),
    /// The same items stand in another order.
    Order(Vec<Node>, Vec<Node>),
}

/// Returns the differences in the order of the first object.
pub fn compare(from: &Node, to: &Node) -> Vec<Diff> {
    let mut diffs = Vec::new();
    nodes(&[], from, to, &mut diffs);
    diffs
}

fn nodes(path: &[String], from: &Node, to: &Node, diffs: &mut Vec<Diff>) {
    match (from, to) {
        (Node::Map(_), Node::Map(_)) => maps(path, from, to, diffs),
        (Node::List(a), Node::List(b)) => lists(path, a, b, diffs),
        (from, to) if from == to => {}
        (from, to) => diffs.push(Diff {
            path: path.to_vec(),
            details: vec![Detail::Modification(from.clone(), to.clone())],
        }),
    }
}

fn below(path: &[String], step: &str) -> Vec<String> {
    let mut longer = path.to_vec();
    longer.push(step.to_owned());
    longer
}

fn entries(node: &Node) -> &[(String, Node)] {
    match node {
        Node::Map(entries) => entries,
        _ => &[],
    }
}

fn maps(path: &[String], from: &Node, to: &Node, diffs: &mut Vec<Diff>) {
    let own = diffs.len();
    let mut removals = Vec::new();
    for (key, value) in entries(from) {
        match to.entry(key) {
            Some(other) => nodes(&below(path, key), value, other, diffs),
            None => removals.push((key.clone(), value.clone())),
        }
    }
    let added = |entry: &&(String, Node)| from.entry(&entry.0).is_none();
    let additions: Vec<_> = entries(to).iter().filter(added).cloned().collect();
    let mut details = Vec::new();
    if !removals.is_empty() {
        details.push(Detail::Removal(Node::Map(removals)));
    }
    if !additions.is_empty() {
        details.push(Detail::Addition(Node::Map(additions)));
    }
    insert(diffs, own, path, details);
}

/// Puts the changes of a place before those below it.
fn insert(diffs: &mut Vec<Diff>, at: usize, path: &[String], details: Vec<Detail>) {
    if !details.is_empty() {
        let path = path.to_vec();
        diffs.insert(at, Diff { path, details });
    }
}

fn lists(path: &[String], from: &[Node], to: &[Node], diffs: &mut Vec<Diff>) {
    if from.is_empty() && to.is_empty() {
        return;
    }
    if let Some(field) = usual_identifier(from, to).or_else(|| guessed_identifier(from, to)) {
        let name = |node: &Node| {
            node.entry(&field)
                .and_then(Node::text)
                .unwrap_or("")
                .to_owned()
        };
        return named_lists(path, from, to, &name, diffs);
    }
    if from
        .iter()
        .chain(to)
        .all(|item| resource_name(item).is_some())
    {
        let name = |node: &Node| resource_name(node).unwrap_or_default();
        return named_lists(path, from, to, &name, diffs);
    }
    simple_lists(path, from, to, diffs);
}

fn distinct<'a>(items: &'a [Node], field: &str) -> HashSet<&'a str> {
    items
        .iter()
        .filter_map(|item| item.entry(field)?.text())
        .collect()
}

fn usual_identifier(from: &[Node], to: &[Node]) -> Option<String> {
    let identifies = |items: &[Node], field: &str| {
        let names = distinct(items, field);
        !names.is_empty() && names.len() == items.len()
    };
    IDENTIFIERS
        .iter()
        .find(|field| identifies(from, field) && identifies(to, field))
        .map(|field| (*field).to_owned())
}

/// Finds any text field whose values are different in all items.
fn guessed_identifier(from: &[Node], to: &[Node]) -> Option<String> {
    let counts = |items: &[Node]| -> BTreeMap<String, usize> {
        let mut values: BTreeMap<String, HashSet<String>> = BTreeMap::new();
        for item in items {
            for (key, value) in entries(item) {
                if let Node::Scalar("string", text) = value {
                    values.entry(key.clone()).or_default().insert(text.clone());
                }
            }
        }
        values
            .into_iter()
            .map(|(key, set)| (key, set.len()))
            .collect()
    };
    let all_maps = from
        .iter()
        .chain(to)
        .all(|item| matches!(item, Node::Map(_)));
    if !all_maps {
        return None;
    }
    let to_counts = counts(to);
    counts(from)
        .into_iter()
        .find(|(key, count)| {
            *count > GUESS_THRESHOLD
                && *count == from.len()
                && to_counts.get(key) == Some(&to.len())
        })
        .map(|(key, _)| key)
}

/// Names a Kubernetes object within a list.
fn resource_name(node: &Node) -> Option<String> {
    let mut parts = vec![
        node.entry("apiVersion")?.text()?,
        node.entry("kind")?.text()?,
    ];
    let metadata = node.entry("metadata")?;
    parts.extend(metadata.entry("namespace").and_then(Node::text));
    parts.push(metadata.entry("name")?.text()?);
    Some(parts.join("/"))
}

fn named_lists(
    path: &[String],
    from: &[Node],
    to: &[Node],
    name: &dyn Fn(&Node) -> String,
    diffs: &mut Vec<Diff>,
) {
    let own = diffs.len();
    let find = |items: &'_ [Node], wanted: &str| items.iter().position(|item| name(item) == wanted);
    let mut removals = Vec::new();
    let mut from_names = Vec::new();
    for item in from {
        let wanted = name(item);
        match find(to, &wanted) {
            Some(at) => {
                nodes(&below(path, &wanted), item, &to[at], diffs);
                from_names.push(Node::Scalar("string", wanted));
            }
            None => removals.push(item.clone()),
        }
    }
    let mut additions = Vec::new();
    let mut to_names = Vec::new();
    for item in to {
        let wanted = name(item);
        match find(from, &wanted) {
            Some(_) => to_names.push(Node::Scalar("string", wanted)),
            None => additions.push(item.clone()),
        }
    }
    let mut details = Vec::new();
    if from_names != to_names {
        details.push(Detail::Order(from_names, to_names));
    }
    list_details(&mut details, removals, additions);
    insert(diffs, own, path, details);
}

fn list_details(details: &mut Vec<Detail>, removals: Vec<Node>, additions: Vec<Node>) {
    if !removals.is_empty() {
        details.push(Detail::Removal(Node::List(removals)));
    }
    if !additions.is_empty() {
        details.push(Detail::Addition(Node::List(additions)));
    }
}

fn simple_lists(path: &[String], from: &[Node], to: &[Node], diffs: &mut Vec<Diff>) {
    if let ([from], [to]) = (from, to) {
        return nodes(&below(path, "0"), from, to, diffs);
    }
    let common = |items: &[Node], others: &[Node]| -> Vec<Node> {
        items
            .iter()
            .filter(|item| others.contains(item))
            .cloned()
            .collect()
    };
    let (from_common, to_common) = (common(from, to), common(to, from));
    let mut details = Vec::new();
    if from_common.len() == to_common.len() && from_common != to_common {
        details.push(Detail::Order(from_common, to_common));
    }
    list_details(&mut details, surplus(from, to), surplus(to, from));
    insert(diffs, diffs.len(), path, details);
}

/// Returns the items that occur more often in one list than in the other.
fn surplus(items: &[Node], others: &[Node]) -> Vec<Node> {
    let count = |list: &[Node], item: &Node| list.iter().filter(|other| *other == item).count();
    let mut surplus: Vec<Node> = Vec::new();
    for item in items {
        let more = count(items, item).saturating_sub(count(others, item));
        if count(others, item) == 0 {
            surplus.push(item.clone());
        } else if more > 0 && !surplus.contains(item) {
            surplus.extend(std::iter::repeat_n(item.clone(), more));
        }
    }
    surplus
}

//! Printing differences: a path, then each change, side by side where they fit the terminal.

use similar::{ChangeTag, TextDiff};
use unicode_width::UnicodeWidthStr as _;

use super::compare::{Detail, Diff};
use super::node::Node;

/// Width where nothing is known of a terminal.
const DEFAULT_WIDTH: usize = 80;

/// Renders all differences; an empty line before each and one at the end.
pub fn render(diffs: &[Diff]) -> String {
    let width = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .unwrap_or(DEFAULT_WIDTH);
    let mut text = String::new();
    for diff in diffs {
        let path = match diff.path.is_empty() {
            true => "(root level)".to_owned(),
            false => diff.path.join("."),
        };
        text.push_str(&format!("\n{path}\n"));
        let blocks: Vec<String> = diff.details.iter().map(|d| detail(d, width)).collect();
        push_blocks(&mut text, 0, &blocks, width);
    }
    text.push('\n');
    text
}

fn detail(detail: &Detail, width: usize) -> String {
    match detail {
        Detail::Addition(node) => entries('+', "added", 2, node, width),
        Detail::Removal(node) => entries('-', "removed", 0, node, width),
        Detail::Modification(from, to) => modification(from, to, width),
        Detail::Order(from, to) => order(from, to, width),
    }
}

fn entries(sign: char, what: &str, indent: usize, node: &Node, width: usize) -> String {
    let count = match node {
        Node::Map(entries) => plural(entries.len(), "map entry", "map entries"),
        Node::List(items) => plural(items.len(), "list entry", "list entries"),
        Node::Scalar(..) => String::new(),
    };
    let mut text = format!("{sign} {count} {what}:\n");
    let mut node = node.clone();
    node.restructure();
    push_blocks(&mut text, indent, &[yaml(&node)], width);
    text
}

fn plural(count: usize, one: &str, many: &str) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    let number = match WORDS.get(count) {
        Some(word) => (*word).to_owned(),
        None => count.to_string(),
    };
    format!("{number} {}", if count == 1 { one } else { many })
}

fn modification(from: &Node, to: &Node, width: usize) -> String {
    if let (Node::Scalar("string", from), Node::Scalar("string", to)) = (from, to) {
        return text_change(from, to, width);
    }
    let (from_type, to_type) = (from.type_name(), to.type_name());
    let head = match from_type == to_type {
        true => "± value change\n".to_owned(),
        false => format!("± type change from {from_type} to {to_type}\n"),
    };
    let shown = |node: &Node| match node {
        Node::Scalar("<nil>", _) => "<nil>".to_owned(),
        node => yaml(node).trim_end_matches('\n').to_owned(),
    };
    head + &prefixed("- ", &shown(from)) + &prefixed("+ ", &shown(to))
}

fn text_change(from: &str, to: &str, width: usize) -> String {
    let bare = |text: &str| text.trim_matches([' ', '\n']).to_owned();
    if bare(from) == bare(to) {
        let shown = |text: &str| text.replace('\n', "↵\n").replace(' ', "·");
        let mut text = "± whitespace only change\n".to_owned();
        let blocks = [prefixed("- ", &shown(from)), prefixed("+ ", &shown(to))];
        push_blocks(&mut text, 0, &blocks, width);
        return text;
    }
    if from.contains('\n') || to.contains('\n') {
        return line_changes(from, to);
    }
    format!(
        "± value change\n{}{}",
        prefixed("- ", from),
        prefixed("+ ", to)
    )
}

fn line_changes(from: &str, to: &str) -> String {
    let diff = TextDiff::from_lines(from, to);
    let (mut inserts, mut deletions) = (0, 0);
    let mut lines = String::new();
    let mut last = ChangeTag::Equal;
    for change in diff.iter_all_changes() {
        let tag = change.tag();
        let sign = match tag {
            ChangeTag::Equal => "",
            ChangeTag::Insert => "+ ",
            ChangeTag::Delete => "- ",
        };
        if tag != last {
            inserts += usize::from(tag == ChangeTag::Insert);
            deletions += usize::from(tag == ChangeTag::Delete);
        }
        last = tag;
        if !sign.is_empty() {
            lines.push_str(&format!(
                "{sign}{}\n",
                change.value().trim_end_matches('\n')
            ));
        }
    }
    format!(
        "± value change in multiline text ({}, {})\n{lines}\n",
        plural(inserts, "insert", "inserts"),
        plural(deletions, "deletion", "deletions")
    )
}

fn order(from: &[Node], to: &[Node], width: usize) -> String {
    let shown = |items: &[Node]| -> Vec<String> {
        items
            .iter()
            .map(|item| match item.text() {
                Some(text) if !text.is_empty() => text.to_owned(),
                _ => yaml(item),
            })
            .collect()
    };
    let (from, to) = (shown(from), shown(to));
    let length = |items: &[String]| {
        items.iter().map(|item| item.chars().count()).sum::<usize>()
            + items.len().saturating_sub(1) * 2
    };
    let mut text = "⇆ order changed\n".to_owned();
    if length(&from).max(length(&to)) < width / 2 {
        text.push_str(&format!("- {}\n+ {}\n", from.join(", "), to.join(", ")));
    } else {
        text.push_str(&table(" ", 2, &[from.join("\n"), to.join("\n")]));
    }
    text
}

/// Puts a prefix before the first line and as much space before the others.
fn prefixed(prefix: &str, text: &str) -> String {
    let mut result = String::new();
    for (index, line) in text.split('\n').enumerate() {
        let start = if index == 0 { prefix } else { "  " };
        result.push_str(&format!("{start}{line}\n"));
    }
    result
}

/// Writes blocks side by side where they fit the width, one below the other elsewhere.
fn push_blocks(text: &mut String, indent: usize, blocks: &[String], width: usize) {
    const SEPARATOR: &str = "   ";
    let widest = |block: &String| {
        block
            .split('\n')
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    };
    let separators = blocks.len().saturating_sub(1) * SEPARATOR.len();
    let together = indent + separators + blocks.iter().map(widest).sum::<usize>();
    if together <= width {
        text.push_str(&table(SEPARATOR, indent, blocks));
        return;
    }
    for line in blocks.iter().flat_map(|block| block.split('\n')) {
        text.push_str(&format!("{:indent$}{line}\n", ""));
    }
}

fn table(separator: &str, indent: usize, columns: &[String]) -> String {
    let columns: Vec<Vec<&str>> = columns
        .iter()
        .map(|column| column.split('\n').collect())
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .map(|lines| lines.iter().map(|line| line.width()).max().unwrap_or(0))
        .collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |at: usize| {
        let cells: Vec<String> = columns
            .iter()
            .zip(&widths)
            .map(|(lines, width)| {
                let line = lines.get(at).copied().unwrap_or("");
                let space = width.saturating_sub(line.width());
                format!("{:indent$}{line}{:space$}", "", "")
            })
            .collect();
        cells.join(separator).trim_end_matches(' ').to_owned()
    };
    (0..height).map(row).collect::<Vec<_>>().join("\n")
}

/// Prints a node as YAML in the form of the report: more quotes than needed, text blocks always literal.
fn yaml(node: &Node) -> String {
    let mut text = String::new();
    push_yaml(&mut text, "", false, node);
    text
}

fn push_yaml(text: &mut String, prefix: &str, mut inline: bool, node: &Node) {
    let deeper = format!("{prefix}  ");
    match node {
        Node::Scalar(kind, value) => push_scalar(text, prefix, kind, value),
        Node::List(items) => {
            for item in items {
                if !inline {
                    text.push_str(prefix);
                }
                inline = false;
                text.push_str("- ");
                push_yaml(text, &deeper, true, item);
            }
        }
        Node::Map(entries) => {
            for (key, value) in entries {
                if !inline {
                    text.push_str(prefix);
                }
                inline = false;
                text.push_str(&format!("{key}:"));
                match value {
                    Node::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
                    Node::List(items) if items.is_empty() => text.push_str(" []\n"),
                    Node::Map(_) => {
                        text.push('\n');
                        push_yaml(text, &deeper, false, value);
                    }
                    Node::List(_) => {
                        text.push('\n');
                        push_yaml(text, prefix, false, value);
                    }
                    Node::Scalar(..) => {
                        text.push(' ');
                        push_yaml(text, &deeper, false, value);
                    }
                }
            }
        }
    }
}

fn push_scalar(text: &mut String, prefix: &str, kind: &str, value: &str) {
    if value.contains('\n') {
        let lines: Vec<String> = value
            .split('\n')
            .map(|line| format!("{prefix}{line}"))
            .collect();
        text.push_str(&format!("|\n{}\n", lines.join("\n")));
        return;
    }
    let quoted = kind == "string"
        && (["true", "false", "null"].contains(&value)
            || value.starts_with('-')
            || value.contains([' ', '*', '&', ':', ',']));
    match quoted {
        true => text.push_str(&format!("{}\n", gocompat::quote::quote(value.as_bytes()))),
        false => text.push_str(&format!("{value}\n")),
    }
}

//! Trees into text as go-yaml v3's encoder prints nodes: order, styles, tags, anchors and comments kept.
//!
//! libyaml decides about white space from what was written last; the same few facts are kept here: the
//! column, whether the last character was white, whether the line is only indentation so far, and below
//! which indentation a foot comment was just written. Lines are never folded.

mod flow;
mod write;

use super::analyze::{Allowed, analyze};
use crate::compose::Document;
use crate::{Comments, Dialect, Node, NodeValue, Resolved, Style, Tag, resolve_text};

/// How trees are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmitOptions {
    /// Blanks per level, 2 to 9.
    pub indent: usize,
    /// Whether lists stand at the indentation of their key.
    pub compact_lists: bool,
}

impl EmitOptions {
    /// Layout of kyaml and kustomize: two blanks, lists at the indentation of their key.
    pub fn compact() -> Self {
        Self {
            indent: 2,
            compact_lists: true,
        }
    }

    /// Lists indented below their key.
    pub fn wide() -> Self {
        Self {
            indent: 2,
            compact_lists: false,
        }
    }
}

/// Prints a tree as one document in kyaml's compact layout.
pub fn emit(node: &Node) -> String {
    emit_with(node, EmitOptions::compact())
}

/// Prints a tree as one document.
pub fn emit_with(node: &Node, options: EmitOptions) -> String {
    let mut writer = TreeWriter::new(options);
    writer.document(node, "", "");
    writer.out
}

/// Prints documents with `---` between them and the comments around them.
pub fn emit_documents(documents: &[Document], options: EmitOptions) -> String {
    let mut writer = TreeWriter::new(options);
    for document in documents {
        writer.document(&document.root, &document.head, &document.foot);
    }
    writer.out
}

/// Comments that wait to be written; the newest event replaces what it brings itself.
#[derive(Default)]
struct Waiting {
    head: String,
    line: String,
    foot: String,
    tail: String,
    /// Line comment of a key, which moves behind its value.
    key_line: String,
}

/// What was written last, and what comes next.
struct TreeWriter {
    out: String,
    step: i32,
    compact: bool,
    indent: i32,
    column: usize,
    whitespace: bool,
    indention: bool,
    foot_indent: i32,
    flow_level: usize,
    first_document: bool,
    waiting: Waiting,
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Root,
    Item,
    /// Key on one line.
    SimpleKey,
    /// Key behind `?`.
    Key,
    Value,
}

impl TreeWriter {
    fn new(options: EmitOptions) -> Self {
        let step = i32::try_from(options.indent).unwrap_or(2);
        Self {
            out: String::new(),
            step: if (2..=9).contains(&step) { step } else { 2 },
            compact: options.compact_lists,
            indent: -1,
            column: 0,
            whitespace: true,
            indention: true,
            foot_indent: -1,
            flow_level: 0,
            first_document: true,
            waiting: Waiting::default(),
        }
    }

    fn document(&mut self, root: &Node, head: &str, foot: &str) {
        if !std::mem::replace(&mut self.first_document, false) {
            self.write_indent();
            self.indicator("---", true, false, false);
            self.write_indent();
        }
        if !head.is_empty() {
            head.clone_into(&mut self.waiting.head);
            self.write_head();
            self.put_break();
        }
        self.take_comments(root);
        self.write_head();
        self.node(root, Role::Root);
        self.write_line();
        self.write_foot();
        foot.clone_into(&mut self.waiting.foot);
        self.foot_indent = 0;
        self.write_foot();
        self.foot_indent = -1;
        self.write_indent();
    }

    /// Takes up the comments that stand at the start of a node.
    fn take_comments(&mut self, node: &Node) {
        let Some(comments) = node.comments.as_deref() else {
            return;
        };
        replace(&mut self.waiting.head, &comments.head);
        if !is_collection(node) {
            replace(&mut self.waiting.line, &comments.line);
            replace(&mut self.waiting.foot, &comments.foot);
        }
    }

    /// Takes up the comments that stand at the end of a collection.
    fn take_closing(&mut self, comments: Option<&Comments>, tail: &str) {
        if let Some(comments) = comments {
            replace(&mut self.waiting.line, &comments.line);
            replace(&mut self.waiting.foot, &comments.foot);
        }
        replace(&mut self.waiting.tail, tail);
    }

    fn node(&mut self, node: &Node, role: Role) {
        match &node.value {
            NodeValue::Alias(name) => {
                self.indicator("*", true, false, false);
                self.put(name);
                self.whitespace = false;
                self.indention = false;
            }
            NodeValue::Scalar(text) => self.scalar(node, text, role),
            NodeValue::Sequence(items) => {
                self.properties(node, printed_tag(node));
                if self.flow_level > 0 || node.style == Style::Flow || items.is_empty() {
                    self.flow_sequence(node, items, role);
                } else {
                    self.flush_value_comments(role);
                    self.block_sequence(node, items, role);
                }
            }
            NodeValue::Mapping(entries) => {
                self.properties(node, printed_tag(node));
                if self.flow_level > 0 || node.style == Style::Flow || entries.is_empty() {
                    self.flow_mapping(node, entries, role);
                } else {
                    self.flush_value_comments(role);
                    self.block_mapping(node, entries, role);
                }
            }
        }
    }

    /// A block collection writes what waits behind its opening before its first entry.
    fn flush_value_comments(&mut self, role: Role) {
        if matches!(role, Role::Item | Role::Value | Role::Root) {
            self.write_line();
            self.write_foot();
        }
    }

    /// Opens a level; returns the indentation to come back to.
    fn deepen(&mut self, role: Role, flow: bool, compact: bool) -> i32 {
        let before = self.indent;
        self.indent = match before {
            ..0 if flow => self.step,
            ..0 => 0,
            _ if role == Role::Item && self.flow_level == 0 => before + 2,
            _ => self.step * ((before + self.step) / self.step) - if compact { 2 } else { 0 },
        };
        before
    }

    fn block_sequence(&mut self, node: &Node, items: &[Node], role: Role) {
        let in_mapping = matches!(role, Role::Value | Role::Key | Role::SimpleKey);
        let compact = self.compact && in_mapping && (self.column == 0 || !self.indention);
        let before = self.deepen(role, false, compact);
        for item in items {
            self.take_comments(item);
            self.write_head();
            self.write_indent();
            self.indicator("-", true, false, true);
            self.node(item, Role::Item);
            self.write_line();
            self.write_foot();
        }
        self.take_closing(node.comments.as_deref(), "");
        self.indent = before;
    }

    fn block_mapping(&mut self, node: &Node, entries: &[(Node, Node)], role: Role) {
        let before = self.deepen(role, false, false);
        let mut tail = "";
        for (key, value) in entries {
            replace(&mut self.waiting.tail, tail);
            tail = self.block_entry(key, value);
        }
        self.take_closing(node.comments.as_deref(), tail);
        self.write_head();
        self.indent = before;
    }

    /// Prints one entry; returns the foot of its key, which is written in front of the next one.
    fn block_entry<'a>(&mut self, key: &'a Node, value: &Node) -> &'a str {
        let foot = self.take_key_comments(key);
        self.write_head();
        self.write_indent();
        if !self.waiting.line.is_empty() {
            self.waiting.key_line = std::mem::take(&mut self.waiting.line);
        }
        if is_simple_key(key) {
            self.node(key, Role::SimpleKey);
            self.indicator(":", false, false, false);
        } else {
            self.indicator("?", true, false, true);
            self.node(key, Role::Key);
            self.write_indent();
            self.indicator(":", true, false, true);
        }
        self.take_comments(value);
        self.pass_key_line(value);
        self.node(value, Role::Value);
        self.write_line();
        self.write_foot();
        foot
    }

    fn take_key_comments<'a>(&mut self, key: &'a Node) -> &'a str {
        let Some(comments) = key.comments.as_deref() else {
            return "";
        };
        replace(&mut self.waiting.head, &comments.head);
        replace(&mut self.waiting.line, &comments.line);
        &comments.foot
    }

    /// Moves the line comment of a key behind its scalar value, or in front of its block value.
    fn pass_key_line(&mut self, value: &Node) {
        if self.waiting.key_line.is_empty() {
            return;
        }
        match &value.value {
            NodeValue::Scalar(_) if self.waiting.line.is_empty() => {
                self.waiting.line = std::mem::take(&mut self.waiting.key_line);
            }
            NodeValue::Sequence(_) | NodeValue::Mapping(_) if value.style != Style::Flow => {
                let line = std::mem::take(&mut self.waiting.key_line);
                let kept = std::mem::replace(&mut self.waiting.line, line);
                self.write_line();
                self.waiting.key_line = std::mem::replace(&mut self.waiting.line, kept);
                self.waiting.key_line.clear();
            }
            _ => {}
        }
    }

    /// Writes the anchor and the tag.
    fn properties(&mut self, node: &Node, tag: Option<&str>) {
        if let Some(anchor) = node.anchor() {
            self.indicator("&", true, false, false);
            self.put(anchor);
            self.whitespace = false;
            self.indention = false;
        }
        if let Some(tag) = tag {
            self.tag(tag);
        }
    }

    fn scalar(&mut self, node: &Node, text: &str, role: Role) {
        let allowed = analyze(text, true);
        let style = self.scalar_style(node, text, &allowed, role);
        self.properties(node, printed_tag(node));
        let before = self.deepen(role, true, false);
        match style {
            Style::SingleQuoted => self.single_quoted(text),
            Style::DoubleQuoted => self.double_quoted(text),
            Style::Literal => self.literal(text),
            Style::Folded => self.folded(text),
            Style::Plain | Style::Flow => self.plain(text),
        }
        self.indent = before;
    }

    /// Chooses the style: the written one, corrected by what the characters allow.
    fn scalar_style(&self, node: &Node, text: &str, allowed: &Allowed, role: Role) -> Style {
        let simple_key = role == Role::SimpleKey;
        let mut style = match node.style {
            Style::Plain | Style::Flow if text.contains('\n') => Style::Literal,
            Style::Plain | Style::Flow if needs_quotes(node, text) => Style::DoubleQuoted,
            Style::Flow => Style::Plain,
            style => style,
        };
        if simple_key && allowed.multiline {
            style = Style::DoubleQuoted;
        }
        if style == Style::Plain {
            let plain = if self.flow_level > 0 {
                allowed.flow_plain
            } else {
                allowed.plain
            };
            if !plain || text.is_empty() && (self.flow_level > 0 || simple_key) {
                style = Style::SingleQuoted;
            }
        }
        let block = matches!(style, Style::Literal | Style::Folded);
        if style == Style::SingleQuoted && !allowed.single_quoted
            || block && (!allowed.block || self.flow_level > 0 || simple_key)
        {
            style = Style::DoubleQuoted;
        }
        style
    }
}

/// New comments replace waiting ones; absent ones leave them.
fn replace(waiting: &mut String, comment: &str) {
    if !comment.is_empty() {
        comment.clone_into(waiting);
    }
}

fn is_collection(node: &Node) -> bool {
    matches!(node.value, NodeValue::Sequence(_) | NodeValue::Mapping(_))
}

/// Returns the tag to print: a written one, or one that the text would not be given by itself.
fn printed_tag(node: &Node) -> Option<&str> {
    if node.tagged {
        return Some(short_name(node)).filter(|tag| !tag.is_empty());
    }
    let text = match &node.value {
        NodeValue::Scalar(text) => text,
        NodeValue::Mapping(_) => {
            return Some(short_name(node)).filter(|tag| !matches!(*tag, "" | "!!map"));
        }
        NodeValue::Sequence(_) => {
            return Some(short_name(node)).filter(|tag| !matches!(*tag, "" | "!!seq"));
        }
        NodeValue::Alias(_) => return None,
    };
    let tag = short_name(node);
    // The merge key is no exception: go-yaml prints `!!merge <<`.
    if matches!(tag, "" | "!!str") || resolve_text(text, Dialect::V3).tag() == tag {
        return None;
    }
    Some(tag)
}

/// Tells whether plain text that was tagged as a string would be read as something else.
fn needs_quotes(node: &Node, text: &str) -> bool {
    node.tag == Tag::Str
        && !node.tagged
        && !matches!(resolve_text(text, Dialect::V3), Resolved::String(_))
}

fn short_name(node: &Node) -> &str {
    match node.tag {
        Tag::Implicit => "",
        Tag::Str => "!!str",
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Bool => "!!bool",
        Tag::Null => "!!null",
        Tag::Binary => "!!binary",
        Tag::Timestamp => "!!timestamp",
        Tag::Merge => "!!merge",
        Tag::Map => "!!map",
        Tag::Seq => "!!seq",
        Tag::Custom => node.custom_tag().unwrap_or(""),
    }
}

/// Longest key, with its anchor and tag, that stands in front of its colon on one line; in bytes.
const MAX_SIMPLE_KEY: usize = 128;

fn is_simple_key(key: &Node) -> bool {
    let tag = printed_tag(key).map_or(0, str::len);
    let properties = key.anchor().map_or(0, str::len) + tag;
    match &key.value {
        NodeValue::Alias(name) => name.len() <= MAX_SIMPLE_KEY,
        NodeValue::Scalar(text) => {
            !analyze(text, true).multiline && properties + text.len() <= MAX_SIMPLE_KEY
        }
        NodeValue::Sequence(items) => items.is_empty() && properties <= MAX_SIMPLE_KEY,
        NodeValue::Mapping(entries) => entries.is_empty() && properties <= MAX_SIMPLE_KEY,
    }
}

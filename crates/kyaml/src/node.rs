//! The node tree: what a document says, how it was written, and where.

use compact_str::CompactString;

/// Scalar text; up to 24 bytes are held inline.
pub type Text = CompactString;

/// Position in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Line, from 1; 0 for nodes that were never read.
    pub line: u32,
    /// Column in characters, from 1; 0 for nodes that were never read.
    pub column: u32,
}

/// How a node was, or is to be, written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// Plain scalar or block collection.
    #[default]
    Plain,
    /// `"…"`.
    DoubleQuoted,
    /// `'…'`.
    SingleQuoted,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
    /// `{…}` or `[…]`.
    Flow,
}

/// Type of a node, explicit or resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tag {
    /// Not written; resolved from the text where needed (plain scalars) or `!!str`/`!!map`/`!!seq`.
    #[default]
    Implicit,
    /// `!!str`.
    Str,
    /// `!!int`.
    Int,
    /// `!!float`.
    Float,
    /// `!!bool`.
    Bool,
    /// `!!null`.
    Null,
    /// `!!binary`.
    Binary,
    /// `!!timestamp`.
    Timestamp,
    /// `!!merge` (`<<`).
    Merge,
    /// `!!map`.
    Map,
    /// `!!seq`.
    Seq,
    /// Any other; [`Node::custom_tag`] has its short form such as `!Ref`.
    Custom,
}

/// Comments around a node, each with its `#`, lines joined by `\n`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments {
    /// Lines above.
    pub head: String,
    /// Behind, on the same line.
    pub line: String,
    /// Lines below, before an empty line.
    pub foot: String,
}

/// Names that few nodes have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Name that aliases use, without `&`.
    pub anchor: Option<Text>,
    /// Short form of a [`Tag::Custom`].
    pub tag: Option<Text>,
}

/// Content of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// Text of a scalar, unquoted.
    Scalar(Text),
    /// Items in order.
    Sequence(Vec<Node>),
    /// Keys and values in order; a key may stand twice.
    Mapping(Vec<(Node, Node)>),
    /// Name of the anchor an alias points at.
    Alias(Text),
}

/// One YAML node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Content.
    pub value: NodeValue,
    /// Explicit or resolved type.
    pub tag: Tag,
    /// Whether the tag was written, and is to be written again.
    pub tagged: bool,
    /// Written style.
    pub style: Style,
    /// Where the node starts.
    pub mark: Mark,
    /// Comments; absent for most nodes.
    pub comments: Option<Box<Comments>>,
    /// Anchor and unknown tag; absent for most nodes.
    pub names: Option<Box<Names>>,
}

impl Node {
    /// Makes a node without position.
    pub fn new(value: NodeValue, tag: Tag) -> Self {
        let (style, mark) = (Style::Plain, Mark::default());
        Self {
            value,
            tag,
            tagged: false,
            style,
            mark,
            comments: None,
            names: None,
        }
    }

    /// Makes a string scalar.
    pub fn string(text: impl Into<Text>) -> Self {
        Self::new(NodeValue::Scalar(text.into()), Tag::Str)
    }

    /// Makes a scalar whose type follows from its text.
    pub fn plain(text: impl Into<Text>) -> Self {
        Self::new(NodeValue::Scalar(text.into()), Tag::Implicit)
    }

    /// Makes a null.
    pub fn null() -> Self {
        Self::new(NodeValue::Scalar(Text::const_new("null")), Tag::Null)
    }

    /// Makes an empty mapping.
    pub fn mapping() -> Self {
        Self::new(NodeValue::Mapping(Vec::new()), Tag::Map)
    }

    /// Makes an empty sequence.
    pub fn sequence() -> Self {
        Self::new(NodeValue::Sequence(Vec::new()), Tag::Seq)
    }

    /// Returns the name that aliases use for this node.
    pub fn anchor(&self) -> Option<&str> {
        self.names.as_ref()?.anchor.as_deref()
    }

    /// Names this node for aliases, or takes the name away.
    pub fn set_anchor(&mut self, anchor: Option<Text>) {
        if anchor.is_some() || self.names.is_some() {
            self.names.get_or_insert_default().anchor = anchor;
        }
    }

    /// Returns the short form of a tag that is none of the core ones.
    pub fn custom_tag(&self) -> Option<&str> {
        self.names.as_ref()?.tag.as_deref()
    }

    /// Returns the text of a scalar.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the entries of a mapping, in order.
    pub fn entries(&self) -> Option<&[(Node, Node)]> {
        match &self.value {
            NodeValue::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the entries of a mapping for editing.
    pub fn entries_mut(&mut self) -> Option<&mut Vec<(Node, Node)>> {
        match &mut self.value {
            NodeValue::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the items of a sequence, in order.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the items of a sequence for editing.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            NodeValue::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the value of the first entry with this key text.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?
            .iter()
            .find(|(k, _)| k.as_str() == Some(key))
            .map(|(_, v)| v)
    }

    /// Returns the value of the first entry with this key text, for editing.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries_mut()?
            .iter_mut()
            .find(|(k, _)| k.as_str() == Some(key))
            .map(|(_, v)| v)
    }

    /// Sets the value of a key in a mapping: in place where the key stands, at the end where not.
    ///
    /// Does nothing on a node that is no mapping.
    pub fn set(&mut self, key: &str, value: Node) {
        if let Some(slot) = self.get_mut(key) {
            *slot = value;
        } else if let Some(entries) = self.entries_mut() {
            entries.push((Node::string(key), value));
        }
    }

    /// Removes and returns the first entry with this key text.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let entries = self.entries_mut()?;
        let index = entries.iter().position(|(k, _)| k.as_str() == Some(key))?;
        Some(entries.remove(index).1)
    }
}

//! Trees as bytes.
//!
//! A node is a byte of kind and tag, further bytes only where it has more than that (style, names, comments,
//! position), and its content: text behind its length, or one byte for a listed word; entries behind their
//! number. Keys, nearly always plain strings, do without the first byte.

use kyaml::{Comments, Mark, Names, Node, NodeValue, Style, Tag, Text};

use super::words;
use crate::node::shared::{number_of, set_number};

const SCALAR: u8 = 0;
const SEQUENCE: u8 = 1;
const MAPPING: u8 = 2;
const ALIAS: u8 = 3;
/// In the first byte: bits of the kind, of the tag, and two flags.
const KIND: u8 = 0b11;
const TAG_SHIFT: u8 = 2;
const TAG: u8 = 0b1111;
const HAS_DETAILS: u8 = 1 << 6;
const IS_WORD: u8 = 1 << 7;
/// In the byte of details: bits of the style, and flags.
const STYLE: u8 = 0b111;
const TAGGED: u8 = 1 << 3;
const HAS_NAMES: u8 = 1 << 4;
const HAS_COMMENTS: u8 = 1 << 5;
const HAS_MARK: u8 = 1 << 6;
const HAS_NUMBER: u8 = 1 << 7;
/// Stands in place of a word that was the same before.
pub(super) const SAME: u8 = 0xfd;
/// First bytes of keys that are no listed word: a plain string, and any other node.
const KEY_TEXT: u8 = 0xfe;
const KEY_NODE: u8 = 0xff;

const TAGS: [Tag; 12] = [
    Tag::Implicit,
    Tag::Str,
    Tag::Int,
    Tag::Float,
    Tag::Bool,
    Tag::Null,
    Tag::Binary,
    Tag::Timestamp,
    Tag::Merge,
    Tag::Map,
    Tag::Seq,
    Tag::Custom,
];
const STYLES: [Style; 6] = [
    Style::Plain,
    Style::DoubleQuoted,
    Style::SingleQuoted,
    Style::Literal,
    Style::Folded,
    Style::Flow,
];

/// Appends a number, seven bits a byte.
pub(super) fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

/// Appends a text behind its length.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    write_number(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Appends a text that is often a listed word.
pub(super) fn write_word(out: &mut Vec<u8>, text: &str) {
    match words::find(text) {
        Some(word) => out.push(word),
        None => {
            out.push(KEY_TEXT);
            write_text(out, text);
        }
    }
}

fn write_optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    write_text(out, text.unwrap_or(""));
}

/// Appends a node; positions only where they are wanted.
pub(super) fn write_node(out: &mut Vec<u8>, node: &Node, marks: bool) {
    let (kind, text) = match &node.value {
        NodeValue::Scalar(text) => (SCALAR, Some(text)),
        NodeValue::Alias(name) => (ALIAS, Some(name)),
        NodeValue::Sequence(_) => (SEQUENCE, None),
        NodeValue::Mapping(_) => (MAPPING, None),
    };
    let word = text.and_then(|text| words::find(text));
    let details = details_of(node, marks);
    let has_details = if details == 0 { 0 } else { HAS_DETAILS };
    let is_word = if word.is_some() { IS_WORD } else { 0 };
    out.push(kind | (tag_number(&node.tag) << TAG_SHIFT) | has_details | is_word);
    if details != 0 {
        out.push(details);
        write_details(out, node, details);
    }
    match (&node.value, word) {
        (_, Some(word)) => out.push(word),
        (NodeValue::Scalar(text) | NodeValue::Alias(text), None) => write_text(out, text),
        (NodeValue::Sequence(items), None) => {
            write_number(out, items.len());
            items.iter().for_each(|item| write_node(out, item, marks));
        }
        (NodeValue::Mapping(entries), None) => {
            write_number(out, entries.len());
            for (key, value) in entries {
                write_key(out, key, marks);
                write_node(out, value, marks);
            }
        }
    }
}

fn tag_number(tag: &Tag) -> u8 {
    match tag {
        Tag::Implicit => 0,
        Tag::Str => 1,
        Tag::Int => 2,
        Tag::Float => 3,
        Tag::Bool => 4,
        Tag::Null => 5,
        Tag::Binary => 6,
        Tag::Timestamp => 7,
        Tag::Merge => 8,
        Tag::Map => 9,
        Tag::Seq => 10,
        Tag::Custom => 11,
    }
}

fn style_number(style: Style) -> u8 {
    match style {
        Style::Plain => 0,
        Style::DoubleQuoted => 1,
        Style::SingleQuoted => 2,
        Style::Literal => 3,
        Style::Folded => 4,
        Style::Flow => 5,
    }
}

fn details_of(node: &Node, marks: bool) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    style_number(node.style)
        | flag(node.tagged, TAGGED)
        | flag(node.names.is_some(), HAS_NAMES)
        | flag(node.comments.is_some(), HAS_COMMENTS)
        | flag(marks, HAS_MARK)
        | flag(!marks && number_of(node) != 0, HAS_NUMBER)
}

fn write_details(out: &mut Vec<u8>, node: &Node, details: u8) {
    if let Some(names) = &node.names {
        write_optional(out, names.anchor.as_deref());
        write_optional(out, names.tag.as_deref());
    }
    if let Some(comments) = &node.comments {
        for text in [&comments.head, &comments.line, &comments.foot] {
            write_text(out, text);
        }
    }
    if details & HAS_MARK != 0 {
        out.extend_from_slice(&node.mark.line.to_le_bytes());
        out.extend_from_slice(&node.mark.column.to_le_bytes());
    }
    if details & HAS_NUMBER != 0 {
        write_number(out, number_of(node) as usize);
    }
}

fn write_key(out: &mut Vec<u8>, key: &Node, marks: bool) {
    let is_usual = key.tag == Tag::Str && details_of(key, marks) == 0;
    match key.as_str().filter(|_| is_usual) {
        Some(text) => write_word(out, text),
        None => {
            out.push(KEY_NODE);
            write_node(out, key, marks);
        }
    }
}

/// Reads what the functions above have written.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn byte(&mut self) -> u8 {
        let (byte, rest) = self.rest.split_first().expect("packed bytes are complete");
        self.rest = rest;
        *byte
    }

    pub fn number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    /// Reads a number that was one of 32 bits.
    pub fn small(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or(0)
    }

    /// Takes as many bytes.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        bytes
    }

    pub fn text(&mut self) -> &'a str {
        let length = self.number();
        std::str::from_utf8(self.bytes(length)).expect("packed texts were texts")
    }

    fn optional(&mut self) -> Option<Text> {
        let there = self.byte() != 0;
        let text = self.text();
        there.then(|| text.into())
    }

    fn u32(&mut self) -> u32 {
        let bytes = self.bytes(4).try_into().expect("four bytes were asked for");
        u32::from_le_bytes(bytes)
    }

    /// Reads the first byte and that of the details; what the details announce comes next.
    fn head(&mut self) -> (u8, u8) {
        let first = self.byte();
        let details = if first & HAS_DETAILS == 0 {
            0
        } else {
            self.byte()
        };
        (first, details)
    }

    /// Reads a node.
    pub fn node(&mut self) -> Node {
        let (first, details) = self.head();
        let tag = TAGS[usize::from((first >> TAG_SHIFT) & TAG)].clone();
        let mut node = Node::new(NodeValue::Sequence(Vec::new()), tag);
        if details != 0 {
            self.details(details, &mut node);
        }
        node.value = match first & KIND {
            SEQUENCE => {
                let count = self.number();
                NodeValue::Sequence((0..count).map(|_| self.node()).collect())
            }
            MAPPING => {
                let count = self.number();
                NodeValue::Mapping((0..count).map(|_| (self.key(), self.node())).collect())
            }
            kind => {
                let text = Text::from(self.content(first));
                if kind == ALIAS {
                    NodeValue::Alias(text)
                } else {
                    NodeValue::Scalar(text)
                }
            }
        };
        node
    }

    /// Reads the text of a scalar or alias, whose first byte was read.
    fn content(&mut self, first: u8) -> &'a str {
        if first & IS_WORD == 0 {
            self.text()
        } else {
            words::WORDS[usize::from(self.byte())]
        }
    }

    fn details(&mut self, details: u8, node: &mut Node) {
        node.style = STYLES[usize::from(details & STYLE)];
        node.tagged = details & TAGGED != 0;
        if details & HAS_NAMES != 0 {
            let (anchor, tag) = (self.optional(), self.optional());
            node.names = Some(Box::new(Names { anchor, tag }));
        }
        if details & HAS_COMMENTS != 0 {
            let [head, line, foot] = [self.text(), self.text(), self.text()].map(str::to_owned);
            node.comments = Some(Box::new(Comments { head, line, foot }));
        }
        if details & HAS_MARK != 0 {
            let (line, column) = (self.u32(), self.u32());
            node.mark = Mark { line, column };
        }
        if details & HAS_NUMBER != 0 {
            set_number(node, self.small());
        }
    }

    fn key(&mut self) -> Node {
        match self.byte() {
            KEY_NODE => self.node(),
            KEY_TEXT => Node::string(self.text()),
            word => Node::string(words::WORDS[usize::from(word)]),
        }
    }

    /// Looks at a node without making one.
    pub fn glance(mut self) -> Glance<'a> {
        let first = self.skip_head();
        Glance {
            first,
            content: self,
        }
    }

    fn skip_head(&mut self) -> u8 {
        let (first, details) = self.head();
        if details & HAS_NAMES != 0 {
            let _ = (self.optional(), self.optional());
        }
        if details & HAS_COMMENTS != 0 {
            let _ = [self.text(), self.text(), self.text()];
        }
        if details & HAS_MARK != 0 {
            self.bytes(8);
        }
        if details & HAS_NUMBER != 0 {
            self.number();
        }
        first
    }

    /// Goes behind a node.
    fn skip(&mut self) {
        let first = self.skip_head();
        match first & KIND {
            SEQUENCE => (0..self.number()).for_each(|_| self.skip()),
            MAPPING => (0..self.number()).for_each(|_| {
                self.key_text();
                self.skip();
            }),
            _ => self.skip_content(first),
        }
    }

    fn skip_content(&mut self, first: u8) {
        let length = if first & IS_WORD == 0 {
            self.number()
        } else {
            1
        };
        self.bytes(length);
    }

    /// Reads what [`write_word`] has written; `None` for [`SAME`].
    pub fn word(&mut self) -> Option<&'a str> {
        if self.rest.first() == Some(&SAME) {
            self.byte();
            return None;
        }
        self.key_text()
    }

    /// Reads a key; its text where it is a scalar.
    fn key_text(&mut self) -> Option<&'a str> {
        match self.byte() {
            KEY_NODE => {
                let key = self.glance();
                self.skip();
                (key.first & KIND == SCALAR).then(|| key.text())
            }
            KEY_TEXT => Some(self.text()),
            word => Some(words::WORDS[usize::from(word)]),
        }
    }
}

/// A node that was looked at without being made.
pub(super) struct Glance<'a> {
    first: u8,
    content: Reader<'a>,
}

impl<'a> Glance<'a> {
    /// Tells whether the node is a null, an empty map or an empty list.
    pub fn is_empty(&self) -> bool {
        let kind = self.first & KIND;
        let is_collection = kind == SEQUENCE || kind == MAPPING;
        let is_null = (self.first >> TAG_SHIFT) & TAG == tag_number(&Tag::Null);
        is_null || (is_collection && self.content.rest.first() == Some(&0))
    }

    /// Returns the text of a scalar, or "".
    pub fn text(&self) -> &'a str {
        let mut content = self.content;
        if self.first & KIND == SCALAR {
            content.content(self.first)
        } else {
            ""
        }
    }

    /// Returns the entries of a map; nothing for other nodes.
    pub fn entries(&self) -> impl Iterator<Item = (Option<&'a str>, Reader<'a>)> + use<'a> {
        let mut at = self.content;
        let is_mapping = self.first & KIND == MAPPING;
        let count = if is_mapping { at.number() } else { 0 };
        (0..count).map(move |index| {
            if index > 0 {
                at.skip();
            }
            (at.key_text(), at)
        })
    }
}

//! Tokens into node trees, by libyaml's grammar.
//!
//! Anchors, aliases and merge keys stay in the tree. Comments are attached as go-yaml v3 attaches them when
//! the options ask for it.

mod comments;
mod flow;

use foldhash::HashSet;

use comments::Pending;

use crate::scan::{Fault, Kind, Place, Scanner, Token};
use crate::{Comments, Dialect, Mark, Node, NodeValue, ReadError, ReadOptions, Style, Tag, Text};

type Compose<T> = Result<T, Box<Fault>>;

/// Prefix that `!!` stands for.
const CORE_PREFIX: &str = "tag:yaml.org,2002:";

/// One document of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its root.
    pub root: Node,
    /// Whether there was nothing between its borders but comments.
    pub empty: bool,
    /// Comment at the very top, separated from the content by an empty line.
    pub head: String,
    /// Comment below everything.
    pub foot: String,
}

/// Builds nodes from the tokens of one stream.
pub(crate) struct Composer<'a> {
    scanner: Scanner<'a>,
    dialect: Dialect,
    keep_comments: bool,
    max_depth: usize,
    depth: usize,
    /// Whether the next document may do without `---`.
    implicit: bool,
    directives: Vec<(Text, Box<str>)>,
    anchors: HashSet<Text>,
    pending: Pending,
    /// Items and entries of the open collections; a collection takes its own off the end, at its exact size.
    items: Vec<Node>,
    entries: Vec<(Node, Node)>,
}

/// Anchor and tag in front of a node.
#[derive(Default)]
struct Properties {
    anchor: Option<Text>,
    tag: Option<String>,
}

impl<'a> Composer<'a> {
    pub fn new(source: &'a str, options: &ReadOptions) -> Self {
        Self {
            scanner: Scanner::new(source, options),
            dialect: options.dialect,
            keep_comments: options.keep_comments,
            max_depth: options.max_depth,
            depth: 0,
            implicit: true,
            directives: Vec::new(),
            anchors: HashSet::default(),
            pending: Pending::default(),
            items: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Reads the next document; `None` at the end of the stream.
    pub fn document(&mut self) -> Result<Option<Document>, ReadError> {
        self.read_document().map_err(|fault| self.error_of(&fault))
    }

    fn read_document(&mut self) -> Compose<Option<Document>> {
        if self.implicit && self.peek_kind()? == Kind::StreamStart {
            self.scanner.next()?;
        }
        let Some((explicit, head)) = self.start_document()? else {
            return Ok(None);
        };
        let start = self.scanner.peek()?.start;
        let kind = self.peek_kind()?;
        let root = if explicit && starts_no_content(kind) {
            self.omitted(start)
        } else {
            self.node(true, false)?
        };
        let foot = self.end_document()?;
        let empty = root.tag == Tag::Implicit
            && root.anchor().is_none()
            && root.style == Style::Plain
            && root.as_str() == Some("");
        Ok(Some(Document {
            root,
            empty,
            head,
            foot,
        }))
    }

    /// Reads what precedes a document; tells whether `---` was there, and its head comment; `None` at the
    /// end of the stream.
    fn start_document(&mut self) -> Compose<Option<(bool, String)>> {
        let implicit = std::mem::replace(&mut self.implicit, false);
        if self.dialect == Dialect::V11 {
            self.anchors.clear();
        }
        let mut kind = self.peek_kind()?;
        while !implicit && kind == Kind::DocumentEnd {
            self.scanner.next()?;
            kind = self.peek_kind()?;
        }
        let explicit = matches!(
            kind,
            Kind::VersionDirective | Kind::TagDirective | Kind::DocumentStart
        );
        if kind == Kind::StreamEnd {
            return Ok(None);
        }
        if implicit && !explicit {
            self.directives.clear();
            return Ok(Some((false, self.pending.split_document_head())));
        }
        self.read_directives()?;
        if self.peek_kind()? != Kind::DocumentStart {
            let place = self.scanner.peek()?.start;
            return Err(grammar(
                "did not find expected <document start>",
                None,
                place,
            ));
        }
        self.scanner.next()?;
        Ok(Some((true, String::new())))
    }

    fn end_document(&mut self) -> Compose<String> {
        if self.peek_kind()? == Kind::DocumentEnd {
            self.scanner.next()?;
        }
        self.directives.clear();
        let mut comments = self.pending.take();
        if comments.foot.is_empty() {
            comments.foot = std::mem::take(&mut comments.head);
        }
        Ok(comments.foot)
    }

    fn read_directives(&mut self) -> Compose<()> {
        let mut versions = 0;
        loop {
            let token = match self.peek_kind()? {
                Kind::VersionDirective | Kind::TagDirective => self.scanner.next()?,
                _ => return Ok(()),
            };
            if token.kind == Kind::TagDirective {
                if self
                    .directives
                    .iter()
                    .any(|(handle, _)| *handle == token.text)
                {
                    return Err(grammar("found duplicate %TAG directive", None, token.start));
                }
                self.directives
                    .push((token.text, token.suffix.unwrap_or_default()));
                continue;
            }
            versions += 1;
            if versions > 1 {
                return Err(grammar(
                    "found duplicate %YAML directive",
                    None,
                    token.start,
                ));
            }
            if token.text != "1.1" {
                return Err(grammar(
                    "found incompatible YAML document",
                    None,
                    token.start,
                ));
            }
        }
    }

    /// Looks at the next token and collects the comments in front of it.
    fn peek_kind(&mut self) -> Compose<Kind> {
        let (kind, at) = {
            let token = self.scanner.peek()?;
            (token.kind, token.start.at)
        };
        if self.keep_comments {
            self.pending.collect(&mut self.scanner.comments, kind, at);
        }
        Ok(kind)
    }

    /// Reads a node; `block` allows block collections, `indentless` lists at the indentation of their key.
    fn node(&mut self, block: bool, indentless: bool) -> Compose<Node> {
        self.depth += 1;
        if self.depth > self.max_depth {
            let place = self.scanner.peek()?.start;
            let problem = format!("exceeded max depth of {}", self.max_depth);
            return Err(grammar(&problem, None, place));
        }
        let node = self.node_inside(block, indentless);
        self.depth -= 1;
        node
    }

    fn node_inside(&mut self, block: bool, indentless: bool) -> Compose<Node> {
        if self.peek_kind()? == Kind::Alias {
            return self.alias();
        }
        let start = self.scanner.peek()?.start;
        let properties = self.properties(start)?;
        let kind = self.peek_kind()?;
        let node = match kind {
            Kind::BlockEntry if !indentless => None,
            Kind::BlockSequenceStart | Kind::BlockMappingStart if !block => None,
            _ => self.content(kind, start),
        };
        match node {
            Some(node) => node.map(|node| properties.apply(node, self.dialect)),
            None if properties.is_empty() => {
                let place = self.scanner.peek()?.start;
                Err(grammar(
                    "did not find expected node content",
                    Some(start),
                    place,
                ))
            }
            None => Ok(properties.apply(self.omitted(start), self.dialect)),
        }
    }

    /// Reads what a token of this kind starts; `None` where it starts no content.
    ///
    /// The arms hand results through untouched, which keeps the stack of deep documents small.
    fn content(&mut self, kind: Kind, start: Place) -> Option<Compose<Node>> {
        Some(match kind {
            Kind::BlockEntry => self.indentless_sequence(start),
            Kind::Scalar => self.scalar(start),
            Kind::FlowSequenceStart => self.flow_sequence(start),
            Kind::FlowMappingStart => self.flow_mapping(start),
            Kind::BlockSequenceStart => self.block_sequence(start),
            Kind::BlockMappingStart => self.block_mapping(start),
            _ => return None,
        })
    }

    fn alias(&mut self) -> Compose<Node> {
        let comments = self.pending.take_boxed();
        let token = self.scanner.next()?;
        if !self.anchors.contains(&token.text) {
            let problem = format!("unknown anchor '{}' referenced", token.text);
            return Err(grammar(&problem, None, Place::default()));
        }
        let mut node = node_at(NodeValue::Alias(token.text), Tag::Implicit, token.start);
        node.comments = comments;
        Ok(node)
    }

    /// Reads an anchor and a tag in either order; the anchor is known to aliases from here on.
    fn properties(&mut self, start: Place) -> Compose<Properties> {
        let mut found = Properties::default();
        let mut tag = None;
        let first = self.peek_kind()?;
        if !matches!(first, Kind::Anchor | Kind::Tag) {
            return Ok(found);
        }
        for _ in 0..2 {
            match self.peek_kind()? {
                Kind::Anchor if found.anchor.is_none() => {
                    let token = self.scanner.next()?;
                    self.anchors.insert(token.text.clone());
                    found.anchor = Some(token.text);
                }
                Kind::Tag if tag.is_none() => tag = Some(self.scanner.next()?),
                _ => break,
            }
        }
        self.peek_kind()?;
        if let Some(token) = tag {
            found.tag = Some(self.expand_tag(&token, start)?);
        }
        Ok(found)
    }

    /// Spells out a tag by the directives; core tags come back as `!!name`.
    fn expand_tag(&self, token: &Token, start: Place) -> Compose<String> {
        let suffix = token.suffix.as_deref().unwrap_or("");
        let prefix = match token.text.as_str() {
            "" => "",
            handle => {
                let known = self.directives.iter().find(|(name, _)| name == handle);
                match (known, handle) {
                    (Some((_, prefix)), _) => prefix,
                    (None, "!") => "!",
                    (None, "!!") => CORE_PREFIX,
                    (None, _) => {
                        return Err(grammar(
                            "found undefined tag handle",
                            Some(start),
                            token.start,
                        ));
                    }
                }
            }
        };
        let long = format!("{prefix}{suffix}");
        Ok(match long.strip_prefix(CORE_PREFIX) {
            Some(name) => format!("!!{name}"),
            None => long,
        })
    }

    fn scalar(&mut self, start: Place) -> Compose<Node> {
        let comments = self.pending.take_boxed();
        let token = self.scanner.next()?;
        let tag = if token.style == Style::Plain && token.text == "<<" {
            Tag::Merge
        } else {
            Tag::Implicit
        };
        let mut node = node_at(NodeValue::Scalar(token.text), tag, start);
        node.style = token.style;
        node.comments = comments;
        Ok(node)
    }

    /// Makes the empty scalar that stands for something omitted.
    fn omitted(&self, place: Place) -> Node {
        node_at(NodeValue::Scalar(Text::const_new("")), Tag::Implicit, place)
    }

    fn block_sequence(&mut self, start: Place) -> Compose<Node> {
        let head = self.pending.take_stem();
        let context = self.scanner.next()?.start;
        let base = self.items.len();
        loop {
            match self.peek_kind()? {
                Kind::BlockEntry => {
                    let item = self
                        .sequence_item(|kind| matches!(kind, Kind::BlockEntry | Kind::BlockEnd))?;
                    self.items.push(item);
                }
                Kind::BlockEnd => break,
                _ => {
                    let place = self.scanner.peek()?.start;
                    return Err(grammar(
                        "did not find expected '-' indicator",
                        Some(context),
                        place,
                    ));
                }
            }
        }
        self.scanner.next()?;
        let items = self.items.drain(base..).collect();
        let mut node = node_at(NodeValue::Sequence(items), Tag::Implicit, start);
        comments::set_head(&mut node, head);
        Ok(node)
    }

    fn indentless_sequence(&mut self, start: Place) -> Compose<Node> {
        let base = self.items.len();
        while self.peek_kind()? == Kind::BlockEntry {
            let item = self.sequence_item(|kind| {
                matches!(
                    kind,
                    Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd
                )
            })?;
            self.items.push(item);
        }
        let items = self.items.drain(base..).collect();
        Ok(node_at(NodeValue::Sequence(items), Tag::Implicit, start))
    }

    /// Reads `-` and what follows it, unless that belongs to the surroundings already.
    fn sequence_item(&mut self, ends: fn(Kind) -> bool) -> Compose<Node> {
        let prior = self.pending.head_length();
        let dash = self.scanner.next()?.end();
        let kind = self.peek_kind()?;
        self.pending.split_stem(prior, kind);
        if ends(kind) {
            return Ok(self.omitted(dash));
        }
        self.node(true, false)
    }

    fn block_mapping(&mut self, start: Place) -> Compose<Node> {
        let head = self.pending.take_stem();
        let context = self.scanner.next()?.start;
        let base = self.entries.len();
        loop {
            match self.peek_kind()? {
                Kind::Key => {
                    let key = self.block_key()?;
                    self.push_entry(base, key)?;
                }
                Kind::BlockEnd => break,
                _ => {
                    let place = self.scanner.peek()?.start;
                    return Err(grammar("did not find expected key", Some(context), place));
                }
            }
        }
        let closing = self.pending.take();
        self.scanner.next()?;
        let entries = self.entries.drain(base..).collect();
        let mut node = node_at(NodeValue::Mapping(entries), Tag::Implicit, start);
        comments::close_block_mapping(&mut node, closing);
        comments::set_head(&mut node, head);
        Ok(node)
    }

    fn push_entry(&mut self, base: usize, mut key: Node) -> Compose<()> {
        comments::move_foot_to_previous(&mut key, &mut self.entries[base..]);
        let mut value = self.block_value()?;
        comments::move_foot_to_key(&mut key, &mut value);
        self.entries.push((key, value));
        Ok(())
    }

    fn block_key(&mut self) -> Compose<Node> {
        let place = self.scanner.next()?.end();
        match self.peek_kind()? {
            Kind::Key | Kind::Value | Kind::BlockEnd => Ok(self.omitted(place)),
            _ => self.node(true, true),
        }
    }

    fn block_value(&mut self) -> Compose<Node> {
        if self.peek_kind()? != Kind::Value {
            let place = self.scanner.peek()?.start;
            return Ok(self.omitted(place));
        }
        let place = self.scanner.next()?.end();
        match self.peek_kind()? {
            Kind::Key | Kind::Value | Kind::BlockEnd => Ok(self.omitted(place)),
            _ => self.node(true, true),
        }
    }

    /// Words a fault as this dialect's go-yaml does.
    fn error_of(&self, fault: &Fault) -> ReadError {
        let bump = |line: u32| if fault.lexical { line + 1 } else { line };
        let context = fault.context.map_or(0, |place| place.line);
        let problem = fault.place.line;
        let line = match self.dialect {
            Dialect::V3 if context != 0 => bump(context),
            Dialect::V3 if problem != 0 => bump(problem),
            Dialect::V11 if problem != 0 => bump(problem),
            Dialect::V11 => context,
            Dialect::V3 => 0,
        };
        let message = match line {
            0 => fault.problem.clone(),
            line => format!("line {line}: {}", fault.problem),
        };
        ReadError::new(message, mark_of(fault.place))
    }
}

impl Properties {
    fn is_empty(&self) -> bool {
        self.anchor.is_none() && self.tag.is_none()
    }

    fn apply(self, mut node: Node, dialect: Dialect) -> Node {
        node.set_anchor(self.anchor);
        match self.tag.as_deref() {
            None => {}
            // The tag that names nothing makes text of a scalar in go-yaml v2 only.
            Some("!") if dialect == Dialect::V11 && node.as_str().is_some() => node.tag = Tag::Str,
            Some("!") => {}
            Some(tag) => {
                node.tag = tag_named(tag);
                if node.tag == Tag::Custom {
                    node.names.get_or_insert_default().tag = Some(Text::from(tag));
                }
                node.tagged = true;
            }
        }
        node
    }
}

fn starts_no_content(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::VersionDirective
            | Kind::TagDirective
            | Kind::DocumentStart
            | Kind::DocumentEnd
            | Kind::StreamEnd
    )
}

/// Finds the tag for its short form.
pub(crate) fn tag_named(short: &str) -> Tag {
    match short {
        "!!str" => Tag::Str,
        "!!int" => Tag::Int,
        "!!float" => Tag::Float,
        "!!bool" => Tag::Bool,
        "!!null" => Tag::Null,
        "!!binary" => Tag::Binary,
        "!!timestamp" => Tag::Timestamp,
        "!!merge" => Tag::Merge,
        "!!map" => Tag::Map,
        "!!seq" => Tag::Seq,
        _ => Tag::Custom,
    }
}

fn node_at(value: NodeValue, tag: Tag, place: Place) -> Node {
    let mut node = Node::new(value, tag);
    node.mark = mark_of(place);
    node
}

fn mark_of(place: Place) -> Mark {
    Mark {
        line: place.line + 1,
        column: place.column + 1,
    }
}

#[cold]
fn grammar(problem: &str, context: Option<Place>, place: Place) -> Box<Fault> {
    Box::new(Fault {
        problem: problem.to_owned(),
        place,
        context,
        lexical: false,
    })
}

/// Comments with nothing in them are not kept.
fn boxed(comments: Comments) -> Option<Box<Comments>> {
    (comments != Comments::default()).then(|| Box::new(comments))
}

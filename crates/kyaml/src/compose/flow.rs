//! Flow collections: `[…]` and `{…}`.

use super::{Compose, Composer, boxed, comments, grammar, node_at};
use crate::scan::{Kind, Place};
use crate::{Node, NodeValue, Style, Tag};

impl Composer<'_> {
    pub(super) fn flow_sequence(&mut self, start: Place) -> Compose<Node> {
        let opening = self.pending.take();
        let context = self.scanner.next()?.start;
        let base = self.items.len();
        loop {
            let mut kind = self.peek_kind()?;
            if kind == Kind::FlowSequenceEnd {
                break;
            }
            if self.items.len() > base {
                kind = self.flow_entry(kind, context, "did not find expected ',' or ']'")?;
            }
            match kind {
                Kind::Key => {
                    let pair = self.flow_pair()?;
                    self.items.push(pair);
                }
                Kind::FlowSequenceEnd => break,
                _ => {
                    let item = self.node(false, false)?;
                    self.items.push(item);
                }
            }
        }
        let closing = self.pending.take();
        self.scanner.next()?;
        let items = self.items.drain(base..).collect();
        let mut node = node_at(NodeValue::Sequence(items), Tag::Implicit, start);
        node.style = Style::Flow;
        node.comments = boxed(comments::of_flow(opening, closing));
        Ok(node)
    }

    /// Consumes the comma between entries; returns the kind of what follows.
    fn flow_entry(&mut self, kind: Kind, context: Place, problem: &str) -> Compose<Kind> {
        if kind != Kind::FlowEntry {
            let place = self.scanner.peek()?.start;
            return Err(grammar(problem, Some(context), place));
        }
        self.scanner.next()?;
        self.peek_kind()
    }

    /// Reads `key: value` as an item of a list: a mapping of one entry.
    fn flow_pair(&mut self) -> Compose<Node> {
        let token = self.scanner.next()?;
        let ends = |kind| matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd);
        let key = if ends(self.peek_kind()?) {
            // libyaml consumes the token that shows the key to be missing.
            let place = self.scanner.next()?.end();
            self.omitted(place)
        } else {
            self.node(false, false)?
        };
        let mut value = None;
        if self.peek_kind()? == Kind::Value {
            self.scanner.next()?;
            if !matches!(self.peek_kind()?, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                value = Some(self.node(false, false)?);
            }
        }
        let place = self.scanner.peek()?.start;
        let value = value.unwrap_or_else(|| self.omitted(place));
        let mut node = node_at(
            NodeValue::Mapping(vec![(key, value)]),
            Tag::Implicit,
            token.start,
        );
        node.style = Style::Flow;
        Ok(node)
    }

    pub(super) fn flow_mapping(&mut self, start: Place) -> Compose<Node> {
        let opening = self.pending.take();
        let context = self.scanner.next()?.start;
        let base = self.entries.len();
        loop {
            let mut kind = self.peek_kind()?;
            if kind == Kind::FlowMappingEnd {
                break;
            }
            if self.entries.len() > base {
                kind = self.flow_entry(kind, context, "did not find expected ',' or '}'")?;
            }
            match kind {
                Kind::FlowMappingEnd => break,
                Kind::Key => {
                    self.scanner.next()?;
                    let mut key = self.flow_key()?;
                    let mut value = self.flow_value()?;
                    comments::move_foot_to_key(&mut key, &mut value);
                    self.entries.push((key, value));
                }
                _ => {
                    let mut key = self.node(false, false)?;
                    self.peek_kind()?;
                    let place = self.scanner.peek()?.start;
                    let mut value = self.omitted(place);
                    comments::move_foot_to_key(&mut key, &mut value);
                    self.entries.push((key, value));
                }
            }
        }
        let closing = self.pending.take();
        self.scanner.next()?;
        let entries = self.entries.drain(base..).collect();
        let mut node = node_at(NodeValue::Mapping(entries), Tag::Implicit, start);
        node.style = Style::Flow;
        node.comments = boxed(comments::of_flow(opening, closing));
        Ok(node)
    }

    fn flow_key(&mut self) -> Compose<Node> {
        if matches!(
            self.peek_kind()?,
            Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd
        ) {
            let place = self.scanner.peek()?.start;
            return Ok(self.omitted(place));
        }
        self.node(false, false)
    }

    fn flow_value(&mut self) -> Compose<Node> {
        let place = self.scanner.peek()?.start;
        if self.peek_kind()? != Kind::Value {
            return Ok(self.omitted(place));
        }
        self.scanner.next()?;
        if matches!(self.peek_kind()?, Kind::FlowEntry | Kind::FlowMappingEnd) {
            let place = self.scanner.peek()?.start;
            return Ok(self.omitted(place));
        }
        self.node(false, false)
    }
}

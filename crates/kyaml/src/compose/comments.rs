//! Comments on their way from the scanner to the nodes.

use std::collections::VecDeque;

use super::boxed;
use crate::scan::{Comment, Kind};
use crate::{Comments, Node};

/// Comments read so far that no node has taken yet.
#[derive(Default)]
pub(super) struct Pending {
    comments: Comments,
    /// Head of a collection that is itself an item of a list.
    stem: Option<String>,
}

impl Pending {
    /// Takes over the comments in front of the token that starts at this offset.
    pub fn collect(&mut self, queue: &mut VecDeque<Comment>, kind: Kind, at: usize) {
        while let Some(comment) = queue.front().filter(|comment| at >= comment.token) {
            // An end carries no head; it waits for the token behind.
            if !comment.head.is_empty() && kind == Kind::BlockEnd {
                return;
            }
            join(&mut self.comments.head, &comment.head);
            join(&mut self.comments.foot, &comment.foot);
            join(&mut self.comments.line, &comment.line);
            queue.pop_front();
        }
    }

    /// Hands everything over to the node that starts or ends here.
    pub fn take(&mut self) -> Comments {
        self.stem = None;
        std::mem::take(&mut self.comments)
    }

    pub fn take_boxed(&mut self) -> Option<Box<Comments>> {
        boxed(self.take())
    }

    /// Takes the part of the head above its last empty line, which belongs to the document.
    pub fn split_document_head(&mut self) -> String {
        let head = &self.comments.head;
        let bytes = head.as_bytes();
        for index in (1..bytes.len()).rev() {
            if bytes[index] != b'\n' {
                continue;
            }
            let end = if index == bytes.len() - 1 {
                index
            } else if bytes[index - 1] == b'\n' {
                index - 1
            } else {
                continue;
            };
            let document = head[..end].to_owned();
            self.comments.head = head[index + 1..].to_owned();
            return document;
        }
        String::new()
    }

    pub fn head_length(&self) -> usize {
        self.comments.head.len()
    }

    /// Sets the head of a list item aside when a collection follows the dash: it describes the whole item.
    pub fn split_stem(&mut self, length: usize, kind: Kind) {
        if length == 0 || !matches!(kind, Kind::BlockSequenceStart | Kind::BlockMappingStart) {
            return;
        }
        let rest = self
            .comments
            .head
            .get(length + 1..)
            .unwrap_or("")
            .to_owned();
        self.comments.head.truncate(length);
        self.stem = Some(std::mem::replace(&mut self.comments.head, rest));
    }

    pub fn take_stem(&mut self) -> Option<String> {
        self.stem.take()
    }
}

fn join(target: &mut String, more: &str) {
    if more.is_empty() {
        return;
    }
    if !target.is_empty() {
        target.push('\n');
    }
    target.push_str(more);
}

/// Gives a collection its head comment.
pub(super) fn set_head(node: &mut Node, head: Option<String>) {
    if let Some(head) = head {
        node.comments.get_or_insert_default().head = head;
    }
}

/// Comments of a flow collection: the head in front of it, line and foot behind it.
pub(super) fn of_flow(opening: Comments, closing: Comments) -> Comments {
    Comments {
        head: opening.head,
        line: closing.line,
        foot: closing.foot,
    }
}

fn take_foot(node: &mut Node) -> Option<String> {
    let comments = node.comments.as_mut()?;
    let foot = std::mem::take(&mut comments.foot);
    if **comments == Comments::default() {
        node.comments = None;
    }
    Some(foot).filter(|foot| !foot.is_empty())
}

fn has_foot(node: &Node) -> bool {
    node.comments.as_ref().is_some_and(|c| !c.foot.is_empty())
}

/// A foot in front of a key describes the entry before it.
pub(super) fn move_foot_to_previous(key: &mut Node, entries: &mut [(Node, Node)]) {
    if let Some((previous, _)) = entries.last_mut()
        && let Some(foot) = take_foot(key)
    {
        previous.comments.get_or_insert_default().foot = foot;
    }
}

/// The foot of an entry is kept on its key, because the value may be a collection.
pub(super) fn move_foot_to_key(key: &mut Node, value: &mut Node) {
    if !has_foot(key)
        && let Some(foot) = take_foot(value)
    {
        key.comments.get_or_insert_default().foot = foot;
    }
}

/// Comments at the end of a block mapping: the foot belongs to its last key.
pub(super) fn close_block_mapping(node: &mut Node, closing: Comments) {
    let Comments { line, foot, .. } = closing;
    if !foot.is_empty() {
        match node.entries_mut().and_then(|entries| entries.last_mut()) {
            Some((key, _)) => key.comments.get_or_insert_default().foot = foot,
            None => node.comments.get_or_insert_default().foot = foot,
        }
    }
    if !line.is_empty() {
        node.comments.get_or_insert_default().line = line;
    }
}

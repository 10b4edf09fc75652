//! Flow collections of a tree.

use super::{Role, TreeWriter, is_simple_key, replace};
use crate::Node;

impl TreeWriter {
    /// Tells whether comments wait that must stand behind the comma of an entry.
    fn has_trailing_comments(&self) -> bool {
        let waiting = &self.waiting;
        !(waiting.line.is_empty() && waiting.foot.is_empty() && waiting.tail.is_empty())
    }

    /// Writes the comma in front of an entry, its head, and goes to its line.
    fn flow_entry_start(&mut self, comma: bool) {
        if comma {
            self.indicator(",", false, false, false);
        }
        self.write_head();
        if self.column == 0 {
            self.write_indent();
        }
    }

    /// Writes the comments behind an entry, after its comma; tells whether the comma is written.
    fn flow_entry_end(&mut self) -> bool {
        let trailing = self.has_trailing_comments();
        if trailing {
            self.indicator(",", false, false, false);
        }
        self.write_line();
        self.write_foot();
        trailing
    }

    pub(super) fn flow_sequence(&mut self, node: &Node, items: &[Node], role: Role) {
        self.indicator("[", true, true, false);
        let before = self.deepen(role, true, false);
        self.flow_level += 1;
        let mut comma = false;
        for item in items {
            self.take_comments(item);
            self.flow_entry_start(comma);
            // The comments of an entry that waits here decide where the next comma stands.
            let trailing = self.has_trailing_comments();
            self.node(item, Role::Item);
            self.flow_entry_end();
            comma = !trailing;
        }
        self.take_closing(node.comments.as_deref(), "");
        self.flow_level -= 1;
        self.indent = before;
        if self.column == 0 {
            self.write_indent();
        }
        self.indicator("]", false, false, false);
        self.write_line();
        self.write_foot();
    }

    pub(super) fn flow_mapping(&mut self, node: &Node, entries: &[(Node, Node)], role: Role) {
        self.indicator("{", true, true, false);
        let before = self.deepen(role, true, false);
        self.flow_level += 1;
        let mut comma = false;
        let mut tail = "";
        for (key, value) in entries {
            replace(&mut self.waiting.tail, tail);
            tail = self.take_key_comments(key);
            self.flow_entry_start(comma);
            if is_simple_key(key) {
                self.node(key, Role::SimpleKey);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, false);
                self.node(key, Role::Key);
                self.indicator(":", true, false, false);
            }
            self.take_comments(value);
            let trailing = self.has_trailing_comments();
            self.node(value, Role::Value);
            self.flow_entry_end();
            comma = !trailing;
        }
        self.close_flow_mapping(node, comma, tail);
        self.flow_level -= 1;
        self.indent = before;
        self.indicator("}", false, false, false);
        self.write_line();
        self.write_foot();
    }

    fn close_flow_mapping(&mut self, node: &Node, comma: bool, tail: &str) {
        self.take_closing(node.comments.as_deref(), tail);
        let waiting = &self.waiting;
        let comments =
            !(waiting.head.is_empty() && waiting.foot.is_empty() && waiting.tail.is_empty());
        if comments && comma {
            self.indicator(",", false, false, false);
        }
        self.write_head();
    }
}

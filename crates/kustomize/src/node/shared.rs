//! Scalars that upstream keeps in one node standing at several places of an object.
//!
//! When a step on labels or annotations adds the same entry to several maps of an object, upstream adds one node
//! to all of them, and whatever is later written into it shows at all its places: an overlay that changes a label
//! of `metadata` changes selector and pod template with it. Here each place has its own node, and those that are
//! one for upstream carry the same number, in a part of their position that nodes of the engine's making do not use.

use kyaml::{Mark, Node, NodeValue};

/// A node that stands at several places.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shared {
    /// Number that the nodes carry, from 1.
    pub number: u32,
    /// What was written into it last.
    pub value: Node,
}

/// Returns the number of a node that stands at several places, or 0.
pub(crate) fn number_of(node: &Node) -> u32 {
    if node.mark.line == 0 {
        node.mark.column
    } else {
        0
    }
}

/// Gives a node a number; 0 makes it stand for itself.
pub(crate) fn set_number(node: &mut Node, number: u32) {
    node.mark = Mark {
        line: 0,
        column: number,
    };
}

/// Writes a value into a node, which keeps its style and its number.
pub(crate) fn overwrite(target: &mut Node, mut value: Node) {
    value.style = target.style;
    value.tagged = target.tagged;
    keep_number(target, &mut value);
    *target = value;
}

/// Lets a node take the number of the one in whose place it comes.
pub(crate) fn keep_number(old: &Node, new: &mut Node) {
    let number = number_of(old);
    if number != 0 || number_of(new) != 0 {
        set_number(new, number);
    }
}

/// Makes all nodes of a tree stand for themselves.
pub(crate) fn separate(node: &mut Node) {
    visit(node, &mut |node| set_number(node, 0));
}

/// Shows at all places what was written at one of them.
pub(crate) fn settle(root: &mut Node, shared: &mut Vec<Shared>) {
    shared.retain_mut(|shared| {
        let mut written = None;
        let mut places = 0;
        visit(root, &mut |node| {
            if number_of(node) == shared.number {
                places += 1;
                if !same_content(node, &shared.value) {
                    written = Some(node.clone());
                }
            }
        });
        if let Some(written) = written {
            visit(root, &mut |node| {
                if number_of(node) == shared.number {
                    *node = written.clone();
                }
            });
            shared.value = written;
        }
        places > 1
    });
}

fn same_content(left: &Node, right: &Node) -> bool {
    left.value == right.value && left.tag == right.tag && left.style == right.style
}

/// Calls a function on every value that has a number.
fn visit(node: &mut Node, found: &mut dyn FnMut(&mut Node)) {
    match &mut node.value {
        NodeValue::Mapping(entries) => {
            entries
                .iter_mut()
                .for_each(|(_, value)| visit(value, found));
        }
        NodeValue::Sequence(items) => items.iter_mut().for_each(|item| visit(item, found)),
        NodeValue::Scalar(_) | NodeValue::Alias(_) => {}
    }
    if number_of(node) != 0 {
        found(node);
    }
}

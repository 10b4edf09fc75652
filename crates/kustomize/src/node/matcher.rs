//! Finding of target fields for replacements: a path whose steps may match many nodes, and may be made.
//!
//! `[k=v]` matches list elements by a regular expression on the value, `*` every element, a number one
//! element. With `create`, missing fields are made, a missing element of `[k=v]` is added, and the index
//! just past the end appends. A path that goes on inside a scalar looks into the YAML it holds; writing
//! there has no effect on the scalar.

use gocompat::regexp::Regexp;
use kyaml::{Node, NodeValue};

use super::lookup::{ensure, field};
use super::{
    Kind, empty, index_of, is_element_step, is_null, kind, kind_before, split_element_step,
};
use crate::error::{BuildError, Result, fail};

/// A search through one object.
pub(crate) struct Matcher<'a> {
    /// Kind of the value to write, when missing steps are to be made.
    pub create: Option<Kind>,
    /// Called with every field found.
    pub found: &'a mut dyn FnMut(&mut Node) -> Result<()>,
    /// Number of fields found.
    pub count: usize,
}

impl Matcher<'_> {
    /// Visits every field that the path means.
    pub fn visit(&mut self, node: &mut Node, path: &[String]) -> Result<()> {
        let Some((step, rest)) = path.split_first() else {
            self.count += 1;
            return (self.found)(node);
        };
        if let Some(index) = index_of(step).and_then(|index| usize::try_from(index).ok()) {
            return self.index(node, index, step, rest);
        }
        if is_element_step(step) {
            return self.elements(node, step, rest, true);
        }
        if step == "*" {
            ensure(node, Kind::Sequence)?;
            return self.each(node, rest);
        }
        self.field(node, step, rest)
    }

    fn each(&mut self, node: &mut Node, rest: &[String]) -> Result<()> {
        let items = node.items_mut().map(Vec::as_mut_slice).unwrap_or_default();
        items.iter_mut().try_for_each(|item| self.visit(item, rest))
    }

    fn field(&mut self, node: &mut Node, name: &str, rest: &[String]) -> Result<()> {
        let there = field(node, name)?.is_some();
        if !there {
            let Some(last) = self.create.filter(|_| !is_null(node)) else {
                return Ok(());
            };
            let kind = kind_before(rest.first().map(String::as_str), last);
            if let Some(entries) = node.entries_mut() {
                entries.push((Node::plain(name), empty(kind)));
            }
        }
        let Some(value) = node.get_mut(name) else {
            return Ok(());
        };
        if kind(value) == Kind::Scalar && !rest.is_empty() {
            return self.inside_scalar(value, rest);
        }
        self.visit(value, rest)
    }

    fn inside_scalar(&mut self, scalar: &Node, rest: &[String]) -> Result<()> {
        let mut parsed = crate::reading::parse_embedded(super::text(scalar))?;
        self.visit(&mut parsed, rest)
    }

    fn index(&mut self, node: &mut Node, index: usize, step: &str, rest: &[String]) -> Result<()> {
        ensure(node, Kind::Sequence)?;
        let count = node.items().map_or(0, <[Node]>::len);
        if let Some(last) = self.create.filter(|_| count == index) {
            let kind = kind_before(rest.first().map(String::as_str), last);
            let Some(items) = node.items_mut() else {
                fail!("failed to append element for {step:?}");
            };
            items.push(empty(kind));
        }
        match node.items_mut().and_then(|items| items.get_mut(index)) {
            Some(item) => self.visit(item, rest),
            None => {
                fail!("index {index} specified but only {count} elements found")
            }
        }
    }

    fn elements(
        &mut self,
        node: &mut Node,
        step: &str,
        rest: &[String],
        may_add: bool,
    ) -> Result<()> {
        let Some((name, pattern)) = split_element_step(step) else {
            fail!("list path element must contain fieldName=fieldValue for element to match");
        };
        ensure(node, Kind::Sequence)?;
        let regex = Regexp::new(pattern).map_err(|e| BuildError::new(e.to_string()))?;
        let before = self.count;
        let items = node.items_mut().map(Vec::as_mut_slice).unwrap_or_default();
        for item in items {
            if name.is_empty() {
                if regex.is_match(crate::emission::node_text(item).trim().as_bytes()) {
                    self.count += 1;
                    (self.found)(item)?;
                }
            } else if matches_field(item, name, &regex) {
                self.visit(item, rest)?;
            }
        }
        if self.create.is_none() || self.count > before || !may_add {
            return Ok(());
        }
        let added = if name.is_empty() {
            Node::plain(pattern)
        } else {
            let mut map = Node::mapping();
            map.value = NodeValue::Mapping(vec![(Node::plain(name), Node::plain(pattern))]);
            map
        };
        if let Some(items) = node.items_mut() {
            items.push(added);
        }
        self.elements(node, step, rest, false)
    }
}

fn matches_field(item: &Node, name: &str, regex: &Regexp) -> bool {
    let value = item.get(name);
    value.is_some_and(|value| regex.is_match(crate::emission::node_text(value).trim().as_bytes()))
}

//! The fields that a field specification means: a path through maps and, element by element, through lists.
//!
//! A missing step is made only where the specification says so, and never at a step marked `[]`.

use kyaml::{Node, NodeValue, Tag};

use super::lookup::{ensure, field};
use super::set::{field_or_make, fill_null};
use super::{Kind, index_of, is_element_step, is_null, split_path};
use crate::config::FieldSpec;
use crate::error::{BuildError, Result, fail};
use crate::id::Gvk;

/// What a missing last step becomes.
#[derive(Clone, Copy)]
pub(crate) struct Create {
    pub kind: Kind,
    /// Tag that a null turned into this kind gets.
    pub tag: fn() -> Tag,
}

/// A specification with its path taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub spec: FieldSpec,
    pub path: Vec<String>,
}

impl Spec {
    pub fn new(spec: &FieldSpec) -> Self {
        Self {
            spec: spec.clone(),
            path: split_path(&spec.path, '/'),
        }
    }

    pub fn all(specs: &[FieldSpec]) -> Vec<Self> {
        specs.iter().map(Self::new).collect()
    }

    /// Calls `set` on every field meant in an object of this kind.
    pub fn visit(
        &self,
        node: &mut Node,
        gvk: &Gvk,
        create: Option<Create>,
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        if !self.spec.matches(gvk) {
            return Ok(());
        }
        let create = create.filter(|_| self.spec.create);
        let visit = Visit { create };
        match visit.step(node, &self.path, set) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.wrap(format!(
                "considering field '{}' of object {}",
                self.spec.path,
                crate::resource::literal_id(node)
            ))),
        }
    }
}

struct Visit {
    create: Option<Create>,
}

impl Visit {
    fn step(
        &self,
        node: &mut Node,
        path: &[String],
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        let Some((name, rest)) = path.split_first() else {
            return set(node);
        };
        if is_null(node) {
            return Ok(());
        }
        match &mut node.value {
            NodeValue::Sequence(items) => items
                .iter_mut()
                .try_for_each(|item| self.step(item, path, set))
                .map_err(|error| in_list(error, path)),
            NodeValue::Mapping(_) => self.field(node, name, rest, set),
            _ => Err(BuildError::new("expected sequence or mapping node")),
        }
    }

    fn field(
        &self,
        node: &mut Node,
        name: &str,
        rest: &[String],
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        let (name, is_list) = match name.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name.is_empty() {
            fail!("cannot set or create an empty field name");
        }
        if index_of(name).is_some() || name == "-" || is_element_step(name) {
            ensure(node, Kind::Sequence).map_err(|e| e.wrap(format!("fieldName: {name}")))?;
        }
        if name == "*" {
            fail!("fieldName: *: wildcard is not supported in PathGetter");
        }
        let make = match self.create {
            Some(create) if !is_list && rest.is_empty() => Some((create.kind, create.tag)),
            Some(_) if !is_list => Some((Kind::Mapping, map_tag as fn() -> Tag)),
            _ => None,
        };
        let found = match make {
            Some((kind, _)) => field_or_make(node, name, kind),
            None => field(node, name)
                .map(|found| found.is_some())
                .map(|there| if there { node.get_mut(name) } else { None }),
        };
        let found = found.map_err(|e| e.wrap(format!("fieldName: {name}")))?;
        let Some(found) = found else {
            return Ok(());
        };
        if is_null(found) {
            if let Some((kind, tag)) = make {
                fill_null(found, kind, tag());
            } else if is_list {
                fill_null(found, Kind::Sequence, Tag::Implicit);
            }
        }
        self.step(found, rest, set)
    }
}

fn map_tag() -> Tag {
    Tag::Map
}

fn in_list(error: BuildError, path: &[String]) -> BuildError {
    error.wrap(format!("visit traversal on path: [{}]", path.join(" ")))
}

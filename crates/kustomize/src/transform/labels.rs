//! `labels` and `commonLabels`: sets labels at every field of the specifications.

use std::collections::BTreeMap;

use super::Transformer;
use crate::config::FieldSpec;
use crate::error::Result;
use crate::node::Kind;
use crate::node::fieldspec::{Create, Spec};
use crate::node::set::set_field;
use crate::openapi::Schemas;
use crate::resmap::{ObjectStep, ResMap};
use crate::resource::Resource;
use kyaml::{Node, Tag};

/// Sets entries of maps; annotations work the same way.
pub(crate) struct Entries {
    entries: BTreeMap<String, String>,
    specs: Vec<Spec>,
}

impl Entries {
    pub fn new(entries: &BTreeMap<String, String>, specs: &[FieldSpec]) -> Self {
        Self {
            entries: entries.clone(),
            specs: Spec::all(specs),
        }
    }
}

impl ObjectStep for Entries {
    fn apply(&self, resource: &mut Resource, _: &Schemas) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let create = Create {
            kind: Kind::Mapping,
            tag: || Tag::Map,
        };
        let gvk = resource.gvk();
        for spec in &self.specs {
            spec.visit(&mut resource.node, &gvk, Some(create), &mut |map| {
                self.entries
                    .iter()
                    .try_for_each(|(key, value)| set_field(map, key, Node::string(value)))
            })?;
        }
        Ok(())
    }
}

impl Transformer for Entries {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        objects.each(&[self], schemas)
    }

    fn on_each(&self) -> Option<&dyn ObjectStep> {
        Some(self)
    }
}

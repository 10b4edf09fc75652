//! `labels` and `commonLabels`: sets labels at every field of the specifications.

use std::collections::BTreeMap;

use super::Transformer;
use crate::config::FieldSpec;
use crate::error::Result;
use crate::node::Kind;
use crate::node::fieldspec::{Create, Spec};
use crate::node::set::{guard, set_field};
use crate::node::shared::{Shared, set_number};
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

fn numbered(value: &str, number: u32) -> Node {
    let mut node = Node::string(value);
    set_number(&mut node, number);
    node
}

impl Entries {
    /// Notes the nodes that were added at several places.
    fn share(&self, resource: &mut Resource, added: &[usize]) {
        for (value, added) in self.entries.values().zip(added) {
            resource.shared_count += 1;
            if *added > 1 {
                let number = resource.shared_count;
                let mut value = numbered(value, number);
                guard(&mut value);
                resource.shared.push(Shared { number, value });
            }
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
        let mut added = vec![0; self.entries.len()];
        let numbers = resource.shared_count + 1..;
        for spec in &self.specs {
            spec.visit(&mut resource.node, &gvk, Some(create), &mut |map| {
                let entries = self.entries.iter().zip(&mut added).zip(numbers.clone());
                for (((key, value), added), number) in entries {
                    if map.get(key).is_none() {
                        *added += 1;
                    }
                    set_field(map, key, numbered(value, number))?;
                }
                Ok(())
            })?;
        }
        self.share(resource, &added);
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

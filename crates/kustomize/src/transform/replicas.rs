//! `replicas`: sets the number of replicas of the workloads with a name.

use kyaml::{Node, Tag};

use super::Transformer;
use crate::config::FieldSpec;
use crate::error::{Result, fail};
use crate::kustomization::Replica;
use crate::node::Kind;
use crate::node::fieldspec::{Create, Spec};
use crate::node::set::set_scalar;
use crate::openapi::Schemas;
use crate::resmap::ResMap;
use crate::resource::Resource;

/// Sets one workload's replicas.
pub(crate) struct Replicas {
    replica: Replica,
    specs: Vec<Spec>,
}

impl Replicas {
    pub fn new(replica: &Replica, specs: &[FieldSpec]) -> Self {
        Self {
            replica: replica.clone(),
            specs: Spec::all(specs),
        }
    }
}

impl Replicas {
    fn set(&self, spec: &Spec, resource: &mut Resource) -> Result<()> {
        let gvk = resource.gvk();
        let create = Create {
            kind: Kind::Scalar,
            tag: || Tag::Int,
        };
        spec.visit(&mut resource.node, &gvk, Some(create), &mut |node| {
            let mut count = Node::plain(self.replica.count.to_string());
            count.tag = Tag::Int;
            set_scalar(node, count)
        })
    }
}

impl Transformer for Replicas {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        let mut found = false;
        for spec in &self.specs {
            let selector = spec.spec.gvk();
            let matches = |id: &crate::id::ResId| {
                id.name == self.replica.name && id.gvk.is_selected(&selector)
            };
            let places = if selector.kind.is_empty() {
                objects.scan_any(schemas, matches)
            } else {
                let name = &self.replica.name;
                objects.matching_any(name, &selector.kind, schemas, matches)
            };
            for index in places {
                found = true;
                objects.edit(index, |resource| self.set(spec, resource))?;
            }
        }
        if found {
            return Ok(());
        }
        let kinds: Vec<String> = self
            .specs
            .iter()
            .map(|s| s.spec.gvk().to_string())
            .collect();
        fail!(
            "resource with name {} does not match a config with the following GVK [{}]",
            self.replica.name,
            kinds.join(" ")
        )
    }
}

//! `namePrefix` and `nameSuffix`: puts text before or after names, and records it for name references.

use kyaml::{Node, Tag};

use super::Transformer;
use crate::config::FieldSpec;
use crate::error::{Result, fail};
use crate::id::Gvk;
use crate::node::Kind;
use crate::node::fieldspec::{Create, Spec};
use crate::node::set::set_scalar;
use crate::node::text;
use crate::openapi::Schemas;
use crate::resmap::{ObjectStep, ResMap};
use crate::resource::Resource;

/// The field that is a name, as opposed to fields added by `configurations`.
const NAME_PATH: &str = "metadata/name";

/// On which side the text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    Behind,
}

/// Puts text on one side of names.
pub(crate) struct Affix {
    side: Side,
    text: String,
    specs: Vec<Spec>,
}

impl Affix {
    pub fn new(side: Side, text: &str, specs: &[FieldSpec]) -> Self {
        Self {
            side,
            text: text.to_owned(),
            specs: Spec::all(specs),
        }
    }

    /// As configured in a file, where the specifications must be given.
    pub fn configured(side: Side, text: &str, specs: Option<&[FieldSpec]>) -> Result<Self> {
        match specs {
            Some(specs) => Ok(Self::new(side, text, specs)),
            None => fail!("fieldSpecs is not expected to be nil"),
        }
    }

    fn rename(&self, resource: &mut Resource, schemas: &Schemas) -> Result<()> {
        let original = resource.original_gvk();
        if is_exempt(&original) {
            return Ok(());
        }
        for spec in &self.specs {
            if !original.is_selected(&spec.spec.gvk()) {
                continue;
            }
            if spec.spec.path == NAME_PATH {
                self.record(resource, schemas);
            }
            let gvk = resource.gvk();
            let create = Create {
                kind: Kind::Scalar,
                tag: || Tag::Str,
            };
            spec.visit(&mut resource.node, &gvk, Some(create), &mut |node| {
                set_scalar(node, Node::plain(self.affixed(text(node))))
            })?;
        }
        Ok(())
    }

    fn record(&self, resource: &mut Resource, schemas: &Schemas) {
        match self.side {
            Side::Before => resource.add_prefix(&self.text),
            Side::Behind => resource.add_suffix(&self.text),
        }
        if !self.text.is_empty() {
            resource.store_id(schemas);
        }
    }

    fn affixed(&self, name: &str) -> String {
        match self.side {
            Side::Before => format!("{}{name}", self.text),
            Side::Behind => format!("{name}{}", self.text),
        }
    }
}

/// Kinds whose names are not free.
fn is_exempt(gvk: &Gvk) -> bool {
    match gvk.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => gvk.group == "apiregistration.k8s.io",
        _ => false,
    }
}

impl ObjectStep for Affix {
    fn apply(&self, resource: &mut Resource, schemas: &Schemas) -> Result<()> {
        self.rename(resource, schemas)
    }
}

impl Transformer for Affix {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        objects.each(&[self], schemas)
    }

    fn on_each(&self) -> Option<&dyn ObjectStep> {
        Some(self)
    }
}

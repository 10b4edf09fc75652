//! The transformers: each a value with one method from objects to objects, in its own module.

pub(crate) mod affix;
pub(crate) mod annotations;
pub(crate) mod hash;
pub(crate) mod images;
pub(crate) mod json_patch;
pub(crate) mod labels;
pub(crate) mod namespace;
pub(crate) mod patch;
pub(crate) mod replacement;
pub(crate) mod replicas;
pub(crate) mod sort;
pub(crate) mod strategic;
pub(crate) mod value_add;

use crate::error::Result;
use crate::openapi::Schemas;
use crate::resmap::{ObjectStep, ResMap};

/// One step over all objects.
pub(crate) trait Transformer {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()>;

    /// Returns the step as one on each object for itself, where it is one: such steps run together.
    fn on_each(&self) -> Option<&dyn ObjectStep> {
        None
    }
}

//! ValueAddTransformer: writes one value into fields of many objects, as a whole or as a step of a file path.

use kyaml::Node;
use serde_json::Value;

use super::Transformer;
use super::namespace::{Namespace, Subjects};
use crate::decode::{decode_lenient, json_struct};
use crate::error::{Result, fail};
use crate::kustomization::Selector;
use crate::loader::Loader;
use crate::node::lookup::ensure;
use crate::node::set::{field_or_make, set_scalar};
use crate::node::{Kind, split_path, text};
use crate::openapi::Schemas;
use crate::resmap::ResMap;

json_struct! {
    /// Where the value goes.
    struct Target: "Target" {
        selector: Option<Selector> = "selector",
        field_path: String = "fieldPath",
        position: i64 = "filePathPosition",
    }
}

json_struct! {
    /// The configuration.
    struct Config: "ValueAddTransformerPlugin" {
        value: String = "value",
        targets: Vec<Target> = "targets",
        target_file_path: String = "targetFilePath",
    }
}

/// Adds a value.
pub(crate) struct ValueAdd {
    config: Config,
}

impl ValueAdd {
    pub fn new(loader: &Loader, config: Value) -> Result<Self> {
        let mut config: Config = decode_lenient(config)?;
        config.value = config.value.trim().to_owned();
        if config.value.is_empty() {
            config.value = filetree::base_name(loader.root()).to_owned();
        }
        if !config.target_file_path.is_empty() {
            let content = loader.load(&config.target_file_path)?;
            let more: Config = decode_lenient(crate::reading::yaml_to_json(&content)?)?;
            config.targets.extend(more.targets);
        }
        if config.targets.is_empty() {
            fail!("must specify at least one target");
        }
        for target in &config.targets {
            if target.field_path.is_empty() {
                fail!("fieldPath cannot be empty");
            }
            if target.position < 0 {
                let position = target.position;
                fail!("value of FilePathPosition ({position}) cannot be negative");
            }
        }
        Ok(Self { config })
    }

    fn add(&self, object: &mut Node, target: &Target) -> Result<()> {
        let steps = split_path(&target.field_path, '/');
        let mut at = object;
        for (index, step) in steps.iter().enumerate() {
            let make = if index + 1 == steps.len() {
                Kind::Scalar
            } else {
                Kind::Mapping
            };
            at = match field_or_make(at, step, make)? {
                Some(next) => next,
                None => return Ok(()),
            };
        }
        ensure(at, Kind::Scalar)?;
        let value = match usize::try_from(target.position) {
            Ok(position) if position > 0 => insert_step(text(at), position - 1, &self.config.value),
            _ => self.config.value.clone(),
        };
        set_scalar(at, Node::plain(value))
    }
}

/// Inserts a step into a file path, at the end where it is too short. A leading slash stays.
fn insert_step(path: &str, position: usize, step: &str) -> String {
    let (lead, rest) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path),
    };
    let mut steps: Vec<&str> = rest.split('/').filter(|step| !step.is_empty()).collect();
    steps.insert(position.min(steps.len()), step);
    format!("{lead}{}", steps.join("/"))
}

impl Transformer for ValueAdd {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        for target in &self.config.targets {
            let places = match &target.selector {
                None => (0..objects.len()).collect(),
                Some(selector) => crate::selector::select(objects, selector, schemas)?,
            };
            for index in places {
                objects.edit(index, |resource| {
                    if target.field_path != "metadata/namespace" {
                        return self.add(&mut resource.node, target);
                    }
                    let value = &self.config.value;
                    let setter = Namespace::new(value, &[], false, Subjects::default());
                    setter.set_in(resource, schemas)
                })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_into_paths() {
        for (path, position, expected) in [
            ("", 0, "PEACH"),
            ("/", 0, "/PEACH"),
            ("pie", 0, "PEACH/pie"),
            ("/raw", 5, "/raw/PEACH"),
            ("a/nice/warm/pie", 3, "a/nice/warm/PEACH/pie"),
        ] {
            assert_eq!(insert_step(path, position, "PEACH"), expected, "{path}");
        }
    }
}

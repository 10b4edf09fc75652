//! `images`: rewrites names, tags and digests of container images.
//!
//! Two passes run over each object: every list called `containers` or `initContainers` at any depth, then
//! the configured fields. The name to match is a regular expression.

use gocompat::regexp::Regexp;
use kyaml::{Node, NodeValue};

use super::Transformer;
use crate::config::FieldSpec;
use crate::error::Result;
use crate::kustomization::Image;
use crate::node::fieldspec::Spec;
use crate::node::lookup::{ensure, field};
use crate::node::set::set_scalar;
use crate::node::{Kind, text};
use crate::openapi::Schemas;
use crate::resmap::{ObjectStep, ResMap};
use crate::resource::Resource;

/// Rewrites one image.
pub(crate) struct Images {
    image: Image,
    /// Nothing matches where the name is no regular expression.
    pattern: Option<Regexp>,
    specs: Vec<Spec>,
}

impl Images {
    pub fn new(image: &Image, specs: &[FieldSpec]) -> Self {
        let tag = "(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$";
        Self {
            pattern: Regexp::new(&format!("^{}{tag}", image.name)).ok(),
            image: image.clone(),
            specs: Spec::all(specs),
        }
    }

    fn update(&self, node: &mut Node) -> Result<()> {
        ensure(node, Kind::Scalar)?;
        let old = text(node);
        if !self
            .pattern
            .as_ref()
            .is_some_and(|p| p.is_match(old.as_bytes()))
        {
            return Ok(());
        }
        let new = self.rewritten(old);
        set_scalar(node, Node::plain(new))
    }

    fn rewritten(&self, old: &str) -> String {
        let (name, tag, digest) = split(old);
        let wanted = &self.image;
        let name = if wanted.new_name.is_empty() {
            name
        } else {
            &wanted.new_name
        };
        let (tag, digest) = match (
            wanted.new_tag.is_empty(),
            wanted.digest.is_empty(),
            wanted.tag_suffix.is_empty(),
        ) {
            (false, _, _) => (wanted.new_tag.clone(), wanted.digest.as_str()),
            (true, false, _) => (String::new(), wanted.digest.as_str()),
            (true, true, false) => (format!("{tag}{}", wanted.tag_suffix), ""),
            (true, true, true) => (tag.to_owned(), digest),
        };
        let mut image = name.to_owned();
        for (separator, part) in [(':', tag.as_str()), ('@', digest)] {
            if !part.is_empty() {
                image.push(separator);
                image.push_str(part);
            }
        }
        image
    }

    /// Finds lists of containers at any depth.
    fn walk(&self, node: &mut Node) -> Result<()> {
        match &mut node.value {
            NodeValue::Mapping(entries) => {
                for (key, value) in entries {
                    self.walk(value)?;
                    if matches!(text(key), "containers" | "initContainers") {
                        self.containers(value)?;
                    }
                }
                Ok(())
            }
            NodeValue::Sequence(items) => items.iter_mut().try_for_each(|item| self.walk(item)),
            _ => Ok(()),
        }
    }

    fn containers(&self, node: &mut Node) -> Result<()> {
        for container in node.items_mut().into_iter().flatten() {
            if field(container, "image")?.is_some()
                && let Some(image) = container.get_mut("image")
            {
                self.update(image)?;
            }
        }
        Ok(())
    }
}

/// Splits an image into name, tag and digest; a registry's port is no tag.
fn split(image: &str) -> (&str, &str, &str) {
    let start = image.find('/').unwrap_or(0);
    let rest = &image[start..];
    let at = rest.find('@').map(|i| i + start);
    let colon = rest.find(':').map(|i| i + start);
    match (colon, at) {
        (None, None) => (image, "", ""),
        (None, Some(at)) => (&image[..at], "", &image[at + 1..]),
        (Some(colon), Some(at)) if at < colon => (&image[..at], "", &image[at + 1..]),
        (Some(colon), Some(at)) => (&image[..colon], &image[colon + 1..at], &image[at + 1..]),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
    }
}

impl ObjectStep for Images {
    fn apply(&self, resource: &mut Resource, _: &Schemas) -> Result<()> {
        if resource.kind() == "CustomResourceDefinition" {
            return Ok(());
        }
        self.walk(&mut resource.node)?;
        let gvk = resource.gvk();
        self.specs.iter().try_for_each(|spec| {
            let node = &mut resource.node;
            spec.visit(node, &gvk, None, &mut |node| self.update(node))
        })
    }
}

impl Transformer for Images {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        objects.each(&[self], schemas)
    }

    fn on_each(&self) -> Option<&dyn ObjectStep> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, image: Image, new: &str) {
        let images = Images::new(&image, &[]);
        let mut node = Node::string(old);
        images.update(&mut node).unwrap();
        assert_eq!(text(&node), new, "{old}");
    }

    #[test]
    fn tags_and_digests_replace_each_other() {
        let image = |new_name: &str, new_tag: &str, digest: &str, tag_suffix: &str| Image {
            name: "nginx".into(),
            new_name: new_name.into(),
            new_tag: new_tag.into(),
            digest: digest.into(),
            tag_suffix: tag_suffix.into(),
        };
        check("nginx:1.0@sha256:aa", image("", "2", "", ""), "nginx:2");
        check(
            "nginx:1.0",
            image("", "", "sha256:bb", ""),
            "nginx@sha256:bb",
        );
        check("nginx:1.0", image("r:5000/x", "", "", ""), "r:5000/x:1.0");
        check("nginx", image("", "", "", "-dev"), "nginx:-dev");
        check("nginx-x:1.0", image("", "2", "", ""), "nginx-x:1.0");
    }

    #[test]
    fn ports_are_no_tags() {
        assert_eq!(split("host:5000/app"), ("host:5000/app", "", ""));
        assert_eq!(
            split("host:5000/app:1@sha256:x"),
            ("host:5000/app", "1", "sha256:x")
        );
    }
}

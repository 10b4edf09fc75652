//! `replacements`: copies a value from one object into fields of others.
//!
//! A target path may go on inside a string that holds YAML or JSON; that is tried before the ordinary path.

mod embedded;

use kyaml::{Node, NodeValue};

use super::Transformer;
use crate::error::{BuildError, Result, fail};
use crate::id::ResId;
use crate::kustomization::{FieldOptions, Replacement, SourceSelector, TargetSelector};
use crate::node::lookup::lookup;
use crate::node::matcher::Matcher as FieldMatcher;
use crate::node::{Kind, is_empty, kind, set_text, split_dotted, text, value_text};
use crate::openapi::Schemas;
use crate::packed::Packed;
use crate::resmap::ResMap;
use crate::selector::Matcher;

/// The field that is read or written where none is named.
const DEFAULT_FIELD: &str = "metadata.name";

/// All replacements of a kustomization, in order.
pub(crate) struct ReplacementList {
    replacements: Vec<Replacement>,
}

impl ReplacementList {
    pub fn new(replacements: Vec<Replacement>) -> Self {
        Self { replacements }
    }
}

impl Transformer for ReplacementList {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        for replacement in &self.replacements {
            let says_source = replacement.source.is_some() || replacement.source_value.is_some();
            let Some(targets) = replacement.targets.as_ref().filter(|_| says_source) else {
                fail!("replacements must specify a source and at least one target");
            };
            let value = source_value(replacement, objects, schemas)?;
            for target in targets {
                write(target, &value, objects)?;
            }
        }
        Ok(())
    }
}

/// Identities for selection: the present one, then the former ones.
fn ids(packed: &Packed) -> impl Iterator<Item = ResId> + '_ {
    let current = std::iter::once_with(|| packed.identity().literal_id());
    current.chain(packed.former_ids())
}

fn source_value(
    replacement: &Replacement,
    objects: &mut ResMap,
    schemas: &Schemas,
) -> Result<Node> {
    if replacement.source.is_some() && replacement.source_value.is_some() {
        fail!("value and resource selectors are mutually exclusive");
    }
    if let Some(value) = &replacement.source_value {
        return Ok(Node::plain(value.as_str()));
    }
    let Some(source) = &replacement.source else {
        fail!("replacements must specify a source and at least one target");
    };
    let index = source_place(source, objects, schemas)?;
    let resource = objects.get(index);
    let path = or_default(&source.field_path);
    let found = lookup(&resource.node, &split_dotted(path))
        .map_err(|error| error.wrap("error looking up replacement source"))?;
    let Some(found) = found.filter(|node| !is_empty(node)) else {
        let id = source.id();
        fail!("fieldPath `{path}` is missing for replacement source {id}");
    };
    let mut value = refined(source.options.as_ref(), found)?;
    crate::node::shared::separate(&mut value);
    Ok(value)
}

fn or_default(path: &str) -> &str {
    if path.is_empty() { DEFAULT_FIELD } else { path }
}

fn source_place(source: &SourceSelector, objects: &mut ResMap, schemas: &Schemas) -> Result<usize> {
    let selector = source.id();
    let found = if source.name.is_empty() || source.kind.is_empty() {
        let all = objects.list().iter().enumerate();
        let fitting = all.filter(|(_, r)| ids(r).any(|id| id.is_selected_by(&selector)));
        fitting.map(|(index, _)| index).collect()
    } else {
        let selected = |id: &ResId| {
            // Upstream does not know the scope here.
            let mut id = id.clone();
            id.cluster_scoped = false;
            id.is_selected_by(&selector)
        };
        objects.matching_any(&source.name, &source.kind, schemas, selected)
    };
    match found.as_slice() {
        [index] => Ok(*index),
        [] => fail!("nothing selected by {}", described(source)),
        _ => fail!("multiple matches for selector {}", described(source)),
    }
}

fn described(source: &SourceSelector) -> String {
    let mut parts = vec![source.id().to_string()];
    if !source.field_path.is_empty() {
        parts.push(source.field_path.clone());
    }
    let options = source.options.as_ref();
    if let Some(options) = options.filter(|o| !o.delimiter.is_empty() || o.create) {
        let FieldOptions {
            delimiter,
            index,
            create,
            ..
        } = options;
        parts.push(format!("{delimiter}({index}), create={create}"));
    }
    parts.join(":")
}

/// Takes a part of the source, where a delimiter is given.
fn refined(options: Option<&FieldOptions>, node: &Node) -> Result<Node> {
    let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else {
        return Ok(node.clone());
    };
    if kind(node) != Kind::Scalar {
        fail!("delimiter option can only be used with scalar nodes");
    }
    let value = value_text(Some(node));
    let mut parts = value.split(options.delimiter.as_str());
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|i| parts.nth(i));
    let Some(part) = part else {
        let index = options.index;
        fail!("options.index {index} is out of bounds for value {value}");
    };
    let mut copy = node.clone();
    set_text(&mut copy, part);
    Ok(copy)
}

fn write(target: &TargetSelector, value: &Node, objects: &mut ResMap) -> Result<()> {
    let Some(select) = &target.select else {
        fail!("target must specify resources to select");
    };
    let wrap = |error: BuildError| error.wrap("error creating target selector");
    let selects = Matcher::new(select).map_err(wrap)?;
    let rejects: Vec<Matcher> = target
        .reject
        .iter()
        .map(|selector| Matcher::new(selector).map_err(wrap))
        .collect::<Result<_>>()?;
    let mut paths: Vec<Vec<String>> = target.field_paths.iter().map(|p| split_dotted(p)).collect();
    let mut named = target.field_paths.clone();
    if paths.is_empty() {
        paths.push(split_dotted(DEFAULT_FIELD));
        named.push(DEFAULT_FIELD.to_owned());
    }
    for index in 0..objects.len() {
        if !is_target(&objects.list()[index], &selects, &rejects) {
            continue;
        }
        objects.edit(index, |resource| {
            let mut fields = paths.iter().zip(&named);
            let options = target.options.as_ref();
            fields.try_for_each(|(path, name)| {
                copy_to(&mut resource.node, value, path, name, options)
            })
        })?;
    }
    Ok(())
}

fn is_target(packed: &Packed, selects: &Matcher, rejects: &[Matcher]) -> bool {
    if !selects.fits_maps(packed) || !ids(packed).any(|id| selects.fits_id(&id)) {
        return false;
    }
    let by_maps = |reject: &Matcher| reject.has_map_selector() && reject.fits_maps(packed);
    let by_id =
        |reject: &Matcher| !reject.names_no_id() && ids(packed).any(|id| reject.fits_id(&id));
    !rejects
        .iter()
        .any(|reject| by_maps(reject) || by_id(reject))
}

fn copy_to(
    object: &mut Node,
    value: &Node,
    path: &[String],
    name: &str,
    options: Option<&FieldOptions>,
) -> Result<()> {
    let create = options
        .filter(|options| options.create)
        .map(|_| kind(value));
    if embedded::write(object, value, path, create) {
        return Ok(());
    }
    let verb = if create.is_some() {
        "find or create"
    } else {
        "find"
    };
    let not_found = || format!("unable to {verb} field {name:?} in replacement target");
    let mut write_error = None;
    let mut set = |field: &mut Node| {
        set_field_value(options, field, value).inspect_err(|error| {
            write_error = Some(error.clone());
        })
    };
    let mut matcher = FieldMatcher {
        create,
        found: &mut set,
        count: 0,
    };
    let outcome = matcher.visit(object, path);
    let count = matcher.count;
    if let Some(error) = write_error {
        return Err(error);
    }
    outcome.map_err(|error| error.wrap(not_found()))?;
    if count == 0 {
        return Err(BuildError::new(not_found()));
    }
    Ok(())
}

fn set_field_value(options: Option<&FieldOptions>, field: &mut Node, value: &Node) -> Result<()> {
    let mut written = value.clone();
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        if kind(field) != Kind::Scalar {
            fail!("delimiter option can only be used with scalar nodes");
        }
        let delimiter = options.delimiter.as_str();
        let mut parts: Vec<&str> = text(field).split(delimiter).collect();
        let part = value_text(Some(value));
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, part),
            Ok(index) if index >= parts.len() => parts.push(part),
            Ok(index) => parts[index] = part,
        }
        let joined = parts.join(delimiter);
        if matches!(written.value, NodeValue::Scalar(_)) {
            set_text(&mut written, &joined);
        } else {
            written = Node::plain(joined);
        }
    }
    put(field, &written);
    Ok(())
}

/// A scalar takes only the text and keeps its own tag and style; anything else is replaced.
fn put(field: &mut Node, value: &Node) {
    if kind(field) == Kind::Scalar {
        set_text(field, text(value));
    } else {
        *field = value.clone();
    }
}

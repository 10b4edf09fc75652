//! The whole of a build: accumulation, then what happens once at the end.

use std::io::Write;
use std::rc::Rc;

use filetree::FileTree;
use objects::{Map, Object};
use serde_json::Value;

use crate::config::{Config, FieldSpec};
use crate::error::{BuildError, Result};
use crate::loader::Loader;
use crate::name_reference;
use crate::openapi::Schemas;
use crate::options::{BuildOptions, Reorder};
use crate::packed::Packed;
use crate::resmap::{ObjectStep, ResMap};
use crate::resource::{LOCAL_CONFIG, ORIGIN, Resource, TRANSFORMATIONS};
use crate::target::{Accumulator, Target};
use crate::transform::Transformer as _;
use crate::transform::hash::Hash;
use crate::transform::labels::Entries;
use crate::transform::sort::Sort;

/// Text that is held back until the last object has been printed; what comes behind it is printed twice.
const HELD_BYTES: usize = 2 << 20;

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The objects that a build gave, in order.
#[derive(Clone, Debug, Default)]
pub struct Output {
    objects: Vec<Packed>,
    warnings: Vec<String>,
}

/// Builds the kustomization in a directory of a tree.
///
/// # Errors
/// Whatever keeps kustomize from building it, in kustomize's words, with file, line and the chain of
/// kustomizations where they are known.
pub fn build(tree: &dyn FileTree, dir: &str, options: &BuildOptions<'_>) -> Result<Output> {
    let loader = Loader::new(tree, dir, options)?;
    let warnings = Rc::clone(&loader.warnings);
    let outcome = build_from(loader, options);
    let warnings = warnings.take();
    match outcome {
        Ok(objects) => Ok(Output { objects, warnings }),
        Err(error) => Err(error.after(warnings)),
    }
}

fn build_from(loader: Loader<'_>, options: &BuildOptions<'_>) -> Result<Vec<Packed>> {
    let schemas = Schemas::default();
    let mut target = Target::load(loader, &schemas)?;
    target.set_schema()?;
    let Accumulator {
        mut objects,
        config,
        vars,
    } = target.accumulate_first()?;
    let config = config.unwrap_or_else(Config::built_in);
    Hash.transform(&mut objects, &schemas)?;
    name_reference::fix(&mut objects, &config, &schemas)?;
    vars.resolve(&mut objects, &config, &schemas)?;
    drop_local(&mut objects, &schemas)?;
    let kustomization = &target.kustomization;
    let sort = match (&kustomization.sort_options, options.reorder) {
        (Some(options), _) => Some(Sort::new(options)),
        (None, Reorder::Legacy) => Some(Sort::legacy()),
        (None, Reorder::None) => None,
    };
    if let Some(sort) = sort {
        sort.transform(&mut objects, &schemas)?;
    }
    let mut last: Vec<Box<dyn ObjectStep>> = Vec::new();
    if options.add_managedby_label || kustomization.builds_metadata("managedByLabel") {
        let label = [(
            MANAGED_BY.to_owned(),
            format!("kustomize-{}", options.version),
        )];
        let specs = [FieldSpec::everywhere("metadata/labels", true)];
        last.push(Box::new(Entries::new(&label.into(), &specs)));
    }
    last.push(Box::new(Finish {
        keep_origin: kustomization.builds_metadata("originAnnotations"),
        keep_transformations: kustomization.builds_metadata("transformerAnnotations"),
    }));
    let last: Vec<&dyn ObjectStep> = last.iter().map(Box::as_ref).collect();
    objects.each(&last, &schemas)?;
    Ok(objects.into_list())
}

/// Takes away what only the build needed.
struct Finish {
    keep_origin: bool,
    keep_transformations: bool,
}

impl ObjectStep for Finish {
    fn apply(&self, resource: &mut Resource, _: &Schemas) -> Result<()> {
        resource.remove_build_annotations()?;
        if !(self.keep_origin && self.keep_transformations) {
            resource.drop_empty_annotations();
        }
        if !self.keep_origin {
            drop_annotation(resource, ORIGIN)?;
        }
        if !self.keep_transformations {
            drop_annotation(resource, TRANSFORMATIONS)?;
        }
        // Annotations have become plain strings by now.
        crate::folded::reprint(&mut resource.node);
        resource.forget_notes();
        Ok(())
    }
}

fn drop_annotation(resource: &mut Resource, key: &str) -> Result<()> {
    if resource.annotation(key).is_some() {
        return resource.set_annotation(key, None);
    }
    Ok(())
}

/// Drops objects that are there only for the build, and checks that all others are still objects.
fn drop_local(objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
    let mut local = Vec::with_capacity(objects.len());
    for packed in objects.list() {
        let resource = packed.unpack();
        crate::reading::check_metadata(&resource.node)?;
        let value = resource.annotation(LOCAL_CONFIG);
        local.push(value.is_some_and(|value| value != "false"));
    }
    let mut local = local.into_iter();
    objects.retain(|_| local.next() != Some(true));
    objects.check_unique(schemas).map_err(|(_, second)| {
        let id = objects.current_id(second, schemas);
        BuildError::new(format!(
            "may not add resource with an already registered id: {id}"
        ))
    })
}

impl Output {
    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Returns what there is to tell though the build succeeded: deprecated fields, in upstream's words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Prints all objects as YAML documents, byte for byte as kustomize does.
    ///
    /// # Errors
    /// Values that JSON cannot hold, duplicate keys, keys that are no strings, control characters.
    pub fn to_yaml(&self) -> Result<String> {
        let mut out = String::new();
        for index in 0..self.len() {
            self.print(&mut out, index)?;
        }
        Ok(out)
    }

    /// Prints all objects as [`Output::to_yaml`] does, but without holding all of the text, and not before it
    /// is certain that each of them can be printed.
    ///
    /// # Errors
    /// As [`Output::to_yaml`], and then nothing was written; the inner ones are the writer's.
    pub fn write_yaml(&self, sink: &mut dyn Write) -> Result<std::io::Result<()>> {
        let mut held = String::new();
        let mut first_behind = 0;
        let mut scratch = String::new();
        for index in 0..self.len() {
            scratch.clear();
            self.print(&mut scratch, index)?;
            if first_behind == index && held.len() + scratch.len() <= HELD_BYTES {
                held.push_str(&scratch);
                first_behind = index + 1;
            }
        }
        Ok(self.write_parts(sink, &held, first_behind))
    }

    /// Writes what is printed already, and prints the rest a second time.
    fn write_parts(&self, sink: &mut dyn Write, held: &str, from: usize) -> std::io::Result<()> {
        sink.write_all(held.as_bytes())?;
        let mut scratch = String::new();
        for index in from..self.len() {
            scratch.clear();
            if self.print(&mut scratch, index).is_ok() {
                sink.write_all(scratch.as_bytes())?;
            }
        }
        Ok(())
    }

    fn print(&self, out: &mut String, index: usize) -> Result<()> {
        if index > 0 {
            out.push_str("---\n");
        }
        let resource = self.objects[index].unpack();
        crate::emission::print(out, &resource.node).map_err(|error| described(error, &resource))
    }

    /// Prints every object as a file of its own, named after its kind and name as kustomize names it; the
    /// namespace stands in front where there are several. Names may repeat.
    ///
    /// # Errors
    /// As [`Output::to_yaml`].
    pub fn files(&self) -> Result<Vec<(String, String)>> {
        let schemas = Schemas::default();
        let ids: Vec<_> = self
            .objects
            .iter()
            .map(|packed| packed.identity().id(&schemas))
            .collect();
        let mut namespaces: Vec<&str> = ids
            .iter()
            .filter(|id| !id.cluster_scoped)
            .map(|id| id.effective_namespace())
            .collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let file = |(packed, id): (&Packed, &crate::id::ResId)| {
            let mut text = String::new();
            let resource = packed.unpack();
            crate::emission::print(&mut text, &resource.node)
                .map_err(|error| described(error, &resource))?;
            let gvk = &id.gvk;
            let mut parts = Vec::new();
            if namespaces.len() > 1 && !id.cluster_scoped {
                parts.push(id.effective_namespace());
            }
            let named = [gvk.group.as_ref(), gvk.version.as_ref(), gvk.kind.as_ref()];
            parts.extend(named.into_iter().filter(|part: &&str| !part.is_empty()));
            parts.push(&id.name);
            Ok((format!("{}.yaml", parts.join("_").to_lowercase()), text))
        };
        self.objects.iter().zip(&ids).map(file).collect()
    }

    /// Returns all objects as values, in order.
    ///
    /// # Errors
    /// As [`Output::to_yaml`].
    pub fn objects(&self) -> Result<Vec<Object>> {
        let object = |packed: &Packed| {
            let resource = packed.unpack();
            match crate::emission::to_json(&resource.node) {
                Ok(Value::Object(map)) => Ok(Object(map)),
                Ok(_) => Ok(Object(Map::new())),
                Err(error) => Err(described(error, &resource)),
            }
        };
        self.objects.iter().map(object).collect()
    }
}

fn described(error: BuildError, resource: &Resource) -> BuildError {
    let id = crate::resource::literal_id(&resource.node);
    error.wrap(format!("{id}"))
}

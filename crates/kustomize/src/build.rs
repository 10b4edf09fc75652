//! The whole of a build: accumulation, then what happens once at the end.

use filetree::FileTree;
use objects::{Map, Object};
use serde_json::Value;

use crate::config::{Config, FieldSpec};
use crate::error::{BuildError, Result};
use crate::loader::Loader;
use crate::name_reference;
use crate::openapi::Schemas;
use crate::options::{BuildOptions, Reorder};
use crate::resmap::ResMap;
use crate::resource::{LOCAL_CONFIG, ORIGIN, Resource, TRANSFORMATIONS};
use crate::target::{Accumulator, Target};
use crate::transform::Transformer as _;
use crate::transform::hash::Hash;
use crate::transform::labels::Entries;
use crate::transform::sort::Sort;

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The objects that a build gave, in order.
#[derive(Clone, Debug, Default)]
pub struct Output {
    resources: Vec<Resource>,
}

/// Builds the kustomization in a directory of a tree.
///
/// # Errors
/// Whatever keeps kustomize from building it, in kustomize's words, with file, line and the chain of
/// kustomizations where they are known.
pub fn build(tree: &dyn FileTree, dir: &str, options: &BuildOptions<'_>) -> Result<Output> {
    let schemas = Schemas::default();
    let loader = Loader::new(tree, dir, options)?;
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
    vars.resolve(&mut objects, &config)?;
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
    if options.add_managedby_label || kustomization.builds_metadata("managedByLabel") {
        let label = [(
            MANAGED_BY.to_owned(),
            format!("kustomize-{}", options.version),
        )];
        let specs = [FieldSpec::everywhere("metadata/labels", true)];
        Entries::new(&label.into(), &specs).transform(&mut objects, &schemas)?;
    }
    let keep_origin = kustomization.builds_metadata("originAnnotations");
    let keep_transformations = kustomization.builds_metadata("transformerAnnotations");
    let mut resources = objects.into_resources();
    for resource in &mut resources {
        resource.remove_build_annotations()?;
        if !(keep_origin && keep_transformations) {
            resource.drop_empty_annotations();
        }
        if !keep_origin {
            drop_annotation(resource, ORIGIN)?;
        }
        if !keep_transformations {
            drop_annotation(resource, TRANSFORMATIONS)?;
        }
        // Annotations have become plain strings by now.
        crate::folded::reprint(&mut resource.node);
    }
    Ok(Output { resources })
}

fn drop_annotation(resource: &mut Resource, key: &str) -> Result<()> {
    if resource.annotation(key).is_some() {
        return resource.set_annotation(key, None);
    }
    Ok(())
}

/// Drops objects that are there only for the build, and checks that all others are still objects.
fn drop_local(objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
    for resource in objects.resources() {
        crate::reading::check_metadata(&resource.node)?;
    }
    let is_local = |resource: &Resource| {
        resource
            .annotation(LOCAL_CONFIG)
            .is_some_and(|value| value != "false")
    };
    if objects.resources().iter().any(is_local) {
        objects
            .resources_mut()
            .retain(|resource| !is_local(resource));
    }
    objects.check_unique(schemas).map_err(|(_, second)| {
        let id = objects.resources()[second].current_id(schemas);
        BuildError::new(format!(
            "may not add resource with an already registered id: {id}"
        ))
    })
}

impl Output {
    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Prints all objects as YAML documents, byte for byte as kustomize does.
    ///
    /// # Errors
    /// Values that JSON cannot hold, duplicate keys, keys that are no strings, control characters.
    pub fn to_yaml(&self) -> Result<String> {
        let mut out = String::new();
        for (index, resource) in self.resources.iter().enumerate() {
            if index > 0 {
                out.push_str("---\n");
            }
            crate::emission::print(&mut out, &resource.node)
                .map_err(|error| self.described(error, resource))?;
        }
        Ok(out)
    }

    /// Prints every object as a file of its own, named after its kind and name as kustomize names it; the
    /// namespace stands in front where there are several. Names may repeat.
    ///
    /// # Errors
    /// As [`Output::to_yaml`].
    pub fn files(&self) -> Result<Vec<(String, String)>> {
        let schemas = Schemas::default();
        let ids: Vec<_> = self
            .resources
            .iter()
            .map(|r| r.current_id(&schemas))
            .collect();
        let mut namespaces: Vec<&str> = ids
            .iter()
            .filter(|id| !id.cluster_scoped)
            .map(|id| id.effective_namespace())
            .collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let file = |(resource, id): (&Resource, &crate::id::ResId)| {
            let mut text = String::new();
            crate::emission::print(&mut text, &resource.node)
                .map_err(|error| self.described(error, resource))?;
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
        self.resources.iter().zip(&ids).map(file).collect()
    }

    /// Returns all objects as values, in order.
    ///
    /// # Errors
    /// As [`Output::to_yaml`].
    pub fn objects(&self) -> Result<Vec<Object>> {
        let object = |resource: &Resource| match crate::emission::to_json(&resource.node) {
            Ok(Value::Object(map)) => Ok(Object(map)),
            Ok(_) => Ok(Object(Map::new())),
            Err(error) => Err(self.described(error, resource)),
        };
        self.resources.iter().map(object).collect()
    }

    fn described(&self, error: BuildError, resource: &Resource) -> BuildError {
        let id = crate::resource::literal_id(&resource.node);
        error.wrap(format!("{id}"))
    }
}

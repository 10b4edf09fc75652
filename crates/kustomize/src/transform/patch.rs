//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.

use serde_json::Value;

use super::Transformer;
use super::json_patch::JsonPatch;
use super::strategic;
use crate::error::{BuildError, Result, fail};
use crate::kustomization::{PatchOptions, Selector};
use crate::loader::Loader;
use crate::openapi::Schemas;
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::selector::select;

/// One entry of `patches`.
pub(crate) struct PatchEntry {
    form: Form,
    target: Option<Selector>,
    source: String,
    /// File that holds the patch; empty where it stands in the kustomization.
    file: String,
}

enum Form {
    Strategic(Vec<Resource>),
    Json(JsonPatch),
    Nothing,
}

/// Where the text of a patch is.
pub(crate) struct PatchText<'a> {
    pub path: &'a str,
    pub patch: &'a str,
    /// The whole configuration, for messages.
    pub config: &'a str,
}

impl PatchEntry {
    pub fn new(
        loader: &Loader,
        text: &PatchText<'_>,
        target: Option<&Selector>,
        options: Option<&PatchOptions>,
    ) -> Result<Self> {
        let inline = text.patch.trim();
        let (content, source) = match (inline.is_empty(), text.path.is_empty()) {
            (true, true) => fail!("must specify one of patch and path in\n{}", text.config),
            (false, false) => {
                fail!(
                    "patch and path can't be set at the same time\n{}",
                    text.config
                )
            }
            (false, true) => (inline.to_owned(), format!("[patch: {inline:?}]")),
            (true, false) => {
                let path = text.path;
                let wrap = |e: BuildError| {
                    e.wrap(format!("failed to get the patch file from path({path})"))
                };
                let content = loader.load_text(path).map_err(wrap)?;
                (content, format!("[path: {path:?}]"))
            }
        };
        let file = match text.path {
            "" => String::new(),
            path => loader.file_name(path),
        };
        let form = Self::form(&content, &source, options).map_err(|error| {
            let line = error.line();
            error.at(&file, line)
        })?;
        Ok(Self {
            form,
            target: target.cloned(),
            source,
            file,
        })
    }

    fn form(content: &str, source: &str, options: Option<&PatchOptions>) -> Result<Form> {
        let strategic = crate::reading::read_resources(content.as_bytes());
        let json = if content.is_empty() {
            Err(BuildError::new("empty json patch operations"))
        } else {
            JsonPatch::parse(content)
        };
        match (strategic, json) {
            (Ok(strategic), Ok(json)) if !strategic.is_empty() && !json.is_empty() => {
                fail!("illegally qualifies as both an SM and JSON patch: {source}")
            }
            (Err(strategic), Err(json)) => {
                let place = strategic.line().or(json.line());
                let error =
                    BuildError::new(format!("unable to parse SM or JSON patch from {source}"));
                Err(error.at("", place))
            }
            (Ok(patches), _) if patches.is_empty() => Ok(Form::Nothing),
            (Ok(mut patches), _) => {
                for patch in &mut patches {
                    allow(patch, options);
                }
                Ok(Form::Strategic(patches))
            }
            (Err(_), Ok(json)) => Ok(Form::Json(json)),
        }
    }

    fn strategic(
        &self,
        patches: &[Resource],
        objects: &mut ResMap,
        schemas: &Schemas,
    ) -> Result<()> {
        let Some(target) = &self.target else {
            return each_to_its_own(patches, objects, schemas, |error, id| {
                error.wrap(format!("no resource matches strategic merge patch {id:?}"))
            });
        };
        let [patch] = patches else {
            fail!(
                "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set \
                 `patches.target` field: {}",
                self.source
            );
        };
        let selected = select(objects, target, schemas)
            .map_err(|error| error.wrap("unable to find patch target in `resources`"))?;
        for index in selected {
            apply_to(objects, index, patch, schemas, true)?;
        }
        objects.drop_gone();
        recheck(objects, schemas)
    }

    fn json(&self, patch: &JsonPatch, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        let Some(target) = &self.target else {
            fail!("must specify a target for JSON patch {}", self.source);
        };
        for index in select(objects, target, schemas)? {
            objects.edit(index, |resource| {
                resource.store_id(schemas);
                apply_json(resource, patch)
            })?;
        }
        Ok(())
    }
}

/// A merge by target can make two objects one.
fn recheck(objects: &ResMap, schemas: &Schemas) -> Result<()> {
    objects.check_unique(schemas).map_err(|(_, second)| {
        let id = objects.current_id(second, schemas);
        BuildError::new(format!(
            "may not add resource with an already registered id: {id}"
        ))
    })
}

fn allow(patch: &mut Resource, options: Option<&PatchOptions>) {
    if let Some(options) = options {
        patch.notes.allow_name_change |= options.allow_name_change;
        patch.notes.allow_kind_change |= options.allow_kind_change;
    }
}

/// Applies each patch to the one object that has its identity.
fn each_to_its_own(
    patches: &[Resource],
    objects: &mut ResMap,
    schemas: &Schemas,
    wrap: impl Fn(BuildError, String) -> BuildError,
) -> Result<()> {
    for patch in patches {
        let id = patch.original_id(schemas);
        let index = objects
            .by_id(&id, schemas)
            .map_err(|error| wrap(error, id.to_string()))?;
        apply_to(objects, index, patch, schemas, false)?;
    }
    objects.drop_gone();
    Ok(())
}

/// Applies a patch to one object.
fn apply_to(
    objects: &mut ResMap,
    index: usize,
    patch: &Resource,
    schemas: &Schemas,
    by_target: bool,
) -> Result<()> {
    objects.edit(index, |resource| {
        apply_strategic(resource, patch, schemas, by_target)
    })
}

fn apply_strategic(
    resource: &mut Resource,
    patch: &Resource,
    schemas: &Schemas,
    by_target: bool,
) -> Result<()> {
    let (name, namespace) = (resource.name().to_owned(), resource.namespace().to_owned());
    let kind = resource.kind().to_owned();
    let notes = &patch.notes;
    if notes.allow_name_change || notes.allow_kind_change {
        resource.store_id(schemas);
    }
    let mut node = patch.node.clone();
    if by_target {
        // Upstream copies metadata and kind of the patch onto itself, which makes labels and annotations
        // strings, and takes the API version from the target.
        let mut copy = Resource::new(node);
        for map in ["labels", "annotations"] {
            let entries = copy.meta_map(map).into_iter();
            let entries = entries.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            copy.set_meta_map(map, entries)?;
        }
        copy.set_name(patch.name())?;
        copy.set_namespace(patch.namespace())?;
        copy.set_kind(patch.kind())?;
        copy.set_api_version(resource.api_version())?;
        node = copy.node;
    }
    let object = &mut resource.node;
    let stays = if touches_annotations(&node) {
        let mut stays = true;
        resource.with_notes(|object| {
            stays = strategic::apply(object, node, schemas)?;
            Ok(())
        })?;
        stays
    } else {
        strategic::apply(object, node, schemas)?
    };
    if !stays || resource.is_gone() {
        resource.delete();
        return Ok(());
    }
    if !notes.allow_kind_change {
        resource.set_kind(&kind)?;
    }
    if !notes.allow_name_change {
        resource.set_name(&name)?;
    }
    resource.set_namespace(&namespace)
}

/// Tells whether a patch removes or replaces annotations as a whole, and with them upstream's notes.
fn touches_annotations(patch: &kyaml::Node) -> bool {
    let is_drastic =
        |node: &kyaml::Node| crate::node::is_null(node) || node.get("$patch").is_some();
    let Some(metadata) = patch.get("metadata") else {
        return false;
    };
    is_drastic(metadata) || metadata.get("annotations").is_some_and(is_drastic)
}

/// Passes an object through JSON and a patch.
fn apply_json(resource: &mut Resource, patch: &JsonPatch) -> Result<()> {
    crate::folded::reprint(&mut resource.node);
    let mut json = crate::emission::to_json(&resource.node)?;
    if resource.has_notes() {
        make_annotations(&mut json);
    }
    patch.apply(&mut json)?;
    resource.node = crate::emission::from_json(json);
    let entries = resource.meta_map("annotations").into_iter();
    let entries = entries.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    resource.set_meta_map("annotations", entries)
}

/// Where upstream has notes, annotations exist for a patch to add to.
fn make_annotations(json: &mut Value) {
    let metadata = json.as_object_mut().and_then(|map| {
        let metadata = map
            .entry("metadata")
            .or_insert_with(|| serde_json::json!({}));
        metadata.as_object_mut()
    });
    if let Some(metadata) = metadata {
        let annotations = metadata.entry("annotations").or_insert(Value::Null);
        if annotations.is_null() {
            *annotations = serde_json::json!({});
        }
    }
}

impl Transformer for PatchEntry {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        let applied = match &self.form {
            Form::Strategic(patches) => self.strategic(patches, objects, schemas),
            Form::Json(patch) => self.json(patch, objects, schemas),
            Form::Nothing => Ok(()),
        };
        applied.map_err(|error| error.at(&self.file, None))
    }
}

/// `patchesStrategicMerge`: patches that name their object themselves.
pub(crate) struct StrategicPatches {
    patches: Vec<Resource>,
}

impl StrategicPatches {
    /// Takes each entry as a patch, or else as the name of a file of patches.
    pub fn new(loader: &Loader, paths: &[String], inline: &str) -> Result<Self> {
        if paths.is_empty() && inline.is_empty() {
            fail!("empty file path and empty patch content");
        }
        let mut patches = Vec::new();
        for path in paths {
            match crate::reading::read_resources(path.as_bytes()) {
                Ok(found) => patches.extend(found),
                Err(_) => {
                    let content = loader.load(path)?;
                    let found = crate::reading::read_resources(&content);
                    let in_file = |e: BuildError| {
                        crate::reading::in_file(e, path).at(&loader.file_name(path), None)
                    };
                    patches.extend(found.map_err(in_file)?);
                }
            }
        }
        if !inline.is_empty() {
            patches.extend(crate::reading::read_resources(inline.as_bytes())?);
        }
        if patches.is_empty() {
            let files = paths.join(" ");
            fail!("patch appears to be empty; files=[{files}], Patch={inline}");
        }
        Ok(Self { patches })
    }
}

impl Transformer for StrategicPatches {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        for patch in &self.patches {
            let id = patch.original_id(schemas);
            let index = objects.by_id(&id, schemas)?;
            apply_to(objects, index, patch, schemas, true)?;
        }
        objects.drop_gone();
        Ok(())
    }
}

/// `patchesJson6902`: a JSON patch with a target.
pub(crate) struct JsonPatches {
    patch: JsonPatch,
    target: Selector,
}

impl JsonPatches {
    pub fn new(
        loader: &Loader,
        path: &str,
        inline: &str,
        target: Option<&Selector>,
    ) -> Result<Self> {
        let target = target.cloned().unwrap_or_default();
        if target.name.is_empty() {
            fail!("must specify the target name");
        }
        let loaded;
        let content = match (path.is_empty(), inline.is_empty()) {
            (true, true) => fail!("empty file path and empty jsonOp"),
            (false, false) => fail!("must specify a file path or jsonOp, not both"),
            (true, false) => inline,
            (false, true) => {
                loaded = loader.load_text(path)?;
                if loaded.is_empty() {
                    fail!("patch file '{path}' empty seems to be empty");
                }
                loaded.as_str()
            }
        };
        let patch =
            JsonPatch::parse(content).map_err(|error| error.wrap(format!("decoding {content}")))?;
        if patch.is_empty() {
            fail!("patch appears to be empty; file={path}, JsonOp={content}");
        }
        Ok(Self { patch, target })
    }
}

impl Transformer for JsonPatches {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        for index in select(objects, &self.target, schemas)? {
            objects.edit(index, |resource| apply_json(resource, &self.patch))?;
        }
        Ok(())
    }
}

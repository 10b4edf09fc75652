//! Entries of `generators`, `transformers` and `validators`: built-in plugins configured by an object.
//!
//! Executable and containerised functions are refused: the engine starts no programs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::FieldSpec;
use crate::decode::{decode_lenient, json_struct};
use crate::error::{BuildError, Result, fail};
use crate::generators::{self, Generated};
use crate::id::ResId;
use crate::kustomization::{
    GeneratorArgs, HelmChart, HelmGlobals, Image, ObjectMeta, PatchOptions, Replacement, Replica,
    Selector,
};
use crate::loader::Loader;
use crate::openapi::Schemas;
use crate::resource::Resource;
use crate::transform::Transformer;
use crate::transform::affix::{Affix, Side};
use crate::transform::hash::Hash;
use crate::transform::images::Images;
use crate::transform::labels::Entries;
use crate::transform::namespace::{Namespace, Subjects};
use crate::transform::patch::{JsonPatches, PatchEntry, PatchText, StrategicPatches};
use crate::transform::replacement::ReplacementList;
use crate::transform::replicas::Replicas;
use crate::transform::value_add::ValueAdd;

json_struct! {
    /// Every field that a built-in transformer reads; each reads only its own.
    struct Config: "Config" {
        metadata: Option<ObjectMeta> = "metadata",
        field_specs: Option<Vec<FieldSpec>> = "fieldSpecs",
        prefix: String = "prefix",
        suffix: String = "suffix",
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
        unset_only: bool = "unsetOnly",
        subjects: String = "setRoleBindingSubjects",
        image: Option<Image> = "imageTag",
        replica: Option<Replica> = "replica",
        replacements: Vec<Replacement> = "replacements",
    }
}

json_struct! {
    /// Fields of PatchTransformer.
    struct PatchConfig: "PatchTransformerPlugin" {
        path: String = "path",
        patch: String = "patch",
        target: Option<Selector> = "target",
        options: Option<PatchOptions> = "options",
    }
}

json_struct! {
    /// Fields of PatchStrategicMergeTransformer.
    struct StrategicConfig: "PatchStrategicMergeTransformerPlugin" {
        paths: Vec<String> = "paths",
        patches: String = "patches",
    }
}

json_struct! {
    /// Fields of PatchJson6902Transformer.
    struct JsonConfig: "PatchJson6902TransformerPlugin" {
        target: Option<Selector> = "target",
        path: String = "path",
        json_op: String = "jsonOp",
    }
}

/// A generator that is configured.
pub(crate) type Generate = Box<dyn FnOnce() -> Result<Vec<Resource>>>;

/// A plugin ready to run.
pub(crate) enum Plugin {
    Generator(Generate),
    Transformers(Vec<Box<dyn Transformer>>),
}

/// Fails for anything that is no built-in plugin.
fn check_built_in(resource: &Resource, id: &ResId) -> Result<()> {
    if resource.api_version() == "builtin" {
        return Ok(());
    }
    let kind = &id.gvk.kind;
    Err(BuildError::new(format!(
        "external plugins disabled; unable to load external plugin '{kind}': executable and \
         containerised functions are not run"
    )))
}

/// Makes the plugin that an object configures.
pub(crate) fn load(
    resource: &Resource,
    loader: &Loader,
    schemas: &Schemas,
    chart: &dyn Fn(&HelmChart, &HelmGlobals) -> Result<Result<Vec<Resource>>>,
) -> Result<Plugin> {
    let id = resource.original_id(schemas);
    check_built_in(resource, &id)?;
    let json = crate::emission::to_json(&resource.node)?;
    let kind = resource.kind();
    let made = match kind {
        "ConfigMapGenerator" => generator(Generated::ConfigMap, json, loader),
        "SecretGenerator" => generator(Generated::Secret, json, loader),
        "IAMPolicyGenerator" => generators::iam_policy(json).map(ready),
        "HelmChartInflationGenerator" => decode_lenient(json.clone())
            .and_then(|globals| chart(&decode_lenient(json)?, &globals))
            .map(ready),
        _ => transformers(kind, json, resource, loader).and_then(|made| match made {
            Some(made) => Ok(Plugin::Transformers(made)),
            None => {
                let gvk = resource.gvk();
                Err(BuildError::new(format!("unable to load builtin {gvk}")))
            }
        }),
    };
    made.map_err(|error| {
        if error.message().starts_with("unable to load builtin") {
            error
        } else {
            error.wrap(format!("plugin {id} fails configuration"))
        }
    })
}

/// Wraps what a generator made; its errors count once it runs.
fn ready(made: Result<Vec<Resource>>) -> Plugin {
    Plugin::Generator(Box::new(move || made))
}

fn generator(kind: Generated, json: Value, loader: &Loader) -> Result<Plugin> {
    let args: GeneratorArgs = decode_lenient(json)?;
    let made = generators::make(kind, &args, args.options.as_ref(), loader);
    Ok(ready(made.map(|made| vec![made])))
}

fn transformers(
    kind: &str,
    json: Value,
    resource: &Resource,
    loader: &Loader,
) -> Result<Option<Vec<Box<dyn Transformer>>>> {
    let one = |made: Box<dyn Transformer>| Ok(Some(vec![made]));
    match kind {
        "PatchTransformer" => return one(Box::new(patch(json, resource, loader)?)),
        "PatchStrategicMergeTransformer" => {
            let config: StrategicConfig = decode_lenient(json)?;
            let made = StrategicPatches::new(loader, &config.paths, &config.patches)?;
            return one(Box::new(made));
        }
        "PatchJson6902Transformer" => {
            let config: JsonConfig = decode_lenient(json)?;
            let target = config.target.as_ref();
            let made = JsonPatches::new(loader, &config.path, &config.json_op, target)?;
            return one(Box::new(made));
        }
        "ValueAddTransformer" => return one(Box::new(ValueAdd::new(loader, json)?)),
        "HashTransformer" => return one(Box::new(Hash)),
        _ => {}
    }
    const SIMPLE: [&str; 9] = [
        "AnnotationsTransformer",
        "ImageTagTransformer",
        "LabelTransformer",
        "NamespaceTransformer",
        "PrefixSuffixTransformer",
        "PrefixTransformer",
        "ReplacementTransformer",
        "ReplicaCountTransformer",
        "SuffixTransformer",
    ];
    if !SIMPLE.contains(&kind) {
        return Ok(None);
    }
    let config: Config = decode_lenient(json)?;
    simple(kind, config, loader).map(Some)
}

fn simple(kind: &str, config: Config, loader: &Loader) -> Result<Vec<Box<dyn Transformer>>> {
    let specs = config.field_specs.as_deref();
    let list = specs.unwrap_or_default();
    let prefix = || Affix::configured(Side::Before, &config.prefix, specs);
    let suffix = || Affix::configured(Side::Behind, &config.suffix, specs);
    let made: Box<dyn Transformer> = match kind {
        "AnnotationsTransformer" => Box::new(Entries::new(&config.annotations, list)),
        "LabelTransformer" => Box::new(Entries::new(&config.labels, list)),
        "ImageTagTransformer" => Box::new(Images::new(&config.image.unwrap_or_default(), list)),
        "NamespaceTransformer" => {
            let subjects = Subjects::parse(&config.subjects)?;
            let meta = config.metadata.unwrap_or_default();
            let unset_only = config.unset_only;
            Box::new(Namespace::new(&meta.namespace, list, unset_only, subjects))
        }
        "PrefixTransformer" => Box::new(prefix()?),
        "SuffixTransformer" => Box::new(suffix()?),
        "PrefixSuffixTransformer" => return Ok(vec![Box::new(prefix()?), Box::new(suffix()?)]),
        "ReplicaCountTransformer" => {
            Box::new(Replicas::new(&config.replica.unwrap_or_default(), list))
        }
        _ => Box::new(ReplacementList::new(load_replacements(
            config.replacements,
            loader,
        )?)),
    };
    Ok(vec![made])
}

fn patch(json: Value, resource: &Resource, loader: &Loader) -> Result<PatchEntry> {
    let config: PatchConfig = decode_lenient(json)?;
    let mut shown = String::new();
    crate::emission::print(&mut shown, &resource.node)?;
    let text = PatchText {
        path: &config.path,
        patch: &config.patch,
        config: &shown,
    };
    PatchEntry::new(
        loader,
        &text,
        config.target.as_ref(),
        config.options.as_ref(),
    )
}

/// Reads replacements that stand in files.
pub(crate) fn load_replacements(
    list: Vec<Replacement>,
    loader: &Loader,
) -> Result<Vec<Replacement>> {
    let mut all = Vec::with_capacity(list.len());
    for replacement in list {
        if replacement.path.is_empty() {
            all.push(replacement);
            continue;
        }
        let has_targets = replacement.targets.as_ref().is_some_and(|t| !t.is_empty());
        if replacement.source.is_some() || has_targets {
            fail!("cannot specify both path and inline replacement");
        }
        let path = &replacement.path;
        let content = loader.load(path)?;
        let json = crate::reading::yaml_to_json(&content)
            .map_err(|error| error.at(&loader.file_name(path), None))?;
        if !json.is_array() && !json.is_object() {
            let kind = match json {
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Number(_) => "float64",
                _ => "invalid",
            };
            fail!("unsupported replacement type encountered within replacement path: {kind}");
        }
        let loaded: crate::kustomization::Replacements = decode_lenient(json)?;
        all.extend(loaded.0);
    }
    Ok(all)
}

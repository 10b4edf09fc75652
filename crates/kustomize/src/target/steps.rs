//! What a kustomization does with the objects it has gathered: generators, transformers, validators.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Accumulator, Target};
use crate::config::{Config, FieldSpec, merge_all, merge_one};
use crate::decode::Decode;
use crate::error::{BuildError, Result, fail};
use crate::generators::{self, Generated};
use crate::kustomization::{GeneratorArgs, HelmChart, HelmGlobals, Label, Patch};
use crate::options::ChartRequest;
use crate::origin::{self, Origin};
use crate::plugins::{self, Generate, Plugin};
use crate::resmap::{ObjectStep, ResMap};
use crate::resource::{ORIGIN, Resource};
use crate::transform::Transformer;
use crate::transform::affix::{Affix, Side};
use crate::transform::annotations::Annotations;
use crate::transform::images::Images;
use crate::transform::labels::Entries;
use crate::transform::namespace::{Namespace, Subjects};
use crate::transform::patch::{JsonPatches, PatchEntry, PatchText, StrategicPatches};
use crate::transform::replacement::ReplacementList;
use crate::transform::replicas::Replicas;

type Step = (Box<dyn Transformer>, Option<Origin>);

/// Label that validators may set without changing anything.
const VALIDATED_BY: &str = "validated-by";

impl<'a> Target<'a> {
    fn built_in_origin(&self, kind: &str) -> Option<Origin> {
        let origin = self.origin.as_ref()?;
        Some(origin.built_in(self.file, kind))
    }

    /// Runs the generators, once all of them are configured.
    pub(super) fn run_generators(&mut self, gathered: &mut Accumulator) -> Result<()> {
        let charts = self.charts()?;
        let plugins = self.plugin_generators()?;
        self.run_pairs(gathered)?;
        let origin = self.built_in_origin("HelmChartInflationGenerator");
        for made in charts {
            self.absorb(gathered, made?, origin.as_ref())?;
        }
        for (generate, origin) in plugins {
            self.absorb(gathered, generate()?, origin.as_ref())?;
        }
        Ok(())
    }

    /// Generates ConfigMaps and Secrets.
    fn run_pairs(&mut self, gathered: &mut Accumulator) -> Result<()> {
        let options = self.kustomization.generator_options.clone();
        let maps = std::mem::take(&mut self.kustomization.config_map_generator);
        let maps = maps.into_iter().map(|args| args.0).collect();
        let secrets = std::mem::take(&mut self.kustomization.secret_generator);
        let groups: [(Generated, Vec<GeneratorArgs>, &str); 2] = [
            (Generated::ConfigMap, maps, "ConfigMapGenerator"),
            (Generated::Secret, secrets, "SecretGenerator"),
        ];
        for (kind, list, name) in groups {
            let origin = self.built_in_origin(name);
            for args in list {
                let merged = generators::merged_options(args.options.as_ref(), options.as_ref());
                let args = GeneratorArgs {
                    metadata: None,
                    ..args
                };
                let made = generators::make(kind, &args, merged.as_ref(), &self.loader)?;
                self.absorb(gathered, vec![made], origin.as_ref())?;
            }
        }
        Ok(())
    }

    fn plugin_generators(&mut self) -> Result<Vec<(Generate, Option<Origin>)>> {
        let configs = std::mem::take(&mut self.kustomization.generators);
        let configs = self
            .plugin_configs(&configs)
            .map_err(|error| error.wrap("loading generator plugins"))?;
        let load = |config: &Resource| Ok((self.generator(config)?, Origin::of_plugin(config)));
        configs.iter().map(load).collect()
    }

    fn absorb(
        &self,
        gathered: &mut Accumulator,
        mut made: Vec<Resource>,
        origin: Option<&Origin>,
    ) -> Result<()> {
        origin::note_generated(&mut made, origin)?;
        gathered
            .objects
            .absorb_all(made, self.schemas)
            .map_err(|error| error.wrap("merging from generator"))
    }

    fn generator(&self, config: &Resource) -> Result<Generate> {
        let chart = |chart: &HelmChart, globals: &HelmGlobals| self.chart(chart, globals);
        let wrap =
            |error: BuildError| error.wrap("loading generator plugins: failed to load generator");
        match plugins::load(config, &self.loader, self.schemas, &chart).map_err(wrap)? {
            Plugin::Generator(generate) => Ok(generate),
            Plugin::Transformers(_) => {
                let id = config.original_id(self.schemas);
                Err(wrap(BuildError::new(format!(
                    "plugin {id} not a generator"
                ))))
            }
        }
    }

    /// Renders the charts; the errors within are those of rendering.
    fn charts(&mut self) -> Result<Vec<Result<Vec<Resource>>>> {
        let globals = self.kustomization.helm_globals.clone().unwrap_or_default();
        let mut all = Vec::new();
        for mut chart in std::mem::take(&mut self.kustomization.helm_charts) {
            if chart.namespace.is_empty() {
                chart.namespace = match self.kustomization.namespace.as_str() {
                    "" => self.helm_namespace.clone(),
                    namespace => namespace.to_owned(),
                };
            }
            let made = self.chart(&chart, &globals).map_err(|error| {
                let config = chart_fields(&chart, &globals);
                troubled("HelmChartInflationGenerator", &config, error)
            })?;
            all.push(made);
        }
        Ok(all)
    }

    /// Renders a chart through the renderer that the build was handed.
    ///
    /// The outer error is one of the configuration, which upstream words otherwise than the inner one of rendering.
    fn chart(&self, chart: &HelmChart, globals: &HelmGlobals) -> Result<Result<Vec<Resource>>> {
        let options = self.loader.options();
        if !options.enable_helm {
            fail!("must specify --enable-helm");
        }
        let Some(renderer) = options.charts else {
            fail!("helm charts cannot be rendered here: '{}'", chart.name);
        };
        if chart.name.is_empty() {
            fail!("chart name cannot be empty");
        }
        for file in &chart.additional_values_files {
            let loaded = self.loader.load(file);
            loaded.map_err(|error| error.wrap("could not load additionalValuesFile"))?;
        }
        if !VALUES_MERGES.contains(&chart.values_merge.as_str()) {
            fail!("valuesMerge must be one of [merge override replace]");
        }
        let load = |path: &str| self.loader.load(path).map_err(|error| error.to_string());
        let rendered = renderer.render(&ChartRequest {
            tree: self.loader.tree(),
            dir: self.loader.root(),
            load: &load,
            fields: chart_fields(chart, globals),
        });
        Ok(rendered
            .map_err(BuildError::new)
            .and_then(|rendered| crate::reading::read_resources(rendered.as_bytes()))
            .map(|mut made| {
                for resource in &mut made {
                    resource.notes.helm_generated = Some("true".into());
                }
                made
            }))
    }

    /// Reads the objects that configure plugins: given inline, or in files and directories.
    fn plugin_configs(&mut self, entries: &[String]) -> Result<Vec<Resource>> {
        let mut configs = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            match crate::reading::read_resources(entry.as_bytes()) {
                Err(_) => paths.push(entry.clone()),
                Ok(mut inline) => {
                    if let Some(origin) = &self.origin {
                        let text = origin.append(self.file).text();
                        for resource in &mut inline {
                            resource.set_annotation(ORIGIN, Some(&text))?;
                        }
                    }
                    configs.objects.append_all(inline, self.schemas)?;
                }
            }
        }
        self.resources(&mut configs, &paths)?;
        Ok(configs.objects.into_resources())
    }

    fn plugin_transformers(&mut self, entries: &[String]) -> Result<Vec<Step>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let configs = self.plugin_configs(entries)?;
        let mut steps = Vec::new();
        for config in &configs {
            let origin = Origin::of_plugin(config);
            let chart = |chart: &HelmChart, globals: &HelmGlobals| self.chart(chart, globals);
            match plugins::load(config, &self.loader, self.schemas, &chart)? {
                Plugin::Generator(_) => {
                    let id = config.original_id(self.schemas);
                    fail!("plugin {id} not a transformer");
                }
                Plugin::Transformers(list) => {
                    let last = list.len().saturating_sub(1);
                    for (index, step) in list.into_iter().enumerate() {
                        steps.push((step, origin.clone().filter(|_| index == last)));
                    }
                }
            }
        }
        Ok(steps)
    }

    pub(super) fn run_transformers(&mut self, mut gathered: Accumulator) -> Result<Accumulator> {
        let config = gathered.config.clone().unwrap_or_else(Config::built_in);
        let mut steps = self.built_in_steps(&config)?;
        let configs = std::mem::take(&mut self.kustomization.transformers);
        steps.extend(self.plugin_transformers(&configs)?);
        self.run_steps(&steps, &mut gathered.objects)?;
        Ok(gathered)
    }

    /// Runs the steps in order; those that look at each object for itself run together.
    fn run_steps(&self, steps: &[Step], objects: &mut ResMap) -> Result<()> {
        let mut together: Vec<&dyn ObjectStep> = Vec::new();
        for (step, origin) in steps {
            match step.on_each() {
                Some(step) => together.push(step),
                None => {
                    objects.each(&std::mem::take(&mut together), self.schemas)?;
                    step.transform(objects, self.schemas)?;
                    objects.drop_gone();
                }
            }
            if let Some(origin) = origin {
                together.push(origin);
            }
        }
        objects.each(&together, self.schemas)
    }

    /// The fields of the file as transformers, in upstream's order.
    fn built_in_steps(&mut self, config: &Arc<Config>) -> Result<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::new();
        let mut add = |name: &str, step: Box<dyn Transformer>| {
            steps.push((step, self.built_in_origin(name)));
        };
        let k = &self.kustomization;
        if !k.patches_strategic_merge.is_empty() {
            let made = StrategicPatches::new(&self.loader, &k.patches_strategic_merge, "")
                .map_err(|error| {
                    let config = json!({"paths": k.patches_strategic_merge});
                    troubled("PatchStrategicMergeTransformer", &config, error)
                })?;
            add("PatchStrategicMergeTransformer", Box::new(made));
        }
        for patch in &k.patches {
            let made = self.patch(patch)?;
            add("PatchTransformer", Box::new(made));
        }
        if !k.namespace.is_empty() {
            let made = Namespace::new(&k.namespace, &config.namespace, false, Subjects::Default);
            add("NamespaceTransformer", Box::new(made));
        }
        if !k.name_prefix.is_empty() {
            let made = Affix::new(Side::Before, &k.name_prefix, &config.name_prefix);
            add("PrefixTransformer", Box::new(made));
        }
        if !k.name_suffix.is_empty() {
            let made = Affix::new(Side::Behind, &k.name_suffix, &config.name_suffix);
            add("SuffixTransformer", Box::new(made));
        }
        for label in &k.labels {
            let made = Entries::new(&label.pairs, &label_specs(label, config)?);
            add("LabelTransformer", Box::new(made));
        }
        if !k.labels.is_empty() || !k.common_labels.is_empty() {
            let made = Entries::new(&k.common_labels, &config.common_labels);
            add("LabelTransformer", Box::new(made));
        }
        if !k.common_annotations.is_empty() {
            let made = Annotations::new(&k.common_annotations, &config.common_annotations);
            add("AnnotationsTransformer", Box::new(made));
        }
        for patch in &k.patches_json6902 {
            let target = patch.target.as_ref();
            let made = JsonPatches::new(&self.loader, &patch.path, &patch.patch, target).map_err(
                |error| {
                    let config = with_entries([
                        ("target", patch.target.encode()),
                        ("path", patch.path.encode()),
                        ("jsonOp", patch.patch.encode()),
                    ]);
                    troubled("PatchJson6902Transformer", &config, error)
                },
            )?;
            add("PatchJson6902Transformer", Box::new(made));
        }
        for replica in &k.replicas {
            let made = Replicas::new(replica, &config.replicas);
            add("ReplicaCountTransformer", Box::new(made));
        }
        for image in &k.images {
            let made = Images::new(image, &config.images);
            add("ImageTagTransformer", Box::new(made));
        }
        if !k.replacements.is_empty() {
            let list = plugins::load_replacements(k.replacements.clone(), &self.loader).map_err(
                |error| {
                    let config = json!({"Replacements": k.replacements.encode()});
                    troubled("ReplacementTransformer", &config, error)
                },
            )?;
            add(
                "ReplacementTransformer",
                Box::new(ReplacementList::new(list)),
            );
        }
        Ok(steps)
    }

    fn patch(&self, patch: &Patch) -> Result<PatchEntry> {
        let config = with_entries([
            ("path", patch.path.encode()),
            ("patch", patch.patch.encode()),
            ("target", patch.target.encode()),
            ("options", patch.options.encode()),
        ]);
        let text = PatchText {
            path: &patch.path,
            patch: &patch.patch,
            config: &printed(&config),
        };
        let target = patch.target.as_ref();
        PatchEntry::new(&self.loader, &text, target, patch.options.as_ref())
            .map_err(|error| troubled("PatchTransformer", &config, error))
    }

    /// Runs validators, which may not change anything.
    pub(super) fn run_validators(&mut self, gathered: &mut Accumulator) -> Result<()> {
        let configs = std::mem::take(&mut self.kustomization.validators);
        if configs.is_empty() {
            return Ok(());
        }
        for (validator, _) in self.plugin_transformers(&configs)? {
            let before = gathered.objects.list().to_vec();
            validator.transform(&mut gathered.objects, self.schemas)?;
            let after = gathered.objects.list();
            let mut pairs = before.iter().zip(after);
            let same = before.len() == after.len()
                && pairs.all(|(b, a)| unchanged(&b.unpack(), a.unpack()));
            if !same {
                fail!("validator shouldn't modify the resource map");
            }
        }
        Ok(())
    }
}

fn unchanged(before: &Resource, mut after: Resource) -> bool {
    let labels = after
        .node
        .get_mut("metadata")
        .and_then(|m| m.get_mut("labels"));
    if let Some(labels) = labels {
        labels.remove(VALIDATED_BY);
    }
    crate::emission::same(&before.node, &after.node)
}

/// Words an error as one of the configuration of a built-in plugin, and shows that.
fn troubled(kind: &str, config: &Value, error: BuildError) -> BuildError {
    let config = printed(config);
    error.wrap(format!(
        "trouble configuring builtin {kind} with config: `\n{config}`"
    ))
}

fn printed(config: &Value) -> String {
    kyaml::emit_sigs(config).unwrap_or_default()
}

/// Makes an object of the entries that say something.
fn with_entries<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(entries.map(|(k, v)| (k.to_owned(), v)).collect())
}

/// The fields that one entry of `labels` sets.
fn label_specs(label: &Label, config: &Config) -> Result<Vec<FieldSpec>> {
    let wrap = |error: BuildError| error.wrap("failed to merge labels");
    let mut specs = label.field_specs.clone();
    merge_all(&mut specs, &config.labels).map_err(wrap)?;
    if label.include_selectors {
        merge_all(&mut specs, &config.common_labels).map_err(wrap)?;
        return Ok(specs);
    }
    if label.include_templates {
        merge_all(&mut specs, &config.template_labels)
            .map_err(|error| error.wrap("failed to merge template fieldSpec"))?;
    }
    merge_one(&mut specs, FieldSpec::everywhere("metadata/labels", true)).map_err(wrap)?;
    Ok(specs)
}

/// The fields of a chart by their names in the file, empty ones left out.
/// What `valuesMerge` may say; nothing means `override`.
const VALUES_MERGES: [&str; 4] = ["", "merge", "override", "replace"];

/// Fields that are set, by their names in the file.
fn chart_fields(chart: &HelmChart, globals: &HelmGlobals) -> Value {
    let mut fields = serde_json::Map::new();
    let texts = [
        ("name", &chart.name),
        ("version", &chart.version),
        ("repo", &chart.repo),
        ("releaseName", &chart.release_name),
        ("namespace", &chart.namespace),
        ("valuesFile", &chart.values_file),
        ("valuesMerge", &chart.values_merge),
        ("kubeVersion", &chart.kube_version),
        ("nameTemplate", &chart.name_template),
        ("chartHome", &globals.chart_home),
        ("configHome", &globals.config_home),
    ];
    for (name, value) in texts.iter().filter(|(_, value)| !value.is_empty()) {
        fields.insert((*name).to_owned(), value.as_str().into());
    }
    let flags = [
        ("includeCRDs", chart.include_crds),
        ("skipHooks", chart.skip_hooks),
        ("skipTests", chart.skip_tests),
        ("debug", chart.debug),
        ("devel", chart.devel),
    ];
    for (name, _) in flags.iter().filter(|(_, set)| *set) {
        fields.insert((*name).to_owned(), true.into());
    }
    let lists = [
        ("additionalValuesFiles", &chart.additional_values_files),
        ("apiVersions", &chart.api_versions),
    ];
    for (name, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
        fields.insert((*name).to_owned(), list.as_slice().into());
    }
    if !chart.values_inline.is_null() {
        fields.insert("valuesInline".to_owned(), chart.values_inline.clone());
    }
    Value::Object(fields)
}

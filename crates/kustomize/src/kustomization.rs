//! The kustomization file: its fields, and the rules for reading it.
//!
//! Field names match regardless of case, unknown fields are errors, legacy fields are moved to the ones
//! that replace them.

mod read;

use std::collections::BTreeMap;

use kyaml::Text;
use serde_json::Value;

use crate::config::FieldSpec;
use crate::decode::{Decode, Decoder, Step, json_struct};
use crate::id::{Gvk, ResId};

/// Recognised file names; exactly one of them may exist in a directory.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

pub(crate) const KUSTOMIZATION_KIND: &str = "Kustomization";
pub(crate) const COMPONENT_KIND: &str = "Component";

json_struct! {
    /// Labels for objects, and where they go.
    pub(crate) struct Label: "Label" {
        pairs: BTreeMap<String, String> = "pairs",
        include_selectors: bool = "includeSelectors",
        include_templates: bool = "includeTemplates",
        field_specs: Vec<FieldSpec> = "fields",
    }
}

json_struct! {
    /// A rewrite of an image.
    pub(crate) struct Image: "Image" {
        name: String = "name",
        new_name: String = "newName",
        tag_suffix: String = "tagSuffix",
        new_tag: String = "newTag",
        digest: String = "digest",
    }
}

json_struct! {
    /// A number of replicas for the workloads of a name.
    pub(crate) struct Replica: "Replica" {
        name: String = "name",
        count: i64 = "count",
    }
}

json_struct! {
    /// Chooses objects by regular expressions and selectors.
    pub(crate) struct Selector: "Selector" {
        group: String = "group" in "ResId.Gvk",
        version: String = "version" in "ResId.Gvk",
        kind: String = "kind" in "ResId.Gvk",
        name: String = "name" in "ResId",
        namespace: String = "namespace" in "ResId",
        annotation_selector: String = "annotationSelector",
        label_selector: String = "labelSelector",
    }
}

json_struct! {
    /// What a patch may change beside contents.
    pub(crate) struct PatchOptions: "PatchArgs" {
        allow_name_change: bool = "allowNameChange",
        allow_kind_change: bool = "allowKindChange",
    }
}

json_struct! {
    /// A patch, and what it applies to.
    pub(crate) struct Patch: "Patch" {
        path: String = "path",
        patch: String = "patch",
        target: Option<Selector> = "target",
        options: Option<PatchOptions> = "options",
    }
}

json_struct! {
    /// How a part of a text is read or written.
    pub(crate) struct FieldOptions: "FieldOptions" {
        delimiter: String = "delimiter",
        index: i64 = "index",
        encoding: String = "encoding",
        create: bool = "create",
    }
}

json_struct! {
    /// Where a replacement reads.
    pub(crate) struct SourceSelector: "SourceSelector" {
        group: Text = "group" in "ResId.Gvk",
        version: Text = "version" in "ResId.Gvk",
        kind: Text = "kind" in "ResId.Gvk",
        name: Text = "name" in "ResId",
        namespace: Text = "namespace" in "ResId",
        field_path: String = "fieldPath",
        options: Option<FieldOptions> = "options",
    }
}

json_struct! {
    /// Where a replacement writes.
    pub(crate) struct TargetSelector: "TargetSelector" {
        select: Option<Selector> = "select",
        reject: Vec<Selector> = "reject",
        field_paths: Vec<String> = "fieldPaths",
        options: Option<FieldOptions> = "options",
    }
}

json_struct! {
    /// A replacement, inline or in a file.
    pub(crate) struct Replacement: "ReplacementField" {
        path: String = "path",
        source: Option<SourceSelector> = "source" in "Replacement",
        targets: Option<Vec<TargetSelector>> = "targets" in "Replacement",
        source_value: Option<String> = "sourceValue" in "Replacement",
    }
}

json_struct! {
    /// The object that a variable reads.
    pub(crate) struct VarTarget: "Target" {
        api_version: Text = "apiVersion",
        group: Text = "group" in "Gvk",
        version: Text = "version" in "Gvk",
        kind: Text = "kind" in "Gvk",
        name: Text = "name",
        namespace: Text = "namespace",
    }
}

json_struct! {
    /// The field that a variable reads.
    pub(crate) struct FieldRef: "FieldSelector" {
        field_path: String = "fieldPath",
    }
}

json_struct! {
    /// A variable.
    pub(crate) struct Var: "Var" {
        name: Text = "name",
        target: VarTarget = "objref",
        field: FieldRef = "fieldref",
    }
}

json_struct! {
    /// Kinds that come first and last in the output.
    pub(crate) struct LegacySortOptions: "LegacySortOptions" {
        order_first: Vec<String> = "orderFirst",
        order_last: Vec<String> = "orderLast",
    }
}

json_struct! {
    /// Order of the output.
    pub(crate) struct SortOptions: "SortOptions" {
        order: String = "order" as "types.SortOrder",
        legacy: Option<LegacySortOptions> = "legacySortOptions",
    }
}

json_struct! {
    /// Options of generated objects.
    pub(crate) struct GeneratorOptions: "GeneratorOptions" {
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
        disable_name_suffix_hash: bool = "disableNameSuffixHash",
        immutable: bool = "immutable",
    }
}

json_struct! {
    /// A ConfigMap or Secret to generate; `metadata` is read where the generator stands in a file.
    pub(crate) struct GeneratorArgs: "SecretArgs" {
        metadata: Option<ObjectMeta> = "metadata",
        namespace: String = "namespace" in "GeneratorArgs",
        name: String = "name" in "GeneratorArgs",
        behavior: String = "behavior" in "GeneratorArgs",
        literals: Vec<String> = "literals" in "GeneratorArgs.KvPairSources",
        files: Vec<String> = "files" in "GeneratorArgs.KvPairSources",
        envs: Vec<String> = "envs" in "GeneratorArgs.KvPairSources",
        env: String = "env" in "GeneratorArgs.KvPairSources",
        options: Option<GeneratorOptions> = "options" in "GeneratorArgs",
        secret_type: String = "type",
    }
}

/// A ConfigMap to generate, which has no type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ConfigMapArgs(pub GeneratorArgs);

impl Decode for ConfigMapArgs {
    fn go_type() -> String {
        "types.ConfigMapArgs".into()
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        self.0.decode_as("ConfigMapArgs", &["type"], value, decoder);
    }

    fn encode(&self) -> Value {
        self.0.encode()
    }
}

json_struct! {
    /// Metadata of the kustomization, or of a generator in a file.
    pub(crate) struct ObjectMeta: "ObjectMeta" {
        name: String = "name",
        namespace: String = "namespace",
        labels: BTreeMap<String, String> = "labels",
        annotations: BTreeMap<String, String> = "annotations",
    }
}

json_struct! {
    /// Where charts lie.
    pub(crate) struct HelmGlobals: "HelmGlobals" {
        chart_home: String = "chartHome",
        config_home: String = "configHome",
    }
}

json_struct! {
    /// A chart to render.
    pub(crate) struct HelmChart: "HelmChart" {
        name: String = "name",
        version: String = "version",
        repo: String = "repo",
        release_name: String = "releaseName",
        namespace: String = "namespace",
        additional_values_files: Vec<String> = "additionalValuesFiles",
        values_file: String = "valuesFile",
        values_inline: Value = "valuesInline",
        values_merge: String = "valuesMerge",
        include_crds: bool = "includeCRDs",
        skip_hooks: bool = "skipHooks",
        api_versions: Vec<String> = "apiVersions",
        kube_version: String = "kubeVersion",
        name_template: String = "nameTemplate",
        skip_tests: bool = "skipTests",
        debug: bool = "debug",
        devel: bool = "devel",
    }
}

json_struct! {
    /// A chart in the form of old releases.
    pub(crate) struct HelmChartArgs: "HelmChartArgs" {
        chart_name: String = "chartName",
        chart_version: String = "chartVersion",
        chart_repo_url: String = "chartRepoUrl",
        chart_home: String = "chartHome",
        chart_repo_name: String = "chartRepoName",
        helm_bin: String = "helmBin",
        helm_home: String = "helmHome",
        values: String = "values",
        values_local: Value = "valuesLocal",
        values_merge: String = "valuesMerge",
        release_name: String = "releaseName",
        release_namespace: String = "releaseNamespace",
        extra_args: Vec<String> = "extraArgs",
    }
}

json_struct! {
    /// Everything a kustomization file can say.
    pub(crate) struct Kustomization: "Kustomization" {
        api_version: String = "apiVersion" in "TypeMeta",
        kind: String = "kind" in "TypeMeta",
        metadata: Option<ObjectMeta> = "metadata",
        openapi: BTreeMap<String, String> = "openapi",
        name_prefix: String = "namePrefix",
        name_suffix: String = "nameSuffix",
        namespace: String = "namespace",
        common_labels: BTreeMap<String, String> = "commonLabels",
        labels: Vec<Label> = "labels",
        common_annotations: BTreeMap<String, String> = "commonAnnotations",
        patches_strategic_merge: Vec<String> = "patchesStrategicMerge" as "types.PatchStrategicMerge",
        patches_json6902: Vec<Patch> = "patchesJson6902",
        patches: Vec<Patch> = "patches",
        images: Vec<Image> = "images",
        image_tags: Vec<Image> = "imageTags",
        replacements: Vec<Replacement> = "replacements",
        replicas: Vec<Replica> = "replicas",
        vars: Vec<Var> = "vars",
        sort_options: Option<SortOptions> = "sortOptions",
        resources: Vec<String> = "resources",
        components: Vec<String> = "components",
        crds: Vec<String> = "crds",
        bases: Vec<String> = "bases",
        config_map_generator: Vec<ConfigMapArgs> = "configMapGenerator",
        secret_generator: Vec<GeneratorArgs> = "secretGenerator",
        helm_globals: Option<HelmGlobals> = "helmGlobals",
        helm_charts: Vec<HelmChart> = "helmCharts",
        helm_chart_inflation_generator: Vec<HelmChartArgs> = "helmChartInflationGenerator",
        generator_options: Option<GeneratorOptions> = "generatorOptions",
        configurations: Vec<String> = "configurations",
        generators: Vec<String> = "generators",
        transformers: Vec<String> = "transformers",
        validators: Vec<String> = "validators",
        build_metadata: Vec<String> = "buildMetadata",
    }
}

/// Names of every field that a kustomization file may have, in the order in which they are written.
pub const FIELD_NAMES: &[&str] = Kustomization::NAMES;

impl SourceSelector {
    pub fn id(&self) -> ResId {
        ResId {
            gvk: Gvk::new(&self.group, &self.version, &self.kind),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            cluster_scoped: false,
        }
    }
}

impl VarTarget {
    pub fn gvk(&self) -> Gvk {
        if self.api_version.is_empty() {
            return Gvk::new(&self.group, &self.version, &self.kind);
        }
        let mut parts = self.api_version.split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(group), Some(version), None) => Gvk::new(group, version, &self.kind),
            (Some(version), None, None) => Gvk::new(&self.group, version, &self.kind),
            _ => Gvk::new(&self.group, &self.version, &self.kind),
        }
    }
}

/// A list of replacements in a file, or a single one.
#[derive(Default)]
pub(crate) struct Replacements(pub Vec<Replacement>);

impl Decode for Replacements {
    fn go_type() -> String {
        "[]types.Replacement".into()
    }

    fn decode(&mut self, value: Value, decoder: &mut Decoder) {
        if value.is_array() {
            self.0.decode(value, decoder);
        } else {
            let mut single = Replacement::default();
            decoder.within(Step::Index(0), |d| single.decode(value, d));
            self.0.push(single);
        }
    }

    fn encode(&self) -> Value {
        self.0.encode()
    }
}

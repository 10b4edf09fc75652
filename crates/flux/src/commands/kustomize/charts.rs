//! Charts of kustomizations (`helmCharts`), rendered as `helm template` does it.
//!
//! Follows kustomize's HelmChartInflationGenerator, which starts the helm program; here it is the `helm` engine. Only
//! charts that lie below `chartHome` are rendered; nothing is pulled and nothing is written.

use helm::Version;
use helm::action::{ActionError, Options, PrintOptions, print, render_release};
use helm::capabilities::{Capabilities, KubeVersion};
use helm::load::load_directory;
use helm::values::UserValues;
use helm::{Release, template};
use kustomize::{ChartRenderer, ChartRequest};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::commands::helm::chart::world;

/// Version of Helm whose output is given.
const HELM: Version = Version::V4;
/// Name of a release that has none, as `helm template` calls it.
const RELEASE_NAME: &str = "release-name";

/// Renders charts; flags of the command beat what kustomizations say.
#[derive(Debug, Default)]
pub struct Charts {
    /// API versions that charts see, besides the built-in ones.
    pub api_versions: Vec<String>,
    /// Kubernetes version that charts see; empty leaves it to the kustomization.
    pub kube_version: String,
}

/// An entry of `helmCharts`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    name: String,
    version: String,
    repo: String,
    release_name: String,
    namespace: String,
    additional_values_files: Vec<String>,
    values_file: String,
    values_inline: Map<String, Value>,
    values_merge: ValuesMerge,
    #[serde(rename = "includeCRDs")]
    include_crds: bool,
    skip_hooks: bool,
    skip_tests: bool,
    api_versions: Vec<String>,
    kube_version: String,
    name_template: String,
    chart_home: String,
}

/// What wins where a chart's values and the inline ones name the same key.
#[derive(Clone, Copy, Debug, Default)]
enum ValuesMerge {
    /// The inline ones.
    #[default]
    Inline,
    /// Those of the file.
    File,
    /// Only the inline ones are used.
    InlineOnly,
}

impl<'de> Deserialize<'de> for ValuesMerge {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "" | "override" => Ok(Self::Inline),
            "merge" => Ok(Self::File),
            "replace" => Ok(Self::InlineOnly),
            _ => Err(serde::de::Error::custom(
                "valuesMerge must be one of [merge override replace]",
            )),
        }
    }
}

impl ChartRenderer for Charts {
    fn render(&self, request: &ChartRequest<'_>) -> Result<String, String> {
        let entry: Entry =
            serde_json::from_value(request.fields.clone()).map_err(|error| error.to_string())?;
        if entry.name.is_empty() {
            return Err("chart name cannot be empty".to_owned());
        }
        let home = entry.home();
        let path = format!("{home}/{}", entry.name);
        let directory = filetree::join(request.dir, &path)
            .filter(|path| request.tree.kind(path) == Ok(filetree::EntryKind::Directory));
        let Some(directory) = directory else {
            return Err(entry.missing(request.dir, &path));
        };
        let chart = load_directory(request.tree, &directory, HELM).map_err(|e| e.to_string())?;
        let no_files = |name: &str| Err(format!("open {name}: no such file or directory"));
        let values = entry.values(&home, request)?.merge(HELM, &no_files)?;
        let options = self.options(&entry)?;
        let rendered = render_release(chart, &values, &options, &world())
            .map_err(|error: ActionError| error.to_string())?;
        let print_options = PrintOptions {
            no_hooks: entry.skip_hooks,
            skip_tests: entry.skip_tests,
            show_only: Vec::new(),
        };
        print(&rendered, &print_options, HELM)
    }
}

impl Charts {
    fn options(&self, entry: &Entry) -> Result<Options, String> {
        let or = |first: &str, second: &str| {
            let chosen = if first.is_empty() { second } else { first };
            chosen.to_owned()
        };
        let mut capabilities = Capabilities::offline(HELM);
        let kube_version = or(&self.kube_version, &entry.kube_version);
        if !kube_version.is_empty() {
            capabilities.kube_version = KubeVersion::parse(&kube_version, HELM)
                .map_err(|error| format!("invalid kube version '{kube_version}': {error}"))?;
        }
        let api_versions = match self.api_versions.as_slice() {
            [] => &entry.api_versions,
            _ => &self.api_versions,
        };
        capabilities
            .api_versions
            .extend(api_versions.iter().cloned());
        let name = match entry.name_template.as_str() {
            "" => or(&entry.release_name, RELEASE_NAME),
            text => template::render_name(text, HELM, &world())?,
        };
        Ok(Options {
            release: Release {
                name,
                namespace: or(&entry.namespace, "default"),
                revision: 1,
                is_upgrade: false,
            },
            capabilities,
            include_crds: entry.include_crds,
            skip_schema: false,
            sub_notes: false,
            strict: false,
        })
    }
}

impl Entry {
    /// The directory that holds the chart's own, relative to the kustomization unless it is absolute.
    fn home(&self) -> String {
        let home = match self.chart_home.as_str() {
            "" => "charts",
            home => home.trim_end_matches('/'),
        };
        if self.version.is_empty() || self.repo.is_empty() {
            return home.to_owned();
        }
        format!("{home}/{}-{}", self.name, self.version)
    }

    fn missing(&self, dir: &str, path: &str) -> String {
        let path = filetree::join(dir, path).unwrap_or_else(|| path.to_owned());
        if self.repo.is_empty() {
            return format!("no repo specified for pull, no chart found at '/{path}'");
        }
        let version = match self.version.as_str() {
            "" => String::new(),
            version => format!(" --version {version}"),
        };
        let place = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let pull = match self.repo.strip_prefix("oci://") {
            Some(_) => format!("{}/{}", self.repo.trim_end_matches('/'), self.name),
            None => format!("--repo {} {}", self.repo, self.name),
        };
        format!(
            "no chart found at '/{path}', and charts are not pulled here: run \
             `helm pull {pull}{version} --untar --untardir /{place}` first"
        )
    }

    /// The values files in the order in which helm gets them.
    fn values(&self, home: &str, request: &ChartRequest<'_>) -> Result<UserValues, String> {
        let own = match self.values_file.as_str() {
            "" => format!("{home}/{}/values.yaml", self.name),
            file => file.to_owned(),
        };
        let mut files = Vec::new();
        let first = if self.values_inline.is_empty() {
            (request.load)(&own)?.to_vec()
        } else {
            self.with_inline(&own, request)?
        };
        files.push((own, first));
        for file in &self.additional_values_files {
            let content = (request.load)(file)
                .map_err(|error| format!("could not load additionalValuesFile: {error}"))?;
            files.push((file.clone(), content.to_vec()));
        }
        Ok(UserValues {
            files,
            ..UserValues::default()
        })
    }

    /// Joins the inline values with those of the file.
    fn with_inline(&self, file: &str, request: &ChartRequest<'_>) -> Result<Vec<u8>, String> {
        let inline = Value::Object(self.values_inline.clone());
        let read = || {
            let content = (request.load)(file)?;
            kyaml::yaml_to_json(&content)
                .map_err(|error| format!("could not parse values file into rnode: {error}"))
        };
        let merged = match self.values_merge {
            ValuesMerge::InlineOnly => inline,
            ValuesMerge::Inline => merged(read()?, inline),
            ValuesMerge::File => merged(inline, read()?),
        };
        let text = kyaml::emit_sigs(&merged).map_err(|error| error.to_string())?;
        Ok(text.into_bytes())
    }
}

/// Lays one value over another as kyaml's `merge2` does: maps merge, `null` removes, anything else replaces.
fn merged(below: Value, above: Value) -> Value {
    match (below, above) {
        (Value::Object(mut below), Value::Object(above)) => {
            for (key, value) in above {
                let merged = match (below.remove(&key), value) {
                    (_, Value::Null) => continue,
                    (Some(old), value) => merged(old, value),
                    (None, value) => merged(Value::Object(Map::new()), value),
                };
                below.insert(key, merged);
            }
            Value::Object(below)
        }
        (below, Value::Null) => below,
        (_, above) => above,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_laid_over_each_other() {
        let below = json!({"a": {"x": 1, "y": 2}, "l": [1], "n": 1, "s": "t"});
        let above =
            json!({"a": {"y": 3, "z": null}, "l": [2], "n": null, "new": {"k": null, "v": 1}});
        let expected = json!({"a": {"x": 1, "y": 3}, "l": [2], "s": "t", "new": {"v": 1}});
        assert_eq!(merged(below, above), expected);
    }

    #[test]
    fn homes_are_named_by_version_where_a_repository_is() {
        let home = |entry: Value| serde_json::from_value::<Entry>(entry).unwrap().home();
        assert_eq!(home(json!({"name": "a"})), "charts");
        let versioned = json!({"name": "a", "version": "1", "repo": "r", "chartHome": "x/"});
        assert_eq!(home(versioned), "x/a-1");
    }
}

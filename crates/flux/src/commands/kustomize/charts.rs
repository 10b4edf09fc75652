//! Charts of kustomizations (`helmCharts`), rendered as `helm template` does it.
//!
//! Follows kustomize's HelmChartInflationGenerator, which starts the helm program; here it is the `helm` engine. A chart
//! that does not lie below `chartHome` is downloaded from its repository, and kept in memory for the build: nothing is
//! written to `charts/`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use controllers::download_chart;
use helm::Version;
use helm::action::{ActionError, Options, PrintOptions, print, render_release};
use helm::capabilities::{Capabilities, KubeVersion};
use helm::chart::Chart;
use helm::load::{archive_files, load_archive, load_directory};
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
    /// Downloaded archives by repository, name and version.
    pub downloaded: Mutex<HashMap<[String; 3], Arc<[u8]>>>,
}

/// A chart and the values file that stands in it.
struct Found {
    chart: Chart,
    /// Content of the `values.yaml` of a downloaded chart; `None` where the file is read like others.
    values: Option<Vec<u8>>,
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
    devel: bool,
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
        let found = self.find(&entry, &home, request)?;
        let no_files = |name: &str| Err(format!("open {name}: no such file or directory"));
        let values = entry.values(&home, request, found.values)?;
        let values = values.merge(HELM, &no_files)?;
        let options = self.options(&entry)?;
        let rendered = render_release(found.chart, &values, &options, &world())
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
    fn find(&self, entry: &Entry, home: &str, request: &ChartRequest<'_>) -> Result<Found, String> {
        let path = filetree::join(request.dir, &format!("{home}/{}", entry.name));
        let path = path.ok_or_else(|| format!("'{home}' leads outside of the root"))?;
        if request.tree.kind(&path) == Ok(filetree::EntryKind::Directory) {
            let chart = load_directory(request.tree, &path, HELM);
            return Ok(Found {
                chart: chart.map_err(|error| error.to_string())?,
                values: None,
            });
        }
        if entry.repo.is_empty() {
            return Err(format!(
                "no repo specified for pull, no chart found at '/{path}'"
            ));
        }
        let archive = self.download(entry)?;
        let files = archive_files(&archive).map_err(|error| error.to_string())?;
        let values = files.iter().find(|file| file.name == "values.yaml");
        let values = values.map(|file| file.data.to_vec()).unwrap_or_default();
        Ok(Found {
            chart: load_archive(&archive, HELM).map_err(|error| error.to_string())?,
            values: Some(values),
        })
    }

    fn download(&self, entry: &Entry) -> Result<Arc<[u8]>, String> {
        let version = match entry.version.as_str() {
            "" if entry.devel => ">0.0.0-0",
            version => version,
        };
        let key = [&*entry.repo, &*entry.name, version].map(str::to_owned);
        let known = || {
            self.downloaded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(archive) = known().get(&key) {
            return Ok(archive.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start the runtime: {error}"))?;
        let clients = remote::Clients::default();
        let repository = entry.repo.trim_end_matches('/');
        let downloading = download_chart(&clients, repository, &entry.name, version);
        let archive = runtime
            .block_on(downloading)
            .map_err(|error| format!("chart '{}' of '{}': {error}", entry.name, entry.repo))?;
        let archive: Arc<[u8]> = archive.as_ref().into();
        known().insert(key, archive.clone());
        Ok(archive)
    }

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

    /// The values files in the order in which helm gets them.
    fn values(
        &self,
        home: &str,
        request: &ChartRequest<'_>,
        packed: Option<Vec<u8>>,
    ) -> Result<UserValues, String> {
        let own = match self.values_file.as_str() {
            "" => format!("{home}/{}/values.yaml", self.name),
            file => file.to_owned(),
        };
        let packed = packed.filter(|_| self.values_file.is_empty());
        let read = || match &packed {
            Some(content) => Ok(content.clone()),
            None => (request.load)(&own).map(|content| content.to_vec()),
        };
        let mut files = Vec::new();
        let first = if self.values_inline.is_empty() {
            read()?
        } else {
            self.with_inline(&read)?
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
    fn with_inline(&self, file: &dyn Fn() -> Result<Vec<u8>, String>) -> Result<Vec<u8>, String> {
        let inline = Value::Object(self.values_inline.clone());
        let read = || {
            kyaml::yaml_to_json(&file()?)
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

//! A chart in memory: metadata, defaults, templates, files and the charts inside it.

use gotemplate::Map;
use serde_json::Value;

use crate::content::Content;
use crate::metadata::Metadata;

/// A file of a chart by its path inside the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path, `/`-separated.
    pub name: String,
    /// Contents, without a byte order mark.
    pub data: Content,
}

/// A loaded chart. Cloning shares files and default values.
#[derive(Clone, Debug)]
pub struct Chart {
    /// `Chart.yaml`.
    pub metadata: Metadata,
    /// `Chart.lock`, where there is one.
    pub lock: Option<Value>,
    /// Defaults of `values.yaml`; never changed in place.
    pub values: Map,
    /// `values.schema.json`.
    pub schema: Option<Content>,
    /// Files below `templates/`.
    pub templates: Vec<File>,
    /// All other files.
    pub files: Vec<File>,
    /// Every file as it was loaded.
    pub raw: Vec<File>,
    /// Charts below `charts/`.
    pub dependencies: Vec<Chart>,
}

/// A file of custom resource definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdFile {
    /// Path with the chart's own path before it.
    pub path: String,
    /// Contents.
    pub data: Content,
}

impl Chart {
    /// Name of the chart.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Whether the chart only lends definitions to others.
    pub fn is_library(&self) -> bool {
        self.metadata.chart_type.eq_ignore_ascii_case("library")
    }

    /// Custom resource definitions of this chart and then of those inside it.
    pub fn crds(&self) -> Vec<CrdFile> {
        let mut found = Vec::new();
        self.collect_crds(self.name(), &mut found);
        found
    }

    fn collect_crds(&self, path: &str, found: &mut Vec<CrdFile>) {
        let is_manifest = |name: &str| {
            [".yaml", ".yml", ".json"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        for file in &self.files {
            if file.name.starts_with("crds/") && is_manifest(&file.name) {
                found.push(CrdFile {
                    path: format!("{path}/{}", file.name),
                    data: file.data.clone(),
                });
            }
        }
        for chart in &self.dependencies {
            chart.collect_crds(&format!("{path}/charts/{}", chart.name()), found);
        }
    }
}

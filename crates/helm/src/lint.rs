//! `helm lint`: what is wrong with a chart in a directory, in the order and the words of each version.

mod chartfile;
mod deprecated;
mod manifests;
mod names;
mod templates;
mod web;

use std::fmt;

use filetree::{EntryKind, FileTree};
use gotemplate::{Map, Tree};

use crate::Version;
use crate::capabilities::KubeVersion;
use crate::chart::Chart;
use crate::coalesce::Coalescer;
use crate::functions::World;
use crate::load::load_any_directory;
use crate::note::Note;
use crate::values::read_values_file;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Could be better.
    Info,
    /// Against convention.
    Warning,
    /// Keeps the chart from being installed.
    Error,
}

/// Something that is wrong. Displays as `helm lint` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How bad.
    pub severity: Severity,
    /// File or directory.
    pub path: String,
    /// What.
    pub text: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.text)
    }
}

/// What is checked, and against what.
pub struct Input<'i> {
    /// The files.
    pub tree: &'i dyn FileTree,
    /// The chart's directory in the tree.
    pub directory: &'i str,
    /// The directory as messages show it, an absolute path upstream.
    pub shown: &'i str,
    /// Values of the user.
    pub values: &'i Map,
    /// Namespace of the release.
    pub namespace: &'i str,
    /// Version of Kubernetes; without it, the version that the client library belongs to.
    pub kube_version: Option<&'i KubeVersion>,
    /// Whether schemas are not checked.
    pub skip_schema: bool,
    /// Version of Helm.
    pub version: Version,
    /// The world, in lint mode.
    pub world: &'i World,
}

/// A run over one chart.
struct Linter<'i> {
    input: &'i Input<'i>,
    messages: Vec<Message>,
}

/// Everything that is wrong with a chart. What upstream would log meanwhile is told to the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of the rules.
    pub messages: Vec<Message>,
}

/// Checks a chart by all rules.
pub fn lint(input: &Input<'_>) -> Report {
    let mut linter = Linter {
        input,
        messages: Vec::new(),
    };
    linter.chartfile();
    linter.values();
    linter.templates();
    linter.dependencies();
    if input.version == Version::V4 {
        linter.crds();
    }
    Report {
        messages: linter.messages,
    }
}

impl Linter<'_> {
    /// Notes a fault; tells whether there was none.
    fn rule(&mut self, severity: Severity, path: &str, outcome: Result<(), String>) -> bool {
        let Err(text) = outcome else {
            return true;
        };
        let path = path.to_owned();
        self.messages.push(Message {
            severity,
            path,
            text,
        });
        false
    }

    fn tell(&self, coalescer: Coalescer) {
        self.input.world.say_all(coalescer.warnings);
    }

    fn path(&self, name: &str) -> String {
        let joined = format!("{}/{name}", self.input.directory);
        joined.trim_start_matches('/').to_owned()
    }

    fn kind(&self, name: &str) -> Option<EntryKind> {
        self.input.tree.kind(&self.path(name)).ok()
    }

    fn load(&self) -> Result<Chart, String> {
        let input = self.input;
        let chart = load_any_directory(input.tree, input.directory, input.version)
            .map_err(|error| error.to_string())?;
        let mut notes = Vec::new();
        Note::of_files(&chart, &mut notes);
        input.world.say_all(notes);
        Ok(chart)
    }

    fn values(&mut self) {
        const FILE: &str = "values.yaml";
        let exists = match self.kind(FILE) {
            Some(_) => Ok(()),
            None => Err("file does not exist".to_owned()),
        };
        if self.rule(Severity::Info, FILE, exists) {
            let outcome = self.check_values(FILE);
            self.rule(Severity::Error, FILE, outcome);
        }
    }

    fn check_values(&mut self, file: &str) -> Result<(), String> {
        let version = self.input.version;
        let defaults = self
            .input
            .tree
            .read(&self.path(file))
            .map_err(|_| format!("read {}/{file}: is a directory", self.input.shown))
            .and_then(|text| read_values_file(&text, version))
            .map_err(|error| format!("unable to parse YAML: {error}"))?;
        let mut coalescer = Coalescer::new(version);
        let all = Map::new(Tree::new());
        // The maps inside are shared: nulls that take away defaults here are gone when templates are rendered.
        coalescer.tables(&all, self.input.values, "", false, 0);
        coalescer.tables(&all, &defaults, "", false, 0);
        self.tell(coalescer);
        let schema = self.input.tree.read(&self.path("values.schema.json"));
        let schema = schema.unwrap_or_default();
        // Helm 3 checks here whatever the flag says.
        let skipped = self.input.skip_schema && version == Version::V4;
        if schema.is_empty() || skipped {
            return Ok(());
        }
        self.input
            .world
            .check(&schema, &all)
            .map_err(|error| error.text)
    }

    fn dependencies(&mut self) {
        let chart = match self.load() {
            Ok(chart) => chart,
            Err(error) => {
                let outcome = Err(format!("unable to load chart\n\t{error}"));
                self.rule(Severity::Error, "", outcome);
                return;
            }
        };
        let declared = || chart.metadata.dependencies.iter().flatten();
        let undeclared = chart
            .dependencies
            .iter()
            .map(Chart::name)
            .filter(|name| !declared().any(|dependency| dependency.name == *name));
        let shown = self.input.shown;
        let outcome = listed("chart metadata is missing these dependencies", undeclared);
        self.rule(Severity::Error, shown, outcome);
        let repeated = declared().enumerate().filter_map(|(index, dependency)| {
            let key = dependency.known_as();
            let mut earlier = declared().take(index);
            earlier.any(|other| other.known_as() == key).then_some(key)
        });
        let outcome = listed("multiple dependencies with name or alias", repeated);
        self.rule(Severity::Error, shown, outcome);
        let absent = declared()
            .map(|dependency| dependency.name.as_str())
            .filter(|name| !chart.dependencies.iter().any(|sub| sub.name() == *name));
        let outcome = listed("chart directory is missing these dependencies", absent);
        self.rule(Severity::Warning, shown, outcome);
    }

    fn crds(&mut self) {
        const DIRECTORY: &str = "crds/";
        match self.kind("crds") {
            None => return,
            Some(EntryKind::File) => {
                self.rule(
                    Severity::Error,
                    DIRECTORY,
                    Err("not a directory".to_owned()),
                );
                return;
            }
            Some(EntryKind::Directory) => {}
        }
        let chart = match self.load() {
            Ok(chart) => chart,
            Err(error) => {
                self.rule(Severity::Error, DIRECTORY, Err(error));
                return;
            }
        };
        for crd in chart.crds() {
            // Charts inside the chart leave their own path out, too.
            let name = crd.path.find("/crds/").map_or("", |at| &crd.path[at + 1..]);
            for document in manifests::read(&crd.data, self.input.version) {
                let head = match document {
                    Ok(head) => head,
                    Err(error) => {
                        let outcome = Err(format!("unable to parse YAML: {error}"));
                        self.rule(Severity::Error, name, outcome);
                        return;
                    }
                };
                let Some(head) = head else { continue };
                if !head.api_version.starts_with("apiextensions.k8s.io") {
                    let text = "apiVersion is not in 'apiextensions.k8s.io'".to_owned();
                    self.rule(Severity::Error, name, Err(text));
                }
                if head.kind != "CustomResourceDefinition" {
                    let text = "object kind is not 'CustomResourceDefinition'".to_owned();
                    self.rule(Severity::Error, name, Err(text));
                }
            }
        }
    }
}

fn listed<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Result<(), String> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(format!("{text}: {}", names.join(",")))
}

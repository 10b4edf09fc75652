//! Rules about templates: they render, and what they render can be read as objects.

use std::collections::BTreeMap;

use filetree::EntryKind;
use gocompat::quote::quote;
use gocompat::regexp::Regexp;
use gotemplate::{Map, Text};

use super::Severity::{Error, Warning};
use super::{Linter, deprecated, manifests, names};
use crate::action::coalesced;
use crate::capabilities::Capabilities;
use crate::chart::{Chart, File};
use crate::coalesce::Coalescer;
use crate::context::Release;
use crate::render::{RenderInput, render};
use crate::{Version, schema};

const DIRECTORY: &str = "templates/";

impl Linter<'_> {
    pub(super) fn templates(&mut self) {
        let is_v3 = self.input.version == Version::V3;
        match self.kind("templates") {
            // Helm 3 goes on, and finds nothing.
            None if is_v3 => {}
            None => {
                self.rule(
                    Warning,
                    DIRECTORY,
                    Err("directory does not exist".to_owned()),
                );
                return;
            }
            Some(EntryKind::File) => {
                let severity = if is_v3 { Warning } else { Error };
                self.rule(severity, DIRECTORY, Err("not a directory".to_owned()));
                return;
            }
            Some(EntryKind::Directory) => {}
        }
        let chart = match self.load() {
            Ok(chart) => chart,
            Err(error) => {
                self.rule(Error, DIRECTORY, Err(error));
                return;
            }
        };
        if let Some((chart, rendered)) = self.render(chart) {
            self.check_all(&chart, &rendered);
        }
    }

    /// Renders the chart; faults are noted.
    fn render(&mut self, mut chart: Chart) -> Option<(Chart, BTreeMap<String, Text>)> {
        let version = self.input.version;
        // What is wrong with dependencies is said elsewhere.
        let mut notes = Vec::new();
        let values = coalesced(&mut chart, self.input.values, version, &mut notes);
        self.input.world.say_all(notes);
        let values = values.ok()?;
        // Upstream coalesces what it has coalesced: defaults come back where a user's null took them away.
        let mut coalescer = Coalescer::new(version);
        let values = coalescer.coalesce(&chart, &values).ok()?;
        self.tell(coalescer);
        if !self.input.skip_schema
            && let Err(error) = schema::validate(&chart, &values, self.input.world)
        {
            let text = format!(
                "values don't meet the specifications of the schema(s) in the following chart(s):\n{}",
                error.text
            );
            self.rule(Error, DIRECTORY, Err(text));
            return None;
        }
        match self.rendered(&chart, &values) {
            Ok(files) => Some((chart, files)),
            Err(text) => {
                self.rule(Error, DIRECTORY, Err(text));
                None
            }
        }
    }

    fn rendered(&self, chart: &Chart, values: &Map) -> Result<BTreeMap<String, Text>, String> {
        let mut capabilities = Capabilities::offline(self.input.version);
        if let Some(version) = self.input.kube_version {
            capabilities.kube_version = version.clone();
        }
        let release = Release {
            name: "test-release".to_owned(),
            namespace: self.input.namespace.to_owned(),
            revision: 0,
            is_upgrade: false,
        };
        let input = RenderInput {
            chart,
            values,
            release: &release,
            capabilities: &capabilities,
            strict: false,
            world: self.input.world,
        };
        render(&input).map_err(|error| error.text)
    }

    fn check_all(&mut self, chart: &Chart, rendered: &BTreeMap<String, Text>) {
        for template in &chart.templates {
            self.extension(&template.name);
            if self.input.version == Version::V3 {
                self.leftovers(template);
            }
            if !is_yaml(&template.name, self.input.version) {
                continue;
            }
            let path = format!("{}/{}", chart.name(), template.name);
            let Some(text) = rendered
                .get(&path)
                .filter(|text| !text.to_str().trim().is_empty())
            else {
                continue;
            };
            if !self.objects(&template.name, text) {
                return;
            }
        }
    }

    fn extension(&mut self, name: &str) {
        let extension = extension(name);
        if [".yaml", ".yml", ".tpl", ".txt"].contains(&extension) {
            return;
        }
        let text = format!(
            "file extension '{extension}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"
        );
        self.rule(Error, name, Err(text));
    }

    /// What Helm 2 knew and Helm 3 warns of.
    fn leftovers(&mut self, template: &File) {
        let found = |pattern: &str| {
            let pattern = Regexp::new(pattern).expect("the pattern is a constant");
            pattern.is_match(&template.data)
        };
        if found(r#""?helm\.sh/hook"?:\s+crd-install"#) {
            let text = "manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs should also exist the crds/ directory at the top level of the chart";
            self.rule(Warning, &template.name, Err(text.to_owned()));
        }
        if found(r"\.Release\.Time") {
            let text = ".Release.Time has been removed in v3, please replace with the `now` function in your templates";
            self.rule(Error, &template.name, Err(text.to_owned()));
        }
    }

    /// Checks the objects of a rendered file; false where the whole check ends.
    fn objects(&mut self, name: &str, rendered: &Text) -> bool {
        let text = rendered.to_str();
        self.rule(Warning, name, indent(&text));
        for document in manifests::read(rendered.as_bytes(), self.input.version) {
            match document {
                Ok(None) => {}
                Ok(Some(head)) => self.object(name, &head, &text),
                Err(error) => {
                    let outcome = Err(format!("unable to parse YAML: {error}"));
                    self.rule(Error, name, outcome);
                    return false;
                }
            }
        }
        true
    }

    fn object(&mut self, file: &str, head: &manifests::Head, text: &str) {
        let wrong = names::fault(&head.kind, &head.name);
        self.rule(Warning, file, wrong.map_or(Ok(()), Err));
        let default = Capabilities::offline(self.input.version).kube_version;
        let kube = self.input.kube_version.unwrap_or(&default);
        let number = |text: &str| text.parse().unwrap_or(0);
        let (major, minor) = (number(&kube.major), number(&kube.minor));
        let old = deprecated::warning(&head.api_version, &head.kind, major, minor);
        self.rule(Warning, file, old.map_or(Ok(()), Err));
        if ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"].contains(&head.kind.as_str())
            && !text.contains("matchLabels")
            && !text.contains("matchExpressions")
        {
            let (kind, name) = (&head.kind, quote(head.name.as_bytes()));
            let text = format!(
                "a {kind} must contain matchLabels or matchExpressions, and {name} does not"
            );
            self.rule(Error, file, Err(text));
        }
        if head.kind == "List" {
            let outcome = self.list(text);
            self.rule(Error, file, outcome);
        }
    }

    fn list(&self, text: &str) -> Result<(), String> {
        let kept = manifests::keeps_items(text.as_bytes())
            .map_err(|error| format!("unable to parse YAML: {error}"))?;
        let first = match self.input.version {
            Version::V3 => "Annotation",
            Version::V4 => "annotation",
        };
        if kept {
            return Err(format!(
                "{first} 'helm.sh/resource-policy' within List objects are ignored"
            ));
        }
        Ok(())
    }
}

/// From the last dot of the base name on.
fn extension(name: &str) -> &str {
    let base = name.rsplit('/').next().unwrap_or(name);
    base.rfind('.').map_or("", |at| &base[at..])
}

fn is_yaml(name: &str, version: Version) -> bool {
    match version {
        Version::V3 => extension(name) == ".yaml",
        Version::V4 => {
            let extension = extension(name).to_lowercase();
            extension == ".yaml" || extension == ".yml"
        }
    }
}

/// Longest line that Go's scanner takes.
const SCANNER_MAX: usize = 64 * 1024;

/// The first line with content must not be indented.
fn indent(text: &str) -> Result<(), String> {
    for line in text.lines() {
        if line.len() >= SCANNER_MAX {
            return Err("bufio.Scanner: token too long".to_owned());
        }
        if line.trim().is_empty() {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let shown = quote(line.as_bytes());
            return Err(format!(
                "document starts with an illegal indent: {shown}, which may cause parsing problems"
            ));
        }
        return Ok(());
    }
    Ok(())
}

//! Where objects came from and what changed them, as annotations (`buildMetadata`).

use crate::error::Result;
use crate::openapi::Schemas;
use crate::repository::RepositoryUrl;
use crate::resmap::ObjectStep;
use crate::resource::{ORIGIN, Resource, TRANSFORMATIONS};

/// A source of objects or changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub path: String,
    /// What a remote base was fetched from.
    pub repository: String,
    /// Reference of a remote base.
    pub reference: String,
    pub configured_in: String,
    /// API version, kind, name and namespace of the configuring object.
    pub configured_by: Option<[String; 4]>,
}

impl Origin {
    /// Goes on along a path, or in a remote base.
    pub fn append(&self, path: &str) -> Self {
        if let Some(url) = RepositoryUrl::parse(path) {
            return Self {
                // Upstream cuts the directory of its clone off the path, and that of a base at the root is all there is.
                path: match url.directory.as_str() {
                    "" => "notCloned".to_owned(),
                    directory => directory.to_owned(),
                },
                repository: url.clone_url,
                reference: url.reference,
                ..self.clone()
            };
        }
        Self {
            path: joined(&self.path, path),
            ..self.clone()
        }
    }

    /// A built-in generator or transformer of a kustomization file.
    pub fn built_in(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: joined(&self.path, file),
            configured_by: Some(["builtin".into(), kind.into(), String::new(), String::new()]),
            ..self.clone()
        }
    }

    /// A plugin configured by an object, which knows itself where it came from.
    pub fn of_plugin(resource: &Resource) -> Option<Self> {
        let own = resource.annotation(ORIGIN)?;
        let field = |name: &str| {
            let found = own.lines().find_map(|line| line.strip_prefix(name));
            unquoted(found.unwrap_or_default()).to_owned()
        };
        Some(Self {
            path: String::new(),
            repository: field("repo: "),
            reference: field("ref: "),
            configured_in: field("path: "),
            configured_by: Some([
                resource.api_version().to_owned(),
                resource.kind().to_owned(),
                resource.name().to_owned(),
                resource.namespace().to_owned(),
            ]),
        })
    }

    /// Prints the fields that are set, indented.
    fn lines(&self, first: &str, others: &str) -> String {
        let mut lines = Vec::new();
        if !self.path.is_empty() {
            lines.push(format!("path: {}", scalar(&self.path)));
        }
        if !self.repository.is_empty() {
            lines.push(format!("repo: {}", scalar(&self.repository)));
        }
        if !self.reference.is_empty() {
            lines.push(format!("ref: {}", scalar(&self.reference)));
        }
        if !self.configured_in.is_empty() {
            lines.push(format!("configuredIn: {}", scalar(&self.configured_in)));
        }
        if let Some(by) = &self.configured_by {
            lines.push("configuredBy:".to_owned());
            let names = ["apiVersion", "kind", "name", "namespace"];
            for (name, value) in names.iter().zip(by).filter(|(_, value)| !value.is_empty()) {
                lines.push(format!("  {name}: {}", scalar(value)));
            }
        }
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            text.push_str(if index == 0 { first } else { others });
            text.push_str(line);
            text.push('\n');
        }
        if text.is_empty() {
            "{}\n".to_owned()
        } else {
            text
        }
    }

    pub fn text(&self) -> String {
        self.lines("", "")
    }
}

/// Prints a text as go-yaml v3 prints a Go string.
fn scalar(text: &str) -> String {
    let mut node = kyaml::Node::string(text);
    if crate::emission::reads_as_non_string(text) {
        node.style = kyaml::Style::DoubleQuoted;
    }
    crate::emission::node_text(&node).trim_end().to_owned()
}

/// Undoes [`scalar`] for the plain and simply quoted texts that paths are.
fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

fn joined(dir: &str, path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in dir.split('/').chain(path.split('/')) {
        match step {
            "" | "." => {}
            ".." if steps.last().is_some_and(|last| *last != "..") => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// Notes the origin of generated objects that have none.
pub(crate) fn note_generated(made: &mut [Resource], origin: Option<&Origin>) -> Result<()> {
    let Some(origin) = origin else {
        return Ok(());
    };
    for resource in made {
        if resource.annotation(ORIGIN).is_none() {
            resource.set_annotation(ORIGIN, Some(&origin.text()))?;
        }
    }
    Ok(())
}

/// Notes a transformer on every object; one that has no origin was made by it.
impl ObjectStep for Origin {
    fn apply(&self, resource: &mut Resource, _: &Schemas) -> Result<()> {
        if resource.annotation(ORIGIN).is_none() {
            return resource.set_annotation(ORIGIN, Some(&self.text()));
        }
        let mut list = resource
            .annotation(TRANSFORMATIONS)
            .unwrap_or("")
            .to_owned();
        list.push_str(&self.lines("- ", "  "));
        resource.set_annotation(TRANSFORMATIONS, Some(&list))
    }
}

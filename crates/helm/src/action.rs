//! Rendering a release as `helm template` and an installation do: checks, values, templates, manifests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use gotemplate::{Map, Text};

use crate::Version;
use crate::capabilities::Capabilities;
use crate::chart::Chart;
use crate::coalesce::Coalescer;
use crate::context::Release;
use crate::dependencies;
use crate::explain::{Excerpt, TemplateFault, Violation, line_excerpt};
use crate::functions::World;
use crate::kinds::{Hook, Manifest, sort_manifests};
use crate::note::Note;
use crate::render::{RenderError, RenderInput, render};
use crate::schema::{self, SchemaError};

/// How a release is rendered.
#[derive(Clone, Debug)]
pub struct Options {
    /// The release.
    pub release: Release,
    /// Capabilities, with the version of Helm to follow.
    pub capabilities: Capabilities,
    /// Whether custom resource definitions go before the manifests.
    pub include_crds: bool,
    /// Whether schemas are not checked.
    pub skip_schema: bool,
    /// Whether the notes of all charts are joined.
    pub sub_notes: bool,
    /// Whether a missing key is an error.
    pub strict: bool,
}

/// A rendered release.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Hooks by kind.
    pub hooks: Vec<Hook>,
    /// Manifests by kind.
    pub manifests: Vec<Manifest>,
    /// The manifests as one text, as the release record holds it.
    pub manifest: String,
    /// Notes.
    pub notes: String,
    /// The chart as it was rendered, dependencies processed.
    pub chart: Option<Chart>,
    /// Coalesced values of the root chart.
    pub values: Option<Map>,
}

/// A release that could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// Nothing was rendered.
    #[error("{0}")]
    Failed(String),
    /// A template does not parse or fails.
    #[error("{text}")]
    Template {
        /// Helm's words.
        text: String,
        /// Where.
        fault: Box<TemplateFault>,
    },
    /// Values are not as a schema wants them.
    #[error("{text}")]
    Schema {
        /// Helm's words.
        text: String,
        /// Which ones.
        violations: Vec<Violation>,
    },
    /// Templates were rendered, but not to manifests.
    #[error("{error}")]
    Invalid {
        /// Why.
        error: String,
        /// All rendered text, for finding the fault.
        manifest: String,
        /// The rendered line that is wrong, where it is known.
        excerpt: Option<Box<Excerpt>>,
    },
}

fn failed(text: impl Into<String>) -> ActionError {
    ActionError::Failed(text.into())
}

impl From<RenderError> for ActionError {
    fn from(error: RenderError) -> Self {
        let RenderError { text, fault } = error;
        match fault.map(Box::new) {
            Some(fault) => Self::Template { text, fault },
            None => Self::Failed(text),
        }
    }
}

impl From<SchemaError> for ActionError {
    fn from(error: SchemaError) -> Self {
        let SchemaError { text, violations } = error;
        Self::Schema {
            text: format!(
                "values don't meet the specifications of the schema(s) in the following chart(s):\n{text}"
            ),
            violations,
        }
    }
}

/// Checks that a chart may be installed and has what it declares.
///
/// # Errors
/// The chart is a library, or a declared chart is missing.
pub fn check_installable(chart: &Chart) -> Result<(), String> {
    if !matches!(chart.metadata.chart_type.as_str(), "" | "application") {
        return Err(format!(
            "{} charts are not installable",
            chart.metadata.chart_type
        ));
    }
    let missing = dependencies::missing(chart);
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "an error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        missing.join(", ")
    ))
}

/// How Helm 4 begins what is wrong with the values of inner charts.
pub const DEPENDENCIES_FAILED: &str = "chart dependencies processing failed";

/// Values that the templates of the root chart see; what is odd about them is noted.
///
/// # Errors
/// As [`render_release`].
pub fn coalesced(
    chart: &mut Chart,
    values: &Map,
    version: Version,
    notes: &mut Vec<Note>,
) -> Result<Map, String> {
    let mut coalescer = Coalescer::new(version);
    let all = dependencies::process_with(chart, values, &mut coalescer)
        .map_err(|error| format!("{DEPENDENCIES_FAILED}: {error}"))
        .and_then(|()| coalescer.coalesce(chart, values));
    notes.append(&mut coalescer.warnings);
    all
}

/// Changes rendered files, by path, before they become hooks and manifests; notes are not among them.
pub type PostRender<'p> =
    dyn Fn(BTreeMap<String, Text>) -> Result<BTreeMap<String, Text>, String> + 'p;

/// Renders a release.
///
/// # Errors
/// Any step fails, in Helm's words.
pub fn render_release(
    chart: Chart,
    user: &Map,
    options: &Options,
    world: &World,
) -> Result<Rendered, ActionError> {
    render_release_with(chart, user, options, world, None)
}

/// Renders a release and lets a post-renderer change it.
///
/// # Errors
/// Any step fails, in Helm's words.
pub fn render_release_with(
    mut chart: Chart,
    user: &Map,
    options: &Options,
    world: &World,
    post_render: Option<&PostRender<'_>>,
) -> Result<Rendered, ActionError> {
    let version = options.capabilities.helm;
    check_installable(&chart).map_err(failed)?;
    if version == Version::V4 && chart.metadata.api_version == "v3" {
        // Helm 4 reads and shows such charts; it does not install them yet.
        return Err(failed("invalid chart apiVersion"));
    }
    let mut notes = Vec::new();
    let values = coalesced(&mut chart, user, version, &mut notes);
    world.say_all(notes);
    // Helm 3 does not say what it was at.
    let shown = |text: String| match text.strip_prefix(DEPENDENCIES_FAILED) {
        Some(rest) if version == Version::V3 => rest.trim_start_matches(": ").to_owned(),
        _ => text,
    };
    let values = values.map_err(|error| failed(shown(error)))?;
    if !options.skip_schema {
        schema::validate(&chart, &values, world)?;
    }
    let range = &chart.metadata.kube_version;
    let kube = &options.capabilities.kube_version;
    if !range.is_empty() && !dependencies::in_range(range, &kube.normalized) {
        return Err(failed(format!(
            "chart requires kubeVersion: {range} which is incompatible with Kubernetes {}",
            kube.version
        )));
    }
    let input = RenderInput {
        chart: &chart,
        values: &values,
        release: &options.release,
        capabilities: &options.capabilities,
        strict: options.strict,
        world,
    };
    let mut files = render(&input)?;
    let notes = take_notes(&mut files, chart.name(), options.sub_notes);
    if let Some(post_render) = post_render {
        files = post_render(files).map_err(|error| {
            failed(format!("error while running post render on files: {error}"))
        })?;
    }
    let mut odd = Vec::new();
    let sorted = sort_manifests(&files, version, &mut odd);
    world.say_all(odd);
    let (hooks, manifests) = sorted.map_err(|error| ActionError::Invalid {
        excerpt: invalid_line(&files, &error, version).map(Box::new),
        error,
        manifest: joined(
            &files
                .iter()
                .map(|(path, text)| (path.as_str(), text.to_str()))
                .filter(|(_, text)| !text.trim().is_empty())
                .collect::<Vec<_>>(),
        ),
    })?;
    let crds = options.include_crds.then(|| chart.crds());
    let crds = crds.iter().flatten();
    let crds = crds.map(|crd| (crd.path.as_str(), String::from_utf8_lossy(&crd.data)));
    let own = manifests.iter();
    let own = own.map(|one| (one.path.as_str(), Cow::from(&one.content)));
    let manifest = joined(&crds.chain(own).collect::<Vec<_>>());
    Ok(Rendered {
        hooks,
        manifests,
        manifest,
        notes,
        chart: Some(chart),
        values: Some(values),
    })
}

/// The rendered line that keeps a file from being YAML.
fn invalid_line(files: &BTreeMap<String, Text>, error: &str, version: Version) -> Option<Excerpt> {
    let rest = error.strip_prefix("YAML parse error on ")?;
    let (path, text) = files.iter().find(|(path, _)| {
        rest.strip_prefix(path.as_str())
            .is_some_and(|r| r.starts_with(": "))
    })?;
    for document in crate::manifest::split(&text.to_str(), version) {
        let read = kyaml::parse_first(document.as_bytes(), &kyaml::ReadOptions::v11());
        let Err(error) = read else { continue };
        let line = (error.mark.line as usize).max(1);
        let mut excerpt = line_excerpt(document.as_bytes(), path, line);
        excerpt.file = format!("{path} (as rendered)");
        return Some(excerpt);
    }
    None
}

/// Documents, each with where it comes from, as one text.
fn joined(documents: &[(&str, Cow<'_, str>)]) -> String {
    let sizes = documents
        .iter()
        .map(|(path, text)| path.len() + text.len() + 20);
    let mut out = String::with_capacity(sizes.sum());
    for (path, text) in documents {
        let _ = write!(out, "---\n# Source: {path}\n{text}\n");
    }
    out
}

/// Takes the notes out of the rendered files.
fn take_notes(files: &mut BTreeMap<String, Text>, chart: &str, all: bool) -> String {
    const SUFFIX: &str = "NOTES.txt";
    let own = format!("{chart}/templates/{SUFFIX}");
    let mut notes: Vec<String> = Vec::new();
    files.retain(|path, text| {
        if !path.ends_with(SUFFIX) {
            return true;
        }
        if all || *path == own {
            notes.push(text.to_str().into_owned());
        }
        false
    });
    notes.join("\n")
}

/// What `helm template` prints of a release besides its manifests.
#[derive(Clone, Debug, Default)]
pub struct PrintOptions {
    /// Hooks are left out.
    pub no_hooks: bool,
    /// Test hooks are left out.
    pub skip_tests: bool,
    /// Only these templates, by patterns on the path inside the chart.
    pub show_only: Vec<String>,
}

/// Prints a release as `helm template` does.
///
/// # Errors
/// A pattern of `show_only` matches nothing.
pub fn print(
    rendered: &Rendered,
    options: &PrintOptions,
    version: Version,
) -> Result<String, String> {
    let all = pieces(rendered, options).concat();
    if options.show_only.is_empty() {
        return Ok(all);
    }
    show_only(&all, &options.show_only, version)
}

/// What [`print`] joins where it shows all: manifests, then hooks.
pub fn pieces<'r>(rendered: &'r Rendered, options: &PrintOptions) -> Vec<Cow<'r, str>> {
    let mut pieces = vec![Cow::from(rendered.manifest.trim()), Cow::from("\n")];
    for hook in &rendered.hooks {
        if options.no_hooks
            || (options.skip_tests && hook.events.iter().any(|event| event == "test"))
        {
            continue;
        }
        let text = format!("---\n# Source: {}\n{}\n", hook.path, hook.manifest);
        pieces.push(text.into());
    }
    pieces
}

fn show_only(all: &str, patterns: &[String], version: Version) -> Result<String, String> {
    let documents = crate::manifest::split(all, version);
    let mut out = String::new();
    for pattern in patterns {
        let mut found = false;
        for document in &documents {
            let source = document
                .split("# Source: ")
                .nth(1)
                .and_then(|rest| rest.lines().next());
            let Some((_, path)) = source.and_then(|source| source.split_once('/')) else {
                continue;
            };
            if filetree::glob::matches(pattern, path).unwrap_or(false) {
                let _ = write!(out, "---\n{document}\n");
                found = true;
            }
        }
        if !found {
            return Err(format!("could not find template {pattern} in chart"));
        }
    }
    Ok(out)
}

//! Rendering: all templates of all charts in one set, each file run with its chart's context.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::{
    Map, MissingKey, ParseError, Run, RunError, Set, Text, Tree, Value, trace, with_deep_stack,
};

use crate::Version;
use crate::capabilities::Capabilities;
use crate::chart::Chart;
use crate::context::{Files, Release, capabilities_value, chart_value};
use crate::dependencies::table_at;
use crate::explain::{TemplateFault, line_excerpt};
use crate::failure;
use crate::functions::{World, registry, without_no_value};
use crate::values_type::values_kind;

/// What a chart is rendered with.
pub struct RenderInput<'a> {
    /// The chart, dependencies processed.
    pub chart: &'a Chart,
    /// Coalesced values.
    pub values: &'a Map,
    /// The release.
    pub release: &'a Release,
    /// Capabilities.
    pub capabilities: &'a Capabilities,
    /// Whether a missing key is an error.
    pub strict: bool,
    /// The world.
    pub world: &'a World,
}

/// One template file and the context it runs in.
struct Renderable {
    text: Text,
    context: Map,
    base_path: String,
}

/// Why charts could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct RenderError {
    /// Helm's words.
    pub text: String,
    /// Where.
    pub fault: Option<TemplateFault>,
}

impl From<String> for RenderError {
    fn from(text: String) -> Self {
        Self { text, fault: None }
    }
}

/// Renders every file but partials. The keys are paths with the charts' paths before them.
///
/// # Errors
/// A template does not parse or fails, in the words of that version of Helm.
pub fn render(input: &RenderInput<'_>) -> Result<BTreeMap<String, Text>, RenderError> {
    with_deep_stack(|| render_here(input))?
}

fn render_here(input: &RenderInput<'_>) -> Result<BTreeMap<String, Text>, RenderError> {
    let version = input.capabilities.helm;
    let files = renderables(input);
    let missing = if input.strict {
        MissingKey::Error
    } else {
        MissingKey::Zero
    };
    let mut set = Set::new("gotpl", Arc::new(registry(version)), missing);
    let order = parse_order(&files);
    for path in &order {
        let text = &files[*path].text;
        set.parse(path, text)
            .map_err(|error| parse_error(&error, path, text))?;
    }
    run_all(&Arc::new(set), &files, &order, version, input.world)
}

fn run_all(
    set: &Arc<Set>,
    files: &BTreeMap<String, Renderable>,
    order: &[&String],
    version: Version,
    world: &World,
) -> Result<BTreeMap<String, Text>, RenderError> {
    let mut run = Run::new(set.clone(), world);
    let mut rendered = BTreeMap::new();
    for path in order {
        if path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with('_'))
        {
            continue;
        }
        let file = &files[*path];
        let template = [
            ("Name".into(), Value::text(path.as_str())),
            ("BasePath".into(), Value::text(file.base_path.as_str())),
        ];
        let template = Map::of(values_kind(version), template.into_iter().collect());
        file.context.set("Template", Value::Map(template));
        let data = Value::Map(file.context.as_kind(values_kind(version)));
        let out = run
            .execute(path.as_bytes(), &data)
            .map_err(|error| exec_error(&error, path, version))?;
        rendered.insert((*path).clone(), Text::from(without_no_value(out)));
    }
    Ok(rendered)
}

fn parse_error(error: &ParseError, path: &str, text: &Text) -> RenderError {
    let excerpt = line_excerpt(text, path, error.line);
    RenderError {
        text: failure::parse_text(error),
        fault: Some(TemplateFault::Parse(excerpt)),
    }
}

fn exec_error(error: &RunError, path: &str, version: Version) -> RenderError {
    let fault = match error {
        RunError::Exec(exec) => Some(TemplateFault::Exec {
            file: path.to_owned(),
            levels: trace::levels(exec),
        }),
        RunError::Missing { .. } => None,
    };
    RenderError {
        text: failure::exec_text(version, error),
        fault,
    }
}

/// Deepest paths first, in equal depth the lexically last first.
fn parse_order(files: &BTreeMap<String, Renderable>) -> Vec<&String> {
    let mut order: Vec<&String> = files.keys().collect();
    order.sort_by_key(|path| (path.matches('/').count(), path.as_bytes()));
    order.reverse();
    order
}

fn renderables(input: &RenderInput<'_>) -> BTreeMap<String, Renderable> {
    let version = input.capabilities.helm;
    let shared = Shared {
        release: input.release.value(),
        capabilities: capabilities_value(input.capabilities),
        version,
    };
    let mut files = BTreeMap::new();
    collect(
        &shared,
        input.chart,
        input.chart.name(),
        true,
        input.values,
        &mut files,
    );
    files
}

struct Shared {
    release: Value,
    capabilities: Value,
    version: Version,
}

fn collect(
    shared: &Shared,
    chart: &Chart,
    path: &str,
    is_root: bool,
    values: &Map,
    files: &mut BTreeMap<String, Renderable>,
) -> Map {
    let subcharts = Map::new(Tree::new());
    let context = Map::new(
        [
            (
                "Chart".into(),
                chart_value(&chart.metadata, is_root, shared.version),
            ),
            (
                "Files".into(),
                Value::object(Files::new(&chart.files, shared.version)),
            ),
            ("Release".into(), shared.release.clone()),
            ("Capabilities".into(), shared.capabilities.clone()),
            (
                "Values".into(),
                Value::Map(values.as_kind(values_kind(shared.version))),
            ),
            ("Subcharts".into(), Value::Map(subcharts.clone())),
        ]
        .into_iter()
        .collect(),
    );
    for sub in &chart.dependencies {
        let name = sub.name();
        let inner = table_at(values, name).unwrap_or_else(|| Map::new(Tree::new()));
        let inner_path = format!("{path}/charts/{name}");
        let inner = collect(shared, sub, &inner_path, false, &inner, files);
        subcharts.set(name, Value::Map(inner));
    }
    for file in &chart.templates {
        let partial = file
            .name
            .rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with('_'));
        if chart.is_library() && !partial {
            continue;
        }
        files.insert(
            format!("{path}/{}", file.name),
            Renderable {
                text: Text::from(file.data.bytes().clone()),
                context: context.clone(),
                base_path: format!("{path}/templates"),
            },
        );
    }
    context
}

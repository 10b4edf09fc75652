//! `values.schema.json`: values of every chart checked after coalescing.
//!
//! The checker walks schemas as the library that Helm uses does, so that the lines of violations and their
//! nesting agree. References to other documents lead to a loader of the caller's; without one they are an error.

mod address;
mod compile;
mod decimal;
mod direct;
mod document;
mod draft;
mod fault;
mod format;
mod outside;
mod plain;
mod run;
mod tree;

use gotemplate::{Map, Value, with_deep_stack};

use crate::chart::Chart;
use crate::convert::to_json;
use crate::explain::Violation;
use crate::functions::World;
use crate::note::Note;
use outside::{Loaded, Outside};

use tree::Tree;

/// Values that schemas do not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SchemaError {
    /// The lines of all violations, chart by chart.
    pub text: String,
    /// Which values.
    pub violations: Vec<Violation>,
}

/// Checks the values of a chart and of those inside it.
///
/// # Errors
/// Some value is not allowed, or a schema cannot be used.
pub fn validate(chart: &Chart, values: &Map, world: &World) -> Result<(), SchemaError> {
    let mut error = SchemaError {
        text: String::new(),
        violations: Vec::new(),
    };
    collect(chart, values, world, &mut Vec::new(), &mut error);
    if error.text.is_empty() {
        Ok(())
    } else {
        Err(error)
    }
}

fn collect(
    chart: &Chart,
    values: &Map,
    world: &World,
    charts: &mut Vec<String>,
    error: &mut SchemaError,
) {
    if world.debug {
        debug(chart, world);
    }
    if let Some(schema) = &chart.schema
        && let Err(found) = world.check(schema, values)
    {
        error
            .text
            .push_str(&format!("{}:\n{}", chart.name(), found.text));
        let violations = found.paths.into_iter().map(|path| Violation {
            charts: charts.clone(),
            path,
        });
        error.violations.extend(violations);
    }
    for sub in &chart.dependencies {
        match values.get(sub.name().as_bytes()) {
            Some(Value::Map(inner)) => {
                charts.push(sub.name().to_owned());
                collect(sub, &inner, world, charts, error);
                charts.pop();
            }
            None | Some(Value::Nil) => {}
            Some(other) => {
                let (name, type_name) = (sub.name(), other.type_name());
                error.text.push_str(&format!(
                    "{name}:\ninvalid type for values: expected object (map), got {type_name}\n"
                ));
                error.violations.push(Violation {
                    charts: charts.clone(),
                    path: vec![name.to_owned()],
                });
            }
        }
    }
}

/// What Helm 4 tells about a chart before its inner charts, with `--debug`.
fn debug(chart: &Chart, world: &World) {
    let name = || chart.name().to_owned();
    if let Some(schema) = &chart.schema {
        world.say(Note::Debug("chart name", vec![("chart-name", name())]));
        let text = String::from_utf8_lossy(schema).into_owned();
        world.say(Note::Debug(
            "unmarshalled JSON schema",
            vec![("schema", text)],
        ));
    }
    let count = chart.dependencies.len().to_string();
    let fields = vec![("chart", name()), ("dependencies", count)];
    world.say(Note::Debug("number of dependencies in the chart", fields));
}

/// Values that one schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleError {
    /// Lines of violations, or why the schema cannot be used.
    pub text: String,
    /// Paths of the values.
    pub paths: Vec<Vec<String>>,
}

impl From<String> for SingleError {
    fn from(text: String) -> Self {
        Self {
            text,
            paths: Vec::new(),
        }
    }
}

/// Brings documents that a schema refers to.
pub trait SchemaLoader: Send + Sync {
    /// The document at an address (`http`, `https` or `file`).
    ///
    /// # Errors
    /// It cannot be had; the schema is refused with this text.
    fn load(&self, url: &str) -> Result<Vec<u8>, String>;
}

/// Checks values against one schema. Documents elsewhere are refused where there is no loader.
///
/// # Errors
/// Some value is not allowed, or the schema cannot be used.
pub fn validate_single(
    schema: &[u8],
    values: &Map,
    loader: Option<&dyn SchemaLoader>,
    notes: &mut Vec<Note>,
) -> Result<(), SingleError> {
    let tree = Tree::read(schema);
    let whole = match &tree {
        Some(_) => None,
        None => Some(read_schema(schema)?),
    };
    let values = to_json(&Value::Map(values.clone())).map_err(|error| error.to_string())?;
    if tree.is_some_and(|tree| direct::allows(&tree, &values)) {
        return Ok(());
    }
    let schema = whole.map_or_else(|| read_schema(schema), Ok)?;
    // Schemas nest as deep as they like to; the check has a stack of its own.
    let mut loaded = Loaded::new();
    let outcome = loop {
        let (outcome, wanted, urns) = with_deep_stack(|| {
            let outside = Outside::new(&loaded);
            let program = compile::compile(&schema, &outside);
            let outcome = program.map(|program| run::check(&program, &values));
            (outcome, outside.wanted(), outside.urns.take())
        })?;
        if outcome.is_err() && loader.is_some_and(|it| outside::bring(&mut loaded, wanted, it)) {
            continue;
        }
        notes.extend(urns);
        break outcome;
    };
    let Some(fault) = outcome? else {
        return Ok(());
    };
    let mut error = SingleError::from(String::new());
    for cause in fault.parts() {
        cause.write(0, &mut error.text);
        cause.leaves(&mut error.paths);
    }
    Err(error)
}

/// Reads a schema as a stream decoder does, with its words.
fn read_schema(text: &[u8]) -> Result<serde_json::Value, String> {
    if text.trim_ascii().is_empty() {
        return Err("EOF".to_owned());
    }
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<serde_json::Value>();
    match stream.next() {
        Some(Ok(schema)) => {
            if text[stream.byte_offset()..].trim_ascii().is_empty() {
                return Ok(schema);
            }
            Err("invalid character after top-level value".to_owned())
        }
        Some(Err(error)) if error.is_eof() => Err("unexpected EOF".to_owned()),
        _ => match gotemplate::json::parse(text) {
            Ok(value) => to_json(&value).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
    }
}

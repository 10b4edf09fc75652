//! Bodies in the form of their kind: what decoding into Go structs (or pruning by a CRD's schema) does to them.

use cluster::{StatusCause, Validation};
use objects::decode::{Rules, decode};
use objects::{Map, Value};

use crate::catalog::Resource;
use crate::engine::{Context, Repeated, WriteOptions};
use crate::failure::{Answered, Failure, Named};
use crate::fields::schema_of;

/// Where a body comes from: the failures differ.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// The body of a create or replace.
    Body,
    /// The outcome of a patch; what failures show of it.
    Patch(&'a dyn Fn() -> String),
}

/// Drops, warns about or refuses unknown fields, refuses wrong types, writes values in their normal form.
pub fn shape(
    context: &Context,
    resource: &Resource,
    object: &mut Map,
    options: &WriteOptions,
    repeated: &Repeated,
    source: Source<'_>,
) -> Answered<()> {
    let unknown = coerce(resource, object).map_err(|why| refuse(resource, &why, source))?;
    let problems = problems(resource, unknown, repeated);
    match options.validation {
        Validation::Strict if !(problems.is_empty() && repeated.lines.is_empty()) => {
            let mut told = Vec::new();
            if !repeated.lines.is_empty() {
                let lines = repeated.lines.join("\n  ");
                told.push(format!("yaml: unmarshal errors:\n  {lines}"));
            }
            told.extend(problems);
            let why = format!("strict decoding error: {}", told.join(", "));
            Err(refuse(resource, &why, source))
        }
        Validation::Default => {
            for problem in repeated.lines.iter().cloned().chain(problems) {
                context.warn(problem);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Lists repeated and unknown fields; those of built-in kinds in the order of the text, as Go's decoder meets them.
fn problems(resource: &Resource, unknown: Vec<String>, repeated: &Repeated) -> Vec<String> {
    let duplicate = repeated.paths.iter().map(|path| (path, "duplicate"));
    let unknown = unknown.iter().map(|path| (path, "unknown"));
    let mut found: Vec<(&String, &str)> = duplicate.chain(unknown).collect();
    if found.len() > 1 && resource.custom.is_none() && !repeated.text.is_empty() {
        let places = crate::engine::positions(&repeated.text);
        found.sort_by_key(|(path, _)| places.get(path.as_str()).copied());
    }
    let tell = |(path, what)| format!("{what} field \"{path}\"");
    found.into_iter().map(tell).collect()
}

/// Brings an object into form without telling anybody; what does not fit stays as it is.
pub fn settle(resource: &Resource, object: &mut Map) -> Answered<()> {
    coerce(resource, object)
        .map(|_| ())
        .map_err(|why| refuse(resource, &why, Source::Body))
}

fn coerce(resource: &Resource, object: &mut Map) -> Result<Vec<String>, String> {
    let (schema, ty) = schema_of(resource);
    let rules = if resource.custom.is_some() {
        Rules::Custom
    } else {
        Rules::Builtin
    };
    let managed = crate::engine::metadata_mut(object).remove("managedFields");
    let outcome = decode(&schema, ty, object, rules).map_err(|error| error.to_string());
    if let Some(managed) = managed {
        crate::engine::metadata_mut(object).insert("managedFields".into(), managed);
    }
    outcome
}

/// Builds the failure of a body or patch that does not decode.
pub fn refuse(resource: &Resource, why: &str, source: Source<'_>) -> Box<Failure> {
    match source {
        Source::Body => {
            let kind = resource.kind();
            Failure::bad_request(format!(
                "{kind} in version \"{}\" cannot be handled as a {kind}: {why}",
                resource.version()
            ))
        }
        Source::Patch(shown) => {
            let cause = StatusCause {
                reason: "FieldValueInvalid".into(),
                message: format!("Invalid value: {}: {why}", Value::from(shown())),
                field: "patch".into(),
            };
            let nothing = Named {
                group: "",
                kind: "",
                name: "",
            };
            Failure::invalid(nothing, vec![cause])
        }
    }
}

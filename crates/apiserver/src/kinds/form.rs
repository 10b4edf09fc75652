//! Bodies in the form of their kind: what decoding into Go structs (or pruning by a CRD's schema) does to them.

use cluster::{StatusCause, Validation};
use objects::decode::{Rules, decode};
use objects::{Map, Value};

use crate::catalog::Resource;
use crate::engine::{Context, WriteOptions};
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
    duplicates: &[String],
    source: Source<'_>,
) -> Answered<()> {
    let unknown = coerce(resource, object).map_err(|why| refuse(resource, &why, source))?;
    let mut problems: Vec<String> = duplicates
        .iter()
        .map(|path| format!("duplicate field \"{path}\""))
        .collect();
    let unknown = unknown
        .iter()
        .map(|path| format!("unknown field \"{path}\""));
    problems.extend(unknown);
    match options.validation {
        Validation::Strict if !problems.is_empty() => {
            let why = format!("strict decoding error: {}", problems.join(", "));
            Err(refuse(resource, &why, source))
        }
        Validation::Default => {
            for problem in problems {
                context.warn(problem);
            }
            Ok(())
        }
        _ => Ok(()),
    }
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

//! Bodies in the form of their kind: what decoding into Go structs (or pruning by a CRD's schema) does to them.

use cluster::{StatusCause, Validation};
use objects::decode::{DecodeError, Rules, decode};
use objects::{Map, Value};

use crate::catalog::Resource;
use crate::engine::{Repeated, Write};
use crate::failure::{Answered, Failure, Named};
use crate::fields::schema_of;

/// Where a body comes from: the failures differ.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// The body of a create or replace.
    Body,
    /// The outcome of a patch; what failures show of it.
    Patch(&'a dyn Fn() -> String),
    /// The same of a strategic patch, which upstream converts by another way with words of its own.
    Strategic(&'a dyn Fn() -> String),
}

/// Drops, warns about or refuses unknown fields, refuses wrong types, writes values in their normal form.
pub(crate) fn shape(
    write: &Write<'_>,
    resource: &Resource,
    object: &mut Map,
    repeated: &Repeated,
    source: Source<'_>,
) -> Answered<()> {
    let unknown = coerce(resource, object).map_err(|error| {
        let why = match source {
            Source::Strategic(_) => converted(&error),
            _ => error.to_string(),
        };
        refuse(resource, &why, source)
    })?;
    let problems = problems(resource, unknown, repeated);
    match write.options.validation {
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
                write.context.warn(problem);
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
    let found = found.into_iter().map(tell);
    repeated.texts.iter().cloned().chain(found).collect()
}

/// Brings an object into form without telling anybody; what does not fit stays as it is.
pub fn settle(resource: &Resource, object: &mut Map) -> Answered<()> {
    coerce(resource, object)
        .map(|_| ())
        .map_err(|error| refuse(resource, &error.to_string(), Source::Body))
}

/// Says what upstream's converter of untyped objects says about a value of the wrong type.
fn converted(error: &DecodeError) -> String {
    let DecodeError::WrongType {
        found, expected, ..
    } = error
    else {
        return error.to_string();
    };
    let fraction = found.contains('.') || found.contains('e');
    let source = match found.as_str() {
        "array" => "slice",
        "object" => "map",
        number if number.starts_with("number") && fraction => "float64",
        number if number.starts_with("number") => "int64",
        other => other,
    };
    let convertible = match source {
        "float64" => expected.starts_with("int"),
        "int64" => expected == "string",
        _ => false,
    };
    if expected.starts_with("map[") {
        format!("cannot restore map from {source}")
    } else if expected.starts_with("[]") {
        format!("cannot restore slice from {source}")
    } else if expected.contains('.') {
        format!("cannot restore struct from: {source}")
    } else if convertible {
        format!("cannot convert {source} to {expected}")
    } else {
        format!("unrecognized type: {expected}")
    }
}

fn coerce(resource: &Resource, object: &mut Map) -> Result<Vec<String>, DecodeError> {
    let (schema, ty) = schema_of(resource);
    let rules = if resource.custom.is_some() {
        Rules::Custom
    } else {
        Rules::Builtin
    };
    let managed = crate::engine::metadata_mut(object).remove("managedFields");
    if resource.custom.is_some() {
        object.values_mut().for_each(whole_numbers);
    }
    let outcome = decode(&schema, ty, object, rules);
    if let Some(managed) = managed {
        crate::engine::metadata_mut(object).insert("managedFields".into(), managed);
    }
    outcome
}

/// Largest number that Go writes without an exponent or fraction and that is exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes numbers without a fraction as Go does: 4.0 as 4.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            if float.fract() == 0.0
                && float.abs() <= WHOLE_MAX
                && let Ok(whole) = format!("{float:.0}").parse::<i64>()
            {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
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
        Source::Patch(shown) | Source::Strategic(shown) => {
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

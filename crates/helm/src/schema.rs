//! `values.schema.json`: values of every chart checked after coalescing.
//!
//! The checker walks schemas as the library that Helm uses does, so that the lines of violations and their
//! nesting agree. Schemas are read from the chart alone: references to other documents are an error.

mod check;
mod fault;

use gotemplate::{Map, Value};

use crate::chart::Chart;
use crate::convert::to_json;
use check::Checker;
use fault::Fault;

/// Checks the values of a chart and of those inside it.
///
/// # Errors
/// The lines of all violations, chart by chart.
pub fn validate(chart: &Chart, values: &Map) -> Result<(), String> {
    let mut out = String::new();
    collect(chart, values, &mut out);
    if out.is_empty() { Ok(()) } else { Err(out) }
}

fn collect(chart: &Chart, values: &Map, out: &mut String) {
    if let Some(schema) = &chart.schema
        && let Err(text) = validate_one(schema, values)
    {
        out.push_str(&format!("{}:\n{text}", chart.name()));
    }
    for sub in &chart.dependencies {
        match values.get(sub.name().as_bytes()) {
            Some(Value::Map(inner)) => collect(sub, &inner, out),
            None | Some(Value::Nil) => {}
            Some(other) => {
                let type_name = other.type_name();
                let name = sub.name();
                out.push_str(&format!(
                    "{name}:\ninvalid type for values: expected object (map), got {type_name}\n"
                ));
            }
        }
    }
}

fn validate_one(schema: &[u8], values: &Map) -> Result<(), String> {
    let parsed = gotemplate::json::parse(schema).map_err(|error| error.to_string())?;
    let schema = to_json(&parsed).map_err(|error| error.to_string())?;
    let values = to_json(&Value::Map(values.clone())).map_err(|error| error.to_string())?;
    let checker = Checker::new(&schema)?;
    match checker.check(&values) {
        None => Ok(()),
        Some(fault) => {
            let mut out = String::new();
            let causes = if fault.is_group() {
                fault.causes
            } else {
                vec![fault]
            };
            causes
                .iter()
                .for_each(|cause| Fault::write(cause, 0, &mut out));
            Err(out)
        }
    }
}

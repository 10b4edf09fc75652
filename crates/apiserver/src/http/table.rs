//! Table answers: the columns of a kind and one row an object.

use jiff::Timestamp;
use objects::{Map, Value, json};

use super::respond::partial;
use crate::catalog::Resource;
use crate::engine::{Engine, Listing, Place, metadata_text};
use crate::kinds;

/// What a row says about its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
}

/// Builds the table of a list or of one object.
pub fn of_objects(
    engine: &Engine,
    place: &Place,
    objects: &[Map],
    include: Include,
    listing: &Listing,
) -> Value {
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| row(engine, place, object, include))
        .collect();
    let mut metadata = Map::new();
    let revision = match objects {
        [one] if listing.revision == 0 => metadata_text(one, "resourceVersion").to_owned(),
        _ => listing.revision.to_string(),
    };
    metadata.insert("resourceVersion".into(), revision.into());
    if !listing.continue_token.is_empty() {
        metadata.insert("continue".into(), listing.continue_token.clone().into());
    }
    if let Some(remaining) = listing.remaining {
        metadata.insert("remainingItemCount".into(), remaining.into());
    }
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns(place), "rows": rows,
    })
}

/// Builds the column definitions of a kind.
pub fn columns(place: &Place) -> Value {
    if place.sub == "scale" {
        let column = |name: &str, kind: &str, description: &str| json!({"name": name, "type": kind, "format": "", "description": description, "priority": 0});
        let text = |name: &str| crate::printers::description(&place.resource, name);
        return json!([
            {"name": "Name", "type": "string", "format": "", "description": text("Name"), "priority": 0},
            column("Desired", "integer", "replicas is the desired number of instances for the scaled object."),
            column("Available", "integer", "replicas is the actual number of observed instances of the scaled object."),
            column("Age", "string", text("Age")),
        ]);
    }
    let columns = place.resource.columns.iter().map(|column| {
        let description = match column.description.as_str() {
            "" if place.resource.custom.is_none() => {
                crate::printers::description(&place.resource, &column.name)
            }
            text => text,
        };
        json!({
            "name": column.name, "type": column.kind, "format": column.format,
            "description": description, "priority": column.priority,
        })
    });
    columns.collect()
}

/// Builds one row.
pub fn row(engine: &Engine, place: &Place, object: &Map, include: Include) -> Value {
    let now = engine.environment.clock.now();
    let cells = if place.sub == "scale" {
        scale_cells(object, now)
    } else {
        cells(engine, &place.resource, object, now)
    };
    let shown = match include {
        Include::None => Value::Null,
        Include::Metadata => partial(object),
        Include::Object => Value::Object(object.clone()),
    };
    json!({"cells": cells, "object": shown})
}

/// Builds the cells of an object's row, one for each column.
fn cells(engine: &Engine, resource: &Resource, object: &Map, now: Timestamp) -> Vec<Value> {
    if resource.custom.is_some() {
        return crate::crd::columns::cells(resource, object, now);
    }
    if resource.is("autoscaling", "horizontalpodautoscalers") && resource.version() == "v1" {
        // Upstream prints the internal form, which is that of v2.
        let modern = engine.builtin("autoscaling", "v2", "horizontalpodautoscalers");
        let mut converted = object.clone();
        kinds::convert::between("v1", &modern, &mut converted);
        return crate::printers::cells(&modern, &converted, now);
    }
    crate::printers::cells(resource, object, now)
}

fn scale_cells(scale: &Map, now: Timestamp) -> Vec<Value> {
    let replicas = |part: &str| {
        let number = scale.get(part).and_then(|p| p.get("replicas")?.as_i64());
        Value::from(number.unwrap_or(0))
    };
    let created = metadata_text(scale, "creationTimestamp").parse();
    vec![
        metadata_text(scale, "name").into(),
        replicas("spec"),
        replicas("status"),
        crate::age::since(created.unwrap_or(now), now).into(),
    ]
}

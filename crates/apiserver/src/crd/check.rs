//! What is wrong with a CRD: its names, its versions, the structure of its schemas.

use cluster::StatusCause;
use objects::{Map, Value};

use super::versions;
use crate::catalog::text;
use crate::failure::field;

/// Bound on nesting of schemas.
const DEPTH_MAX: usize = 100;

/// Finds everything that is wrong with a CRD; `live` is its state before an update.
pub fn validate(crd: &Map, live: Option<&Map>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    let empty = Map::new();
    let spec = crd.get("spec").and_then(Value::as_object).unwrap_or(&empty);
    let names = spec
        .get("names")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    check_names(crd, spec, names, &mut causes);
    check_versions(spec, &mut causes);
    check_conversion(spec, &mut causes);
    if let Some(before) = live
        .and_then(|live| live.get("spec"))
        .and_then(Value::as_object)
    {
        for member in ["group", "scope"] {
            if before.get(member) != spec.get(member) {
                let value = spec.get(member).cloned().unwrap_or(Value::Null);
                let path = format!("spec.{member}");
                causes.push(field::invalid(&path, &value, "field is immutable"));
            }
        }
    }
    causes
}

fn check_names(crd: &Map, spec: &Map, names: &Map, causes: &mut Vec<StatusCause>) {
    let group = text(spec, "group");
    let wanted = format!("{}.{group}", text(names, "plural"));
    let name = crate::engine::metadata_text(crd, "name");
    if name != wanted {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.push(field::invalid("metadata.name", &name.into(), why));
    }
    if group.is_empty() {
        causes.push(field::required("spec.group", ""));
    } else if group.split('.').count() < 2 {
        let why = "should be a domain with at least one dot";
        causes.push(field::invalid("spec.group", &group.into(), why));
    }
    match text(spec, "scope") {
        "" => causes.push(field::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => {
            let supported = ["Cluster", "Namespaced"];
            causes.push(field::not_supported(
                "spec.scope",
                &other.into(),
                &supported,
            ));
        }
    }
    for member in ["plural", "singular", "kind", "listKind"] {
        let value = text(names, member);
        let path = format!("spec.names.{member}");
        if value.is_empty() {
            causes.push(field::required(&path, ""));
            continue;
        }
        for problem in crate::names::dns_1035_label(&value.to_lowercase()) {
            causes.push(field::invalid(&path, &value.into(), &problem));
        }
    }
    if !text(names, "kind").is_empty() && text(names, "kind") == text(names, "listKind") {
        let why = "kind and listKind may not be the same";
        let value = text(names, "listKind");
        causes.push(field::invalid("spec.names.listKind", &value.into(), why));
    }
}

/// Refuses conversion by webhook where it would be needed: this server calls none.
fn check_conversion(spec: &Map, causes: &mut Vec<StatusCause>) {
    const PATH: &str = "spec.conversion.strategy";
    let conversion = spec.get("conversion").and_then(Value::as_object);
    match conversion.map_or("", |conversion| text(conversion, "strategy")) {
        "" | "None" => {}
        "Webhook" if versions(spec).count() < 2 => {}
        "Webhook" => causes.push(field::invalid(
            PATH,
            &"Webhook".into(),
            "conversion webhooks are not supported by the embedded API server; use None, or a single version",
        )),
        other => causes.push(field::not_supported(PATH, &other.into(), &["None", "Webhook"])),
    }
}

fn check_versions(spec: &Map, causes: &mut Vec<StatusCause>) {
    let all: Vec<&Map> = versions(spec).collect();
    let marked = all
        .iter()
        .filter(|v| v.get("storage") == Some(&Value::Bool(true)))
        .count();
    if marked != 1 {
        let value = spec.get("versions").cloned().unwrap_or(Value::Null);
        let why = "must have exactly one version marked as storage version";
        causes.push(field::invalid("spec.versions", &value, why));
    }
    for (index, version) in all.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        let name = text(version, "name");
        for problem in crate::names::dns_1035_label(name) {
            causes.push(field::invalid(
                &format!("{path}.name"),
                &name.into(),
                &problem,
            ));
        }
        let place = format!("{path}.schema.openAPIV3Schema");
        match version.get("schema").and_then(|s| s.get("openAPIV3Schema")) {
            None => causes.push(field::required(&place, "schemas are required")),
            Some(schema) => check_root(schema, &place, causes),
        }
    }
}

fn check_root(schema: &Value, place: &str, causes: &mut Vec<StatusCause>) {
    match schema.get("type").and_then(Value::as_str) {
        None => causes.push(field::required(
            &format!("{place}.type"),
            "must not be empty at the root",
        )),
        Some("object") => {}
        Some(other) => causes.push(field::invalid(
            &format!("{place}.type"),
            &other.into(),
            "must be object at the root",
        )),
    }
    structure(schema, place, causes, 0);
}

/// Checks that a schema is structural: every part has a type, defaults fit, list keys are there.
fn structure(schema: &Value, place: &str, causes: &mut Vec<StatusCause>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    let flag = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    if let Some(default) = schema.get("default") {
        let mut found = super::schema::validate_value(schema, default);
        for cause in &mut found {
            cause.field = if cause.field.is_empty() {
                format!("{place}.default")
            } else {
                format!("{place}.default.{}", cause.field)
            };
        }
        causes.extend(found);
    }
    if schema.get("x-kubernetes-list-type").and_then(Value::as_str) == Some("map") {
        check_list_map(schema, place, causes);
    }
    let missing = |inner: &Value| {
        inner
            .get("type")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
            && inner.get("x-kubernetes-int-or-string") != Some(&Value::Bool(true))
            && inner.get("x-kubernetes-preserve-unknown-fields") != Some(&Value::Bool(true))
    };
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let inner = format!("{place}.properties[{name}]");
        if missing(property) {
            causes.push(field::required(
                &format!("{inner}.type"),
                "must not be empty for specified object fields",
            ));
        }
        structure(property, &inner, causes, depth + 1);
    }
    if let Some(items) = schema.get("items") {
        let inner = format!("{place}.items");
        if missing(items) {
            causes.push(field::required(
                &format!("{inner}.type"),
                "must not be empty for specified array items",
            ));
        }
        structure(items, &inner, causes, depth + 1);
    } else if schema.get("type").and_then(Value::as_str) == Some("array") {
        causes.push(field::required(
            &format!("{place}.items"),
            "must be specified",
        ));
    }
    if let Some(additional) = schema.get("additionalProperties").filter(|a| a.is_object()) {
        let inner = format!("{place}.additionalProperties");
        if missing(additional) {
            causes.push(field::required(
                &format!("{inner}.type"),
                "must not be empty for specified object fields",
            ));
        }
        if schema.get("properties").is_some() {
            causes.push(field::forbidden(
                &inner,
                "additionalProperties and properties are mutual exclusive",
            ));
        }
        structure(additional, &inner, causes, depth + 1);
    }
    if flag("uniqueItems") {
        let why =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        causes.push(field::forbidden(&format!("{place}.uniqueItems"), why));
    }
}

fn check_list_map(schema: &Value, place: &str, causes: &mut Vec<StatusCause>) {
    let keys = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array);
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        causes.push(field::required(
            &format!("{place}.x-kubernetes-list-map-keys"),
            "must not be empty if x-kubernetes-list-type is map",
        ));
        return;
    };
    let items = &schema["items"];
    for key in keys.iter().filter_map(Value::as_str) {
        let property = &items["properties"][key];
        let required = items["required"]
            .as_array()
            .is_some_and(|list| list.iter().any(|r| r == key));
        if property.is_null() {
            causes.push(field::invalid(
                &format!("{place}.x-kubernetes-list-map-keys[0]"),
                &key.into(),
                "entries must all be names of item properties",
            ));
        } else if !required && property.get("default").is_none() {
            let path = format!("{place}.items.properties[{key}].default");
            let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            causes.push(field::required(&path, why));
        }
    }
}

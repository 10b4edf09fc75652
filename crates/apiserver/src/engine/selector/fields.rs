//! Field selectors: the terms of the text, the fields that each kind can be selected by, and their values.

use compact_str::CompactString;
use objects::{Map, Value};

use crate::catalog::{Resource, text};
use crate::failure::{Answered, Failure};

/// Reads the terms of a selector: field in its stored form, wanted value, whether it must differ.
pub(super) fn parse(resource: &Resource, text: &str) -> Answered<Vec<(String, String, bool)>> {
    let mut found = Vec::new();
    for term in split_terms(text) {
        let Some((field, value, differ)) = split_term(term) else {
            let why = format!("invalid selector: '{term}'; can't understand '{term}'");
            return Err(Failure::bad_request(why));
        };
        let value = unescape(value).map_err(|why| {
            let why = why.unwrap_or_else(|| text.to_owned());
            Failure::bad_request(format!("invalid field selector: {why}"))
        })?;
        // Upstream reads a term without a field as one that everything fits.
        if field.is_empty() && value.is_empty() && !differ {
            continue;
        }
        if !matches!(field, "metadata.name" | "metadata.namespace")
            && !selectable(resource).contains(&field)
        {
            return Err(Failure::bad_request(unknown_label(resource, field)));
        }
        let field = stored_field(resource, field);
        found.push((field, value, differ));
    }
    Ok(found)
}

fn unknown_label(resource: &Resource, field: &str) -> String {
    let known_words = resource.custom.is_some() || !selectable(resource).is_empty();
    if resource.is("batch", "jobs") {
        format!("field label \"{field}\" not supported for Job")
    } else if known_words {
        format!("field label not supported: {field}")
    } else {
        format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )
    }
}

pub(super) fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms.retain(|term| !term.is_empty());
    terms
}

pub(super) fn split_term(term: &str) -> Option<(&str, &str, bool)> {
    for (index, _) in term.char_indices() {
        for (operator, differ) in [("!=", true), ("==", false), ("=", false)] {
            if let Some(value) = term[index..].strip_prefix(operator) {
                return Some((&term[..index], value, differ));
            }
        }
    }
    None
}

/// Reads a value; the failure names a broken escape sequence, where that is the reason.
pub(super) fn unescape(value: &str) -> Result<String, Option<String>> {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                other => {
                    let sequence: String = std::iter::once('\\').chain(other).collect();
                    return Err(Some(format!("invalid escape sequence: {sequence}")));
                }
            },
            ',' | '=' => return Err(None),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Returns the fields that a kind can be selected by, besides name and namespace.
fn selectable(resource: &Resource) -> Vec<&str> {
    if let Some(custom) = &resource.custom {
        return custom.selectable.iter().map(String::as_str).collect();
    }
    let fields: &[&str] = match (resource.group(), resource.plural()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.host",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "secrets") => &["type"],
        ("", "namespaces") => &["status.phase"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("certificates.k8s.io", "certificatesigningrequests") => &["spec.signerName"],
        _ => &[],
    };
    fields.to_vec()
}

/// Translates the name of a selectable field of events into the stored form's.
fn stored_field(resource: &Resource, field: &str) -> String {
    if resource.is("", "pods") && field == "spec.host" {
        return "spec.nodeName".to_owned();
    }
    if resource.group() != "events.k8s.io" {
        return field.to_owned();
    }
    match field {
        "reportingController" => "reportingComponent".to_owned(),
        field => field.replacen("regarding.", "involvedObject.", 1),
    }
}

/// Returns the values of the fields that a kind can be selected by.
pub fn values(resource: &Resource, object: &Map) -> Vec<(CompactString, CompactString)> {
    selectable(resource)
        .into_iter()
        .map(|name| {
            let name = stored_field(resource, name);
            let value = selectable_value(object, &name);
            (name.into(), value)
        })
        .collect()
}

fn selectable_value(object: &Map, path: &str) -> CompactString {
    let mut parts = path.trim_start_matches('.').split('.');
    let first = parts.next().unwrap_or("");
    let found = parts.try_fold(object.get(first), |value, key| {
        Some(value.and_then(|value| value.get(key)))
    });
    let default = match path {
        "spec.hostNetwork" | "spec.unschedulable" => "false",
        "status.replicas" | "status.successful" => "0",
        _ => "",
    };
    match found.flatten() {
        Some(Value::String(text)) => text.into(),
        Some(Value::Object(source)) if path == "source" => text(source, "component").into(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string().into(),
        _ => default.into(),
    }
}

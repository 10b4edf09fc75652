//! What is wrong with a CRD: its names, versions, columns and subresources; schemas are checked in [`super::structural`].
//!
//! Paths are those of upstream's internal form, in which what all versions share stands at the top
//! (`spec.validation.openAPIV3Schema`). Recorded from apiextensions-apiserver 0.35.

use cluster::StatusCause;
use objects::{Map, Value};

use super::{is_true, structural, versions};
use crate::catalog::text;
use crate::failure::field;

/// Types of printer columns.
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];
const APPROVAL: &str = "api-approved.kubernetes.io";

/// Finds everything that is wrong with a CRD; `live` is its state before an update.
pub fn validate(crd: &Map, live: Option<&Map>) -> Vec<StatusCause> {
    let mut causes = Vec::new();
    let empty = Map::new();
    let spec = crd.get("spec").and_then(Value::as_object).unwrap_or(&empty);
    let names = spec
        .get("names")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    check_group(crd, spec, names, &mut causes);
    check_names(names, &mut causes);
    check_versions(crd, spec, &mut causes);
    check_parts(spec, &mut causes);
    check_conversion(spec, &mut causes);
    if spec.get("preserveUnknownFields") == Some(&Value::Bool(true)) {
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.push(field::invalid(
            "spec.preserveUnknownFields",
            &true.into(),
            why,
        ));
    }
    if let Some(live) = live {
        check_update(spec, names, live, &mut causes);
    }
    causes
}

fn check_update(spec: &Map, names: &Map, live: &Map, causes: &mut Vec<StatusCause>) {
    let Some(before) = live.get("spec").and_then(Value::as_object) else {
        return;
    };
    let old_names = before.get("names").and_then(Value::as_object);
    let mut keep = |path: &str, old: Option<&Value>, new: Option<&Value>| {
        if old != new {
            let value = new.cloned().unwrap_or(Value::Null);
            causes.push(field::invalid(path, &value, "field is immutable"));
        }
    };
    keep("spec.group", before.get("group"), spec.get("group"));
    let old_name = |key: &str| old_names.and_then(|names| names.get(key));
    keep("spec.names.plural", old_name("plural"), names.get("plural"));
    if is_true(live, "Established") {
        keep("spec.scope", before.get("scope"), spec.get("scope"));
        keep("spec.names.kind", old_name("kind"), names.get("kind"));
    }
}

fn check_group(crd: &Map, spec: &Map, names: &Map, causes: &mut Vec<StatusCause>) {
    let group = text(spec, "group");
    let wanted = format!("{}.{group}", text(names, "plural"));
    let name = crate::engine::metadata_text(crd, "name");
    if name != wanted {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.push(field::invalid("metadata.name", &name.into(), why));
    }
    if group.is_empty() {
        causes.push(field::required("spec.group", ""));
    } else {
        for problem in objects::names::dns_subdomain(group) {
            causes.push(field::invalid("spec.group", &group.into(), &problem));
        }
        if group.split('.').count() < 2 {
            let why = "should be a domain with at least one dot";
            causes.push(field::invalid("spec.group", &group.into(), why));
        }
    }
    check_approval(crd, group, causes);
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
}

/// Groups of the Kubernetes project need an annotation.
fn check_approval(crd: &Map, group: &str, causes: &mut Vec<StatusCause>) {
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|own| group == *own || group.ends_with(&format!(".{own}")));
    if !protected {
        return;
    }
    let path = format!("metadata.annotations[{APPROVAL}]");
    let annotations = crd.get("metadata").and_then(|m| m.get("annotations"));
    match annotations.and_then(|a| a.get(APPROVAL)?.as_str()) {
        None | Some("") => {
            let why = format!(
                "protected groups must have approval annotation \"{APPROVAL}\", see https://github.com/kubernetes/enhancements/pull/1111"
            );
            causes.push(field::required(&path, &why));
        }
        Some(value) => {
            let url = value.parse::<http::Uri>();
            let url = url.is_ok_and(|url| url.host().is_some() && url.scheme().is_some());
            if !url && !value.starts_with("unapproved") {
                let why = format!(
                    "protected groups must have approval annotation \"{APPROVAL}\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111"
                );
                causes.push(field::invalid(&path, &value.into(), &why));
            }
        }
    }
}

fn check_names(names: &Map, causes: &mut Vec<StatusCause>) {
    for member in ["plural", "singular", "kind", "listKind"] {
        let value = text(names, member);
        let path = format!("spec.names.{member}");
        if value.is_empty() {
            causes.push(field::required(&path, ""));
            continue;
        }
        let mixed = matches!(member, "kind" | "listKind");
        let checked = if mixed {
            value.to_lowercase()
        } else {
            value.to_owned()
        };
        for problem in objects::names::dns_1035_label(&checked) {
            let start = if mixed {
                "may have mixed case, but should otherwise match: "
            } else {
                ""
            };
            causes.push(field::invalid(
                &path,
                &value.into(),
                &format!("{start}{problem}"),
            ));
        }
    }
    for list in ["shortNames", "categories"] {
        let words = names.get(list).and_then(Value::as_array);
        for (index, word) in words.into_iter().flatten().enumerate() {
            let path = format!("spec.names.{list}[{index}]");
            for problem in objects::names::dns_1035_label(word.as_str().unwrap_or("")) {
                causes.push(field::invalid(&path, word, &problem));
            }
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
    let webhook = conversion.and_then(|conversion| conversion.get("webhook"));
    let mut both = |make: fn(&str, &str) -> StatusCause, config: &str, reviews: &str| {
        causes.push(make("spec.conversion.webhookClientConfig", config));
        causes.push(make("spec.conversion.conversionReviewVersions", reviews));
    };
    match conversion.map_or("", |conversion| text(conversion, "strategy")) {
        "" | "None" if webhook.is_some() => {
            let why = "should not be set when strategy is not set to Webhook";
            both(field::forbidden, why, why);
        }
        "" | "None" => {}
        "Webhook" if webhook.is_none() => {
            both(field::required, "required when strategy is set to Webhook", "");
        }
        "Webhook" if versions(spec).count() < 2 => {}
        "Webhook" => causes.push(field::invalid(
            PATH,
            &"Webhook".into(),
            "conversion webhooks are not supported by the embedded API server; use None, or a single version",
        )),
        other => causes.push(field::not_supported(PATH, &other.into(), &["None", "Webhook"])),
    }
}

fn check_versions(crd: &Map, spec: &Map, causes: &mut Vec<StatusCause>) {
    let all: Vec<&Map> = versions(spec).collect();
    let mut names: Vec<&str> = all.iter().map(|version| text(version, "name")).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < all.len() {
        let why = "must contain unique version names";
        causes.push(field::invalid_shown("spec.versions", &internal(&all), why));
    }
    let stored: Vec<&&Map> = all
        .iter()
        .filter(|v| v.get("storage") == Some(&Value::Bool(true)))
        .collect();
    if stored.len() != 1 {
        let why = "must have exactly one version marked as storage version";
        causes.push(field::invalid_shown("spec.versions", &internal(&all), why));
    }
    let kept = crd
        .get("status")
        .and_then(|s| s.get("storedVersions")?.as_array());
    if stored.is_empty() && kept.is_none_or(Vec::is_empty) {
        let why = "must have at least one stored version";
        causes.push(field::invalid("status.storedVersions", &Value::Null, why));
    }
    for (index, version) in all.iter().enumerate() {
        let name = text(version, "name");
        let path = format!("spec.versions[{index}]");
        for problem in objects::names::dns_1035_label(name) {
            let place = format!("{path}.name");
            causes.push(field::invalid(&place, &name.into(), &problem));
            if index == 0 {
                causes.push(field::invalid("spec.version", &name.into(), &problem));
            }
        }
        check_deprecation(version, &path, causes);
        let schema = version.get("schema").and_then(|s| s.get("openAPIV3Schema"));
        if schema.is_none() {
            causes.push(field::required(
                &format!("{path}.schema.openAPIV3Schema"),
                "",
            ));
        }
    }
}

fn check_deprecation(version: &Map, path: &str, causes: &mut Vec<StatusCause>) {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else {
        return;
    };
    let place = format!("{path}.deprecationWarning");
    let value: Value = warning.into();
    if version.get("deprecated") != Some(&Value::Bool(true)) {
        let why = "can only be set for deprecated versions";
        causes.push(field::invalid(&place, &value, why));
    }
    if warning.is_empty() {
        causes.push(field::invalid(
            &place,
            &value,
            "must not be an empty string",
        ));
    }
    if let Some(at) = warning.find(char::is_control) {
        let why = format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {at}"
        );
        causes.push(field::invalid(&place, &value, &why));
    }
}

/// Writes versions in upstream's internal form, in which shared parts stand elsewhere.
fn internal(all: &[&Map]) -> String {
    let versions: Vec<String> = all
        .iter()
        .map(|version| {
            let flag = |key: &str| version.get(key) == Some(&Value::Bool(true));
            let warning = version.get("deprecationWarning").cloned();
            format!(
                "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":null,\"Subresources\":null,\"AdditionalPrinterColumns\":null,\"SelectableFields\":null}}",
                Value::from(text(version, "name")),
                flag("served"),
                flag("storage"),
                flag("deprecated"),
                warning.unwrap_or(Value::Null),
            )
        })
        .collect();
    format!("[{}]", versions.join(","))
}

/// Checks a part of each version: once at the top where all versions have the same.
fn check_parts(spec: &Map, causes: &mut Vec<StatusCause>) {
    let all: Vec<&Map> = versions(spec).collect();
    type Check = fn(&Value, &Map, &str, &mut Vec<StatusCause>);
    let parts: [(&str, &str, Check); 4] = [
        ("schema", "spec.validation", check_schema),
        ("subresources", "spec.subresources", check_scale),
        (
            "additionalPrinterColumns",
            "spec.additionalPrinterColumns",
            check_columns,
        ),
        (
            "selectableFields",
            "spec.selectableFields",
            check_selectable,
        ),
    ];
    for (key, top, check) in parts {
        let Some(first) = all.first() else { continue };
        let shared = all.iter().all(|version| version.get(key) == first.get(key));
        for (index, version) in all.iter().enumerate() {
            let Some(part) = version.get(key) else {
                continue;
            };
            if shared {
                check(part, version, top, causes);
                break;
            }
            check(
                part,
                version,
                &format!("spec.versions[{index}].{key}"),
                causes,
            );
        }
    }
}

fn check_schema(part: &Value, _: &Map, path: &str, causes: &mut Vec<StatusCause>) {
    if let Some(schema) = part.get("openAPIV3Schema") {
        structural::check(schema, &format!("{path}.openAPIV3Schema"), causes);
    }
}

fn check_scale(part: &Value, _: &Map, path: &str, causes: &mut Vec<StatusCause>) {
    let Some(scale) = part.get("scale").and_then(Value::as_object) else {
        return;
    };
    for (key, roots, required) in [
        ("specReplicasPath", &[".spec."][..], true),
        ("statusReplicasPath", &[".status."], true),
        ("labelSelectorPath", &[".spec.", ".status."], false),
    ] {
        let value = text(scale, key);
        let place = format!("{path}.scale.{key}");
        if value.is_empty() {
            if required {
                causes.push(field::required(&place, ""));
            }
        } else if !roots.iter().any(|root| value.starts_with(root)) {
            let roots: Vec<&str> = roots
                .iter()
                .map(|root| root.trim_end_matches('.'))
                .collect();
            let either = if roots.len() > 1 { "either " } else { "" };
            let why = format!("should be a json path under {either}{}", roots.join(" or "));
            causes.push(field::invalid(&place, &value.into(), &why));
        }
    }
}

fn check_columns(part: &Value, _: &Map, path: &str, causes: &mut Vec<StatusCause>) {
    let columns = part.as_array().into_iter().flatten();
    for (index, column) in columns.filter_map(Value::as_object).enumerate() {
        let at = |key: &str| format!("{path}[{index}].{key}");
        if text(column, "name").is_empty() {
            causes.push(field::required(&at("name"), ""));
        }
        let types = format!("must be one of {}", COLUMN_TYPES.join(","));
        match text(column, "type") {
            "" => causes.push(field::required(&at("type"), &types)),
            kind if !COLUMN_TYPES.contains(&kind) => {
                causes.push(field::invalid(&at("type"), &kind.into(), &types));
            }
            _ => {}
        }
        let format = text(column, "format");
        if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
            let why = format!("must be one of {}", COLUMN_FORMATS.join(","));
            causes.push(field::invalid(&at("format"), &format.into(), &why));
        }
        match text(column, "jsonPath") {
            "" => causes.push(field::required(&at("JSONPath"), "")),
            path if !path.starts_with('.') => {
                let why = "must be a simple json path starting with .";
                causes.push(field::invalid(&at("JSONPath"), &path.into(), why));
            }
            _ => {}
        }
    }
}

fn check_selectable(part: &Value, version: &Map, path: &str, causes: &mut Vec<StatusCause>) {
    let schema = version.get("schema").and_then(|s| s.get("openAPIV3Schema"));
    let mut seen: Vec<&str> = Vec::new();
    let fields = part.as_array().into_iter().flatten();
    for (index, item) in fields.filter_map(Value::as_object).enumerate() {
        let at = format!("{path}[{index}].jsonPath");
        let json_path = text(item, "jsonPath");
        if json_path.is_empty() {
            causes.push(field::required(&at, ""));
            continue;
        }
        let value: Value = json_path.into();
        match resolve(schema.unwrap_or(&Value::Null), json_path) {
            Err(why) => causes.push(field::invalid(&at, &value, &why)),
            Ok(found)
                if !matches!(
                    found.get("type").and_then(Value::as_str),
                    Some("string" | "boolean" | "integer")
                ) =>
            {
                let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
                causes.push(field::invalid(&at, &value, why));
            }
            Ok(_) => {}
        }
        if seen.contains(&json_path) {
            causes.push(field::duplicate(&at, &value));
        }
        seen.push(json_path);
    }
}

/// Follows a simple path through the properties of a schema.
pub fn resolve<'a>(schema: &'a Value, path: &str) -> Result<&'a Value, String> {
    let Some(rest) = path.strip_prefix('.') else {
        let first = path.split(['.', '[']).next().unwrap_or("");
        return Err(format!(
            "is an invalid path: expected [ or . but got: {first}"
        ));
    };
    rest.split('.').try_fold(schema, |schema, name| {
        schema
            .get("properties")
            .and_then(|properties| properties.get(name))
            .ok_or_else(|| "is an invalid path: does not refer to a valid field".to_owned())
    })
}

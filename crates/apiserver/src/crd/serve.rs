//! Definitions as served resources: one for each served version of a custom kind.
//!
//! Names, columns and subresources come from the definition; what is missing is filled in as upstream does.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cluster::ApiResource;
use objects::{Gvk, Map, Value};

use super::{CustomVersion, compare_versions, is_true, versions};
use crate::catalog::{Catalog, Column, Group, Resource, Subresource, table_name, text};
use crate::store::Entry;

/// Adds the kinds of established CRDs to a catalog.
pub fn extend(builtin: &Catalog, crds: &[Arc<Entry>]) -> Catalog {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut resources = Vec::new();
    for entry in crds {
        let crd = entry.decode("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        if !is_true(&crd, "Established") {
            continue;
        }
        for resource in served(&crd) {
            let versions = groups.entry(resource.group().to_owned()).or_default();
            if !versions.iter().any(|v| v == resource.version()) {
                versions.push(resource.version().to_owned());
            }
            resources.push(Arc::new(resource));
        }
    }
    let groups: Vec<Group> = groups
        .into_iter()
        .map(|(name, mut versions)| {
            versions.sort_by(|a, b| compare_versions(b, a));
            Group { name, versions }
        })
        .collect();
    resources.sort_by(|a, b| {
        let rank = |r: &Resource| {
            let group = groups.iter().find(|g| g.name == r.group());
            group.and_then(|g| g.versions.iter().position(|v| v == r.version()))
        };
        (a.group(), rank(a), a.plural()).cmp(&(b.group(), rank(b), b.plural()))
    });
    builtin.with_custom(groups, resources)
}

fn served(crd: &Map) -> Vec<Resource> {
    let spec = map_of(crd.get("spec"));
    let names = map_of(
        crd.get("status")
            .and_then(|status| status.get("acceptedNames")),
    );
    let storage = versions(&spec)
        .find(|v| v.get("storage") == Some(&Value::Bool(true)))
        .map(|v| text(v, "name").to_owned())
        .unwrap_or_default();
    versions(&spec)
        .filter(|version| version.get("served") == Some(&Value::Bool(true)))
        .map(|version| serve(crd, &spec, &names, version, &storage))
        .collect()
}

fn map_of(value: Option<&Value>) -> Map {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn serve(crd: &Map, spec: &Map, names: &Map, version: &Map, storage: &str) -> Resource {
    let gvk = Gvk::new(
        text(spec, "group"),
        text(version, "name"),
        text(names, "kind"),
    );
    let plural = text(names, "plural").to_owned();
    let texts = |key: &str| -> Vec<String> {
        names
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let subresources = subresources(&gvk, version);
    let custom = CustomVersion {
        crd: crd
            .get("metadata")
            .and_then(|m| m.get("name"))
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned(),
        terminating: crd
            .get("metadata")
            .is_some_and(|m| m.get("deletionTimestamp").is_some()),
        deprecation: deprecation(&gvk, version),
        schema: version
            .get("schema")
            .and_then(|s| s.get("openAPIV3Schema"))
            .cloned()
            .unwrap_or(Value::Null),
        scale: scale_paths(version),
        selectable: version
            .get("selectableFields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|f| f.get("jsonPath").and_then(Value::as_str))
            .map(|path| path.trim_start_matches('.').to_owned())
            .collect(),
        preserve_unknown: spec.get("preserveUnknownFields") == Some(&Value::Bool(true)),
        merge_schema: OnceLock::new(),
        rules: OnceLock::new(),
    };
    let verbs = [
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "create",
        "update",
        "watch",
    ];
    Resource {
        list_kind: text(names, "listKind").to_owned(),
        api_version: gvk.api_version(),
        table: table_name(&gvk.group, &plural),
        hash: storage_hash(&gvk, storage),
        columns: columns(version),
        custom: Some(Arc::new(custom)),
        api: Arc::new(ApiResource {
            plural,
            singular: text(names, "singular").to_owned(),
            short_names: texts("shortNames"),
            categories: texts("categories"),
            verbs: verbs.iter().map(ToString::to_string).collect(),
            subresources: subresources.iter().map(|s| s.name.clone()).collect(),
            namespaced: text(spec, "scope") == "Namespaced",
            gvk,
        }),
        subresources,
    }
}

fn storage_hash(gvk: &Gvk, storage: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let text = format!("{}/{storage}/{}", gvk.group, gvk.kind);
    let digest = sha2::Sha256::digest(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(&digest[..8])
}

fn deprecation(gvk: &Gvk, version: &Map) -> String {
    if version.get("deprecated") != Some(&Value::Bool(true)) {
        return String::new();
    }
    match text(version, "deprecationWarning") {
        "" => format!("{} {} is deprecated", gvk.api_version(), gvk.kind),
        words => words.to_owned(),
    }
}

fn subresources(gvk: &Gvk, version: &Map) -> Vec<Subresource> {
    let declared = version.get("subresources");
    let mut found = Vec::new();
    let verbs = ["get", "patch", "update"].map(str::to_owned).to_vec();
    if declared.is_some_and(|s| s.get("scale").is_some()) {
        found.push(Subresource {
            name: "scale".into(),
            gvk: Gvk::new("autoscaling", "v1", "Scale"),
            foreign: true,
            verbs: verbs.clone(),
        });
    }
    if declared.is_some_and(|s| s.get("status").is_some()) {
        found.push(Subresource {
            name: "status".into(),
            gvk: gvk.clone(),
            foreign: false,
            verbs,
        });
    }
    // Discovery lists status before scale for custom kinds.
    found.reverse();
    found
}

fn scale_paths(version: &Map) -> Option<(String, String, String)> {
    let scale = version.get("subresources")?.get("scale")?.as_object()?;
    Some((
        text(scale, "specReplicasPath").to_owned(),
        text(scale, "statusReplicasPath").to_owned(),
        text(scale, "labelSelectorPath").to_owned(),
    ))
}

fn columns(version: &Map) -> Vec<Column> {
    const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
    const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
    let mut columns = vec![Column {
        name: "Name".into(),
        kind: "string".into(),
        format: "name".into(),
        description: NAME.into(),
        ..Column::default()
    }];
    match version
        .get("additionalPrinterColumns")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
    {
        Some(list) => columns.extend(list.iter().filter_map(Value::as_object).map(column)),
        None => columns.push(Column {
            name: "Age".into(),
            kind: "date".into(),
            description: AGE.into(),
            path: ".metadata.creationTimestamp".into(),
            ..Column::default()
        }),
    }
    columns
}

fn column(column: &Map) -> Column {
    let description = match text(column, "description") {
        "" => format!(
            "Custom resource definition column (in JSONPath format): {}",
            text(column, "jsonPath")
        ),
        words => words.to_owned(),
    };
    Column {
        name: text(column, "name").to_owned(),
        kind: text(column, "type").to_owned(),
        format: text(column, "format").to_owned(),
        description,
        priority: column
            .get("priority")
            .and_then(Value::as_i64)
            .and_then(|p| i32::try_from(p).ok())
            .unwrap_or(0),
        path: text(column, "jsonPath").to_owned(),
    }
}

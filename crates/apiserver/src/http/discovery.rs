//! Discovery documents: the aggregated lists with their ETags, and the old lists.

use http::{HeaderMap, Response};
use objects::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::respond::{build, insert, to_bytes};
use super::route::Document;
use super::{ResponseBody, accept, full, header_text, status};
use crate::catalog::{Catalog, Group, Resource};
use crate::failure::{Answered, Failure};

/// Parameters of the aggregated form's media type.
const AGGREGATED: &str = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Answers a discovery request.
pub fn answer(
    catalog: &Catalog,
    document: &Document,
    accepted: &str,
    headers: &HeaderMap,
) -> Answered<Response<ResponseBody>> {
    let body = match document {
        Document::Api | Document::Apis => {
            return lists(catalog, *document == Document::Api, accepted, headers);
        }
        Document::Group(name) => {
            let group = catalog.group(name).ok_or_else(Failure::no_path)?;
            let mut body = group_value(group);
            body["kind"] = "APIGroup".into();
            body["apiVersion"] = "v1".into();
            body
        }
        Document::Version(group, version) => resource_list(catalog, group, version),
    };
    if matches!(document, Document::Version(..)) {
        accept::routed(accepted, &accept::ROUTED)?;
    }
    plain(body, accepted)
}

/// Builds the document of `/`.
pub fn root(catalog: &Catalog) -> Value {
    let mut paths: Vec<String> = [
        "/.well-known/openid-configuration",
        "/api",
        "/apis",
        "/apis/",
        "/metrics",
        "/metrics/slis",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
        "/openid/v1/jwks",
        "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    for endpoint in ["healthz", "livez", "readyz"] {
        paths.push(format!("/{endpoint}"));
        let checks = super::checks::of(endpoint).into_iter();
        paths.extend(checks.map(|check| format!("/{endpoint}/{check}")));
    }
    for group in &catalog.groups {
        if !group.name.is_empty() {
            paths.push(format!("/apis/{}", group.name));
        }
        for version in &group.versions {
            paths.push(version_path(&group.name, version));
        }
    }
    paths.sort();
    json!({"paths": paths})
}

fn version_path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    }
}

fn lists(
    catalog: &Catalog,
    core: bool,
    accepted: &str,
    headers: &HeaderMap,
) -> Answered<Response<ResponseBody>> {
    for entry in accept::entries(accepted) {
        match (entry.media, entry.target, entry.version) {
            (media, "APIGroupDiscoveryList", "v2")
                if entry.group == "apidiscovery.k8s.io" && accept::ROUTED.contains(&media) =>
            {
                return tagged(&aggregated(catalog, core), media, headers);
            }
            (media, "", _) if media == "*/*" || accept::ROUTED.contains(&media) => break,
            _ => {}
        }
    }
    if core {
        accept::routed(accepted, &accept::ROUTED)?;
        return plain(api(), accepted);
    }
    plain(apis(catalog), accepted)
}

/// Answers with a document of the old form in the encoding that the client prefers.
fn plain(body: Value, accepted: &str) -> Answered<Response<ResponseBody>> {
    let mut entries = accept::entries(accepted).into_iter();
    let media = entries.find_map(|entry| {
        let known = accept::ROUTED.iter().find(|media| **media == entry.media);
        match entry.media {
            _ if !entry.target.is_empty() => None,
            "*/*" | "application/*" => Some("application/json"),
            _ => known.copied(),
        }
    });
    let none = accepted.trim().is_empty();
    let Some(media) = media.or(none.then_some("application/json")) else {
        let types = accept::ROUTED.join(", ");
        let message = format!("only the following media types are accepted: {types}");
        return Err(Failure::new(406, "NotAcceptable", message));
    };
    let bytes = encoded(&body, media)?;
    Ok(build(200, media, bytes.into()))
}

/// Writes a discovery document as JSON, YAML or protobuf.
fn encoded(body: &Value, media: &str) -> Answered<Vec<u8>> {
    match (media, body) {
        ("application/yaml", body) => {
            crate::yaml::from_json(&to_bytes(body)).map_err(Failure::internal)
        }
        ("application/vnd.kubernetes.protobuf", Value::Object(map)) => crate::proto::encode(map)
            .ok_or_else(|| Failure::internal("this document has no protobuf form")),
        _ => Ok(to_bytes(body)),
    }
}

fn tagged(body: &Value, media: &str, headers: &HeaderMap) -> Answered<Response<ResponseBody>> {
    // One tag for all encodings, as upstream has it.
    let tag = hex::encode_upper(Sha256::digest(to_bytes(body)));
    let tag = format!("\"{tag}\"");
    let mut response = if header_text(headers, "if-none-match") == tag {
        let mut response = Response::new(full(bytes::Bytes::new()));
        *response.status_mut() = status(304);
        response
    } else {
        let content_type = format!("{media}{AGGREGATED}");
        build(200, &content_type, encoded(body, media)?.into())
    };
    let headers = response.headers_mut();
    insert(headers, "etag", &tag);
    insert(headers, "cache-control", "public");
    insert(headers, "vary", "Accept");
    Ok(response)
}

fn aggregated(catalog: &Catalog, core: bool) -> Value {
    let items: Vec<Value> = catalog
        .groups
        .iter()
        .filter(|group| group.name.is_empty() == core)
        .map(|group| aggregated_group(catalog, group))
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items,
    })
}

fn aggregated_group(catalog: &Catalog, group: &Group) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| {
            let resources: Vec<Value> = catalog
                .of_version(&group.name, version)
                .map(|resource| aggregated_resource(resource))
                .collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let metadata = if group.name.is_empty() {
        json!({})
    } else {
        json!({"name": group.name})
    };
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let api = &resource.api;
    let own = |kind: &str| {
        if resource.custom.is_some() {
            json!({"group": resource.group(), "version": resource.version(), "kind": kind})
        } else {
            json!({"group": "", "version": "", "kind": kind})
        }
    };
    let mut value = json!({
        "resource": api.plural,
        "responseKind": own(resource.kind()),
        "scope": if api.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": api.singular,
        "verbs": api.verbs,
    });
    if !api.short_names.is_empty() {
        value["shortNames"] = json!(api.short_names);
    }
    if !api.categories.is_empty() {
        value["categories"] = json!(api.categories);
    }
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|sub| {
            let kind = if sub.foreign {
                json!({"group": sub.gvk.group, "version": sub.gvk.version, "kind": sub.gvk.kind})
            } else {
                own(&sub.gvk.kind)
            };
            json!({"subresource": sub.name, "responseKind": kind, "verbs": sub.verbs})
        })
        .collect();
    if !subresources.is_empty() {
        value["subresources"] = Value::Array(subresources);
    }
    value
}

fn api() -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:443"}],
    })
}

fn apis(catalog: &Catalog) -> Value {
    let groups: Vec<Value> = catalog
        .groups
        .iter()
        .filter(|group| !group.name.is_empty())
        .map(group_value)
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn group_value(group: &Group) -> Value {
    let version = |version: &String| json!({"groupVersion": format!("{}/{version}", group.name), "version": version});
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    json!({
        "name": group.name, "versions": versions,
        "preferredVersion": versions.first().cloned().unwrap_or(Value::Null),
    })
}

fn resource_list(catalog: &Catalog, group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for resource in catalog.of_version(group, version) {
        resources.push(listed_resource(resource));
        resources.extend(listed_subresources(resource));
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let mut list = json!({
        "kind": "APIResourceList", "groupVersion": group_version, "resources": resources,
    });
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    list
}

fn listed_resource(resource: &Resource) -> Value {
    let api = &resource.api;
    let mut value = json!({
        "name": api.plural, "singularName": api.singular, "namespaced": api.namespaced,
        "kind": resource.kind(), "verbs": api.verbs,
    });
    if !api.short_names.is_empty() {
        value["shortNames"] = json!(api.short_names);
    }
    if !api.categories.is_empty() {
        value["categories"] = json!(api.categories);
    }
    if !resource.hash.is_empty() {
        value["storageVersionHash"] = resource.hash.clone().into();
    }
    value
}

fn listed_subresources(resource: &Resource) -> Vec<Value> {
    let listed = resource.subresources.iter().map(|sub| {
        let mut value = Map::new();
        value.insert(
            "name".into(),
            format!("{}/{}", resource.plural(), sub.name).into(),
        );
        value.insert("singularName".into(), "".into());
        value.insert("namespaced".into(), resource.api.namespaced.into());
        value.insert("kind".into(), sub.gvk.kind.clone().into());
        value.insert("verbs".into(), json!(sub.verbs));
        if sub.foreign {
            value.insert("group".into(), sub.gvk.group.clone().into());
            value.insert("version".into(), sub.gvk.version.clone().into());
        }
        Value::Object(value)
    });
    listed.collect()
}

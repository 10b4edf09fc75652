//! Discovery documents: the aggregated lists with their ETags, and the old lists.

use http::{HeaderMap, Response};
use objects::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::respond::{build, insert, json_value, to_bytes};
use super::route::Document;
use super::{ResponseBody, accept, full, header_text, status};
use crate::catalog::{Catalog, Group, Resource};
use crate::failure::{Answered, Failure};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

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
    negotiate_plain(accepted)?;
    Ok(json_value(200, &body))
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
            ("application/json", "APIGroupDiscoveryList", "v2")
                if entry.group == "apidiscovery.k8s.io" =>
            {
                return Ok(tagged(&aggregated(catalog, core), headers));
            }
            ("application/json" | "*/*" | "application/*", "", _) => break,
            _ => {}
        }
    }
    negotiate_plain(accepted)?;
    let body = if core { api() } else { apis(catalog) };
    Ok(json_value(200, &body))
}

/// Refuses a client that accepts no JSON.
fn negotiate_plain(accepted: &str) -> Answered<()> {
    let entries = accept::entries(accepted);
    let fits = entries.is_empty()
        || entries.iter().any(|entry| {
            matches!(
                entry.media,
                "application/json" | "*/*" | "application/*" | "application/yaml"
            ) && entry.target.is_empty()
        });
    if fits {
        return Ok(());
    }
    Err(Failure::new(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    ))
}

fn tagged(body: &Value, headers: &HeaderMap) -> Response<ResponseBody> {
    let bytes = to_bytes(body);
    let tag = format!("\"{}\"", hex::encode_upper(Sha256::digest(&bytes)));
    let mut response = if header_text(headers, "if-none-match") == tag {
        let mut response = Response::new(full(bytes::Bytes::new()));
        *response.status_mut() = status(304);
        response
    } else {
        build(200, AGGREGATED, bytes.into())
    };
    let headers = response.headers_mut();
    insert(headers, "etag", &tag);
    insert(headers, "cache-control", "public");
    insert(headers, "vary", "Accept");
    response
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

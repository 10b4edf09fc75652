//! What the cluster serves: aggregated discovery (v2) in two requests, or the older lists, one per version.

use std::sync::Arc;

use futures::future::try_join_all;
use http::Method;
use objects::{Gvk, Value};

use super::request::{Call, Sender, not_json};
use crate::{ApiResource, Discovery, Error};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
                          application/json";

/// Reads everything the cluster serves.
pub(super) async fn read(sender: &Sender) -> Result<Discovery, Error> {
    let (core, groups) = futures::try_join!(get(sender, "/api"), get(sender, "/apis"))?;
    let mut resources = Vec::new();
    for (root, list) in [("/api", core), ("/apis", groups)] {
        if list["kind"] == "APIGroupDiscoveryList" {
            aggregated(&list, &mut resources);
        } else {
            resources.extend(legacy(sender, root, &list).await?);
        }
    }
    Ok(Discovery::new(
        resources.into_iter().map(Arc::new).collect(),
    ))
}

async fn get(sender: &Sender, path: &str) -> Result<Value, Error> {
    let mut call = Call::new(Method::GET, path);
    call.accept = AGGREGATED;
    let body = sender.send(call).await?;
    serde_json::from_slice(&body).map_err(|error| not_json(&error))
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    items(value, key).map(text).collect()
}

fn aggregated(list: &Value, resources: &mut Vec<ApiResource>) {
    for group in items(list, "items") {
        let name = text(&group["metadata"]["name"]);
        for version in items(group, "versions") {
            let number = text(&version["version"]);
            for resource in items(version, "resources") {
                let kind = text(&resource["responseKind"]["kind"]);
                // A resource that has only subresources has no kind of its own.
                if kind.is_empty() {
                    continue;
                }
                resources.push(ApiResource {
                    gvk: Gvk::new(&name, &number, kind),
                    plural: text(&resource["resource"]),
                    singular: text(&resource["singularResource"]),
                    short_names: texts(resource, "shortNames"),
                    categories: texts(resource, "categories"),
                    verbs: texts(resource, "verbs"),
                    subresources: items(resource, "subresources")
                        .map(|sub| text(&sub["subresource"]))
                        .collect(),
                    namespaced: resource["scope"] == "Namespaced",
                });
            }
        }
    }
}

async fn legacy(sender: &Sender, root: &str, list: &Value) -> Result<Vec<ApiResource>, Error> {
    let versions: Vec<String> = if root == "/api" {
        texts(list, "versions")
    } else {
        items(list, "groups").flat_map(preferred_first).collect()
    };
    let lists = try_join_all(versions.iter().map(|group_version| async move {
        let path = format!("{root}/{group_version}");
        match get(sender, &path).await {
            // An aggregated API whose server is down must not hide all others.
            Err(error) if error.is_retryable() || error.is_not_found() => Ok(Value::Null),
            other => other,
        }
    }))
    .await?;
    let mut resources = Vec::new();
    for (group_version, list) in versions.iter().zip(&lists) {
        resource_list(group_version, list, &mut resources);
    }
    Ok(resources)
}

/// Lists a group's `group/version`, the preferred one first.
fn preferred_first(group: &Value) -> Vec<String> {
    let preferred = text(&group["preferredVersion"]["groupVersion"]);
    let mut versions: Vec<String> = items(group, "versions")
        .map(|version| text(&version["groupVersion"]))
        .collect();
    versions.sort_by_key(|version| *version != preferred);
    versions
}

fn resource_list(group_version: &str, list: &Value, resources: &mut Vec<ApiResource>) {
    let first = resources.len();
    for resource in items(list, "resources") {
        let name = text(&resource["name"]);
        if let Some((parent, subresource)) = name.split_once('/') {
            if let Some(parent) = resources[first..].iter_mut().find(|r| r.plural == parent) {
                parent.subresources.push(subresource.to_owned());
            }
            continue;
        }
        resources.push(ApiResource {
            gvk: Gvk::from_api_version(
                group_version,
                resource["kind"].as_str().unwrap_or_default(),
            ),
            plural: name,
            singular: text(&resource["singularName"]),
            short_names: texts(resource, "shortNames"),
            categories: texts(resource, "categories"),
            verbs: texts(resource, "verbs"),
            subresources: Vec::new(),
            namespaced: resource["namespaced"] == true,
        });
    }
}

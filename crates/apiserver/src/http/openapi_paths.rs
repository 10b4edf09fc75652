//! Paths of the OpenAPI documents: the operations of a resource that clients look at.

use objects::{Gvk, Map, Value, json};

use super::openapi::reference_of;
use crate::catalog::Resource;

pub(super) fn add_paths(paths: &mut Map, resource: &Resource) {
    let collection = if resource.api.namespaced {
        resource.api.path("{namespace}", "")
    } else {
        resource.api.path("", "")
    };
    let everywhere = resource.api.path("", "");
    let mut item = operations(
        resource,
        &[
            ("get", "get"),
            ("put", "update"),
            ("patch", "patch"),
            ("delete", "delete"),
        ],
    );
    let mut list = operations(
        resource,
        &[
            ("get", "list"),
            ("post", "create"),
            ("delete", "deletecollection"),
        ],
    );
    let parameter = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let mut parameters = Vec::new();
    if resource.api.namespaced {
        parameters.push(parameter("namespace"));
        list["parameters"] = json!(parameters);
    }
    parameters.push(parameter("name"));
    item["parameters"] = json!(parameters);
    for sub in &resource.subresources {
        let mut operations = json!({});
        for (method, verb) in [
            ("get", "get"),
            ("put", "update"),
            ("patch", "patch"),
            ("post", "create"),
        ] {
            if sub.verbs.iter().any(|v| v == verb) {
                operations[method] = operation(resource, method, verb, &sub.gvk);
            }
        }
        paths.insert(format!("{collection}/{{name}}/{}", sub.name), operations);
    }
    if resource.serves("get") {
        paths.insert(format!("{collection}/{{name}}"), item);
    }
    if everywhere != collection && resource.serves("list") {
        paths.insert(everywhere, operations(resource, &[("get", "list")]));
    }
    paths.insert(collection, list);
}

fn operations(resource: &Resource, methods: &[(&str, &str)]) -> Value {
    let mut found = json!({});
    for (method, verb) in methods {
        if resource.serves(verb) {
            found[*method] = operation(resource, method, verb, resource.gvk());
        }
    }
    found
}

fn operation(resource: &Resource, method: &str, verb: &str, gvk: &Gvk) -> Value {
    let query = |name: &str, kind: &str| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}});
    let names: &[(&str, &str)] = match verb {
        "create" | "update" => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("pretty", "string"),
        ],
        "patch" => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("force", "boolean"),
            ("pretty", "string"),
        ],
        "delete" => &[
            ("dryRun", "string"),
            ("gracePeriodSeconds", "integer"),
            ("propagationPolicy", "string"),
        ],
        "list" => &[
            ("labelSelector", "string"),
            ("fieldSelector", "string"),
            ("limit", "integer"),
            ("continue", "string"),
            ("watch", "boolean"),
        ],
        _ => &[("pretty", "string")],
    };
    let action = match verb {
        "create" => "post",
        "update" => "put",
        verb => verb,
    };
    let content = json!({"application/json": {"schema": reference_of(resource)}});
    let mut operation = json!({
        "operationId": format!("{method}{}{}{}", resource.group(), resource.version(), resource.kind()),
        "parameters": names.iter().map(|(name, kind)| query(name, kind)).collect::<Vec<_>>(),
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": gvk.group, "version": gvk.version, "kind": gvk.kind},
    });
    if matches!(verb, "create" | "update") {
        operation["requestBody"] =
            json!({"required": true, "content": {"*/*": {"schema": reference_of(resource)}}});
    }
    operation
}

//! OpenAPI documents for clients that validate, explain and merge: made from the schema asset and the CRDs.
//!
//! Components are complete, with descriptions; paths carry the operations that clients look at. Documents are built
//! when asked for and kept; their hash depends on what they are made of, not on their bytes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderMap, Response};
use objects::schema::builtin;
use objects::{Gvk, Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::openapi_paths::add_paths;
use super::respond::{build, insert, to_bytes};
use super::{ResponseBody, full, header_text, status};
use crate::catalog::{Catalog, Resource};
use crate::engine::{Engine, Query};
use crate::failure::{Answered, Failure};

pub(super) const REFERENCE: &str = "#/components/schemas/";

/// Answers `/openapi/…`.
pub fn answer(
    engine: &Engine,
    path: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Answered<Response<ResponseBody>> {
    let catalog = engine.catalog();
    match path.trim_end_matches('/') {
        "v2" => super::swagger::answer(engine, &catalog, headers),
        "v3" => Ok(index(&catalog, headers)),
        path => match path.strip_prefix("v3/") {
            Some(place) => document(engine, &catalog, place, query, headers),
            None => Err(Failure::no_path()),
        },
    }
}

/// Lists the documents: path without slash → hash.
fn places(catalog: &Catalog) -> BTreeMap<String, String> {
    let mut places = BTreeMap::new();
    let hash = |text: &str| hex::encode_upper(Sha256::digest(text.as_bytes()));
    for place in [
        ".well-known/openid-configuration",
        "api",
        "apis",
        "openid/v1/jwks",
        "version",
    ] {
        places.insert(place.to_owned(), hash(place));
    }
    for group in &catalog.groups {
        if !group.name.is_empty() {
            let place = format!("apis/{}", group.name);
            places.insert(place.clone(), hash(&place));
        }
        for version in &group.versions {
            let place = if group.name.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{}/{version}", group.name)
            };
            let custom: Vec<String> = catalog
                .of_version(&group.name, version)
                .filter_map(|r| Some(r.custom.as_ref()?.schema.to_string()))
                .collect();
            let made_of = format!("{}{place}{}", env!("CARGO_PKG_VERSION"), custom.concat());
            places.insert(place, hash(&made_of));
        }
    }
    places
}

fn index(catalog: &Catalog, headers: &HeaderMap) -> Response<ResponseBody> {
    let paths: Map = places(catalog)
        .into_iter()
        .map(|(place, hash)| {
            let url = format!("/openapi/v3/{place}?hash={hash}");
            (place, json!({"serverRelativeURL": url}))
        })
        .collect();
    let bytes = to_bytes(&json!({"paths": paths}));
    let tag = format!("\"{}\"", hex::encode_upper(Sha256::digest(&bytes)));
    if header_text(headers, "if-none-match") == tag {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = status(304);
        return response;
    }
    let mut response = build(200, "text/plain; charset=utf-8", bytes.into());
    insert(response.headers_mut(), "etag", &tag);
    response
}

fn document(
    engine: &Engine,
    catalog: &Catalog,
    place: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Answered<Response<ResponseBody>> {
    let Some(hash) = places(catalog).remove(place) else {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = status(404);
        return Ok(response);
    };
    let asked = query.get("hash").and_then(|h| h.first());
    if let Some(asked) = asked
        && *asked != hash
    {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = status(301);
        let url = format!("/openapi/v3/{place}?hash={hash}");
        insert(response.headers_mut(), "location", &url);
        return Ok(response);
    }
    let tag = format!("\"{hash}\"");
    let known = header_text(headers, "if-none-match") == tag;
    let mut response = if known {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = status(304);
        response
    } else {
        let bytes = engine
            .documents
            .get(&hash, || to_bytes(&build_document(catalog, place)));
        build(200, "application/json", bytes)
    };
    let headers = response.headers_mut();
    insert(headers, "etag", &tag);
    insert(headers, "vary", "Accept");
    if asked.is_some() {
        insert(headers, "cache-control", "public, immutable");
    }
    Ok(response)
}

/// Documents built so far, by hash.
#[derive(Default)]
pub struct Documents(parking_lot::Mutex<BTreeMap<String, Bytes>>);

/// Documents kept at most; a changed CRD leaves an old one behind.
const DOCUMENTS_MAX: usize = 64;

impl Documents {
    pub(super) fn get(&self, hash: &str, make: impl FnOnce() -> Vec<u8>) -> Bytes {
        if let Some(bytes) = self.0.lock().get(hash) {
            return bytes.clone();
        }
        let bytes = Bytes::from(make());
        let mut kept = self.0.lock();
        if kept.len() >= DOCUMENTS_MAX {
            kept.clear();
        }
        kept.insert(hash.to_owned(), bytes.clone());
        bytes
    }
}

fn build_document(catalog: &Catalog, place: &str) -> Value {
    let parts: Vec<&str> = place.split('/').collect();
    let (group, version) = match parts.as_slice() {
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => ("", ""),
    };
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for resource in catalog.of_version(group, version) {
        schemas.add_resource(resource);
        add_paths(&mut paths, resource);
    }
    if version.is_empty() {
        paths.insert(
            format!("/{place}/"),
            json!({"get": {"responses": {"200": {"description": "OK"}}}}),
        );
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.35.6+embedded"},
        "paths": paths,
        "components": {"schemas": schemas.finish()},
    })
}

/// Builds one document of everything: all paths and all components.
pub(super) fn build_whole(catalog: &Catalog) -> (Map, Map) {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    schemas.wanted.extend(builtin::components().keys().cloned());
    for resource in &catalog.resources {
        schemas.add_resource(resource);
        add_paths(&mut paths, resource);
    }
    (paths, schemas.finish())
}

/// Hashes what documents are made of besides the constant assets.
pub(super) fn whole_hash(catalog: &Catalog) -> String {
    let parts: Vec<String> = places(catalog).into_values().collect();
    hex::encode_upper(Sha256::digest(parts.concat().as_bytes()))
}

/// Components of a document, with everything they refer to.
#[derive(Default)]
struct Schemas {
    wanted: BTreeSet<String>,
    done: Map,
}

impl Schemas {
    fn add_resource(&mut self, resource: &Resource) {
        if resource.custom.is_some() {
            self.add_custom(resource);
            return;
        }
        let gvk = resource.gvk();
        for kind in [gvk.kind.as_str(), resource.list_kind.as_str()] {
            let gvk = Gvk::new(&gvk.group, &gvk.version, kind);
            if let Some(name) = component_of(&gvk) {
                self.wanted.insert(name.to_owned());
            }
        }
        for sub in resource.subresources.iter().filter(|s| s.foreign) {
            if let Some(name) = component_of(&sub.gvk) {
                self.wanted.insert(name.to_owned());
            }
        }
    }

    fn add_custom(&mut self, resource: &Resource) {
        const META: &str = objects::schema::openapi::OBJECT_META;
        const LIST_META: &str = objects::schema::openapi::LIST_META;
        let Some(custom) = &resource.custom else {
            return;
        };
        let gvk = resource.gvk();
        let name = custom_component(gvk);
        let reference = |name: &str, text: &str| json!({"allOf": [{"$ref": format!("{REFERENCE}{name}")}], "description": text});
        let mut schema = match &custom.schema {
            Value::Object(map) => map.clone(),
            _ => Map::new(),
        };
        schema.insert("type".into(), "object".into());
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert("apiVersion".into(), described("apiVersion"));
            properties.insert("kind".into(), described("kind"));
            let text = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
            properties.insert("metadata".into(), reference(META, text));
        }
        schema.insert(
            "x-kubernetes-group-version-kind".into(),
            json!([{"group": gvk.group, "version": gvk.version, "kind": gvk.kind}]),
        );
        let list = json!({
            "type": "object", "required": ["items"],
            "description": format!("{} is a list of {}", resource.list_kind, gvk.kind),
            "properties": {
                "apiVersion": described("apiVersion"),
                "kind": described("kind"),
                "metadata": reference(LIST_META, "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"),
                "items": {
                    "type": "array", "items": {"$ref": format!("{REFERENCE}{name}")},
                    "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", resource.plural()),
                },
            },
            "x-kubernetes-group-version-kind": [{"group": gvk.group, "version": gvk.version, "kind": resource.list_kind}],
        });
        self.done.insert(format!("{name}List"), list);
        self.done.insert(name, Value::Object(schema));
        self.wanted.insert(META.to_owned());
        self.wanted.insert(LIST_META.to_owned());
    }

    fn finish(mut self) -> Map {
        while let Some(name) = self.wanted.pop_first() {
            if self.done.contains_key(&name) {
                continue;
            }
            let Some(mut schema) = builtin::published_component(&name) else {
                continue;
            };
            describe(&name, &mut schema);
            references(&schema, &mut self.wanted);
            self.done.insert(name, schema);
        }
        self.done
    }
}

/// Describes `apiVersion` or `kind` as every kind does.
fn described(field: &str) -> Value {
    const ANY_KIND: &str = "io.k8s.api.core.v1.ConfigMap";
    json!({"type": "string", "description": builtin::description(ANY_KIND, field)})
}

fn describe(name: &str, schema: &mut Value) {
    let text = builtin::description(name, "");
    if !text.is_empty() {
        schema["description"] = text.into();
    }
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (field, property) in properties {
        let text = builtin::description(name, field);
        if !text.is_empty() {
            property["description"] = text.into();
        }
    }
}

fn references(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        let name = target.strip_prefix(REFERENCE).unwrap_or(target);
                        found.insert(name.to_owned());
                    }
                    (_, value) => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Finds the component of a built-in kind.
pub fn component_of(gvk: &Gvk) -> Option<&'static str> {
    static NAMES: std::sync::LazyLock<BTreeMap<Gvk, &'static str>> =
        std::sync::LazyLock::new(|| {
            let mut names = BTreeMap::new();
            for (name, schema) in builtin::components() {
                let marks = schema["x-kubernetes-group-version-kind"].as_array();
                for mark in marks.into_iter().flatten() {
                    let text = |key: &str| mark[key].as_str().unwrap_or("");
                    let gvk = Gvk::new(text("group"), text("version"), text("kind"));
                    names.entry(gvk).or_insert(name.as_str());
                }
            }
            names
        });
    NAMES.get(gvk).copied()
}

/// Names the component of a custom kind: the group reversed, the version, the kind.
fn custom_component(gvk: &Gvk) -> String {
    let mut parts: Vec<&str> = gvk.group.split('.').collect();
    parts.reverse();
    format!("{}.{}.{}", parts.join("."), gvk.version, gvk.kind)
}

pub(super) fn reference_of(resource: &Resource) -> Value {
    let name = if resource.custom.is_some() {
        custom_component(resource.gvk())
    } else {
        component_of(resource.gvk()).unwrap_or("").to_owned()
    };
    json!({"$ref": format!("{REFERENCE}{name}")})
}

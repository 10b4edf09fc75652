//! The built-in kinds of Kubernetes 1.35, from packed assets.
//!
//! Written by `cargo xtask generate schema` from recorded OpenAPI data: `schemas.json.gz` (components without
//! descriptions, references shortened to names) and `descriptions.txt.gz` (texts for `explain`). Each is unpacked on
//! first use and kept.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, LazyLock};

use crate::{Map, Value};

use super::{Schema, openapi};

static SCHEMAS: &[u8] = include_bytes!("../../assets/kubernetes-1.35/schemas.json.gz");
static DESCRIPTIONS: &[u8] = include_bytes!("../../assets/kubernetes-1.35/descriptions.txt.gz");

/// Prefix of references between components in published documents.
const REFERENCE_PREFIX: &str = "#/components/schemas/";

/// Returns the graph of all built-in kinds.
pub fn builtin() -> &'static Arc<Schema> {
    static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
        Arc::new(openapi::load_components(
            components()
                .iter()
                .map(|(name, spec)| (name.as_str(), spec)),
        ))
    });
    &SCHEMA
}

/// Returns the component schemas in their packed form: `$ref` holds a bare name beside its siblings.
pub fn components() -> &'static Map {
    static COMPONENTS: LazyLock<Map> = LazyLock::new(|| unpack_json(SCHEMAS));
    &COMPONENTS
}

/// Returns one component as an OpenAPI v3 document holds it, without descriptions.
pub fn published_component(name: &str) -> Option<Value> {
    components().get(name).map(publish)
}

/// Returns the components that a custom resource's schema refers to: the type of `metadata` and what it needs.
pub fn object_meta_components() -> &'static [(&'static str, &'static Value)] {
    const NAMES: [&str; 6] = [
        openapi::OBJECT_META,
        openapi::LIST_META,
        "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry",
        "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
    ];
    static META: LazyLock<Vec<(&str, &Value)>> = LazyLock::new(|| {
        NAMES
            .iter()
            .filter_map(|name| Some((*name, components().get(*name)?)))
            .collect()
    });
    &META
}

/// Returns the text that describes a type (no path) or a field below it (such as `spec.ports`), or "".
pub fn description(component: &str, path: &str) -> &'static str {
    static TEXTS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
        unpack(DESCRIPTIONS)
            .lines()
            .filter_map(|line| {
                let (key, text) = line.split_once('\t')?;
                Some((key.to_owned(), text.replace("\\n", "\n")))
            })
            .collect()
    });
    let key = if path.is_empty() {
        component.to_owned()
    } else {
        format!("{component}.{path}")
    };
    TEXTS.get(&key).map_or("", String::as_str)
}

/// Writes references in full; a reference with siblings goes into an `allOf` of one, as upstream does.
fn publish(spec: &Value) -> Value {
    match spec {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("$ref", Value::String(name)) => {
                        let full = Value::from(format!("{REFERENCE_PREFIX}{name}"));
                        let reference = serde_json::json!({ "$ref": full });
                        out.insert("allOf".into(), Value::Array(vec![reference]));
                    }
                    ("default" | "enum", _) => {
                        out.insert(key.clone(), value.clone());
                    }
                    _ => {
                        out.insert(key.clone(), publish(value));
                    }
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(publish).collect(),
        other => other.clone(),
    }
}

fn unpack_json(packed: &[u8]) -> Map {
    serde_json::from_str(&unpack(packed))
        .expect("the asset was written by xtask and a test reads it")
}

fn unpack(packed: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .expect("the asset was written by xtask and a test reads it");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gvk;
    use crate::schema::{Form, Relationship, Scalar};

    #[test]
    fn a_deployment_has_the_shape_of_kubernetes() {
        let schema = builtin();
        let id = schema.kind(&Gvk::new("apps", "v1", "Deployment")).unwrap();
        let field = |id, name: &str| schema.get(id).map.as_ref().unwrap().field(name).unwrap();
        let spec = field(id, "spec");
        assert_eq!(spec.default, Some(serde_json::json!({})));
        let selector = schema.get(field(spec.ty, "selector").ty);
        assert!(selector.map.as_ref().unwrap().is_atomic());
        assert!(field(spec.ty, "selector").required);
        let template = field(spec.ty, "template");
        let pod = field(template.ty, "spec");
        let containers = field(pod.ty, "containers");
        assert_eq!(containers.patch.merge_key.as_deref(), Some("name"));
        let list = schema.get(containers.ty).list.as_ref().unwrap();
        assert_eq!(list.relationship, Relationship::Associative);
        assert_eq!(list.keys, ["name"]);
        let ports = schema
            .get(field(list.element, "ports").ty)
            .list
            .as_ref()
            .unwrap();
        assert_eq!(ports.keys, ["containerPort", "protocol"]);
        assert_eq!(field(ports.element, "protocol").default, Some("TCP".into()));
        assert_eq!(schema.get(field(spec.ty, "replicas").ty).form, Form::Int32);
        let limits = schema.get(field(field(list.element, "resources").ty, "limits").ty);
        let quantity = schema.get(limits.map.as_ref().unwrap().element.unwrap());
        assert_eq!(
            (quantity.form, quantity.scalar),
            (Form::Quantity, Some(Scalar::Untyped))
        );
    }

    #[test]
    fn nothing_is_left_undefined() {
        let schema = builtin();
        let missing: Vec<_> = schema.types.iter().filter(|t| t.missing).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn components_are_published_with_full_references() {
        let deployment = published_component("io.k8s.api.apps.v1.Deployment").unwrap();
        assert_eq!(
            deployment.pointer("/properties/spec"),
            Some(&serde_json::json!({
                "allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}], "default": {},
            }))
        );
    }

    #[test]
    fn descriptions_are_there() {
        assert!(description("io.k8s.api.core.v1.Pod", "").starts_with("Pod is"));
        assert!(!description("io.k8s.api.core.v1.PodSpec", "containers").is_empty());
        assert_eq!(description("nobody", "knows"), "");
    }
}

//! The CustomResourceDefinitions of the Flux kinds, built in code: deterministic, structural, v1 stored.
//!
//! v1beta1 and v1beta2 of sources and Kustomizations are served with the same schema as v1, because users still
//! write them; upstream has dropped them. Kustomizations keep the deprecated patch fields in every version for
//! the same reason (conversion only renames the version).

mod applier;
mod helm;
mod kustomize;
mod schema;
mod source;

use objects::{Object, Value, json};

use crate::names;

/// One CRD, before it is written out.
struct Definition {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    /// Served versions; the first is stored.
    versions: &'static [&'static str],
    columns: Vec<Value>,
    spec: Value,
    status: Value,
    /// Whether status starts with `observedGeneration: -1`.
    status_default: bool,
}

/// Returns the CRDs of all kinds that this build serves, in order of names.
pub fn crds() -> Vec<Object> {
    let mut definitions = source::definitions();
    definitions.push(helm::definition());
    definitions.push(kustomize::definition());
    let mut crds: Vec<Object> = definitions.iter().map(Definition::to_object).collect();
    crds.sort_by(|a, b| a.name().cmp(b.name()));
    crds
}

impl Definition {
    fn to_object(&self) -> Object {
        let versions: Vec<Value> = self.versions.iter().map(|v| self.version(v)).collect();
        let mut names = json!({
            "kind": self.kind,
            "listKind": format!("{}List", self.kind),
            "plural": self.plural,
            "singular": self.kind.to_lowercase(),
            "categories": self.categories,
        });
        if !self.short_names.is_empty() {
            names["shortNames"] = json!(self.short_names);
        }
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{}.{}", self.plural, self.group),
                "annotations": {names::SUBSTITUTE: names::DISABLED},
            },
            "spec": {"group": self.group, "names": names, "scope": "Namespaced", "versions": versions},
        });
        Object::from_value(crd).expect("a map was written just above")
    }

    fn version(&self, name: &str) -> Value {
        let mut status = self.status.clone();
        if self.status_default {
            status["default"] = json!({"observedGeneration": -1});
        }
        let stored = self.versions[0] == name;
        let mut version = json!({
            "name": name,
            "served": true,
            "storage": stored,
            "subresources": {"status": {}},
            "additionalPrinterColumns": self.columns,
            "schema": {"openAPIV3Schema": {
                "type": "object",
                "description": format!("{} is a Flux object of {}.", self.kind, self.group),
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": self.spec,
                    "status": status,
                },
            }},
        });
        if !stored {
            version["deprecated"] = json!(true);
            version["deprecationWarning"] = json!(format!(
                "{}/{name} {} is deprecated, upgrade to {}",
                self.group, self.kind, self.versions[0]
            ));
        }
        version
    }
}

fn column(name: &str, type_: &str, path: &str) -> Value {
    json!({"name": name, "type": type_, "jsonPath": path})
}

fn age_column() -> Value {
    column("Age", "date", ".metadata.creationTimestamp")
}

fn ready_columns() -> [Value; 2] {
    [
        column(
            "Ready",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].status",
        ),
        column(
            "Status",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].message",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_named_and_stores_one_version() {
        let crds = crds();
        let names: Vec<_> = crds.iter().map(Object::name).collect();
        assert_eq!(
            names,
            [
                "buckets.source.toolkit.fluxcd.io",
                "externalartifacts.source.toolkit.fluxcd.io",
                "gitrepositories.source.toolkit.fluxcd.io",
                "helmcharts.source.toolkit.fluxcd.io",
                "helmreleases.helm.toolkit.fluxcd.io",
                "helmrepositories.source.toolkit.fluxcd.io",
                "kustomizations.kustomize.toolkit.fluxcd.io",
                "ocirepositories.source.toolkit.fluxcd.io",
            ]
        );
        for crd in &crds {
            let versions = crd
                .get(&["spec", "versions"])
                .and_then(Value::as_array)
                .unwrap();
            let stored: Vec<_> = versions.iter().filter(|v| v["storage"] == true).collect();
            assert_eq!(stored.len(), 1, "{}", crd.name());
        }
    }

    #[test]
    fn every_schema_is_structural() {
        fn check(path: &str, schema: &Value) {
            let preserve = schema["x-kubernetes-preserve-unknown-fields"] == true;
            assert!(schema["type"].is_string() || preserve, "{path} has no type");
            if let Some(properties) = schema["properties"].as_object() {
                for (name, property) in properties {
                    check(&format!("{path}.{name}"), property);
                }
                for name in schema["required"].as_array().into_iter().flatten() {
                    assert!(
                        properties.contains_key(name.as_str().unwrap()),
                        "{path}: {name}"
                    );
                }
            }
            for key in ["items", "additionalProperties"] {
                if schema[key].is_object() {
                    check(&format!("{path}.{key}"), &schema[key]);
                }
            }
        }
        for crd in crds() {
            for version in crd.get(&["spec", "versions"]).unwrap().as_array().unwrap() {
                check(crd.name(), &version["schema"]["openAPIV3Schema"]);
            }
        }
    }

    #[test]
    fn specs_of_the_typed_kinds_have_a_place_in_their_schema() {
        let crds = crds();
        let find = |name: &str| crds.iter().find(|c| c.name().starts_with(name)).unwrap();
        let properties = |name: &str| {
            find(name).get(&["spec", "versions"]).unwrap()[0]["schema"]["openAPIV3Schema"]["properties"]
                ["spec"]["properties"]
                .clone()
        };
        let kustomization = properties("kustomizations.");
        for field in [
            "wait",
            "dependsOn",
            "postBuild",
            "patchesJson6902",
            "ignore",
            "sourceRef",
        ] {
            assert!(kustomization[field].is_object(), "{field}");
        }
        assert!(properties("gitrepositories.")["ref"].is_object());
    }
}

//! Packs what the `apiserver` crate knows of the kinds it serves.
//!
//! `catalog.json.gz`: `/version`, groups and resources of aggregated discovery (with the storage hash of the legacy lists
//! and the printer columns), the objects of a fresh server. `proto.json.gz`: protobuf fields by message.
//! `internals.json.gz`: fields of the internal structs that messages print, from the Go program beside it.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::{Output, read_json};

/// Makes the packed files of one recorded server.
pub fn outputs(data: &Path) -> anyhow::Result<Vec<Output>> {
    let catalog = catalog(data)?;
    let messages = read_json(&data.join("proto-fields.json"))?;
    Ok(vec![
        (
            "crates/apiserver/assets/catalog.json.gz",
            catalog.to_string(),
        ),
        (
            "crates/apiserver/assets/proto.json.gz",
            messages.to_string(),
        ),
    ])
}

/// Reads the fields of internal structs as the Go program printed them.
pub fn internals(path: &Path) -> anyhow::Result<Output> {
    let structs = read_json(path)?;
    Ok((
        "crates/apiserver/assets/internals.json.gz",
        structs.to_string(),
    ))
}

fn catalog(data: &Path) -> anyhow::Result<Value> {
    let discovery = read_json(&data.join("discovery.json"))?;
    let columns = read_json(&data.join("table-columns.json"))?;
    let mut version = discovery["version"].clone();
    let number = version["gitVersion"].as_str().unwrap_or("");
    version["gitVersion"] = format!("{number}+embedded").into();
    let (mut groups, mut resources) = (Vec::new(), Vec::new());
    for root in ["api", "apis"] {
        for group in list(&discovery["aggregated"][root]["items"]) {
            let name = text(&group["metadata"], "name");
            let versions = list(&group["versions"]).map(|v| text(v, "version"));
            groups.push(json!({"name": name, "versions": versions.collect::<Vec<_>>()}));
            for version in list(&group["versions"]) {
                let at = Place {
                    group: name,
                    version: text(version, "version"),
                    legacy: &discovery["legacy"]["resources"],
                    columns: &columns,
                };
                resources.extend(list(&version["resources"]).map(|r| at.resource(r)));
            }
        }
    }
    Ok(json!({
        "version": version, "groups": groups, "resources": resources,
        "bootstrap": read_json(&data.join("bootstrap.json")).context("bootstrap")?,
    }))
}

/// One group and version, and where more is known about its resources.
struct Place<'a> {
    group: &'a str,
    version: &'a str,
    legacy: &'a Value,
    columns: &'a Value,
}

impl Place<'_> {
    fn resource(&self, resource: &Value) -> Value {
        let name = text(resource, "resource");
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        put("group", self.group.into());
        put("version", self.version.into());
        put("name", name.into());
        put("kind", resource["responseKind"]["kind"].clone());
        put("singular", resource["singularResource"].clone());
        put("namespaced", (resource["scope"] == "Namespaced").into());
        put("verbs", resource["verbs"].clone());
        let subresources: Vec<Value> = list(&resource["subresources"]).map(subresource).collect();
        let columns = match self.group {
            "" => &self.columns[format!("{}/{name}", self.version)],
            group => &self.columns[format!("{group}/{}/{name}", self.version)],
        };
        let optional = [
            ("shortNames", resource["shortNames"].clone()),
            ("categories", resource["categories"].clone()),
            ("hash", self.hash(name)),
            ("subresources", subresources.into()),
            ("columns", columns.clone()),
        ];
        for (key, value) in optional {
            if !value.is_null() && value != json!([]) {
                put(key, value);
            }
        }
        Value::Object(out)
    }

    /// Only the legacy lists tell the hash of the stored version.
    fn hash(&self, name: &str) -> Value {
        let path = match self.group {
            "" => format!("api/{}", self.version),
            group => format!("apis/{group}/{}", self.version),
        };
        let found = list(&self.legacy[path]["resources"]).find(|r| text(r, "name") == name);
        found.map_or(Value::Null, |r| r["storageVersionHash"].clone())
    }
}

fn subresource(sub: &Value) -> Value {
    let kind = &sub["responseKind"];
    let mut out = json!({
        "name": sub["subresource"], "kind": kind["kind"], "verbs": sub["verbs"],
    });
    if !text(kind, "version").is_empty() {
        out["group"] = kind["group"].clone();
        out["version"] = kind["version"].clone();
    }
    out
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

//! Rendered documents into manifests and hooks, sorted by kind.

use std::collections::BTreeMap;

use gotemplate::Text;
use serde_json::Value;

use crate::Version;
use crate::manifest::split;

/// A document that becomes part of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Path of the template it comes from.
    pub path: String,
    /// The text.
    pub content: String,
    /// Kind; empty where the document names none.
    pub kind: String,
}

/// A document that is a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Name of the object.
    pub name: String,
    /// Kind of the object.
    pub kind: String,
    /// Path of the template it comes from.
    pub path: String,
    /// The text.
    pub manifest: String,
    /// Events it runs at, in the order written; an event may stand twice.
    pub events: Vec<String>,
    /// Weight; lower ones run first.
    pub weight: i64,
    /// When the object is deleted.
    pub delete_policies: Vec<String>,
    /// When its logs are shown.
    pub output_log_policies: Vec<String>,
}

const EVENTS: [&str; 9] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// Kinds in the order of installation; Helm 4 adds the last two.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Sort key of a kind: known ones by order, unknown ones after them by name.
fn rank(kind: &str, uninstall: bool, version: Version) -> (usize, &str) {
    let known = if version == Version::V4 {
        INSTALL_ORDER.len()
    } else {
        INSTALL_ORDER.len() - 2
    };
    match INSTALL_ORDER[..known]
        .iter()
        .position(|known| *known == kind)
    {
        Some(at) if uninstall => (known - 1 - at, ""),
        Some(at) => (at, ""),
        None => (known, kind),
    }
}

/// Sorts by the order in which kinds are installed; equal kinds keep their order.
pub fn sort_for_install(manifests: &mut [Manifest], version: Version) {
    manifests.sort_by(|a, b| rank(&a.kind, false, version).cmp(&rank(&b.kind, false, version)));
}

/// Sorts by the order in which kinds are uninstalled.
pub fn sort_for_uninstall(manifests: &mut [Manifest], version: Version) {
    manifests.sort_by(|a, b| rank(&a.kind, true, version).cmp(&rank(&b.kind, true, version)));
}

/// What identifies a document and makes it a hook.
#[derive(Debug, Default)]
struct Head {
    kind: String,
    name: String,
    annotations: BTreeMap<String, String>,
}

/// Splits rendered files into sorted hooks and manifests. Documents with an unknown hook are dropped.
///
/// # Errors
/// A document is not YAML or not a map, in Helm's words.
pub fn sort_manifests(
    files: &BTreeMap<String, Text>,
    version: Version,
) -> Result<(Vec<Hook>, Vec<Manifest>), String> {
    let (mut hooks, mut manifests) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let text = text.to_str();
        if text.trim().is_empty() {
            continue;
        }
        for content in split(&text, version) {
            let head = head(&content, version)
                .map_err(|error| format!("YAML parse error on {path}: {error}"))?;
            match head.annotations.get("helm.sh/hook") {
                None => manifests.push(Manifest {
                    path: path.clone(),
                    content,
                    kind: head.kind,
                }),
                Some(events) => hooks.extend(hook(path, &head, events, content)),
            }
        }
    }
    hooks.sort_by(|a: &Hook, b| rank(&a.kind, false, version).cmp(&rank(&b.kind, false, version)));
    sort_for_install(&mut manifests, version);
    Ok((hooks, manifests))
}

fn listed(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(',').map(|part| part.trim().to_lowercase())
}

fn hook(path: &str, head: &Head, events: &str, manifest: String) -> Option<Hook> {
    let mut known = Vec::new();
    for event in listed(events) {
        let event = if event == "test-success" {
            "test"
        } else {
            event.as_str()
        };
        known.push((*EVENTS.iter().find(|known| **known == event)?).to_owned());
    }
    let policies = |key: &str| {
        head.annotations
            .get(key)
            .map(|text| listed(text).collect())
            .unwrap_or_default()
    };
    let weight = head
        .annotations
        .get("helm.sh/hook-weight")
        .map_or("", String::as_str);
    Some(Hook {
        name: head.name.clone(),
        kind: head.kind.clone(),
        path: path.to_owned(),
        manifest,
        events: known,
        weight: gocompat::number::parse_int(weight, 10, 64).unwrap_or(0),
        delete_policies: policies("helm.sh/hook-delete-policy"),
        output_log_policies: policies("helm.sh/hook-output-log-policy"),
    })
}

/// Reads what identifies a document, with Go's messages for fields of the wrong type.
fn head(content: &str, version: Version) -> Result<Head, String> {
    const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: ";
    let value = kyaml::yaml_to_json(content.as_bytes()).map_err(|error| error.to_string())?;
    let map = match &value {
        Value::Null => return Ok(Head::default()),
        Value::Object(map) => map,
        other => {
            let found = kyaml::json_kind(other);
            let package = if version == Version::V4 {
                "util"
            } else {
                "releaseutil"
            };
            return Err(format!(
                "{PREFIX}json: cannot unmarshal {found} into Go value of type {package}.SimpleHead"
            ));
        }
    };
    let mut reader = HeadReader { error: None };
    let mut head = Head::default();
    for (key, value) in map {
        match key.to_ascii_lowercase().as_str() {
            "apiversion" => drop(reader.text(value, "SimpleHead.apiVersion")),
            "kind" => head.kind = reader.text(value, "SimpleHead.kind"),
            "metadata" => reader.metadata(value, &mut head),
            _ => {}
        }
    }
    reader
        .error
        .map_or(Ok(head), |error| Err(format!("{PREFIX}{error}")))
}

struct HeadReader {
    error: Option<String>,
}

impl HeadReader {
    fn mismatch(&mut self, value: &Value, field: &str, wanted: &str) {
        let found = kyaml::json_kind(value);
        self.error.get_or_insert_with(|| {
            format!("json: cannot unmarshal {found} into Go struct field {field} of type {wanted}")
        });
    }

    fn text(&mut self, value: &Value, field: &str) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            other => {
                self.mismatch(other, field, "string");
                String::new()
            }
        }
    }

    fn metadata(&mut self, value: &Value, head: &mut Head) {
        let Value::Object(map) = value else {
            if !value.is_null() {
                self.mismatch(value, "SimpleHead.metadata", "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }");
            }
            return;
        };
        for (key, value) in map {
            match (key.to_ascii_lowercase().as_str(), value) {
                ("name", value) => head.name = self.text(value, ".metadata.name"),
                ("annotations", Value::Object(map)) => {
                    for (key, value) in map {
                        let text = self.text(value, ".metadata.annotations");
                        head.annotations.insert(key.clone(), text);
                    }
                }
                ("annotations", Value::Null) => {}
                ("annotations", other) => {
                    self.mismatch(other, ".metadata.annotations", "map[string]string")
                }
                _ => {}
            }
        }
    }
}

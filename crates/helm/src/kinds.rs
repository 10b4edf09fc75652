//! Rendered documents into manifests and hooks, sorted by kind.

use std::collections::BTreeMap;

use gotemplate::Text;

use crate::Version;
use crate::head::Head;
use crate::manifest::split;
use crate::note::Note;

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

/// Splits rendered files into sorted hooks and manifests. Documents with an unknown hook are dropped,
/// and noted.
///
/// # Errors
/// A document is not YAML or not a map, in Helm's words.
pub fn sort_manifests(
    files: &BTreeMap<String, Text>,
    version: Version,
    notes: &mut Vec<Note>,
) -> Result<(Vec<Hook>, Vec<Manifest>), String> {
    let (mut hooks, mut manifests) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let text = text.to_str();
        if text.trim().is_empty() {
            continue;
        }
        for content in split(&text, version) {
            let head = Head::read(&content, version)
                .map_err(|error| format!("YAML parse error on {path}: {error}"))?;
            match head.annotations.get("helm.sh/hook") {
                None => manifests.push(Manifest {
                    path: path.clone(),
                    content,
                    kind: head.kind,
                }),
                Some(events) => match hook(path, &head, events, content) {
                    Some(hook) => hooks.push(hook),
                    None => notes.push(Note::UnknownHook(events.clone())),
                },
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

//! Orders: the legacy order of the output (`sortOptions`, `--reorder legacy`), and the order in which field
//! specifications are applied.

use std::collections::HashMap;

use super::Transformer;
use crate::error::{Result, fail};
use crate::id::{Gvk, ResId};
use crate::kustomization::{LegacySortOptions, SortOptions};
use crate::openapi::Schemas;
use crate::resmap::ResMap;

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Key of the order of field specifications: rank of the kind, then group, version and kind.
pub(crate) fn stable_key(gvk: &Gvk) -> (usize, String) {
    let first = FIRST.iter().position(|kind| gvk.kind == *kind);
    let last = || LAST.iter().position(|kind| gvk.kind == *kind);
    let rank = first.unwrap_or_else(|| FIRST.len() + last().map_or(0, |at| at + 1));
    (rank, sort_text(gvk))
}

fn or<'a>(text: &'a str, placeholder: &'a str) -> &'a str {
    if text.is_empty() { placeholder } else { text }
}

fn sort_text(gvk: &Gvk) -> String {
    let group = or(&gvk.group, "~G");
    let version = or(&gvk.version, "~V");
    format!("{group}_{version}_{}", or(&gvk.kind, "~K"))
}

/// Sorts the objects.
pub(crate) struct Sort {
    options: SortOptions,
}

impl Sort {
    pub fn new(options: &SortOptions) -> Self {
        Self {
            options: options.clone(),
        }
    }

    /// The order of the command line's default.
    pub fn legacy() -> Self {
        Self {
            options: SortOptions {
                order: "legacy".into(),
                legacy: None,
            },
        }
    }
}

struct Key {
    rank: i64,
    gvk: String,
    namespace_kind: Option<bool>,
    id: String,
}

impl Key {
    fn of(id: &ResId, ranks: &HashMap<&str, i64>) -> Self {
        let is_namespace = id.gvk.kind == "Namespace";
        let namespace = or(&id.namespace, "~X");
        Self {
            rank: ranks.get(id.gvk.kind.as_str()).copied().unwrap_or(0),
            gvk: sort_text(&id.gvk),
            namespace_kind: is_namespace.then(|| id.gvk.group.is_empty()),
            id: format!("{}|{namespace}|{}", id.gvk, or(&id.name, "~N")),
        }
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let kinds = match (self.namespace_kind, other.namespace_kind) {
            (Some(left), Some(right)) if left || right => other.gvk.cmp(&self.gvk),
            _ => self.gvk.cmp(&other.gvk),
        };
        self.rank
            .cmp(&other.rank)
            .then(kinds)
            .then_with(|| self.id.cmp(&other.id))
    }
}

impl Transformer for Sort {
    fn transform(&self, objects: &mut ResMap, schemas: &Schemas) -> Result<()> {
        let order = self.options.order.as_str();
        if order != "legacy" && order != "fifo" {
            fail!("the field 'sortOptions.order' must be one of [fifo, legacy]");
        }
        if order == "fifo" {
            if self.options.legacy.is_some() {
                fail!(
                    "the field 'sortOptions.legacySortOptions' is set but the selected sort order \
                     is 'fifo', not 'legacy'"
                );
            }
            return Ok(());
        }
        let owned = |kinds: &[&str]| kinds.iter().map(|k| (*k).to_owned()).collect();
        let options = self
            .options
            .legacy
            .clone()
            .unwrap_or_else(|| LegacySortOptions {
                order_first: owned(&FIRST),
                order_last: owned(&LAST),
            });
        let mut ranks = HashMap::new();
        let first = i64::try_from(options.order_first.len()).unwrap_or(i64::MAX);
        for (kind, rank) in options.order_first.iter().zip(-first..) {
            ranks.insert(kind.as_str(), rank);
        }
        for (kind, rank) in options.order_last.iter().zip(1..) {
            ranks.insert(kind.as_str(), rank);
        }
        let list = std::mem::take(objects.resources_mut());
        let mut keyed: Vec<_> = list
            .into_iter()
            .map(|resource| (Key::of(&resource.current_id(schemas), &ranks), resource))
            .collect();
        keyed.sort_by(|a, b| a.0.compare(&b.0));
        let sorted = keyed.into_iter().map(|(_, resource)| resource).collect();
        objects
            .append_all(sorted, schemas)
            .map_err(|e| e.wrap("SortOrderTransformer: Failed to append to resources"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_group_sorts_behind_lower_case_groups() {
        let ranks = HashMap::new();
        let key = |api: &str, kind: &str| {
            let gvk = Gvk::from_api_version(api, kind);
            let id = ResId {
                gvk,
                ..ResId::default()
            };
            Key::of(&id, &ranks)
        };
        assert!(key("apps/v1", "A").compare(&key("v1", "A")).is_lt());
        let core = key("v1", "Namespace");
        assert!(core.compare(&key("x/v1", "Namespace")).is_lt());
    }
}

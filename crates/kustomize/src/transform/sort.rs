//! Orders: the legacy order of the output (`sortOptions`, `--reorder legacy`), and the order in which field
//! specifications are applied.

use std::collections::HashMap;

use compact_str::format_compact;

use super::Transformer;
use crate::error::{Result, fail};
use crate::id::Gvk;
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

/// What of the order follows from the kind.
struct Key {
    rank: i64,
    gvk: String,
    namespace_kind: Option<bool>,
    shown: String,
}

impl Key {
    fn of(gvk: &Gvk, ranks: &HashMap<&str, i64>) -> Self {
        let is_namespace = gvk.kind == "Namespace";
        Self {
            rank: ranks.get(gvk.kind.as_str()).copied().unwrap_or(0),
            gvk: sort_text(gvk),
            namespace_kind: is_namespace.then(|| gvk.group.is_empty()),
            shown: gvk.to_string(),
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
            .then_with(|| self.shown.cmp(&other.shown))
    }
}

impl Transformer for Sort {
    fn transform(&self, objects: &mut ResMap, _: &Schemas) -> Result<()> {
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
        sort(objects, &ranks);
        Ok(())
    }
}

/// Sorts by the ranks of kinds; among objects of one kind only namespace and name are compared.
fn sort(objects: &mut ResMap, ranks: &HashMap<&str, i64>) {
    let mut numbers: HashMap<(&str, &str), usize> = HashMap::new();
    let mut kinds: Vec<Key> = Vec::new();
    let mut by_kind: Vec<Vec<usize>> = Vec::new();
    for (place, packed) in objects.list().iter().enumerate() {
        let identity = packed.identity();
        let number = numbers.entry((identity.api_version, identity.kind));
        let number = *number.or_insert_with(|| {
            kinds.push(Key::of(&identity.gvk(), ranks));
            by_kind.push(Vec::new());
            kinds.len() - 1
        });
        by_kind[number].push(place);
    }
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    order.sort_by(|a, b| kinds[*a].compare(&kinds[*b]));
    let mut places = Vec::with_capacity(objects.len());
    for number in order {
        let of_kind = &mut by_kind[number];
        of_kind.sort_by_cached_key(|place| {
            let identity = objects.list()[*place].identity();
            let (namespace, name) = (or(identity.namespace, "~X"), or(identity.name, "~N"));
            format_compact!("{namespace}|{name}")
        });
        places.append(of_kind);
    }
    objects.reorder(&places);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_group_sorts_behind_lower_case_groups() {
        let ranks = HashMap::new();
        let key = |api: &str, kind: &str| Key::of(&Gvk::from_api_version(api, kind), &ranks);
        assert!(key("apps/v1", "A").compare(&key("v1", "A")).is_lt());
        let core = key("v1", "Namespace");
        assert!(core.compare(&key("x/v1", "Namespace")).is_lt());
    }
}

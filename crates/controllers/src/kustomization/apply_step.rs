//! Preparing built objects, applying them, pruning what left.

use api::{Inventory, Kustomization, names};
use apply::{Action, ApplyOptions, ChangeSet, PruneOptions, ResourceManager, Stored, normalize};
use objects::{Gvk, Object, ObjectKey};
use reconcile::kustomization::{Failure, diff, from_entries, merge};

use super::Settings;
use crate::applier::ignore_rules;

/// Returns the objects as they are to be applied: owner labels, repairs, common metadata.
pub(super) fn prepare(own: &Kustomization, built: &[Object]) -> Result<Vec<Object>, Failure> {
    let mut objects = Vec::with_capacity(built.len());
    for object in built {
        let mut object = object.clone();
        object.set_label(names::OWNER_NAME_LABEL, &own.metadata.name);
        object.set_label(names::OWNER_NAMESPACE_LABEL, &own.metadata.namespace);
        normalize(&mut object);
        if let Some(common) = &own.spec.common_metadata {
            for (key, value) in &common.labels {
                object.set_label(key, value);
            }
            for (key, value) in &common.annotations {
                object.set_annotation(key, value);
            }
        }
        check_encryption(&object)?;
        objects.push(object);
    }
    Ok(objects)
}

/// Refuses Secrets that are still encrypted.
fn check_encryption(object: &Object) -> Result<(), Failure> {
    let secret = object.kind() == "Secret" && object.api_version() == "v1";
    let opted_out = object
        .annotation(names::DECRYPT)
        .is_some_and(|v| v.eq_ignore_ascii_case(names::DISABLED));
    if secret && object.0.contains_key("sops") && !opted_out {
        return Err(Failure::Apply {
            message: format!(
                "{} is SOPS encrypted, configuring decryption is required for this secret to be reconciled",
                object.key()
            ),
            inventory: Inventory::default(),
        });
    }
    Ok(())
}

/// Reads `spec.ignore` and the settings.
pub(super) fn options(own: &Kustomization, settings: &Settings) -> Result<ApplyOptions, Failure> {
    let ignore = ignore_rules(&own.spec.ignore).map_err(|error| Failure::Apply {
        message: error.to_string(),
        inventory: Inventory::default(),
    })?;
    Ok(ApplyOptions {
        force: own.spec.force,
        override_managers: settings.override_managers.clone(),
        custom_stage_kinds: settings.custom_stage_kinds.clone(),
        ignore,
        concurrency: settings.concurrent_ssa,
    })
}

/// Returns the inventory of a change set.
pub(super) fn inventory_of(changes: &ChangeSet) -> Inventory {
    from_entries(changes.entries.iter().map(|e| (&e.key, e.version.as_str())))
}

/// Returns the inventory after a failed apply: everything that was there, and what was applied.
pub(super) fn inventory_after_failure(own: &Kustomization, changes: &ChangeSet) -> Inventory {
    let old = own.status.inventory.clone().unwrap_or_default();
    merge(&inventory_of(changes), &old)
}

/// Returns the kinds of an inventory.
pub(super) fn kinds_of(changes: &ChangeSet) -> Vec<Gvk> {
    let mut kinds: Vec<Gvk> = changes
        .entries
        .iter()
        .filter(|e| e.action != Action::Skipped)
        .map(|e| Gvk::new(&e.key.group, &e.version, &e.key.kind))
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// Deletes the objects that left the inventory; returns what was done.
pub(super) async fn prune(
    manager: &ResourceManager,
    own: &Kustomization,
    inventory: &Inventory,
    settings: &Settings,
) -> Result<ChangeSet, Failure> {
    let old = own.status.inventory.clone().unwrap_or_default();
    let stale = diff(&old, inventory).stale;
    if !own.spec.prune || stale.is_empty() {
        return Ok(ChangeSet::default());
    }
    let outcome = manager
        .delete_all(stored(stale), &prune_options(own, settings))
        .await;
    let Some(message) = outcome.error() else {
        return Ok(outcome.changes);
    };
    let survivors = from_entries(
        outcome
            .survivors
            .iter()
            .map(|s| (&s.key, s.version.as_str())),
    );
    Err(Failure::Prune {
        message,
        inventory: merge(inventory, &survivors),
    })
}

pub(super) fn stored(objects: Vec<(ObjectKey, String)>) -> Vec<Stored> {
    let stored = |(key, version)| Stored { key, version };
    objects.into_iter().map(stored).collect()
}

pub(super) fn prune_options(own: &Kustomization, settings: &Settings) -> PruneOptions {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    PruneOptions {
        owner_labels: vec![
            label(names::OWNER_NAME_LABEL, &own.metadata.name),
            label(names::OWNER_NAMESPACE_LABEL, &own.metadata.namespace),
        ],
        concurrency: settings.concurrent_ssa,
    }
}

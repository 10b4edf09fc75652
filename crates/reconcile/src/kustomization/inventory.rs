//! Set arithmetic over inventories. Entries are keyed by id; a new version of the same id is the same object.

use std::collections::BTreeMap;

use api::{Inventory, InventoryEntry};
use objects::ObjectKey;

/// Objects that left an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryDifference {
    /// Objects with the version they were applied in.
    pub stale: Vec<(ObjectKey, String)>,
}

/// Builds an inventory of objects with versions.
pub fn from_entries<'a>(entries: impl IntoIterator<Item = (&'a ObjectKey, &'a str)>) -> Inventory {
    let by_id: BTreeMap<String, &str> = entries
        .into_iter()
        .map(|(key, version)| (key.to_id(), version))
        .collect();
    Inventory {
        entries: by_id
            .into_iter()
            .map(|(id, v)| InventoryEntry {
                id,
                v: v.to_owned(),
            })
            .collect(),
    }
}

/// Reads the entries of an inventory; ids that cannot be read are left out.
pub fn parse(inventory: &Inventory) -> Vec<(ObjectKey, String)> {
    inventory
        .entries
        .iter()
        .filter_map(|e| Some((ObjectKey::from_id(&e.id).ok()?, e.v.clone())))
        .collect()
}

/// Returns the objects that are in the old inventory but not in the new one.
pub fn diff(old: &Inventory, new: &Inventory) -> InventoryDifference {
    let kept: std::collections::HashSet<&str> = new.entries.iter().map(|e| e.id.as_str()).collect();
    let stale = parse(old)
        .into_iter()
        .filter(|(key, _)| !kept.contains(key.to_id().as_str()))
        .collect();
    InventoryDifference { stale }
}

/// Adds entries to an inventory; its own versions win.
pub fn merge(inventory: &Inventory, more: &Inventory) -> Inventory {
    let mut by_id: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in more.entries.iter().chain(&inventory.entries) {
        by_id.insert(&entry.id, &entry.v);
    }
    Inventory {
        entries: by_id
            .into_iter()
            .map(|(id, v)| InventoryEntry {
                id: id.to_owned(),
                v: v.to_owned(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(entries: &[(&str, &str)]) -> Inventory {
        let entries = entries.iter().map(|(id, v)| InventoryEntry {
            id: (*id).into(),
            v: (*v).into(),
        });
        Inventory {
            entries: entries.collect(),
        }
    }

    #[test]
    fn objects_that_left_are_stale_whatever_their_version() {
        for (name, old, new, stale) in [
            (
                "nothing changed",
                vec![("a_b__ConfigMap", "v1")],
                vec![("a_b__ConfigMap", "v1")],
                vec![],
            ),
            (
                "a new version is the same object",
                vec![("a_b_x_Y", "v1")],
                vec![("a_b_x_Y", "v2")],
                vec![],
            ),
            (
                "one left",
                vec![("a_b__Secret", "v1"), ("a_c__Secret", "v1")],
                vec![("a_c__Secret", "v1")],
                vec!["a_b__Secret"],
            ),
            (
                "unreadable ids are left alone",
                vec![("nonsense", "v1")],
                vec![],
                vec![],
            ),
        ] {
            let stale_ids: Vec<_> = diff(&inventory(&old), &inventory(&new))
                .stale
                .iter()
                .map(|(key, _)| key.to_id())
                .collect();
            assert_eq!(stale_ids, stale, "{name}");
        }
    }

    #[test]
    fn merging_keeps_own_versions() {
        let merged = merge(
            &inventory(&[("b", "v2")]),
            &inventory(&[("a", "v1"), ("b", "v1")]),
        );
        assert_eq!(merged, inventory(&[("a", "v1"), ("b", "v2")]));
    }
}

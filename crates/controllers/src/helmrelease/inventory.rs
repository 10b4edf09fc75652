//! The objects of a release as the status lists them.

use api::{Inventory, InventoryEntry};
use cluster::Cluster;
use helm::chart::Chart;
use helm::release::Record;
use objects::{Object, ObjectKey};
use parking_lot::Mutex;

use super::items::parse;

/// The inventory of the release written last, until the action ends.
#[derive(Debug, Default)]
pub(super) struct Inventories(Mutex<Option<Inventory>>);

impl Inventories {
    pub(super) fn set(&self, inventory: Inventory) {
        *self.0.lock() = Some(inventory);
    }

    pub(super) fn take(&self) -> Option<Inventory> {
        self.0.lock().take()
    }
}

/// Lists the objects of a record in the order of its manifest, then those of the chart's definition files.
pub(super) async fn inventory(
    cluster: &dyn Cluster,
    record: &Record,
    chart: Option<&Chart>,
) -> Result<Inventory, String> {
    let mut entries = Vec::new();
    for mut object in parse(&record.manifest)? {
        if object.annotation("helm.sh/hook").is_some() {
            continue;
        }
        // A kind that is not served (yet) is listed as it is written.
        let resource = cluster.resolve(&object.gvk()).await;
        match resource {
            Ok(resource) if !resource.namespaced => {
                object.metadata_mut().remove("namespace");
            }
            Ok(_) if object.namespace().is_empty() => object.set_namespace(&record.namespace),
            _ => {}
        }
        entries.push(entry(&object));
    }
    for file in chart.map(Chart::crds).unwrap_or_default() {
        let text = String::from_utf8_lossy(&file.data);
        entries.extend(parse(&text)?.iter().map(entry));
    }
    Ok(Inventory { entries })
}

fn entry(object: &Object) -> InventoryEntry {
    let gvk = object.gvk();
    let key = ObjectKey::new(gvk.group, gvk.kind, object.namespace(), object.name());
    InventoryEntry {
        id: key.to_id(),
        v: gvk.version,
    }
}

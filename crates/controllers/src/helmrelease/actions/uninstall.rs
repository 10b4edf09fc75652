//! Uninstalls.

use std::time::Duration;

use cluster::Propagation;
use helm::Version;
use helm::kinds::{Manifest, sort_for_uninstall};
use helm::release::{Info, Record};
use objects::Object;

use super::super::items::{locate, parse};
use super::super::kube::is_kept;
use super::super::observation::status;
use super::super::session::{Session, set_status};
use super::super::storage::Head;

impl Session<'_> {
    /// Uninstalls the release. `Ok(false)` tells that there is none.
    pub(in super::super) async fn uninstall(
        &self,
        timeout: Duration,
        propagation: Propagation,
    ) -> Result<bool, String> {
        let uninstall = self.own.spec.uninstall();
        let heads = self.heads().await?;
        let Some(last) = heads.last() else {
            return Ok(false);
        };
        let mut record = self.storage.read(&self.release, last.version).await?;
        if status(&record) == "uninstalled" {
            if uninstall.keep_history {
                let name = &self.release;
                return Err(format!("the release named \"{name}\" is already deleted"));
            }
            self.purge(&heads).await?;
            return Ok(true);
        }
        set_status(
            &mut record,
            "uninstalling",
            "Deletion in progress (or silently failed)",
        );
        let info = record.info.get_or_insert_with(Info::default);
        info.deleted = Some(self.now().to_string());
        let hooks = !uninstall.disable_hooks;
        if hooks {
            self.run_hooks(&mut record, "pre-delete", timeout, true)
                .await?;
        }
        self.update_record(&record).await?;
        let mut errors = self.delete_objects(&record, timeout, propagation).await?;
        if hooks {
            let ran = self
                .run_hooks(&mut record, "post-delete", timeout, true)
                .await;
            errors.extend(ran.err());
        }
        set_status(&mut record, "uninstalled", "Uninstallation complete");
        if uninstall.keep_history {
            self.update_record(&record).await?;
            self.supersede(record.version).await?;
        } else if let Err(error) = self.purge(&heads).await {
            errors.push(format!("uninstall: Failed to purge the release: {error}"));
        }
        if errors.is_empty() {
            return Ok(true);
        }
        Err(format!(
            "uninstallation completed with {} error(s): {}",
            errors.len(),
            errors.join("; ")
        ))
    }

    /// Deletes the objects of a release in the order of uninstalls; returns what went wrong after they were deleted.
    async fn delete_objects(
        &self,
        record: &Record,
        timeout: Duration,
        propagation: Propagation,
    ) -> Result<Vec<String>, String> {
        let parsed = parse(&record.manifest);
        let objects = parsed.map_err(|error| {
            format!("corrupted release record. You must manually delete the resources: {error}")
        })?;
        let mut items = Vec::new();
        for object in in_order(&objects).filter(|object| !is_kept(object)) {
            match locate(&*self.kube.cluster, object.clone(), &record.namespace).await {
                Ok(item) => items.push(item),
                // Objects of a kind that is not served are gone.
                Err(error) if error.contains("no matches for kind") => {}
                Err(error) => return Err(error),
            }
        }
        self.watch(&items);
        let errors = self.kube.delete(&items, propagation).await;
        for item in &items {
            self.observations.forget(&item.key());
        }
        if !errors.is_empty() {
            let name = &self.release;
            self.log(errors.join("; "));
            return Err(format!("failed to delete release: {name}"));
        }
        let waits = !self.own.spec.uninstall().disable_wait && propagation != Propagation::Orphan;
        if !waits {
            return Ok(Vec::new());
        }
        let waited = self.wait_deleted(&items, timeout).await;
        Ok(waited.err().into_iter().collect())
    }

    /// Deletes all revisions, the last one last: it says that an uninstall is under way.
    async fn purge(&self, heads: &[Head]) -> Result<(), String> {
        for head in heads {
            self.storage.delete(&self.release, head.version).await?;
        }
        Ok(())
    }
}

/// Puts objects into the order of uninstalls.
fn in_order(objects: &[Object]) -> impl Iterator<Item = &Object> {
    let manifests = objects.iter().enumerate().map(|(index, object)| Manifest {
        path: index.to_string(),
        content: String::new(),
        kind: object.kind().to_owned(),
    });
    let mut order: Vec<Manifest> = manifests.collect();
    sort_for_uninstall(&mut order, Version::V4);
    let indexes = order.into_iter().map(|entry| entry.path.parse().ok());
    indexes.filter_map(|index: Option<usize>| objects.get(index?))
}

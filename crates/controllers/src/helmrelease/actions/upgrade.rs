//! Upgrades and rollbacks: from the objects of one revision to those of another.

use cluster::Propagation;
use helm::release::{Info, Record};

use super::super::inventory::inventory;
use super::super::items::Item;
use super::super::kube::Mode;
use super::super::render::RenderedRelease;
use super::super::session::{Session, set_status};
use super::{Manner, is_client_side, is_pending, method};

/// What came of the way from one revision to another.
struct Moved {
    created: Vec<Item>,
    result: Result<(), String>,
}

/// How the record of an action speaks of it.
struct Words {
    action: &'static str,
    done: String,
}

impl Session<'_> {
    /// Finds the release that an upgrade starts from, and the number of the next revision.
    pub(in super::super) async fn current(&self) -> Result<(Record, Record), String> {
        let heads = self.heads().await?;
        let none = || format!("\"{}\" has no deployed releases", self.release);
        let last = heads.last().ok_or_else(none)?;
        if is_pending(&last.status) {
            return Err("another operation (install/upgrade/rollback) is in progress".to_owned());
        }
        let last_record = self.storage.read(&self.release, last.version).await?;
        let deployed = heads.iter().rev().find(|head| head.status == "deployed");
        let current = match deployed {
            Some(head) if head.version == last.version => last_record.clone(),
            Some(head) => self.storage.read(&self.release, head.version).await?,
            None if matches!(last.status.as_str(), "failed" | "superseded") => last_record.clone(),
            None => return Err(none()),
        };
        Ok((current, last_record))
    }

    /// Upgrades to a rendered release.
    pub(in super::super) async fn upgrade(
        &self,
        current: Record,
        rendered: RenderedRelease,
        manner: Manner,
    ) -> Result<(), String> {
        let RenderedRelease { mut record, chart } = rendered;
        record.apply_method = method(manner.server_side);
        let first = current.info.as_ref().and_then(|i| i.first_deployed.clone());
        let now = self.now().to_string();
        if let Some(info) = &mut record.info {
            info.first_deployed = first;
            info.last_deployed = Some(now);
        }
        set_status(&mut record, "pending-upgrade", "Preparing upgrade");
        let mut targets = self.build_new(&record, "new release manifest").await?;
        let mut originals = self.build_old(&current).await?;
        self.own_all(&mut targets);
        let added: Vec<Item> = targets
            .iter()
            .filter(|t| !originals.iter().any(|o| o.is_same(t)))
            .cloned()
            .collect();
        let adopted = self
            .kube
            .existing(
                &added,
                &self.release,
                &self.namespace,
                manner.take_ownership,
            )
            .await
            .map_err(|error| format!("unable to continue with update: {error}"))?;
        originals.extend(adopted);
        self.storage
            .prune(&self.release, manner.max_history)
            .await?;
        self.create_record(&record).await?;
        let listed = inventory(&*self.kube.cluster, &record, Some(&chart)).await;
        self.inventories.set(listed.unwrap_or_default());
        let migrate = is_client_side(&current) && manner.server_side;
        let mode = Mode {
            migrate,
            ..manner.mode()
        };
        let moments = ["pre-upgrade", "post-upgrade"];
        let moved = self
            .bring_over(&mut record, &originals, &targets, moments, mode, manner)
            .await;
        let words = Words {
            action: "Upgrade",
            done: "Upgrade complete".to_owned(),
        };
        self.finish(record, moved, words, manner).await
    }

    /// Rolls back to an earlier revision.
    pub(in super::super) async fn roll_back(
        &self,
        version: i64,
        manner: Manner,
    ) -> Result<(), String> {
        let current = self.last().await?;
        let current = current.ok_or_else(|| "release: not found".to_owned())?;
        let target = self.storage.get(&self.release, version).await?;
        let target = target.ok_or_else(|| format!("release has no {version} version"))?;
        let first = current.info.as_ref().and_then(|i| i.first_deployed.clone());
        let notes = target.info.as_ref().map(|i| i.notes.clone());
        let mut record = Record {
            version: current.version + 1,
            namespace: current.namespace.clone(),
            apply_method: method(manner.server_side),
            info: Some(Info {
                first_deployed: first,
                last_deployed: Some(self.now().to_string()),
                notes: notes.unwrap_or_default(),
                ..Info::default()
            }),
            ..target
        };
        let description = format!("Rollback to {version}");
        set_status(&mut record, "pending-rollback", description.clone());
        let mut targets = self.build_new(&record, "new release manifest").await?;
        let originals = self.build_old(&current).await?;
        self.own_all(&mut targets);
        self.storage
            .prune(&self.release, manner.max_history)
            .await?;
        self.create_record(&record).await?;
        let listed = inventory(&*self.kube.cluster, &record, None).await;
        self.inventories.set(listed.unwrap_or_default());
        let mode = Mode {
            migrate: true,
            ..manner.mode()
        };
        let moments = ["pre-rollback", "post-rollback"];
        let moved = self
            .bring_over(&mut record, &originals, &targets, moments, mode, manner)
            .await;
        let words = Words {
            action: "Rollback",
            done: description,
        };
        self.finish(record, moved, words, manner).await
    }

    /// Hooks, update, wait, hooks.
    async fn bring_over(
        &self,
        record: &mut Record,
        originals: &[Item],
        targets: &[Item],
        moments: [&str; 2],
        mode: Mode,
        manner: Manner,
    ) -> Moved {
        let (timeout, server_side) = (manner.timeout, manner.server_side);
        let [before, after] = moments;
        if manner.hooks {
            let ran = self.run_hooks(record, before, timeout, server_side).await;
            if let Err(error) = ran {
                return Moved {
                    created: Vec::new(),
                    result: Err(hook_error(before, error)),
                };
            }
        }
        self.watch(targets);
        self.log(format!("checking {} resources for changes", targets.len()));
        let (updated, result) = self.kube.update(originals, targets, mode).await;
        self.remember(targets, &updated.live);
        for gone in originals
            .iter()
            .filter(|o| !targets.iter().any(|t| t.is_same(o)))
        {
            self.observations.forget(&gone.key());
        }
        let rest = async {
            result?;
            self.wait_for_items(targets, manner).await?;
            if manner.hooks {
                self.run_hooks(record, after, timeout, server_side)
                    .await
                    .map_err(|error| hook_error(after, error))?;
            }
            Ok(())
        };
        Moved {
            result: rest.await,
            created: updated.created,
        }
    }

    /// Ends an upgrade or rollback: its record says how it went, and where it went well no other revision is deployed.
    async fn finish(
        &self,
        mut record: Record,
        moved: Moved,
        words: Words,
        manner: Manner,
    ) -> Result<(), String> {
        match moved.result {
            Ok(()) => {
                set_status(&mut record, "deployed", words.done);
                let stored = self.update_record(&record).await;
                stored.map_err(|error| format!("failed to record the release: {error}"))?;
                self.supersede(record.version).await
            }
            Err(error) => {
                let text = format!("{} \"{}\" failed: {error}", words.action, record.name);
                set_status(&mut record, "failed", text);
                self.update_record(&record).await?;
                self.clean_up(moved.created, error, manner).await
            }
        }
    }

    async fn clean_up(
        &self,
        created: Vec<Item>,
        error: String,
        manner: Manner,
    ) -> Result<(), String> {
        if !manner.cleanup_on_fail || created.is_empty() {
            return Err(error);
        }
        let errors = self.kube.delete(&created, Propagation::Background).await;
        if errors.is_empty() {
            return Err(error);
        }
        Err(format!(
            "an error occurred while cleaning up resources. original upgrade error: {error}: unable to cleanup resources: {}",
            errors.join(", ")
        ))
    }
}

fn hook_error(moment: &str, error: String) -> String {
    match moment {
        "pre-upgrade" | "post-upgrade" => format!("{moment} hooks failed: {error}"),
        _ => error,
    }
}

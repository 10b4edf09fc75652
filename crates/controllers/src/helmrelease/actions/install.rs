//! Installs.

use helm::release::Record;
use objects::{Gvk, Object, json};

use super::super::inventory::inventory;
use super::super::items::{Item, locate};
use super::super::kube::Mode;
use super::super::observation::status;
use super::super::render::RenderedRelease;
use super::super::session::{Session, set_status};
use super::{Manner, method};

impl Session<'_> {
    /// Checks that the name of the release is free; returns the record to supersede, where there is one.
    pub(in super::super) async fn check_name(
        &self,
        replace: bool,
    ) -> Result<Option<Record>, String> {
        const IN_USE: &str = "release name check failed: cannot reuse a name that is still in use";
        let Some(last) = self.last().await? else {
            return Ok(None);
        };
        if replace && matches!(status(&last), "uninstalled" | "failed") {
            return Ok(Some(last));
        }
        Err(IN_USE.to_owned())
    }

    /// Installs a rendered release.
    pub(in super::super) async fn install(
        &self,
        rendered: RenderedRelease,
        superseded: Option<Record>,
        namespace: bool,
        manner: Manner,
    ) -> Result<(), String> {
        let RenderedRelease { mut record, chart } = rendered;
        let now = self.now().to_string();
        record.apply_method = method(manner.server_side);
        if let Some(info) = &mut record.info {
            info.first_deployed = Some(now.clone());
            info.last_deployed = Some(now);
        }
        set_status(&mut record, "pending-install", "Initial install underway");
        let mut items = self.build_new(&record, "release manifest").await?;
        self.own_all(&mut items);
        let adopted = self
            .kube
            .existing(
                &items,
                &self.release,
                &self.namespace,
                manner.take_ownership,
            )
            .await
            .map_err(|error| format!("unable to continue with install: {error}"))?;
        if namespace {
            self.create_namespace(manner.server_side).await?;
        }
        if let Some(mut old) = superseded {
            record.version = old.version + 1;
            if status(&old) != "failed" {
                set_status(&mut old, "superseded", "superseded by new release");
                self.update_record(&old).await?;
            }
        }
        self.create_record(&record).await?;
        let listed = inventory(&*self.kube.cluster, &record, Some(&chart)).await;
        self.inventories.set(listed.unwrap_or_default());
        let done = self.bring_in(&mut record, &items, &adopted, manner).await;
        match done {
            Ok(()) => set_status(&mut record, "deployed", "Install complete"),
            Err(ref error) => {
                let text = format!("Release \"{}\" failed: {error}", record.name);
                set_status(&mut record, "failed", text);
            }
        }
        let stored = self.update_record(&record).await;
        done?;
        stored.map_err(|error| format!("failed to record the release: {error}"))
    }

    async fn bring_in(
        &self,
        record: &mut Record,
        items: &[Item],
        adopted: &[Item],
        manner: Manner,
    ) -> Result<(), String> {
        let (timeout, server_side) = (manner.timeout, manner.server_side);
        if manner.hooks {
            self.run_hooks(record, "pre-install", timeout, server_side)
                .await
                .map_err(|error| format!("failed pre-install: {error}"))?;
        }
        self.watch(items);
        self.log(format!("creating {} resource(s)", items.len()));
        if adopted.is_empty() {
            let mode = Mode {
                force_conflicts: false,
                ..manner.mode()
            };
            let live = self.kube.create(items, mode).await?;
            self.remember(items, &live);
        } else {
            let mode = Mode {
                three_way: manner.take_ownership && !server_side,
                migrate: true,
                ..manner.mode()
            };
            let (updated, result) = self.kube.update(adopted, items, mode).await;
            self.remember(items, &updated.live);
            result?;
        }
        self.wait_for_items(items, manner).await?;
        if manner.hooks {
            self.run_hooks(record, "post-install", timeout, server_side)
                .await
                .map_err(|error| format!("failed post-install: {error}"))?;
        }
        Ok(())
    }

    async fn create_namespace(&self, server_side: bool) -> Result<(), String> {
        let gvk = Gvk::new("", "v1", "Namespace");
        let mut namespace = Object::new(&gvk, "", &self.namespace);
        namespace.set(&["metadata", "labels"], json!({"name": self.namespace}));
        let item = locate(&*self.kube.cluster, namespace, "").await?;
        let present = self.kube.get(&item.target()).await;
        if present.map_err(|error| error.to_string())?.is_some() {
            return Ok(());
        }
        let mode = Mode {
            server_side,
            force_conflicts: false,
            replace: false,
            three_way: false,
            migrate: false,
            strict: true,
        };
        self.kube.create(&[item], mode).await.map(|_| ())
    }
}

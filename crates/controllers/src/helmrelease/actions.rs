//! Install, upgrade, rollback, uninstall, test and unlock, as Helm 4 does them over a cluster.
//!
//! Storage is written before and after everything that changes the cluster, and a release counts as deployed before
//! the one it replaces counts as superseded: whenever the process dies, the last deployed release is known.

use std::time::Duration;

use cluster::Propagation;
use helm::Version;
use helm::kinds::{Manifest, sort_for_uninstall};
use helm::release::{Info, Record};
use jiff::Timestamp;
use objects::{Gvk, Object, json};
use reconcile::helmrelease::Outcome;

use super::inventory::inventory;
use super::items::{Item, build, locate, parse};
use super::kube::{Mode, is_kept};
use super::observation::{is_selected, status};
use super::render::RenderedRelease;
use super::session::{Session, WaitFor, set_status};
use super::storage::Head;

/// How the objects of a release are brought into the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) timeout: Duration,
    pub(super) wait: Option<WaitFor>,
    pub(super) hooks: bool,
    pub(super) server_side: bool,
    /// Replaces objects; client-side only.
    pub(super) replace: bool,
    pub(super) take_ownership: bool,
    /// Unknown fields are an error.
    pub(super) strict: bool,
    pub(super) cleanup_on_fail: bool,
    /// Revisions kept; 0 keeps all.
    pub(super) max_history: i64,
}

impl Manner {
    fn mode(self) -> Mode {
        Mode {
            server_side: self.server_side,
            force_conflicts: self.server_side,
            replace: self.replace && !self.server_side,
            three_way: false,
            migrate: false,
            strict: self.strict,
        }
    }
}

fn method(server_side: bool) -> String {
    if server_side { "ssa" } else { "csa" }.to_owned()
}

/// Tells whether a release was applied by the client.
pub(super) fn is_client_side(record: &Record) -> bool {
    record.apply_method != "ssa"
}

pub(super) fn is_pending(status: &str) -> bool {
    status.starts_with("pending-")
}

impl Session<'_> {
    /// Reads the last revision; `None` where the release does not exist.
    pub(super) async fn last(&self) -> Result<Option<Record>, String> {
        let last = self.storage.last(&self.release).await;
        last.map_err(|error| error.to_string())
    }

    pub(super) async fn heads(&self) -> Result<Vec<Head>, String> {
        let heads = self.storage.heads(&self.release).await;
        heads.map_err(|error| error.to_string())
    }

    // ---- install

    /// Checks that the name of the release is free; returns the record to supersede, where there is one.
    pub(super) async fn check_name(&self, replace: bool) -> Result<Option<Record>, String> {
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
    pub(super) async fn install(
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

    async fn wait_for_items(&self, items: &[Item], manner: Manner) -> Result<(), String> {
        let Some(what) = manner.wait else {
            return Ok(());
        };
        self.log(format!(
            "beginning wait for {} resources with timeout of {}",
            items.len(),
            api::go_duration(manner.timeout)
        ));
        self.wait(items, manner.timeout, what).await
    }

    async fn build_new(&self, record: &Record, what: &str) -> Result<Vec<Item>, String> {
        let items = build(&*self.kube.cluster, &record.manifest, &record.namespace).await;
        items.map_err(|error| format!("unable to build kubernetes objects from {what}: {error}"))
    }

    pub(super) fn own_all(&self, items: &mut [Item]) {
        for item in items {
            item.own(&self.release, &self.namespace);
        }
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

    // ---- upgrade

    /// Finds the release that an upgrade starts from, and the number of the next revision.
    pub(super) async fn current(&self) -> Result<(Record, Record), String> {
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
    pub(super) async fn upgrade(
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
        let (created, done) = self
            .bring_over(&mut record, &originals, &targets, moments, mode, manner)
            .await;
        match done {
            Ok(()) => {
                set_status(&mut record, "deployed", "Upgrade complete");
                let stored = self.update_record(&record).await;
                stored.map_err(|error| format!("failed to record the release: {error}"))?;
                self.supersede(record.version).await
            }
            Err(error) => {
                let text = format!("Upgrade \"{}\" failed: {error}", record.name);
                set_status(&mut record, "failed", text);
                self.update_record(&record).await?;
                self.clean_up(created, error, manner).await
            }
        }
    }

    async fn build_old(&self, record: &Record) -> Result<Vec<Item>, String> {
        // An object of a kind that is no longer served is gone; upstream gives up here.
        let mut items = Vec::new();
        for object in parse(&record.manifest)? {
            match locate(&*self.kube.cluster, object, &record.namespace).await {
                Ok(item) => items.push(item),
                Err(error) if error.contains("no matches for kind") => {}
                Err(error) => {
                    return Err(format!(
                        "unable to build kubernetes objects from current release manifest: {error}"
                    ));
                }
            }
        }
        Ok(items)
    }

    /// Hooks, update, wait, hooks. Returns what was created, too.
    async fn bring_over(
        &self,
        record: &mut Record,
        originals: &[Item],
        targets: &[Item],
        moments: [&str; 2],
        mode: Mode,
        manner: Manner,
    ) -> (Vec<Item>, Result<(), String>) {
        let (timeout, server_side) = (manner.timeout, manner.server_side);
        let [before, after] = moments;
        if manner.hooks {
            let ran = self.run_hooks(record, before, timeout, server_side).await;
            if let Err(error) = ran {
                return (Vec::new(), Err(hook_error(before, error)));
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
        let result = rest.await;
        (updated.created, result)
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

    /// Marks every deployed revision but one as superseded.
    pub(super) async fn supersede(&self, kept: i64) -> Result<(), String> {
        for head in self.heads().await? {
            if head.status == "deployed" && head.version != kept {
                let mut old = self.storage.read(&self.release, head.version).await?;
                old.info.get_or_insert_with(Info::default).status = "superseded".to_owned();
                self.update_record(&old).await?;
            }
        }
        Ok(())
    }

    // ---- rollback

    /// Rolls back to an earlier revision.
    pub(super) async fn roll_back(&self, version: i64, manner: Manner) -> Result<(), String> {
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
        let (created, done) = self
            .bring_over(&mut record, &originals, &targets, moments, mode, manner)
            .await;
        match done {
            Ok(()) => {
                set_status(&mut record, "deployed", description);
                let stored = self.update_record(&record).await;
                stored.map_err(|error| format!("failed to record the release: {error}"))?;
                self.supersede(record.version).await
            }
            Err(error) => {
                let text = format!("Rollback \"{}\" failed: {error}", record.name);
                set_status(&mut record, "failed", text);
                self.update_record(&record).await?;
                self.clean_up(created, error, manner).await
            }
        }
    }

    // ---- uninstall

    /// Uninstalls the release. `Ok(false)` tells that there is none.
    pub(super) async fn uninstall(
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
        let mut order: Vec<Manifest> = objects
            .iter()
            .enumerate()
            .map(|(index, object)| Manifest {
                path: index.to_string(),
                content: String::new(),
                kind: object.kind().to_owned(),
            })
            .collect();
        sort_for_uninstall(&mut order, Version::V4);
        let mut items = Vec::new();
        for entry in order {
            let index: usize = entry.path.parse().unwrap_or(0);
            let object = &objects[index];
            if is_kept(object) {
                continue;
            }
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

    // ---- test and unlock

    /// Runs the selected tests of the last revision and returns its record.
    pub(super) async fn test(&self, timeout: Duration) -> (Option<Record>, Result<(), String>) {
        let mut record = match self.last().await {
            Ok(Some(record)) => record,
            Ok(None) => return (None, Err("release: not found".to_owned())),
            Err(error) => return (None, Err(error)),
        };
        let filters = self.own.spec.test().filters.unwrap_or_default();
        let server_side = !is_client_side(&record);
        let selected = |hook: &helm::release::StoredHook| is_selected(&hook.name, &filters);
        let (shutdown, result) = self
            .start_hooks(&mut record, "test", timeout, server_side, &selected)
            .await;
        let stored = self.update_record(&record).await;
        if let Err(error) = self.shut_down(shutdown, timeout).await {
            self.log(format!("error deleting test hooks: {error}"));
        }
        (Some(record), result.and(stored))
    }

    /// Marks a revision that is in the middle of an action as failed.
    pub(super) async fn unlock(&self, record: &mut Record) -> Result<(), String> {
        let found = status(record).to_owned();
        let text = format!("Release unlocked from stale '{found}' state");
        set_status(record, "failed", text);
        self.update_record(record).await
    }

    /// Starts to measure an action.
    pub(super) fn start(&self) -> Timestamp {
        self.observed.lock().clear();
        self.inventories.take();
        self.now()
    }

    /// Ends an action of which nothing is known but its error.
    pub(super) fn failed_outcome(&self, error: String) -> Outcome {
        Outcome {
            error: Some(error),
            logs: self.logs.text(),
            ..Outcome::default()
        }
    }
}

fn hook_error(moment: &str, error: String) -> String {
    match moment {
        "pre-upgrade" | "post-upgrade" => format!("{moment} hooks failed: {error}"),
        _ => error,
    }
}

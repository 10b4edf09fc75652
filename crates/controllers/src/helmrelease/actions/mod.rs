//! Install, upgrade, rollback, uninstall, test and unlock, as Helm 4 does them over a cluster.
//!
//! Storage is written before and after everything that changes the cluster, and a release counts as deployed before
//! the one it replaces counts as superseded: whenever the process dies, the last deployed release is known.

mod install;
mod uninstall;
mod upgrade;

use std::time::Duration;

use helm::release::{Info, Record};
use jiff::Timestamp;
use reconcile::helmrelease::Outcome;

use super::items::{Item, build, locate, parse};
use super::kube::Mode;
use super::observation::{is_selected, status};
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

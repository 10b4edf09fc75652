//! One release and the cluster it lives in: what all actions share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::{DriftMode, HelmRelease};
use apply::{Observations, ResourceManager, Stored, WaitOptions, WaitTarget};
use controller_runtime::Run;
use helm::release::{Info, Record};
use jiff::Timestamp;
use objects::{Gvk, Health, HealthStatus, Object};
use parking_lot::Mutex;
use reconcile::expression::HealthExpressions;
use reconcile::helmrelease::{Observation, Outcome};
use tokio::sync::Notify;

use super::inventory::Inventories;
use super::items::Item;
use super::kube::Kube;
use super::logs::Logs;
use super::newer::superseded;
use super::observation::observe;
use super::storage::{Saved, Storage};
use crate::applier::drift::DriftWatch;

/// Time between two looks at objects that no watch covers.
const POLL: Duration = Duration::from_secs(5);
/// Time between two looks at objects that are being deleted.
const TERMINATION_POLL: Duration = Duration::from_millis(250);

/// What all actions on one release share.
pub(super) struct Session<'a> {
    pub(super) run: &'a Run,
    pub(super) own: &'a HelmRelease,
    pub(super) kube: Kube,
    pub(super) storage: Storage,
    pub(super) manager: ResourceManager,
    pub(super) observations: Arc<Observations>,
    pub(super) drift: Arc<DriftWatch>,
    pub(super) expressions: &'a HealthExpressions,
    pub(super) wake: Arc<Notify>,
    /// Name of the release, shortened.
    pub(super) release: String,
    pub(super) namespace: String,
    /// Digest of the wanted values.
    pub(super) config_digest: String,
    pub(super) logs: Logs,
    pub(super) inventories: Inventories,
    /// Whether waits give way to something newer.
    pub(super) cancellable: bool,
    /// What the wait gave way to, `Kind/namespace/name`.
    pub(super) canceled: Mutex<Option<String>>,
    /// Last write of every revision, since the action began.
    pub(super) observed: Mutex<BTreeMap<i64, Observation>>,
}

/// Which objects are waited for, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitFor {
    /// Objects of a release; Jobs count once they have started.
    Objects,
    /// Objects of a release; Jobs count when they are done.
    ObjectsAndJobs,
    /// Hooks: Jobs and Pods count when they are done, everything else at once.
    Hooks,
}

impl Session<'_> {
    pub(super) fn now(&self) -> Timestamp {
        self.run.runtime.clock.now()
    }

    pub(super) fn log(&self, text: impl Into<String>) {
        let text = text.into();
        tracing::debug!("{text}");
        self.logs.add(self.now(), text);
    }

    /// Stores a new revision and remembers it as observed.
    pub(super) async fn create_record(&self, record: &Record) -> Result<(), String> {
        let saved = self.storage.create(record, self.now()).await?;
        self.observe(&saved);
        Ok(())
    }

    /// Stores a revision again and remembers it as observed.
    pub(super) async fn update_record(&self, record: &Record) -> Result<(), String> {
        let saved = self.storage.update(record, self.now()).await?;
        self.observe(&saved);
        Ok(())
    }

    fn observe(&self, saved: &Saved) {
        let digest = saved.without_config.then_some(self.config_digest.as_str());
        let observation = observe(&saved.record, digest);
        self.observed
            .lock()
            .insert(saved.record.version, observation);
    }

    /// Ends an action: what it observed since it began.
    pub(super) fn outcome(&self, started: Timestamp, result: Result<(), String>) -> Outcome {
        let observed = std::mem::take(&mut *self.observed.lock());
        let duration = self.now().duration_since(started);
        Outcome {
            observed: observed.into_values().collect(),
            error: result.err(),
            logs: self.logs.text(),
            duration: Duration::try_from(duration).unwrap_or_default(),
            inventory: self.inventories.take(),
        }
    }

    /// Watches the kinds of objects from now on, so that waits are woken and drift is seen.
    pub(super) fn watch(&self, items: &[Item]) {
        for item in items {
            let object = &item.object;
            self.drift
                .watch(&Gvk::from_api_version(object.api_version(), object.kind()));
        }
    }

    /// Remembers applied objects, so that their drift is noticed by the watch.
    pub(super) fn remember(&self, items: &[Item], live: &[Object]) {
        if self.own.spec.drift_mode() == DriftMode::Disabled {
            return;
        }
        for item in items {
            let key = item.key();
            if let Some(live) = live.iter().find(|object| object.key() == key) {
                let digest = Observations::digest(&item.object);
                self.observations.record(key, digest, live);
            }
        }
    }

    /// Waits until objects are ready.
    pub(super) async fn wait(
        &self,
        items: &[Item],
        timeout: Duration,
        what: WaitFor,
    ) -> Result<(), String> {
        let targets: Vec<WaitTarget> = items
            .iter()
            .filter(|item| what == WaitFor::Hooks || !is_paused(&item.object))
            .map(wait_target)
            .collect();
        if targets.is_empty() {
            return Ok(());
        }
        let options = WaitOptions {
            timeout,
            poll: POLL,
            fail_fast: what != WaitFor::Hooks,
        };
        let read = |object: &Object, now: Timestamp| {
            self.expressions
                .health(object)
                .unwrap_or_else(|| health_of(object, now, what))
        };
        let wait = self
            .manager
            .wait(&targets, &options, &read, Some(&self.wake));
        let superseded = async {
            match self.cancellable && what != WaitFor::Hooks {
                true => superseded(self.run, self.own).await,
                false => std::future::pending().await,
            }
        };
        let wait = self.run.waiting(async {
            tokio::select! {
                result = wait => result.map_err(|failure| failure.to_string()),
                trigger = superseded => {
                    *self.canceled.lock() = Some(trigger);
                    Err("context canceled".to_owned())
                }
            }
        });
        wait.await
    }

    /// Waits until objects are gone.
    pub(super) async fn wait_deleted(
        &self,
        items: &[Item],
        timeout: Duration,
    ) -> Result<(), String> {
        let deleted: Vec<Stored> = items.iter().map(stored).collect();
        if deleted.is_empty() {
            return Ok(());
        }
        let wait = self
            .manager
            .wait_for_termination(&deleted, timeout, TERMINATION_POLL);
        let left = self.run.waiting(wait).await;
        match left.first() {
            None => Ok(()),
            Some(key) => Err(format!(
                "{key} termination timeout: context deadline exceeded"
            )),
        }
    }
}

fn stored(item: &Item) -> Stored {
    Stored {
        key: item.key(),
        version: item.object.gvk().version,
    }
}

fn wait_target(item: &Item) -> WaitTarget {
    let object = &item.object;
    let vanishes = object.get(&["spec", "ttlSecondsAfterFinished"]).is_some();
    WaitTarget {
        key: item.key(),
        version: object.gvk().version,
        may_vanish: object.kind() == "Job" && vanishes,
    }
}

fn is_paused(object: &Object) -> bool {
    object.kind() == "Deployment"
        && object
            .get(&["spec", "paused"])
            .is_some_and(|paused| *paused == true)
}

/// Judges one object of a release or a hook.
fn health_of(object: &Object, now: Timestamp, what: WaitFor) -> Health {
    let group = object.gvk().group;
    let is_job = group == "batch" && object.kind() == "Job";
    match what {
        WaitFor::Hooks if is_job => objects::health(object, now),
        WaitFor::Hooks if group.is_empty() && object.kind() == "Pod" => pod(object),
        WaitFor::Hooks => Health::new(HealthStatus::Current, ""),
        WaitFor::Objects if is_job => started_job(object, now),
        WaitFor::Objects | WaitFor::ObjectsAndJobs => objects::health(object, now),
    }
}

fn pod(object: &Object) -> Health {
    match object.str_at(&["status", "phase"]) {
        "Succeeded" => Health::new(HealthStatus::Current, ""),
        "Failed" => Health::new(HealthStatus::Failed, ""),
        _ => Health::new(HealthStatus::InProgress, ""),
    }
}

/// A Job that nobody waits for counts as soon as it has started, unless it failed already.
fn started_job(object: &Object, now: Timestamp) -> Health {
    let health = objects::health(object, now);
    let started = object.get(&["status", "startTime"]).is_some();
    if health.status == HealthStatus::InProgress && started {
        return Health::new(HealthStatus::Current, "");
    }
    health
}

/// Sets status and description of a record.
pub(super) fn set_status(record: &mut Record, status: &str, description: impl Into<String>) {
    let info = record.info.get_or_insert_with(Info::default);
    status.clone_into(&mut info.status);
    info.description = description.into();
}

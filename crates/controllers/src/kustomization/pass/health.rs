//! The end of a pass: waiting until what was applied is healthy, while drift is put right and news end the wait.

use std::convert::Infallible;
use std::time::Duration;

use api::{Kustomization, conditions, go_duration, names};
use apply::{Action, ChangeSet, ResourceManager, WaitFailure, WaitOptions, WaitTarget};
use controller_runtime::Run;
use objects::{Gvk, Object, ObjectKey, health, json};
use parking_lot::Mutex;
use reconcile::expression::HealthExpressions;
use reconcile::kustomization::{Failure, notice};
use tracing::info;

use super::Pass;
use crate::applier::drift::pause_after;
use crate::kustomization::build::Built;
use crate::kustomization::{KustomizationController, apply_step};
use crate::source::source_gvk;

/// Time between two looks at unhealthy objects that no watch covers.
const HEALTH_POLL: Duration = Duration::from_secs(5);

/// What was applied, and how its health is judged.
pub(super) struct Applied<'a> {
    pub(super) manager: &'a ResourceManager,
    pub(super) built: &'a Built,
    pub(super) changes: &'a ChangeSet,
    /// Jobs that remove themselves when done.
    pub(super) vanishing: &'a [ObjectKey],
    pub(super) expressions: &'a HealthExpressions,
    /// Whether anything was applied or pruned.
    pub(super) changed: bool,
}

/// How a wait ended: with health or a failure; `None` where something newer ended it.
type Waited = Option<Result<(), WaitFailure>>;

impl<'a> Pass<'a> {
    /// Waits for health where asked; returns how long it took.
    pub(super) async fn check_health(
        &mut self,
        applied: &Applied<'_>,
    ) -> Result<Option<Duration>, Failure> {
        let targets = self.health_targets(applied.changes, applied.vanishing);
        if targets.is_empty() {
            return Ok(None);
        }
        self.step("Running health checks");
        let was_healthy = conditions::is_true(&self.status.conditions, names::HEALTHY);
        if self.has_news() && !was_healthy {
            let (text, stamp) = (self.text("Running health checks"), self.stamp());
            let (list, reason) = (&mut self.status.conditions, names::reason::PROGRESSING);
            conditions::mark_unknown(list, names::HEALTHY, reason, text, stamp);
        }
        let started = self.run.runtime.clock.now();
        let result = self.wait_for_health(applied, &targets).await;
        let now = self.run.runtime.clock.now();
        let waited = Duration::try_from(now.duration_since(started)).unwrap_or_default();
        match result {
            None => Err(Failure::HealthCheckCanceled {
                trigger: self.trigger(),
            }),
            Some(Err(failure)) => Err(Failure::HealthCheck {
                message: failure.to_string(),
                waited,
            }),
            Some(Ok(())) => {
                if !was_healthy || (applied.changed && self.has_news()) {
                    let text = format!("Health check passed in {}", go_duration(waited));
                    self.record(notice(&self.status, &text, &self.facts));
                }
                Ok(Some(waited))
            }
        }
    }

    /// Waits until the targets are healthy; what drifts meanwhile is put back and told afterwards.
    async fn wait_for_health(&mut self, applied: &Applied<'_>, targets: &[WaitTarget]) -> Waited {
        let gates = &self.controller.settings.gates;
        let options = WaitOptions {
            timeout: self.own.spec.timeout(),
            poll: HEALTH_POLL,
            fail_fast: !gates.disable_fail_fast,
        };
        let cancellable = gates.cancel_health_check;
        let read = |object: &Object, now| {
            let custom = applied.expressions.health(object);
            custom.unwrap_or_else(|| health(object, now))
        };
        let wake = self.controller.drift.wake(&self.run.key);
        let (run, newer) = (self.run, self.newer());
        let holder = Holder {
            controller: self.controller,
            run,
            own: self.own.clone(),
            manager: applied.manager,
            built: applied.built,
            changes: Mutex::default(),
        };
        let wait = run.waiting(async {
            let superseded = async {
                match cancellable {
                    true => newer.superseded().await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                result = applied.manager.wait(targets, &options, &read, Some(&wake)) => Some(result),
                () = superseded => None,
                never = holder.hold() => match never {},
            }
        });
        let result = self.slowly(wait).await;
        for changes in holder.changes.into_inner() {
            self.record(notice(&self.status, &changes.to_string(), &self.facts));
        }
        result
    }

    fn newer(&self) -> Newer<'a> {
        Newer {
            run: self.run,
            own: self.own.clone(),
            revision: self.facts.revision.clone(),
        }
    }

    fn health_targets(&self, changes: &ChangeSet, vanishing: &[ObjectKey]) -> Vec<WaitTarget> {
        let metadata = &self.own.metadata;
        let is_self = |key: &ObjectKey| {
            key.kind == names::KUSTOMIZATION
                && key.namespace == metadata.namespace
                && key.name == metadata.name
        };
        let mut targets: Vec<WaitTarget> = if self.own.spec.wait {
            let entries = changes.entries.iter();
            let applied = entries.filter(|e| e.action != Action::Skipped);
            applied.map(WaitTarget::from).collect()
        } else {
            self.own
                .spec
                .health_checks
                .iter()
                .map(check_target)
                .collect()
        };
        targets.retain(|target| !is_self(&target.key));
        for target in &mut targets {
            target.may_vanish = vanishing.contains(&target.key);
        }
        targets
    }

    /// Names what most likely ended a health check: the source, where it has a newer revision.
    fn trigger(&self) -> String {
        let metadata = &self.own.metadata;
        let reference = &self.own.spec.source_ref;
        let namespace = self.own.source_namespace();
        if self.newer().source_is_newer() {
            format!("{}/{namespace}/{}", reference.kind, reference.name)
        } else {
            format!(
                "{}/{}/{}",
                names::KUSTOMIZATION,
                metadata.namespace,
                metadata.name
            )
        }
    }
}

/// Puts objects back that drift while their health is waited for, which may take long.
struct Holder<'a> {
    controller: &'a KustomizationController,
    run: &'a Run,
    own: Kustomization,
    manager: &'a ResourceManager,
    built: &'a Built,
    /// What was put back.
    changes: Mutex<Vec<ChangeSet>>,
}

impl Holder<'_> {
    async fn hold(&self) -> Infallible {
        let drift = self.controller.drift.drift(&self.run.key);
        let mut answers = 0;
        loop {
            drift.notified().await;
            // What fails here fails again in the pass that follows, and is reported there.
            if let Some(changes) = self.apply().await
                && !changes.entries.is_empty()
            {
                answers += 1;
                info!(output = %json!(changes.to_map()), "drift corrected while health is checked");
                self.changes.lock().push(changes);
            }
            self.run.runtime.clock.sleep(pause_after(answers)).await;
        }
    }

    async fn apply(&self) -> Option<ChangeSet> {
        let objects = apply_step::prepare(&self.own, &self.built.objects).ok()?;
        let options = apply_step::options(&self.own, &self.controller.settings).ok()?;
        let applied = self.manager.apply_staged(objects, &options).await;
        Some(applied.ok()?.with(&[Action::Created, Action::Configured]))
    }
}

/// Looks out for something newer than a pass.
struct Newer<'a> {
    run: &'a Run,
    own: Kustomization,
    revision: String,
}

impl Newer<'_> {
    /// Waits for something newer than this pass: another revision, spec or request. Drift is not; it is looked at
    /// after the wait.
    async fn superseded(&self) {
        /// Time between two looks while the object is queued for something that does not count.
        const LOOK_AGAIN: Duration = Duration::from_millis(200);
        loop {
            self.run.queue.superseded(&self.run.key).await;
            if self.is_outdated() {
                return;
            }
            self.run.runtime.clock.sleep(LOOK_AGAIN).await;
        }
    }

    fn is_outdated(&self) -> bool {
        let newest = self.run.store.get(&self.run.key);
        let changed = newest.is_none_or(|object| {
            let metadata = api::ObjectMeta::of(&object);
            metadata.is_deleted()
                || metadata.generation != self.own.metadata.generation
                || metadata.reconcile_request() != self.own.metadata.reconcile_request()
        });
        changed || self.source_is_newer()
    }

    fn source_is_newer(&self) -> bool {
        let reference = &self.own.spec.source_ref;
        let runtime = &self.run.runtime;
        let store = runtime.store(&runtime.spec(source_gvk(&reference.kind), ""));
        let key = controller_runtime::Key::new(self.own.source_namespace(), &reference.name);
        store.get(&key).is_some_and(|source| {
            source.str_at(&["status", "artifact", "revision"]) != self.revision
        })
    }
}

fn check_target(check: &api::NamespacedObjectKindReference) -> WaitTarget {
    let api_version = match check.api_version.as_str() {
        "" => "apps/v1",
        version => version,
    };
    let gvk = Gvk::from_api_version(api_version, &check.kind);
    WaitTarget {
        key: ObjectKey::new(gvk.group, gvk.kind, &check.namespace, &check.name),
        version: gvk.version,
        may_vanish: false,
    }
}

/// Returns the Jobs that remove themselves when done.
pub(super) fn vanishing_jobs(objects: &[Object]) -> Vec<ObjectKey> {
    objects
        .iter()
        .filter(|o| o.kind() == "Job" && o.get(&["spec", "ttlSecondsAfterFinished"]).is_some())
        .map(Object::key)
        .collect()
}

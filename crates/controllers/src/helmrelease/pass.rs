//! One pass over a HelmRelease: facts, then the loop of states and actions, then the report.

use api::conditions::{self, Stamp};
use api::names::{self, RECONCILING, reason};
use api::{HelmRelease, HelmReleaseStatus, Severity};
use apply::ResourceManager;
use controller_runtime::{Failed, Outcome, Run};
use parking_lot::Mutex;
use reconcile::expression::HealthExpressions;
use reconcile::helmrelease::{
    Action, ActionKind, Failure, State, StateFacts, Step, active_retry, after, before,
    begin_action, begin_release, determine, drift_event, latest, must_reset_failures, next_step,
    rollback_step, settle, shorten, summarize, take_force_request, target_changed,
};
use reconcile::{EventDraft, Requeue};
use tracing::{error, info};

use super::detect::{Drift, controls};
use super::inventory::Inventories;
use super::kube::Kube;
use super::logs::Logs;
use super::observation::stored;
use super::prerequisites::Wanted;
use super::session::Session;
use super::storage::Storage;
use super::{HelmReleaseController, WRITER, finalize};
use crate::place::Place;

/// Times the loop may turn in one pass; every turn but the last does an action of another kind.
const TURNS_MAX: usize = 10;

/// One pass with everything it writes to.
pub(super) struct Pass<'a> {
    pub(super) controller: &'a HelmReleaseController,
    pub(super) run: &'a Run,
    pub(super) own: HelmRelease,
    pub(super) place: Place<'a>,
    pub(super) status: HelmReleaseStatus,
    /// What a wait of this pass gave way to, `Kind/namespace/name`.
    pub(super) canceled: Option<String>,
}

pub(super) async fn reconcile(
    controller: &HelmReleaseController,
    run: &Run,
) -> Result<Outcome, Failed> {
    let own = HelmRelease::from_object(&run.object).map_err(|e| Failed(e.to_string()))?;
    if own.spec.chart.is_some() == own.spec.chart_ref.is_some() {
        error!("invalid Chart reference");
        return Ok(Outcome::Done);
    }
    let mut pass = Pass {
        controller,
        run,
        status: own.status.clone(),
        place: Place::new(run, WRITER).await?,
        own,
        canceled: None,
    };
    if pass.own.metadata.is_deleted() {
        return finalize::finalize(&mut pass).await;
    }
    pass.place.add_finalizer().await?;
    if pass.own.spec.suspend {
        info!("reconciliation is suspended for this object");
        pass.end(true);
        pass.write_status().await?;
        return Ok(Outcome::Done);
    }
    let failure = pass.work().await.err();
    pass.report(failure).await
}

impl<'a> Pass<'a> {
    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            generation: self.own.metadata.generation,
            now: self.run.runtime.clock.now(),
        }
    }

    /// Writes the status where it differs from what was last written.
    pub(super) async fn write_status(&mut self) -> Result<(), Failed> {
        self.place.report(&self.status).await
    }

    pub(super) fn record(&self, draft: EventDraft) {
        self.place.record(draft);
    }

    /// Notes the end of a pass: handled requests and, where it came to an end, the generation.
    pub(super) fn end(&mut self, observed: bool) {
        let request = self.own.metadata.reconcile_request();
        if !request.is_empty() {
            request.clone_into(&mut self.status.last_handled_reconcile_at);
        }
        if observed {
            self.status.observed_generation = Some(self.own.metadata.generation);
        }
    }

    async fn report(&mut self, failure: Option<Failure>) -> Result<Outcome, Failed> {
        let settings = self.controller.decision_settings();
        let (stamp, paused) = (self.stamp(), matches!(failure, Some(Failure::Pause(_))));
        let cause = failure.as_ref().map(describe);
        let decision = settle(&self.own, &mut self.status, failure, settings, stamp);
        self.end(decision.observed);
        if let Some(event) = decision.event {
            info!(reason = %event.reason, "{}", event.message);
            self.record(event);
        }
        self.write_status().await?;
        Ok(match decision.requeue {
            Requeue::Never => Outcome::Done,
            Requeue::Now => Outcome::Now,
            Requeue::After(delay) => Outcome::After(delay),
            Requeue::Interval(interval) => Outcome::Interval(interval),
            Requeue::Backoff if paused => Outcome::Again,
            Requeue::Backoff => return Err(Failed(cause.unwrap_or_default())),
        })
    }

    /// The steps in order; the first that fails ends the pass.
    async fn work(&mut self) -> Result<(), Failure> {
        let expressions = HealthExpressions::new(&self.own.spec.health_check_exprs)
            .map_err(|error| Failure::InvalidExpression(error.to_string()))?;
        self.recover(&expressions).await?;
        self.chart_template().await?;
        let wanted = self.prerequisites().await?;
        self.retarget(&wanted, &expressions).await?;
        self.attempt(&wanted);
        self.atomic(&wanted, &expressions).await
    }

    /// Builds what all actions share; `release` and namespaces may be those of an earlier target.
    pub(super) fn session<'s>(
        &'s self,
        own: &'s HelmRelease,
        expressions: &'s HealthExpressions,
        storage_namespace: &str,
        target: (String, String),
        config_digest: &str,
    ) -> Session<'s> {
        let controller = self.controller;
        let cluster = controller.acting_cluster(
            &self.run.runtime,
            &own.metadata.namespace,
            &own.spec.service_account_name,
        );
        let manager = ResourceManager::new(cluster.clone(), names::HELM_CONTROLLER, controls())
            .with_observations(controller.observations.clone(), controller.drift.clone());
        let (release, namespace) = target;
        Session {
            run: self.run,
            own,
            storage: Storage::new(cluster.clone(), storage_namespace),
            kube: Kube { cluster },
            manager,
            observations: controller.observations.clone(),
            drift: controller.drift.clone(),
            expressions,
            wake: controller.drift.wake(&self.run.key),
            release,
            namespace,
            config_digest: config_digest.to_owned(),
            logs: Logs::default(),
            inventories: Inventories::default(),
            cancellable: controller.settings.gates.cancel_health_check,
            canceled: Mutex::default(),
            observed: Mutex::default(),
        }
    }

    /// Uninstalls the release of an earlier target, where the object points elsewhere now.
    async fn retarget(
        &mut self,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Result<(), Failure> {
        let name = wanted.loaded.chart.name();
        let Some(why) = target_changed(&self.own, &self.status, name) else {
            return Ok(());
        };
        info!(
            "release target configuration changed ({why}): running uninstall for current release"
        );
        self.uninstall(expressions).await?;
        self.status.history.clear();
        self.status.failures = 0;
        self.status.install_failures = 0;
        self.status.upgrade_failures = 0;
        self.status.storage_namespace.clear();
        Err(Failure::Restart)
    }

    /// Notes what is attempted now.
    fn attempt(&mut self, wanted: &Wanted) {
        let status = &mut self.status;
        self.own
            .storage_namespace()
            .clone_into(&mut status.storage_namespace);
        let revision = &wanted.loaded.revision;
        let matches = |digest: &str| wanted.values.matches(digest);
        let reset = must_reset_failures(&self.own, status, &revision.version, &matches);
        if let Some(why) = reset {
            info!("resetting failure count ({why})");
            status.failures = 0;
            status.install_failures = 0;
            status.upgrade_failures = 0;
        }
        status.last_attempted_generation = self.own.metadata.generation;
        status.last_attempted_revision.clone_from(&revision.version);
        status
            .last_attempted_revision_digest
            .clone_from(&revision.digest);
        status
            .last_attempted_config_digest
            .clone_from(&wanted.config_digest);
        status.last_attempted_values_checksum.clear();
        status.last_release_revision = 0;
    }

    /// The loop: state, action, and again, until nothing is left to do or the pass has done its share.
    async fn atomic(
        &mut self,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Result<(), Failure> {
        let settings = self.controller.decision_settings();
        let mut done: Vec<ActionKind> = Vec::new();
        for _ in 0..TURNS_MAX {
            let (state, drift) = self.state(wanted, expressions).await?;
            let stamp = self.stamp();
            let force = take_force_request(&self.own, &mut self.status);
            if let Some(drift) = &drift {
                let event = drift_event(&mut self.status, &drift.summary(), stamp);
                self.record(event);
            }
            let (own, status) = (&self.own, &mut self.status);
            let mut step = next_step(own, status, &state, force, settings, stamp);
            if let Step::CheckRollback(target) = &step {
                step = rollback_step(&self.check_rollback(target, expressions).await?);
            }
            let action = match step {
                Step::Run(action) => action,
                Step::Stop(stop) => return Err(Failure::Stop(stop)),
                Step::Done | Step::CheckRollback(_) => {
                    conditions::delete(&mut self.status.conditions, RECONCILING);
                    summarize(&self.own, &mut self.status, stamp);
                    return Ok(());
                }
            };
            let (own, status) = (&self.own, &mut self.status);
            if let Some(pause) = before(own, status, action, &done, settings, stamp) {
                return Err(Failure::Pause(pause));
            }
            info!(?state, "running '{}' action", action.name());
            begin_action(own, status, action, stamp);
            if action.kind() == ActionKind::Release {
                begin_release(status, action);
            }
            self.write_status()
                .await
                .map_err(|error| Failure::Action(error.0))?;
            self.perform_and_note(action, &state, drift, wanted, expressions)
                .await?;
            let stamp = self.stamp();
            let (own, status) = (&self.own, &mut self.status);
            if let Some(pause) = after(own, status, action, settings, stamp) {
                return Err(Failure::Pause(pause));
            }
            done.push(action.kind());
            self.write_status()
                .await
                .map_err(|error| Failure::Action(error.0))?;
        }
        Err(Failure::Pause(reconcile::helmrelease::Pause::Requeue))
    }

    /// Performs an action; an error that changed nothing ends the pass.
    async fn perform_and_note(
        &mut self,
        action: Action,
        state: &State,
        drift: Option<Drift>,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Result<(), Failure> {
        let settings = self.controller.decision_settings();
        let ended = self
            .perform(action, state, drift, wanted, expressions)
            .await;
        if let Some(event) = ended.event {
            match event.severity {
                Severity::Error => error!(reason = %event.reason, "{}", event.message),
                _ => info!(reason = %event.reason, "{}", event.message),
            }
            self.record(event);
        }
        if let Some(trigger) = self.canceled.take() {
            return Err(Failure::Canceled { trigger });
        }
        let Some(cause) = ended.error else {
            return Ok(());
        };
        let stamp = self.stamp();
        if let Some(interval) = active_retry(&self.own, &self.status, settings) {
            error!(error = %cause, "failed to run '{}' action", action.name());
            let text = format!("retrying after {}", api::go_duration(interval));
            let reason = reason::PROGRESSING_WITH_RETRY;
            let list = &mut self.status.conditions;
            conditions::mark_reconciling(list, reason, text, stamp);
            return Err(Failure::Pause(reconcile::helmrelease::Pause::Retry(
                interval,
            )));
        }
        Err(Failure::Action(cause))
    }

    /// Determines the state of the release; with it the drift, where there is any.
    async fn state(
        &self,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Result<(State, Option<Drift>), Failure> {
        let session = self.present(expressions, &wanted.config_digest);
        let last = session.last().await.map_err(|error| {
            Failure::State(format!(
                "failed to retrieve last release from storage: {error}"
            ))
        })?;
        let newest = latest(&self.status);
        let facts = last.as_ref().map(|record| stored(record, newest));
        let state = determine(
            &self.own,
            &self.status,
            StateFacts {
                last: facts.as_ref(),
                chart_name: wanted.loaded.chart.name(),
                chart_version: &wanted.loaded.revision.version,
                values_match: newest.is_some_and(|s| wanted.values.matches(&s.config_digest)),
            },
        );
        let looks = self.own.spec.drift_mode() != api::DriftMode::Disabled;
        let Some(record) = last.filter(|_| looks && state == State::InSync) else {
            return Ok((state, None));
        };
        let drift = session.detect(&record).await;
        let unclear =
            |error: String| Failure::State(format!("unable to determine cluster state: {error}"));
        let drift = drift.map_err(unclear)?;
        if drift.is_any() {
            return Ok((State::Drifted, Some(drift)));
        }
        if !drift.errors.is_empty() {
            return Err(unclear(drift.errors.join("\n")));
        }
        Ok((state, None))
    }

    /// Builds what actions on the present target share.
    pub(super) fn present<'s>(
        &'s self,
        expressions: &'s HealthExpressions,
        config_digest: &str,
    ) -> Session<'s> {
        let target = (
            shorten(&self.own.release_name()),
            self.own.release_namespace().to_owned(),
        );
        let storage = self.own.storage_namespace().to_owned();
        self.session(&self.own, expressions, &storage, target, config_digest)
    }
}

/// Says in one line why a pass failed, for the log.
fn describe(failure: &Failure) -> String {
    match failure {
        Failure::InvalidExpression(text)
        | Failure::ChartTemplate(text)
        | Failure::DependencyNotReady(text)
        | Failure::AccessDenied(text)
        | Failure::SourceUnreadable(text)
        | Failure::SourceNotReady(text)
        | Failure::Values(text)
        | Failure::Chart(text)
        | Failure::Mutate(text)
        | Failure::Client(text)
        | Failure::Uninstall(text)
        | Failure::Action(text) => text.clone(),
        Failure::State(text) => format!("cannot determine release state: {text}"),
        Failure::Stop(stop) => stop.to_string(),
        other => format!("{other:?}"),
    }
}

//! One pass over a HelmRelease: facts, then the loop of states and actions, then the report.

use api::conditions::{self, Stamp};
use api::names::{self, RECONCILING, reason};
use api::{HelmRelease, HelmReleaseStatus, Severity};
use apply::ResourceManager;
use controller_runtime::{Failed, Outcome, Run};
use objects::{Gvk, Object, Value};
use parking_lot::Mutex;
use reconcile::expression::HealthExpressions;
use reconcile::helmrelease::{
    Action, ActionKind, Failure, State, StateFacts, Step, active_retry, after, before,
    begin_action, begin_release, check_dependencies, clear_stale, determine, drift_event,
    interrupted_action, latest, must_reset_failures, next_step, recover, rollback_step, settle,
    shorten, source_ready, summarize, take_force_request, target_changed,
};
use reconcile::{EventDraft, Requeue};
use tracing::{error, info};

use super::chart::{self, Loaded, SourceRef};
use super::detect::{Drift, controls};
use super::inventory::Inventories;
use super::kube::Kube;
use super::logs::Logs;
use super::observation::{observe, stored};
use super::session::Session;
use super::storage::Storage;
use super::values::{Resolved, Values, compose};
use super::{HelmReleaseController, WRITER, finalize, template};
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

/// Everything that a release is made from.
pub(super) struct Wanted {
    pub(super) loaded: Loaded,
    pub(super) values: Values,
    pub(super) config_digest: String,
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

    async fn chart_template(&mut self) -> Result<(), Failure> {
        let synced =
            template::reconcile(self.controller, self.run, &self.own, &mut self.status).await;
        match synced {
            Ok(events) => {
                for event in events {
                    self.record(event);
                }
                Ok(())
            }
            Err(Failure::ChartTemplate(text)) => {
                let reason = reason::HELM_CHART_SYNC_ERROR;
                self.record(reconcile::helmrelease::chart_event(reason, text.clone()));
                Err(Failure::ChartTemplate(text))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Dependencies, source, values, chart.
    async fn prerequisites(&mut self) -> Result<Wanted, Failure> {
        let stamp = self.stamp();
        // A pass that finds nothing new says nothing; progress is noted where there is something to wait for.
        let settled = self.status.observed_generation == Some(stamp.generation)
            && conditions::is_ready(&self.status.conditions);
        if !settled {
            let text = "Fulfilling prerequisites";
            let list = &mut self.status.conditions;
            conditions::mark_reconciling(list, reason::PROGRESSING, text, stamp);
        }
        self.check_dependencies()?;
        clear_stale(&mut self.status, &[reason::DEPENDENCY_NOT_READY], stamp);
        let source = chart::source(self.controller, self.run, &self.own).await?;
        let stale = [reason::ACCESS_DENIED, reason::ARTIFACT_FAILED];
        clear_stale(&mut self.status, &stale, stamp);
        let kind = SourceRef::of(&self.own).kind;
        source_ready(&kind, &source).map_err(Failure::SourceNotReady)?;
        clear_stale(&mut self.status, &[reason::SOURCE_NOT_READY], stamp);
        let values = self.values().await?;
        clear_stale(&mut self.status, &[reason::VALUES_ERROR], stamp);
        let loaded = chart::load(self.controller, self.run, &kind, &source).await?;
        clear_stale(&mut self.status, &[reason::ARTIFACT_FAILED], stamp);
        if self.own.spec.kube_config.is_some() {
            return Err(Failure::Client(
                "remote clusters (spec.kubeConfig) are not supported yet".to_owned(),
            ));
        }
        let stale = [reason::REST_CLIENT_ERROR, reason::FACTORY_ERROR];
        clear_stale(&mut self.status, &stale, stamp);
        Ok(Wanted {
            config_digest: values.digest(),
            loaded,
            values,
        })
    }

    fn check_dependencies(&self) -> Result<(), Failure> {
        if self.own.spec.depends_on.is_empty() {
            return Ok(());
        }
        let store = &self.run.store;
        let lookup =
            |namespace: &str, name: &str| store.get(&controller_runtime::Key::new(namespace, name));
        let additive = self.controller.settings.gates.additive_cel_dependency_check;
        match check_dependencies(&self.own, &self.run.object, additive, &lookup) {
            Ok(()) => Ok(()),
            Err(error) if error.is_terminal() => Err(Failure::InvalidExpression(error.to_string())),
            Err(error) => Err(Failure::DependencyNotReady(error.to_string())),
        }
    }

    async fn values(&self) -> Result<Values, Failure> {
        let namespace = &self.own.metadata.namespace;
        let mut known: Vec<(String, String, Result<Object, String>)> = Vec::new();
        let mut references = Vec::new();
        for reference in &self.own.spec.values_from {
            let (kind, name) = (&reference.kind, &reference.name);
            if !known.iter().any(|(k, n, _)| k == kind && n == name) {
                let object = self.read_config(kind, name).await?;
                known.push((kind.clone(), name.clone(), object));
            }
            let found = known.iter().find(|(k, n, _)| k == kind && n == name);
            let resolved = match found.map(|(_, _, object)| object) {
                Some(Ok(object)) => data_of(object, reference.values_key()),
                Some(Err(cause)) => Resolved::NoObject(cause.clone()),
                None => Resolved::NoKey,
            };
            references.push((reference.clone(), resolved));
        }
        let composed = compose(namespace, self.own.spec.values.as_ref(), &references);
        composed.map_err(|error| Failure::Values(error.to_string()))
    }

    /// Reads a ConfigMap or Secret; the inner error says that it does not exist.
    async fn read_config(&self, kind: &str, name: &str) -> Result<Result<Object, String>, Failure> {
        let failed = |error: cluster::Error| Failure::Values(error.to_string());
        let cluster = &self.run.runtime.cluster;
        let resource = cluster.resolve(&Gvk::new("", "v1", kind)).await;
        let resource = resource.map_err(failed)?;
        let target = cluster::Target::new(&resource, &self.own.metadata.namespace, name);
        match cluster.get(&target).await {
            Ok(object) => Ok(Ok(object)),
            Err(error) if error.is_not_found() => Ok(Err(error.to_string())),
            Err(error) => Err(failed(error)),
        }
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

    /// Takes over what an earlier pass stored before it was cut short.
    pub(super) async fn recover(&mut self, expressions: &HealthExpressions) -> Result<(), Failure> {
        if interrupted_action(&self.status).is_none() {
            return Ok(());
        }
        let unread = |error: String| {
            Failure::State(format!(
                "failed to retrieve last release from storage: {error}"
            ))
        };
        let observed = {
            let digest = self.status.last_attempted_config_digest.clone();
            let session = self.present(expressions, &digest);
            let newest = latest(&self.status).map_or(0, |s| s.version);
            let mut observed = Vec::new();
            let heads = session.heads().await.map_err(unread)?;
            if let Some(last) = heads.last().filter(|head| head.status == "deployed") {
                session.supersede(last.version).await.map_err(unread)?;
            }
            for head in heads {
                let known = self
                    .status
                    .history
                    .iter()
                    .any(|s| s.version == head.version);
                if !known && head.version <= newest {
                    continue;
                }
                let record = session.storage.get(&session.release, head.version).await;
                if let Some(record) = record.map_err(unread)? {
                    observed.push(observe(&record, None));
                }
            }
            observed
        };
        if !observed.is_empty() {
            info!("an earlier pass was interrupted, taking over what it stored");
            let stamp = self.stamp();
            recover(&self.own, &mut self.status, &observed, stamp);
        }
        Ok(())
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

fn data_of(object: &Object, key: &str) -> Resolved {
    use base64::Engine as _;
    let text = |field: &str| object.get(&[field, key]).and_then(Value::as_str);
    if object.kind() != "Secret" {
        return match text("data") {
            Some(text) => Resolved::Data(text.as_bytes().to_vec()),
            None => Resolved::NoKey,
        };
    }
    let decoded = text("data").map(|text| base64::engine::general_purpose::STANDARD.decode(text));
    match decoded {
        Some(Ok(data)) => Resolved::Data(data),
        _ => Resolved::NoKey,
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

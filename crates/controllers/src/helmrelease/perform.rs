//! Performing one action and writing what it did into the status.

use api::Snapshot;
use cluster::Propagation;
use helm::release::Record;
use reconcile::expression::HealthExpressions;
use reconcile::helmrelease::{
    Action, Attempt, Ended, Failure, Observation, Ownership, RollbackCheck, State, end_drift,
    end_release, end_rollback, end_test, end_uninstall, end_uninstall_remediation, end_unlock,
    latest, previous,
};

use super::actions::{Manner, is_client_side};
use super::crds::CrdPolicy;
use super::detect::Drift;
use super::observation::{observe, status, test_hooks, verify};
use super::pass::Pass;
use super::prerequisites::Wanted;
use super::render::{RenderRequest, RenderedRelease, post_renderer, render};
use super::session::{Session, WaitFor};
use super::values::Values;

fn waits(disabled: bool, without_jobs: bool) -> Option<WaitFor> {
    match (disabled, without_jobs) {
        (true, _) => None,
        (_, true) => Some(WaitFor::Objects),
        _ => Some(WaitFor::ObjectsAndJobs),
    }
}

/// Chooses how objects are applied: as the spec says or, where it leaves that open, as the release was.
fn server_side(spec: &str, by_default: bool) -> bool {
    match spec {
        "enabled" => true,
        "disabled" => false,
        _ => by_default,
    }
}

impl Pass<'_> {
    /// Performs an action and writes its outcome into the status.
    pub(super) async fn perform(
        &mut self,
        action: Action,
        state: &State,
        drift: Option<Drift>,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Ended {
        match action {
            Action::Install | Action::Upgrade => self.release(action, wanted, expressions).await,
            Action::Test => self.test(wanted, expressions).await,
            Action::Rollback => self.roll_back(wanted, expressions).await,
            Action::UninstallRemediation => self.remediate(state, wanted, expressions).await,
            Action::Unlock => self.unlock(wanted, expressions).await,
            Action::CorrectDrift => self.correct(drift, wanted, expressions).await,
        }
    }

    async fn release(
        &mut self,
        action: Action,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Ended {
        let (outcome, canceled) = {
            let session = self.present(expressions, &wanted.config_digest);
            let started = session.start();
            let result = match action {
                Action::Install => self.install(&session, wanted).await,
                _ => self.upgrade(&session, wanted).await,
            };
            let canceled = session.canceled.lock().take();
            (session.outcome(started, result), canceled)
        };
        self.canceled = canceled;
        let metadata = &wanted.loaded.chart.metadata;
        let attempt = Attempt {
            chart_name: metadata.name.clone(),
            chart_version: wanted.loaded.revision.version.clone(),
            app_version: metadata.app_version.clone(),
            config_digest: wanted.config_digest.clone(),
        };
        let (settings, stamp) = (self.controller.decision_settings(), self.stamp());
        let (own, status) = (&self.own, &mut self.status);
        end_release(own, status, action, &attempt, outcome, settings, stamp)
    }

    async fn install(&self, session: &Session<'_>, wanted: &Wanted) -> Result<(), String> {
        let spec = &self.own.spec;
        let install = spec.install();
        let action = &install.action;
        let helm3 = self.controller.settings.gates.use_helm3_defaults;
        let server_side = install.server_side_apply.unwrap_or(!helm3);
        let policy = CrdPolicy::of(&action.crds);
        self.definitions(session, wanted, policy, server_side)
            .await?;
        let superseded = session.check_name(install.replace).await?;
        let skip_schema = action.disable_schema_validation;
        let rendered = self
            .render(session, wanted, &wanted.values, 1, false, skip_schema)
            .await?;
        let manner = Manner {
            timeout: spec.action_timeout("install"),
            wait: waits(action.disable_wait, action.disable_wait_for_jobs),
            hooks: !action.disable_hooks,
            server_side,
            replace: false,
            take_ownership: !action.disable_take_ownership,
            strict: !action.disable_openapi_validation,
            cleanup_on_fail: false,
            max_history: 0,
        };
        let namespace = install.create_namespace && !spec.target_namespace.is_empty();
        session
            .install(rendered, superseded, namespace, manner)
            .await
    }

    async fn upgrade(&self, session: &Session<'_>, wanted: &Wanted) -> Result<(), String> {
        let spec = &self.own.spec;
        let upgrade = spec.upgrade();
        let action = &upgrade.action;
        let (current, last) = session.current().await?;
        let server_side = server_side(&upgrade.server_side_apply, !is_client_side(&last));
        let policy = CrdPolicy::of(&action.crds);
        self.definitions(session, wanted, policy, server_side)
            .await?;
        let skip_schema = action.disable_schema_validation;
        let revision = last.version + 1;
        let values = match upgrade.preserve_values {
            true => preserved(&wanted.values, &current),
            false => wanted.values.clone(),
        };
        let rendered = self
            .render(session, wanted, &values, revision, true, skip_schema)
            .await?;
        let manner = Manner {
            timeout: spec.action_timeout("upgrade"),
            wait: waits(action.disable_wait, action.disable_wait_for_jobs),
            hooks: !action.disable_hooks,
            server_side,
            replace: upgrade.force,
            take_ownership: !action.disable_take_ownership,
            strict: !action.disable_openapi_validation,
            cleanup_on_fail: upgrade.cleanup_on_fail,
            max_history: spec.max_history(),
        };
        session.upgrade(current, rendered, manner).await
    }

    /// Applies the definitions of the chart, its disabled dependencies left out.
    async fn definitions(
        &self,
        session: &Session<'_>,
        wanted: &Wanted,
        policy: CrdPolicy,
        server_side: bool,
    ) -> Result<(), String> {
        let chart = &wanted.loaded.chart;
        if policy == CrdPolicy::Skip || chart.crds().is_empty() {
            return Ok(());
        }
        let mut chart = (**chart).clone();
        let tree = helm::convert::from_map(&wanted.values.0, true);
        let values = gotemplate::Map::new(tree);
        helm::dependencies::process(&mut chart, &values, helm::Version::V4)
            .map_err(|error| format!("failed to apply CustomResourceDefinitions: {error}"))?;
        session.apply_crds(&chart, policy, server_side).await
    }

    async fn render(
        &self,
        session: &Session<'_>,
        wanted: &Wanted,
        values: &Values,
        revision: i64,
        is_upgrade: bool,
        skip_schema: bool,
    ) -> Result<RenderedRelease, String> {
        let cluster = &session.kube.cluster;
        let capabilities = self.controller.capabilities.get(&**cluster).await;
        let metadata = &self.own.metadata;
        let helm3 = self.controller.settings.gates.use_helm3_defaults;
        let request = RenderRequest {
            chart: wanted.loaded.chart.clone(),
            version: wanted.loaded.revision.version.clone(),
            values: values.clone(),
            release: helm::Release {
                name: session.release.clone(),
                namespace: session.namespace.clone(),
                revision,
                is_upgrade,
            },
            skip_schema,
            renderer: post_renderer(&self.own.spec, &metadata.name, &metadata.namespace, helm3),
            capabilities: capabilities.map_err(|error| error.to_string())?,
            cluster: cluster.clone(),
            now: session.now(),
            sources: None,
        };
        render(request).await
    }

    async fn test(&mut self, wanted: &Wanted, expressions: &HealthExpressions) -> Ended {
        let (outcome, hooks) = {
            let session = self.present(expressions, &wanted.config_digest);
            let started = session.start();
            let current = latest(&self.status).cloned().unwrap_or_default();
            let (record, mut result) = session.test(self.own.spec.action_timeout("test")).await;
            let filters = self.own.spec.test().filters.unwrap_or_default();
            let hooks = record.as_ref().map(|record| test_hooks(record, &filters));
            if let Some(record) = record.filter(|r| r.version != current.version) {
                result = Err(format!(
                    "release mismatch: tested release {}/{}.v{} != current release {current}",
                    record.namespace, record.name, record.version
                ));
            }
            (session.outcome(started, result), hooks)
        };
        let stamp = self.stamp();
        end_test(&self.own, &mut self.status, outcome, hooks, stamp)
    }

    /// Looks whether a release can be rolled back to.
    pub(super) async fn check_rollback(
        &self,
        target: &Snapshot,
        expressions: &HealthExpressions,
    ) -> Result<RollbackCheck, Failure> {
        let session = self.present(expressions, "");
        let found = session.storage.get(&target.name, target.version).await;
        let found = found.map_err(|error| {
            Failure::Action(format!(
                "cannot verify previous release to roll back to: {error}"
            ))
        })?;
        let unchanged = found.is_some_and(|r| verify(&r, target) == Ownership::Verified);
        Ok(match unchanged {
            true => RollbackCheck::Unchanged,
            false => RollbackCheck::Lost,
        })
    }

    async fn roll_back(&mut self, wanted: &Wanted, expressions: &HealthExpressions) -> Ended {
        let ignore = self.own.spec.upgrade_remediation().ignore_test_failures;
        let current = latest(&self.status).cloned().unwrap_or_default();
        let Some(target) = previous(&self.status, ignore) else {
            return Ended {
                event: None,
                error: Some("missing target release for rollback: required to rollback".to_owned()),
            };
        };
        if target.name != current.name || target.namespace != current.namespace {
            return Ended {
                event: None,
                error: Some(format!(
                    "release mismatch: previous release name or namespace {target} does not match current {current}"
                )),
            };
        }
        let outcome = {
            let session = self.present(expressions, &target.config_digest);
            let started = session.start();
            let result = self.roll_back_to(&session, target.version).await;
            session.outcome(started, result)
        };
        let stamp = self.stamp();
        let digest = &wanted.config_digest;
        end_rollback(&self.own, &mut self.status, &target, digest, outcome, stamp)
    }

    async fn roll_back_to(&self, session: &Session<'_>, version: i64) -> Result<(), String> {
        let rollback = self.own.spec.rollback();
        let target = session.storage.read(&session.release, version).await?;
        let manner = Manner {
            timeout: self.own.spec.action_timeout("rollback"),
            wait: waits(rollback.disable_wait, rollback.disable_wait_for_jobs),
            hooks: !rollback.disable_hooks,
            server_side: server_side(&rollback.server_side_apply, !is_client_side(&target)),
            replace: rollback.force,
            take_ownership: true,
            strict: true,
            cleanup_on_fail: rollback.cleanup_on_fail,
            max_history: self.own.spec.max_history(),
        };
        session.roll_back(version, manner).await
    }

    async fn remediate(
        &mut self,
        state: &State,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Ended {
        let outcome = {
            let session = self.present(expressions, &wanted.config_digest);
            let started = session.start();
            let result = self.uninstall_with(&session).await;
            session.outcome(started, result.map(|_| ()))
        };
        let stamp = self.stamp();
        if matches!(state, State::Uninstalling(_)) && outcome.error.is_none() {
            // The rest of an uninstall that was cut short: what began it has been told already.
            self.status.history.clear();
        }
        end_uninstall_remediation(&mut self.status, outcome, stamp)
    }

    async fn uninstall_with(&self, session: &Session<'_>) -> Result<bool, String> {
        let timeout = self.own.spec.action_timeout("uninstall");
        let propagation = match self.own.spec.uninstall().deletion_propagation.as_deref() {
            Some("orphan") => Propagation::Orphan,
            Some("foreground") => Propagation::Foreground,
            _ => Propagation::Background,
        };
        session.uninstall(timeout, propagation).await
    }

    /// Uninstalls the release that the status knows, which may be of an earlier target.
    pub(super) async fn uninstall(
        &mut self,
        expressions: &HealthExpressions,
    ) -> Result<(), Failure> {
        let Some(current) = latest(&self.status).cloned() else {
            return Ok(());
        };
        let storage = self.status.storage_namespace.clone();
        let target = (current.name.clone(), current.namespace.clone());
        let (outcome, gone) = {
            let digest = &current.config_digest;
            let session = self.session(&self.own, expressions, &storage, target, digest);
            let started = session.start();
            let result = self.uninstall_with(&session).await;
            let gone = result == Ok(false);
            (session.outcome(started, result.map(|_| ())), gone)
        };
        let stamp = self.stamp();
        let ended = end_uninstall(&self.own, &mut self.status, outcome, gone, stamp);
        if let Some(event) = ended.event {
            self.record(event);
        }
        match ended.error {
            Some(error) => Err(Failure::Uninstall(error)),
            None => Ok(()),
        }
    }

    async fn unlock(&mut self, wanted: &Wanted, expressions: &HealthExpressions) -> Ended {
        let (found, pending, outcome) = {
            let session = self.present(expressions, &wanted.config_digest);
            let started = session.start();
            match session.last().await {
                Ok(Some(mut record)) => {
                    let pending = status(&record).to_owned();
                    let result = session.unlock(&mut record).await;
                    let outcome = session.outcome(started, result);
                    (observe(&record, None), pending, outcome)
                }
                Ok(None) => return Ended::default(),
                Err(error) => {
                    let outcome = session.failed_outcome(error);
                    (Observation::default(), String::new(), outcome)
                }
            }
        };
        let stamp = self.stamp();
        let (own, status) = (&self.own, &mut self.status);
        end_unlock(own, status, &found, &pending, outcome, stamp)
    }

    async fn correct(
        &mut self,
        drift: Option<Drift>,
        wanted: &Wanted,
        expressions: &HealthExpressions,
    ) -> Ended {
        let drift = drift.unwrap_or_default();
        let outcome = {
            let session = self.present(expressions, &wanted.config_digest);
            session.correct(&drift).await
        };
        let stamp = self.stamp();
        Ended {
            event: end_drift(&mut self.status, &outcome, stamp),
            error: None,
        }
    }
}

/// New values over those of the release, and below them the chart's defaults as they were then.
fn preserved(values: &Values, current: &Record) -> Values {
    fn merge(
        base: &mut serde_json::Map<String, serde_json::Value>,
        over: &serde_json::Map<String, serde_json::Value>,
    ) {
        for (key, value) in over {
            match (base.get_mut(key), value) {
                (Some(serde_json::Value::Object(a)), serde_json::Value::Object(b)) => merge(a, b),
                (_, value) => {
                    base.insert(key.clone(), value.clone());
                }
            }
        }
    }
    let mut merged = current.config.clone().unwrap_or_default();
    merge(&mut merged, &values.0);
    Values(merged)
}

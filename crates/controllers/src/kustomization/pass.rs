//! One pass over a Kustomization: facts, effects in order, report.

mod health;

use std::sync::Arc;
use std::time::Duration;

use api::conditions::Stamp;
use api::names::{self, READY};
use api::{Kustomization, KustomizationStatus, go_duration};
use apply::{Action, ChangeSet, ResourceManager};
use controller_runtime::{Failed, Outcome, Run};
use filetree::{EntryKind, FileTree};
use objects::{Object, json};
use reconcile::expression::HealthExpressions;
use reconcile::kustomization::{
    DependencyError, End, Failure, PassFacts, Success, begin, check_dependencies, finalise,
    find_cycle, notice, progress, settle,
};
use reconcile::{EventDraft, Requeue};
use tracing::{error, info};

use super::build::{BuildRequest, Built, Variables};
use super::{KustomizationController, WRITER, apply_step, finalize, source, variables};
use crate::artifact::confine;
use crate::place::Place;
use health::{Applied, vanishing_jobs};

/// A step longer than this shows in the status while it runs.
const SLOW: Duration = Duration::from_millis(500);

/// One pass with everything it writes to.
pub(super) struct Pass<'a> {
    pub(super) controller: &'a KustomizationController,
    pub(super) run: &'a Run,
    pub(super) own: Kustomization,
    pub(super) place: Place<'a>,
    pub(super) status: KustomizationStatus,
    pub(super) facts: PassFacts,
    started: jiff::Timestamp,
}

pub(super) async fn reconcile(
    controller: &KustomizationController,
    run: &Run,
) -> Result<Outcome, Failed> {
    let own = Kustomization::from_object(&run.object).map_err(|e| Failed(e.to_string()))?;
    let mut pass = Pass {
        controller,
        run,
        status: own.status.clone(),
        place: Place::new(run, WRITER).await?,
        facts: PassFacts::default(),
        started: run.runtime.clock.now(),
        own,
    };
    if pass.own.metadata.is_deleted() {
        return finalize::finalize(&mut pass).await;
    }
    pass.place.add_finalizer().await?;
    if pass.own.spec.suspend {
        info!("Reconciliation is suspended for this object");
        let stamp = pass.stamp();
        finalise(&pass.own, &mut pass.status, stamp);
        pass.write_status().await?;
        return Ok(Outcome::Done);
    }
    let end = match pass.work().await {
        Ok(success) => End::Success(success),
        Err(failure) => End::Failure(failure),
    };
    pass.report(end).await
}

impl<'a> Pass<'a> {
    fn stamp(&self) -> Stamp {
        Stamp {
            generation: self.own.metadata.generation,
            now: self.run.runtime.clock.now(),
        }
    }

    fn elapsed(&self) -> Duration {
        let now = self.run.runtime.clock.now();
        Duration::try_from(now.duration_since(self.started)).unwrap_or_default()
    }

    /// Writes the status where it differs from what was last written.
    pub(super) async fn write_status(&mut self) -> Result<(), Failed> {
        self.place.report(&self.status).await
    }

    pub(super) fn record(&self, draft: EventDraft) {
        self.place.record(draft);
    }

    /// Ends the pass: conditions, event, log, status, next look.
    async fn report(&mut self, end: End) -> Result<Outcome, Failed> {
        self.facts.duration = self.elapsed();
        let now = self.run.runtime.clock.now();
        let settings = reconcile::kustomization::Settings {
            requeue_dependency: self.controller.settings.requeue_dependency,
        };
        let failed = matches!(end, End::Failure(_));
        let decision = settle(&self.own, &mut self.status, end, &self.facts, settings, now);
        let stamp = self.stamp();
        finalise(&self.own, &mut self.status, stamp);
        self.log(failed, &decision.event, decision.requeue);
        // The event first: whoever reads the status may look for it.
        if let Some(event) = decision.event {
            self.record(event);
        }
        self.write_status().await?;
        Ok(match decision.requeue {
            Requeue::Never => Outcome::Done,
            Requeue::Now => Outcome::Now,
            Requeue::After(delay) => Outcome::After(delay),
            Requeue::Interval(interval) => Outcome::Interval(interval),
            Requeue::Backoff => {
                let message = api::conditions::get(&self.status.conditions, READY)
                    .map(|c| c.message.clone())
                    .unwrap_or_default();
                return Err(Failed(message));
            }
        })
    }

    fn log(&self, failed: bool, event: &Option<EventDraft>, requeue: Requeue) {
        let Some(event) = event else { return };
        let revision = &self.facts.revision;
        match (failed, requeue) {
            (true, Requeue::After(delay)) if event.severity == api::Severity::Error => error!(
                error = %event.message,
                %revision,
                "Reconciliation failed after {}, next try in {}",
                go_duration(self.facts.duration),
                go_duration(delay)
            ),
            (true, _) if event.severity == api::Severity::Error => {
                error!(error = %event.message, %revision, "Reconciliation failed");
            }
            _ => info!(%revision, "{}", event.message),
        }
    }

    /// The steps in order; the first that fails ends the pass.
    async fn work(&mut self) -> Result<Success, Failure> {
        let expressions = HealthExpressions::new(&self.own.spec.health_check_exprs)
            .map_err(|error| Failure::InvalidHealthExpression(error.to_string()))?;
        self.check_gates()?;
        let artifact = source::resolve(self.controller, self.run, &self.own).await?;
        artifact.revision.clone_into(&mut self.facts.revision);
        if let Some(origin) = artifact.metadata.get(names::OCI_REVISION) {
            origin.clone_into(&mut self.facts.origin_revision);
        }
        self.check_dependencies()?;
        if self.has_news() {
            let text = self.text("Fetching manifests");
            let stamp = self.stamp();
            begin(&mut self.status, &text, stamp);
        }
        let files = source::files(self.controller, self.run, &artifact);
        let tree = self.slowly(files).await?;
        self.locate(&*tree)?;
        artifact
            .revision
            .clone_into(&mut self.status.last_attempted_revision);
        self.step("Building manifests");
        let manager = self.client()?;
        let built = self.build(tree).await?;
        built.digest.clone_into(&mut self.facts.digest);
        self.step("Detecting drift");
        let objects = apply_step::prepare(&self.own, &built.objects)?;
        let vanishing = vanishing_jobs(&objects);
        let changes = self.apply(&manager, objects).await?;
        let inventory = apply_step::inventory_of(&changes);
        let pruned = self.prune(&manager, &inventory).await?;
        let changed = changes.has_changes() || pruned.has_changes();
        let applied = Applied {
            manager: &manager,
            built: &built,
            changes: &changes,
            vanishing: &vanishing,
            expressions: &expressions,
            changed,
        };
        let waited = self.check_health(&applied).await?;
        Ok(Success {
            inventory,
            changed,
            health: waited,
        })
    }

    fn check_gates(&self) -> Result<(), Failure> {
        let decryption = self.own.spec.decryption.as_ref();
        let account = decryption.is_some_and(|d| !d.service_account_name.is_empty());
        if account
            && !self
                .controller
                .settings
                .gates
                .object_level_workload_identity
        {
            return Err(Failure::FeatureGate(
                "to use spec.decryption.serviceAccountName for decryption authentication please enable the ObjectLevelWorkloadIdentity feature gate in the controller".to_owned(),
            ));
        }
        Ok(())
    }

    fn check_dependencies(&self) -> Result<(), Failure> {
        if self.own.spec.depends_on.is_empty() {
            return Ok(());
        }
        let store = &self.run.store;
        let lookup =
            |namespace: &str, name: &str| store.get(&controller_runtime::Key::new(namespace, name));
        let metadata = &self.own.metadata;
        let additive = self.controller.settings.gates.additive_cel_dependency_check;
        let check = check_dependencies(
            &self.own,
            &self.run.object,
            &self.facts.revision,
            additive,
            &lookup,
        );
        let Err(error) = check else {
            info!("All dependencies are ready, proceeding with reconciliation");
            return Ok(());
        };
        if error.is_terminal() {
            return Err(Failure::DependencyInvalid(error.to_string()));
        }
        let error = find_cycle(&metadata.namespace, &metadata.name, &lookup)
            .map_or(error, DependencyError::Cycle);
        Err(Failure::DependencyNotReady(error.to_string()))
    }

    /// Tells whether this pass is more than a look at what should be unchanged.
    fn has_news(&self) -> bool {
        let status = &self.status;
        !api::conditions::is_true(&status.conditions, READY)
            || status.last_applied_revision != self.facts.revision
            || status.observed_generation != Some(self.own.metadata.generation)
    }

    fn text(&self, what: &str) -> String {
        format!(
            "{what} for revision {} with a timeout of {}",
            self.facts.revision,
            go_duration(self.own.spec.timeout())
        )
    }

    /// Notes a step of a pass with news; it is written when the step takes long.
    fn step(&mut self, what: &str) {
        if self.has_news() {
            let (text, stamp) = (self.text(what), self.stamp());
            progress(&mut self.status, &text, stamp);
        }
    }

    /// Awaits a step; writes the progress where that takes long.
    async fn slowly<T>(&mut self, step: impl Future<Output = T>) -> T {
        tokio::pin!(step);
        tokio::select! {
            result = &mut step => return result,
            () = self.run.runtime.clock.sleep(SLOW) => {}
        }
        // Progress is a courtesy; the end of the pass reports what counts.
        let _ = self.write_status().await;
        step.await
    }

    /// Checks that there is a directory to build.
    fn locate(&self, tree: &dyn FileTree) -> Result<(), Failure> {
        let path = &self.own.spec.path;
        let missing = |reason: &str| {
            Failure::Artifact(format!(
                "kustomization path not found: stat {path}: {reason}"
            ))
        };
        match tree.kind(&confine(path)) {
            Ok(EntryKind::Directory) => Ok(()),
            Ok(EntryKind::File) => Err(missing("not a directory")),
            Err(_) => Err(missing("no such file or directory")),
        }
    }

    fn client(&self) -> Result<ResourceManager, Failure> {
        if self.own.spec.kube_config.is_some() {
            return Err(Failure::Client(
                "remote clusters (spec.kubeConfig) are not supported yet".to_owned(),
            ));
        }
        let cluster = self.controller.acting_cluster(
            &self.run.runtime,
            &self.own.metadata.namespace,
            &self.own.spec.service_account_name,
        );
        Ok(self.controller.manager(cluster))
    }

    async fn build(&mut self, tree: Arc<dyn FileTree>) -> Result<Arc<Built>, Failure> {
        let values = variables::load(&*self.run.runtime.cluster, &self.own).await?;
        let request = BuildRequest {
            tree,
            spec: self.own.spec.clone(),
            variables: Variables {
                values,
                strict: self
                    .controller
                    .settings
                    .gates
                    .strict_post_build_substitutions,
            },
        };
        let key = self.run.key.clone();
        let builds = self.controller.builds.clone();
        let remote = self.controller.remote_bases();
        let task =
            tokio::task::spawn_blocking(move || builds.build(&key, request, remote.as_ref()));
        match self.slowly(task).await {
            Ok(Ok(built)) => Ok(built),
            Ok(Err(error)) => Err(Failure::Build(error.to_string())),
            Err(error) if error.is_panic() => Err(Failure::Build(
                "recovered from kustomize build panic".to_owned(),
            )),
            Err(error) => Err(Failure::Build(error.to_string())),
        }
    }

    async fn apply(
        &mut self,
        manager: &ResourceManager,
        objects: Vec<Object>,
    ) -> Result<ChangeSet, Failure> {
        let options = apply_step::options(&self.own, &self.controller.settings)?;
        let applied = self.slowly(manager.apply_staged(objects, &options)).await;
        let changes = match &applied {
            Ok(changes) => changes,
            Err(failure) => &failure.changes,
        };
        for kind in apply_step::kinds_of(changes) {
            self.controller.drift.watch(&kind);
        }
        let changed = changes.with(&[Action::Created, Action::Configured]);
        if !changed.entries.is_empty() {
            info!(
                revision = %self.facts.revision,
                output = %json!(changes.to_map()),
                "server-side apply completed"
            );
        }
        match applied {
            Ok(changes) => {
                self.controller.missing_kinds.lock().remove(&self.run.key);
                if !changed.entries.is_empty() {
                    self.record(notice(&self.status, &changed.to_string(), &self.facts));
                }
                Ok(changes)
            }
            Err(failure) => {
                let missing = failure.missing_kinds();
                let key = self.run.key.clone();
                self.controller.missing_kinds.lock().insert(key, missing);
                Err(Failure::Apply {
                    message: failure.to_string(),
                    inventory: apply_step::inventory_after_failure(&self.own, &failure.changes),
                })
            }
        }
    }

    async fn prune(
        &mut self,
        manager: &ResourceManager,
        inventory: &api::Inventory,
    ) -> Result<ChangeSet, Failure> {
        let (own, settings) = (self.own.clone(), &self.controller.settings);
        let prune = apply_step::prune(manager, &own, inventory, settings);
        let pruned = self.slowly(prune).await?;
        if !pruned.entries.is_empty() {
            info!("garbage collection completed: {pruned}");
            self.record(notice(&self.status, &pruned.to_string(), &self.facts));
        }
        Ok(pruned)
    }
}

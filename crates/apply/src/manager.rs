//! Applying objects in stages.
//!
//! Per object: recorded and unchanged → no request; else read the live object, leave it alone where its marks say so,
//! dry-run, clean up foreign ownership, compare, apply. Upstream applies nothing of a stage in which one dry-run
//! fails; here the other objects are applied and all errors reported together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use cluster::{ApiResource, Cluster, DeleteParams, Error, Patch, Propagation, Target, WriteParams};
use futures::{FutureExt, StreamExt};
use objects::{GroupKind, Gvk, Object};

use crate::adopt::clean_up;
use crate::change::{Action, ChangeSet, ChangeSetEntry};
use crate::control::{Controls, any_in_metadata};
use crate::drift::{IgnoreRules, has_drifted, resolve_ignored};
use crate::error::{ApplyFailure, ObjectError, is_immutable};
use crate::observe::{LiveVersions, Observations};
use crate::order::{Stage, rank, sort, stage_of};
use crate::wait::{WaitOptions, WaitTarget};

/// How long stages of definitions may take to become ready.
const STAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait between two looks at an object that is being deleted.
const DELETE_POLL_MAX: Duration = Duration::from_secs(2);

/// How objects are applied.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// Recreates objects whose immutable fields change.
    pub force: bool,
    /// Managers (by prefix) whose fields are taken over, besides kubectl's.
    pub override_managers: Vec<String>,
    /// Kinds with a stage of their own.
    pub custom_stage_kinds: Vec<GroupKind>,
    /// Fields whose drift is not corrected.
    pub ignore: IgnoreRules,
    /// Most objects worked on at once.
    pub concurrency: usize,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            force: false,
            override_managers: Vec::new(),
            custom_stage_kinds: Vec::new(),
            ignore: IgnoreRules::default(),
            concurrency: 4,
        }
    }
}

/// Applies, prunes and waits on one cluster under one field manager.
pub struct ResourceManager {
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) field_manager: String,
    pub(crate) controls: Controls,
    pub(crate) observations: Arc<Observations>,
    pub(crate) live: Option<Arc<dyn LiveVersions>>,
}

/// What is to be done with one object.
enum Plan {
    Leave(ChangeSetEntry),
    Apply {
        payload: Box<Object>,
        action: Action,
    },
}

type Resources = HashMap<Gvk, Result<Arc<ApiResource>, Error>>;

impl ResourceManager {
    /// Builds a manager without memory of earlier applies.
    pub fn new(cluster: Arc<dyn Cluster>, field_manager: &str, controls: Controls) -> Self {
        Self {
            cluster,
            field_manager: field_manager.to_owned(),
            controls,
            observations: Arc::default(),
            live: None,
        }
    }

    /// Adds memory of earlier applies and the watches that keep it honest.
    pub fn with_observations(
        mut self,
        observations: Arc<Observations>,
        live: Arc<dyn LiveVersions>,
    ) -> Self {
        self.observations = observations;
        self.live = Some(live);
        self
    }

    /// Applies objects in stages; they should be normalised.
    ///
    /// Every stage is applied as far as possible. Errors do not stop the stage they occur in, but later stages are
    /// not begun after a failed stage of definitions, as they rest on it.
    ///
    /// # Errors
    /// Carries what was done until then and the failures of every object.
    pub async fn apply_staged(
        &self,
        objects: Vec<Object>,
        options: &ApplyOptions,
    ) -> Result<ChangeSet, ApplyFailure> {
        let mut stages: [Vec<Object>; 4] = Default::default();
        for object in objects {
            let stage = stage_of(&object, &options.custom_stage_kinds);
            stages[stage as usize].push(object);
        }
        let mut changes = ChangeSet::default();
        let mut errors = Vec::new();
        let names = [
            Stage::Definitions,
            Stage::Classes,
            Stage::Custom,
            Stage::Rest,
        ];
        for (stage, objects) in names.into_iter().zip(stages) {
            if objects.is_empty() {
                continue;
            }
            let (entries, failed) = self.apply_stage(objects, options).await;
            let applied = ChangeSet { entries };
            changes.entries.extend(applied.entries.iter().cloned());
            errors.extend(failed);
            if matches!(stage, Stage::Definitions | Stage::Classes) {
                errors.extend(self.wait_for_stage(&applied).await.err());
            }
        }
        if errors.is_empty() {
            Ok(changes)
        } else {
            Err(ApplyFailure { errors, changes })
        }
    }

    async fn apply_stage(
        &self,
        mut objects: Vec<Object>,
        options: &ApplyOptions,
    ) -> (Vec<ChangeSetEntry>, Vec<ObjectError>) {
        sort(&mut objects);
        let resources = self.resolve_all(&objects).await;
        let mut entries = Vec::with_capacity(objects.len());
        let mut errors = Vec::new();
        // Kinds of one rank depend on kinds of lower ranks at most, so a rank goes at once.
        for batch in objects.chunk_by(|a, b| rank(a.kind()) == rank(b.kind())) {
            let applies: Vec<_> = batch
                .iter()
                .map(|object| self.apply_one(object, &resources, options).boxed())
                .collect();
            let results: Vec<Result<ChangeSetEntry, ObjectError>> = futures::stream::iter(applies)
                .buffered(options.concurrency.max(1))
                .collect()
                .await;
            for result in results {
                match result {
                    Ok(entry) => entries.push(entry),
                    Err(error) => errors.push(error),
                }
            }
        }
        (entries, errors)
    }

    async fn resolve_all(&self, objects: &[Object]) -> Resources {
        let mut resources = Resources::new();
        for object in objects {
            if let Entry::Vacant(entry) = resources.entry(gvk_of(object)) {
                let resource = self.cluster.resolve(entry.key()).await;
                entry.insert(resource);
            }
        }
        resources
    }

    async fn apply_one(
        &self,
        object: &Object,
        resources: &Resources,
        options: &ApplyOptions,
    ) -> Result<ChangeSetEntry, ObjectError> {
        let gvk = gvk_of(object);
        let resource = match resources.get(&gvk) {
            Some(Ok(resource)) => resource,
            Some(Err(error)) => return Err(ObjectError::dry_run(object, error)),
            None => unreachable!("every object of a stage is resolved before"),
        };
        let mut desired = object.clone();
        if !resource.namespaced {
            desired.metadata_mut().remove("namespace");
        } else if desired.namespace().is_empty() {
            let text = "namespace not specified: the server could not find the requested resource";
            return Err(ObjectError::new(object, text));
        }
        let key = desired.key();
        let digest = Observations::digest(&desired);
        if let Some(live) = self.live.as_ref().and_then(|live| live.live(&gvk, &key))
            && self.observations.is_current(&key, &digest, &live)
        {
            return Ok(ChangeSetEntry::of(&desired, Action::Unchanged));
        }
        let target = Target::new(resource, desired.namespace(), desired.name());
        match self.plan(&target, desired, digest, options).await? {
            Plan::Leave(entry) => Ok(entry),
            Plan::Apply { payload, action } => {
                let applied = self
                    .patch(&target, &payload, false)
                    .await
                    .map_err(|error| match action {
                        // Nothing was dry-run, so the refusal reads like a refused dry-run.
                        Action::Created => ObjectError::dry_run(&payload, &error),
                        _ => ObjectError::new(&payload, format!("apply failed: {error}")),
                    })?;
                self.observations.record(key, digest, &applied);
                Ok(ChangeSetEntry::of(&payload, action))
            }
        }
    }

    async fn plan(
        &self,
        target: &Target,
        desired: Object,
        digest: blake3::Hash,
        options: &ApplyOptions,
    ) -> Result<Plan, ObjectError> {
        let live = match self.cluster.get(target).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => {
                if any_in_metadata(&desired, &self.controls.exclude) {
                    let entry = ChangeSetEntry::of(&desired, Action::Skipped);
                    return Ok(Plan::Leave(entry));
                }
                return Ok(Plan::Apply {
                    payload: Box::new(desired),
                    action: Action::Created,
                });
            }
            Err(error) => return Err(ObjectError::dry_run(&desired, &error)),
        };
        if self.is_left_alone(&desired, &live) {
            return Ok(Plan::Leave(ChangeSetEntry::of(&live, Action::Skipped)));
        }
        self.plan_present(target, desired, live, digest, options)
            .await
    }

    /// Plans for an object that exists.
    async fn plan_present(
        &self,
        target: &Target,
        desired: Object,
        live: Object,
        digest: blake3::Hash,
        options: &ApplyOptions,
    ) -> Result<Plan, ObjectError> {
        let dry_run = match self.patch(target, &desired, true).await {
            Ok(dry_run) => dry_run,
            Err(error) if is_immutable(&error) && self.may_recreate(&desired, &live, options) => {
                self.remove(target, &desired).await?;
                return Ok(Plan::Apply {
                    payload: Box::new(desired),
                    action: Action::Created,
                });
            }
            Err(error) => return Err(ObjectError::dry_run(&desired, &error)),
        };
        let cleaned = self.clean_up(target, &desired, &live, options).await?;
        if !cleaned && !has_drifted(&live, &dry_run, &options.ignore) {
            let entry = ChangeSetEntry::of(&dry_run, Action::Unchanged);
            self.observations.record(entry.key.clone(), digest, &live);
            return Ok(Plan::Leave(entry));
        }
        let mut payload = desired;
        resolve_ignored(
            &mut payload,
            &live,
            &dry_run,
            &options.ignore,
            &self.field_manager,
        );
        Ok(Plan::Apply {
            payload: Box::new(payload),
            action: Action::Configured,
        })
    }

    pub(crate) fn is_left_alone(&self, desired: &Object, live: &Object) -> bool {
        any_in_metadata(desired, &self.controls.exclude)
            || any_in_metadata(live, &self.controls.exclude)
            || any_in_metadata(desired, &self.controls.if_not_present)
    }

    pub(crate) fn may_recreate(
        &self,
        desired: &Object,
        live: &Object,
        options: &ApplyOptions,
    ) -> bool {
        options.force
            || any_in_metadata(desired, &self.controls.force)
            || any_in_metadata(live, &self.controls.force)
    }

    /// Takes over foreign fields; tells whether anything was changed.
    async fn clean_up(
        &self,
        target: &Target,
        desired: &Object,
        live: &Object,
        options: &ApplyOptions,
    ) -> Result<bool, ObjectError> {
        let merges = any_in_metadata(desired, &self.controls.merge)
            || any_in_metadata(live, &self.controls.merge);
        if merges {
            return Ok(false);
        }
        let Some(patch) = clean_up(live, &self.field_manager, &options.override_managers) else {
            return Ok(false);
        };
        let params = WriteParams {
            field_manager: self.field_manager.clone(),
            ..WriteParams::default()
        };
        self.cluster
            .patch(target, &Patch::Json(patch), &params)
            .await
            .map(|_| true)
            .map_err(|error| {
                ObjectError::new(
                    desired,
                    format!("metadata.managedFields cleanup failed: {error}"),
                )
            })
    }

    pub(crate) async fn patch(
        &self,
        target: &Target,
        object: &Object,
        dry_run: bool,
    ) -> Result<Object, Error> {
        let params = WriteParams {
            field_manager: self.field_manager.clone(),
            dry_run,
            force: true,
            ..WriteParams::default()
        };
        self.cluster
            .patch(target, &Patch::Apply(object.clone()), &params)
            .await
    }

    /// Deletes an object with an immutable change and waits until it is gone.
    async fn remove(&self, target: &Target, object: &Object) -> Result<(), ObjectError> {
        let failed = |what: &str, error: Error| {
            ObjectError::new(
                object,
                format!("immutable field detected, failed to {what}: {error}"),
            )
        };
        let params = DeleteParams {
            propagation: Propagation::Background,
            ..DeleteParams::default()
        };
        match self.cluster.delete(target, &params).await {
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(failed("delete object", error)),
            Ok(_) => {}
        }
        let mut pause = Duration::from_millis(10);
        loop {
            match self.cluster.get(target).await {
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(failed("wait for object to be deleted", error)),
                Ok(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(DELETE_POLL_MAX);
        }
    }

    /// Waits for what a stage created or changed.
    async fn wait_for_stage(&self, applied: &ChangeSet) -> Result<(), ObjectError> {
        let changed = applied.with(&[Action::Created, Action::Configured]);
        let targets: Vec<WaitTarget> = changed.entries.iter().map(WaitTarget::from).collect();
        let Some(first) = targets.first() else {
            return Ok(());
        };
        let options = WaitOptions {
            timeout: STAGE_TIMEOUT,
            poll: Duration::from_millis(20),
            fail_fast: true,
        };
        self.wait(&targets, &options, &objects::health, None)
            .await
            .map_err(|failure| ObjectError {
                key: first.key.clone(),
                text: failure.to_string(),
                missing_kind: None,
            })
    }
}

fn gvk_of(object: &Object) -> Gvk {
    Gvk::from_api_version(object.api_version(), object.kind())
}

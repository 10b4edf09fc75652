//! What applying one object would change; nothing is written.

use cluster::{Error, Target};
use objects::{Gvk, Object};

use crate::change::{Action, ChangeSetEntry};
use crate::control::any_in_metadata;
use crate::drift::{has_drifted, remove_pointer, resolve_ignored};
use crate::error::{ObjectError, is_immutable};
use crate::manager::{ApplyOptions, ResourceManager};
use crate::observe::Observations;

/// What an apply would do to one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// The object is left alone.
    Skipped,
    /// The object does not exist, or would be recreated.
    Created,
    /// The object is as desired.
    Unchanged,
    /// The object would change; without managed fields and ignored fields.
    Configured {
        /// Present state.
        live: Box<Object>,
        /// State after the apply, as the server's dry-run has it.
        merged: Box<Object>,
    },
}

impl ResourceManager {
    /// Finds out by a dry-run what applying an object would do; the object should be normalised.
    ///
    /// Follows `Diff` of fluxcd/pkg `ssa`.
    ///
    /// # Errors
    /// The kind is not served, or the server refuses the dry-run.
    pub async fn diff(
        &self,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<Difference, ObjectError> {
        let failed = |error: &Error| ObjectError::dry_run(object, error);
        let gvk = Gvk::from_api_version(object.api_version(), object.kind());
        let resource = self
            .cluster
            .resolve(&gvk)
            .await
            .map_err(|error| failed(&error))?;
        let mut desired = object.clone();
        if !resource.namespaced {
            desired.metadata_mut().remove("namespace");
        }
        let target = Target::new(&resource, desired.namespace(), desired.name());
        // An object that cannot be read is treated as absent; the dry-run tells more.
        let live = self.cluster.get(&target).await.ok();
        let skipped = match &live {
            Some(live) => self.is_left_alone(&desired, live),
            None => any_in_metadata(&desired, &self.controls.exclude),
        };
        if skipped {
            return Ok(Difference::Skipped);
        }
        let dry_run = self.patch(&target, &desired, true).await;
        let Some(mut live) = live else {
            return dry_run
                .map(|_| Difference::Created)
                .map_err(|error| failed(&error));
        };
        let mut merged = match dry_run {
            Ok(merged) => merged,
            Err(error) if is_immutable(&error) && self.may_recreate(&desired, &live, options) => {
                return Ok(Difference::Created);
            }
            Err(error) => return Err(failed(&error)),
        };
        if !has_drifted(&live, &merged, &options.ignore) {
            let digest = Observations::digest(object);
            self.observations.record(desired.key(), digest, &live);
            return Ok(Difference::Unchanged);
        }
        let matched = merged.clone();
        for object in [&mut live, &mut merged] {
            object.metadata_mut().remove("managedFields");
            for path in options.ignore.paths(&matched) {
                remove_pointer(object, path);
            }
        }
        Ok(Difference::Configured {
            live: Box::new(live),
            merged: Box::new(merged),
        })
    }

    /// Tells whether an object was applied as it is desired now and was not touched since, as far as a watch knows.
    pub fn is_current(&self, object: &Object) -> bool {
        let gvk = Gvk::from_api_version(object.api_version(), object.kind());
        let key = object.key();
        let live = self.live.as_ref().and_then(|live| live.live(&gvk, &key));
        live.is_some_and(|live| {
            let digest = Observations::digest(object);
            self.observations.is_current(&key, &digest, &live)
        })
    }

    /// Puts one object right that [`ResourceManager::diff`] found missing or changed; ignored fields stay as they are.
    ///
    /// Unlike an apply it leaves fields of other managers alone.
    ///
    /// # Errors
    /// The kind is not served, or the server refuses the write.
    pub async fn correct(
        &self,
        object: &Object,
        options: &ApplyOptions,
    ) -> Result<ChangeSetEntry, ObjectError> {
        let failed = |error: &Error| ObjectError::dry_run(object, error);
        let gvk = Gvk::from_api_version(object.api_version(), object.kind());
        let resource = self.cluster.resolve(&gvk).await;
        let resource = resource.map_err(|error| failed(&error))?;
        let mut payload = object.clone();
        if !resource.namespaced {
            payload.metadata_mut().remove("namespace");
        }
        let target = Target::new(&resource, payload.namespace(), payload.name());
        let action = match self.cluster.get(&target).await {
            Ok(live) => {
                let dry_run = self.patch(&target, &payload, true).await;
                let dry_run = dry_run.map_err(|error| failed(&error))?;
                let manager = &self.field_manager;
                resolve_ignored(&mut payload, &live, &dry_run, &options.ignore, manager);
                Action::Configured
            }
            Err(error) if error.is_not_found() => Action::Created,
            Err(error) => return Err(failed(&error)),
        };
        let applied = self.patch(&target, &payload, false).await;
        let applied = applied.map_err(|error| failed(&error))?;
        let digest = Observations::digest(object);
        self.observations.record(payload.key(), digest, &applied);
        Ok(ChangeSetEntry::of(&applied, action))
    }
}

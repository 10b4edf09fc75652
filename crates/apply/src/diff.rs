//! What applying one object would change; nothing is written.

use cluster::{Error, Target};
use objects::{Gvk, Object};

use crate::control::any_in_metadata;
use crate::drift::{has_drifted, remove_pointer};
use crate::error::{ObjectError, is_immutable};
use crate::manager::{ApplyOptions, ResourceManager};

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
}

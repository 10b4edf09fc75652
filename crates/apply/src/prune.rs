//! Deleting objects that are no longer wanted, and waiting until they are gone.

use std::time::Duration;

use cluster::{DeleteParams, Deleted, Error, Propagation, Target};
use futures::{FutureExt, StreamExt};
use objects::{Gvk, ObjectKey};

use crate::change::{Action, ChangeSet, ChangeSetEntry};
use crate::control::any_in_metadata;
use crate::manager::ResourceManager;
use crate::order::{compare, rank};

/// A stored object: what an inventory knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stored {
    /// Object.
    pub key: ObjectKey,
    /// API version it was applied in, without group.
    pub version: String,
}

/// Which objects may be deleted.
#[derive(Clone, Debug)]
pub struct PruneOptions {
    /// Labels that the live object must carry, all of them.
    pub owner_labels: Vec<(String, String)>,
    /// Most objects worked on at once.
    pub concurrency: usize,
}

/// What a prune did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneOutcome {
    /// Objects deleted and skipped.
    pub changes: ChangeSet,
    /// Texts of errors, each beginning with its object.
    pub errors: Vec<String>,
    /// Objects whose fate is not known; they belong into the inventory again.
    pub survivors: Vec<Stored>,
}

impl PruneOutcome {
    /// Returns upstream's text for the errors; `None` where there are none.
    pub fn error(&self) -> Option<String> {
        (!self.errors.is_empty())
            .then(|| format!("delete failed, errors: {};", self.errors.join(";")))
    }
}

impl ResourceManager {
    /// Deletes objects in the reverse order of application.
    pub async fn delete_all(
        &self,
        mut objects: Vec<Stored>,
        options: &PruneOptions,
    ) -> PruneOutcome {
        objects.sort_by(|a, b| compare(&b.key, &a.key));
        let mut outcome = PruneOutcome::default();
        for batch in objects.chunk_by(|a, b| rank(&a.key.kind) == rank(&b.key.kind)) {
            let deletes: Vec<_> = batch
                .iter()
                .map(|stored| self.delete_one(stored, options).boxed())
                .collect();
            let results: Vec<Result<Action, String>> = futures::stream::iter(deletes)
                .buffered(options.concurrency.max(1))
                .collect()
                .await;
            for (stored, result) in batch.iter().zip(results) {
                match result {
                    Ok(action) => outcome.changes.entries.push(ChangeSetEntry {
                        key: stored.key.clone(),
                        version: stored.version.clone(),
                        action,
                    }),
                    Err(text) => {
                        outcome.errors.push(text);
                        outcome.survivors.push(stored.clone());
                    }
                }
            }
        }
        outcome
    }

    async fn delete_one(&self, stored: &Stored, options: &PruneOptions) -> Result<Action, String> {
        let key = &stored.key;
        let query_failed = |error: Error| format!("{key} query failed: {error}");
        self.observations.forget(key);
        // A kind that is not served has no objects.
        let Some(target) = self.stored_target(stored).await.map_err(query_failed)? else {
            return Ok(Action::Deleted);
        };
        let live = match self.cluster.get(&target).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => return Ok(Action::Deleted),
            Err(error) => return Err(query_failed(error)),
        };
        let owned = options
            .owner_labels
            .iter()
            .all(|(key, value)| live.label(key) == Some(value));
        if !owned || any_in_metadata(&live, &self.controls.keep) {
            return Ok(Action::Skipped);
        }
        let params = DeleteParams {
            propagation: Propagation::Background,
            ..DeleteParams::default()
        };
        match self.cluster.delete(&target, &params).await {
            Ok(Deleted::Gone | Deleted::Pending(_)) => Ok(Action::Deleted),
            Err(error) if error.is_not_found() => Ok(Action::Deleted),
            Err(error) => Err(format!("{key} delete failed: {error}")),
        }
    }

    /// Returns the address of a stored object, in its version or the preferred one; `None` where the kind is gone.
    pub(crate) async fn stored_target(&self, stored: &Stored) -> Result<Option<Target>, Error> {
        let key = &stored.key;
        let gvk = Gvk::new(&key.group, &stored.version, &key.kind);
        let resource = match self.cluster.resolve(&gvk).await {
            Ok(resource) => Some(resource),
            Err(error) if error.is_no_match() => self
                .cluster
                .discovery()
                .await?
                .by_group_kind(&key.group, &key.kind)
                .cloned(),
            Err(error) => return Err(error),
        };
        Ok(resource.map(|resource| Target::new(&resource, &key.namespace, &key.name)))
    }

    /// Waits until deleted objects are gone; returns those that are not after the timeout.
    pub async fn wait_for_termination(
        &self,
        deleted: &[Stored],
        timeout: Duration,
        poll: Duration,
    ) -> Vec<ObjectKey> {
        let mut left: Vec<Stored> = deleted.to_vec();
        let wait = async {
            while !left.is_empty() {
                let mut still = Vec::new();
                for stored in &left {
                    if self.is_present(stored).await {
                        still.push(stored.clone());
                    }
                }
                left = still;
                if !left.is_empty() {
                    tokio::time::sleep(poll).await;
                }
            }
        };
        // What is left when time is up is the answer.
        let _ = tokio::time::timeout(timeout, wait).await;
        left.into_iter().map(|stored| stored.key).collect()
    }

    async fn is_present(&self, stored: &Stored) -> bool {
        match self.stored_target(stored).await {
            Ok(Some(target)) => match self.cluster.get(&target).await {
                Ok(_) => true,
                Err(error) => !error.is_not_found(),
            },
            Ok(None) => false,
            Err(_) => true,
        }
    }
}

//! What the effects of all sources share: the driver, writing status and events, Secrets, and what makes them look.

mod place;
pub(crate) mod secrets;
mod settings;
pub(crate) mod triggers;

use std::sync::Arc;

use api::names::{self, reason};
use api::{Artifact, Kind, Resource};
use async_trait::async_trait;
use controller_runtime::{Controller, Failed, Key, Outcome, Reconciler, Run, Runtime, Trigger};
use filetree::{Ignore, MemoryTree};
use objects::{Gvk, Object, json};
use reconcile::source::{Decision, Pass, Problem, Source, Start, Stored, start};
use tracing::info;

use crate::artifact::{ArtifactStore, Owner, StoreError};
pub(crate) use crate::place::Place;
use place::writer;
pub use settings::SourceSettings;

/// What is particular to one kind of source.
#[async_trait]
pub(crate) trait Worker: Send + Sync + 'static {
    /// Its spec.
    type Spec: Source;

    /// The artifact store.
    fn store(&self) -> &Arc<ArtifactStore>;

    /// Tells whether an object is used as it is, without status, finalizer or artifact.
    fn is_static(&self, _spec: &Self::Spec) -> bool {
        false
    }

    /// Forgets what is kept about an object beside its status: it is suspended, deleted or gone.
    fn forget(&self, _key: &Key) {}

    /// Looks at the origin and stores what is new.
    async fn work(
        &self,
        place: &mut Place<'_>,
        pass: Pass<Self::Spec>,
        object: &Resource<Self::Spec, <Self::Spec as Source>::Status>,
    ) -> Decision<<Self::Spec as Source>::Status>;
}

/// Starts the controller of one kind of source.
pub(crate) fn start_worker<W: Worker>(
    runtime: &Arc<Runtime>,
    name: &'static str,
    concurrency: usize,
    worker: W,
    triggers: Vec<Trigger>,
) {
    runtime.run(Controller {
        name,
        kind: <W::Spec as Kind>::gvk(),
        label_selector: String::new(),
        concurrency,
        reconciler: Arc::new(SourceReconciler(worker)),
        triggers,
    });
}

/// Drives a worker: finalizer, suspension, deletion, status.
struct SourceReconciler<W>(W);

#[async_trait]
impl<W: Worker> Reconciler for SourceReconciler<W> {
    async fn reconcile(&self, run: &Run) -> Result<Outcome, Failed> {
        let mut place = Place::new(run, writer(W::Spec::CONDITIONS)).await?;
        let mut object = decode::<W::Spec>(&place.object)?;
        if self.0.is_static(&object.spec) {
            return self.leave_alone(&mut place, &object).await;
        }
        if start(&object) == Start::AddFinalizer {
            place.add_finalizer().await?;
            object = decode::<W::Spec>(&place.object)?;
        }
        let now = run.runtime.clock.now();
        let decision = match start(&object) {
            Start::Delete => {
                self.0.forget(&run.key);
                place.remove_artifacts(self.0.store(), owner(&object))?;
                return place.remove_finalizer().await;
            }
            Start::AddFinalizer => return Ok(Outcome::Now),
            Start::Suspended => {
                self.0.forget(&run.key);
                info!("reconciliation is suspended for this object");
                Pass::suspended(object, now)
            }
            Start::Work => {
                let mut pass = Pass::begin(object.clone(), now);
                self.look_at_storage(run, &mut pass);
                self.0.work(&mut place, pass, &object).await
            }
        };
        place
            .conclude(&decision.status, decision.events, decision.next)
            .await
    }

    fn forgotten(&self, key: &Key) {
        self.0.forget(key);
    }
}

type Object_<W> = Resource<<W as Worker>::Spec, <<W as Worker>::Spec as Source>::Status>;

impl<W: Worker> SourceReconciler<W> {
    /// Removes old artifacts and tells the pass what became of the present one.
    fn look_at_storage(&self, run: &Run, pass: &mut Pass<W::Spec>) {
        let store = self.0.store();
        let Some(artifact) = pass.artifact().cloned() else {
            pass.storage(Stored::Missing);
            return;
        };
        let now = run.runtime.clock.now();
        // As upstream: failing to collect garbage does not stop a pass.
        pass.garbage_collected(store.garbage_collect(&artifact, now).unwrap_or(0));
        pass.storage(stored(store, &artifact));
    }

    /// Takes away what an earlier life of a static object left: artifacts, status, finalizer.
    async fn leave_alone(
        &self,
        place: &mut Place<'_>,
        object: &Object_<W>,
    ) -> Result<Outcome, Failed> {
        // A new object has the default `observedGeneration: -1`, which would count as in progress for ever.
        let status = place.object.get(&["status"]).and_then(|s| s.as_object());
        if !object.metadata.has_finalizer() && status.is_none_or(|status| status.is_empty()) {
            return Ok(Outcome::Done);
        }
        self.0
            .store()
            .remove_all(owner(object))
            .map_err(|error| Failed(error.to_string()))?;
        if !object.metadata.is_deleted() {
            place.write(&json!({})).await?;
        }
        place.remove_finalizer().await
    }
}

/// Tells what became of an artifact; a spoilt one is removed.
fn stored(store: &ArtifactStore, artifact: &Artifact) -> Stored {
    match store.verify(artifact) {
        Ok(()) => Stored::Present {
            url: store.url(&artifact.path),
        },
        Err(StoreError::NotFound(_)) => Stored::Missing,
        Err(error) => {
            // What cannot be removed is overwritten by the next artifact.
            let _ = store.remove(artifact);
            Stored::Corrupt {
                error: error.to_string(),
            }
        }
    }
}

fn decode<S: Source>(object: &Object) -> Result<Resource<S, S::Status>, Failed> {
    Resource::from_object(object).map_err(|error| Failed(error.to_string()))
}

/// Names a kind of source in the version that controllers read.
pub(crate) fn source_gvk(kind: &str) -> Gvk {
    Gvk::new(names::SOURCE_GROUP, "v1", kind)
}

/// Whose artifact it is.
pub(crate) fn owner<S: Source>(object: &Resource<S, S::Status>) -> Owner<'_> {
    Owner {
        kind: S::KIND,
        namespace: &object.metadata.namespace,
        name: &object.metadata.name,
    }
}

/// Words a failure of the store, for a verb such as `archive`.
pub(crate) fn store_problem(verb: &str, error: &StoreError) -> Problem {
    if let StoreError::Directory(error) = error {
        let message = format!("failed to create artifact directory: {error}");
        return Problem::storage(reason::DIR_CREATION_FAILED, message);
    }
    let message = format!("unable to {verb} artifact to storage: {error}");
    Problem::storage(reason::ARCHIVE_OPERATION_FAILED, message)
}

/// Reads the ignore rules of a tree, and those of a spec.
pub(crate) fn load_ignore(tree: &MemoryTree, own: Option<&str>) -> Result<Ignore, Problem> {
    Ignore::load(tree, own).map_err(|error| {
        let message = format!("failed to load source ignore patterns from repository: {error}");
        Problem {
            condition: None,
            ..Problem::storage(reason::SOURCE_IGNORE_ERROR, message)
        }
    })
}

/// Runs something that needs a processor for a while.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())
}

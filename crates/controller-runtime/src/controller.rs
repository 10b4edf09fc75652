//! What a controller is: the kind it looks after, what triggers it, and its reconciler with what that is given and answers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cluster::{Error, Target};
use objects::{Gvk, Object};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::queue::Queue;
use crate::runtime::Runtime;
use crate::store::{Change, Key, Store, WatchSpec};

/// What one pass over an object asks for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing until something changes.
    Done,
    /// Another pass at once.
    Now,
    /// Another pass with growing waits, though nothing failed.
    Again,
    /// Another pass after exactly this time.
    After(Duration),
    /// Another pass after this time, give or take the jitter.
    Interval(Duration),
}

/// A pass that failed: it is logged, counted, and tried again with back-off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// What a controller does with one object: gather facts, decide, act, write status.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// Looks at one object. `run.object` is its newest state known when the pass began.
    async fn reconcile(&self, run: &Run) -> Result<Outcome, Failed>;

    /// Hears that an object no longer exists.
    fn forgotten(&self, _key: &Key) {}
}

/// One pass over one object.
pub struct Run {
    /// Object to look at.
    pub key: Key,
    /// Its newest state known when the pass began.
    pub object: Arc<Object>,
    /// The runtime.
    pub runtime: Arc<Runtime>,
    /// The controller's queue.
    pub queue: Queue,
    /// Objects of the controller's kind.
    pub store: Arc<Store>,
    pub(crate) workers: Arc<Semaphore>,
    pub(crate) permit: tokio::sync::Mutex<Option<OwnedSemaphorePermit>>,
}

impl Run {
    /// Awaits something slow without occupying a worker meanwhile.
    pub async fn waiting<T>(&self, future: impl Future<Output = T>) -> T {
        drop(self.permit.lock().await.take());
        let result = future.await;
        let permit = self.workers.clone().acquire_owned().await;
        *self.permit.lock().await = permit.ok();
        result
    }

    /// Returns the API address of the object.
    ///
    /// # Errors
    /// The kind is not served.
    pub async fn target(&self) -> Result<Target, Error> {
        let gvk = Gvk::from_api_version(self.object.api_version(), self.object.kind());
        let resource = self.runtime.cluster.resolve(&gvk).await?;
        Ok(Target::new(&resource, &self.key.namespace, &self.key.name))
    }
}

type MapFn = Arc<dyn Fn(&Change, &Store) -> Vec<Key> + Send + Sync>;

/// A watch whose changes enqueue objects of a controller's kind.
#[derive(Clone)]
pub struct Trigger {
    /// What is watched.
    pub watch: WatchSpec,
    /// Which keys a change enqueues, given the objects of the controller's kind.
    pub map: MapFn,
}

impl Trigger {
    /// Builds a trigger.
    pub fn new(
        watch: WatchSpec,
        map: impl Fn(&Change, &Store) -> Vec<Key> + Send + Sync + 'static,
    ) -> Self {
        Self {
            watch,
            map: Arc::new(map),
        }
    }
}

/// One controller.
pub struct Controller {
    /// Name in logs and metrics, such as `kustomization`.
    pub name: &'static str,
    /// Kind it looks after.
    pub kind: Gvk,
    /// Label selector over its kind (sharding); empty selects all.
    pub label_selector: String,
    /// Most objects worked on at once.
    pub concurrency: usize,
    /// What it does.
    pub reconciler: Arc<dyn Reconciler>,
    /// What else makes it look.
    pub triggers: Vec<Trigger>,
}

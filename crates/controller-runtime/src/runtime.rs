//! Runs controllers on one cluster: shared watches, one dispatcher per controller, clean shutdown.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cluster::{Cluster, Error, Target};
use objects::{Gvk, Object, Value};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info_span};

use crate::clock::{Clock, SystemClock, between};
use crate::metrics::Metrics;
use crate::queue::{Backoff, Queue};
use crate::recorder::{EventSink, Recorder};
use crate::reflector::reflect;
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
    workers: Arc<Semaphore>,
    permit: tokio::sync::Mutex<Option<OwnedSemaphorePermit>>,
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

/// Settings of a runtime.
#[derive(Clone, Debug)]
pub struct Options {
    /// Back-off of failed passes.
    pub backoff: Backoff,
    /// Jitter of intervals, in percent.
    pub interval_jitter_percentage: u8,
    /// Namespace to watch; empty watches all.
    pub namespace: String,
    /// Host name in events; may be empty.
    pub instance: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            interval_jitter_percentage: 5,
            namespace: String::new(),
            instance: String::new(),
        }
    }
}

/// One connection to a cluster with all watches and controllers on it.
pub struct Runtime {
    /// The cluster.
    pub cluster: Arc<dyn Cluster>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Takes events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Metrics,
    /// Settings.
    pub options: Options,
    stores: Mutex<HashMap<WatchSpec, Watched>>,
    queues: Mutex<Vec<Queue>>,
    /// Caches of the controllers' own kinds.
    primaries: Mutex<Vec<Arc<Store>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Watched {
    store: Arc<Store>,
    task: JoinHandle<()>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// Builds a runtime on the system's clock; call within a tokio runtime.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        sink: Option<Arc<dyn EventSink>>,
        options: Options,
    ) -> Arc<Self> {
        Self::with_clock(cluster, Arc::new(SystemClock), sink, options)
    }

    /// Builds a runtime on any clock; call within a tokio runtime.
    pub fn with_clock(
        cluster: Arc<dyn Cluster>,
        clock: Arc<dyn Clock>,
        sink: Option<Arc<dyn EventSink>>,
        options: Options,
    ) -> Arc<Self> {
        let instance = options.instance.clone();
        let (recorder, events) = Recorder::new(cluster.clone(), clock.clone(), sink, instance);
        let runtime = Arc::new(Self {
            cluster,
            clock,
            recorder,
            metrics: Metrics::default(),
            options,
            stores: Mutex::default(),
            primaries: Mutex::default(),
            queues: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        runtime.spawn(events);
        runtime
    }

    /// Spawns a task that ends with the runtime.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = future => {}
            }
        })
    }

    /// Returns the cache of a watch, starting the watch where there is none.
    pub fn store(&self, spec: &WatchSpec) -> Arc<Store> {
        let mut stores = self.stores.lock();
        if let Some(watched) = stores.get(spec) {
            return watched.store.clone();
        }
        let store = Arc::new(Store::default());
        let reflector = reflect(
            self.cluster.clone(),
            self.clock.clone(),
            spec.clone(),
            store.clone(),
        );
        let task = self.spawn(reflector.instrument(info_span!("watch", kind = %spec.gvk)));
        let watched = Watched {
            store: store.clone(),
            task,
        };
        stores.insert(spec.clone(), watched);
        store
    }

    /// Ends a watch and forgets its cache.
    pub fn unwatch(&self, spec: &WatchSpec) {
        if let Some(watched) = self.stores.lock().remove(spec) {
            watched.task.abort();
        }
    }

    /// Takes an own write into every cache that holds the whole kind, ahead of the watch.
    pub fn observe(&self, object: &Object) {
        let gvk = Gvk::from_api_version(object.api_version(), object.kind());
        let spec = self.spec(gvk, "");
        let store = self.stores.lock().get(&spec).map(|w| w.store.clone());
        if let Some(store) = store {
            store.observe(object.clone());
        }
    }

    /// Describes the watch of a kind in the watched namespaces.
    pub fn spec(&self, gvk: Gvk, label_selector: &str) -> WatchSpec {
        WatchSpec {
            gvk,
            namespace: self.options.namespace.clone(),
            label_selector: label_selector.to_owned(),
            metadata_only: false,
        }
    }

    /// Starts a controller; returns its queue.
    pub fn run(self: &Arc<Self>, controller: Controller) -> Queue {
        let queue = Queue::new(self.clock.clone(), self.options.backoff);
        self.queues.lock().push(queue.clone());
        let store = self.store(&self.spec(controller.kind.clone(), &controller.label_selector));
        self.primaries.lock().push(store.clone());
        let primary = queue.clone();
        store.add_handler(move |change| {
            if primary_changed(change) {
                primary.add(change.key());
            }
        });
        let mut triggers = Vec::new();
        for trigger in &controller.triggers {
            let (map, queue, primary) = (trigger.map.clone(), queue.clone(), store.clone());
            let watched = self.store(&trigger.watch);
            watched.add_handler(move |change| {
                for key in map(change, &primary) {
                    queue.add(key);
                }
            });
            triggers.push(watched);
        }
        self.metrics
            .started(controller.name, controller.concurrency);
        let dispatcher = Dispatcher {
            workers: Arc::new(Semaphore::new(controller.concurrency.max(1))),
            runtime: self.clone(),
            queue: queue.clone(),
            store,
            controller: Arc::new(controller),
        };
        self.spawn(async move {
            dispatcher.store.synced().await;
            dispatcher.run().await;
        });
        queue
    }

    /// Tells whether all controllers have nothing to do, delayed keys aside.
    pub fn is_idle(&self) -> bool {
        self.queues.lock().iter().all(Queue::is_idle)
    }

    /// Tells whether all controllers know their objects and have worked off what there was to do, delayed keys aside.
    pub fn has_settled(&self) -> bool {
        let synced = self.primaries.lock().iter().all(|store| store.is_synced());
        synced && self.is_idle()
    }

    /// Returns when the runtime was told to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Ends all watches, workers and events; waits at most a second for them.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        for queue in self.queues.lock().iter() {
            queue.close();
        }
        self.tasks.close();
        // Tasks are dropped at their next await; a second is for those that compute.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.tasks.wait()).await;
    }

    fn jitter(&self, interval: Duration) -> Duration {
        let share = f64::from(self.options.interval_jitter_percentage.min(99)) / 100.0;
        interval.mul_f64(1.0 + share * (2.0 * rand::random::<f64>() - 1.0))
    }
}

/// Tells whether a change of a controller's own kind needs a look: created, deleted, new generation, deletion
/// asked for, or a new reconcile request. Status changes do not.
pub fn primary_changed(change: &Change) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else {
        return true;
    };
    let facts = |o: &Object| {
        (
            o.get(&["metadata", "generation"]).and_then(Value::as_i64),
            o.get(&["metadata", "deletionTimestamp"]).is_some(),
            o.annotation(api::names::RECONCILE_REQUEST)
                .map(str::to_owned),
            o.str_at(&["metadata", "uid"]).to_owned(),
        )
    };
    facts(old) != facts(new)
}

struct Dispatcher {
    workers: Arc<Semaphore>,
    runtime: Arc<Runtime>,
    queue: Queue,
    store: Arc<Store>,
    controller: Arc<Controller>,
}

impl Dispatcher {
    async fn run(self) {
        let this = Arc::new(self);
        loop {
            let Ok(permit) = this.workers.clone().acquire_owned().await else {
                return;
            };
            let Some(key) = this.queue.next().await else {
                return;
            };
            this.runtime
                .metrics
                .depth(this.controller.name, this.queue.len());
            let worker = this.clone();
            this.runtime
                .spawn(async move { worker.work(key, permit).await });
        }
    }

    /// One pass over one key, with everything around it.
    async fn work(self: Arc<Self>, key: Key, permit: OwnedSemaphorePermit) {
        let name = self.controller.name;
        let kind = &self.controller.kind;
        let Some(object) = self.store.get(&key) else {
            self.controller.reconciler.forgotten(&key);
            self.runtime.metrics.forget(&kind.kind, &key);
            self.queue.forget(&key);
            self.queue.done(&key);
            return;
        };
        let run = Run {
            key: key.clone(),
            object,
            runtime: self.runtime.clone(),
            queue: self.queue.clone(),
            store: self.store.clone(),
            workers: self.workers.clone(),
            permit: tokio::sync::Mutex::new(Some(permit)),
        };
        let span = info_span!(
            "reconcile",
            controller = name,
            controllerGroup = %kind.group,
            controllerKind = %kind.kind,
            namespace = %key.namespace,
            name = %key.name,
        );
        self.runtime.metrics.workers(name, 1);
        let started = self.runtime.clock.now();
        let reconciler = self.controller.reconciler.clone();
        // A task of its own, so that a panic ends here and not in the dispatcher; aborted together with this one.
        let pass = async move { reconciler.reconcile(&run).await };
        let task = AbortOnDrop(tokio::spawn(pass.instrument(span.clone())));
        let result = task.join().await;
        let duration = between(started, self.runtime.clock.now());
        self.runtime.metrics.workers(name, -1);
        let result = span.in_scope(|| self.settle(&key, result));
        self.runtime.metrics.finished(name, result, duration);
        self.runtime.metrics.reconciled(&kind.kind, &key, duration);
        self.queue.done(&key);
    }

    /// Turns an outcome into the next look; returns its name in metrics.
    fn settle(&self, key: &Key, result: Result<Outcome, Failed>) -> &'static str {
        match result {
            Ok(Outcome::Again) => {
                self.queue.add_failed(key.clone());
                "requeue"
            }
            Ok(outcome) => {
                self.queue.forget(key);
                let (delay, result) = match outcome {
                    Outcome::Done => return "success",
                    Outcome::Now | Outcome::Again => (Duration::ZERO, "requeue"),
                    Outcome::After(delay) => (delay, "requeue_after"),
                    Outcome::Interval(interval) => (self.runtime.jitter(interval), "requeue_after"),
                };
                self.queue.add_after(key.clone(), delay);
                result
            }
            Err(Failed(message)) => {
                error!(error = %message, "Reconciler error");
                self.queue.add_failed(key.clone());
                "error"
            }
        }
    }
}

struct AbortOnDrop(JoinHandle<Result<Outcome, Failed>>);

impl AbortOnDrop {
    async fn join(mut self) -> Result<Outcome, Failed> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => {
                let payload = error.into_panic();
                let text = payload
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| payload.downcast_ref::<&str>().copied())
                    .unwrap_or("unknown");
                Err(Failed(format!("panic: {text} [recovered]")))
            }
            Err(_) => Err(Failed("the pass was cancelled".into())),
        }
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

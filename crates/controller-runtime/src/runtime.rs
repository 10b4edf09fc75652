//! Runs controllers on one cluster: shared watches, one dispatcher per controller, clean shutdown.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use objects::{Gvk, Object, Value};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span};

use crate::clock::{Clock, SystemClock};
use crate::controller::Controller;
use crate::dispatch::Dispatcher;
use crate::metrics::Metrics;
use crate::queue::{Backoff, Queue};
use crate::recorder::{EventSink, Recorder};
use crate::reflector::reflect;
use crate::store::{Change, Store, WatchSpec};

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

    pub(crate) fn jitter(&self, interval: Duration) -> Duration {
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

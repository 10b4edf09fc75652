//! The loop of one controller: due keys go to the reconciler, its outcomes back into the queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tracing::{Instrument, error, info_span};

use crate::clock::between;
use crate::controller::{Controller, Failed, Outcome, Run};
use crate::queue::Queue;
use crate::runtime::Runtime;
use crate::store::{Key, Store};

pub(crate) struct Dispatcher {
    pub workers: Arc<Semaphore>,
    pub runtime: Arc<Runtime>,
    pub queue: Queue,
    pub store: Arc<Store>,
    pub controller: Arc<Controller>,
}

impl Dispatcher {
    pub async fn run(self) {
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

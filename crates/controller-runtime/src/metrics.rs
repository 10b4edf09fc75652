//! Metrics under upstream's names, in the OpenMetrics text form.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets_range};
use prometheus_client::registry::Registry;

use crate::store::Key;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObjectLabels {
    kind: String,
    name: String,
    namespace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabels {
    controller: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    controller: String,
    result: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    name: String,
}

type HistogramFamily<L> = Family<L, Histogram, fn() -> Histogram>;

/// What the controllers count.
pub struct Metrics {
    registry: Mutex<Registry>,
    reconcile_duration: HistogramFamily<ObjectLabels>,
    reconcile_total: Family<ResultLabels, Counter>,
    reconcile_errors: Family<ControllerLabels, Counter>,
    reconcile_time: HistogramFamily<ControllerLabels>,
    active_workers: Family<ControllerLabels, Gauge>,
    max_concurrent: Family<ControllerLabels, Gauge>,
    queue_depth: Family<QueueLabels, Gauge>,
    queue_retries: Family<QueueLabels, Counter>,
}

/// Ten buckets from 10 ms to 30 min, as upstream's recorder has.
fn reconcile_buckets() -> Histogram {
    Histogram::new(exponential_buckets_range(0.01, 1800.0, 10))
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            reconcile_duration: Family::new_with_constructor(reconcile_buckets),
            reconcile_total: Family::default(),
            reconcile_errors: Family::default(),
            reconcile_time: Family::new_with_constructor(reconcile_buckets),
            active_workers: Family::default(),
            max_concurrent: Family::default(),
            queue_depth: Family::default(),
            queue_retries: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    // Counters get their `_total` from the encoder.
    fn register(&self) {
        let mut registry = self.registry.lock();
        registry.register(
            "gotk_reconcile_duration_seconds",
            "The duration in seconds of a reconcile",
            self.reconcile_duration.clone(),
        );
        registry.register(
            "controller_runtime_reconcile",
            "Reconciles per controller and result",
            self.reconcile_total.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_errors",
            "Failed reconciles per controller",
            self.reconcile_errors.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_time_seconds",
            "Length of reconciles per controller",
            self.reconcile_time.clone(),
        );
        registry.register(
            "controller_runtime_active_workers",
            "Reconciles at work per controller",
            self.active_workers.clone(),
        );
        registry.register(
            "controller_runtime_max_concurrent_reconciles",
            "Most reconciles at work per controller",
            self.max_concurrent.clone(),
        );
        registry.register(
            "workqueue_depth",
            "Keys that wait",
            self.queue_depth.clone(),
        );
        registry.register(
            "workqueue_retries",
            "Keys queued again after a failure",
            self.queue_retries.clone(),
        );
    }

    /// Counts the length of a pass over one object.
    pub fn reconciled(&self, kind: &str, key: &Key, duration: Duration) {
        self.reconcile_duration
            .get_or_create(&object_labels(kind, key))
            .observe(duration.as_secs_f64());
    }

    /// Removes the series of a deleted object.
    pub fn forget(&self, kind: &str, key: &Key) {
        self.reconcile_duration.remove(&object_labels(kind, key));
    }

    pub(crate) fn finished(&self, controller: &str, result: &str, duration: Duration) {
        let labels = ControllerLabels {
            controller: controller.to_owned(),
        };
        self.reconcile_total
            .get_or_create(&ResultLabels {
                controller: controller.to_owned(),
                result: result.to_owned(),
            })
            .inc();
        self.reconcile_time
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
        if result == "error" {
            self.reconcile_errors.get_or_create(&labels).inc();
            self.queue_retries
                .get_or_create(&QueueLabels {
                    name: controller.to_owned(),
                })
                .inc();
        }
    }

    pub(crate) fn workers(&self, controller: &str, change: i64) {
        self.active_workers
            .get_or_create(&ControllerLabels {
                controller: controller.to_owned(),
            })
            .inc_by(change);
    }

    pub(crate) fn started(&self, controller: &str, concurrency: usize) {
        self.max_concurrent
            .get_or_create(&ControllerLabels {
                controller: controller.to_owned(),
            })
            .set(i64::try_from(concurrency).unwrap_or(i64::MAX));
    }

    pub(crate) fn depth(&self, controller: &str, depth: usize) {
        self.queue_depth
            .get_or_create(&QueueLabels {
                name: controller.to_owned(),
            })
            .set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// Writes all metrics as OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock()).expect("writing to memory cannot fail");
        text
    }
}

fn object_labels(kind: &str, key: &Key) -> ObjectLabels {
    ObjectLabels {
        kind: kind.to_owned(),
        name: key.name.clone(),
        namespace: key.namespace.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_upstream_names_and_go_with_their_object() {
        let metrics = Metrics::default();
        let key = Key::new("apps", "podinfo");
        metrics.reconciled("Kustomization", &key, Duration::from_millis(20));
        metrics.finished("kustomization", "success", Duration::from_millis(20));
        let text = metrics.render();
        for line in [
            "gotk_reconcile_duration_seconds_count{kind=\"Kustomization\",name=\"podinfo\",namespace=\"apps\"} 1",
            "controller_runtime_reconcile_total{controller=\"kustomization\",result=\"success\"} 1",
        ] {
            assert!(text.contains(line), "{text}");
        }
        metrics.forget("Kustomization", &key);
        assert!(!metrics.render().contains("podinfo"));
    }
}

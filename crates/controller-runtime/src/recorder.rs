//! Events: Kubernetes Events for the cluster, HTTP events for the notification controller.
//!
//! Recording never waits: records go through a bounded queue to one task, which counts repeated events up
//! instead of creating them anew. When the queue is full the record is dropped with a log line, as events are a
//! courtesy and must not hold work up.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use api::conditions::whole_seconds;
use api::{Event, InvolvedObject, Severity};
use async_trait::async_trait;
use cluster::{Cluster, Patch, Target, WriteParams};
use objects::{Gvk, Object, json};
use tokio::sync::mpsc;
use tracing::{debug, error};

use crate::clock::Clock;

/// Records that may wait.
const QUEUE: usize = 4096;

/// Repeated events remembered for counting up.
const REMEMBERED: usize = 4096;

/// Where HTTP events go.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Posts one event; retries and limits are the sink's.
    async fn post(&self, event: &Event) -> Result<(), String>;
}

/// One event about one object.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// Object; its annotations with the event prefix are added to the metadata.
    pub object: Arc<Object>,
    /// How bad it is; `Trace` is not posted.
    pub severity: Severity,
    /// Machine-readable cause.
    pub reason: String,
    /// Text for people.
    pub message: String,
    /// Further facts, keys with API group prefix.
    pub metadata: BTreeMap<String, String>,
    /// Controller that reports.
    pub controller: &'static str,
}

/// Takes events; clones share one queue.
#[derive(Clone)]
pub struct Recorder {
    records: mpsc::Sender<EventRecord>,
}

impl Recorder {
    /// Builds a recorder and the task that works its queue until all recorders are gone.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        clock: Arc<dyn Clock>,
        sink: Option<Arc<dyn EventSink>>,
        instance: String,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (records, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            cluster,
            clock,
            sink,
            instance,
            series: HashMap::new(),
            order: VecDeque::new(),
            sequence: 0,
        };
        (Self { records }, writer.run(queue))
    }

    /// Records an event.
    pub fn record(&self, record: EventRecord) {
        debug!(reason = %record.reason, message = %record.message, "event");
        if self.records.try_send(record).is_err() {
            error!("unable to record event: the queue is full or closed");
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct SeriesKey {
    uid: String,
    reason: String,
    message: String,
}

struct Series {
    name: String,
    count: u64,
}

struct Writer {
    cluster: Arc<dyn Cluster>,
    clock: Arc<dyn Clock>,
    sink: Option<Arc<dyn EventSink>>,
    instance: String,
    series: HashMap<SeriesKey, Series>,
    order: VecDeque<SeriesKey>,
    sequence: u64,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<EventRecord>) {
        while let Some(record) = queue.recv().await {
            if let Err(error) = self.write(&record).await {
                debug!(%error, "unable to record event");
            }
            self.post(&record).await;
        }
    }

    async fn write(&mut self, record: &EventRecord) -> Result<(), cluster::Error> {
        let resource = self.cluster.resolve(&Gvk::new("", "v1", "Event")).await?;
        let namespace = match record.object.namespace() {
            "" => "default",
            namespace => namespace,
        };
        let key = SeriesKey {
            uid: record.object.str_at(&["metadata", "uid"]).to_owned(),
            reason: record.reason.clone(),
            message: record.message.clone(),
        };
        let now = whole_seconds(self.clock.now()).to_string();
        let params = WriteParams {
            field_manager: record.controller.to_owned(),
            ..WriteParams::default()
        };
        if let Some(series) = self.series.get_mut(&key) {
            series.count += 1;
            let target = Target::new(&resource, namespace, &series.name);
            let patch = Patch::Merge(json!({"count": series.count, "lastTimestamp": now}));
            match self.cluster.patch(&target, &patch, &params).await {
                Err(error) if error.is_not_found() => {}
                other => return other.map(drop),
            }
            self.series.remove(&key);
        }
        let name = self.event_name(record.object.name());
        let event = kubernetes_event(record, namespace, &name, &now);
        self.cluster
            .create(&Target::new(&resource, namespace, &name), &event, &params)
            .await?;
        self.remember(key, name);
        Ok(())
    }

    /// `<object>.<hex of the time>`, made unique by counting.
    fn event_name(&mut self, object: &str) -> String {
        self.sequence += 1;
        let nanoseconds = self.clock.now().as_nanosecond();
        let unique = nanoseconds.wrapping_add(i128::from(self.sequence));
        format!("{object}.{unique:x}")
    }

    fn remember(&mut self, key: SeriesKey, name: String) {
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.series.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.series.insert(key, Series { name, count: 1 });
    }

    async fn post(&self, record: &EventRecord) {
        let Some(sink) = &self.sink else { return };
        let Some(event) = self.http_event(record) else {
            return;
        };
        if let Err(error) = sink.post(&event).await {
            error!(%error, "unable to record event");
        }
    }

    /// Builds the HTTP event; `None` where it is not to be posted.
    fn http_event(&self, record: &EventRecord) -> Option<Event> {
        let object = &record.object;
        let named = !object.namespace().is_empty() && !object.name().is_empty();
        if record.severity == Severity::Trace || !named {
            return None;
        }
        Some(Event {
            involved_object: involved_object(object),
            severity: record.severity,
            timestamp: whole_seconds(self.clock.now()),
            message: api::trim_message(&record.message),
            reason: record.reason.clone(),
            metadata: metadata(record),
            reporting_controller: record.controller.to_owned(),
            reporting_instance: self.instance.clone(),
        })
    }
}

fn metadata(record: &EventRecord) -> BTreeMap<String, String> {
    let annotations = record
        .object
        .annotations()
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    api::metadata_with_annotations(&record.metadata, &annotations)
}

fn involved_object(object: &Object) -> InvolvedObject {
    InvolvedObject {
        kind: object.kind().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        uid: object.str_at(&["metadata", "uid"]).to_owned(),
        api_version: object.api_version().to_owned(),
        resource_version: object.str_at(&["metadata", "resourceVersion"]).to_owned(),
    }
}

fn kubernetes_event(record: &EventRecord, namespace: &str, name: &str, now: &str) -> Object {
    let type_ = match record.severity {
        Severity::Error => "Warning",
        Severity::Info | Severity::Trace => "Normal",
    };
    let mut event = Object::new(&Gvk::new("", "v1", "Event"), namespace, name);
    for (key, value) in metadata(record) {
        event.set_annotation(&key, &value);
    }
    // The API refuses messages beyond 1,024 bytes.
    let mut message = record.message.clone();
    if message.len() > 1024 {
        let mut end = 1021;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push_str("...");
    }
    event.set(&["involvedObject"], json!(involved_object(&record.object)));
    event.set(&["type"], type_);
    event.set(&["reason"], record.reason.clone());
    event.set(&["message"], message);
    event.set(&["source"], json!({"component": record.controller}));
    event.set(&["reportingComponent"], record.controller);
    event.set(&["reportingInstance"], "");
    event.set(&["firstTimestamp"], now);
    event.set(&["lastTimestamp"], now);
    event.set(&["count"], 1);
    event
}

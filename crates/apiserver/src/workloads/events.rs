//! Events as the controllers, the scheduler and the kubelet write them: counted where they repeat, combined where only their
//! words differ, named as client-go names them.

use std::collections::HashMap;

use objects::{Map, Value, json};
use parking_lot::Mutex;

use super::world::{PODS, World};
use crate::engine::{Body, Place, WriteOptions, metadata_text};

/// Events remembered for counting; all are forgotten when it overflows.
const KNOWN_MAX: usize = 4096;
/// Events that differ in their words alone before they are combined, as in client-go.
const SIMILAR_MAX: usize = 10;
/// Seconds in which they have to happen.
const SIMILAR_SECONDS: i64 = 600;

/// Who reports: component, and whether it runs on a node.
pub(super) type Source = (&'static str, bool);

pub(super) const KUBELET: Source = ("kubelet", true);

/// One thing that happened to an object.
pub(super) struct Happening<'a> {
    pub(super) source: Source,
    pub(super) about: &'a Map,
    /// Path of a container inside of a pod; may be empty.
    pub(super) field: &'a str,
    pub(super) warning: bool,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

/// What was reported so far.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Name and count of the event of a key.
    events: HashMap<String, (String, i64)>,
    /// Beginning and number of similar events.
    similar: HashMap<String, (i64, usize)>,
    /// Last moment used in a name, so that names differ.
    last: i128,
}

enum Step {
    New(String),
    Again(String, i64),
}

impl Recorder {
    /// Decides whether an event is new; returns its name, its message and its count.
    fn step(&self, happening: &Happening<'_>, now: jiff::Timestamp) -> (Step, String) {
        let mut known = self.0.lock();
        if known.events.len() > KNOWN_MAX || known.similar.len() > KNOWN_MAX {
            known.events.clear();
            known.similar.clear();
        }
        let similar = format!(
            "{}/{}/{}/{}/{}",
            happening.source.0,
            metadata_text(happening.about, "uid"),
            happening.field,
            happening.warning,
            happening.reason
        );
        let exact = format!("{similar}/{}", happening.message);
        let mut message = happening.message.to_owned();
        let mut key = exact;
        if !known.events.contains_key(&key) {
            let window = known
                .similar
                .entry(similar.clone())
                .or_insert((now.as_second(), 0));
            if now.as_second() - window.0 > SIMILAR_SECONDS {
                *window = (now.as_second(), 0);
            }
            window.1 += 1;
            if window.1 > SIMILAR_MAX {
                message = format!("(combined from similar events): {message}");
                key = similar;
            }
        }
        if let Some((name, count)) = known.events.get_mut(&key) {
            *count += 1;
            return (Step::Again(name.clone(), *count), message);
        }
        let moment = now.as_nanosecond().max(known.last + 1);
        known.last = moment;
        let name = format!("{}.{moment:x}", metadata_text(happening.about, "name"));
        known.events.insert(key, (name.clone(), 1));
        (Step::New(name), message)
    }

    /// Forgets the event of a name, so that the next one of its kind is new.
    fn forget(&self, name: &str) {
        self.0.lock().events.retain(|_, (known, _)| known != name);
    }
}

impl World {
    /// Reports something ordinary about an object.
    pub(super) fn normal(&self, component: &'static str, about: &Map, reason: &str, message: &str) {
        self.report(&Happening {
            source: (component, false),
            about,
            field: "",
            warning: false,
            reason,
            message,
        });
    }

    /// Reports something that should not be.
    pub(super) fn warn(&self, component: &'static str, about: &Map, reason: &str, message: &str) {
        self.report(&Happening {
            source: (component, false),
            about,
            field: "",
            warning: true,
            reason,
            message,
        });
    }

    /// Reports an event, or counts it where it is known.
    pub(super) fn report(&self, happening: &Happening<'_>) {
        let now = self.engine.environment.clock.now();
        let (step, message) = self.recorder.step(happening, now);
        match step {
            Step::New(name) => self.store_event(event(happening, &name, &message, &self.now())),
            Step::Again(name, count) => {
                if !self.count_event(happening, &name, count, &message) {
                    self.recorder.forget(&name);
                    self.report(happening);
                }
            }
        }
    }

    /// Reports that a pod got its node, as the scheduler does.
    pub(super) fn report_scheduled(&self, pod: &Map) {
        let node = super::owned::text_at(pod, &["spec", "nodeName"]);
        let (namespace, name) = (metadata_text(pod, "namespace"), metadata_text(pod, "name"));
        let happening = Happening {
            source: ("default-scheduler", false),
            about: pod,
            field: "",
            warning: false,
            reason: "Scheduled",
            message: &format!("Successfully assigned {namespace}/{name} to {node}"),
        };
        let now = self.engine.environment.clock.now();
        let (step, message) = self.recorder.step(&happening, now);
        let Step::New(name) = step else { return };
        let mut event = event(&happening, &name, &message, &self.now());
        for key in ["firstTimestamp", "lastTimestamp", "count", "source"] {
            event.remove(key);
        }
        event.insert("action".into(), "Binding".into());
        let moment = self.engine.environment.micro_timestamp();
        event.insert("eventTime".into(), moment.into());
        let instance = format!("default-scheduler-{node}");
        event.insert("reportingInstance".into(), instance.into());
        self.store_event(event);
    }

    fn store_event(&self, event: Map) {
        let resource = self.engine.builtin("", "v1", "events");
        let place = Place::new(&resource, metadata_text(&event, "namespace"), "");
        let context = self.context_of(super::owned::text_at(&event, &["reportingComponent"]));
        // Refused in namespaces that are going; nobody misses it there.
        let _ = self.engine.create(
            context,
            &place,
            &Body::Object(event),
            &WriteOptions::default(),
        );
    }

    /// Counts an event once more; tells whether it is still there.
    fn count_event(
        &self,
        happening: &Happening<'_>,
        name: &str,
        count: i64,
        message: &str,
    ) -> bool {
        let resource = self.engine.builtin("", "v1", "events");
        let place = Place::new(&resource, metadata_text(happening.about, "namespace"), name);
        let now = self.now();
        let context = self.context_of(happening.source.0);
        let counted = self.engine.replace(context, &place, &|live, _| {
            let mut next = live.clone();
            next.insert("count".into(), count.into());
            next.insert("lastTimestamp".into(), now.clone().into());
            next.insert("message".into(), message.into());
            Ok(next)
        });
        counted.is_ok()
    }

    /// Deletes a pod for its owner, telling both.
    pub(super) fn remove_pod(&self, component: &'static str, owner: &Map, pod: &Map) {
        self.stop(pod);
        let message = format!("Deleted pod: {}", metadata_text(pod, "name"));
        self.normal(component, owner, "SuccessfulDelete", &message);
        self.delete(PODS, pod);
    }

    /// Reports that the containers of a running pod are stopped.
    pub(super) fn stop(&self, pod: &Map) {
        if super::owned::phase(pod) != "Running" {
            return;
        }
        for name in super::pod::names(pod) {
            self.container(
                pod,
                "containers",
                &name,
                "Killing",
                &format!("Stopping container {name}"),
            );
        }
    }

    /// Reports something ordinary about a container.
    pub(super) fn container(&self, pod: &Map, list: &str, name: &str, reason: &str, message: &str) {
        self.report(&Happening {
            source: KUBELET,
            about: pod,
            field: &format!("spec.{list}{{{name}}}"),
            warning: false,
            reason,
            message,
        });
    }

    /// Reports a failure of a container.
    pub(super) fn container_warning(&self, pod: &Map, name: &str, reason: &str, message: &str) {
        self.report(&Happening {
            source: KUBELET,
            about: pod,
            field: &format!("spec.containers{{{name}}}"),
            warning: true,
            reason,
            message,
        });
    }
}

fn event(happening: &Happening<'_>, name: &str, message: &str, now: &str) -> Map {
    let about = happening.about;
    let text = |key: &str| about.get(key).and_then(Value::as_str).unwrap_or("");
    let namespace = metadata_text(about, "namespace");
    let mut involved = json!({
        "apiVersion": text("apiVersion"), "kind": text("kind"), "name": metadata_text(about, "name"),
        "namespace": namespace, "uid": metadata_text(about, "uid"),
        "resourceVersion": metadata_text(about, "resourceVersion"),
    });
    if !happening.field.is_empty() {
        involved["fieldPath"] = happening.field.into();
    }
    let (component, on_node) = happening.source;
    let mut source = json!({"component": component});
    let mut instance = "";
    if on_node {
        source["host"] = super::pod::NODE.into();
        instance = super::pod::NODE;
    }
    let kind = if happening.warning {
        "Warning"
    } else {
        "Normal"
    };
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved, "reason": happening.reason, "message": message,
        "source": source, "firstTimestamp": now, "lastTimestamp": now, "count": 1, "type": kind,
        "eventTime": null, "reportingComponent": component, "reportingInstance": instance,
    });
    match event {
        Value::Object(event) => event,
        _ => Map::new(),
    }
}

//! What the simulated controllers see and do: reads and writes through the engine, as the controller manager.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cluster::Propagation;
use objects::{Map, Value, json};
use parking_lot::Mutex;

use super::Task;
use super::events::Recorder;
use crate::engine::{
    Body, Context, DeleteOptions, Engine, Place, User, WriteOptions, metadata_text,
};
use crate::failure::Failure;
use crate::store;

/// Agent, and so field manager, of every write.
const AGENT: &str = "kube-controller-manager";

/// The engine as the controllers use it.
pub(super) struct World {
    pub(super) engine: Arc<Engine>,
    context: Context,
    kubelet: Context,
    scheduler: Context,
    /// Events reported so far.
    pub(super) recorder: Recorder,
    /// How often failures that repeat were reported, by uid of the pod.
    pub(super) occasions: Mutex<HashMap<String, u32>>,
    /// Whether a create was refused since this was last asked.
    refused: AtomicBool,
}

/// A resource by group and plural; all are served as `v1`.
pub(super) type Which = (&'static str, &'static str);

pub(super) const PODS: Which = ("", "pods");
pub(super) const SERVICES: Which = ("", "services");
pub(super) const CLAIMS: Which = ("", "persistentvolumeclaims");
pub(super) const VOLUMES: Which = ("", "persistentvolumes");
pub(super) const REPLICA_SETS: Which = ("apps", "replicasets");
pub(super) const DEPLOYMENTS: Which = ("apps", "deployments");
pub(super) const STATEFUL_SETS: Which = ("apps", "statefulsets");
pub(super) const DAEMON_SETS: Which = ("apps", "daemonsets");
pub(super) const JOBS: Which = ("batch", "jobs");
pub(super) const CRON_JOBS: Which = ("batch", "cronjobs");
pub(super) const AUTOSCALERS: Which = ("autoscaling", "horizontalpodautoscalers");
pub(super) const BUDGETS: Which = ("policy", "poddisruptionbudgets");
pub(super) const REVISIONS: Which = ("apps", "controllerrevisions");
pub(super) const ENDPOINTS: Which = ("", "endpoints");
pub(super) const SLICES: Which = ("discovery.k8s.io", "endpointslices");

impl World {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            context: Context::new(User::system(), AGENT),
            kubelet: Context::new(User::system(), "kubelet"),
            scheduler: Context::new(User::system(), "kube-scheduler"),
            recorder: Recorder::default(),
            occasions: Mutex::default(),
            refused: AtomicBool::new(false),
        }
    }

    /// Tells whether a create was refused since this was last asked.
    pub(super) fn take_refusal(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    /// Returns the present moment as statuses hold it.
    pub(super) fn now(&self) -> String {
        self.engine.environment.timestamp()
    }

    /// Returns the seconds since a time of a status; 0 where it cannot be read.
    pub(super) fn seconds_since(&self, time: &str) -> i64 {
        let now = self.engine.environment.clock.now();
        time.parse::<jiff::Timestamp>()
            .map_or(0, |then| now.as_second() - then.as_second())
    }

    /// Reads the object of a task.
    pub(super) fn get(&self, which: Which, task: &Task) -> Option<Map> {
        self.find(which, &task.namespace, &task.name)
    }

    /// Reads an object.
    pub(super) fn find(&self, which: Which, namespace: &str, name: &str) -> Option<Map> {
        let resource = self.engine.builtin(which.0, "v1", which.1);
        let key = store::key(namespace, name);
        let entry = self.engine.store.get(&resource.table, &key)?;
        Some(self.engine.decode_entry(&resource, &entry))
    }

    /// Reads the objects of a namespace that are owned by a uid, by name.
    pub(super) fn owned(&self, which: Which, namespace: &str, uid: &str) -> Vec<Map> {
        self.select(which, namespace, |entry| {
            entry.meta.owners.iter().any(|owner| owner.uid == uid)
        })
    }

    /// Reads the objects of a namespace that pass a filter on their stored facts.
    pub(super) fn select(
        &self,
        which: Which,
        namespace: &str,
        filter: impl Fn(&store::Entry) -> bool,
    ) -> Vec<Map> {
        let resource = self.engine.builtin(which.0, "v1", which.1);
        // A trailing slash would be part of the key range; the table's own listing takes a namespace.
        let (_, entries) = self.engine.store.list(&resource.table, namespace);
        entries
            .iter()
            .filter(|entry| filter(entry))
            .map(|entry| self.engine.decode_entry(&resource, entry))
            .collect()
    }

    /// Returns who writes for a component.
    pub(super) fn context_of(&self, component: &str) -> &Context {
        match component {
            "kubelet" => &self.kubelet,
            "default-scheduler" => &self.scheduler,
            _ => &self.context,
        }
    }

    /// Creates an object; failures (a going namespace, a name that is taken) are left to the next look.
    pub(super) fn create(&self, which: Which, object: Map) -> Option<Map> {
        self.try_create(which, object).ok()
    }

    /// Creates an object, or says why not; the next look tries again.
    pub(super) fn try_create(&self, which: Which, object: Map) -> Result<Map, Box<Failure>> {
        let resource = self.engine.builtin(which.0, "v1", which.1);
        let place = Place::new(&resource, metadata_text(&object, "namespace"), "");
        let body = Body::Object(object);
        let options = WriteOptions::default();
        match self.engine.create(&self.context, &place, &body, &options) {
            Ok(written) => Ok(self.engine.reply_map(&resource, &written.reply)),
            Err(failure) => {
                self.refused.store(true, Ordering::Relaxed);
                Err(failure)
            }
        }
    }

    /// Changes an object through `change`; nothing is written where nothing changes.
    pub(super) fn update(&self, which: Which, object: &Map, change: impl Fn(&mut Map)) {
        self.write(which, object, "", &change);
    }

    /// Changes a pod as the scheduler does when it binds it to a node.
    pub(super) fn bind(&self, pod: &Map, change: impl Fn(&mut Map)) {
        self.write(PODS, pod, "binding", &change);
    }

    /// Changes an object's annotations with its status, which does not move its generation.
    pub(super) fn annotate(&self, which: Which, object: &Map, change: impl Fn(&mut Map)) {
        self.write(which, object, "status", &change);
    }

    /// Sets an object's status.
    pub(super) fn set_status(&self, which: Which, object: &Map, status: Map) {
        if object.get("status").and_then(Value::as_object) == Some(&status) {
            return;
        }
        let status = Value::Object(status);
        self.write(which, object, "status", &|next| {
            next.insert("status".into(), status.clone());
        });
    }

    fn write(&self, which: Which, object: &Map, sub: &str, change: &dyn Fn(&mut Map)) {
        let mut place = self.place(which, object);
        sub.clone_into(&mut place.sub);
        let uid = metadata_text(object, "uid").to_owned();
        let context = if which == PODS && sub == "status" {
            &self.kubelet
        } else {
            &self.context
        };
        let _ = self.engine.replace(context, &place, &|live, _| {
            let mut next = live.clone();
            // Another object of the same name is none of ours.
            if metadata_text(live, "uid") == uid {
                change(&mut next);
            }
            Ok(next)
        });
    }

    /// Deletes an object at once.
    pub(super) fn delete(&self, which: Which, object: &Map) {
        let options = DeleteOptions {
            propagation: Propagation::Background,
            uid: metadata_text(object, "uid").to_owned(),
            grace_seconds: Some(0),
            ..DeleteOptions::default()
        };
        let place = self.place(which, object);
        let _ = self.engine.delete(&self.context, &place, &options);
    }

    fn place(&self, which: Which, object: &Map) -> Place {
        let resource = self.engine.builtin(which.0, "v1", which.1);
        Place::new(
            &resource,
            metadata_text(object, "namespace"),
            metadata_text(object, "name"),
        )
    }
}

/// Builds the reference to an owner that controls.
pub(super) fn controller_reference(api_version: &str, kind: &str, owner: &Map) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "name": metadata_text(owner, "name"),
        "uid": metadata_text(owner, "uid"), "controller": true, "blockOwnerDeletion": true,
    })
}

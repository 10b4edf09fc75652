//! Watching what was applied: metadata watches per applied kind, over objects with our owner label.
//!
//! A change of an object that is not the one recorded by the apply enqueues its owner. Every change also wakes a
//! health check of the owner that may be waiting.

use std::collections::HashMap;
use std::sync::Arc;

use api::names;
use apply::{LiveVersion, LiveVersions, Observations};
use controller_runtime::{Change, Key, Queue, Run, Runtime, Store, WatchSpec};
use objects::{Gvk, Object, ObjectKey};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(super) struct DriftWatch {
    runtime: Arc<Runtime>,
    shared: Arc<Shared>,
    stores: Mutex<HashMap<Gvk, Arc<Store>>>,
}

struct Shared {
    observations: Arc<Observations>,
    /// Known from the first pass on.
    queue: Mutex<Option<Queue>>,
    wakes: Mutex<HashMap<Key, Arc<Notify>>>,
}

impl DriftWatch {
    pub(super) fn new(runtime: Arc<Runtime>, observations: Arc<Observations>) -> Self {
        Self {
            runtime,
            shared: Arc::new(Shared {
                observations,
                queue: Mutex::default(),
                wakes: Mutex::default(),
            }),
            stores: Mutex::default(),
        }
    }

    /// Learns the queue to enqueue into.
    pub(super) fn serve(&self, run: &Run) {
        let mut queue = self.shared.queue.lock();
        if queue.is_none() {
            *queue = Some(run.queue.clone());
        }
    }

    /// Watches a kind from now on.
    pub(super) fn watch(&self, gvk: &Gvk) {
        let mut stores = self.stores.lock();
        if stores.contains_key(gvk) {
            return;
        }
        let spec = WatchSpec {
            gvk: gvk.clone(),
            label_selector: names::OWNER_NAME_LABEL.to_owned(),
            metadata_only: true,
            namespace: String::new(),
        };
        let store = self.runtime.store(&spec);
        let shared = self.shared.clone();
        store.add_handler(move |change| shared.changed(change));
        stores.insert(gvk.clone(), store);
    }

    /// Returns what is notified when an object of a Kustomization changes.
    pub(super) fn wake(&self, owner: &Key) -> Arc<Notify> {
        self.shared
            .wakes
            .lock()
            .entry(owner.clone())
            .or_default()
            .clone()
    }

    pub(super) fn forget(&self, owner: &Key) {
        self.shared.wakes.lock().remove(owner);
    }
}

impl Shared {
    fn changed(&self, change: &Change) {
        // An object whose labels were taken away left the watch; its last state still names the owner.
        let object = change.object();
        let Some(owner) = owner_of(object) else {
            return;
        };
        if let Some(wake) = self.wakes.lock().get(&owner) {
            wake.notify_waiters();
        }
        let live = match &change.new {
            Some(new) => LiveVersion::of(new),
            None => LiveVersion::default(),
        };
        if self.observations.has_drifted(&object.key(), &live) == Some(true)
            && let Some(queue) = &*self.queue.lock()
        {
            queue.add(owner);
        }
    }
}

fn owner_of(object: &Object) -> Option<Key> {
    let name = object.label(names::OWNER_NAME_LABEL)?;
    let namespace = object.label(names::OWNER_NAMESPACE_LABEL)?;
    Some(Key::new(namespace, name))
}

impl LiveVersions for DriftWatch {
    fn live(&self, gvk: &Gvk, key: &ObjectKey) -> Option<LiveVersion> {
        let store = self.stores.lock().get(gvk)?.clone();
        if !store.is_synced() {
            return None;
        }
        let object = store.get(&Key::new(&key.namespace, &key.name))?;
        Some(LiveVersion::of(&object))
    }
}

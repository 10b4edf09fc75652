//! Watching what was applied: metadata watches per applied kind, over objects with our owner label.
//!
//! A change of an object that is not the one recorded by the apply enqueues its owner. Every change also wakes a
//! health check of the owner that may be waiting. Somebody who keeps changing an object back is answered at once
//! many times, then ever more slowly, so that two controllers at odds do not keep a cluster busy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::names;
use apply::{LiveVersion, LiveVersions, Observations};
use controller_runtime::{Change, Clock, Key, Queue, Run, Runtime, Store, WatchSpec};
use jiff::Timestamp;
use objects::{Gvk, Object, ObjectKey};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Drifts of one object in a row that are answered at once: more than people make, little for a loop.
const QUICK_ANSWERS: u32 = 200;
/// Time without drift after which an object is answered at once again.
const QUIET: Duration = Duration::from_secs(60);
/// Longest wait before an object at odds is put right.
const ANSWER_MAX: Duration = Duration::from_secs(300);

/// Labels that name the owner of an applied object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerLabels {
    pub(crate) name: &'static str,
    pub(crate) namespace: &'static str,
}

impl OwnerLabels {
    /// Those of Kustomizations.
    pub(crate) const KUSTOMIZATION: Self = Self {
        name: names::OWNER_NAME_LABEL,
        namespace: names::OWNER_NAMESPACE_LABEL,
    };
    /// Those of HelmReleases.
    pub(crate) const HELM_RELEASE: Self = Self {
        name: names::HELM_NAME_LABEL,
        namespace: names::HELM_NAMESPACE_LABEL,
    };
}

pub(crate) struct DriftWatch {
    runtime: Arc<Runtime>,
    shared: Arc<Shared>,
    stores: Mutex<HashMap<Gvk, Arc<Store>>>,
}

struct Shared {
    labels: OwnerLabels,
    observations: Arc<Observations>,
    clock: Arc<dyn Clock>,
    quarrels: Mutex<Quarrels>,
    /// Known from the first pass on.
    queue: Mutex<Option<Queue>>,
    wakes: Mutex<HashMap<Key, Arc<Notify>>>,
    /// Told of drift while a pass of the owner is at work.
    drifts: Mutex<HashMap<Key, Arc<Notify>>>,
}

/// How long to wait before the next answer after so many in a row.
pub(crate) fn pause_after(answers: u32) -> Duration {
    Quarrels::slow(answers)
}

impl DriftWatch {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        observations: Arc<Observations>,
        labels: OwnerLabels,
    ) -> Self {
        let clock = runtime.clock.clone();
        Self {
            runtime,
            shared: Arc::new(Shared {
                labels,
                observations,
                clock,
                quarrels: Mutex::default(),
                queue: Mutex::default(),
                wakes: Mutex::default(),
                drifts: Mutex::default(),
            }),
            stores: Mutex::default(),
        }
    }

    /// Learns the queue to enqueue into.
    pub(crate) fn serve(&self, run: &Run) {
        let mut queue = self.shared.queue.lock();
        if queue.is_none() {
            *queue = Some(run.queue.clone());
        }
    }

    /// Watches a kind from now on.
    pub(crate) fn watch(&self, gvk: &Gvk) {
        let mut stores = self.stores.lock();
        if stores.contains_key(gvk) {
            return;
        }
        let spec = WatchSpec {
            gvk: gvk.clone(),
            label_selector: self.shared.labels.name.to_owned(),
            metadata_only: true,
            namespace: String::new(),
        };
        let store = self.runtime.store(&spec);
        let shared = self.shared.clone();
        store.add_handler(move |change| shared.changed(change));
        stores.insert(gvk.clone(), store);
    }

    /// Returns what is notified when an object of an owner changes.
    pub(crate) fn wake(&self, owner: &Key) -> Arc<Notify> {
        self.shared
            .wakes
            .lock()
            .entry(owner.clone())
            .or_default()
            .clone()
    }

    /// Returns what is notified of drift that happens during a pass of the owner; a pass's own changes may be among it.
    pub(crate) fn drift(&self, owner: &Key) -> Arc<Notify> {
        self.shared
            .drifts
            .lock()
            .entry(owner.clone())
            .or_default()
            .clone()
    }

    pub(crate) fn forget(&self, owner: &Key) {
        self.shared.drifts.lock().remove(owner);
        self.shared.wakes.lock().remove(owner);
    }
}

impl Shared {
    fn changed(&self, change: &Change) {
        // An object whose labels were taken away left the watch; its last state still names the owner.
        let object = change.object();
        let Some(owner) = owner_of(object, self.labels) else {
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
            // While a pass is at work the change may well be its own.
            if queue.is_processing(&owner) {
                if let Some(drift) = self.drifts.lock().get(&owner) {
                    drift.notify_one();
                }
                return queue.add(owner);
            }
            let delay = self.quarrels.lock().delay(object.key(), self.clock.now());
            queue.add_after(owner, delay);
        }
    }
}

/// How often objects drifted lately.
#[derive(Default)]
struct Quarrels {
    recent: HashMap<ObjectKey, (Timestamp, u32)>,
}

impl Quarrels {
    /// Counts a drift and returns how long to wait before it is put right.
    fn delay(&mut self, key: ObjectKey, now: Timestamp) -> Duration {
        /// Objects remembered before those that are quiet are dropped.
        const REMEMBERED: usize = 1000;
        let since =
            |last: Timestamp| Duration::try_from(now.duration_since(last)).unwrap_or_default();
        if self.recent.len() > REMEMBERED {
            self.recent.retain(|_, (last, _)| since(*last) < ANSWER_MAX);
        }
        let (last, count) = self.recent.entry(key).or_insert((now, 0));
        let slow = Self::slow(*count);
        *count = if since(*last) < slow + QUIET {
            *count + 1
        } else {
            1
        };
        *last = now;
        Self::slow(*count)
    }

    /// Wait after so many drifts in a row.
    fn slow(count: u32) -> Duration {
        match count.checked_sub(QUICK_ANSWERS + 1) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << over.min(10)).min(ANSWER_MAX),
        }
    }
}

fn owner_of(object: &Object, labels: OwnerLabels) -> Option<Key> {
    let name = object.label(labels.name)?;
    let namespace = object.label(labels.namespace)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_at_odds_are_put_right_ever_more_slowly() {
        let key = ObjectKey::new("apps", "Deployment", "ns", "web");
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut quarrels = Quarrels::default();
        let mut drift = |second| quarrels.delay(key.clone(), at(second)).as_secs();
        for second in 0..200 {
            assert_eq!(drift(second), 0);
        }
        assert_eq!([drift(200), drift(201), drift(203)], [1, 2, 4]);
        assert_eq!(drift(900), 0);
        assert_eq!(Quarrels::slow(1000), ANSWER_MAX);
    }
}

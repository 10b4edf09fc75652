//! Watch-fed caches with indexes.
//!
//! A [`Store`] holds the objects of one watch. Changes arrive from its reflector, and from this process's own
//! writes ([`Store::observe`]), which a later watch event of the same version does not repeat. Versions never go
//! backwards. Objects are kept without `managedFields`, which nobody reads from a cache.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use objects::{Gvk, Object};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

/// Name of an object within its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// Builds from parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Returns the key of an object.
    pub fn of(object: &Object) -> Self {
        Self::new(object.namespace(), object.name())
    }
}

impl fmt::Display for Key {
    /// Writes `namespace/name`, or the name alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// What a store watches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WatchSpec {
    /// Kind in the version read.
    pub gvk: Gvk,
    /// Namespace; empty watches all.
    pub namespace: String,
    /// Label selector; empty selects all.
    pub label_selector: String,
    /// Reads metadata only.
    pub metadata_only: bool,
}

impl WatchSpec {
    /// Watches all objects of a kind.
    pub fn all(gvk: Gvk) -> Self {
        Self {
            gvk,
            ..Self::default()
        }
    }
}

/// One change of one object; at least one side is present.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// State before; absent when the object appeared.
    pub old: Option<Arc<Object>>,
    /// State after; absent when the object went.
    pub new: Option<Arc<Object>>,
}

impl Change {
    /// Returns the newest state known.
    pub fn object(&self) -> &Arc<Object> {
        self.new
            .as_ref()
            .or(self.old.as_ref())
            .expect("a change has at least one side")
    }

    /// Returns the key of the object.
    pub fn key(&self) -> Key {
        Key::of(self.object())
    }
}

type Handler = Arc<dyn Fn(&Change) + Send + Sync>;
type IndexFn = Arc<dyn Fn(&Object) -> Vec<String> + Send + Sync>;

/// The objects of one watch.
pub struct Store {
    inner: RwLock<Inner>,
    /// Held while a change is applied and told, so that handlers see changes in order.
    telling: Mutex<Vec<Handler>>,
    synced: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    objects: HashMap<Key, Arc<Object>>,
    indexes: HashMap<&'static str, Index>,
}

struct Index {
    values: IndexFn,
    keys: HashMap<String, BTreeSet<Key>>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            inner: RwLock::default(),
            telling: Mutex::default(),
            synced: watch::channel(false).0,
        }
    }
}

impl Store {
    /// Returns an object.
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.inner.read().objects.get(key).cloned()
    }

    /// Returns all objects, in no order.
    pub fn list(&self) -> Vec<Arc<Object>> {
        self.inner.read().objects.values().cloned().collect()
    }

    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.inner.read().objects.len()
    }

    /// Tells whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an index: the values under which an object is found. Adding a name again does nothing.
    pub fn add_index(
        &self,
        name: &'static str,
        values: impl Fn(&Object) -> Vec<String> + Send + Sync + 'static,
    ) {
        let mut inner = self.inner.write();
        if inner.indexes.contains_key(name) {
            return;
        }
        let mut index = Index {
            values: Arc::new(values),
            keys: HashMap::new(),
        };
        for (key, object) in &inner.objects {
            index.insert(key, object);
        }
        inner.indexes.insert(name, index);
    }

    /// Returns the keys of an index value, sorted; none where the index does not exist.
    pub fn by_index(&self, name: &str, value: &str) -> Vec<Key> {
        self.inner
            .read()
            .indexes
            .get(name)
            .and_then(|index| index.keys.get(value))
            .map(|keys| keys.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Adds a handler, which first sees every present object as new.
    pub fn add_handler(&self, handler: impl Fn(&Change) + Send + Sync + 'static) {
        let mut handlers = self.telling.lock();
        for object in self.list() {
            handler(&Change {
                old: None,
                new: Some(object),
            });
        }
        handlers.push(Arc::new(handler));
    }

    /// Takes in the newest state of an object, from a watch or from an own write.
    ///
    /// The change is bound before it is told: handlers read this store, so its lock must be free by then.
    pub fn observe(&self, object: Object) {
        let handlers = self.telling.lock();
        let change = self.inner.write().insert(object);
        if let Some(change) = change {
            tell(&handlers, &change);
        }
    }

    /// Takes in that an object went; `last` is its last state.
    pub fn observe_deleted(&self, last: &Object) {
        let handlers = self.telling.lock();
        let change = self.inner.write().remove(&Key::of(last), version(last));
        if let Some(change) = change {
            tell(&handlers, &change);
        }
    }

    /// Takes in a complete list: objects that are not in it went, unless they are newer than it.
    pub fn replace(&self, list: Vec<Object>, list_version: &str) {
        let handlers = self.telling.lock();
        let present: BTreeSet<Key> = list.iter().map(Key::of).collect();
        let gone: Vec<Key> = {
            let inner = self.inner.read();
            let gone = inner.objects.keys().filter(|key| !present.contains(key));
            gone.cloned().collect()
        };
        let list_version = list_version.parse().ok();
        for key in gone {
            let change = self.inner.write().remove(&key, list_version);
            if let Some(change) = change {
                tell(&handlers, &change);
            }
        }
        for object in list {
            let change = self.inner.write().insert(object);
            if let Some(change) = change {
                tell(&handlers, &change);
            }
        }
        self.synced.send_replace(true);
    }

    /// Tells whether a complete list was read.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits until a complete list was read.
    pub async fn synced(&self) {
        // The sender lives as long as the store, so the wait cannot fail.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }
}

fn tell(handlers: &[Handler], change: &Change) {
    for handler in handlers {
        handler(change);
    }
}

/// Reads a resource version as a number; `None` where the server uses other text.
fn version(object: &Object) -> Option<u64> {
    object.str_at(&["metadata", "resourceVersion"]).parse().ok()
}

impl Inner {
    fn insert(&mut self, mut object: Object) -> Option<Change> {
        object.metadata_mut().remove("managedFields");
        let key = Key::of(&object);
        let old = self.objects.get(&key).cloned();
        if let Some(old) = &old {
            let stale = match (version(old), version(&object)) {
                (Some(old), Some(new)) => new <= old,
                _ => **old == object,
            };
            if stale {
                return None;
            }
        }
        let new = Arc::new(object);
        for index in self.indexes.values_mut() {
            if let Some(old) = &old {
                index.remove(&key, old);
            }
            index.insert(&key, &new);
        }
        self.objects.insert(key, new.clone());
        Some(Change {
            old,
            new: Some(new),
        })
    }

    fn remove(&mut self, key: &Key, at: Option<u64>) -> Option<Change> {
        let old = self.objects.get(key)?.clone();
        if let (Some(present), Some(at)) = (version(&old), at)
            && present > at
        {
            return None;
        }
        self.objects.remove(key);
        for index in self.indexes.values_mut() {
            index.remove(key, &old);
        }
        Some(Change {
            old: Some(old),
            new: None,
        })
    }
}

impl Index {
    fn insert(&mut self, key: &Key, object: &Object) {
        for value in (self.values)(object) {
            self.keys.entry(value).or_default().insert(key.clone());
        }
    }

    fn remove(&mut self, key: &Key, object: &Object) {
        for value in (self.values)(object) {
            if let Some(keys) = self.keys.get_mut(&value) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn object(name: &str, version: &str, label: &str) -> Object {
        Object::from_value(json!({
            "metadata": {"name": name, "namespace": "ns", "resourceVersion": version, "labels": {"team": label}}
        }))
        .unwrap()
    }

    #[test]
    fn own_writes_are_told_once_and_versions_never_go_back() {
        let store = Store::default();
        let told = Arc::new(AtomicUsize::new(0));
        let counter = told.clone();
        store.add_handler(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        store.observe(object("a", "5", "x"));
        store.observe(object("a", "5", "x"));
        store.observe(object("a", "4", "old"));
        assert_eq!(told.load(Ordering::Relaxed), 1);
        store.observe_deleted(&object("a", "4", "x"));
        assert_eq!(store.len(), 1);
        store.observe_deleted(&object("a", "6", "x"));
        assert!(store.is_empty());
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn indexes_follow_changes() {
        let store = Store::default();
        store.add_index("team", |o| {
            o.label("team").map(str::to_owned).into_iter().collect()
        });
        store.observe(object("a", "1", "x"));
        store.observe(object("b", "2", "x"));
        store.observe(object("a", "3", "y"));
        assert_eq!(store.by_index("team", "x"), [Key::new("ns", "b")]);
        assert_eq!(store.by_index("team", "y"), [Key::new("ns", "a")]);
    }

    #[test]
    fn a_new_list_removes_what_is_gone_but_not_what_is_newer() {
        let store = Store::default();
        store.observe(object("old", "1", "x"));
        store.observe(object("newer", "12", "x"));
        store.replace(vec![object("listed", "3", "x")], "10");
        let mut names: Vec<_> = store.list().iter().map(|o| o.name().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["listed", "newer"]);
        assert!(store.is_synced());
    }
}

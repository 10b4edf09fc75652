//! An embedded cluster with the Flux kinds, and what every test does with it.
//!
//! Waits follow watches and end as soon as they can; their limit is reached only where something is broken.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, ListParams, Patch, Scope, Target, WatchEvent, WatchParams, WriteParams};
use controllers::artifact::{ArtifactStore, Owner};
use filetree::{Ignore, MemoryTree, select};
use futures::StreamExt;
use jiff::Timestamp;
use objects::{Gvk, Object, Value};

/// Longest wait for anything, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Stage {
    /// Keeps the cluster alive.
    _server: apiserver::Server,
    pub cluster: Arc<dyn Cluster>,
}

impl Stage {
    /// Starts a cluster that serves the Flux kinds.
    pub async fn start() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let server = apiserver::Server::start(apiserver::Options::default())
            .await
            .unwrap();
        let stage = Self {
            cluster: server.cluster(),
            _server: server,
        };
        for definition in api::crds() {
            stage.create_object(definition.into_value()).await;
        }
        for definition in api::crds() {
            let established = |object: Option<&Object>| {
                let established = object.and_then(|o| condition(o, "Established"));
                established.is_some_and(|condition| condition["status"] == "True")
            };
            let (gvk, name) = (definition.gvk(), definition.name());
            stage.wait(&gvk, name, established).await;
        }
        stage.cluster.rediscover().await.unwrap();
        stage
    }

    pub async fn target(&self, gvk: &Gvk, namespace: &str, name: &str) -> Target {
        let resource = self.cluster.resolve(gvk).await.unwrap();
        let namespace = if resource.namespaced { namespace } else { "" };
        Target::new(&resource, namespace, name)
    }

    async fn default_target(&self, gvk: &Gvk, name: &str) -> Target {
        self.target(gvk, "default", name).await
    }

    pub async fn create_object(&self, object: Value) {
        let object = Object::from_value(object).unwrap();
        let (namespace, name) = (object.namespace(), object.name());
        let target = self.target(&object.gvk(), namespace, name).await;
        let params = WriteParams::default();
        let created = self.cluster.create(&target, &object, &params).await;
        created.unwrap();
    }

    /// Writes an object as `kubectl apply --server-side --force-conflicts` does.
    pub async fn apply_object(&self, object: Value) {
        let object = Object::from_value(object).unwrap();
        let (namespace, name) = (object.namespace(), object.name());
        let target = self.target(&object.gvk(), namespace, name).await;
        let params = WriteParams {
            field_manager: "test".into(),
            force: true,
            ..WriteParams::default()
        };
        let patch = Patch::Apply(object);
        self.cluster.patch(&target, &patch, &params).await.unwrap();
    }

    /// Merges into an object of the namespace `default`.
    pub async fn patch(&self, gvk: &Gvk, name: &str, patch: Value) {
        let target = self.default_target(gvk, name).await;
        self.patch_target(&target, patch).await;
    }

    pub async fn patch_target(&self, target: &Target, patch: Value) {
        let params = WriteParams {
            field_manager: "kubectl-edit".into(),
            ..WriteParams::default()
        };
        let patch = Patch::Merge(patch);
        self.cluster.patch(target, &patch, &params).await.unwrap();
    }

    /// Reads an object of the namespace `default`; `None` where it does not exist.
    pub async fn get(&self, gvk: &Gvk, name: &str) -> Option<Object> {
        let target = self.default_target(gvk, name).await;
        self.cluster.get(&target).await.ok()
    }

    /// Deletes an object of the namespace `default`.
    pub async fn delete(&self, gvk: &Gvk, name: &str) {
        let target = self.default_target(gvk, name).await;
        let deleted = self.cluster.delete(&target, &Default::default()).await;
        deleted.unwrap();
    }

    /// Waits until an object of the namespace `default` (or its absence) satisfies a condition.
    pub async fn wait(
        &self,
        gvk: &Gvk,
        name: &str,
        check: impl Fn(Option<&Object>) -> bool,
    ) -> Option<Object> {
        let target = self.default_target(gvk, name).await;
        let scope = Scope {
            resource: target.resource.clone(),
            namespace: target.namespace.clone(),
        };
        let params = WatchParams {
            field_selector: format!("metadata.name={name}"),
            ..WatchParams::default()
        };
        let mut last = None;
        let search = async {
            // The watch comes first, so that nothing between the two is missed.
            let mut events = self.cluster.watch(&scope, &params).await.unwrap();
            let mut seen = self.cluster.get(&target).await.ok();
            let first = seen.as_ref().map_or(0, version);
            loop {
                if check(seen.as_ref()) {
                    return seen;
                }
                last = seen;
                seen = loop {
                    match events.next().await.expect("the watch goes on").unwrap() {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                            if version(&object) > first {
                                break Some(object);
                            }
                        }
                        WatchEvent::Deleted(_) => break None,
                        WatchEvent::Bookmark(_) => {}
                    }
                };
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| {
            let last = last.map_or(Value::Null, Object::into_value);
            panic!("{name} stayed at {last:#}")
        })
    }

    /// Waits until an object of the namespace `default` is gone.
    pub async fn wait_gone(&self, gvk: &Gvk, name: &str) {
        self.wait(gvk, name, |object| object.is_none()).await;
    }

    /// Returns all events about an object of the namespace `default`, in order of their versions.
    pub async fn event_objects(&self, name: &str) -> Vec<Object> {
        let gvk = Gvk::new("", "v1", "Event");
        let scope = Scope {
            resource: self.cluster.resolve(&gvk).await.unwrap(),
            namespace: "default".to_owned(),
        };
        let list = self.cluster.list(&scope, &ListParams::default()).await;
        let mut events = list.unwrap().items;
        events.retain(|event| event.str_at(&["involvedObject", "name"]) == name);
        events.sort_by_key(version);
        events
    }

    /// Returns `reason: message` of all events about an object of the namespace `default`, as above.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let text = |event: &Object| {
            let (reason, message) = (event.str_at(&["reason"]), event.str_at(&["message"]));
            format!("{reason}: {message}")
        };
        self.event_objects(name).await.iter().map(text).collect()
    }

    /// Waits until an event about an object of the namespace `default` has this text; events follow the status.
    pub async fn wait_event(&self, name: &str, text: &str) {
        let mut last = Vec::new();
        let search = async {
            loop {
                last = self.events(name).await;
                if last.iter().any(|event| event.contains(text)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("no event \"{text}\" among {last:#?}"));
    }
}

/// Waits for what no watch tells.
pub async fn until(what: &str, check: impl Fn() -> bool) {
    let search = async {
        while !check() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| panic!("still not so: {what}"));
}

/// Packs files as an artifact of an object in the namespace `default`.
pub fn pack(
    store: &ArtifactStore,
    (kind, name): (&str, &str),
    (file, revision): (&str, &str),
    files: &[(&str, &str)],
) -> api::Artifact {
    let mut tree = MemoryTree::new();
    for (path, content) in files {
        tree.insert(path, content.as_bytes()).unwrap();
    }
    let entries = select(&tree, &Ignore::load(&tree, None).unwrap()).unwrap();
    let owner = Owner {
        kind,
        namespace: "default",
        name,
    };
    let stored = store.put(owner, file, revision, &entries, Timestamp::now());
    stored.unwrap()
}

pub fn condition<'a>(object: &'a Object, type_: &str) -> Option<&'a Value> {
    let list = object.get(&["status", "conditions"])?.as_array()?;
    list.iter().find(|condition| condition["type"] == type_)
}

fn version(object: &Object) -> u64 {
    object.resource_version().parse().unwrap()
}

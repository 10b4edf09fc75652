//! An embedded cluster with the Flux kinds and running controllers.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, ListParams, Scope, Target, WatchEvent, WatchParams, WriteParams};
use controllers::{Handle, Options};
use futures::StreamExt;
use objects::{Gvk, Object, Value, json};

/// Longest wait for anything; reached only where something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    /// Keeps the cluster alive.
    _server: apiserver::Server,
    pub cluster: Arc<dyn Cluster>,
    pub controllers: Handle,
}

impl World {
    pub async fn start(options: Options) -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let server = apiserver::Server::start(apiserver::Options::default())
            .await
            .unwrap();
        let cluster = server.cluster();
        for definition in api::crds() {
            create(&*cluster, &definition).await;
        }
        for definition in api::crds() {
            let name = definition.name().to_owned();
            let gvk = definition.gvk();
            wait(&*cluster, &gvk, "", &name, |object| {
                object
                    .get(&["status", "conditions"])
                    .and_then(Value::as_array)
                    .is_some_and(|list| {
                        list.iter()
                            .any(|c| c["type"] == "Established" && c["status"] == "True")
                    })
            })
            .await;
        }
        let controllers = controllers::start(cluster.clone(), options).await.unwrap();
        Self {
            _server: server,
            cluster,
            controllers,
        }
    }

    pub async fn create(&self, object: Value) {
        create(&*self.cluster, &Object::from_value(object).unwrap()).await;
    }

    pub async fn patch(&self, gvk: &Gvk, name: &str, patch: Value) {
        let target = target(&*self.cluster, gvk, "default", name).await;
        self.cluster
            .patch(
                &target,
                &cluster::Patch::Merge(patch),
                &WriteParams::default(),
            )
            .await
            .unwrap();
    }

    pub async fn get(&self, gvk: &Gvk, name: &str) -> Result<Object, cluster::Error> {
        let target = target(&*self.cluster, gvk, "default", name).await;
        self.cluster.get(&target).await
    }

    pub async fn delete(&self, gvk: &Gvk, name: &str) {
        let target = target(&*self.cluster, gvk, "default", name).await;
        self.cluster
            .delete(&target, &Default::default())
            .await
            .unwrap();
    }

    /// Waits until an object in the namespace `default` satisfies a condition.
    pub async fn wait(&self, gvk: &Gvk, name: &str, check: impl Fn(&Object) -> bool) -> Object {
        wait(&*self.cluster, gvk, "default", name, check).await
    }

    /// Returns `reason: message` of all events about an object, in order of their versions.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let gvk = Gvk::new("", "v1", "Event");
        let scope = Scope {
            resource: self.cluster.resolve(&gvk).await.unwrap(),
            namespace: "default".to_owned(),
        };
        let list = self
            .cluster
            .list(&scope, &ListParams::default())
            .await
            .unwrap();
        let mut events: Vec<&Object> = list
            .items
            .iter()
            .filter(|event| event.str_at(&["involvedObject", "name"]) == name)
            .collect();
        events.sort_by_key(|event| event.resource_version().parse::<u64>().unwrap());
        events
            .iter()
            .map(|event| {
                format!(
                    "{}: {}",
                    event.str_at(&["reason"]),
                    event.str_at(&["message"])
                )
            })
            .collect()
    }
}

async fn target(cluster: &dyn Cluster, gvk: &Gvk, namespace: &str, name: &str) -> Target {
    Target::new(&cluster.resolve(gvk).await.unwrap(), namespace, name)
}

async fn create(cluster: &dyn Cluster, object: &Object) {
    let target = target(cluster, &object.gvk(), object.namespace(), object.name()).await;
    let params = WriteParams::default();
    cluster.create(&target, object, &params).await.unwrap();
}

async fn wait(
    cluster: &dyn Cluster,
    gvk: &Gvk,
    namespace: &str,
    name: &str,
    check: impl Fn(&Object) -> bool,
) -> Object {
    let scope = Scope {
        resource: cluster.resolve(gvk).await.unwrap(),
        namespace: namespace.to_owned(),
    };
    let mut last = json!(null);
    let search = async {
        let mut events = cluster
            .watch(&scope, &WatchParams::default())
            .await
            .unwrap();
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.unwrap()
                && object.name() == name
            {
                if check(&object) {
                    return object;
                }
                last = object.into_value();
            }
        }
        panic!("the watch ended");
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| panic!("{name} stayed at {last:#}"))
}

//! The stage of a scenario: a repository, a server, controllers, and ways to wait for what happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::{Cluster, Patch, Scope, Target, WatchEvent, WatchParams, WriteParams};
use futures::StreamExt as _;
use objects::{Gvk, Object, Value, json};
use testkit::gitrepo::GitRepo;

use crate::counting::{Counting, Counts};

/// Longest wait for anything; a scenario that needs more is broken.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Stage {
    pub repo: GitRepo,
    pub cluster: Arc<dyn Cluster>,
    pub counts: Arc<Counts>,
    pub controllers: controllers::Handle,
    _server: apiserver::Server,
    directory: tempfile::TempDir,
}

impl Stage {
    /// Starts everything on a repository with these files; nothing follows it yet.
    pub async fn new(files: &[(String, String)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut repo = GitRepo::init(directory.path());
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.commit("start");
        let options = apiserver::Options {
            workloads: false,
            ..apiserver::Options::default()
        };
        let server = apiserver::Server::start(options).await.unwrap();
        let cluster = server.cluster();
        for definition in api::crds() {
            apply(cluster.as_ref(), definition).await;
        }
        cluster.rediscover().await.unwrap();
        let namespace = Object::new(&Gvk::new("", "v1", "Namespace"), "", "flux-system");
        apply(cluster.as_ref(), namespace).await;
        let counts = Arc::new(Counts::default());
        let controllers = start(&cluster, &counts, directory.path()).await;
        Self {
            repo,
            cluster,
            counts,
            controllers,
            _server: server,
            directory,
        }
    }

    /// Ends the controllers and starts new ones, as after a crash.
    pub async fn restart_controllers(&mut self) {
        self.controllers.stop().await;
        self.controllers = start(&self.cluster, &self.counts, self.directory.path()).await;
    }

    pub async fn follow_repository(&self) {
        let url = format!("file://{}", self.repo.path().display());
        let mut source = Object::new(
            &Gvk::new("source.toolkit.fluxcd.io", "v1", "GitRepository"),
            "flux-system",
            "repo",
        );
        source.set(
            &["spec"],
            json!({"interval": "1h", "url": url, "ref": {"branch": "main"}}),
        );
        apply(self.cluster.as_ref(), source).await;
    }

    pub async fn kustomization(&self, name: &str, path: &str, depends_on: &[String]) {
        let mut object = Object::new(&kustomization_kind(), "flux-system", name);
        let depends_on: Vec<Value> = depends_on
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        object.set(
            &["spec"],
            json!({
                "interval": "1h",
                "path": path,
                "prune": true,
                "sourceRef": {"kind": "GitRepository", "name": "repo"},
                "dependsOn": depends_on,
            }),
        );
        apply(self.cluster.as_ref(), object).await;
    }

    pub async fn watch(&self, gvk: &Gvk) -> cluster::WatchStream {
        let resource = self.cluster.resolve(gvk).await.unwrap();
        let scope = Scope {
            resource,
            namespace: String::new(),
        };
        self.cluster
            .watch(&scope, &WatchParams::default())
            .await
            .unwrap()
    }

    /// Waits until `count` Kustomizations are Ready at the given revision's end; returns when.
    pub async fn all_ready(&self, count: usize, revision_end: &str) -> Instant {
        let mut ready = std::collections::HashSet::new();
        let mut events = self.watch(&kustomization_kind()).await;
        let wait = async {
            while let Some(event) = events.next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.unwrap() {
                    if is_ready(&object, revision_end) {
                        ready.insert(object.name().to_owned());
                    }
                    if ready.len() >= count {
                        return Instant::now();
                    }
                }
            }
            panic!("the watch ended");
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("Kustomizations become Ready in time")
    }
}

async fn start(
    cluster: &Arc<dyn Cluster>,
    counts: &Arc<Counts>,
    directory: &std::path::Path,
) -> controllers::Handle {
    let counting = Counting {
        inner: cluster.clone(),
        counts: counts.clone(),
    };
    // Artifacts on disk, as in a cluster and with --data: they outlive the controllers.
    let options = controllers::Options {
        storage: Some(directory.join(".git/artifacts")),
        // As behind a Service: the address in artifact URLs does not change with a restart.
        advertised_storage_address: "artifacts.example.com".to_owned(),
        local_access: git::LocalAccess::Allowed,
        ..controllers::Options::default()
    };
    controllers::start(Arc::new(counting), options)
        .await
        .unwrap()
}

pub fn kustomization_kind() -> Gvk {
    Gvk::new("kustomize.toolkit.fluxcd.io", "v1", "Kustomization")
}

pub fn config_map_kind() -> Gvk {
    Gvk::new("", "v1", "ConfigMap")
}

pub fn is_ready(object: &Object, revision_end: &str) -> bool {
    let conditions = object
        .get(&["status", "conditions"])
        .and_then(Value::as_array);
    let ready = conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    });
    ready
        && object
            .str_at(&["status", "lastAppliedRevision"])
            .ends_with(revision_end)
}

pub async fn apply(cluster: &dyn Cluster, object: Object) {
    let resource = cluster.resolve(&object.gvk()).await.unwrap();
    let target = Target::new(&resource, object.namespace(), object.name());
    let params = WriteParams {
        field_manager: "bench".to_owned(),
        force: true,
        ..WriteParams::default()
    };
    cluster
        .patch(&target, &Patch::Apply(object), &params)
        .await
        .unwrap();
}

/// Waits for the first event that satisfies a condition; returns when it came.
pub async fn until(
    events: &mut cluster::WatchStream,
    condition: impl Fn(&WatchEvent) -> bool,
) -> Instant {
    let wait = async {
        while let Some(event) = events.next().await {
            if condition(&event.unwrap()) {
                return Instant::now();
            }
        }
        panic!("the watch ended");
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the change comes in time")
}

pub fn config_map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: default\ndata:\n  value: \"{value}\"\n"
    )
}

//! A cluster with the HelmRelease controller and charts made for tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, ListParams, Patch, Scope, Target, WriteParams};
use controller_runtime::Runtime;
use controllers::artifact::{ArtifactStore, Owner, Retention};
use controllers::helmrelease::{Settings, controller};
use filetree::{Ignore, MemoryTree, select};
use helm::release::Record;
use jiff::Timestamp;
use objects::{Gvk, Object, Value, json};

/// Longest wait for anything; reached only where something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn release() -> Gvk {
    Gvk::new("helm.toolkit.fluxcd.io", "v2", "HelmRelease")
}

pub fn chart_kind() -> Gvk {
    Gvk::new("source.toolkit.fluxcd.io", "v1", "HelmChart")
}

pub fn config_map() -> Gvk {
    Gvk::new("", "v1", "ConfigMap")
}

pub fn deployment() -> Gvk {
    Gvk::new("apps", "v1", "Deployment")
}

pub fn secret() -> Gvk {
    Gvk::new("", "v1", "Secret")
}

/// A chart with a ConfigMap that shows `.Values.color`.
pub fn simple() -> Vec<(&'static str, &'static str)> {
    vec![
        ("values.yaml", "color: red\n"),
        (
            "templates/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-config\ndata:\n  color: {{ .Values.color | quote }}\n",
        ),
    ]
}

pub struct Lab {
    /// Keeps the cluster alive.
    _server: apiserver::Server,
    pub cluster: Arc<dyn Cluster>,
    pub store: Arc<ArtifactStore>,
}

/// One life of the controller.
pub struct Life {
    pub runtime: Arc<Runtime>,
}

impl Lab {
    pub async fn start() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let server = apiserver::Server::start(apiserver::Options::default())
            .await
            .unwrap();
        let cluster = server.cluster();
        for definition in api::crds() {
            let target = target_of(&*cluster, &definition).await;
            let params = WriteParams::default();
            cluster.create(&target, &definition, &params).await.unwrap();
        }
        for _ in 0..400 {
            let discovery = cluster.rediscover().await.unwrap();
            if discovery.by_gvk(&release()).is_some() && discovery.by_gvk(&chart_kind()).is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let store = ArtifactStore::in_memory("localhost:1", Retention::default());
        Self {
            _server: server,
            cluster,
            store: Arc::new(store),
        }
    }

    pub fn live(&self) -> Life {
        self.live_on(self.cluster.clone(), Settings::default())
    }

    pub fn live_on(&self, cluster: Arc<dyn Cluster>, settings: Settings) -> Life {
        let runtime = Runtime::new(cluster, None, controller_runtime::Options::default());
        runtime.run(controller(&runtime, self.store.clone(), settings));
        Life { runtime }
    }

    pub async fn target(&self, gvk: &Gvk, namespace: &str, name: &str) -> Target {
        let resource = self.cluster.resolve(gvk).await.unwrap();
        let namespace = if resource.namespaced { namespace } else { "" };
        Target::new(&resource, namespace, name)
    }

    /// Puts a chart into the store and writes the HelmChart that the release `demo` asks for.
    pub async fn chart(&self, version: &str, files: &[(&str, &str)]) {
        self.chart_for("demo", "demo", version, files).await;
    }

    pub async fn chart_for(
        &self,
        release: &str,
        chart: &str,
        version: &str,
        files: &[(&str, &str)],
    ) {
        let mut tree = MemoryTree::new();
        let metadata =
            format!("apiVersion: v2\nname: {chart}\nversion: {version}\nappVersion: 1.0.0\n");
        let mut all: BTreeMap<&str, &str> = files.iter().copied().collect();
        all.insert("Chart.yaml", &metadata);
        for (path, content) in all {
            tree.insert(&format!("{chart}/{path}"), content.as_bytes())
                .unwrap();
        }
        let entries = select(&tree, &Ignore::load(&tree, None).unwrap()).unwrap();
        let name = format!("default-{release}");
        let owner = Owner {
            kind: "HelmChart",
            namespace: "default",
            name: &name,
        };
        let file = format!("{chart}-{version}.tgz");
        let artifact = self
            .store
            .put(owner, &file, version, &entries, Timestamp::now())
            .unwrap();
        let object = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "interval": "1h0m0s", "chart": chart,
                "sourceRef": {"kind": "HelmRepository", "name": "repo"},
            },
        });
        let object = Object::from_value(object).unwrap();
        let target = self.target(&chart_kind(), "default", &name).await;
        // The controller may have made it already.
        let _ = self
            .cluster
            .create(&target, &object, &WriteParams::default())
            .await;
        let live = self.cluster.get(&target).await.unwrap();
        let ready = json!([{
            "type": "Ready", "status": "True", "reason": "ChartPullSucceeded", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        }]);
        self.patch_target(
            &target.subresource("status"),
            json!({"status": {
                "artifact": artifact, "observedGeneration": live.generation(), "conditions": ready,
            }}),
        )
        .await;
    }

    pub async fn patch_target(&self, target: &Target, patch: Value) {
        let params = WriteParams {
            field_manager: "somebody".into(),
            ..WriteParams::default()
        };
        let patch = Patch::Merge(patch);
        self.cluster.patch(target, &patch, &params).await.unwrap();
    }

    pub async fn patch(&self, gvk: &Gvk, name: &str, patch: Value) {
        let target = self.target(gvk, "default", name).await;
        self.patch_target(&target, patch).await;
    }

    /// Creates a release of the chart `demo`, with upstream's spec fields over the usual ones.
    pub async fn create(&self, name: &str, spec: Value) {
        let mut all = json!({
            "interval": "1h",
            "chart": {"spec": {
                "chart": "demo", "sourceRef": {"kind": "HelmRepository", "name": "repo"}, "interval": "1h",
            }},
        });
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let object = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": "default"}, "spec": all,
        });
        self.apply(object).await;
    }

    pub async fn apply(&self, object: Value) {
        let object = Object::from_value(object).unwrap();
        let target = target_of(&*self.cluster, &object).await;
        let params = WriteParams::default();
        self.cluster
            .create(&target, &object, &params)
            .await
            .unwrap();
    }

    pub async fn get(&self, gvk: &Gvk, name: &str) -> Option<Object> {
        let target = self.target(gvk, "default", name).await;
        self.cluster.get(&target).await.ok()
    }

    pub async fn delete(&self, gvk: &Gvk, name: &str) {
        let target = self.target(gvk, "default", name).await;
        self.cluster
            .delete(&target, &Default::default())
            .await
            .unwrap();
    }

    /// Waits until an object (or its absence) satisfies a condition.
    pub async fn wait(
        &self,
        gvk: &Gvk,
        name: &str,
        check: impl Fn(Option<&Object>) -> bool,
    ) -> Option<Object> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let object = self.get(gvk, name).await;
            if check(object.as_ref()) {
                return object;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{name} stays {:#}",
                object.map_or(Value::Null, Object::into_value)
            );
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until the release `demo` has a Ready condition with this reason and a message that begins like this.
    pub async fn wait_ready(&self, status: &str, reason: &str, message: &str) -> Object {
        self.wait_condition("demo", "Ready", status, reason, message)
            .await
    }

    pub async fn wait_condition(
        &self,
        name: &str,
        type_: &str,
        status: &str,
        reason: &str,
        message: &str,
    ) -> Object {
        let check = |object: Option<&Object>| {
            let condition = object.and_then(|o| condition(o, type_));
            condition.is_some_and(|c| {
                c["status"] == status
                    && (reason.is_empty() || c["reason"] == reason)
                    && c["message"].as_str().unwrap().starts_with(message)
            })
        };
        self.wait(&release(), name, check).await.unwrap()
    }

    /// Waits until the pass over a generation has come to its end.
    pub async fn wait_observed(&self, name: &str) -> Object {
        let check = |object: Option<&Object>| {
            object.is_some_and(|o| {
                let observed = o.get(&["status", "observedGeneration"]);
                observed.and_then(Value::as_i64) == Some(o.generation())
            })
        };
        self.wait(&release(), name, check).await.unwrap()
    }

    /// Returns the records of a release as `version: status`, oldest first.
    pub async fn records(&self, name: &str) -> Vec<String> {
        let scope = Scope {
            resource: self.cluster.resolve(&secret()).await.unwrap(),
            namespace: String::new(),
        };
        let params = ListParams {
            label_selector: format!("owner=helm,name={name}"),
            ..ListParams::default()
        };
        let list = self.cluster.list(&scope, &params).await.unwrap();
        let mut records: Vec<(i64, String)> = list
            .items
            .iter()
            .map(|secret| {
                let version = secret.label("version").unwrap().parse().unwrap();
                (version, secret.label("status").unwrap().to_owned())
            })
            .collect();
        records.sort();
        records
            .into_iter()
            .map(|(version, status)| format!("{version}: {status}"))
            .collect()
    }

    /// Reads a record.
    pub async fn stored(&self, name: &str, version: i64) -> Record {
        use base64::Engine as _;
        let secret = self
            .get(&secret(), &helm::release::storage_name(name, version))
            .await
            .unwrap();
        let text = base64::engine::general_purpose::STANDARD
            .decode(secret.str_at(&["data", "release"]))
            .unwrap();
        Record::decode(std::str::from_utf8(&text).unwrap()).unwrap()
    }

    /// Returns `reason: message` of all events about an object, in order of their versions.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let scope = Scope {
            resource: self
                .cluster
                .resolve(&Gvk::new("", "v1", "Event"))
                .await
                .unwrap(),
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
        let text = |event: &&Object| {
            let (reason, message) = (event.str_at(&["reason"]), event.str_at(&["message"]));
            format!("{reason}: {message}")
        };
        events.iter().map(text).collect()
    }
}

pub fn condition<'a>(object: &'a Object, type_: &str) -> Option<&'a Value> {
    let list = object.get(&["status", "conditions"])?.as_array()?;
    list.iter().find(|c| c["type"] == type_)
}

async fn target_of(cluster: &dyn Cluster, object: &Object) -> Target {
    let resource = cluster.resolve(&object.gvk()).await.unwrap();
    Target::new(&resource, object.namespace(), object.name())
}

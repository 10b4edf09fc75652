//! A cluster with the HelmRelease controller and charts made for tests.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use cluster::{Cluster, ListParams, Scope, WriteParams};
use controller_runtime::Runtime;
use controllers::artifact::{ArtifactStore, Retention};
use controllers::helmrelease::{Settings, controller};
use helm::release::Record;
use objects::{Gvk, Object, Value, json};

pub use crate::stage::condition;
use crate::stage::{Stage, pack};

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
    stage: Stage,
    pub store: Arc<ArtifactStore>,
}

/// One life of the controller.
pub struct Life {
    pub runtime: Arc<Runtime>,
}

impl Deref for Lab {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Lab {
    pub async fn start() -> Self {
        let store = ArtifactStore::in_memory("localhost:1", Retention::default());
        Self {
            stage: Stage::start().await,
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
        let metadata =
            format!("apiVersion: v2\nname: {chart}\nversion: {version}\nappVersion: 1.0.0\n");
        let mut all: BTreeMap<String, &str> = BTreeMap::new();
        for (path, content) in files {
            all.insert(format!("{chart}/{path}"), content);
        }
        all.insert(format!("{chart}/Chart.yaml"), &metadata);
        let all: Vec<(&str, &str)> = all.iter().map(|(path, text)| (&**path, *text)).collect();
        let name = format!("default-{release}");
        let file = format!("{chart}-{version}.tgz");
        let owner = ("HelmChart", name.as_str());
        let artifact = pack(&self.store, owner, (&file, version), &all);
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
        self.create_object(object).await;
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
}

//! Kustomizations on the embedded server, from artifact to applied objects and back.
//!
//! Artifacts are put into the store by hand, so that nothing here depends on Git.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Scope, WatchParams};
use controller_runtime::{Clock, Runtime, SystemClock, VirtualClock};
use controllers::artifact::{ArtifactStore, Retention};
use controllers::kustomization::{Settings, controller};
use futures::StreamExt;
use jiff::Timestamp;
use objects::{Gvk, Object, Value, json};

use crate::stage::{Stage, condition, pack, until};

struct Fleet {
    stage: Stage,
    runtime: Arc<Runtime>,
    store: Arc<ArtifactStore>,
}

impl Deref for Fleet {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

fn kustomization() -> Gvk {
    Gvk::new("kustomize.toolkit.fluxcd.io", "v1", "Kustomization")
}

fn repository() -> Gvk {
    Gvk::new("source.toolkit.fluxcd.io", "v1", "GitRepository")
}

fn config_map() -> Gvk {
    Gvk::new("", "v1", "ConfigMap")
}

fn config(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: default\ndata:\n  a: \"{value}\"\n"
    )
}

impl Fleet {
    async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    async fn start_with(settings: Settings) -> Self {
        Self::start_at(settings, Arc::new(SystemClock)).await
    }

    async fn start_at(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let stage = Stage::start().await;
        let store = ArtifactStore::in_memory("localhost:1", Retention::default());
        let store = Arc::new(store);
        let options = controller_runtime::Options::default();
        let runtime = Runtime::with_clock(stage.cluster.clone(), clock, None, options);
        runtime.run(controller(&runtime, store.clone(), settings));
        Self {
            stage,
            runtime,
            store,
        }
    }

    /// Makes files the new artifact of the source `repo`.
    async fn commit(&self, revision: &str, files: &[(&str, &str)]) {
        let file = format!("{revision}.tar.gz");
        let owner = ("GitRepository", "repo");
        let artifact = pack(&self.store, owner, (&file, revision), files);
        let repo = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "repo", "namespace": "default"},
            "spec": {"url": "https://example.com/repo", "interval": "1h"},
        });
        self.apply_object(repo).await;
        let target = self.target(&repository(), "default", "repo").await;
        self.patch_target(
            &target.subresource("status"),
            json!({"status": {"artifact": artifact}}),
        )
        .await;
    }

    async fn create(&self, name: &str, spec: Value) {
        let mut all = json!({
            "interval": "1h", "path": "./", "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "repo"},
        });
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "default"}, "spec": all,
        });
        self.create_object(object).await;
    }

    async fn wait_ready(&self, name: &str, message: &str) -> Object {
        let ready =
            |object: Option<&Object>| object.is_some_and(|o| show(o, "Ready").starts_with(message));
        self.wait(&kustomization(), name, ready).await.unwrap()
    }

    async fn wait_config(&self, name: &str, value: Option<&str>) {
        let check = |object: Option<&Object>| match (object, value) {
            (None, None) => true,
            (Some(object), Some(value)) => object.str_at(&["data", "a"]) == value,
            _ => false,
        };
        self.wait(&config_map(), name, check).await;
    }

    /// Waits until nothing is to do for a while; what the queue has not heard of yet comes within that.
    async fn wait_idle(&self) {
        let mut idle = 0;
        while idle < 10 {
            idle = if self.runtime.is_idle() { idle + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Counts the passes that went through.
    fn passes(&self) -> u64 {
        let metrics = self.runtime.metrics.render();
        let counts = metrics.lines().filter(|line| {
            line.starts_with("controller_runtime_reconcile_total")
                && line.contains("\"kustomization\"")
        });
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        counts.map(value).sum()
    }
}

/// Writes a condition as `Status Reason message`.
fn show(object: &Object, type_: &str) -> String {
    let condition = condition(object, type_);
    condition.map_or_else(String::new, |c| {
        let text = |key: &str| c[key].as_str().unwrap_or("").to_owned();
        format!("{} {} {}", text("status"), text("reason"), text("message"))
    })
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
    runtime.shutdown_background();
}

#[test]
fn objects_are_applied_updated_pruned_and_go_with_their_kustomization() {
    run(async {
        let fleet = Fleet::start().await;
        fleet.create("apps", json!({})).await;
        fleet.wait_ready("apps", "False ArtifactFailed").await;
        fleet
            .commit(
                "main@sha1:1",
                &[
                    ("a.yaml", &config("one", "1")),
                    ("b.yaml", &config("two", "2")),
                ],
            )
            .await;
        let object = fleet
            .wait_ready(
                "apps",
                "True ReconciliationSucceeded Applied revision: main@sha1:1",
            )
            .await;
        let ids: Vec<_> = object
            .get(&["status", "inventory", "entries"])
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids, ["default_one__ConfigMap", "default_two__ConfigMap"]);
        assert_eq!(
            object.get(&["status", "observedGeneration"]),
            Some(&json!(1))
        );
        let one = fleet.get(&config_map(), "one").await.unwrap();
        assert_eq!(one.label("kustomize.toolkit.fluxcd.io/name"), Some("apps"));
        assert_eq!(
            one.label("kustomize.toolkit.fluxcd.io/namespace"),
            Some("default")
        );

        fleet
            .commit("main@sha1:2", &[("a.yaml", &config("one", "changed"))])
            .await;
        fleet.wait_config("one", Some("changed")).await;
        fleet.wait_config("two", None).await;
        let object = fleet
            .wait_ready(
                "apps",
                "True ReconciliationSucceeded Applied revision: main@sha1:2",
            )
            .await;
        assert_eq!(
            object
                .get(&["status", "history"])
                .unwrap()
                .as_array()
                .unwrap()
                .len(),
            2
        );

        fleet.delete(&kustomization(), "apps").await;
        fleet.wait_gone(&kustomization(), "apps").await;
        fleet.wait_config("one", None).await;
        for expected in [
            "Progressing: ConfigMap/default/one created\nConfigMap/default/two created",
            "Progressing: ConfigMap/default/one configured",
            "Progressing: ConfigMap/default/two deleted",
        ] {
            fleet.wait_event("apps", expected).await;
        }
        for event in fleet.event_objects("apps").await {
            let warns = event.str_at(&["reason"]) == "ArtifactFailed";
            let expected = if warns { "Warning" } else { "Normal" };
            assert_eq!(event.str_at(&["type"]), expected, "{event:?}");
        }
    });
}

#[test]
fn edits_and_deletions_by_hand_are_reverted() {
    run(async {
        let fleet = Fleet::start().await;
        fleet.commit("r1", &[("a.yaml", &config("one", "1"))]).await;
        fleet.create("apps", json!({})).await;
        fleet.wait_ready("apps", "True").await;
        fleet.wait_idle().await;
        fleet
            .patch(
                &config_map(),
                "one",
                json!({"data": {"a": "edited", "extra": "x"}}),
            )
            .await;
        fleet.wait_config("one", Some("1")).await;
        let one = fleet.get(&config_map(), "one").await.unwrap();
        assert_eq!(one.get(&["data", "extra"]), None, "{one:#?}");
        fleet.wait_idle().await;
        fleet.delete(&config_map(), "one").await;
        fleet.wait_config("one", Some("1")).await;
        fleet.wait_idle().await;
        let label = "kustomize.toolkit.fluxcd.io/name";
        fleet
            .patch(
                &config_map(),
                "one",
                json!({"metadata": {"labels": {label: null}}}),
            )
            .await;
        fleet
            .wait(&config_map(), "one", |o| o.unwrap().label(label).is_some())
            .await;
    });
}

#[test]
fn a_second_pass_writes_nothing() {
    run(async {
        let clock = Arc::new(VirtualClock::new(Timestamp::now()));
        let fleet = Fleet::start_at(Settings::default(), clock.clone()).await;
        fleet.commit("r1", &[("a.yaml", &config("one", "1"))]).await;
        fleet.create("apps", json!({"interval": "1m"})).await;
        fleet.wait_ready("apps", "True").await;
        fleet.wait_idle().await;
        let before = fleet.get(&kustomization(), "apps").await.unwrap();
        let one = fleet.get(&config_map(), "one").await.unwrap();
        let events = fleet.events("apps").await;
        let passes = fleet.passes();
        clock.advance(Duration::from_secs(120));
        until("another pass", || fleet.passes() > passes).await;
        assert_eq!(fleet.get(&kustomization(), "apps").await.unwrap(), before);
        assert_eq!(fleet.get(&config_map(), "one").await.unwrap(), one);
        assert_eq!(fleet.events("apps").await, events);
    });
}

#[test]
fn dependencies_are_waited_for_and_cycles_are_named() {
    run(async {
        let fleet = Fleet::start().await;
        fleet
            .create(
                "apps",
                json!({"path": "./apps", "dependsOn": [{"name": "infra"}]}),
            )
            .await;
        fleet
            .create(
                "ring",
                json!({"path": "./apps", "dependsOn": [{"name": "ring2"}]}),
            )
            .await;
        fleet
            .create(
                "ring2",
                json!({"path": "./apps", "dependsOn": [{"name": "ring"}]}),
            )
            .await;
        let files = [
            ("apps/a.yaml", config("app", "1")),
            ("infra/a.yaml", config("infra", "1")),
        ];
        let files: Vec<_> = files.iter().map(|(p, c)| (*p, c.as_str())).collect();
        fleet.commit("r1", &files).await;
        fleet
            .wait_ready(
                "apps",
                "False DependencyNotReady dependency 'default/infra' not found",
            )
            .await;
        fleet.wait_ready("ring", "False DependencyNotReady circular dependency detected: default/ring -> default/ring2 -> default/ring").await;
        fleet.create("infra", json!({"path": "./infra"})).await;
        fleet.wait_ready("apps", "True").await;
        fleet.wait_config("app", Some("1")).await;
        let files = [
            ("apps/a.yaml", config("app", "2")),
            ("infra/a.yaml", config("infra", "2")),
        ];
        let files: Vec<_> = files.iter().map(|(p, c)| (*p, c.as_str())).collect();
        fleet.commit("r2", &files).await;
        fleet.wait_config("app", Some("2")).await;
        fleet
            .wait_ready("apps", "True ReconciliationSucceeded Applied revision: r2")
            .await;
    });
}

#[test]
fn variables_are_substituted_and_their_changes_applied() {
    run(async {
        let settings = Settings {
            configs_label_selector: String::new(),
            ..Settings::default()
        };
        let fleet = Fleet::start_with(settings).await;
        fleet
            .commit(
                "r1",
                &[("a.yaml", &config("one", "${region:=none}-${tier}"))],
            )
            .await;
        let from = json!([{"kind": "ConfigMap", "name": "vars"}]);
        fleet
            .create(
                "apps",
                json!({"postBuild": {"substituteFrom": from, "substitute": {"tier": "gold"}}}),
            )
            .await;
        fleet.wait_ready("apps", "False BuildFailed").await;
        let vars = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vars", "namespace": "default"}, "data": {"region": "eu", "tier": "tin"}});
        fleet.apply_object(vars).await;
        fleet.wait_config("one", Some("eu-gold")).await;
        fleet
            .patch(&config_map(), "vars", json!({"data": {"region": "us"}}))
            .await;
        fleet.wait_config("one", Some("us-gold")).await;
    });
}

#[test]
fn a_bad_object_is_named_and_the_others_are_applied() {
    run(async {
        let fleet = Fleet::start().await;
        let bad = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n  namespace: default\n";
        fleet
            .commit("r1", &[("a.yaml", &config("one", "1")), ("w.yaml", bad)])
            .await;
        fleet.create("apps", json!({})).await;
        let object = fleet.wait_ready("apps", "False ReconciliationFailed").await;
        let message = show(&object, "Ready");
        assert!(message.contains("Widget/default/w dry-run failed: no matches for kind \"Widget\" in version \"example.com/v1\""), "{message}");
        fleet.wait_config("one", Some("1")).await;
        // The kind appears: nobody waits for the retry interval of an hour.
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}
        });
        fleet.apply_object(crd).await;
        fleet.wait_ready("apps", "True").await;
    });
}

#[test]
fn definitions_and_their_objects_are_applied_in_one_go() {
    run(async {
        let fleet = Fleet::start().await;
        let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: widgets.example.com\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}\n";
        let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n  namespace: default\n";
        fleet
            .commit("r1", &[("a.yaml", widget), ("crd.yaml", crd)])
            .await;
        fleet.create("apps", json!({})).await;
        fleet.wait_ready("apps", "True").await;
        assert!(
            fleet
                .get(&Gvk::new("example.com", "v1", "Widget"), "w")
                .await
                .is_some()
        );
        fleet.delete(&kustomization(), "apps").await;
        fleet.wait_gone(&kustomization(), "apps").await;
    });
}

#[test]
fn health_is_waited_for_and_told() {
    run(async {
        let fleet = Fleet::start().await;
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: default\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: nginx}]\n";
        fleet.commit("r1", &[("a.yaml", deployment)]).await;
        fleet.create("apps", json!({"wait": true})).await;
        let object = fleet.wait_ready("apps", "True").await;
        assert!(
            show(&object, "Healthy").starts_with("True Succeeded Health check passed in"),
            "{object:#?}"
        );
        let watched = json!({"healthChecks": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "later", "namespace": "default"}]});
        fleet.create("checks", watched).await;
        fleet
            .wait(&kustomization(), "checks", |o| {
                o.is_some_and(|o| show(o, "Healthy").starts_with("Unknown"))
            })
            .await;
        fleet
            .patch(
                &kustomization(),
                "checks",
                json!({"spec": {"timeout": "1s"}}),
            )
            .await;
    });
}

#[test]
fn drift_is_reverted_while_health_is_waited_for() {
    run(async {
        let fleet = Fleet::start().await;
        fleet.commit("r1", &[("a.yaml", &config("one", "1"))]).await;
        let check = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "never", "namespace": "default"});
        fleet
            .create("apps", json!({"healthChecks": [check], "timeout": "10m"}))
            .await;
        let waits = |o: &Object| show(o, "Healthy").starts_with("Unknown");
        fleet
            .wait(&kustomization(), "apps", |o| o.is_some_and(waits))
            .await;
        for edited in ["2", "3"] {
            let edit = json!({"data": {"a": edited}});
            fleet.patch(&config_map(), "one", edit).await;
            fleet.wait_config("one", Some("1")).await;
        }
        fleet.delete(&config_map(), "one").await;
        fleet.wait_config("one", Some("1")).await;
        let apps = fleet.get(&kustomization(), "apps").await.unwrap();
        assert!(waits(&apps), "{apps:#?}");
    });
}

#[test]
fn suspended_kustomizations_leave_everything_alone() {
    run(async {
        let fleet = Fleet::start().await;
        fleet.commit("r1", &[("a.yaml", &config("one", "1"))]).await;
        fleet.create("apps", json!({})).await;
        fleet.wait_ready("apps", "True").await;
        fleet
            .patch(&kustomization(), "apps", json!({"spec": {"suspend": true}}))
            .await;
        let request = "reconcile.fluxcd.io/requestedAt";
        fleet
            .patch(
                &kustomization(),
                "apps",
                json!({"metadata": {"annotations": {request: "now"}}}),
            )
            .await;
        fleet
            .wait(&kustomization(), "apps", |o| {
                o.unwrap().str_at(&["status", "lastHandledReconcileAt"]) == "now"
            })
            .await;
        fleet.commit("r2", &[("a.yaml", &config("one", "2"))]).await;
        fleet.wait_idle().await;
        fleet.wait_config("one", Some("1")).await;
        fleet
            .patch(&kustomization(), "apps", json!({"spec": {"suspend": null}}))
            .await;
        fleet.wait_config("one", Some("2")).await;
    });
}

#[test]
fn tenants_apply_with_the_rights_of_their_account_only() {
    run(async {
        let fleet = Fleet::start().await;
        fleet.commit("r1", &[("a.yaml", &config("one", "1"))]).await;
        fleet
            .create("apps", json!({"serviceAccountName": "tenant"}))
            .await;
        let object = fleet.wait_ready("apps", "False ReconciliationFailed").await;
        let message = show(&object, "Ready");
        assert!(
            message.contains("system:serviceaccount:default:tenant"),
            "{message}"
        );
        assert!(message.contains("(Forbidden)"), "{message}");
        assert!(fleet.get(&config_map(), "one").await.is_none());
        for object in [
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tenant", "namespace": "default"}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "tenant", "namespace": "default"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": "default"}]}),
        ] {
            fleet.apply_object(object).await;
        }
        fleet
            .patch(
                &kustomization(),
                "apps",
                json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "1"}}}),
            )
            .await;
        fleet.wait_ready("apps", "True").await;
        fleet.wait_config("one", Some("1")).await;
    });
}

#[test]
fn watches_report_each_other() {
    // The watch of the port is what everything above rests on.
    run(async {
        let fleet = Fleet::start().await;
        let scope = Scope {
            resource: fleet.cluster.resolve(&config_map()).await.unwrap(),
            namespace: "default".into(),
        };
        let params = WatchParams {
            label_selector: "x".into(),
            metadata_only: true,
            ..WatchParams::default()
        };
        let mut events = fleet.cluster.watch(&scope, &params).await.unwrap();
        let one = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "w", "namespace": "default", "labels": {"x": "y"}}});
        fleet.apply_object(one).await;
        loop {
            match events.next().await.unwrap().unwrap() {
                cluster::WatchEvent::Added(object) => {
                    assert_eq!(object.name(), "w");
                    break;
                }
                _ => continue,
            }
        }
    });
}

//! Workloads that live without nodes: rollouts, failures, jobs, claims.

use std::sync::Arc;

use apiserver::{Options, Server};
use cluster::{Cluster, ListParams, Scope, Target, WriteParams};
use objects::{Gvk, Object, Value, json};

struct World {
    server: Server,
    cluster: Arc<dyn Cluster>,
}

impl World {
    async fn start() -> Self {
        let server = Server::start(Options::default()).await.unwrap();
        let cluster = server.cluster();
        Self { server, cluster }
    }

    async fn target(&self, object: &Object) -> Target {
        let resource = self.cluster.resolve(&object.gvk()).await.unwrap();
        Target::new(&resource, object.namespace(), object.name())
    }

    async fn create(&self, object: Value) -> Object {
        let object = Object::from_value(object).unwrap();
        let target = self.target(&object).await;
        let params = WriteParams::default();
        self.cluster
            .create(&target, &object, &params)
            .await
            .unwrap()
    }

    async fn update(&self, object: &Object) {
        let target = self.target(object).await;
        let params = WriteParams::default();
        self.cluster.update(&target, object, &params).await.unwrap();
    }

    /// Waits until an object passes; gives up after ten seconds.
    async fn until(&self, like: &Object, check: impl Fn(&Object) -> bool) -> Object {
        let target = self.target(like).await;
        for _ in 0..500 {
            let live = self.cluster.get(&target).await.unwrap();
            if check(&live) {
                return live;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!(
            "never passed: {:#?}",
            self.cluster.get(&target).await.unwrap().0.get("status")
        );
    }

    async fn list(&self, group: &str, kind: &str) -> Vec<Object> {
        let resource = self
            .cluster
            .resolve(&Gvk::new(group, "v1", kind))
            .await
            .unwrap();
        let scope = Scope {
            resource,
            namespace: "default".into(),
        };
        let list = self
            .cluster
            .list(&scope, &ListParams::default())
            .await
            .unwrap();
        list.items
    }
}

fn deployment(image: &str, annotations: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "progressDeadlineSeconds": 1,
            "template": {"metadata": {"labels": {"app": "web"}, "annotations": annotations},
                "spec": {"containers": [{"name": "c", "image": image, "ports": [{"containerPort": 80}]}]}}},
    })
}

fn condition(object: &Object, kind: &str, status: &str) -> bool {
    reason(object, kind).is_some_and(|(own, _)| own == status)
}

fn reason(object: &Object, kind: &str) -> Option<(String, String)> {
    let conditions = object.get(&["status", "conditions"])?.as_array()?;
    let found = conditions.iter().find(|c| c["type"] == kind)?;
    let text = |key: &str| found[key].as_str().unwrap_or("").to_owned();
    Some((text("status"), text("reason")))
}

fn settled(object: &Object) -> bool {
    object.get(&["status", "observedGeneration"]) == object.get(&["metadata", "generation"])
        && reason(object, "Progressing").is_some_and(|(_, r)| r == "NewReplicaSetAvailable")
        && object.get(&["status", "replicas"]) == object.get(&["spec", "replicas"])
}

#[tokio::test]
async fn a_deployment_rolls_out_and_over() {
    let world = World::start().await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    world.create(service).await;
    let created = world.create(deployment("nginx:1", json!({}))).await;
    let mut live = world.until(&created, settled).await;
    assert!(condition(&live, "Available", "True"));
    assert_eq!(
        live.annotation("deployment.kubernetes.io/revision"),
        Some("1")
    );
    live.set(
        &["spec", "template", "spec", "containers"],
        json!([{"name": "c", "image": "nginx:2"}]),
    );
    world.update(&live).await;
    let live = world
        .until(&created, |d| {
            settled(d) && d.annotation("deployment.kubernetes.io/revision") == Some("2")
        })
        .await;
    assert_eq!(live.get(&["status", "updatedReplicas"]), Some(&json!(2)));
    assert_eq!(world.list("apps", "ReplicaSet").await.len(), 2);
    let pods = world.list("", "Pod").await;
    assert_eq!(pods.len(), 2);
    assert!(
        pods.iter()
            .all(|pod| pod.str_at(&["status", "phase"]) == "Running")
    );
    for _ in 0..100 {
        let slices = world.list("discovery.k8s.io", "EndpointSlice").await;
        let addresses = slices
            .iter()
            .filter(|s| s.label("kubernetes.io/service-name") == Some("web"))
            .filter_map(|s| s.get(&["endpoints"])?.as_array().map(Vec::len))
            .sum::<usize>();
        if addresses == 2 {
            world.server.shutdown().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the service never got two endpoints");
}

#[tokio::test]
async fn a_bad_image_stops_the_rollout() {
    let world = World::start().await;
    let fail = json!({"simulation.ferroflux.dev/fail": "image-pull"});
    let created = world.create(deployment("nginx:1", fail)).await;
    let late = |d: &Object| {
        reason(d, "Progressing")
            .is_some_and(|(status, r)| status == "False" && r == "ProgressDeadlineExceeded")
    };
    let live = world.until(&created, late).await;
    assert!(condition(&live, "Available", "False"));
    world.server.shutdown().await;
}

#[tokio::test]
async fn stateful_sets_daemon_sets_jobs_and_claims_settle() {
    let world = World::start().await;
    let template = json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}});
    let selector = json!({"matchLabels": {"app": "x"}});
    let mut mounting = template.clone();
    mounting["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let set = world
        .create(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "default"},
            "spec": {"replicas": 2, "serviceName": "db", "selector": selector, "template": mounting,
                "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}}}}]},
        }))
        .await;
    let daemon = world
        .create(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "ds", "namespace": "default"},
            "spec": {"selector": selector, "template": template},
        }))
        .await;
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    once["metadata"] = json!({});
    let job = world
        .create(json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": "default"},
            "spec": {"template": once},
        }))
        .await;
    let ready = |s: &Object| s.get(&["status", "readyReplicas"]) == Some(&json!(2));
    world.until(&set, ready).await;
    world
        .until(&daemon, |d| {
            d.get(&["status", "numberAvailable"]) == Some(&json!(1))
        })
        .await;
    world
        .until(&job, |j| condition(j, "Complete", "True"))
        .await;
    let mut claim = Object::new(
        &Gvk::new("", "v1", "PersistentVolumeClaim"),
        "default",
        "v-db-1",
    );
    claim.set_name("v-db-1");
    world
        .until(&claim, |c| c.str_at(&["status", "phase"]) == "Bound")
        .await;
    world.server.shutdown().await;
}

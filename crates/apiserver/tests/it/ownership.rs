//! Applies through the port: drift-free normal forms, shared ownership, protected pods and claims.

use std::sync::Arc;

use apiserver::{Options, Server};
use cluster::{Cluster, Error, Patch, Target, WriteParams};
use objects::{Object, Value, json};

async fn target(cluster: &Arc<dyn Cluster>, object: &Object) -> Target {
    let resource = cluster.resolve(&object.gvk()).await.unwrap();
    Target::new(&resource, object.namespace(), object.name())
}

async fn apply(cluster: &Arc<dyn Cluster>, manager: &str, object: Value) -> Result<Object, Error> {
    let object = Object::from_value(object).unwrap();
    let target = target(cluster, &object).await;
    let params = WriteParams {
        field_manager: manager.into(),
        ..WriteParams::default()
    };
    cluster.patch(&target, &Patch::Apply(object), &params).await
}

async fn patch(cluster: &Arc<dyn Cluster>, object: &Object, patch: Patch) -> Result<Object, Error> {
    let target = target(cluster, object).await;
    cluster
        .patch(&target, &patch, &WriteParams::default())
        .await
}

async fn start() -> Server {
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

fn deployment(containers: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}},
    })
}

#[tokio::test]
async fn values_in_another_form_are_no_drift() {
    let server = start().await;
    let cluster = server.cluster();
    let containers = json!([{"name": "c", "image": "x", "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}, "requests": {"cpu": 1}}}]);
    let first = apply(&cluster, "flux", deployment(containers.clone()))
        .await
        .unwrap();
    let limits = first
        .get(&["spec", "template", "spec", "containers"])
        .unwrap()[0]["resources"]
        .clone();
    assert_eq!(
        limits,
        json!({"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "1"}})
    );
    let second = apply(&cluster, "flux", deployment(containers))
        .await
        .unwrap();
    assert_eq!(first, second);
    server.shutdown().await;
}

#[tokio::test]
async fn a_shared_field_stays_until_its_last_owner_drops_it() {
    let server = start().await;
    let cluster = server.cluster();
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "default"}, "data": data});
    apply(&cluster, "one", map(json!({"k": "1", "x": "1"})))
        .await
        .unwrap();
    apply(&cluster, "two", map(json!({"k": "1"})))
        .await
        .unwrap();
    let left = apply(&cluster, "one", map(json!({"x": "1"})))
        .await
        .unwrap();
    assert_eq!(left.get(&["data"]), Some(&json!({"k": "1", "x": "1"})));
    let left = apply(&cluster, "two", map(json!({}))).await.unwrap();
    assert_eq!(left.get(&["data"]), Some(&json!({"x": "1"})));
    server.shutdown().await;
}

#[tokio::test]
async fn two_managers_share_a_list_of_containers() {
    let server = start().await;
    let cluster = server.cluster();
    apply(
        &cluster,
        "app",
        deployment(json!([{"name": "c", "image": "x"}])),
    )
    .await
    .unwrap();
    let sidecar = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"name": "s", "image": "y"}]}}},
    });
    let both = apply(&cluster, "mesh", sidecar).await.unwrap();
    let names = |object: &Object| -> Vec<String> {
        let containers = object
            .get(&["spec", "template", "spec", "containers"])
            .unwrap();
        let containers = containers.as_array().unwrap();
        containers
            .iter()
            .map(|c| c["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&both), ["c", "s"]);
    let again = apply(
        &cluster,
        "app",
        deployment(json!([{"name": "c", "image": "z"}])),
    )
    .await
    .unwrap();
    assert_eq!(names(&again), ["c", "s"]);
    let bare = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
    });
    let left = apply(&cluster, "mesh", bare).await.unwrap();
    assert_eq!(names(&left), ["c"]);
    server.shutdown().await;
}

#[tokio::test]
async fn strategic_patches_merge_lists_by_key() {
    let server = start().await;
    let cluster = server.cluster();
    let web = apply(
        &cluster,
        "app",
        deployment(json!([{"name": "c", "image": "x"}])),
    )
    .await
    .unwrap();
    let change = json!({"metadata": {"finalizers": ["x.io/a"]},
        "spec": {"template": {"spec": {"containers": [{"name": "d", "image": "y"}, {"name": "c", "image": "z"}]}}}});
    let live = patch(&cluster, &web, Patch::Strategic(change))
        .await
        .unwrap();
    let containers = live
        .get(&["spec", "template", "spec", "containers"])
        .unwrap();
    let shown: Vec<&Value> = containers
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["image"])
        .collect();
    assert_eq!(shown, [&json!("y"), &json!("z")]);
    let change = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}});
    let live = patch(&cluster, &web, Patch::Strategic(change))
        .await
        .unwrap();
    assert!(live.finalizers().is_empty());
    server.shutdown().await;
}

#[tokio::test]
async fn claims_classes_and_pods_are_protected() {
    let server = start().await;
    let cluster = server.cluster();
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let claim = apply(&cluster, "a", claim).await.unwrap();
    let change = json!({"spec": {"accessModes": ["ReadWriteMany"]}});
    let error = patch(&cluster, &claim, Patch::Merge(change))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("spec is immutable after creation"),
        "{error}"
    );
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "s"},
        "provisioner": "x", "parameters": {"a": "1"},
    });
    let class = apply(&cluster, "a", class).await.unwrap();
    let change = json!({"parameters": {"a": "2"}});
    let error = patch(&cluster, &class, Patch::Merge(change))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("updates to parameters are forbidden."),
        "{error}"
    );
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x:1"}]},
    });
    let pod = apply(&cluster, "a", pod).await.unwrap();
    let image = json!({"spec": {"containers": [{"name": "c", "image": "x:2"}]}});
    patch(&cluster, &pod, Patch::Strategic(image))
        .await
        .unwrap();
    let change = json!({"spec": {"hostname": "h"}});
    let error = patch(&cluster, &pod, Patch::Merge(change))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("pod updates may not change fields"),
        "{error}"
    );
    server.shutdown().await;
}

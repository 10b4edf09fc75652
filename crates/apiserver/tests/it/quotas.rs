//! ResourceQuota and LimitRange.

use serde_json::{Value, json};

use crate::api::Api;

const QUOTAS: &str = "POST /api/v1/namespaces/default/resourcequotas";
const PODS: &str = "POST /api/v1/namespaces/default/pods";
const CONFIG_MAPS: &str = "POST /api/v1/namespaces/default/configmaps";

fn pod(name: &str, resources: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x", "resources": resources}]}})
}

async fn quota(api: &Api, hard: Value) {
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    api.ok(QUOTAS, quota).await;
}

async fn used(api: &Api) -> Value {
    let quota = api
        .ok(
            "GET /api/v1/namespaces/default/resourcequotas/q",
            Value::Null,
        )
        .await;
    quota["status"]["used"].clone()
}

#[tokio::test]
async fn counted_objects_are_limited() {
    let api = Api::start().await;
    quota(&api, json!({"count/configmaps": "1", "configmaps": 5})).await;
    api.ok(CONFIG_MAPS, json!({"metadata": {"name": "a"}}))
        .await;
    let expected = json!({"configmaps": "1", "count/configmaps": "1"});
    assert_eq!(used(&api).await, expected);
    let refused = "configmaps \"b\" is forbidden: exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1";
    api.fails(
        CONFIG_MAPS,
        json!({"metadata": {"name": "b"}}),
        403,
        refused,
    )
    .await;
    api.ok(
        "DELETE /api/v1/namespaces/default/configmaps/a",
        Value::Null,
    )
    .await;
    for _ in 0..1000 {
        if used(&api).await["configmaps"] == "0" {
            break;
        }
        tokio::task::yield_now().await;
    }
    api.ok(
        &format!("{CONFIG_MAPS}?dryRun=All"),
        json!({"metadata": {"name": "b"}}),
    )
    .await;
    assert_eq!(used(&api).await["configmaps"], "0");
    api.ok(CONFIG_MAPS, json!({"metadata": {"name": "b"}}))
        .await;
}

#[tokio::test]
async fn names_that_are_taken_cost_nothing() {
    let api = Api::start().await;
    quota(&api, json!({"configmaps": "3"})).await;
    let body = json!({"metadata": {"name": "a"}});
    api.ok(CONFIG_MAPS, body.clone()).await;
    let taken = "configmaps \"a\" already exists";
    api.fails(CONFIG_MAPS, body, 409, taken).await;
    for _ in 0..1000 {
        if used(&api).await["configmaps"] == "1" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(used(&api).await["configmaps"], "1");
}

#[tokio::test]
async fn resources_of_pods_are_limited() {
    let api = Api::start().await;
    quota(
        &api,
        json!({"requests.cpu": "1", "limits.memory": "1Gi", "pods": "2"}),
    )
    .await;
    let missing = "pods \"a\" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c";
    api.fails(PODS, pod("a", json!({})), 403, missing).await;
    let sized = |cpu: &str| json!({"requests": {"cpu": cpu}, "limits": {"memory": "256Mi"}});
    api.ok(PODS, pod("a", sized("600m"))).await;
    let exceeded = "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1";
    api.fails(PODS, pod("b", sized("500m")), 403, exceeded)
        .await;
    api.ok(PODS, pod("b", sized("400m"))).await;
    let expected = json!({"limits.memory": "512Mi", "pods": "2", "requests.cpu": "1"});
    assert_eq!(used(&api).await, expected);
}

#[tokio::test]
async fn limit_ranges_default_and_bound() {
    let api = Api::start().await;
    let range = json!({"metadata": {"name": "r"}, "spec": {"limits": [
        {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m", "memory": "64Mi"}, "max": {"cpu": "1"}},
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}},
    ]}});
    api.ok("POST /api/v1/namespaces/default/limitranges", range)
        .await;
    let created = api.ok(PODS, pod("a", json!({}))).await;
    let expected =
        json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "100m", "memory": "64Mi"}});
    assert_eq!(created["spec"]["containers"][0]["resources"], expected);
    assert_eq!(
        created["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"
    );
    assert_eq!(created["status"]["qosClass"], "Burstable");
    let over = "pods \"b\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    api.fails(PODS, pod("b", json!({"limits": {"cpu": "2"}})), 403, over)
        .await;
    let claim = |size: &str| json!({"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}});
    let claims = "POST /api/v1/namespaces/default/persistentvolumeclaims";
    let small = "persistentvolumeclaims \"v\" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi";
    api.fails(claims, claim("1Mi"), 403, small).await;
    let large = "persistentvolumeclaims \"v\" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi";
    api.fails(claims, claim("3Gi"), 403, large).await;
    api.ok(claims, claim("1Gi")).await;
}

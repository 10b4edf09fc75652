//! The objects that a fresh server has: namespaces, roles and bindings, priority classes, flow schemas.

use objects::{Map, Value, json};

use crate::catalog::{Resource, facts};
use crate::engine::{Body, Context, Engine, Place, User, WriteOptions, metadata_text};

const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Resources of the recorded objects: name in the asset, group, version.
const RECORDED: [(&str, &str, &str); 7] = [
    ("clusterroles", "rbac.authorization.k8s.io", "v1"),
    ("clusterrolebindings", "rbac.authorization.k8s.io", "v1"),
    ("roles", "rbac.authorization.k8s.io", "v1"),
    ("rolebindings", "rbac.authorization.k8s.io", "v1"),
    ("priorityclasses", "scheduling.k8s.io", "v1"),
    ("flowschemas", "flowcontrol.apiserver.k8s.io", "v1"),
    (
        "prioritylevelconfigurations",
        "flowcontrol.apiserver.k8s.io",
        "v1",
    ),
];

/// Creates what is not there yet.
pub fn run(engine: &Engine) {
    engine.refresh_catalog();
    let context = Context::new(User::system(), "kube-apiserver");
    let namespaces = engine.builtin("", "v1", "namespaces");
    for name in NAMESPACES {
        let object = json!({"metadata": {"name": name}});
        ensure(engine, &context, &namespaces, object);
    }
    let cluster = json!({
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {
            "clusterIP": "10.0.0.1", "type": "ClusterIP", "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster", "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        },
    });
    ensure(
        engine,
        &context,
        &engine.builtin("", "v1", "services"),
        cluster,
    );
    let authentication = json!({
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {"client-ca-file": engine.credentials.authority.clone()},
    });
    let config_maps = engine.builtin("", "v1", "configmaps");
    ensure(engine, &context, &config_maps, authentication);
    api_services(engine, &context);
    for (plural, group, version) in RECORDED {
        let resource = engine.builtin(group, version, plural);
        for object in facts().bootstrap.get(plural).into_iter().flatten() {
            ensure(engine, &context, &resource, Value::Object(object.clone()));
        }
    }
}

/// Priorities of the built-in groups, as the aggregator gives them: group, version, group priority, version priority.
const PRIORITIES: [(&str, &str, i32, i32); 21] = [
    ("", "v1", 18000, 1),
    ("apps", "v1", 17800, 15),
    ("events.k8s.io", "v1", 17750, 15),
    ("authentication.k8s.io", "v1", 17700, 15),
    ("authorization.k8s.io", "v1", 17600, 15),
    ("autoscaling", "v1", 17500, 15),
    ("autoscaling", "v2", 17500, 30),
    ("batch", "v1", 17400, 15),
    ("certificates.k8s.io", "v1", 17300, 15),
    ("networking.k8s.io", "v1", 17200, 15),
    ("policy", "v1", 17100, 15),
    ("rbac.authorization.k8s.io", "v1", 17000, 15),
    ("storage.k8s.io", "v1", 16800, 15),
    ("apiextensions.k8s.io", "v1", 16700, 15),
    ("admissionregistration.k8s.io", "v1", 16700, 15),
    ("scheduling.k8s.io", "v1", 16600, 15),
    ("coordination.k8s.io", "v1", 16500, 15),
    ("node.k8s.io", "v1", 16300, 15),
    ("discovery.k8s.io", "v1", 16200, 15),
    ("flowcontrol.apiserver.k8s.io", "v1", 16100, 21),
    ("resource.k8s.io", "v1", 16200, 15),
];

fn api_services(engine: &Engine, context: &Context) {
    let resource = engine.builtin("apiregistration.k8s.io", "v1", "apiservices");
    for (group, version, minimum, priority) in PRIORITIES {
        let mut spec = json!({"groupPriorityMinimum": minimum, "version": version, "versionPriority": priority});
        if !group.is_empty() {
            spec["group"] = group.into();
        }
        let object = json!({
            "metadata": {"name": format!("{version}.{group}"), "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}},
            "spec": spec,
        });
        ensure(engine, context, &resource, object);
    }
}

fn ensure(engine: &Engine, context: &Context, resource: &std::sync::Arc<Resource>, object: Value) {
    let Value::Object(object) = object else {
        return;
    };
    let object: Map = object;
    let place = Place::new(resource, metadata_text(&object, "namespace"), "");
    let key = crate::store::key(&place.namespace, metadata_text(&object, "name"));
    if engine.store.get(&resource.table, &key).is_some() {
        return;
    }
    let options = WriteOptions::default();
    if let Err(failure) = engine.create(context, &place, &Body::Object(object), &options) {
        tracing::warn!(%key, message = failure.status.message, "a bootstrap object was refused");
    }
}

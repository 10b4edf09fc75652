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
    for (plural, group, version) in RECORDED {
        let resource = engine.builtin(group, version, plural);
        for object in facts().bootstrap.get(plural).into_iter().flatten() {
            ensure(engine, &context, &resource, Value::Object(object.clone()));
        }
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

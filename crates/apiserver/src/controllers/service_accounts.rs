//! Every namespace has a `default` service account and the `kube-root-ca.crt` ConfigMap.

use std::sync::Arc;

use objects::{Map, Value, json};

use super::{Seen, context, follow};
use crate::engine::{Body, Context, Engine, Place, WriteOptions};

/// Runs the controller; `root_ca` says whether the ConfigMap is published (pods that run need it).
pub async fn run(engine: Arc<Engine>, root_ca: bool) {
    let accounts = {
        let engine = engine.clone();
        async move {
            let inner = engine.clone();
            follow(&engine, "/serviceaccounts", move |seen| {
                if seen.removed() && seen.entry().meta.name == "default" {
                    complete(&inner, &seen.entry().meta.namespace, root_ca);
                }
            })
            .await;
        }
    };
    let namespaces = async {
        let inner = engine.clone();
        follow(&engine, "/namespaces", move |seen: &Seen<'_>| {
            if !seen.removed() {
                complete(&inner, &seen.entry().meta.name, root_ca);
            }
        })
        .await;
    };
    tokio::join!(accounts, namespaces);
}

/// Creates what a namespace lacks.
pub fn complete(engine: &Engine, namespace: &str, root_ca: bool) {
    let going = engine
        .store
        .get("/namespaces", namespace)
        .is_none_or(|entry| entry.meta.deleting);
    if going {
        return;
    }
    let context = context("kube-controller-manager");
    let root = json!({
        "metadata": {
            "name": "kube-root-ca.crt",
            "annotations": {"kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."},
        },
        "data": {"ca.crt": engine.credentials.authority.clone()},
    });
    if root_ca {
        ensure(engine, &context, "configmaps", namespace, root);
    }
    let account = json!({"metadata": {"name": "default"}});
    ensure(engine, &context, "serviceaccounts", namespace, account);
}

fn ensure(engine: &Engine, context: &Context, plural: &str, namespace: &str, object: Value) {
    let resource = engine.builtin("", "v1", plural);
    let object: Map = match object {
        Value::Object(map) => map,
        _ => return,
    };
    let name = crate::engine::metadata_text(&object, "name").to_owned();
    let key = crate::store::key(namespace, &name);
    if engine.store.get(&resource.table, &key).is_some() {
        return;
    }
    let place = Place::new(&resource, namespace, "");
    let outcome = engine.create(
        context,
        &place,
        &Body::Object(object),
        &WriteOptions::default(),
    );
    if let Err(failure) = outcome {
        tracing::debug!(
            namespace,
            name,
            message = failure.status.message,
            "not created"
        );
    }
}

/// Gives a new namespace its default account at once, so that pods created next find it.
pub fn complete_namespace(engine: &Engine, namespace: &str) {
    complete(engine, namespace, false);
}

//! What the tests of sources share.

use std::time::Duration;

use controllers::{Options, SourceSettings};
use objects::{Gvk, Object, Value, json};
use remote::oci::Retry;

pub use crate::stage::condition;
use crate::world::World;

pub fn kind(kind: &str) -> Gvk {
    Gvk::new("source.toolkit.fluxcd.io", "v1", kind)
}

/// Failed requests are tried again at once, all Secrets are watched.
pub fn options() -> Options {
    Options {
        local_access: git::LocalAccess::Allowed,
        advertised_storage_address: "http://store".to_owned(),
        sources: SourceSettings {
            configs_label_selector: String::new(),
            retry: Retry {
                tries: 1,
                wait: Duration::ZERO,
            },
            ..SourceSettings::default()
        },
        ..Options::default()
    }
}

pub fn source(kind: &str, name: &str, spec: Value) -> Value {
    let mut spec = spec;
    if spec.get("interval").is_none() {
        spec["interval"] = json!("1h");
    }
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}

pub fn secret(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default"},
        "stringData": data,
    })
}

/// Text of the Ready condition: `status reason: message`.
pub fn ready(object: &Object) -> String {
    let Some(ready) = condition(object, "Ready") else {
        return String::new();
    };
    let text = |key: &str| ready[key].as_str().unwrap_or_default();
    format!("{} {}: {}", text("status"), text("reason"), text("message"))
}

pub fn revision(object: &Object) -> &str {
    object.str_at(&["status", "artifact", "revision"])
}

pub fn artifact(object: &Object) -> api::Artifact {
    serde_json::from_value(object.get(&["status", "artifact"]).unwrap().clone()).unwrap()
}

/// Waits until an object is ready at a revision.
pub async fn ready_at(world: &World, of: &str, name: &str, wanted: &str) -> Object {
    world
        .wait(&kind(of), name, |object| {
            revision(object) == wanted && ready(object).starts_with("True ")
        })
        .await
}

/// Waits until Ready says this, beginning with status and reason.
pub async fn says(world: &World, of: &str, name: &str, start: &str) -> Object {
    world
        .wait(&kind(of), name, |object| ready(object).starts_with(start))
        .await
}

/// Asks for a reconcile and waits until it is through.
pub async fn request(world: &World, of: &str, name: &str, mark: &str) -> Object {
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": mark}}});
    world.patch(&kind(of), name, patch).await;
    world
        .wait(&kind(of), name, |object| {
            object.str_at(&["status", "lastHandledReconcileAt"]) == mark
                && condition(object, "Reconciling").is_none_or(|c| c["reason"] != "Progressing")
        })
        .await
}

/// Waits until an object is gone.
pub async fn gone(world: &World, of: &str, name: &str) {
    world.wait_gone(&kind(of), name).await;
}

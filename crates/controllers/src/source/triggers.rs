//! What makes sources look again beside their interval: Secrets that they refer to.

use std::sync::Arc;

use api::Kind;
use controller_runtime::{Key, Runtime, Store, Trigger, WatchSpec};
use objects::{Gvk, Object, Value};

use super::SourceSettings;

/// Index over sources: `namespace/name` of every Secret referred to.
pub(crate) const BY_SECRET: &str = "secret";

/// Adds the index over referenced Secrets.
pub(crate) fn index_secrets(store: &Store) {
    store.add_index(BY_SECRET, secrets_of);
}

/// Watches Secrets, as far as they are chosen by label.
pub(crate) fn secrets(
    runtime: &Runtime,
    settings: &SourceSettings,
    map: impl Fn(&str, &Store) -> Vec<Key> + Send + Sync + 'static,
) -> Trigger {
    let watch = WatchSpec {
        metadata_only: true,
        ..runtime.spec(
            Gvk::new("", "v1", "Secret"),
            &settings.configs_label_selector,
        )
    };
    Trigger::new(watch, move |change, store| {
        map(&Key::of(change.object()).to_string(), store)
    })
}

/// Watches Secrets for objects that refer to them themselves; adds the index that this needs.
pub(crate) fn own_secrets<S: Kind>(runtime: &Runtime, settings: &SourceSettings) -> Trigger {
    index_secrets(&runtime.store(&runtime.spec(S::gvk(), "")));
    secrets(runtime, settings, |secret, store| {
        store.by_index(BY_SECRET, secret)
    })
}

fn secrets_of(object: &Object) -> Vec<String> {
    let reference = |field: &str| {
        let name = object.str_at(&["spec", field, "name"]);
        (!name.is_empty()).then(|| format!("{}/{name}", object.namespace()))
    };
    let fields = ["secretRef", "certSecretRef", "proxySecretRef"];
    fields.into_iter().filter_map(reference).collect()
}

/// The revision of an object's artifact; empty where it has none.
pub(crate) fn revision(object: Option<&Arc<Object>>) -> &str {
    object.map_or("", |o| o.str_at(&["status", "artifact", "revision"]))
}

/// The generation of an object.
pub(crate) fn generation(object: Option<&Arc<Object>>) -> Option<i64> {
    object?
        .get(&["metadata", "generation"])
        .and_then(Value::as_i64)
}

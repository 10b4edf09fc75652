//! What makes appliers look beside their own objects: sources, dependencies, ConfigMaps and Secrets.

use api::names;
use controller_runtime::{Change, Key, Runtime, Store, Trigger, WatchSpec};
use objects::{Gvk, Object, Value};

use crate::source::source_gvk;

/// Index over appliers: `Kind/namespace/name` of the source.
pub(crate) const BY_SOURCE: &str = "source";
/// Index over appliers: `namespace/name` of every dependency.
pub(crate) const BY_DEPENDENCY: &str = "dependency";
/// Index over appliers: `Kind/namespace/name` of every ConfigMap and Secret referred to.
const BY_CONFIG: &str = "config";

/// Adds the indexes over the applier's own objects.
pub(crate) fn add_indexes(
    store: &Store,
    source_of: fn(&Object) -> String,
    configs_of: fn(&Object) -> Vec<String>,
) {
    store.add_index(BY_SOURCE, move |object| vec![source_of(object)]);
    store.add_index(BY_DEPENDENCY, dependencies_of);
    store.add_index(BY_CONFIG, configs_of);
}

/// What an applier watches.
pub(crate) struct Watched<'a> {
    /// Its own objects, for those that depend on each other.
    pub(crate) own: WatchSpec,
    /// Kinds of sources.
    pub(crate) sources: &'a [&'static str],
    /// Label selector of ConfigMaps and Secrets; `None` watches none.
    pub(crate) configs: Option<&'a str>,
}

/// Finds the objects that a change concerns.
pub(crate) type Concerned = fn(&Change, &Store) -> Vec<Key>;

/// Builds the watches beside the own kind.
pub(crate) fn triggers(
    runtime: &Runtime,
    watched: Watched<'_>,
    source_changed: Concerned,
    dependency_changed: Concerned,
) -> Vec<Trigger> {
    let sources = watched.sources.iter();
    let mut triggers: Vec<Trigger> = sources
        .map(|kind| Trigger::new(runtime.spec(source_gvk(kind), ""), source_changed))
        .collect();
    triggers.push(Trigger::new(watched.own, dependency_changed));
    if let Some(selector) = watched.configs {
        for kind in ["ConfigMap", "Secret"] {
            let watch = WatchSpec {
                metadata_only: true,
                ..runtime.spec(Gvk::new("", "v1", kind), selector)
            };
            triggers.push(Trigger::new(watch, config_changed));
        }
    }
    triggers
}

pub(crate) fn config_changed(change: &Change, store: &Store) -> Vec<Key> {
    store.by_index(BY_CONFIG, &label_of(change.object()))
}

/// Returns the status of a condition.
pub(crate) fn condition<'a>(object: &'a Object, type_: &str) -> Option<&'a str> {
    let conditions = object.get(&["status", "conditions"])?.as_array()?;
    conditions.iter().find(|c| c["type"] == type_)?["status"].as_str()
}

/// Tells whether an object is Ready, or at work.
pub(crate) fn is_settled(object: &Object) -> bool {
    condition(object, names::READY) == Some("True")
        || condition(object, names::RECONCILING) == Some("True")
}

fn depends_on(object: &Object) -> impl Iterator<Item = &Value> {
    let entries = object.get(&["spec", "dependsOn"]).and_then(Value::as_array);
    entries.into_iter().flatten()
}

/// Returns `namespace/name` of every dependency.
fn dependencies_of(object: &Object) -> Vec<String> {
    depends_on(object)
        .filter_map(|entry| {
            let namespace = entry["namespace"].as_str().filter(|n| !n.is_empty());
            let namespace = namespace.unwrap_or(object.namespace());
            Some(format!("{namespace}/{}", entry["name"].as_str()?))
        })
        .collect()
}

/// Tells whether any dependency is judged by an expression, and the object is not Ready.
pub(crate) fn waits_by_expression(object: &Object) -> bool {
    let by_expression = depends_on(object).any(|entry| entry["readyExpr"].is_string());
    by_expression && condition(object, names::READY) != Some("True")
}

/// Returns `Kind/namespace/name` of objects that a list in the spec refers to, and of the kubeconfig.
pub(crate) fn configs_of(object: &Object, list: &[&str]) -> Vec<String> {
    let namespace = object.namespace();
    let mut configs = Vec::new();
    let entries = object.get(list).and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        if let (Some(kind), Some(name)) = (entry["kind"].as_str(), entry["name"].as_str()) {
            configs.push(format!("{kind}/{namespace}/{name}"));
        }
    }
    for (kind, field) in [("Secret", "secretRef"), ("ConfigMap", "configMapRef")] {
        let name = object.str_at(&["spec", "kubeConfig", field, "name"]);
        if !name.is_empty() {
            configs.push(format!("{kind}/{namespace}/{name}"));
        }
    }
    configs
}

/// Returns `Kind/namespace/name` of an object.
pub(crate) fn label_of(object: &Object) -> String {
    format!("{}/{}/{}", object.kind(), object.namespace(), object.name())
}

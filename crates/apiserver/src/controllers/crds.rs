//! CRDs that are being deleted: their objects go first, then the finalizer. And the APIServices of their groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use objects::{Value, json};

use super::{context, follow};
use crate::crd::CLEANUP;
use crate::engine::{Body, Context, DeleteOptions, Engine, Place, WriteOptions, metadata_mut};

const TABLE: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// Runs the controller.
pub async fn run(engine: Arc<Engine>) {
    let inner = engine.clone();
    follow(&engine, TABLE, move |seen| {
        let entry = seen.entry();
        if seen.removed() {
            announce(&inner);
            return;
        }
        if entry.meta.deleting {
            if entry.meta.finalizers.iter().any(|f| f == CLEANUP) {
                let (engine, name) = (inner.clone(), entry.meta.name.to_string());
                tokio::spawn(async move { clean(&engine, &name).await });
            }
            return;
        }
        crate::crd::settle(&inner, &entry.meta.name);
        announce(&inner);
    })
    .await;
}

/// Label of the APIServices that come and go with what is served.
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// Makes the APIServices of custom groups those of the versions that are served.
fn announce(engine: &Engine) {
    let catalog = engine.catalog();
    let custom = catalog.resources.iter().filter(|r| r.custom.is_some());
    let served: BTreeSet<(&str, &str)> = custom.map(|r| (r.version(), r.group())).collect();
    let resource = engine.builtin("apiregistration.k8s.io", "v1", "apiservices");
    let context = context("kube-apiserver");
    let (_, entries) = engine.store.list(&resource.table, "");
    let mut known = BTreeSet::new();
    for entry in &entries {
        let labels = &entry.meta.labels;
        let managed = labels.iter().any(|(k, v)| k == MANAGED && v == "true");
        let parts = entry.meta.name.split_once('.').unwrap_or_default();
        known.insert(entry.meta.name.to_string());
        if managed && !served.contains(&parts) {
            let place = Place::new(&resource, "", &entry.meta.name);
            // One that is gone already is what was wanted.
            let _ = engine.delete(&context, &place, &DeleteOptions::default());
        }
    }
    for (version, group) in served {
        let name = format!("{version}.{group}");
        if known.contains(&name) {
            continue;
        }
        let object = json!({
            "metadata": {"name": name, "labels": {MANAGED: "true"}},
            "spec": {"group": group, "version": version, "groupPriorityMinimum": 1000, "versionPriority": 100},
        });
        let Value::Object(object) = object else {
            continue;
        };
        let place = Place::new(&resource, "", "");
        let options = WriteOptions::default();
        if let Err(failure) = engine.create(&context, &place, &Body::Object(object), &options) {
            tracing::debug!(
                name,
                message = failure.status.message,
                "APIService not made"
            );
        }
    }
}

async fn clean(engine: &Arc<Engine>, name: &str) {
    let context = context("kube-apiserver");
    let catalog = engine.catalog();
    let resource = catalog
        .resources
        .iter()
        .find(|r| r.custom.as_ref().is_some_and(|c| c.crd == name))
        .cloned();
    if let Some(resource) = resource {
        loop {
            let before = engine.store.revision();
            let (_, entries) = engine.store.list(&resource.table, "");
            for entry in entries.iter().filter(|entry| !entry.meta.deleting) {
                let place = Place::new(&resource, &entry.meta.namespace, &entry.meta.name);
                // An object that is gone already is what was wanted.
                let _ = engine.delete(&context, &place, &DeleteOptions::default());
            }
            if engine.store.list(&resource.table, "").1.is_empty() {
                break;
            }
            if let Ok(mut cursor) = engine.store.follow(&resource.table, before) {
                let wait = cursor.next(1);
                let _ = tokio::time::timeout(std::time::Duration::from_secs(5), wait).await;
            }
        }
    }
    finish(engine, &context, name);
}

fn finish(engine: &Engine, context: &Context, name: &str) {
    let resource = engine.builtin("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    let place = Place::new(&resource, "", name);
    let outcome = engine.replace(context, &place, &|live, _| {
        let mut next = live.clone();
        let metadata = metadata_mut(&mut next);
        if let Some(list) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
            list.retain(|f| f.as_str() != Some(CLEANUP));
        }
        Ok(next)
    });
    if let Err(failure) = outcome
        && failure.status.code != 404
    {
        tracing::debug!(name, message = failure.status.message, "CRD not finished");
    }
}

//! CRDs that are being deleted: their objects go first, then the finalizer.

use std::sync::Arc;

use objects::Value;

use super::{context, follow};
use crate::crd::CLEANUP;
use crate::engine::{Context, DeleteOptions, Engine, Place, WriteOptions, metadata_mut};

const TABLE: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// Runs the controller.
pub async fn run(engine: Arc<Engine>) {
    let inner = engine.clone();
    follow(&engine, TABLE, move |seen| {
        let entry = seen.entry();
        if seen.removed() {
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
    })
    .await;
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
    let outcome = engine.replace(context, &place, &WriteOptions::default(), &|live, _| {
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

//! Namespaces that are being deleted: their content goes first, then they do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use objects::{Map, Value, json};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{context, follow};
use crate::engine::{Context, DeleteOptions, Engine, Place};
use crate::store::TableName;

/// Runs the controller.
pub async fn run(engine: Arc<Engine>) {
    let waiting: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let wake = Arc::new(Notify::new());
    let watch = {
        let (waiting, wake) = (waiting.clone(), wake.clone());
        let engine = engine.clone();
        async move {
            follow(&engine, "/namespaces", move |seen| {
                let entry = seen.entry();
                if entry.meta.deleting && !seen.removed() {
                    waiting.lock().insert(entry.meta.name.to_string());
                    wake.notify_one();
                }
            })
            .await;
        }
    };
    let work = async {
        loop {
            wake.notified().await;
            loop {
                let next = waiting.lock().pop_first();
                let Some(name) = next else { break };
                let engine = engine.clone();
                tokio::spawn(async move { drain(&engine, &name).await });
            }
        }
    };
    tokio::join!(watch, work);
}

/// Deletes everything in a namespace, again and again until nothing is left.
async fn drain(engine: &Arc<Engine>, name: &str) {
    loop {
        let deleting = engine
            .store
            .get("/namespaces", name)
            .is_some_and(|entry| entry.meta.deleting);
        if !deleting {
            return;
        }
        let context = context("kube-controller-manager");
        let before = engine.store.revision();
        let left = delete_content(engine, &context, name);
        report(engine, &context, name, &left);
        if left.is_empty() {
            finalize(engine, &context, name);
            return;
        }
        wait_for_change(engine, &left, before).await;
    }
}

/// What is left in a namespace: objects by table, finalizers by name.
#[derive(Default)]
struct Left {
    tables: BTreeMap<TableName, (String, usize)>,
    finalizers: BTreeMap<String, usize>,
}

impl Left {
    fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

fn delete_content(engine: &Engine, context: &Context, namespace: &str) -> Left {
    let mut left = Left::default();
    for (table, resource) in engine.catalog().stored() {
        if !resource.api.namespaced {
            continue;
        }
        for entry in engine.store.list(&table, namespace).1 {
            let place = Place::new(&resource, namespace, &entry.meta.name);
            if !entry.meta.deleting {
                let options = DeleteOptions {
                    propagation: cluster::Propagation::Background,
                    ..DeleteOptions::default()
                };
                // An object that is gone already is what was wanted.
                let _ = engine.delete(context, &place, &options);
            }
        }
        let rest = engine.store.list(&table, namespace).1;
        if rest.is_empty() {
            continue;
        }
        let described = if resource.group().is_empty() {
            format!("{}.", resource.plural())
        } else {
            format!("{}.{}", resource.plural(), resource.group())
        };
        left.tables.insert(table, (described, rest.len()));
        for finalizer in rest.iter().flat_map(|entry| entry.meta.finalizers.iter()) {
            *left.finalizers.entry(finalizer.to_string()).or_default() += 1;
        }
    }
    left
}

fn report(engine: &Engine, context: &Context, name: &str, left: &Left) {
    if left.is_empty() && !has_conditions(engine, name) {
        return;
    }
    let now = engine.environment.timestamp();
    let condition = |kind: &str, status: bool, reason: &str, message: &str| {
        json!({"type": kind, "status": if status { "True" } else { "False" },
            "lastTransitionTime": now, "reason": reason, "message": message})
    };
    let content = if left.is_empty() {
        condition(
            "NamespaceContentRemaining",
            false,
            "ContentRemoved",
            "All content successfully removed",
        )
    } else {
        let list: Vec<String> = left
            .tables
            .values()
            .map(|(name, count)| format!("{name} has {count} resource instances"))
            .collect();
        let message = format!("Some resources are remaining: {}", list.join(", "));
        condition(
            "NamespaceContentRemaining",
            true,
            "SomeResourcesRemain",
            &message,
        )
    };
    let finalizers = if left.finalizers.is_empty() {
        condition(
            "NamespaceFinalizersRemaining",
            false,
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        )
    } else {
        let list: Vec<String> = left
            .finalizers
            .iter()
            .map(|(name, count)| format!("{name} in {count} resource instances"))
            .collect();
        let message = format!(
            "Some content in the namespace has finalizers remaining: {}",
            list.join(", ")
        );
        condition(
            "NamespaceFinalizersRemaining",
            true,
            "SomeFinalizersRemain",
            &message,
        )
    };
    let conditions = [
        condition(
            "NamespaceDeletionDiscoveryFailure",
            false,
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        condition(
            "NamespaceDeletionContentFailure",
            false,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        content,
        finalizers,
    ];
    let mut place = Place::new(&engine.builtin("", "v1", "namespaces"), "", name);
    place.sub = "status".into();
    // Losing this race loses a report; the next round writes another.
    let _ = engine.replace(context, &place, &|live, _| {
        let mut next = live.clone();
        let old = live.get("status").and_then(|s| s.get("conditions"));
        let kept = conditions.iter().map(|new| keep_time(old, new)).collect();
        status(&mut next).insert("conditions".into(), Value::Array(kept));
        Ok(next)
    });
}

/// Keeps the transition time of a condition whose status did not change.
fn keep_time(old: Option<&Value>, new: &Value) -> Value {
    let same = old
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|c| c["type"] == new["type"] && c["status"] == new["status"]);
    let mut new = new.clone();
    if let Some(same) = same {
        new["lastTransitionTime"] = same["lastTransitionTime"].clone();
    }
    new
}

fn has_conditions(engine: &Engine, name: &str) -> bool {
    engine.store.get("/namespaces", name).is_some_and(|entry| {
        let map = entry.decode("v1", "Namespace");
        map.get("status")
            .is_some_and(|s| s.get("conditions").is_some())
    })
}

fn status(object: &mut Map) -> &mut Map {
    let slot = object
        .entry("status")
        .or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().expect("made a map just above")
}

fn finalize(engine: &Engine, context: &Context, name: &str) {
    let mut place = Place::new(&engine.builtin("", "v1", "namespaces"), "", name);
    place.sub = "finalize".into();
    let outcome = engine.replace(context, &place, &|live, _| {
        let mut next = live.clone();
        if let Some(spec) = next.get_mut("spec").and_then(Value::as_object_mut) {
            let kept: Vec<Value> = spec
                .get("finalizers")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter(|f| f.as_str() != Some("kubernetes"))
                .cloned()
                .collect();
            if kept.is_empty() {
                spec.remove("finalizers");
            } else {
                spec.insert("finalizers".into(), Value::Array(kept));
            }
        }
        Ok(next)
    });
    if let Err(failure) = outcome
        && failure.status.code != 404
    {
        tracing::debug!(
            name,
            message = failure.status.message,
            "namespace not finalized"
        );
    }
}

async fn wait_for_change(engine: &Arc<Engine>, left: &Left, after: u64) {
    let cursors: Vec<_> = left
        .tables
        .keys()
        .filter_map(|table| {
            engine
                .store
                .follow(table, after.min(engine.store.revision()))
                .ok()
        })
        .collect();
    let mut waits: Vec<_> = cursors
        .into_iter()
        .map(|mut cursor| Box::pin(async move { cursor.next(1).await.is_ok() }))
        .collect();
    if waits.is_empty() {
        return;
    }
    let any = futures::future::select_all(waits.drain(..));
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), any).await;
}

//! How long an object of a release stays as somebody's hand left it, among all the other releases.

use std::time::{Duration, Instant};

use cluster::{
    Cluster, DeleteParams, Patch, Scope, Target, WatchEvent, WatchParams, WatchStream, WriteParams,
};
use futures::StreamExt as _;
use objects::{Gvk, Value, json};

/// Edits and deletions, so many of each.
const ROUNDS: usize = 40;
/// Longest wait for a correction.
const PATIENCE: Duration = Duration::from_secs(30);

/// Edits and deletes the ConfigMap of a release again and again; median and longest time until it is back, in
/// milliseconds.
pub async fn corrections(cluster: &dyn Cluster, release: &str) -> Value {
    let kind = Gvk::new("", "v1", "ConfigMap");
    let resource = cluster.resolve(&kind).await.unwrap();
    let scope = Scope {
        resource: resource.clone(),
        namespace: "default".to_owned(),
    };
    let params = WatchParams::default();
    let mut events = cluster.watch(&scope, &params).await.unwrap();
    let target = Target::new(&resource, "default", release);
    let hand = WriteParams {
        field_manager: "hand".to_owned(),
        ..WriteParams::default()
    };
    let edit = Patch::Merge(json!({"data": {"config.yaml": "by hand"}}));
    let (mut edited, mut deleted) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        cluster.patch(&target, &edit, &hand).await.unwrap();
        changed(&mut events, release).await;
        edited.push(back(&mut events, release).await - started);
        let started = Instant::now();
        let options = DeleteParams::default();
        cluster.delete(&target, &options).await.unwrap();
        deleted.push(back(&mut events, release).await - started);
    }
    json!({"rounds": ROUNDS, "edited": spread(edited), "deleted": spread(deleted)})
}

async fn changed(events: &mut WatchStream, name: &str) -> Instant {
    until(events, name, |data| data == "by hand").await
}

async fn back(events: &mut WatchStream, name: &str) -> Instant {
    until(events, name, |data| data != "by hand").await
}

async fn until(events: &mut WatchStream, name: &str, wanted: impl Fn(&str) -> bool) -> Instant {
    let wait = async {
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.unwrap()
                && object.name() == name
                && wanted(object.str_at(&["data", "config.yaml"]))
            {
                return Instant::now();
            }
        }
        panic!("the watch ended");
    };
    let done = tokio::time::timeout(PATIENCE, wait).await;
    done.expect("drift is corrected in time")
}

fn spread(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let milliseconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    json!({"p50_ms": milliseconds(times[ROUNDS / 2]), "max_ms": milliseconds(times[ROUNDS - 1])})
}

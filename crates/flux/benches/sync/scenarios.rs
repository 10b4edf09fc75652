//! What is measured.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use cluster::{DeleteParams, Patch, Target, WatchEvent, WriteParams};
use futures::StreamExt as _;
use objects::json;

use crate::stage::{Stage, config_map, config_map_kind, is_ready, kustomization_kind, until};

pub const NAMES: &[&str] = &["change", "drift", "hop", "fleet", "idle"];

/// Manifests in the repository of the latency scenarios.
const MANIFESTS: usize = 50;
/// Repetitions of the latency scenarios.
const ROUNDS: usize = 40;
/// Kustomizations in a row of the dependency scenario.
const CHAIN: usize = 20;
/// Kustomizations of the large scenario, with four objects each.
const FLEET: usize = 1000;

pub fn run(name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let result = match name {
        "change" => runtime.block_on(change()),
        "drift" => runtime.block_on(drift()),
        "hop" => runtime.block_on(hop()),
        "fleet" => runtime.block_on(fleet()),
        "idle" => runtime.block_on(idle()),
        other => panic!("no scenario is called {other}"),
    };
    let mut result = result;
    result["scenario"] = name.into();
    result["peak_memory_mib"] = (peak_memory_kib() / 1024).into();
    println!("{result}");
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

fn spread(mut times: Vec<Duration>) -> serde_json::Value {
    times.sort();
    let at = |share: f64| {
        let index = ((times.len() - 1) as f64 * share).round() as usize;
        (times[index].as_secs_f64() * 1e6).round() / 1e3
    };
    json!({"rounds": times.len(), "p50_ms": at(0.5), "p95_ms": at(0.95), "max_ms": at(1.0)})
}

fn manifests() -> Vec<(String, String)> {
    (0..MANIFESTS)
        .map(|n| {
            (
                format!("app/config-{n}.yaml"),
                config_map(&format!("config-{n}"), "0"),
            )
        })
        .collect()
}

fn holds(event: &WatchEvent, name: &str, value: &str) -> bool {
    match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
            object.name() == name && object.str_at(&["data", "value"]) == value
        }
        _ => false,
    }
}

/// A commit that changes one of fifty manifests, until the object has changed in the cluster.
async fn change() -> serde_json::Value {
    let mut stage = Stage::new(&manifests()).await;
    stage.follow_repository().await;
    stage.kustomization("app", "./app", &[]).await;
    stage.all_ready(1, "").await;
    let mut events = stage.watch(&config_map_kind()).await;
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        let name = format!("config-{}", round % MANIFESTS);
        let value = round.to_string();
        stage
            .repo
            .write(&format!("app/{name}.yaml"), config_map(&name, &value));
        let started = Instant::now();
        let commit = stage.repo.commit("change");
        times.push(until(&mut events, |event| holds(event, &name, &value)).await - started);
        stage.all_ready(1, &commit).await;
    }
    spread(times)
}

/// An applied object edited, then deleted by hand, until it is as Git says.
async fn drift() -> serde_json::Value {
    let stage = Stage::new(&manifests()).await;
    stage.follow_repository().await;
    stage.kustomization("app", "./app", &[]).await;
    stage.all_ready(1, "").await;
    let resource = stage.cluster.resolve(&config_map_kind()).await.unwrap();
    let mut events = stage.watch(&config_map_kind()).await;
    let (mut edited, mut deleted) = (Vec::new(), Vec::new());
    let params = WriteParams {
        field_manager: "hand".into(),
        ..WriteParams::default()
    };
    for round in 0..ROUNDS {
        let name = format!("config-{}", round % MANIFESTS);
        let target = Target::new(&resource, "default", &name);
        let patch = Patch::Merge(json!({"data": {"value": "by hand"}}));
        let started = Instant::now();
        stage.cluster.patch(&target, &patch, &params).await.unwrap();
        until(&mut events, |event| holds(event, &name, "by hand")).await;
        edited.push(until(&mut events, |event| holds(event, &name, "0")).await - started);
        let started = Instant::now();
        stage
            .cluster
            .delete(&target, &DeleteParams::default())
            .await
            .unwrap();
        until(
            &mut events,
            |e| matches!(e, WatchEvent::Deleted(o) if o.name() == name),
        )
        .await;
        deleted.push(until(&mut events, |event| holds(event, &name, "0")).await - started);
    }
    json!({"edited": spread(edited), "deleted": spread(deleted)})
}

/// Twenty Kustomizations, each waiting for the one before: mean time of a hop, from the commit to the last one
/// Ready.
async fn hop() -> serde_json::Value {
    let files: Vec<_> = (0..CHAIN)
        .map(|n| {
            (
                format!("step-{n}/config.yaml"),
                config_map(&format!("step-{n}"), "0"),
            )
        })
        .collect();
    let mut stage = Stage::new(&files).await;
    stage.follow_repository().await;
    let mut events = stage.watch(&kustomization_kind()).await;
    for n in 0..CHAIN {
        let before: Vec<String> = n
            .checked_sub(1)
            .map(|n| format!("step-{n}"))
            .into_iter()
            .collect();
        stage
            .kustomization(&format!("step-{n}"), &format!("./step-{n}"), &before)
            .await;
    }
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        stage.repo.write(
            "step-0/config.yaml",
            config_map("step-0", &(round + 1).to_string()),
        );
        let started = Instant::now();
        let commit = stage.repo.commit("again");
        let hops = u32::try_from(CHAIN).unwrap();
        times.push((last_ready(&mut events, &commit).await - started) / hops);
    }
    spread(times)
}

/// Waits until the whole chain is Ready at a commit.
async fn last_ready(events: &mut cluster::WatchStream, commit: &str) -> Instant {
    let mut ready = HashSet::new();
    while ready.len() < CHAIN {
        let event = events.next().await.unwrap().unwrap();
        if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event
            && is_ready(&object, commit)
        {
            ready.insert(object.name().to_owned());
        }
    }
    Instant::now()
}

/// A thousand Kustomizations of four objects from one repository; then new controllers look at all of them.
async fn fleet() -> serde_json::Value {
    let files: Vec<_> = (0..FLEET).flat_map(application).collect();
    let mut stage = Stage::new(&files).await;
    let started = Instant::now();
    stage.follow_repository().await;
    for n in 0..FLEET {
        stage
            .kustomization(&format!("app-{n}"), &format!("./app-{n}"), &[])
            .await;
    }
    let converged = stage.all_ready(FLEET, "").await - started;
    let (_, writes) = stage.counts.both();
    stage.restart_controllers().await;
    quiet(&stage).await;
    let (_, writes_after) = stage.counts.both();
    json!({
        "kustomizations": FLEET,
        "objects": FLEET * 4,
        "converged_s": (converged.as_secs_f64() * 100.0).round() / 100.0,
        "writes": writes,
        "writes_of_second_reconcile": writes_after - writes,
    })
}

fn application(n: usize) -> Vec<(String, String)> {
    let name = format!("app-{n}");
    let labels = format!("app: {name}");
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: default\nspec:\n  replicas: 2\n  \
         selector:\n    matchLabels:\n      {labels}\n  template:\n    metadata:\n      labels:\n        {labels}\n    \
         spec:\n      containers:\n      - name: main\n        image: registry.example.com/{name}:1.0\n        ports:\n        \
         - containerPort: 8080\n"
    );
    let service = format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: default\nspec:\n  selector:\n    {labels}\n  \
         ports:\n  - port: 80\n    targetPort: 8080\n"
    );
    let account = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: default\n"
    );
    vec![
        (format!("{name}/deployment.yaml"), deployment),
        (format!("{name}/service.yaml"), service),
        (format!("{name}/account.yaml"), account),
        (format!("{name}/config.yaml"), config_map(&name, "0")),
    ]
}

/// Requests in ten seconds without any change.
async fn idle() -> serde_json::Value {
    let stage = Stage::new(&manifests()).await;
    stage.follow_repository().await;
    stage.kustomization("app", "./app", &[]).await;
    stage.all_ready(1, "").await;
    quiet(&stage).await;
    let before = stage.counts.both();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let after = stage.counts.both();
    json!({"seconds": 10, "reads": after.0 - before.0, "writes": after.1 - before.1})
}

/// Waits until two seconds pass without a request.
async fn quiet(stage: &Stage) {
    loop {
        let before = stage.counts.both();
        tokio::time::sleep(Duration::from_secs(2)).await;
        if stage.counts.both() == before {
            return;
        }
    }
}

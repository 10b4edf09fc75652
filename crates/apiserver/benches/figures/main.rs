//! The figures of the API server: processor time per request, time of lists and watches, memory.
//!
//! Prints one line a figure: `name<TAB>value<TAB>unit`. In process, one client, one request after the other; processor
//! time is that of the whole process. The lines of a real kube-apiserver begin with `reference: `.

mod reference;

use std::path::Path;
use std::time::{Duration, Instant};

use apiserver::{Options, Server};
use bytes::Bytes;
use cluster::{Cluster, Patch, Scope, Target, WatchEvent, WatchParams, WriteParams};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use objects::{Gvk, Object, json};

/// Requests a figure is taken over.
const ROUNDS: usize = 2_000;
/// Clients that write at the same time, and how much they write together.
const CLIENTS: usize = 64;
const DURABLE_WRITES: usize = 20_000;
/// Watchers of one resource.
const WATCHERS: usize = 1_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(run());
}

#[expect(clippy::print_stdout, reason = "the report of a benchmark")]
fn say(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.3}\t{unit}");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn now() -> Instant {
    Instant::now()
}

fn millis(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

/// This process, as `/proc` shows it.
const OURS: &str = "/proc/self";

/// Processor time of a process's threads so far, in milliseconds.
fn processor_millis(process: impl AsRef<Path>) -> f64 {
    let threads = std::fs::read_dir(process.as_ref().join("task"));
    let nanos = threads.into_iter().flatten().flatten().map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let first = text.split_whitespace().next().unwrap_or("0");
        first.parse::<f64>().unwrap_or(0.0)
    });
    nanos.sum::<f64>() / 1e6
}

fn resident_mib(process: impl AsRef<Path>) -> f64 {
    let status = std::fs::read_to_string(process.as_ref().join("status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

async fn run() {
    let started = now();
    let server = Server::start(Options {
        workloads: false,
        ..Options::default()
    })
    .await
    .expect("the server starts");
    say("start to ready", millis(started.elapsed()), "ms");
    tokio::time::sleep(Duration::from_millis(300)).await;
    say("idle memory", resident_mib(OURS), "MiB");
    let cluster = server.cluster();
    applies(&*cluster, "ConfigMap", config_map).await;
    applies(&*cluster, "Deployment", deployment).await;
    lists(&server).await;
    say("memory after 4,000 objects", resident_mib(OURS), "MiB");
    watches(&*cluster).await;
    server.shutdown().await;
    durable().await;
    reference::run().await;
}

/// The round in which a field is not applied any more.
const REMOVED: usize = 3;

fn config_map(index: usize, round: usize) -> Object {
    let mut object = Object::new(
        &Gvk::new("", "v1", "ConfigMap"),
        "default",
        &format!("c{index}"),
    );
    let text = "x".repeat(200);
    let mut data = json!({"a": text, "b": text, "round": "2"});
    if round == REMOVED {
        data = json!({"a": text, "round": "2"});
    } else {
        data["round"] = round.to_string().into();
    }
    object.set(&["data"], data);
    object
}

fn deployment(index: usize, round: usize) -> Object {
    let mut object = Object::new(
        &Gvk::new("apps", "v1", "Deployment"),
        "default",
        &format!("d{index}"),
    );
    let labels = json!({"app": "web"});
    let mut container = json!({
        "name": "web", "image": format!("nginx:{}", round.min(2)),
        "ports": [{"containerPort": 80, "name": "http"}],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    });
    if round == REMOVED
        && let Some(fields) = container.as_object_mut()
    {
        fields.remove("env");
    }
    object.set(
        &["spec"],
        json!({
            "replicas": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }),
    );
    object
}

async fn applies(cluster: &dyn Cluster, name: &str, make: fn(usize, usize) -> Object) {
    let gvk = make(0, 0).gvk();
    let resource = cluster.resolve(&gvk).await.expect("a built-in kind");
    let params = WriteParams {
        field_manager: "bench".into(),
        ..WriteParams::default()
    };
    let rounds = [
        (1, "create"),
        (1, "no change"),
        (2, "change"),
        (REMOVED, "field removed"),
    ];
    for (round, what) in rounds {
        let before = processor_millis(OURS);
        for index in 0..ROUNDS {
            let object = make(index, round);
            let target = Target::new(&resource, "default", object.name());
            let patch = Patch::Apply(object);
            cluster
                .patch(&target, &patch, &params)
                .await
                .expect("applied");
        }
        let spent = (processor_millis(OURS) - before) / ROUNDS as f64;
        say(&format!("apply {name}: {what}"), spent, "ms CPU");
    }
}

async fn lists(server: &Server) {
    let request = || {
        http::Request::builder()
            .uri("/api/v1/configmaps")
            .header("authorization", format!("Bearer {}", server.admin_token()))
            .body(Bytes::new())
            .expect("a request")
    };
    let mut best = f64::MAX;
    let mut bytes = 0;
    for _ in 0..50 {
        let started = now();
        let body = server.call(request()).await.into_body().collect().await;
        bytes = body.expect("a body").to_bytes().len();
        best = best.min(millis(started.elapsed()));
    }
    say("list of 2,000 ConfigMaps", best, "ms");
    say(
        "the same after a write",
        after_writes(server, request).await,
        "ms",
    );
    say("its size", bytes as f64 / 1024.0, "KiB");
}

/// Best time of a list of which one object has changed since the one before.
async fn after_writes(server: &Server, request: impl Fn() -> http::Request<Bytes>) -> f64 {
    let cluster = server.cluster();
    let resource = cluster.resolve(&config_map(0, 0).gvk()).await;
    let resource = resource.expect("a built-in kind");
    let mut best = f64::MAX;
    for round in 0..50 {
        let patch = Patch::Merge(json!({"data": {"round": format!("list {round}")}}));
        let target = Target::new(&resource, "default", "c0");
        let params = WriteParams::default();
        let written = cluster.patch(&target, &patch, &params).await;
        written.expect("patched");
        let started = now();
        let body = server.call(request()).await.into_body().collect().await;
        body.expect("a body");
        best = best.min(millis(started.elapsed()));
    }
    best
}

async fn watches(cluster: &dyn Cluster) {
    let resource = cluster
        .resolve(&Gvk::new("", "v1", "ConfigMap"))
        .await
        .expect("a built-in kind");
    let scope = Scope {
        resource: resource.clone(),
        namespace: "kube-public".into(),
    };
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..WATCHERS {
        let mut watch = cluster
            .watch(&scope, &WatchParams::default())
            .await
            .expect("a watch");
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Some(Ok(event)) = watch.next().await {
                if matches!(event, WatchEvent::Added(_)) && sender.send(()).is_err() {
                    return;
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let object = Object::new(&Gvk::new("", "v1", "ConfigMap"), "kube-public", "seen");
    let target = Target::new(&resource, "kube-public", "seen");
    let started = now();
    cluster
        .create(&target, &object, &WriteParams::default())
        .await
        .expect("created");
    for _ in 0..WATCHERS {
        seen.recv().await;
    }
    say(
        "1,000 watchers told of one write",
        millis(started.elapsed()),
        "ms",
    );
}

async fn durable() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(Options {
        data: Some(folder.path().to_path_buf()),
        workloads: false,
        ..Options::default()
    })
    .await
    .expect("the server starts");
    let cluster = server.cluster();
    let resource = cluster
        .resolve(&Gvk::new("", "v1", "ConfigMap"))
        .await
        .expect("a built-in kind");
    let before = (figures(&server).await, processor_millis(OURS));
    let started = now();
    let clients = (0..CLIENTS).map(|client| {
        let (cluster, resource) = (cluster.clone(), resource.clone());
        tokio::spawn(async move {
            for index in (client..DURABLE_WRITES).step_by(CLIENTS) {
                let object = config_map(index, 0);
                let target = Target::new(&resource, "default", object.name());
                cluster
                    .create(&target, &object, &WriteParams::default())
                    .await
                    .expect("created");
            }
        })
    });
    futures::future::join_all(clients).await;
    let seconds = started.elapsed().as_secs_f64();
    let spent = processor_millis(OURS) - before.1;
    let writes = DURABLE_WRITES as f64;
    say("durable writes, 64 clients", writes / seconds, "1/s");
    say("durable write", spent / writes, "ms CPU");
    let flushes = figures(&server).await - before.0;
    say("writes that share a flush", writes / flushes.max(1.0), "");
    server.shutdown().await;
}

/// Reads how often the log was flushed so far.
async fn figures(server: &Server) -> f64 {
    let request = http::Request::builder()
        .uri("/metrics")
        .header("authorization", format!("Bearer {}", server.admin_token()))
        .body(Bytes::new())
        .expect("a request");
    let body = server.call(request).await.into_body().collect().await;
    let bytes = body.expect("a body").to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    let line = text
        .lines()
        .find(|line| line.starts_with("ferroflux_apiserver_log_flushes_total "));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0.0)
}

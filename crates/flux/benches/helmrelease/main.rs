//! Measures a thousand HelmReleases of one chart against their goals; run by `cargo xtask bench helmrelease`.
//!
//! Embedded server and controllers in this process. The chart comes from one HelmChart that all releases refer to, so
//! that nothing is measured but the releases. Prints one JSON line.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measuring program: it prints, looks at the clock, and stops at the first surprise"
)]

#[path = "../sync/counting.rs"]
mod counting;
mod drift;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::{Cluster, Patch, Scope, Target, WatchEvent, WatchParams, WriteParams};
use controller_runtime::Runtime;
use controllers::artifact::{ArtifactStore, Owner, Retention};
use controllers::helmrelease::{Settings, controller};
use counting::{Counting, Counts};
use filetree::{Ignore, MemoryTree, select};
use futures::StreamExt as _;
use objects::{Gvk, Object, Value, json};

/// As in the product: the allocator decides much of the peak.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Releases, with four objects each.
const RELEASES: usize = 1000;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(300);
/// Without a write for so long all is done.
const QUIET: Duration = Duration::from_secs(3);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut result = runtime.block_on(releases());
    result["peak_memory_mib"] = (peak_memory_kib() / 1024).into();
    println!("{result}");
}

async fn releases() -> Value {
    let options = apiserver::Options {
        workloads: false,
        ..apiserver::Options::default()
    };
    let server = apiserver::Server::start(options).await.unwrap();
    let cluster = server.cluster();
    for definition in api::crds() {
        apply(&*cluster, definition).await;
    }
    cluster.rediscover().await.unwrap();
    let store = Arc::new(ArtifactStore::in_memory(
        "localhost:1",
        Retention::default(),
    ));
    chart(&*cluster, &store).await;
    let counts = Arc::new(Counts::default());
    let first = start(&cluster, &counts, &store);
    let started = Instant::now();
    for n in 0..RELEASES {
        apply(&*cluster, release(n)).await;
    }
    let converged = all_ready(&*cluster).await - started;
    quiet(&counts).await;
    let (reads, writes) = counts.both();
    first.shutdown().await;
    let second = start(&cluster, &counts, &store);
    quiet(&counts).await;
    let (_, writes_after) = counts.both();
    apply(&*cluster, watched(release(0))).await;
    quiet(&counts).await;
    let drift = drift::corrections(&*cluster, "app-0").await;
    second.shutdown().await;
    json!({
        "scenario": "helmrelease",
        "releases": RELEASES,
        "objects": RELEASES * 4,
        "converged_s": (converged.as_secs_f64() * 100.0).round() / 100.0,
        "cpu_s": cpu_seconds(),
        "reads": reads,
        "writes": writes,
        "writes_of_second_reconcile": writes_after - writes,
        "drift": drift,
    })
}

fn start(
    cluster: &Arc<dyn Cluster>,
    counts: &Arc<Counts>,
    store: &Arc<ArtifactStore>,
) -> Arc<Runtime> {
    let counting = Counting {
        inner: cluster.clone(),
        counts: counts.clone(),
    };
    let runtime = Runtime::new(
        Arc::new(counting),
        None,
        controller_runtime::Options::default(),
    );
    runtime.run(controller(&runtime, store.clone(), Settings::default()));
    runtime
}

/// Waits until nothing is written any more.
async fn quiet(counts: &Counts) {
    let mut last = counts.both();
    loop {
        tokio::time::sleep(QUIET).await;
        let now = counts.both();
        if now == last {
            return;
        }
        last = now;
    }
}

const TEMPLATES: &[(&str, &str)] = &[
    (
        "values.yaml",
        "replicas: 2\nimage: {repository: registry.example.com/app, tag: \"1.0\"}\nservice: {port: 80}\n",
    ),
    (
        "templates/_helpers.tpl",
        "{{- define \"app.labels\" -}}\napp.kubernetes.io/name: {{ .Chart.Name }}\napp.kubernetes.io/instance: {{ .Release.Name }}\n{{- end }}\n",
    ),
    (
        "templates/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n  labels:\n    {{- include \"app.labels\" . | nindent 4 }}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector:\n    matchLabels:\n      {{- include \"app.labels\" . | nindent 6 }}\n  template:\n    metadata:\n      labels:\n        {{- include \"app.labels\" . | nindent 8 }}\n    spec:\n      containers:\n      - name: main\n        image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"\n        ports:\n        - containerPort: 8080\n",
    ),
    (
        "templates/service.yaml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  selector:\n    {{- include \"app.labels\" . | nindent 4 }}\n  ports:\n  - port: {{ .Values.service.port }}\n    targetPort: 8080\n",
    ),
    (
        "templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  config.yaml: |\n    {{- toYaml .Values | nindent 4 }}\n",
    ),
    (
        "templates/account.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ .Release.Name }}\n",
    ),
];

async fn chart(cluster: &dyn Cluster, store: &ArtifactStore) {
    let mut tree = MemoryTree::new();
    let metadata = "apiVersion: v2\nname: app\nversion: 1.0.0\nappVersion: 1.0.0\n";
    tree.insert("app/Chart.yaml", metadata.as_bytes()).unwrap();
    for (path, text) in TEMPLATES {
        tree.insert(&format!("app/{path}"), text.as_bytes())
            .unwrap();
    }
    let entries = select(&tree, &Ignore::load(&tree, None).unwrap()).unwrap();
    let owner = Owner {
        kind: "HelmChart",
        namespace: "default",
        name: "app",
    };
    let now = jiff::Timestamp::now();
    let artifact = store
        .put(owner, "app-1.0.0.tgz", "1.0.0", &entries, now)
        .unwrap();
    let kind = Gvk::new("source.toolkit.fluxcd.io", "v1", "HelmChart");
    let mut object = Object::new(&kind, "default", "app");
    object.set(
        &["spec"],
        json!({"interval": "1h", "chart": "app", "sourceRef": {"kind": "HelmRepository", "name": "repo"}}),
    );
    apply(cluster, object).await;
    let resource = cluster.resolve(&kind).await.unwrap();
    let target = Target::new(&resource, "default", "app").subresource("status");
    let status = json!({"status": {"artifact": artifact, "observedGeneration": 1}});
    let params = WriteParams::default();
    cluster
        .patch(&target, &Patch::Merge(status), &params)
        .await
        .unwrap();
}

fn release_kind() -> Gvk {
    Gvk::new("helm.toolkit.fluxcd.io", "v2", "HelmRelease")
}

fn release(n: usize) -> Object {
    let mut object = Object::new(&release_kind(), "default", &format!("app-{n}"));
    object.set(
        &["spec"],
        json!({
            "interval": "1h",
            "chartRef": {"kind": "HelmChart", "name": "app"},
            // Nothing runs here, so nothing becomes ready.
            "install": {"disableWait": true},
            "values": {"image": {"tag": format!("1.0.{n}")}},
        }),
    );
    object
}

/// The release with its drift corrected.
fn watched(mut release: Object) -> Object {
    release.set(&["spec", "driftDetection"], json!({"mode": "enabled"}));
    release
}

async fn all_ready(cluster: &dyn Cluster) -> Instant {
    let scope = Scope {
        resource: cluster.resolve(&release_kind()).await.unwrap(),
        namespace: String::new(),
    };
    let mut events = cluster
        .watch(&scope, &WatchParams::default())
        .await
        .unwrap();
    let mut ready = HashSet::new();
    let wait = async {
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.unwrap() {
                let conditions = object
                    .get(&["status", "conditions"])
                    .and_then(Value::as_array);
                let is_ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
                if conditions.is_some_and(|all| all.iter().any(is_ready)) {
                    ready.insert(object.name().to_owned());
                }
                if ready.len() == RELEASES {
                    return Instant::now();
                }
            }
        }
        panic!("the watch ended");
    };
    let done = tokio::time::timeout(PATIENCE, wait).await;
    done.expect("releases become Ready in time")
}

async fn apply(cluster: &dyn Cluster, object: Object) {
    let resource = cluster.resolve(&object.gvk()).await.unwrap();
    let target = Target::new(&resource, object.namespace(), object.name());
    let params = WriteParams {
        field_manager: "bench".to_owned(),
        force: true,
        ..WriteParams::default()
    };
    let patch = Patch::Apply(object);
    cluster.patch(&target, &patch, &params).await.unwrap();
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Processor time of this process so far, in seconds.
fn cpu_seconds() -> f64 {
    /// Ticks per second of `/proc/self/stat`.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|n| n.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / TICKS
}

//! The main job: the example fleet becomes a cluster that holds every object as kustomize and helm print it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, Patch, Scope, Target, WatchEvent, WatchParams, WriteParams};
use filetree::disk::DirectoryTree;
use futures::StreamExt as _;
use objects::{Gvk, Object, Value, json};
use testkit::helmhttp::HelmHttp;
use testkit::ociregistry::OciRegistry;

/// What goes on in a cluster: namespace and name of each object with a golden file.
struct Plan {
    kustomizations: &'static [(&'static str, &'static str)],
    releases: &'static [(&'static str, &'static str)],
}

fn plan(cluster_name: &str) -> Plan {
    match cluster_name {
        "k8s-01" | "k8s-02" => Plan {
            kustomizations: &[
                ("flux-system", "flux-system"),
                ("flux-system", "infrastructure"),
                ("flux-system", "apps"),
                ("flux-system", "tenants"),
                ("team-orchard", "orchard"),
            ],
            releases: &[],
        },
        _ => Plan {
            kustomizations: &[("flux-system", "flux-system"), ("flux-system", "releases")],
            releases: &[
                ("newsroom", "gazette"),
                ("newsroom", "almanac"),
                ("newsroom", "telegraph"),
            ],
        },
    }
}

const PATIENCE: Duration = Duration::from_secs(120);

/// Where the example lies.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/fleet")
        .canonicalize()
        .unwrap()
}

async fn apply(cluster: &dyn Cluster, object: Object) {
    let resource = cluster.resolve(&object.gvk()).await.unwrap();
    let target = Target::new(&resource, object.namespace(), object.name());
    let params = WriteParams {
        field_manager: "test".into(),
        force: true,
        ..WriteParams::default()
    };
    cluster
        .patch(&target, &Patch::Apply(object), &params)
        .await
        .unwrap();
}

async fn get(cluster: &dyn Cluster, gvk: &Gvk, namespace: &str, name: &str) -> Option<Object> {
    let resource = cluster.resolve(gvk).await.ok()?;
    let namespace = if resource.namespaced { namespace } else { "" };
    cluster
        .get(&Target::new(&resource, namespace, name))
        .await
        .ok()
}

fn kustomization_kind() -> Gvk {
    Gvk::new("kustomize.toolkit.fluxcd.io", "v1", "Kustomization")
}

/// Puts into the cluster what `flux dev` does.
async fn bootstrap(cluster: &dyn Cluster, path: &str) {
    for definition in api::crds() {
        apply(cluster, definition).await;
    }
    cluster.rediscover().await.unwrap();
    apply(
        cluster,
        Object::new(&Gvk::new("", "v1", "Namespace"), "", "flux-system"),
    )
    .await;
    let source = Gvk::new("source.toolkit.fluxcd.io", "v1", "GitRepository");
    let mut source = Object::new(&source, "flux-system", "flux-system");
    source.set_annotation("kustomize.toolkit.fluxcd.io/reconcile", "disabled");
    let url = format!("file://{}", repository().display());
    source.set(
        &["spec"],
        json!({"interval": "1h", "url": url, "ref": {"branch": "main"}}),
    );
    apply(cluster, source).await;
    let mut root = Object::new(&kustomization_kind(), "flux-system", "flux-system");
    root.set(
        &["spec"],
        json!({
            "interval": "1h", "path": path, "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
        }),
    );
    apply(cluster, root).await;
}

/// Waits until all Kustomizations are Ready, which wait for their releases; says what they report when they do not become
/// so.
async fn converge(cluster: &Arc<dyn Cluster>, plan: &Plan) {
    let resource = cluster.resolve(&kustomization_kind()).await.unwrap();
    let scope = Scope {
        resource,
        namespace: String::new(),
    };
    let mut events = cluster
        .watch(&scope, &WatchParams::default())
        .await
        .unwrap();
    let mut states = std::collections::BTreeMap::new();
    let wait = async {
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.unwrap() {
                states.insert(object.name().to_owned(), ready_message(&object));
            }
            let ready = |name: &str| states.get(name).is_some_and(|(ready, _)| *ready);
            if plan.kustomizations.iter().all(|(_, name)| ready(name)) {
                return;
            }
        }
    };
    let finished = tokio::time::timeout(PATIENCE, wait).await;
    assert!(finished.is_ok(), "not converged: {states:#?}");
}

fn ready_message(object: &Object) -> (bool, String) {
    let conditions = object
        .get(&["status", "conditions"])
        .and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|c| c["type"] == "Ready"));
    let ready = ready.cloned().unwrap_or_default();
    let text = |field: &str| ready[field].as_str().unwrap_or("").to_owned();
    (
        text("status") == "True",
        format!("{}: {}", text("reason"), text("message")),
    )
}

fn golden(cluster_name: &str, kustomization: &str) -> Vec<Object> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/fleet")
        .join(format!("{cluster_name}-{kustomization}.yaml"));
    let text = std::fs::read(path).unwrap();
    let documents = kyaml::parse(&text, &kyaml::ReadOptions::v11()).unwrap();
    documents
        .iter()
        .map(|node| kyaml::to_json(node, kyaml::Dialect::V11).unwrap())
        .map(|value| Object::from_value(value).unwrap())
        .collect()
}

/// Tells where `live` lacks something that `expected` says. Lists must agree in length.
fn missing(expected: &Value, live: &Value, path: &str) -> Option<String> {
    match (expected, live) {
        (Value::Object(expected), Value::Object(live)) => {
            expected.iter().find_map(|(key, value)| {
                let path = format!("{path}.{key}");
                match live.get(key) {
                    Some(live) => missing(value, live, &path),
                    None => Some(format!("{path}: absent, expected {value}")),
                }
            })
        }
        (Value::Array(expected), Value::Array(live)) if expected.len() == live.len() => expected
            .iter()
            .zip(live)
            .enumerate()
            .find_map(|(index, (e, l))| missing(e, l, &format!("{path}[{index}]"))),
        (expected, live) if expected == live => None,
        (expected, live) => Some(format!("{path}: {live}, expected {expected}")),
    }
}

/// Packs a chart of the example.
fn packed(path: &str) -> Vec<u8> {
    let tree = DirectoryTree::open(&repository().join(path)).unwrap();
    let chart = helm::load::load_directory(&tree, "", helm::Version::V4).unwrap();
    helm::package::save(&chart).unwrap()
}

/// The servers that the example's releases name, on loopback.
struct Servers(HelmHttp, OciRegistry);

impl Servers {
    async fn start() -> Self {
        let charts = HelmHttp::start().await;
        for version in ["1.4.0", "2.0.0"] {
            let archive = packed(&format!("charts/stable/almanac-{version}"));
            charts.add_archive("almanac", version, archive);
        }
        let registry = OciRegistry::start().await;
        let archive = packed("charts/registry/telegraph");
        registry.push_chart_archive("team", "telegraph", "0.9.1", archive);
        Self(charts, registry)
    }

    fn mirrors(&self) -> Vec<remote::Mirror> {
        let Self(charts, registry) = self;
        [
            ("https://charts.example.com/stable", charts.url()),
            ("oci://registry.example.com/charts", registry.url("team")),
        ]
        .map(|(from, to)| remote::Mirror::new(from, &to, "loopback").unwrap())
        .into()
    }
}

async fn check(cluster_name: &str) {
    let servers = Servers::start().await;
    let server = apiserver::Server::start(apiserver::Options::default())
        .await
        .unwrap();
    let cluster = server.cluster();
    let options = controllers::Options {
        local_access: git::LocalAccess::Allowed,
        work_trees: vec![repository()],
        mirrors: servers.mirrors(),
        ..controllers::Options::default()
    };
    bootstrap(cluster.as_ref(), &format!("./clusters/{cluster_name}")).await;
    let controllers = controllers::start(cluster.clone(), options).await.unwrap();
    converge(&cluster, &plan(cluster_name)).await;
    check_objects(cluster.as_ref(), cluster_name).await;
    if !plan(cluster_name).releases.is_empty() {
        check_charts_in_use(&server, cluster_name).await;
    }
    controllers.stop().await;
    server.shutdown().await;
}

/// Builds and compares releases by the program, from the artifacts that the cluster has.
async fn check_charts_in_use(server: &apiserver::Server, cluster_name: &str) {
    let serving = server.serve(None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, serving.kubeconfig()).unwrap();
    let run = async |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flux"));
        command.args([words[0], "helmrelease", words[1], "-n", "newsroom"]);
        command.env("KUBECONFIG", &kubeconfig);
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = run.await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, built, error) = run(&["build", "telegraph"]).await;
    assert_eq!(code, Some(0), "{cluster_name}: {error}");
    assert!(built.contains("kind: Deployment"), "{built}");
    let (code, difference, error) = run(&["diff", "telegraph"]).await;
    assert_eq!(
        (code, &*difference),
        (Some(0), ""),
        "{cluster_name}: {error}"
    );
    if cluster_name == "k8s-04" {
        let cluster = server.cluster();
        let patch = json!({"spec": {"suspend": true, "values": {"retention": {"years": "many"}}}});
        let kind = Gvk::new("helm.toolkit.fluxcd.io", "v2", "HelmRelease");
        let resource = cluster.resolve(&kind).await.unwrap();
        let target = Target::new(&resource, "newsroom", "almanac");
        let params = WriteParams::default();
        let patched = cluster.patch(&target, &Patch::Merge(patch), &params).await;
        patched.unwrap();
        let (code, _, error) = run(&["diff", "almanac"]).await;
        assert_eq!(code, Some(2));
        let origin = "line 4 of spec.values of HelmRelease newsroom/almanac";
        assert!(error.contains(origin), "{error}");
    }
}

/// Compares inventories and every object with the goldens.
pub async fn check_objects(cluster: &dyn Cluster, cluster_name: &str) {
    let plan = plan(cluster_name);
    for (namespace, name) in plan.kustomizations {
        let expected = golden(cluster_name, name);
        let owner = get(cluster, &kustomization_kind(), namespace, name)
            .await
            .unwrap();
        check_inventory(cluster_name, &owner, &expected);
        for live in check_live(cluster, cluster_name, &expected).await {
            assert_eq!(live.label("kustomize.toolkit.fluxcd.io/name"), Some(*name));
        }
    }
    let kind = Gvk::new("helm.toolkit.fluxcd.io", "v2", "HelmRelease");
    for (namespace, name) in plan.releases {
        let mut expected = golden(cluster_name, &format!("release-{name}"));
        for object in &mut expected {
            object.set(&["metadata", "namespace"], json!(namespace));
        }
        let owner = get(cluster, &kind, namespace, name).await.unwrap();
        check_inventory(cluster_name, &owner, &expected);
        for live in check_live(cluster, cluster_name, &expected).await {
            assert_eq!(live.label("helm.toolkit.fluxcd.io/name"), Some(*name));
        }
    }
}

/// Compares objects with those that the cluster holds; returns the latter.
async fn check_live(cluster: &dyn Cluster, cluster_name: &str, expected: &[Object]) -> Vec<Object> {
    let mut found = Vec::new();
    for object in expected {
        let live = get(cluster, &object.gvk(), object.namespace(), object.name()).await;
        let live = live.unwrap_or_else(|| panic!("{cluster_name}: {} is absent", object.key()));
        let difference = missing(
            &Value::Object(object.0.clone()),
            &Value::Object(live.0.clone()),
            &object.key().to_string(),
        );
        assert_eq!(difference, None, "{cluster_name}");
        found.push(live);
    }
    found
}

/// The inventory holds exactly the expected objects (and, at the root, what `flux-system/` brings).
fn check_inventory(cluster_name: &str, owner: &Object, expected: &[Object]) {
    let entries = owner
        .get(&["status", "inventory", "entries"])
        .and_then(Value::as_array);
    let actual: BTreeSet<String> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["id"].as_str().map(str::to_owned))
        .collect();
    let mut wanted: BTreeSet<String> = expected.iter().map(|object| object.key().to_id()).collect();
    if owner.name() == "flux-system" && owner.kind() == "Kustomization" {
        wanted.insert("flux-system_flux-system_source.toolkit.fluxcd.io_GitRepository".into());
        wanted.insert("flux-system_flux-system_kustomize.toolkit.fluxcd.io_Kustomization".into());
    }
    assert_eq!(
        actual,
        wanted,
        "{cluster_name}: inventory of {}",
        owner.name()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_fleet_converges_object_by_object() {
    check("k8s-01").await;
    check("k8s-02").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_releases_of_the_example_fleet_converge_object_by_object() {
    check("k8s-03").await;
    check("k8s-04").await;
}

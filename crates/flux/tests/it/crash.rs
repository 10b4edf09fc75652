//! `flux dev --data` killed without warning a hundred times: every restart goes on, and the cluster that comes of
//! it is the one that an undisturbed run makes.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cluster::{Cluster, ListParams, Scope};
use objects::Object;

use crate::fleet;

const KILLS: u32 = 100;
/// Most runs it may take to be killed that often.
const RUNS_MAX: u32 = 600;

fn flux_dev(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flux"));
    command
        .args([
            "dev",
            "--once",
            "--timeout",
            "2m",
            "--path",
            "./clusters/k8s-01",
            "--data",
        ])
        .arg(data)
        .arg(fleet::repository())
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Lets a process live for some time, or until it is done; tells whether it was killed.
fn live(mut child: Child, life: Duration) -> bool {
    let stderr = child.stderr.take().unwrap();
    let (sender, ended) = mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let lines = std::io::BufReader::new(stderr)
            .lines()
            .map_while(Result::ok);
        let text: Vec<String> = lines.collect();
        drop(sender);
        text
    });
    let killed = ended.recv_timeout(life) == Err(mpsc::RecvTimeoutError::Timeout);
    if killed {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    let text = reader.join().unwrap().join("\n");
    assert!(
        killed || status.success(),
        "a run failed by itself:\n{text}"
    );
    killed
}

/// A share between 0 and 1. A small generator is enough: the times only have to be spread.
fn share(seed: u64, round: u32) -> f64 {
    let mixed = (seed ^ u64::from(round)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    f64::from((mixed >> 40) as u32) / f64::from(1_u32 << 24)
}

/// Everything that a cluster holds, events and leases aside, without what differs from run to run.
async fn contents(cluster: &dyn Cluster) -> BTreeMap<String, usize> {
    let mut contents = BTreeMap::new();
    for resource in &cluster.discovery().await.unwrap().resources {
        let skipped = matches!(
            resource.gvk.kind.as_str(),
            "Event" | "Lease" | "ComponentStatus"
        );
        if skipped || !resource.verbs.iter().any(|verb| verb == "list") {
            continue;
        }
        let scope = Scope {
            resource: resource.clone(),
            namespace: String::new(),
        };
        let list = cluster.list(&scope, &ListParams::default()).await.unwrap();
        for object in &list.items {
            *contents.entry(line(object)).or_insert(0) += 1;
        }
    }
    contents
}

/// Identity and specification of an object; generated names are cut to what they were generated from.
fn line(object: &Object) -> String {
    let generated = object.str_at(&["metadata", "generateName"]);
    let name = match (object.kind(), generated) {
        // Named after the uid of its claim.
        ("PersistentVolume", _) => "pvc-",
        (_, "") => object.name(),
        (_, generated) => generated,
    };
    let mut spec = object.0.get("spec").cloned().unwrap_or_default();
    if let Some(spec) = spec.as_object_mut() {
        // Addresses and ports are handed out, paths are those of the machine.
        for field in [
            "clusterIP",
            "clusterIPs",
            "url",
            "volumeName",
            "nodeName",
            "volumes",
        ] {
            spec.remove(field);
        }
    }
    let random = matches!(
        object.kind(),
        "Pod" | "PersistentVolume" | "Job" | "EndpointSlice"
    );
    let spec = if random {
        String::new()
    } else {
        spec.to_string()
    };
    format!("{} {}/{name} {spec}", object.kind(), object.namespace())
}

async fn stored(data: &Path) -> BTreeMap<String, usize> {
    let options = apiserver::Options {
        data: Some(data.to_owned()),
        workloads: false,
        ..apiserver::Options::default()
    };
    let server = apiserver::Server::start(options).await.unwrap();
    let contents = contents(server.cluster().as_ref()).await;
    fleet::check_objects(server.cluster().as_ref(), "k8s-01").await;
    server.shutdown().await;
    contents
}

/// Kills a cluster's runs until one ends by itself; returns how often.
///
/// Lives are spread over `longest`, which follows how long a run takes on this machine now.
fn converge_disturbed(data: &Path, seed: u64, runs: &mut u32, longest: &mut Duration) -> u32 {
    let mut kills = 0;
    loop {
        *runs += 1;
        let life = longest.mul_f64(share(seed, *runs));
        if !live(flux_dev(data).spawn().unwrap(), life) {
            *longest = longest.mul_f64(0.8);
            return kills;
        }
        kills += 1;
        *longest = longest.mul_f64(1.05);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing() {
    let undisturbed = tempfile::tempdir().unwrap();
    assert!(!live(
        flux_dev(undisturbed.path()).spawn().unwrap(),
        Duration::from_secs(120)
    ));
    let expected = stored(undisturbed.path()).await;
    let seed = u64::from(std::process::id());
    let (mut kills, mut runs, mut longest) = (0, 0, Duration::from_millis(400));
    while kills < KILLS {
        let data = tempfile::tempdir().unwrap();
        kills += converge_disturbed(data.path(), seed, &mut runs, &mut longest);
        assert_eq!(
            stored(data.path()).await,
            expected,
            "seed {seed}, run {runs}"
        );
        assert!(runs < RUNS_MAX, "seed {seed}: {kills} kills in {runs} runs");
    }
}

//! `flux dev --data` killed without warning a hundred times: every restart goes on, and in the end the cluster
//! is the one that an undisturbed run makes.

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
/// Longest life of a process before it is killed; an undisturbed run takes about as long.
const LIFE_MS_MAX: u64 = 700;

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

/// A small generator: the kill times only have to be spread, and the seed is in the failure message.
fn spread(seed: u64, round: u32) -> u64 {
    let mixed = (seed ^ u64::from(round)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 31)) % LIFE_MS_MAX
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_nothing() {
    let (undisturbed, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(!live(
        flux_dev(undisturbed.path()).spawn().unwrap(),
        Duration::from_secs(120)
    ));
    let seed = u64::from(std::process::id());
    let mut kills = 0;
    for round in 0..KILLS {
        let life = Duration::from_millis(spread(seed, round));
        kills += u32::from(live(flux_dev(killed.path()).spawn().unwrap(), life));
    }
    assert!(
        kills > KILLS / 4,
        "seed {seed}: only {kills} runs were killed before they ended"
    );
    let last = live(
        flux_dev(killed.path()).spawn().unwrap(),
        Duration::from_secs(120),
    );
    assert!(!last, "seed {seed}: the last run did not converge in time");
    let (expected, actual) = (
        stored(undisturbed.path()).await,
        stored(killed.path()).await,
    );
    assert_eq!(actual, expected, "seed {seed}");
}

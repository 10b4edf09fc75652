//! The same requests to a kube-apiserver that runs beside: processor time of its process (without that of etcd), time
//! of its lists, its memory.
//!
//! `FERROFLUX_REFERENCE` names a kubeconfig of it; the process is found by its name.

use std::path::{Path, PathBuf};

use objects::Object;

use super::{REMOVED, ROUNDS, config_map, deployment, millis, now, say};

/// Objects of a figure, less than of ours: a request takes fifty times as long.
const SOME: usize = ROUNDS / 4;

/// Takes the figures where a reference is named.
pub async fn run() {
    let Some(kubeconfig) = std::env::var_os("FERROFLUX_REFERENCE") else {
        return;
    };
    let process = process().expect("a kube-apiserver runs on this machine");
    let client = client(Path::new(&kubeconfig)).await;
    say(
        "reference: idle memory",
        super::resident_mib(&process),
        "MiB",
    );
    let places = [
        (
            "ConfigMap",
            "/api/v1/namespaces/default/configmaps",
            config_map as fn(usize, usize) -> Object,
            ROUNDS,
        ),
        (
            "Deployment",
            "/apis/apps/v1/namespaces/default/deployments",
            deployment,
            SOME,
        ),
    ];
    for (kind, place, make, count) in places {
        applies(&client, &process, (kind, place), make, count).await;
    }
    lists(&client).await;
}

fn process() -> Option<PathBuf> {
    let named = |path: &Path| {
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        name.trim() == "kube-apiserver"
    };
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.map(|entry| entry.path()).find(|path| named(path))
}

async fn client(kubeconfig: &Path) -> kube::Client {
    let file = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await;
    kube::Client::try_from(config.expect("a usable kubeconfig")).expect("a client")
}

async fn applies(
    client: &kube::Client,
    process: &Path,
    (kind, place): (&str, &str),
    make: fn(usize, usize) -> Object,
    count: usize,
) {
    let rounds = [
        (1, "create"),
        (1, "no change"),
        (2, "change"),
        (REMOVED, "field removed"),
    ];
    for (round, what) in rounds {
        let before = super::processor_millis(process);
        for index in 0..count {
            let object = make(index, round);
            let uri = format!("{place}/{}?fieldManager=bench", object.name());
            let request = http::Request::patch(uri)
                .header("content-type", "application/apply-patch+yaml")
                .body(object.into_value().to_string().into_bytes())
                .expect("a request");
            client.request_text(request).await.expect("applied");
        }
        let spent = (super::processor_millis(process) - before) / count as f64;
        say(&format!("reference: apply {kind}: {what}"), spent, "ms CPU");
    }
}

async fn lists(client: &kube::Client) {
    let mut best = f64::MAX;
    for _ in 0..50 {
        let request = http::Request::get("/api/v1/configmaps")
            .body(Vec::new())
            .expect("a request");
        let started = now();
        client.request_text(request).await.expect("a list");
        best = best.min(millis(started.elapsed()));
    }
    say("reference: list of 2,000 ConfigMaps", best, "ms");
}

//! A cluster that upstream's helm-controller attended to is taken over: nothing is upgraded, no record is touched.

use std::path::Path;

use cluster::{ListParams, Scope};
use objects::{Gvk, Object, Value, json};
use testkit::helmhttp::HelmHttp;
use testkit::ociregistry::OciRegistry;

use crate::stage::{PATIENCE, Stage, until};

const VALUES: &str = "from: {a: 1, b: [1, 2, {c: d}], t: 2020-01-01, s: 0o17, y: yes, f: 1e400, h: 0x1F}\ntext: |\n  several\n  lines\n";

fn recorded(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adoption");
    std::fs::read(folder.join(name)).unwrap()
}

/// The servers with the recorded charts; digests of manifests are the recorded ones.
async fn servers() -> (HelmHttp, OciRegistry) {
    let (index, registry) = (HelmHttp::start().await, OciRegistry::start().await);
    for (name, version) in [("rich", "1.2.3+build.5"), ("plain", "0.1.0")] {
        let archive = recorded(&format!("{name}-{version}.tgz"));
        index.add_archive(name, version, archive.clone());
        registry.push_chart_archive("charts", name, version, archive);
        let manifest = recorded(&format!("{name}.manifest.json"));
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let tag = version.replace('+', "_");
        registry.push_manifest(&format!("charts/{name}"), &tag, media_type, &manifest);
    }
    (index, registry)
}

async fn prepare(stage: &Stage, index: &HelmHttp, registry: &OciRegistry) {
    for name in ["apps", "other"] {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        stage.create_object(namespace).await;
    }
    let object = |api_version: &str, kind: &str, name: &str, rest: Value| {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "apps"}});
        let fields = rest.as_object().unwrap().clone();
        object.as_object_mut().unwrap().extend(fields);
        object
    };
    let source = |kind: &str, name: &str, spec: Value| {
        object(
            "source.toolkit.fluxcd.io/v1",
            kind,
            name,
            json!({"spec": spec}),
        )
    };
    let oci = |chart: &str, reference: Value| {
        let url = registry.url(&format!("charts/{chart}"));
        json!({"interval": "1h", "insecure": true, "url": url, "ref": reference})
    };
    for source in [
        source(
            "HelmRepository",
            "http",
            json!({"interval": "1h", "url": index.url()}),
        ),
        source(
            "HelmRepository",
            "oci",
            json!({"type": "oci", "insecure": true, "url": registry.url("charts")}),
        ),
        source(
            "OCIRepository",
            "rich",
            oci("rich", json!({"tag": "1.2.3_build.5"})),
        ),
        source(
            "OCIRepository",
            "plain",
            oci("plain", json!({"semver": "0.x"})),
        ),
        object(
            "v1",
            "ConfigMap",
            "vals",
            json!({"data": {"values.yaml": VALUES, "one": "a,b=c"}}),
        ),
        object(
            "v1",
            "Secret",
            "sec",
            json!({"stringData": {"values.yaml": "secret: {k: \"v&<w>\"}\n", "n": "8080"}}),
        ),
    ] {
        stage.create_object(source).await;
    }
}

async fn list(stage: &Stage, gvk: &Gvk) -> Vec<Object> {
    let scope = Scope {
        resource: stage.cluster.resolve(gvk).await.unwrap(),
        namespace: String::new(),
    };
    let list = stage.cluster.list(&scope, &ListParams::default()).await;
    list.unwrap().items
}

async fn records(stage: &Stage) -> Vec<Value> {
    let mut secrets = list(stage, &Gvk::new("", "v1", "Secret")).await;
    secrets.retain(|secret| secret.str_at(&["type"]) == "helm.sh/release.v1");
    secrets.into_iter().map(Object::into_value).collect()
}

fn release_kind() -> Gvk {
    Gvk::new("helm.toolkit.fluxcd.io", "v2", "HelmRelease")
}

fn said<'a>(status: &'a Value, type_: &str) -> Option<(&'a Value, &'a Value)> {
    let conditions = status["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|c| c["type"] == type_)?;
    Some((&found["status"], &found["message"]))
}

/// Waits until a release was looked at with its chart.
async fn looked_at(stage: &Stage, namespace: &str, name: &str) {
    let target = stage.target(&release_kind(), namespace, name).await;
    let search = async {
        loop {
            let live = stage.cluster.get(&target).await.unwrap();
            let status = live.get(&["status"]).unwrap();
            let (_, message) = said(status, "Ready").unwrap();
            let waits = message.as_str().unwrap().contains("is not ready: ");
            if status["lastHandledReconcileAt"] == "now" && !waits {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, search).await;
    found.unwrap_or_else(|_| panic!("{name} was not looked at"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_of_upstreams_controller_are_taken_over_untouched() {
    let (index, registry) = servers().await;
    let stage = Stage::start().await;
    prepare(&stage, &index, &registry).await;
    let cluster: Value = serde_json::from_slice(&recorded("cluster.json")).unwrap();
    for secret in cluster["secrets"].as_array().unwrap() {
        stage.create_object(secret.clone()).await;
    }
    let releases = cluster["releases"].as_array().unwrap();
    for release in releases {
        let mut object = release.clone();
        object["metadata"]["annotations"] = json!({"reconcile.fluxcd.io/requestedAt": "now"});
        stage.create_object(object).await;
        let text = |field: &str| release["metadata"][field].as_str().unwrap();
        let target = stage
            .target(&release_kind(), text("namespace"), text("name"))
            .await;
        let status = json!({"status": release["status"]});
        stage
            .patch_target(&target.subresource("status"), status)
            .await;
    }
    let before = records(&stage).await;

    let controllers = controllers::start(stage.cluster.clone(), controllers::Options::default());
    let controllers = controllers.await.unwrap();
    for release in releases {
        let text = |field: &str| release["metadata"][field].as_str().unwrap();
        looked_at(&stage, text("namespace"), text("name")).await;
    }
    until("the controllers are done", || {
        controllers.runtime().has_settled()
    })
    .await;
    for (live, recorded) in list(&stage, &release_kind()).await.iter().zip(releases) {
        let (name, recorded) = (&recorded["metadata"]["name"], &recorded["status"]);
        assert_eq!(live.name(), name);
        let status = live.get(&["status"]).unwrap();
        for field in [
            "history",
            "inventory",
            "failures",
            "installFailures",
            "upgradeFailures",
        ] {
            assert_eq!(status[field], recorded[field], "{name}: {field}");
        }
        // Ready of failed releases was lost while the new HelmCharts were built, as with upstream.
        let failed = said(recorded, "Stalled").is_some();
        for type_ in ["Released", "Remediated", "TestSuccess", "Ready"] {
            if type_ != "Ready" || !failed {
                assert_eq!(said(status, type_), said(recorded, type_), "{name}");
            }
        }
    }
    assert_eq!(records(&stage).await, before, "the records are untouched");
    controllers.stop().await;
}

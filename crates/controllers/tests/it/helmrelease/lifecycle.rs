//! Install, upgrade, failures with their remediation, uninstall.

use objects::json;

use super::lab::{Lab, chart_kind, condition, config_map, deployment, release, simple};

fn color(object: Option<&objects::Object>) -> &str {
    object.map_or("", |o| o.str_at(&["data", "color"]))
}

#[tokio::test]
async fn a_release_is_installed_upgraded_and_uninstalled() {
    let lab = Lab::start().await;
    let life = lab.live();
    lab.create("demo", json!({})).await;
    lab.wait_ready(
        "False",
        "SourceNotReady",
        "HelmChart 'default/default-demo' is not ready",
    )
    .await;
    lab.chart("1.0.0", &simple()).await;
    let installed = "Helm install succeeded for release default/demo.v1 with chart demo@1.0.0";
    let object = lab.wait_ready("True", "InstallSucceeded", installed).await;
    let config = lab.get(&config_map(), "demo-config").await.unwrap();
    assert_eq!(color(Some(&config)), "red");
    assert_eq!(config.label("app.kubernetes.io/managed-by"), Some("Helm"));
    assert_eq!(config.label("helm.toolkit.fluxcd.io/name"), Some("demo"));
    assert_eq!(config.annotation("meta.helm.sh/release-name"), Some("demo"));
    assert_eq!(lab.records("demo").await, ["1: deployed"]);
    let status = object.get(&["status"]).unwrap();
    assert_eq!(status["helmChart"], "default/default-demo");
    assert_eq!(status["lastAttemptedRevision"], "1.0.0");
    assert_eq!(status["history"][0]["action"], "install");
    assert_eq!(
        status["inventory"]["entries"][0]["id"],
        "default_demo-config__ConfigMap"
    );

    lab.patch(
        &release(),
        "demo",
        json!({"spec": {"values": {"color": "blue"}}}),
    )
    .await;
    let upgraded = "Helm upgrade succeeded for release default/demo.v2 with chart demo@1.0.0";
    lab.wait_ready("True", "UpgradeSucceeded", upgraded).await;
    assert_eq!(
        color(lab.get(&config_map(), "demo-config").await.as_ref()),
        "blue"
    );
    assert_eq!(lab.records("demo").await, ["1: superseded", "2: deployed"]);
    lab.chart("1.1.0", &simple()).await;
    let upgraded = "Helm upgrade succeeded for release default/demo.v3 with chart demo@1.1.0";
    lab.wait_ready("True", "UpgradeSucceeded", upgraded).await;
    let object = lab.wait_observed("demo").await;
    assert!(condition(&object, "Reconciling").is_none());

    lab.delete(&release(), "demo").await;
    lab.wait(&release(), "demo", |o| o.is_none()).await;
    assert!(lab.get(&config_map(), "demo-config").await.is_none());
    assert!(lab.get(&chart_kind(), "default-demo").await.is_none());
    assert!(lab.records("demo").await.is_empty());
    for event in ["InstallSucceeded", "UpgradeSucceeded", "UninstallSucceeded"] {
        lab.wait_event("demo", event).await;
    }
    life.runtime.shutdown().await;
}

#[tokio::test]
async fn workloads_are_waited_for() {
    let lab = Lab::start().await;
    let _life = lab.live();
    let template = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata:\n      labels: {a: b}\n    spec:\n      containers: [{name: x, image: nginx}]\n";
    lab.chart("1.0.0", &[("templates/d.yaml", template)]).await;
    lab.create("demo", json!({})).await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    let web = lab.get(&deployment(), "web").await.unwrap();
    assert_eq!(web.get(&["status", "readyReplicas"]), Some(&json!(1)));
}

/// A chart whose object is refused when `.Values.bad` is set.
fn refusable() -> Vec<(&'static str, &'static str)> {
    vec![(
        "templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo-config\ndata:\n  color: {{ .Values.color | default \"red\" | quote }}\n  {{- if .Values.bad }}\n  broken: {a: b}\n  {{- end }}\n",
    )]
}

#[tokio::test]
async fn a_failed_install_is_tried_again_as_often_as_asked() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &refusable()).await;
    let spec = json!({"values": {"bad": true}, "install": {"remediation": {"retries": 1}}});
    lab.create("demo", spec).await;
    let stalled = "Failed to install after 2 attempt(s)";
    let object = lab
        .wait_condition("demo", "Stalled", "True", "RetriesExceeded", stalled)
        .await;
    let ready = condition(&object, "Ready").unwrap();
    assert_eq!(ready["reason"], "InstallFailed", "{ready}");
    assert!(ready["message"].as_str().unwrap().starts_with(
        "Helm install failed for release default/demo with chart demo@1.0.0: server-side apply failed for object default/demo-config v1, Kind=ConfigMap"
    ), "{ready}");
    assert_eq!(object.get(&["status", "installFailures"]), Some(&json!(2)));
    // The last failure stays for people to look at.
    assert_eq!(lab.records("demo").await, ["1: failed"]);
    // A change of the values starts anew.
    lab.patch(
        &release(),
        "demo",
        json!({"spec": {"values": {"bad": false}}}),
    )
    .await;
    lab.wait_ready("True", "UpgradeSucceeded", "Helm upgrade succeeded")
        .await;
    let object = lab.wait_observed("demo").await;
    assert!(condition(&object, "Stalled").is_none());
    assert_eq!(object.get(&["status", "installFailures"]), None);
}

#[tokio::test]
async fn a_failed_upgrade_is_rolled_back() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &refusable()).await;
    let spec = json!({"upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}}});
    lab.create("demo", spec).await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    lab.patch(
        &release(),
        "demo",
        json!({"spec": {"values": {"bad": true, "color": "blue"}}}),
    )
    .await;
    let rolled =
        "Helm rollback to previous release default/demo.v1 with chart demo@1.0.0 succeeded";
    let object = lab.wait_ready("False", "RollbackSucceeded", rolled).await;
    assert_eq!(
        color(lab.get(&config_map(), "demo-config").await.as_ref()),
        "red"
    );
    let records = lab.records("demo").await;
    assert_eq!(
        records,
        ["1: superseded", "2: failed", "3: deployed"],
        "{object:?}"
    );
    lab.wait_condition(
        "demo",
        "Stalled",
        "True",
        "RetriesExceeded",
        "Failed to upgrade after 1 attempt(s)",
    )
    .await;
}

#[tokio::test]
async fn bad_input_is_told() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    let spec = json!({"valuesFrom": [{"kind": "ConfigMap", "name": "gone"}]});
    lab.create("demo", spec).await;
    lab.wait_ready(
        "False",
        "ValuesError",
        "could not resolve ConfigMap chart values reference 'default/gone' with key 'values.yaml'",
    )
    .await;
    let chart = [
        (
            "values.schema.json",
            "{\"properties\": {\"color\": {\"type\": \"string\"}}}",
        ),
        ("templates/a.yaml", ""),
    ];
    lab.chart_for("schema", "demo", "1.0.0", &chart).await;
    lab.create("schema", json!({"values": {"color": 5}})).await;
    lab.wait_condition("schema", "Released", "False", "InstallFailed", "Helm install failed for release default/schema with chart demo@1.0.0: values don't meet the specifications of the schema(s)").await;
    lab.chart_for(
        "crd",
        "demo",
        "1.0.0",
        &[(
            "templates/a.yaml",
            "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\n",
        )],
    )
    .await;
    lab.create("crd", json!({})).await;
    lab.wait_condition("crd", "Released", "False", "InstallFailed", "Helm install failed for release default/crd with chart demo@1.0.0: unable to build kubernetes objects from release manifest: resource mapping not found for name: \"a\"").await;
    let both = json!({"chartRef": {"kind": "OCIRepository", "name": "x"}, "interval": "1m"});
    lab.create_object(json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "nosource", "namespace": "default"}, "spec": both,
    }))
    .await;
    lab.wait_condition(
        "nosource",
        "Ready",
        "False",
        "ArtifactFailed",
        "could not get Source object: ",
    )
    .await;
}

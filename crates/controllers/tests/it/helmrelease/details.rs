//! Drift, hooks, tests, definitions, values, post-renderers, targets, client-side releases.

use objects::{Gvk, Object, Value, json};
use tokio::time::Instant;

use super::lab::{Lab, condition, config_map, release, simple};

fn color(object: Option<&Object>) -> &str {
    object.map_or("", |o| o.str_at(&["data", "color"]))
}

fn recolor() -> Value {
    json!({"data": {"color": "pink"}})
}

#[tokio::test]
async fn drift_is_corrected_at_once() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    lab.create("demo", json!({"driftDetection": {"mode": "enabled"}}))
        .await;
    lab.wait_condition("demo", "Drifted", "False", "NoDriftDetected", "No drift")
        .await;
    lab.wait_observed("demo").await;
    let started = Instant::now();
    lab.patch(&config_map(), "demo-config", recolor()).await;
    lab.wait(&config_map(), "demo-config", |o| color(o) == "red")
        .await;
    let edited = started.elapsed();
    lab.wait_condition("demo", "Drifted", "False", "NoDriftDetected", "No drift")
        .await;
    let started = Instant::now();
    lab.delete(&config_map(), "demo-config").await;
    lab.wait(&config_map(), "demo-config", |o| color(o) == "red")
        .await;
    let deleted = started.elapsed();
    // The interval is an hour, so that it was the watch; how long it took is for benchmarks.
    tracing::info!(?edited, ?deleted, "drift was corrected");
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    for wanted in [
        "DriftDetected: Cluster state of release default/demo.v1 has drifted from the desired state:\nConfigMap/default/demo-config changed (0 additions, 1 changes, 0 removals)",
        "DriftCorrected: Cluster state of release default/demo.v1 has been corrected:\nConfigMap/default/demo-config configured",
        "DriftDetected: Cluster state of release default/demo.v1 has drifted from the desired state:\nConfigMap/default/demo-config removed",
        "DriftCorrected: Cluster state of release default/demo.v1 has been corrected:\nConfigMap/default/demo-config created",
    ] {
        lab.wait_event("demo", wanted).await;
    }
    assert_eq!(lab.records("demo").await, ["1: deployed"]);
}

#[tokio::test]
async fn drift_is_told_or_ignored_as_asked() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    lab.create("demo", json!({"driftDetection": {"mode": "warn"}}))
        .await;
    lab.wait_condition("demo", "Drifted", "False", "NoDriftDetected", "No drift")
        .await;
    lab.wait_observed("demo").await;
    lab.patch(&config_map(), "demo-config", recolor()).await;
    let told = "Cluster state of release default/demo.v1 has drifted from the desired state:\nConfigMap/default/demo-config changed";
    lab.wait_condition("demo", "Drifted", "True", "DriftDetected", told)
        .await;
    assert_eq!(
        color(lab.get(&config_map(), "demo-config").await.as_ref()),
        "pink"
    );
    let ignore = json!([{"paths": ["/data/color"], "target": {"kind": "ConfigMap"}}]);
    let spec = json!({"spec": {"driftDetection": {"mode": "enabled", "ignore": ignore}}});
    lab.patch(&release(), "demo", spec).await;
    lab.wait_condition("demo", "Drifted", "False", "NoDriftDetected", "No drift")
        .await;
    assert_eq!(
        color(lab.get(&config_map(), "demo-config").await.as_ref()),
        "pink"
    );
}

#[tokio::test]
async fn an_unchanged_release_costs_no_write() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    lab.create("demo", json!({})).await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    lab.wait_observed("demo").await;
    let handled = |at: &'static str| {
        let annotation =
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": at}}});
        let lab = &lab;
        async move {
            lab.patch(&release(), "demo", annotation).await;
            let check = |o: Option<&Object>| {
                o.is_some_and(|o| o.str_at(&["status", "lastHandledReconcileAt"]) == at)
            };
            lab.wait(&release(), "demo", check).await.unwrap()
        }
    };
    let before = handled("one").await;
    let events = lab.events("demo").await;
    let after = handled("two").await;
    // The annotation and its echo: two writes, nothing else.
    let version = |o: &Object| o.resource_version().parse::<u64>().unwrap();
    assert_eq!(
        after.get(&["status", "conditions"]),
        before.get(&["status", "conditions"])
    );
    assert_eq!(version(&after) - version(&before), 2);
    assert_eq!(lab.events("demo").await, events);
}

#[tokio::test]
async fn hooks_run_in_order_and_failing_ones_fail_the_release() {
    let lab = Lab::start().await;
    let _life = lab.live();
    let job = |name: &str, hook: &str, fails: bool| {
        let fails = if fails {
            "\n      annotations: {simulation.ferroflux.dev/fail: exit}"
        } else {
            ""
        };
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations:\n    helm.sh/hook: {hook}\n    helm.sh/hook-weight: \"-5\"\n    helm.sh/hook-delete-policy: hook-succeeded\nspec:\n  backoffLimit: 0\n  template:\n    metadata:\n      labels: {{a: b}}{fails}\n    spec:\n      restartPolicy: Never\n      containers: [{{name: c, image: busybox}}]\n"
        )
    };
    let good = job("pre", "pre-install", false);
    let mut files = simple();
    files.push(("templates/pre.yaml", &good));
    lab.chart("1.0.0", &files).await;
    lab.create("demo", json!({})).await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    let record = lab.stored("demo", 1).await;
    assert_eq!(record.hooks.len(), 1);
    assert_eq!(record.hooks[0].last_run.phase, "Succeeded");
    assert!(!record.manifest.contains("kind: Job"));
    let job_kind = Gvk::new("batch", "v1", "Job");
    assert!(lab.get(&job_kind, "pre").await.is_none());

    let bad = job("pre", "pre-install", true);
    let mut files = simple();
    files.push(("templates/pre.yaml", &bad));
    lab.chart_for("other", "other", "1.0.0", &files).await;
    lab.create("other", json!({"chart": {"spec": {
        "chart": "other", "sourceRef": {"kind": "HelmRepository", "name": "repo"}, "interval": "1h",
    }}}))
    .await;
    lab.wait_condition("other", "Released", "False", "InstallFailed", "Helm install failed for release default/other with chart other@1.0.0: failed pre-install: failed early due to stalled resources: [Job/default/pre status: 'Failed']").await;
    assert!(lab.get(&config_map(), "other-config").await.is_none());
    assert_eq!(
        lab.stored("other", 1).await.hooks[0].last_run.phase,
        "Failed"
    );
}

#[tokio::test]
async fn tests_run_and_failures_are_remediated() {
    let lab = Lab::start().await;
    let _life = lab.live();
    let test = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}-{{ .Values.test | default \"good\" }}\n  annotations:\n    helm.sh/hook: test\n    {{- if .Values.fails }}\n    simulation.ferroflux.dev/fail: exit\n    {{- else }}\n    simulation.ferroflux.dev/complete-after: 1ms\n    {{- end }}\nspec:\n  restartPolicy: Never\n  containers: [{name: c, image: busybox}]\n";
    let mut files = simple();
    files.push(("templates/test.yaml", test));
    lab.chart("1.0.0", &files).await;
    let spec = json!({
        "test": {"enable": true, "timeout": "10s"},
        "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}},
    });
    lab.create("demo", spec).await;
    let passed = "Helm test succeeded for release default/demo.v1 with chart demo@1.0.0: 1 test hook completed successfully";
    let object = lab.wait_ready("True", "TestSucceeded", passed).await;
    let hooks = &object.get(&["status", "history"]).unwrap()[0]["testHooks"];
    assert_eq!(hooks["demo-good"]["phase"], "Succeeded", "{hooks}");
    lab.patch(
        &release(),
        "demo",
        json!({"spec": {"values": {"fails": true, "color": "blue"}}}),
    )
    .await;
    let rolled =
        "Helm rollback to previous release default/demo.v1 with chart demo@1.0.0 succeeded";
    lab.wait_ready("False", "RollbackSucceeded", rolled).await;
    assert_eq!(
        color(lab.get(&config_map(), "demo-config").await.as_ref()),
        "red"
    );
    assert_eq!(
        lab.records("demo").await,
        ["1: superseded", "2: superseded", "3: deployed"]
    );
    let failed = "TestFailed: Helm test failed for release default/demo.v2 with chart demo@1.0.0: failed early due to stalled resources";
    lab.wait_event("demo", failed).await;
}

#[tokio::test]
async fn definitions_come_first_and_namespaces_are_made() {
    let lab = Lab::start().await;
    let _life = lab.live();
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: foos.demo.io}\nspec:\n  group: demo.io\n  names: {kind: Foo, plural: foos, singular: foo, listKind: FooList}\n  scope: Namespaced\n  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n";
    let files = [
        ("crds/foo.yaml", crd),
        (
            "templates/foo.yaml",
            "apiVersion: demo.io/v1\nkind: Foo\nmetadata: {name: a}\n",
        ),
    ];
    lab.chart("1.0.0", &files).await;
    let spec = json!({"targetNamespace": "web", "install": {"createNamespace": true}});
    lab.create("demo", spec).await;
    let installed = "Helm install succeeded for release web/web-demo.v1";
    let object = lab.wait_ready("True", "InstallSucceeded", installed).await;
    let entries = &object.get(&["status", "inventory"]).unwrap()["entries"];
    assert_eq!(
        *entries,
        json!([
            {"id": "web_a_demo.io_Foo", "v": "v1"},
            {"id": "_foos.demo.io_apiextensions.k8s.io_CustomResourceDefinition", "v": "v1"},
        ])
    );
    // Another target: the old release goes, the new one comes.
    lab.patch(
        &release(),
        "demo",
        json!({"spec": {"targetNamespace": null, "releaseName": "renamed"}}),
    )
    .await;
    let installed = "Helm install succeeded for release default/renamed.v1";
    lab.wait_ready("True", "InstallSucceeded", installed).await;
    assert!(lab.records("web-demo").await.is_empty());
    assert_eq!(lab.records("renamed").await, ["1: deployed"]);
    let foo = Gvk::new("demo.io", "v1", "Foo");
    let old = lab.target(&foo, "web", "a").await;
    assert!(lab.cluster.get(&old).await.is_err());
    assert!(lab.get(&foo, "a").await.is_some());
}

#[tokio::test]
async fn values_and_post_renderers_reach_the_manifests() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.create_object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": "default",
            "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
        "data": {"values.yaml": "color: green\n"},
    }))
    .await;
    lab.chart("1.0.0", &simple()).await;
    let patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo-config}\ndata: {patched: \"yes\"}\n";
    let spec = json!({
        "valuesFrom": [{"kind": "ConfigMap", "name": "values"}],
        "commonMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
        "postRenderers": [{"kustomize": {"patches": [{"patch": patch}]}}],
    });
    lab.create("demo", spec).await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    let config = lab.get(&config_map(), "demo-config").await.unwrap();
    assert_eq!(color(Some(&config)), "green");
    assert_eq!(config.str_at(&["data", "patched"]), "yes");
    assert_eq!(
        (config.label("team"), config.annotation("note")),
        (Some("a"), Some("b"))
    );
    // A watched ConfigMap makes the release look again.
    lab.patch(
        &config_map(),
        "values",
        json!({"data": {"values.yaml": "color: white\n"}}),
    )
    .await;
    lab.wait(&config_map(), "demo-config", |o| color(o) == "white")
        .await;
}

#[tokio::test]
async fn client_side_releases_are_merged_and_move_over_when_asked() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    lab.create("demo", json!({"install": {"serverSideApply": false}}))
        .await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    assert_eq!(lab.stored("demo", 1).await.apply_method, "csa");
    lab.patch(&config_map(), "demo-config", json!({"data": {"mine": "x"}}))
        .await;
    lab.patch(
        &release(),
        "demo",
        json!({"spec": {"values": {"color": "blue"}}}),
    )
    .await;
    lab.wait_ready(
        "True",
        "UpgradeSucceeded",
        "Helm upgrade succeeded for release default/demo.v2",
    )
    .await;
    assert_eq!(lab.stored("demo", 2).await.apply_method, "csa");
    let config = lab.get(&config_map(), "demo-config").await.unwrap();
    assert_eq!(
        (color(Some(&config)), config.str_at(&["data", "mine"])),
        ("blue", "x")
    );
    let spec =
        json!({"spec": {"values": {"color": "gray"}, "upgrade": {"serverSideApply": "enabled"}}});
    lab.patch(&release(), "demo", spec).await;
    lab.wait_ready(
        "True",
        "UpgradeSucceeded",
        "Helm upgrade succeeded for release default/demo.v3",
    )
    .await;
    assert_eq!(lab.stored("demo", 3).await.apply_method, "ssa");
    assert_eq!(
        color(lab.get(&config_map(), "demo-config").await.as_ref()),
        "gray"
    );
}

#[tokio::test]
async fn failures_are_retried_and_forced_as_asked() {
    let lab = Lab::start().await;
    let _life = lab.live();
    let broken =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo-config}\ndata: {broken: {a: b}}\n";
    lab.chart("1.0.0", &[("templates/c.yaml", broken)]).await;
    let strategy = json!({"name": "RetryOnFailure", "retryInterval": "1h"});
    lab.create(
        "demo",
        json!({"install": {"strategy": strategy}, "upgrade": {"strategy": strategy}}),
    )
    .await;
    let object = lab
        .wait_condition(
            "demo",
            "Reconciling",
            "True",
            "ProgressingWithRetry",
            "retrying after 1h0m0s",
        )
        .await;
    assert_eq!(
        condition(&object, "Ready").unwrap()["reason"],
        "InstallFailed"
    );
    let force = json!({"metadata": {"annotations": {
        "reconcile.fluxcd.io/requestedAt": "t", "reconcile.fluxcd.io/forceAt": "t",
    }}});
    lab.patch(&release(), "demo", force).await;
    lab.wait_condition(
        "demo",
        "Released",
        "False",
        "UpgradeFailed",
        "Helm upgrade failed for release default/demo",
    )
    .await;
    lab.wait(&release(), "demo", |o| {
        o.is_some_and(|o| o.str_at(&["status", "lastHandledForceAt"]) == "t")
    })
    .await;
}

#[tokio::test]
async fn objects_of_others_are_refused_or_adopted() {
    let lab = Lab::start().await;
    let _life = lab.live();
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "demo-config", "namespace": "default"}, "data": {"color": "old"},
    });
    lab.create_object(config).await;
    lab.chart("1.0.0", &simple()).await;
    lab.create("demo", json!({"install": {"disableTakeOwnership": true}}))
        .await;
    lab.wait_condition("demo", "Released", "False", "InstallFailed", "Helm install failed for release default/demo with chart demo@1.0.0: unable to continue with install: ConfigMap \"demo-config\" in namespace \"default\" exists and cannot be imported into the current release: invalid ownership metadata; label validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \"Helm\"; annotation validation error: missing key \"meta.helm.sh/release-name\": must be set to \"demo\"").await;
    assert!(lab.records("demo").await.is_empty());
    lab.patch(
        &release(),
        "demo",
        json!({"spec": {"install": {"disableTakeOwnership": false}}}),
    )
    .await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    assert_eq!(
        color(lab.get(&config_map(), "demo-config").await.as_ref()),
        "red"
    );
}

#[tokio::test]
async fn dependencies_and_suspension_hold_a_release_back() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    lab.create("demo", json!({"dependsOn": [{"name": "base"}]}))
        .await;
    lab.wait_ready("False", "DependencyNotReady", "unable to get 'default/base' dependency: helmreleases.helm.toolkit.fluxcd.io \"base\" not found")
        .await;
    lab.chart_for("base", "demo", "1.0.0", &simple()).await;
    lab.create("base", json!({"suspend": true})).await;
    lab.patch(&release(), "base", json!({"spec": {"suspend": false}}))
        .await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
}

#[tokio::test]
async fn releases_of_other_tools_are_taken_over_wherever_they_stopped() {
    let lab = Lab::start().await;
    lab.chart("1.0.0", &simple()).await;
    for status in [
        "pending-install",
        "pending-upgrade",
        "pending-rollback",
        "uninstalling",
        "superseded",
        "failed",
        "deployed",
    ] {
        let record = helm::release::Record {
            name: "demo".into(),
            namespace: "default".into(),
            version: 3,
            info: Some(helm::release::Info {
                status: status.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let text = record.encode(helm::Version::V3).unwrap();
        lab.create_object(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": "sh.helm.release.v1.demo.v3", "namespace": "default", "labels": {
                "owner": "helm", "name": "demo", "version": "3", "status": status, "team": "x",
            }},
            "stringData": {"release": text},
        }))
        .await;
        let life = lab.live();
        lab.create("demo", json!({})).await;
        lab.wait_condition("demo", "Released", "True", "", "Helm ")
            .await;
        lab.wait_observed("demo").await;
        let records = lab.records("demo").await;
        assert!(
            records.last().unwrap().ends_with(" deployed"),
            "{status}: {records:?}"
        );
        lab.delete(&release(), "demo").await;
        lab.wait(&release(), "demo", |o| o.is_none()).await;
        assert!(lab.records("demo").await.is_empty(), "{status}");
        life.runtime.shutdown().await;
        lab.chart("1.0.0", &simple()).await;
    }
}

#[tokio::test]
async fn what_an_account_may_not_do_is_told() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    lab.create("demo", json!({"serviceAccountName": "nobody"}))
        .await;
    lab.wait_ready(
        "False",
        "StateError",
        "Could not determine release state: failed to retrieve last release from storage: secrets is forbidden: User \"system:serviceaccount:default:nobody\" cannot list resource \"secrets\"",
    )
    .await;
    // Without the account there is nobody to uninstall as, and nothing was installed.
    lab.delete(&release(), "demo").await;
    lab.wait(&release(), "demo", |o| o.is_none()).await;
}

#[tokio::test]
async fn unreadable_records_and_large_values_do_no_harm() {
    let lab = Lab::start().await;
    let _life = lab.live();
    lab.chart("1.0.0", &simple()).await;
    // Text that compresses badly, more than a Secret holds.
    let mut state = 7u64;
    let mut noise = String::new();
    while noise.len() < 1_500_000 {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        noise.push_str(&format!("{state:x}"));
    }
    let values = json!({"noise": noise});
    lab.create("demo", json!({"values": values})).await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
    lab.wait_observed("demo").await;
    let record = lab.stored("demo", 1).await;
    assert!(record.config.is_none() && record.manifest.contains("color"));
    // The values are recognised all the same: nothing is upgraded.
    let annotation = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "x"}}});
    lab.patch(&release(), "demo", annotation).await;
    lab.wait(&release(), "demo", |o| {
        o.is_some_and(|o| o.str_at(&["status", "lastHandledReconcileAt"]) == "x")
    })
    .await;
    assert_eq!(lab.records("demo").await, ["1: deployed"]);
    lab.create_object(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.demo.v9", "namespace": "default", "labels": {
            "owner": "helm", "name": "demo", "version": "9", "status": "deployed",
        }},
        "stringData": {"release": "garbage"},
    }))
    .await;
    let annotation = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "y"}}});
    lab.patch(&release(), "demo", annotation).await;
    lab.wait(&release(), "demo", |o| {
        o.is_some_and(|o| o.str_at(&["status", "lastHandledReconcileAt"]) == "y")
    })
    .await;
    lab.wait_ready("True", "InstallSucceeded", "Helm install")
        .await;
}

#[tokio::test]
async fn a_wait_gives_way_to_a_newer_spec_where_asked() {
    // Nothing runs here, so that a Deployment with a failing probe is never ready.
    const STUCK: &str = "{{ if .Values.stuck }}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: stuck\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata:\n      labels: {a: b}\n      annotations: {simulation.ferroflux.dev/fail: never-ready}\n    spec: {containers: [{name: c, image: x}]}\n{{ end }}";
    let lab = Lab::start().await;
    let mut settings = controllers::helmrelease::Settings::default();
    settings.gates.cancel_health_check = true;
    let _life = lab.live_on(lab.cluster.clone(), settings);
    let mut files = simple();
    files.push(("templates/stuck.yaml", STUCK));
    lab.chart("1.0.0", &files).await;
    lab.create("demo", json!({"timeout": "1h", "values": {"stuck": true}}))
        .await;
    lab.wait_condition(
        "demo",
        "Reconciling",
        "True",
        "Progressing",
        "Running 'install' action",
    )
    .await;
    lab.wait(&super::lab::deployment(), "stuck", |o| o.is_some())
        .await;
    let mend = json!({"spec": {"values": {"stuck": false}}});
    lab.patch(&release(), "demo", mend).await;
    lab.wait_ready("True", "UpgradeSucceeded", "Helm upgrade succeeded")
        .await;
    let canceled = "HealthCheckCanceled: Health checks canceled due to new reconciliation triggered by HelmRelease/default/demo";
    lab.wait_event("demo", canceled).await;
    lab.wait_gone(&super::lab::deployment(), "stuck").await;
    assert_eq!(lab.records("demo").await, ["1: failed", "2: deployed"]);
}

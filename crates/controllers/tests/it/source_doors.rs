//! Doors that sources go through: client certificates, proxies, transfers that break off or never end.

use objects::{Value, json};
use testkit::githttp::TestPki;
use testkit::helmhttp::HelmHttp;
use testkit::loopback::Fault;
use testkit::ociregistry::OciRegistry;

use crate::sources::{artifact, kind, options, ready, ready_at, request, says, secret, source};
use crate::world::World;

/// A Secret of what a client needs; keys in the list are left out.
fn certificates(name: &str, pki: &TestPki, without: &[&str]) -> Value {
    let mut data = json!({
        "ca.crt": pki.authority,
        "tls.crt": pki.client_certificate,
        "tls.key": pki.client_key,
    });
    for key in without {
        data.as_object_mut().unwrap().remove(*key);
    }
    secret(name, data)
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_repositories_ask_for_client_certificates() {
    let (server, pki) = HelmHttp::start_mutual_tls().await;
    server.add_chart("app", "1.0.0", &[]);
    let (_, other) = HelmHttp::start_mutual_tls().await;
    let world = World::start(options()).await;
    let repository = |certificates: &str| {
        let spec = json!({"url": server.url(), "certSecretRef": {"name": certificates}});
        source("HelmRepository", certificates, spec)
    };
    for (name, pki, without, expected) in [
        ("whole", &pki, &[][..], "True Succeeded"),
        (
            "only-ca",
            &pki,
            &["tls.crt", "tls.key"],
            "False Failed: failed to fetch Helm repository index: failed to cache index to temporary file: Get \"https://",
        ),
        (
            "no-key",
            &pki,
            &["tls.key"],
            "False AuthenticationFailed: failed to construct Helm client's TLS config: secret 'default/no-key': found certificate but missing private key",
        ),
        (
            "stranger",
            &other,
            &[],
            "False Failed: failed to fetch Helm repository index: ",
        ),
    ] {
        world.create(certificates(name, pki, without)).await;
        world.create(repository(name)).await;
        says(&world, "HelmRepository", name, expected).await;
    }
    // Charts are fetched with the same certificates.
    let chart = json!({"chart": "app", "sourceRef": {"kind": "HelmRepository", "name": "whole"}});
    world.create(source("HelmChart", "app", chart)).await;
    ready_at(&world, "HelmChart", "app", "1.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_ask_for_client_certificates() {
    let (server, pki) = OciRegistry::start_mutual_tls().await;
    let digest = server.push_files("org/app", "latest", &[("a", "b")]);
    server.push_chart("charts", "app", "1.0.0", &[]);
    let world = World::start(options()).await;
    world.create(certificates("whole", &pki, &[])).await;
    world
        .create(certificates("only-ca", &pki, &["tls.crt", "tls.key"]))
        .await;
    for certificates in ["whole", "only-ca"] {
        let spec = json!({"url": server.url("org/app"), "certSecretRef": {"name": certificates}});
        world
            .create(source("OCIRepository", certificates, spec))
            .await;
        let spec = json!({
            "url": server.url("charts"), "type": "oci", "certSecretRef": {"name": certificates},
        });
        world
            .create(source("HelmRepository", certificates, spec))
            .await;
        let spec = json!({
            "chart": "app", "version": "1.0.0",
            "sourceRef": {"kind": "HelmRepository", "name": certificates},
        });
        world.create(source("HelmChart", certificates, spec)).await;
    }
    ready_at(
        &world,
        "OCIRepository",
        "whole",
        &format!("latest@{digest}"),
    )
    .await;
    ready_at(&world, "HelmChart", "whole", "1.0.0").await;
    let refused = "False OCIArtifactPullFailed: failed to determine artifact digest: Get \"http";
    says(&world, "OCIRepository", "only-ca", refused).await;
    says(&world, "HelmChart", "only-ca", "False ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_break_off_leave_nothing_half() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let registry = OciRegistry::start().await;
    let digest = registry.push_files("org/app", "latest", &[("a", "b")]);
    registry.push_chart("charts", "app", "1.0.0", &[]);
    let world = World::start(options()).await;
    server.fault("index", Fault::Broken(20), 2);
    server.fault("app-1.0.0", Fault::Broken(50), 2);
    registry.fault("/blobs/", Fault::Broken(10), 4);
    world
        .create(source(
            "HelmRepository",
            "repo",
            json!({"url": server.url()}),
        ))
        .await;
    let chart = json!({"chart": "app", "sourceRef": {"kind": "HelmRepository", "name": "repo"}});
    world.create(source("HelmChart", "app", chart)).await;
    let spec = json!({"url": registry.url("org/app")});
    world.create(source("OCIRepository", "app", spec)).await;
    let whole = ready_at(&world, "HelmChart", "app", "1.0.0").await;
    ready_at(&world, "OCIRepository", "app", &format!("latest@{digest}")).await;
    let store = world.controllers.artifacts();
    let archive = store.read(&artifact(&whole).path).unwrap().unwrap();
    assert_eq!(archive, testkit::charts::pack_chart("app", "1.0.0", &[]));
    for (name, told) in [
        (
            "repo",
            "Failed: failed to fetch Helm repository index: failed to cache index to temporary file: Get \"http",
        ),
        (
            "app",
            "ChartPullError: chart pull error: failed to download chart for remote reference: Get \"http",
        ),
    ] {
        world.wait_event(name, told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_longer_than_its_timeout() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let registry = OciRegistry::start().await;
    let digest = registry.push_files("org/app", "latest", &[("a", "b")]);
    let world = World::start(options()).await;
    let forever = Fault::Slow(std::time::Duration::from_secs(600));
    server.fault("index", forever.clone(), 1);
    registry.fault("/manifests/", forever, 1);
    let spec = json!({"url": server.url(), "timeout": "200ms"});
    world.create(source("HelmRepository", "repo", spec)).await;
    let spec = json!({"url": registry.url("org/app"), "timeout": "200ms"});
    world.create(source("OCIRepository", "app", spec)).await;
    says(&world, "HelmRepository", "repo", "True ").await;
    ready_at(&world, "OCIRepository", "app", &format!("latest@{digest}")).await;
    const LATE: &str = "context deadline exceeded";
    let told = format!("Failed: failed to fetch Helm repository index: {LATE}");
    world.wait_event("repo", &told).await;
    let told = format!(
        "OCIArtifactPullFailed: failed to pull artifact from '{}': {LATE}",
        registry.url("org/app")
    );
    world.wait_event("app", &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_may_go_away_and_come_back() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let world = World::start(options()).await;
    world
        .create(source(
            "HelmRepository",
            "repo",
            json!({"url": server.url()}),
        ))
        .await;
    let before = says(&world, "HelmRepository", "repo", "True ").await;
    let chart = json!({"chart": "app", "sourceRef": {"kind": "HelmRepository", "name": "repo"}});
    world.create(source("HelmChart", "app", chart)).await;
    ready_at(&world, "HelmChart", "app", "1.0.0").await;
    server.fault("", Fault::Status(503), 1000);
    let failed = request(&world, "HelmRepository", "repo", "1").await;
    assert!(
        ready(&failed).contains("503 Service Unavailable"),
        "{}",
        ready(&failed)
    );
    assert_eq!(artifact(&failed), artifact(&before));
    // What was stored serves on.
    let chart = world.get(&kind("HelmChart"), "app").await.unwrap();
    assert!(ready(&chart).starts_with("True "), "{}", ready(&chart));
}

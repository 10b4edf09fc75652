//! HelmRepositories on the embedded server.

use controllers::Options;
use objects::json;
use testkit::helmhttp::HelmHttp;
use testkit::loopback::Fault;

use crate::sources::{
    artifact, condition, gone, kind, options, ready, ready_at, request, revision, says, secret,
    source,
};
use crate::world::World;

const KIND: &str = "HelmRepository";

#[tokio::test(flavor = "multi_thread")]
async fn an_index_becomes_an_artifact_and_follows_the_repository() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let world = World::start(options()).await;
    world
        .create(source(KIND, "repo", json!({"url": server.url()})))
        .await;
    let first = says(
        &world,
        KIND,
        "repo",
        "True Succeeded: stored artifact: revision 'sha256:",
    )
    .await;
    let stored = artifact(&first);
    let hex = stored.revision.trim_start_matches("sha256:");
    assert_eq!(
        stored.path,
        format!("helmrepository/default/repo/index-{hex}.yaml")
    );
    assert_eq!(
        first.str_at(&["status", "url"]),
        "http://store/helmrepository/default/repo/index.yaml"
    );
    let store = world.controllers.artifacts();
    let text = store.read(&stored.path).unwrap().unwrap();
    let index: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(index["entries"]["app"][0]["version"], "1.0.0");
    let linked = store
        .read("helmrepository/default/repo/index.yaml")
        .unwrap();
    assert_eq!(linked, Some(text));

    server.add_chart("app", "1.1.0", &[]);
    let second = request(&world, KIND, "repo", "1").await;
    assert_ne!(revision(&second), revision(&first));
    let third = request(&world, KIND, "repo", "2").await;
    assert_eq!(revision(&second), revision(&third));
    for stored in [&first, &second] {
        let size = artifact(stored).size.unwrap();
        let told = format!("NewArtifact: stored fetched index of size {size}B from ");
        world.wait_event("repo", &told).await;
    }

    world.delete(&kind(KIND), "repo").await;
    gone(&world, KIND, "repo").await;
    assert!(!store.exists(&artifact(&third)));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_and_mended() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let world = World::start(options()).await;
    let url = server.url();
    const FETCH: &str =
        "failed to fetch Helm repository index: failed to cache index to temporary file:";
    server.fault("index", Fault::Status(404), 1);
    world
        .create(source(KIND, "repo", json!({"url": url})))
        .await;
    let index = format!("{url}/index.yaml");
    let text = format!("False Failed: {FETCH} failed to fetch {index} : 404 Not Found");
    says(&world, KIND, "repo", &text).await;
    says(&world, KIND, "repo", "True Succeeded").await;

    server.set_index(Some(b"not: an index\n".to_vec()));
    let text = "False IndexationFailed: failed to load Helm repository from index YAML: failed to load index: ";
    let object = request(&world, KIND, "repo", "1").await;
    assert!(ready(&object).starts_with(text), "{}", ready(&object));
    assert!(condition(&object, "ArtifactInStorage").is_some());
    server.set_index(None);
    says(&world, KIND, "repo", "True Succeeded").await;

    server.fault("index", Fault::RedirectLoop, 11);
    let object = request(&world, KIND, "repo", "2").await;
    assert!(
        ready(&object).contains("stopped after 10 redirects"),
        "{}",
        ready(&object)
    );
    says(&world, KIND, "repo", "True Succeeded").await;

    world
        .create(source(
            KIND,
            "registry",
            json!({"url": "oci://127.0.0.1:1/charts"}),
        ))
        .await;
    let object = says(&world, KIND, "registry", "False URLInvalid: invalid Helm repository URL: 'oci' URL scheme cannot be used with 'default' HelmRepository type").await;
    assert!(condition(&object, "Stalled").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_beyond_the_bound_is_refused() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let mut options = options();
    options.sources.index_bytes_max = 100;
    let world = World::start(options).await;
    world
        .create(source(KIND, "repo", json!({"url": server.url()})))
        .await;
    says(&world, KIND, "repo", "False Failed: failed to fetch Helm repository index: failed to cache index to temporary file: index exceeds the maximum index file size of 100 bytes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_open_repositories_as_soon_as_they_are_there() {
    let (server, authority) = HelmHttp::start_tls().await;
    server.add_chart("app", "1.0.0", &[]);
    server.require("u", "p");
    let world = World::start(options()).await;
    let spec = json!({
        "url": server.url(),
        "secretRef": {"name": "login"},
        "certSecretRef": {"name": "tls"},
    });
    world.create(source(KIND, "repo", spec)).await;
    says(&world, KIND, "repo", "False AuthenticationFailed: failed to get TLS authentication secret 'default/tls': secrets \"tls\" not found").await;
    world
        .create(secret("tls", json!({"ca.crt": authority})))
        .await;
    says(&world, KIND, "repo", "False AuthenticationFailed: failed to get authentication secret 'default/login': secrets \"login\" not found").await;
    world
        .create(secret("login", json!({"username": "u"})))
        .await;
    says(&world, KIND, "repo", "False AuthenticationFailed: failed to detect authentication methods: secret 'default/login': malformed basic auth").await;
    let gvk = objects::Gvk::new("", "v1", "Secret");
    world
        .patch(&gvk, "login", json!({"stringData": {"password": "p"}}))
        .await;
    says(&world, KIND, "repo", "True Succeeded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_in_registries_are_static() {
    let world = World::start(options()).await;
    let spec = json!({"url": "oci://127.0.0.1:1/charts", "type": "oci"});
    world.create(source(KIND, "repo", spec)).await;
    // A repository that turns static loses status, artifact and finalizer.
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    world
        .create(source(KIND, "turning", json!({"url": server.url()})))
        .await;
    let before = says(&world, KIND, "turning", "True Succeeded").await;
    world
        .patch(&kind(KIND), "turning", json!({"spec": {"type": "oci"}}))
        .await;
    let after = world
        .wait(&kind(KIND), "turning", |object| {
            object.finalizers().is_empty()
        })
        .await;
    assert!(after.get(&["status", "conditions"]).is_none(), "{after:?}");
    assert!(!world.controllers.artifacts().exists(&artifact(&before)));
    let object = world.get(&kind(KIND), "repo").await.unwrap();
    assert!(object.finalizers().is_empty());
    assert!(object.get(&["status", "conditions"]).is_none());
    world.delete(&kind(KIND), "repo").await;
    gone(&world, KIND, "repo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_writes_nothing() {
    let server = HelmHttp::start().await;
    server.add_chart("app", "1.0.0", &[]);
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        storage: Some(directory.path().to_owned()),
        ..options()
    };
    let mut world = World::start(options()).await;
    world
        .create(source(KIND, "repo", json!({"url": server.url()})))
        .await;
    let chart = json!({"chart": "app", "sourceRef": {"kind": KIND, "name": "repo"}});
    world.create(source("HelmChart", "chart", chart)).await;
    ready_at(&world, "HelmChart", "chart", "1.0.0").await;
    world.controllers.stop().await;
    let before = world.get(&kind(KIND), "repo").await.unwrap();
    let chart_before = world.get(&kind("HelmChart"), "chart").await.unwrap();
    server.take_log();
    world.controllers = controllers::start(world.cluster.clone(), options())
        .await
        .unwrap();
    // The object created last is looked at last.
    let other = json!({"chart": "app", "sourceRef": {"kind": KIND, "name": "repo"}});
    world.create(source("HelmChart", "other", other)).await;
    ready_at(&world, "HelmChart", "other", "1.0.0").await;
    while server.take_log().iter().all(|line| !line.contains("index")) {
        tokio::task::yield_now().await;
    }
    world.controllers.stop().await;
    let after = world.get(&kind(KIND), "repo").await.unwrap();
    assert_eq!(before.resource_version(), after.resource_version());
    let chart_after = world.get(&kind("HelmChart"), "chart").await.unwrap();
    assert_eq!(
        chart_before.resource_version(),
        chart_after.resource_version()
    );
    // Upstream's layout on disk.
    let place = directory.path().join("helmrepository/default/repo");
    assert!(
        place
            .join("index.yaml")
            .symlink_metadata()
            .unwrap()
            .is_symlink()
    );
}

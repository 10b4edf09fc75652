//! OCIRepositories on the embedded server.

use controllers::Options;
use filetree::FileTree;
use objects::{Gvk, Value, json};
use testkit::charts::{pack_chart, pack_files};
use testkit::loopback::Fault;
use testkit::ociregistry::{Image, OciRegistry};

use crate::sources::{
    artifact, condition, gone, kind, options, ready, ready_at, request, says, secret, source,
};
use crate::stage::until;
use crate::world::World;

const KIND: &str = "OCIRepository";

fn spec(server: &OciRegistry, more: Value) -> Value {
    let mut spec = json!({"url": server.url("org/app")});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_are_pulled_by_tag_range_and_digest() {
    let server = OciRegistry::start().await;
    let files = [("a.yaml", "one"), ("b.png", "left out")];
    let first = server.push_files("org/app", "1.0.0", &files);
    let latest = server.push_files("org/app", "latest", &[("a.yaml", "latest")]);
    let world = World::start(options()).await;
    for (name, reference) in [
        ("latest", json!({})),
        ("tag", json!({"ref": {"tag": "1.0.0"}})),
        ("range", json!({"ref": {"semver": "1.x"}})),
        (
            "digest",
            json!({"ref": {"digest": first, "tag": "ignored"}}),
        ),
    ] {
        world
            .create(source(KIND, name, spec(&server, reference)))
            .await;
    }
    ready_at(&world, KIND, "latest", &format!("latest@{latest}")).await;
    let tag = format!("1.0.0@{first}");
    let object = ready_at(&world, KIND, "tag", &tag).await;
    assert_eq!(
        ready(&object),
        format!("True Succeeded: stored artifact for digest '{tag}'")
    );
    ready_at(&world, KIND, "range", &tag).await;
    let by_digest = ready_at(&world, KIND, "digest", &first).await;
    let kept = artifact(&by_digest);
    assert_eq!(
        kept.path,
        format!("ocirepository/default/digest/{first}.tar.gz")
    );
    assert_eq!(
        kept.metadata["org.opencontainers.image.source"],
        "https://example.com/repo.git"
    );
    assert_eq!(
        by_digest.str_at(&["status", "url"]),
        "http://store/ocirepository/default/digest/latest.tar.gz"
    );
    let store = world.controllers.artifacts();
    let tree = store.tree(&kept).unwrap();
    assert_eq!(&*tree.read("a.yaml").unwrap(), b"one");
    assert!(tree.read("b.png").is_err());
    let event = format!(
        "NewArtifact: stored artifact with revision '{tag}' from '{}', origin source 'https://example.com/repo.git', origin revision 'main@sha1:0123456789012345678901234567890123456789'",
        server.url("org/app")
    );
    world.wait_event("tag", &event).await;

    let second = server.push_files("org/app", "1.1.0", &[("a.yaml", "two")]);
    let object = request(&world, KIND, "range", "1").await;
    assert_eq!(artifact(&object).revision, format!("1.1.0@{second}"));
    // Nothing but the digest is asked for when nothing changed.
    server.take_log();
    request(&world, KIND, "range", "2").await;
    let log = server.take_log();
    assert!(!log.iter().any(|line| line.contains("/blobs/")), "{log:?}");

    let patch = json!({"spec": {"ignore": "a.yaml\n!b.png"}});
    world.patch(&kind(KIND), "tag", patch).await;
    world
        .wait(&kind(KIND), "tag", |object| {
            object
                .str_at(&["status", "observedIgnore"])
                .starts_with("a.yaml")
                && ready(object).starts_with("True")
        })
        .await;
    let tree = store
        .tree(&artifact(&world.get(&kind(KIND), "tag").await.unwrap()))
        .unwrap();
    assert!(tree.read("a.yaml").is_err());
    assert!(tree.read("b.png").is_ok());
    world.delete(&kind(KIND), "digest").await;
    gone(&world, KIND, "digest").await;
    assert!(!store.exists(&kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_chosen_and_copied() {
    let server = OciRegistry::start().await;
    let archive = pack_chart("app", "1.0.0", &[]);
    let digest = server.push_chart_archive("org", "app", "1.0.0+build", archive.clone());
    let world = World::start(options()).await;
    let media_type = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
    let more = json!({
        "ref": {"semver": ">=1.0.0"},
        "layerSelector": {"mediaType": media_type, "operation": "copy"},
    });
    world
        .create(source(KIND, "chart", spec(&server, more)))
        .await;
    let object = ready_at(&world, KIND, "chart", &format!("1.0.0_build@{digest}")).await;
    let kept = artifact(&object);
    let bytes = world
        .controllers
        .artifacts()
        .read(&kept.path)
        .unwrap()
        .unwrap();
    assert_eq!(&bytes[..], archive);
    assert_eq!(kept.size, Some(archive.len() as i64));
    let more = json!({"ref": {"tag": "1.0.0_build"}, "layerSelector": {"mediaType": "x/y"}});
    world
        .create(source(KIND, "missing", spec(&server, more)))
        .await;
    says(&world, KIND, "missing", "False OCIArtifactLayerOperationFailed: failed to find layer with media type 'x/y' in artifact").await;
    server.push("org/app", "bare", &Image::default());
    let more = json!({"ref": {"tag": "bare"}});
    world
        .create(source(KIND, "bare", spec(&server, more)))
        .await;
    says(
        &world,
        KIND,
        "bare",
        "False OCIArtifactLayerOperationFailed: no layers found in artifact",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_service_accounts_open_registries() {
    let server = OciRegistry::start().await;
    let digest = server.push_files("org/app", "latest", &[("a", "b")]);
    server.require_token("u", "p");
    let world = World::start(options()).await;
    let by_secret = spec(&server, json!({"secretRef": {"name": "login"}}));
    world.create(source(KIND, "secret", by_secret)).await;
    let by_account = spec(&server, json!({"serviceAccountName": "puller"}));
    world.create(source(KIND, "account", by_account)).await;
    world
        .create(source(KIND, "nobody", spec(&server, json!({}))))
        .await;
    says(&world, KIND, "secret", "False AuthenticationFailed: failed to get credential: failed to get secret 'default/login': secrets \"login\" not found").await;
    says(&world, KIND, "account", "False AuthenticationFailed: failed to get credential: serviceaccount 'default/puller' not found").await;
    let object = says(
        &world,
        KIND,
        "nobody",
        "False OCIArtifactPullFailed: failed to determine artifact digest: GET http://",
    )
    .await;
    assert!(
        ready(&object).ends_with("UNAUTHORIZED: incorrect username or password"),
        "{}",
        ready(&object)
    );
    let config = json!({"auths": {server.address(): {"auth": "dTpw"}}});
    let mut login = secret("login", json!({".dockerconfigjson": config.to_string()}));
    login["type"] = json!("kubernetes.io/dockerconfigjson");
    world.create(login).await;
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "puller", "namespace": "default"},
        "imagePullSecrets": [{"name": "login"}],
    });
    world.create(account).await;
    let revision = format!("latest@{digest}");
    ready_at(&world, KIND, "secret", &revision).await;
    request(&world, KIND, "account", "1").await;
    ready_at(&world, KIND, "account", &revision).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_insecure_registries() {
    let (server, authority) = OciRegistry::start_tls().await;
    let digest = server.push_files("org/app", "latest", &[("a", "b")]);
    let revision = format!("latest@{digest}");
    let world = World::start(options()).await;
    let more = json!({"certSecretRef": {"name": "tls"}});
    world.create(source(KIND, "tls", spec(&server, more))).await;
    let text = format!(
        "False AuthenticationFailed: failed to generate transport for '{}': secret 'default/tls' not found",
        server.url("org/app")
    );
    says(&world, KIND, "tls", &text).await;
    world
        .create(secret("tls", json!({"ca.crt": authority})))
        .await;
    ready_at(&world, KIND, "tls", &revision).await;
    let more = json!({"insecure": true});
    world
        .create(source(KIND, "insecure", spec(&server, more)))
        .await;
    ready_at(&world, KIND, "insecure", &revision).await;
    world
        .create(source(KIND, "neither", spec(&server, json!({}))))
        .await;
    says(
        &world,
        KIND,
        "neither",
        "False OCIArtifactPullFailed: failed to determine artifact digest: Get \"http",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_and_mended() {
    let server = OciRegistry::start().await;
    let world = World::start(options()).await;
    let url = server.url("org/app");
    world
        .create(source(KIND, "late", spec(&server, json!({}))))
        .await;
    let text = format!(
        "False OCIArtifactPullFailed: failed to determine artifact digest: GET http://{}/v2/org/app/manifests/latest: NAME_UNKNOWN: Unknown name",
        server.address()
    );
    says(&world, KIND, "late", &text).await;
    let digest = server.push_files("org/app", "latest", &[("a", "b")]);
    let revision = format!("latest@{digest}");
    ready_at(&world, KIND, "late", &revision).await;

    let digest_of_nothing = format!("sha256:{}", "0".repeat(64));
    let archive = pack_files(&[("../../etc/x", b"x")]);
    let image = Image {
        layers: vec![("application/x".into(), archive)],
        ..Image::default()
    };
    server.push("org/app", "traversal", &image);
    let image = Image {
        layers: vec![("application/x".into(), b"no archive".to_vec())],
        ..Image::default()
    };
    server.push("org/app", "junk", &image);
    const LAYER: &str =
        "False OCIArtifactLayerOperationFailed: failed to extract layer contents from artifact: ";
    for (name, more, expected, stalls) in [
        ("range", json!({"ref": {"semver": "9.x"}}), format!("False ReadOperationFailed: failed to determine the artifact tag for '{url}': no match found for semver: 9.x"), false),
        ("bad-range", json!({"ref": {"semver": "a b"}}), format!("False ReadOperationFailed: failed to determine the artifact tag for '{url}': semver 'a b' parse error: "), false),
        ("digest", json!({"ref": {"digest": digest_of_nothing}}), format!("False OCIArtifactPullFailed: failed to pull artifact from '{url}': GET http://"), false),
        ("tagged", json!({"url": format!("{url}:v1")}), format!("False URLInvalid: URL validation failed for '{url}:v1': "), true),
        ("traversal", json!({"ref": {"tag": "traversal"}}), LAYER.to_owned(), false),
        ("junk", json!({"ref": {"tag": "junk"}}), LAYER.to_owned(), false),
        ("verify", json!({"verify": {"provider": "cosign"}}), "False VerificationError: failed to verify the signature using provider 'cosign keyless': ".to_owned(), true),
        ("cloud", json!({"provider": "aws"}), "False InvalidProviderConfiguration: authentication by provider 'aws' is not supported yet".to_owned(), true),
        ("proxy", json!({"proxySecretRef": {"name": "nope"}}), "False AuthenticationFailed: failed to get proxy address: secret 'default/nope' not found".to_owned(), false),
    ] {
        world.create(source(KIND, name, spec(&server, more))).await;
        let object = says(&world, KIND, name, &expected).await;
        assert_eq!(condition(&object, "Stalled").is_some(), stalls, "{name}");
        assert!(object.get(&["status", "artifact"]).is_none(), "{name}");
    }

    // A registry that lies or fails loses nothing, and is believed again when it stops.
    let newer = server.push_files("org/app", "latest", &[("a", "c")]);
    for fault in [
        Fault::WrongContent,
        Fault::Cut(3),
        Fault::Status(429),
        Fault::RedirectLoop,
    ] {
        let times = if fault == Fault::RedirectLoop { 11 } else { 1 };
        server.fault("/blobs/", fault, times);
    }
    request(&world, KIND, "late", "1").await;
    ready_at(&world, KIND, "late", &format!("latest@{newer}")).await;
    let gvk = Gvk::new("", "v1", "Event");
    assert!(world.cluster.resolve(&gvk).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_writes_nothing_and_a_lost_file_comes_back() {
    let server = OciRegistry::start().await;
    let digest = server.push_files("org/app", "latest", &[("a", "b")]);
    let revision = format!("latest@{digest}");
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        storage: Some(directory.path().to_owned()),
        ..options()
    };
    let mut world = World::start(options()).await;
    world
        .create(source(KIND, "app", spec(&server, json!({}))))
        .await;
    let before = ready_at(&world, KIND, "app", &revision).await;
    world.controllers.stop().await;
    server.take_log();
    world.controllers = controllers::start(world.cluster.clone(), options())
        .await
        .unwrap();
    world
        .create(source(KIND, "other", spec(&server, json!({}))))
        .await;
    ready_at(&world, KIND, "other", &revision).await;
    world.controllers.stop().await;
    let after = world.get(&kind(KIND), "app").await.unwrap();
    assert_eq!(before.resource_version(), after.resource_version());

    let kept = artifact(&before);
    std::fs::remove_file(directory.path().join(&kept.path)).unwrap();
    world.controllers = controllers::start(world.cluster.clone(), options())
        .await
        .unwrap();
    let artifacts = world.controllers.artifacts();
    until("the artifact is stored again", || artifacts.exists(&kept)).await;
    ready_at(&world, KIND, "app", &revision).await;
}

//! GitRepositories on the embedded server.

use std::path::Path;

use controllers::Options;
use filetree::FileTree;
use git::LocalAccess;
use objects::{Gvk, Object, Value, json};
use testkit::githttp::GitHttp;
use testkit::gitrepo::GitRepo;

use crate::world::World;

fn kind() -> Gvk {
    Gvk::new("source.toolkit.fluxcd.io", "v1", "GitRepository")
}

fn options() -> Options {
    Options {
        local_access: LocalAccess::Allowed,
        ..Options::default()
    }
}

fn repository(name: &str, url: &str, extra: Value) -> Value {
    let mut spec = json!({"url": url, "interval": "1h", "ref": {"branch": "main"}});
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn condition<'a>(object: &'a Object, type_: &str) -> Option<&'a Value> {
    let list = object.get(&["status", "conditions"])?.as_array()?;
    list.iter().find(|condition| condition["type"] == type_)
}

fn is_at(id: &str) -> impl Fn(&Object) -> bool {
    let revision = format!("main@sha1:{id}");
    move |object| {
        object.str_at(&["status", "artifact", "revision"]) == revision
            && condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
    }
}

fn fails_with(reason: &str) -> impl Fn(&Object) -> bool {
    move |object| {
        condition(object, "Ready")
            .is_some_and(|ready| ready["status"] == "False" && ready["reason"] == reason)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_become_artifacts_and_deletion_removes_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(dir.path());
    let first = repo.commit_files(&[("a.yaml", "one"), ("b.png", "left out")]);
    let world = World::start(options()).await;
    world
        .create(repository("podinfo", &url(dir.path()), json!({})))
        .await;
    let object = world.wait(&kind(), "podinfo", is_at(&first)).await;
    assert_eq!(
        object.get(&["status", "observedGeneration"]),
        Some(&json!(1))
    );
    assert_eq!(object.finalizers(), ["finalizers.fluxcd.io"]);
    let artifact: api::Artifact =
        serde_json::from_value(object.get(&["status", "artifact"]).unwrap().clone()).unwrap();
    assert_eq!(
        artifact.path,
        format!("gitrepository/default/podinfo/{first}.tar.gz")
    );
    let store = world.controllers.artifacts();
    let tree = store.tree(&artifact).unwrap();
    assert_eq!(&*tree.read("a.yaml").unwrap(), b"one");
    assert!(tree.read("b.png").is_err());
    let served = reqwest_get(&artifact.url).await;
    assert_eq!(served.len() as i64, artifact.size.unwrap());

    // The commit is noticed on disk: the interval is an hour.
    let second = repo.commit_files(&[("a.yaml", "two")]);
    let object = world.wait(&kind(), "podinfo", is_at(&second)).await;
    assert!(condition(&object, "Reconciling").is_none());
    assert!(condition(&object, "ArtifactOutdated").is_none());
    repo.pack();
    repo.switch("other", None).commit_files(&[("x", "y")]);
    let third = repo
        .switch("main", Some(&second))
        .commit_files(&[("c.yaml", "3")]);
    world.wait(&kind(), "podinfo", is_at(&third)).await;

    world.delete(&kind(), "podinfo").await;
    world.wait_gone(&kind(), "podinfo").await;
    assert!(!store.exists(&artifact));
    let event = "NewArtifact: stored artifact for commit 'change files'";
    world.wait_event("podinfo", event).await;
}

async fn reqwest_get(url: &str) -> Vec<u8> {
    use http_body_util::BodyExt;
    let address = url.strip_prefix("http://").unwrap();
    let (host, path) = address.split_once('/').unwrap();
    let stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("/{path}"))
        .header("host", host)
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("repo");
    let world = World::start(options()).await;
    world
        .create(repository("late", &url(&place), json!({})))
        .await;
    let object = world
        .wait(&kind(), "late", fails_with("GitOperationFailed"))
        .await;
    let message = condition(&object, "FetchFailed").unwrap()["message"].clone();
    let expected = format!(
        "failed to checkout and determine revision: unable to clone '{}': repository not found: {}",
        url(&place),
        place.display()
    );
    assert_eq!(message, json!(expected));
    let mut repo = GitRepo::init(&place);
    let object = world
        .wait(&kind(), "late", fails_with("EmptyGitRepository"))
        .await;
    assert_eq!(
        condition(&object, "Ready").unwrap()["message"],
        "git repository is empty"
    );
    let id = repo.commit_files(&[("a.yaml", "1")]);
    let object = world.wait(&kind(), "late", is_at(&id)).await;
    assert!(condition(&object, "FetchFailed").is_none());

    world
        .create(repository("ssh", "ssh://git@host/repo", json!({})))
        .await;
    let object = world
        .wait(&kind(), "ssh", fails_with("AuthenticationFailed"))
        .await;
    assert_eq!(
        condition(&object, "Ready").unwrap()["message"],
        "failed to configure authentication options: invalid 'ssh' auth option: 'identity' is required"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn spec_changes_requests_and_suspension_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(dir.path());
    let first = repo.commit_files(&[("a.yaml", "1"), ("docs/b.md", "2")]);
    let world = World::start(options()).await;
    world
        .create(repository("r", &url(dir.path()), json!({})))
        .await;
    let before = world.wait(&kind(), "r", is_at(&first)).await;

    world
        .patch(&kind(), "r", json!({"spec": {"ignore": "docs/"}}))
        .await;
    let after = world
        .wait(&kind(), "r", |object| {
            object.get(&["status", "observedGeneration"]) == Some(&json!(2))
        })
        .await;
    let digest = |object: &Object| object.str_at(&["status", "artifact", "digest"]).to_owned();
    assert_ne!(digest(&before), digest(&after));
    assert_eq!(after.str_at(&["status", "observedIgnore"]), "docs/");

    let request = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "x"}}});
    world.patch(&kind(), "r", request).await;
    world
        .wait(&kind(), "r", |object| {
            object.str_at(&["status", "lastHandledReconcileAt"]) == "x"
        })
        .await;

    world
        .patch(&kind(), "r", json!({"spec": {"suspend": true}}))
        .await;
    world
        .wait(&kind(), "r", |object| {
            object.get(&["status", "observedGeneration"]) == Some(&json!(3))
        })
        .await;
    let second = repo.commit_files(&[("a.yaml", "3")]);
    world
        .patch(&kind(), "r", json!({"spec": {"suspend": false}}))
        .await;
    world.wait(&kind(), "r", is_at(&second)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_that_disappear_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (place, aside) = (dir.path().join("repo"), dir.path().join("aside"));
    let mut repo = GitRepo::init(&place);
    let id = repo.commit_files(&[("a.yaml", "1")]);
    let server = GitHttp::start().await;
    server.publish("/r", &repo);
    let world = World::start(options()).await;
    world
        .create(repository("disk", &url(&place), json!({})))
        .await;
    world
        .create(repository(
            "net",
            &server.url("/r"),
            json!({"interval": "1s"}),
        ))
        .await;
    world.wait(&kind(), "disk", is_at(&id)).await;
    world.wait(&kind(), "net", is_at(&id)).await;

    std::fs::rename(&place, &aside).unwrap();
    server.withdraw("/r");
    let request = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "x"}}});
    world.patch(&kind(), "disk", request.clone()).await;
    world.patch(&kind(), "net", request).await;
    for name in ["disk", "net"] {
        let object = world
            .wait(&kind(), name, fails_with("GitOperationFailed"))
            .await;
        let message = condition(&object, "FetchFailed").unwrap()["message"].clone();
        assert!(
            message.as_str().unwrap().contains("repository not found"),
            "{message}"
        );
        // The artifact stays: consumers go on with what they have.
        assert!(object.get(&["status", "artifact"]).is_some());
    }
    std::fs::rename(&aside, &place).unwrap();
    server.publish("/r", &repo);
    for name in ["disk", "net"] {
        let object = world.wait(&kind(), name, is_at(&id)).await;
        assert!(condition(&object, "FetchFailed").is_none());
    }
    let recovered = "Succeeded: stored artifact for commit ";
    world.wait_event("disk", recovered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_is_told_and_old_artifacts_go() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    std::fs::create_dir(&storage).unwrap();
    // A file where the directory of all GitRepositories belongs.
    std::fs::write(storage.join("gitrepository"), "").unwrap();
    let mut repo = GitRepo::init(&dir.path().join("repo"));
    let first = repo.commit_files(&[("a.yaml", "1")]);
    let world = World::start(Options {
        storage: Some(storage.clone()),
        ..options()
    })
    .await;
    world
        .create(repository("r", &url(repo.path()), json!({})))
        .await;
    let failed = world
        .wait(&kind(), "r", fails_with("DirectoryCreationFailed"))
        .await;
    assert!(condition(&failed, "StorageOperationFailed").is_some());
    std::fs::remove_file(storage.join("gitrepository")).unwrap();
    world.wait(&kind(), "r", is_at(&first)).await;
    for number in 2..6 {
        let id = repo.commit_files(&[("a.yaml", &number.to_string())]);
        world.wait(&kind(), "r", is_at(&id)).await;
    }
    // Two records, and the one stored after the last collection unless another pass came after it.
    let left = std::fs::read_dir(storage.join("gitrepository/default/r")).unwrap();
    assert!(left.count() <= 3);
    assert!(
        !storage
            .join(format!("gitrepository/default/r/{first}.tar.gz"))
            .exists()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn uncommitted_files_are_followed_in_work_trees_and_plain_directories() {
    for with_git in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        if with_git {
            GitRepo::init(&root).commit_files(&[("a.yaml", "1")]);
        } else {
            std::fs::write(root.join("a.yaml"), "1").unwrap();
        }
        let world = World::start(Options {
            work_trees: vec![root.clone()],
            ..options()
        })
        .await;
        world.create(repository("r", &url(&root), json!({}))).await;
        let revision = |object: &Object| {
            object
                .str_at(&["status", "artifact", "revision"])
                .to_owned()
        };
        let first = world.wait(&kind(), "r", |o| !revision(o).is_empty()).await;
        std::fs::write(root.join("a.yaml"), "2").unwrap();
        let changed = |object: &Object| {
            let artifact = object.get(&["status", "artifact"]).cloned();
            let artifact: Option<api::Artifact> =
                artifact.and_then(|a| serde_json::from_value(a).ok());
            artifact.is_some_and(|artifact| {
                let tree = world.controllers.artifacts().tree(&artifact);
                tree.is_ok_and(|tree| tree.read("a.yaml").is_ok_and(|text| *text == *b"2"))
            })
        };
        let second = world.wait(&kind(), "r", changed).await;
        assert_ne!(revision(&first), revision(&second));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn included_repositories_are_copied_in_and_followed() {
    let dir = tempfile::tempdir().unwrap();
    let mut inner = GitRepo::init(&dir.path().join("inner"));
    let mut outer = GitRepo::init(&dir.path().join("outer"));
    let id = outer.commit_files(&[("a.yaml", "outer")]);
    let world = World::start(options()).await;
    let include = json!({"include": [{"repository": {"name": "inner"}, "fromPath": "deploy", "toPath": "lib"}]});
    world
        .create(repository("outer", &url(outer.path()), include))
        .await;
    let object = world.wait(&kind(), "outer", fails_with("NotFound")).await;
    assert!(condition(&object, "IncludeUnavailable").is_some());
    inner.commit_files(&[("deploy/x.yaml", "1")]);
    world
        .create(repository("inner", &url(inner.path()), json!({})))
        .await;
    let first = world.wait(&kind(), "outer", is_at(&id)).await;
    inner.commit_files(&[("deploy/x.yaml", "2")]);
    let digest = |object: &Object| object.str_at(&["status", "artifact", "digest"]).to_owned();
    let second = world
        .wait(&kind(), "outer", |object| {
            is_at(&id)(object) && digest(object) != digest(&first)
        })
        .await;
    let artifact: api::Artifact =
        serde_json::from_value(second.get(&["status", "artifact"]).unwrap().clone()).unwrap();
    let tree = world.controllers.artifacts().tree(&artifact).unwrap();
    assert_eq!(&*tree.read("lib/x.yaml").unwrap(), b"2");
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_repositories_use_their_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init_bare(dir.path());
    let id = repo.commit_files(&[("a.yaml", "1")]);
    let server = GitHttp::start().await;
    server.publish("/r", &repo);
    server.require("Basic dTpw");
    let world = World::start(Options::default()).await;
    let extra = json!({"secretRef": {"name": "login"}});
    world
        .create(repository("r", &server.url("/r"), extra))
        .await;
    let object = world
        .wait(&kind(), "r", fails_with("AuthenticationFailed"))
        .await;
    assert_eq!(
        condition(&object, "Ready").unwrap()["message"],
        "failed to get secret 'default/login': failed to get secret 'default/login': secrets \"login\" not found"
    );
    world
        .create(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "login", "namespace": "default"},
            "data": {"username": "dQ==", "password": "cA=="},
        }))
        .await;
    world.wait(&kind(), "r", is_at(&id)).await;
    world
        .create(repository("local", &url(dir.path()), json!({})))
        .await;
    let object = world
        .wait(&kind(), "local", fails_with("GitOperationFailed"))
        .await;
    assert!(condition(&object, "Stalled").is_some());
}

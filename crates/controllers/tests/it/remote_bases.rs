//! Kustomizations whose bases and files lie behind URLs, over a loopback Git server.

use std::sync::Arc;

use controllers::kustomization::remote_bases::RemoteBases;
use filetree::MemoryTree;
use git::LocalAccess;
use kustomize::{BuildOptions, Fault, RemoteResolver};
use testkit::githttp::GitHttp;
use testkit::gitrepo::GitRepo;
use tokio::runtime::Handle;

fn config(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// A repository with a base that changed after its tag; returns the commit behind the tag.
fn publish(server: &GitHttp, folder: &std::path::Path) -> String {
    let mut repo = GitRepo::init(folder);
    let first = repo.commit_files(&[
        (
            "base/kustomization.yaml",
            "resources: [a.yaml, ../shared]\n",
        ),
        ("base/a.yaml", &config("first")),
        ("shared/kustomization.yaml", "resources: [s.yaml]\n"),
        ("shared/s.yaml", &config("shared")),
        ("out/kustomization.yaml", "resources: [../../etc]\n"),
    ]);
    repo.tag("v1", &first);
    repo.commit_files(&[
        ("base/a.yaml", &config("second")),
        (
            "kustomization.yaml",
            "namePrefix: root-\nresources: [base]\n",
        ),
    ]);
    server.publish("/org/repo", &repo);
    first
}

/// Builds a kustomization over these resources; returns the printed objects or the error with its kind.
async fn build(resources: &[String]) -> Result<String, (Fault, String)> {
    build_with(resources, "").await
}

async fn build_with(resources: &[String], more: &str) -> Result<String, (Fault, String)> {
    let mut tree = MemoryTree::new();
    let file = format!("resources: {}\n{more}", serde_json::json!(resources));
    tree.insert("kustomization.yaml", file.into_bytes())
        .unwrap();
    let git = Arc::new(git::Client::new(LocalAccess::Denied));
    let remote = RemoteBases::new(git, Arc::default(), Handle::current());
    let task = tokio::task::spawn_blocking(move || {
        let options = BuildOptions {
            remote: Some(&remote as &dyn RemoteResolver),
            ..BuildOptions::controller()
        };
        let output = kustomize::build(&tree, "", &options).and_then(|output| output.to_yaml());
        assert!(remote.was_used());
        output.map_err(|error| (error.fault(), error.to_string()))
    });
    task.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bases_come_at_the_revision_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = GitHttp::start().await;
    let first = publish(&server, folder.path());
    let base = server.url("/org/repo//base");
    for (query, name) in [
        ("", "second"),
        ("?ref=v1", "first"),
        ("?version=main", "second"),
        (&format!("?ref={first}&timeout=1m"), "first"),
    ] {
        let built = build(&[format!("{base}{query}")]).await.unwrap();
        let expected = format!("{}---\n{}", config(name), config("shared"));
        assert_eq!(built, expected, "{query}");
    }
    let root = build(&[server.url("/org/repo")]).await.unwrap();
    assert!(root.contains("name: root-second"), "{root}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_is_fetched_once_for_a_build_and_named_as_origin() {
    let folder = tempfile::tempdir().unwrap();
    let server = GitHttp::start().await;
    publish(&server, folder.path());
    server.take_log();
    let urls = [
        format!("{}?ref=v1", server.url("/org/repo//shared")),
        format!(
            "{}?ref=v1",
            server.url("/org/repo/out/../base/../shared/../nothing")
        ),
    ];
    let built = build_with(&urls[..1], "buildMetadata: [originAnnotations]\n").await;
    let built = built.unwrap();
    let origin = format!(
        "      path: shared/s.yaml\n      repo: {}\n      ref: v1\n",
        server.url("/org/repo")
    );
    assert!(built.contains(&origin), "{built}");
    server.take_log();
    let error = build(&urls).await.unwrap_err();
    assert!(error.1.contains("nothing"), "{error:?}");
    let fetches = server.take_log();
    let packs = fetches
        .iter()
        .filter(|line| line.starts_with("POST"))
        .count();
    // One listing of references and one pack.
    assert_eq!(packs, 2, "{fetches:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_had_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = GitHttp::start().await;
    publish(&server, folder.path());
    let local = format!("file://{}//base", folder.path().display());
    for (url, fault, words) in [
        (
            server.url("/file.yaml"),
            Fault::Http,
            "HTTP Error: status code 404 (Not Found)",
        ),
        (
            server.url("/org/none//x"),
            Fault::Remote,
            "URL is a git repository",
        ),
        (
            format!("{}?ref=v9", server.url("/org/repo//base")),
            Fault::Remote,
            "couldn't find remote ref \"v9\"",
        ),
        (
            server.url("/org/repo//out"),
            Fault::Outside,
            "security; file '../../etc' is not in or below",
        ),
        (local, Fault::Remote, "local"),
    ] {
        let (kind, message) = build(std::slice::from_ref(&url)).await.unwrap_err();
        assert!(message.contains(words), "{url}: {message}");
        assert_eq!(kind, fault, "{url}: {message}");
    }
}

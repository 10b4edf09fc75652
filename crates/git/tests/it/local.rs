//! Local repositories.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use filetree::{FileTree, MemoryTree};
use git::{Auth, Client, FetchRequest, Fetched, LocalAccess, LocalRepository, Reference};
use testkit::gitrepo::GitRepo;

pub fn branch(name: &str) -> Reference {
    Reference {
        branch: name.to_owned(),
        ..Reference::default()
    }
}

pub fn request(url: &str, reference: Reference) -> FetchRequest {
    FetchRequest {
        url: url.to_owned(),
        reference,
        auth: Auth::default(),
        timeout: Duration::from_secs(60),
        recurse_submodules: false,
        sparse_checkout: Vec::new(),
        last_observed: None,
        work_tree: false,
    }
}

pub fn paths(tree: &MemoryTree) -> Vec<&str> {
    tree.files().map(|(path, _)| path).collect()
}

pub async fn fetch(client: &Arc<Client>, request: FetchRequest) -> Result<String, String> {
    match client.fetch(request).await {
        Ok(Fetched::New(commit, tree)) => {
            Ok(format!("{} {}", commit.revision(), paths(&tree).join(" ")))
        }
        Ok(Fetched::Unchanged(commit)) => Ok(format!("{} unchanged", commit.revision())),
        Err(error) => Err(error.to_string()),
    }
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn sample(root: &Path) -> (GitRepo, Vec<String>) {
    let mut repo = GitRepo::init(root);
    repo.write("a/b.yaml", "b: 1\n")
        .write_executable("run.sh", "#!/bin/sh\n")
        .link("link", "a/b.yaml");
    let first = repo.commit("first subject\n\nbody");
    repo.write("a/c.yaml", "b: 1\nc: 2\n");
    let second = repo.commit("second");
    repo.tag("1.0.0", &first);
    repo.annotated_tag("v1.1.0", &second);
    (repo, vec![first, second])
}

#[test]
fn files_are_read_loose_packed_and_through_links() {
    let dir = tempfile::tempdir().unwrap();
    let (mut repo, ids) = sample(dir.path());
    for packed in [false, true] {
        if packed {
            repo.pack();
        }
        let local = LocalRepository::open(dir.path()).unwrap();
        let (commit, files) = local.checkout("U", &branch("main"), &[]).unwrap();
        assert_eq!(commit.revision(), format!("main@sha1:{}", ids[1]));
        assert_eq!(commit.short_message(), "second");
        assert_eq!(paths(&files.tree), ["a/b.yaml", "a/c.yaml", "run.sh"]);
        assert!(files.tree.is_executable("run.sh"));
        assert_eq!(&*files.tree.read("a/c.yaml").unwrap(), b"b: 1\nc: 2\n");
    }
    let linked = tempfile::tempdir().unwrap();
    let git_dir = dir.path().join(".git/worktrees/w");
    fs::create_dir_all(&git_dir).unwrap();
    fs::write(git_dir.join("commondir"), "../..\n").unwrap();
    fs::write(git_dir.join("HEAD"), format!("{}\n", ids[0])).unwrap();
    fs::write(
        linked.path().join(".git"),
        format!("gitdir: {}\n", git_dir.display()),
    )
    .unwrap();
    let local = LocalRepository::open(linked.path()).unwrap();
    assert_eq!(local.head().unwrap().unwrap().to_string(), ids[0]);
    assert_eq!(local.head_branch().unwrap(), None);
    local.checkout("U", &branch("main"), &[]).unwrap();
}

#[test]
fn alternates_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, ids) = sample(&dir.path().join("full"));
    let borrowed = GitRepo::init_bare(&dir.path().join("borrowing.git"));
    let objects = repo.path().join(".git/objects");
    fs::create_dir_all(borrowed.path().join("objects/info")).unwrap();
    fs::write(
        borrowed.path().join("objects/info/alternates"),
        format!("{}\n", objects.display()),
    )
    .unwrap();
    fs::write(borrowed.path().join("refs/heads/main"), &ids[0]).unwrap();
    let local = LocalRepository::open(borrowed.path()).unwrap();
    let (_, files) = local.checkout("U", &branch("main"), &[]).unwrap();
    assert_eq!(paths(&files.tree), ["a/b.yaml", "run.sh"]);
}

#[tokio::test]
async fn references_give_upstreams_revisions() {
    let dir = tempfile::tempdir().unwrap();
    let (mut repo, ids) = sample(dir.path());
    repo.set_ref("refs/pull/1/head", &ids[0]);
    let client = Arc::new(Client::new(LocalAccess::Allowed));
    let set = |change: &dyn Fn(&mut Reference)| {
        let mut reference = Reference::default();
        change(&mut reference);
        reference
    };
    let (one, two) = (ids[0].as_str(), ids[1].as_str());
    let first_files = "a/b.yaml run.sh";
    let all_files = "a/b.yaml a/c.yaml run.sh";
    let at = |name: &str, id: &str, files: &str| Ok(format!("{name}sha1:{id} {files}"));
    let unknown = "1".repeat(40);
    let rows = [
        (branch("main"), at("main@", two, all_files)),
        (
            set(&|r| r.tag = "1.0.0".into()),
            at("1.0.0@", one, first_files),
        ),
        (
            set(&|r| r.tag = "v1.1.0".into()),
            at("v1.1.0@", two, all_files),
        ),
        (
            set(&|r| r.semver = "1.x".into()),
            at("v1.1.0@", two, all_files),
        ),
        (
            set(&|r| r.name = "refs/pull/1/head".into()),
            at("1/head@", one, first_files),
        ),
        (
            set(&|r| r.commit = ids[0].clone()),
            at("", one, first_files),
        ),
        (
            set(&|r| (r.commit, r.branch) = (ids[0].clone(), "main".into())),
            at("main@", one, first_files),
        ),
        (
            set(&|r| r.commit = unknown.clone()),
            Err(format!(
                "unable to resolve commit object for '{unknown}': object not found"
            )),
        ),
        (
            branch("nope"),
            Err("unable to clone 'U': couldn't find remote ref \"refs/heads/nope\"".into()),
        ),
    ];
    let place = url(dir.path());
    for (reference, expected) in rows {
        let got = fetch(&client, request(&place, reference.clone())).await;
        let got = got.map_err(|error| error.replace(&place, "U"));
        assert_eq!(got, expected, "{reference:?}");
    }
}

#[tokio::test]
async fn known_revisions_are_not_read_and_new_ones_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut repo, ids) = sample(dir.path());
    let client = Arc::new(Client::new(LocalAccess::Allowed));
    let mut asked = request(&url(dir.path()), branch("main"));
    asked.last_observed = Some(format!("main@sha1:{}", ids[1]));
    let got = fetch(&client, asked.clone()).await.unwrap();
    assert!(got.ends_with("unchanged"));
    let third = repo.commit_files(&[("new.yaml", "x")]);
    repo.pack();
    let got = fetch(&client, asked).await.unwrap();
    assert_eq!(
        got,
        format!("main@sha1:{third} a/b.yaml a/c.yaml new.yaml run.sh")
    );
}

#[tokio::test]
async fn a_repository_made_anew_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("repo");
    sample(&place);
    let client = Arc::new(Client::new(LocalAccess::Allowed));
    let asked = request(&url(&place), branch("main"));
    fetch(&client, asked.clone()).await.unwrap();
    let before = client.local(&place).unwrap();
    fs::rename(&place, dir.path().join("old")).unwrap();
    let id = GitRepo::init(&place).commit_files(&[("other.yaml", "1")]);
    let got = fetch(&client, asked).await.unwrap();
    assert_eq!(got, format!("main@sha1:{id} other.yaml"));
    assert!(!Arc::ptr_eq(&before, &client.local(&place).unwrap()));
}

#[tokio::test]
async fn bad_places_have_clear_errors() {
    let dir = tempfile::tempdir().unwrap();
    let client = Arc::new(Client::new(LocalAccess::Allowed));
    let place = url(dir.path());
    let got = fetch(&client, request(&place, branch("main"))).await;
    let expected = format!(
        "unable to clone '{place}': repository not found: {}",
        dir.path().display()
    );
    assert_eq!(got, Err(expected));
    GitRepo::init(dir.path());
    let error = client
        .fetch(request(&place, branch("main")))
        .await
        .unwrap_err();
    assert!(error.is_empty_repository(), "{error}");
    let denied = Arc::new(Client::new(LocalAccess::Denied));
    let got = fetch(&denied, request(&place, branch("main"))).await;
    assert!(
        got.unwrap_err()
            .starts_with("local repositories are not allowed")
    );
}

#[tokio::test]
async fn sparse_checkouts_and_submodules() {
    let dir = tempfile::tempdir().unwrap();
    let (_inner, ids) = sample(&dir.path().join("inner"));
    let mut outer = GitRepo::init(&dir.path().join("outer"));
    outer
        .write(
            ".gitmodules",
            "[submodule \"x\"]\n\tpath = libs/x\n\turl = ../inner\n",
        )
        .write("app/one.yaml", "1")
        .write("docs/readme.md", "2")
        .submodule("libs/x", &ids[0]);
    outer.commit("outer");
    let client = Arc::new(Client::new(LocalAccess::Allowed));
    let mut asked = request(&url(outer.path()), branch("main"));
    let files = |got: Result<String, String>| got.unwrap().split_once(' ').unwrap().1.to_owned();
    let plain = fetch(&client, asked.clone()).await;
    assert_eq!(files(plain), ".gitmodules app/one.yaml docs/readme.md");
    asked.sparse_checkout = vec!["app".into()];
    assert_eq!(files(fetch(&client, asked.clone()).await), "app/one.yaml");
    asked.sparse_checkout.clear();
    asked.recurse_submodules = true;
    assert_eq!(
        files(fetch(&client, asked).await),
        ".gitmodules app/one.yaml docs/readme.md libs/x/a/b.yaml libs/x/run.sh"
    );
}

#[test]
fn work_trees_are_read_with_their_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(dir.path());
    let id = repo.commit_files(&[("a.yaml", "1"), (".gitignore", "*.tmp\nbuild/\n")]);
    let local = LocalRepository::open(dir.path()).unwrap();
    let (clean, _) = local.snapshot("U").unwrap();
    assert_eq!(clean.revision(), format!("main@sha1:{id}"));
    fs::write(dir.path().join("a.yaml"), "2").unwrap();
    fs::write(dir.path().join("b.yaml"), "3").unwrap();
    fs::write(dir.path().join("c.tmp"), "4").unwrap();
    fs::create_dir(dir.path().join("build")).unwrap();
    fs::write(dir.path().join("build/x"), "5").unwrap();
    let (dirty, tree) = local.snapshot("U").unwrap();
    let prefix = format!("main@sha1:{id}-dirty.");
    assert!(
        dirty.revision().starts_with(&prefix),
        "{}",
        dirty.revision()
    );
    assert_eq!(paths(&tree), [".gitignore", "a.yaml", "b.yaml"]);
    let (again, _) = local.snapshot("U").unwrap();
    assert_eq!(again.revision(), dirty.revision());
}

#[tokio::test]
async fn a_plain_directory_is_taken_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("apps")).unwrap();
    fs::write(directory.path().join("apps/a.yaml"), "a: 1\n").unwrap();
    fs::write(directory.path().join("skipped.log"), "").unwrap();
    fs::write(directory.path().join(".gitignore"), "*.log\n").unwrap();
    let client = Arc::new(Client::new(LocalAccess::Allowed));
    let request = |last_observed| FetchRequest {
        url: format!("file://{}", directory.path().display()),
        reference: Reference::default(),
        auth: Auth::default(),
        timeout: Duration::from_secs(60),
        recurse_submodules: false,
        sparse_checkout: Vec::new(),
        last_observed,
        work_tree: true,
    };
    let Fetched::New(commit, tree) = client.fetch(request(None)).await.unwrap() else {
        panic!("nothing was known before");
    };
    let paths: Vec<&str> = tree.files().map(|(path, _)| path).collect();
    assert_eq!(paths, [".gitignore", "apps/a.yaml"]);
    assert!(
        commit.revision().starts_with("main@sha1:"),
        "{}",
        commit.revision()
    );
    let again = client
        .fetch(request(Some(commit.revision())))
        .await
        .unwrap();
    assert!(matches!(again, Fetched::Unchanged(_)));
    fs::write(directory.path().join("apps/a.yaml"), "a: 2\n").unwrap();
    let changed = client
        .fetch(request(Some(commit.revision())))
        .await
        .unwrap();
    assert!(matches!(changed, Fetched::New(..)));
}

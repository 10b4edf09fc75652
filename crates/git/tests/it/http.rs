//! The smart HTTP protocol against testkit's server.

use std::collections::BTreeMap;
use std::sync::Arc;

use git::{Auth, Client, LocalAccess, Reference};
use testkit::githttp::GitHttp;
use testkit::gitrepo::GitRepo;

use crate::local::{branch, fetch, request};

fn sample() -> (tempfile::TempDir, GitRepo, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init_bare(dir.path());
    let first = repo.commit_files(&[("a.yaml", "content of a\n")]);
    let second = repo.commit_files(&[("b/c.yaml", "content of a\nand c\n")]);
    let third = repo.commit_files(&[("d.yaml", "d")]);
    repo.tag("1.0.0", &first);
    repo.annotated_tag("1.2.0", &second);
    (dir, repo, vec![first, second, third])
}

#[tokio::test]
async fn references_are_fetched() {
    let (_dir, repo, ids) = sample();
    let server = GitHttp::start().await;
    server.publish("/org/repo.git", &repo);
    let url = server.url("/org/repo.git");
    let client = Arc::new(Client::new(LocalAccess::Denied));
    let all = "a.yaml b/c.yaml d.yaml";
    let tag = |tag: &str| Reference {
        tag: tag.to_owned(),
        ..Reference::default()
    };
    let commit = |id: &str, branch: &str| Reference {
        commit: id.to_owned(),
        branch: branch.to_owned(),
        ..Reference::default()
    };
    let semver = Reference {
        semver: ">=1.0.0".to_owned(),
        ..Reference::default()
    };
    let name = Reference {
        name: "refs/tags/1.2.0".to_owned(),
        ..Reference::default()
    };
    let unknown = "2".repeat(40);
    let rows = [
        (branch("main"), Ok(format!("main@sha1:{} {all}", ids[2]))),
        (tag("1.0.0"), Ok(format!("1.0.0@sha1:{} a.yaml", ids[0]))),
        (semver, Ok(format!("1.2.0@sha1:{} a.yaml b/c.yaml", ids[1]))),
        (name, Ok(format!("1.2.0@sha1:{} a.yaml b/c.yaml", ids[1]))),
        (commit(&ids[0], ""), Ok(format!("sha1:{} a.yaml", ids[0]))),
        (
            commit(&ids[1], "main"),
            Ok(format!("main@sha1:{} a.yaml b/c.yaml", ids[1])),
        ),
        (
            commit(&unknown, "main"),
            Err(format!(
                "unable to resolve commit object for '{unknown}': object not found"
            )),
        ),
        (
            branch("nope"),
            Err("unable to clone 'U': couldn't find remote ref \"refs/heads/nope\"".to_owned()),
        ),
    ];
    for (reference, expected) in rows {
        let got = fetch(&client, request(&url, reference.clone())).await;
        assert_eq!(
            got.map_err(|error| error.replace(&url, "U")),
            expected,
            "{reference:?}"
        );
    }
}

#[tokio::test]
async fn a_known_revision_costs_two_small_requests() {
    let (_dir, repo, ids) = sample();
    let server = GitHttp::start().await;
    server.publish("/r", &repo);
    let client = Arc::new(Client::new(LocalAccess::Denied));
    let mut asked = request(&server.url("/r"), branch("main"));
    asked.last_observed = Some(format!("main@sha1:{}", ids[2]));
    assert!(fetch(&client, asked).await.unwrap().ends_with("unchanged"));
    assert_eq!(
        server.take_log(),
        ["GET /r/info/refs", "POST /r/git-upload-pack"]
    );
}

#[tokio::test]
async fn credentials_are_sent_and_refusals_reported() {
    let (_dir, repo, _) = sample();
    let server = GitHttp::start().await;
    server.publish("/r", &repo);
    server.require("Basic dTpw");
    let client = Arc::new(Client::new(LocalAccess::Denied));
    let url = server.url("/r");
    let mut asked = request(&url, branch("main"));
    let refused = fetch(&client, asked.clone()).await.unwrap_err();
    assert_eq!(
        refused,
        format!("unable to clone '{url}': authentication required: Invalid username or token")
    );
    let secret: BTreeMap<String, Vec<u8>> = [("username", "u"), ("password", "p")]
        .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
        .into();
    asked.auth = Auth::from_secret(&url::Url::parse(&url).unwrap(), &secret).unwrap();
    fetch(&client, asked).await.unwrap();
    let with_user = url.replace("http://", "http://u:p@");
    fetch(&client, request(&with_user, branch("main")))
        .await
        .unwrap();
    server.require("Bearer t");
    let mut bearer = request(&url, branch("main"));
    let token: BTreeMap<String, Vec<u8>> = [("bearerToken".to_owned(), b"t".to_vec())].into();
    bearer.auth = Auth::from_secret(&url::Url::parse(&url).unwrap(), &token).unwrap();
    fetch(&client, bearer).await.unwrap();
}

#[tokio::test]
async fn own_authorities_are_trusted_and_others_are_not() {
    let (_dir, repo, ids) = sample();
    let (server, authority) = GitHttp::start_tls().await;
    server.publish("/r", &repo);
    let client = Arc::new(Client::new(LocalAccess::Denied));
    let url = server.url("/r");
    let mut asked = request(&url, branch("main"));
    let refused = fetch(&client, asked.clone()).await.unwrap_err();
    let prefix = format!("unable to clone '{url}': Get \"{url}/info/refs");
    assert!(refused.starts_with(&prefix), "{refused}");
    assert!(refused.to_lowercase().contains("certificate"), "{refused}");
    for key in ["ca.crt", "caFile"] {
        let secret: BTreeMap<String, Vec<u8>> =
            [(key.to_owned(), authority.as_bytes().to_vec())].into();
        asked.auth = Auth::from_secret(&url::Url::parse(&url).unwrap(), &secret).unwrap();
        let got = fetch(&client, asked.clone()).await.unwrap();
        assert!(got.starts_with(&format!("main@sha1:{}", ids[2])), "{got}");
    }
    asked.auth.ca = Some(b"nonsense".to_vec());
    let refused = fetch(&client, asked).await.unwrap_err();
    assert_eq!(
        refused,
        format!("unable to clone '{url}': failed to parse CA certificate")
    );
}

#[tokio::test]
async fn client_certificates_of_the_secret_are_shown() {
    let (_dir, repo, ids) = sample();
    let (server, pki) = GitHttp::start_mutual_tls().await;
    server.publish("/r", &repo);
    let url = server.url("/r");
    let parsed = url::Url::parse(&url).unwrap();
    let whole: &[(&str, &str)] = &[
        ("ca.crt", &pki.authority),
        ("tls.crt", &pki.client_certificate),
        ("tls.key", &pki.client_key),
    ];
    let with_token = [whole, &[("bearerToken", "t")]].concat();
    // As upstream, half a pair counts for nothing.
    let half = &whole[..2];
    for (name, secret, expected) in [
        ("the pair", whole, Ok(())),
        ("the pair beside a token", &with_token, Ok(())),
        ("no key", half, Err("certificate")),
        ("authority only", &whole[..1], Err("certificate")),
    ] {
        let secret: BTreeMap<String, Vec<u8>> = secret
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let client = Arc::new(Client::new(LocalAccess::Denied));
        let mut asked = request(&url, branch("main"));
        asked.auth = Auth::from_secret(&parsed, &secret).unwrap();
        let got = fetch(&client, asked).await;
        match expected {
            Ok(()) => {
                let got = got.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(
                    got.starts_with(&format!("main@sha1:{}", ids[2])),
                    "{name}: {got}"
                );
            }
            Err(word) => {
                let error = got.unwrap_err().to_lowercase();
                assert!(error.contains(word), "{name}: {error}");
            }
        }
    }
    let client = Arc::new(Client::new(LocalAccess::Denied));
    let mut asked = request(&url, branch("main"));
    asked.auth.identity = Some(remote::Identity {
        certificate: b"nonsense".to_vec(),
        key: remote::Secret::new("nonsense".to_owned()),
    });
    let error = fetch(&client, asked).await.unwrap_err();
    assert!(
        error.contains("failed to parse TLS certificate and key: "),
        "{error}"
    );
    assert!(!error.contains("nonsense"), "{error}");
}

#[tokio::test]
async fn proxies_are_used() {
    let (_dir, repo, _) = sample();
    let proxy = GitHttp::start().await;
    proxy.publish("/r", &repo);
    let client = Arc::new(Client::new(LocalAccess::Denied));
    // The host does not exist: only a proxy can answer for it.
    let mut asked = request("http://git.invalid/r", branch("main"));
    asked.auth.proxy = Some(remote::Proxy {
        address: proxy.url(""),
        username: String::new(),
        password: remote::Secret::default(),
    });
    fetch(&client, asked).await.unwrap();
    assert_eq!(proxy.take_log().len(), 3);
}

#[tokio::test]
async fn redirects_are_followed_once_and_failures_named() {
    let (_dir, repo, ids) = sample();
    let server = GitHttp::start().await;
    server.publish("/new", &repo);
    server.redirect("/old", &server.url("/new"));
    let client = Arc::new(Client::new(LocalAccess::Denied));
    let got = fetch(&client, request(&server.url("/old"), branch("main"))).await;
    assert!(got.unwrap().starts_with(&format!("main@sha1:{}", ids[2])));
    let log = server.take_log();
    assert_eq!(log[0], "GET /old/info/refs");
    assert!(
        log[1..].iter().all(|line| line.contains(" /new/")),
        "{log:?}"
    );

    let missing = server.url("/missing");
    let got = fetch(&client, request(&missing, branch("main"))).await;
    let expected =
        format!("unable to clone '{missing}': repository not found: Repository not found.");
    assert_eq!(got, Err(expected));

    let empty_dir = tempfile::tempdir().unwrap();
    server.publish("/empty", &GitRepo::init_bare(empty_dir.path()));
    let error = client
        .fetch(request(&server.url("/empty"), branch("main")))
        .await
        .unwrap_err();
    assert!(error.is_empty_repository(), "{error}");
}

#[tokio::test]
async fn submodules_are_filled_but_not_from_local_paths() {
    let (_dir, inner, ids) = sample();
    let server = GitHttp::start().await;
    server.publish("/org/inner", &inner);
    let dir = tempfile::tempdir().unwrap();
    let mut outer = GitRepo::init_bare(dir.path());
    outer
        .write(
            ".gitmodules",
            "[submodule \"x\"]\npath = x\nurl = ../inner\n",
        )
        .submodule("x", &ids[0]);
    outer.commit("outer");
    server.publish("/org/outer", &outer);
    let client = Arc::new(Client::new(LocalAccess::Allowed));
    let mut asked = request(&server.url("/org/outer"), branch("main"));
    asked.recurse_submodules = true;
    let got = fetch(&client, asked.clone()).await.unwrap();
    assert!(got.ends_with(" .gitmodules x/a.yaml"), "{got}");
    outer.write(".gitmodules", "[submodule \"x\"]\npath = x\nurl = /etc\n");
    outer.commit("evil");
    server.publish("/org/outer", &outer);
    assert!(fetch(&client, asked).await.is_err());
}

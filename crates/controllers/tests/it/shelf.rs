//! Directories served as Helm repositories and registries, read through mirrors.

use std::path::Path;

use controllers::shelf::{self, Shelf};
use remote::oci::{Reference, Registry, RegistryOptions};
use remote::{Clients, Mirror};

/// A directory of files by path.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(root.path(), path, text);
    }
    root
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn chart(name: &str, version: &str, more: &str) -> String {
    format!("apiVersion: v2\nname: {name}\nversion: {version}\n{more}")
}

/// Serves a directory; returns clients that take `https://charts.io` and `oci://reg.io` from it.
async fn serve(root: &Path) -> Clients {
    let shelf = Shelf {
        name: "s".to_owned(),
        directory: root.to_owned(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(shelf::serve(vec![shelf], listener));
    let mirror = |from, scheme| {
        let to = format!("{scheme}://{address}/s");
        Mirror::new(from, &to, "./here").unwrap()
    };
    Clients::with_mirrors(vec![
        mirror("https://charts.io", "http"),
        mirror("oci://reg.io", "oci"),
    ])
}

async fn found(clients: &Clients, url: &str, name: &str, range: &str) -> String {
    let archive = controllers::download_chart(clients, url, name, range).await;
    match archive.and_then(|a| helm::package::archive_metadata(&a).map_err(|e| e.to_string())) {
        Ok(metadata) => format!("{} {}", metadata.name, metadata.version),
        Err(error) => error,
    }
}

#[tokio::test]
async fn charts_are_served_over_both_protocols_as_they_are_now() {
    let root = directory(&[
        ("app-one/Chart.yaml", &chart("app", "1.0.0", "")),
        ("app-two/Chart.yaml", &chart("app", "1.1.0+b.2", "")),
        ("team/deep/Chart.yaml", &chart("deep", "0.1.0", "")),
        ("notes/README.md", "no chart"),
    ]);
    let clients = serve(root.path()).await;
    for (url, name, range, expected) in [
        ("https://charts.io", "app", "1.x", "app 1.1.0+b.2"),
        ("https://charts.io", "app", "1.0.0", "app 1.0.0"),
        ("https://charts.io/team/", "deep", "*", "deep 0.1.0"),
        ("oci://reg.io", "app", "1.x", "app 1.1.0+b.2"),
        ("oci://reg.io/team", "deep", "0.1.0", "deep 0.1.0"),
        ("https://charts.io", "nope", "*", "no chart name found"),
        (
            "oci://reg.io",
            "app",
            "3.0.0",
            "the mirror has 1.1.0_b.2, 1.0.0",
        ),
        (
            "oci://reg.io",
            "nope",
            "*",
            "there is no chart or directory nope in the mirror",
        ),
        (
            "https://charts.io/none",
            "app",
            "*",
            "failed to fetch https://charts.io/none/index.yaml (mirror ./here) : 404 Not Found",
        ),
    ] {
        let got = found(&clients, url, name, range).await;
        assert!(got.contains(expected), "{url} {name} {range}: {got}");
    }
    write(
        root.path(),
        "app-one/Chart.yaml",
        &chart("app", "2.0.0", ""),
    );
    let now = found(&clients, "https://charts.io", "app", "*").await;
    assert_eq!(now, "app 2.0.0");
}

#[tokio::test]
async fn directories_without_charts_are_artifacts_of_manifests() {
    let root = directory(&[("apps/deploy.yaml", "kind: ConfigMap\n")]);
    let clients = serve(root.path()).await;
    let reference = Reference::parse("reg.io/apps:v3").unwrap();
    let open = || {
        let repository = reference.repository.clone();
        Registry::open(&clients, repository, &RegistryOptions::default()).unwrap()
    };
    let (digest, manifest) = open().manifest(&reference).await.unwrap();
    let layer = open().blob(&manifest.layers[0], 1 << 20).await.unwrap();
    let tree = filetree::unpack_tar_gz(&layer[..], filetree::UnpackLimits::ARTIFACT).unwrap();
    let names: Vec<&str> = tree.files().map(|(name, _)| name).collect();
    assert_eq!(names, ["deploy.yaml"]);
    let by_digest = reference.repository.digest(&digest);
    assert_eq!(open().manifest(&by_digest).await.unwrap().0, digest);
}

#[test]
fn charts_are_completed_or_refused() {
    let needs = |more: &str| chart("app", "1.0.0", &format!("dependencies:\n- {more}\n"));
    let survey = |files: &[(&str, &str)]| {
        let root = directory(files);
        let shelf = Shelf {
            name: "s".to_owned(),
            directory: root.path().to_owned(),
        };
        match shelf::survey(&shelf) {
            Ok(charts) => format!("{charts:?}"),
            Err(error) => error.to_string(),
        }
    };
    let base = chart("base", "1.2.0", "");
    let remote = needs("{name: base, version: 1.x, repository: https://charts.io}");
    let local = needs("{name: base, version: 1.x, repository: file://../base}");
    let newer = needs("{name: base, version: 2.x, repository: file://../base}");
    let itself = needs("{name: app, version: 1.x, alias: me, repository: file://.}");
    for (files, expected) in [
        (
            vec![("base/Chart.yaml", &*base), ("app/Chart.yaml", &*remote)],
            "(\"app\", \"1.0.0\"), (\"base\"",
        ),
        (
            vec![("base/Chart.yaml", &*base), ("app/Chart.yaml", &*local)],
            "(\"app\", \"1.0.0\"), (\"base\"",
        ),
        (
            vec![("app/Chart.yaml", &*remote)],
            "app: dependency base 1.x (https://charts.io) is neither in charts/ nor beside the chart: run `helm dependency build`",
        ),
        (
            vec![("base/Chart.yaml", &*base), ("app/Chart.yaml", &*newer)],
            "app: dependency base: base is version 1.2.0, wanted is 2.x",
        ),
        (
            vec![("app/Chart.yaml", &*itself)],
            "or a chart depends on itself",
        ),
        (
            vec![("a/Chart.yaml", &*base), ("b/Chart.yaml", &*base)],
            "a and b are both base 1.2.0",
        ),
        (
            vec![("a/Chart.yaml", "name: a")],
            "a: validation: chart.metadata.version is required",
        ),
        (vec![("a.tgz", "nothing")], "a.tgz: "),
        (vec![], "[]"),
    ] {
        let got = survey(&files);
        assert!(got.contains(expected), "{got}");
    }
}

//! The artifact commands against a loopback registry. Digests and texts were compared with upstream's v2.9.4.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use testkit::ociregistry::OciRegistry;

/// Digests of what upstream pushes from the same files, by tag: all, one file, links resolved.
const RECORDED: [(&str, &str, &[&str]); 3] = [
    (
        "v1",
        "sha256:cdced9fbe38a275fb4afb21a187824c86ed0cd23cc915ee3f1ce98cb1917703f",
        &["--path", "."],
    ),
    (
        "v2",
        "sha256:510bec7c03403aa2f2c00f653c86853b40de6a1918ea5caf8edfa79643a55217",
        &["--path", "a.yaml"],
    ),
    (
        "v3",
        "sha256:cfc87cbb6aac0cf6b64c0cc9387ea9be11c283b0ed5f3f4da8d2cb6b6764902c",
        &["--path", ".", "--resolve-symlinks"],
    ),
];
const FACTS: [&str; 3] = [
    "--source=https://example.com/r",
    "--revision=main@sha1:abc",
    "--reproducible",
];

fn write(root: &Path, path: &str, content: &[u8], mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The files that upstream was given.
fn files(root: &Path) {
    write(root, "a.yaml", b"kind: ConfigMap\n", 0o644);
    write(root, "sub/run.sh", b"#!/bin/sh\n", 0o755);
    write(root, "sub/c.png", b"left out", 0o644);
    let long: String = (0..5000)
        .map(|i| format!("key{}: value-{}\n", i % 97, i * i % 1013))
        .collect();
    write(root, "sub/long.yaml", long.as_bytes(), 0o600);
    symlink("a.yaml", root.join("link.yaml")).unwrap();
    for directory in ["", "sub"] {
        let path = root.join(directory);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Runs the program; returns exit code, stdout and stderr.
async fn flux(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flux"));
    command.args(arguments).current_dir(directory).env_clear();
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    (code, text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_have_upstreams_digests_and_come_back() {
    let server = OciRegistry::start().await;
    let source = tempfile::tempdir().unwrap();
    files(source.path());
    let at = server.address();
    for (tag, digest, path) in RECORDED {
        let url = server.url(&format!("org/app:{tag}"));
        let arguments = [&["push", "artifact", &url], path, &FACTS].concat();
        let (code, _, text) = flux(source.path(), &arguments).await;
        let expected = format!(
            "► pushing artifact to {at}/org/app:{tag}\n✔ artifact successfully pushed to {at}/org/app@{digest}\n"
        );
        assert_eq!((code, text), (0, expected));
    }
    let url = server.url("org/app:v1");
    let digest = RECORDED[0].1;
    let (_, text, _) = flux(
        source.path(),
        &["tag", "artifact", &url, "--tag", "latest,x"],
    )
    .await;
    assert!(text.is_empty());
    assert_eq!(server.tags("org/app")["latest"], digest);

    let target = tempfile::tempdir().unwrap();
    let (code, _, text) = flux(target.path(), &["pull", "artifact", &url, "-o", "."]).await;
    let expected = format!(
        "► pulling artifact from {at}/org/app:v1\n✔ source https://example.com/r\n✔ revision main@sha1:abc\n✔ digest {at}/org/app@{digest}\n✔ artifact content extracted to .\n"
    );
    assert_eq!((code, text), (0, expected));
    for path in ["a.yaml", "sub/run.sh", "sub/long.yaml"] {
        let read = |root: &Path| fs::read(root.join(path)).unwrap();
        assert_eq!(read(source.path()), read(target.path()), "{path}");
    }
    assert!(!target.path().join("sub/c.png").exists());

    let diff = |path: &'static str| ["diff", "artifact", &url, "--path", path].map(str::to_owned);
    for (path, code, text) in [
        (".", 0, "✔ no changes detected\n"),
        (
            "sub",
            1,
            "✗ the remote artifact contents differs from the local one\n",
        ),
    ] {
        let arguments = diff(path);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (got, _, said) = flux(source.path(), &arguments).await;
        assert_eq!((got, said.as_str()), (code, text));
    }
    let url = server.url("org/app");
    let (_, table, _) = flux(
        source.path(),
        &["list", "artifacts", &url, "--filter-regex=^v1$"],
    )
    .await;
    let row = format!("{at}/org/app:v1\t{digest}\thttps://example.com/r\tmain@sha1:abc\t");
    assert_eq!(table.lines().nth(1), Some(row.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_from_flags() {
    let server = OciRegistry::start().await;
    server.require_token("u", "p");
    let source = tempfile::tempdir().unwrap();
    files(source.path());
    let url = server.url("org/app:v1");
    let with = |creds: &'static str| {
        [
            &["push", "artifact", &url, "--path", ".", "--creds", creds][..],
            &FACTS,
        ]
        .concat()
    };
    let (code, _, text) = flux(source.path(), &with("u:p")).await;
    assert_eq!(code, 0, "{text}");
    let (code, _, text) = flux(source.path(), &with("u:wrong")).await;
    assert_eq!(code, 1);
    assert!(text.contains("UNAUTHORIZED"), "{text}");
    assert!(!text.contains("wrong"), "{text}");
}

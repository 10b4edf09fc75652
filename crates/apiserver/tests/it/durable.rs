//! The durable log: what was answered is there after a restart, and damage is told.

use std::path::Path;

use apiserver::{Options, Server};
use cluster::{Target, WriteParams};
use objects::{Gvk, Object, json};

async fn start(folder: &Path) -> Result<Server, apiserver::Error> {
    let options = Options {
        data: Some(folder.to_path_buf()),
        workloads: false,
        ..Options::default()
    };
    Server::start(options).await
}

async fn target(server: &Server, name: &str) -> Target {
    let gvk = Gvk::new("", "v1", "ConfigMap");
    let resource = server.cluster().resolve(&gvk).await.unwrap();
    Target::new(&resource, "default", name)
}

async fn write(server: &Server, name: &str) -> Object {
    let mut object = Object::new(&Gvk::new("", "v1", "ConfigMap"), "default", name);
    object.set(&["data"], json!({"k": "v".repeat(100)}));
    let target = target(server, name).await;
    let cluster = server.cluster();
    let params = WriteParams::default();
    cluster.create(&target, &object, &params).await.unwrap()
}

fn log_file(folder: &Path) -> std::path::PathBuf {
    let mut logs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("log-")
        })
        .collect();
    logs.sort();
    logs.pop().unwrap()
}

#[tokio::test]
async fn answered_writes_survive_an_end_without_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    let token = server.admin_token().to_owned();
    let written = write(&server, "a").await;
    let gone = target(&server, "b").await;
    write(&server, "b").await;
    server
        .cluster()
        .delete(&gone, &Default::default())
        .await
        .unwrap();
    // What a killed process leaves behind: the files as they are at this moment.
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let again = start(copy.path()).await.unwrap();
    assert_eq!(again.admin_token(), token);
    let cluster = again.cluster();
    assert_eq!(
        cluster.get(&target(&again, "a").await).await.unwrap(),
        written
    );
    assert!(cluster.get(&gone).await.unwrap_err().is_not_found());
    let later = write(&again, "c").await;
    let number = |object: &Object| object.resource_version().parse::<u64>().unwrap();
    assert!(number(&later) > number(&written));
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_damage_before_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    write(&server, "a").await;
    write(&server, "b").await;
    server.shutdown().await;
    drop(server);
    let path = log_file(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
    let torn = tempfile::tempdir().unwrap();
    let name = path.file_name().unwrap();
    std::fs::write(torn.path().join(name), &bytes[..end - 7]).unwrap();
    let again = start(torn.path()).await.unwrap();
    let cluster = again.cluster();
    assert!(cluster.get(&target(&again, "a").await).await.is_ok());
    let lost = cluster.get(&target(&again, "b").await).await;
    assert!(lost.unwrap_err().is_not_found());
    let damaged = tempfile::tempdir().unwrap();
    let mut broken = bytes.clone();
    broken[20] ^= 0xff;
    std::fs::write(damaged.path().join(name), broken).unwrap();
    let error = start(damaged.path()).await.err().unwrap().to_string();
    assert!(
        error.contains("byte 0") && error.contains("damaged"),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_is_used_by_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    let error = start(folder.path()).await.err().unwrap().to_string();
    assert!(error.contains("another server"), "{error}");
    first.shutdown().await;
}

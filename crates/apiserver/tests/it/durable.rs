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

/// Copies a folder and changes one of its files.
fn spoiled(folder: &Path, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = copy.path().join(file.file_name().unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    copy
}

/// Places of the records of a log: each has its length first.
fn places(bytes: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    loop {
        let at = *places.last().unwrap();
        let word = <[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap();
        match u32::from_le_bytes(word) {
            0 => return places,
            length => places.push(at + 8 + length as usize),
        }
    }
}

#[tokio::test]
async fn damage_is_told_with_file_place_versions_and_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await.unwrap();
    for name in ["a", "b", "c"] {
        write(&server, name).await;
    }
    server.shutdown().await;
    let last = server.cluster().get(&target(&server, "c").await).await;
    let last: u64 = last.unwrap().resource_version().parse().unwrap();
    drop(server);
    let log = log_file(folder.path());
    let places = places(&std::fs::read(&log).unwrap());
    let end = *places.last().unwrap();
    let [third, second] = [places[places.len() - 2], places[places.len() - 3]];
    let check = async |change: &dyn Fn(&mut Vec<u8>), wanted: &[String]| {
        let copy = spoiled(folder.path(), &log, |bytes| change(bytes));
        let error = start(copy.path()).await.err().unwrap().to_string();
        for part in wanted {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        // A refused folder is left as it was.
        let again = start(copy.path()).await.err().unwrap().to_string();
        assert_eq!(error, again);
    };
    let name = log.file_name().unwrap().to_string_lossy().into_owned();
    let middle = [
        name.clone(),
        format!("the record at byte {second}, after version {}", last - 2),
        format!("1 intact records of versions {last} to {last}"),
        format!("truncate -s {second}"),
    ];
    check(&|bytes| bytes[second + 40] ^= 1, &middle).await;
    // A sector that reads as zeros ends the log only where nothing follows.
    check(&|bytes| bytes[second..third].fill(0), &middle).await;
    let gap = [
        format!("the record at byte {second} is of version {last}"),
        format!("versions {} to {} are missing", last - 1, last - 1),
    ];
    check(&|bytes| drop(bytes.drain(second..third)), &gap).await;
    let foreign = ["this is no log of this version".to_owned(), name];
    check(
        &|bytes| bytes.splice(..0, *b"GIF89a and more").for_each(drop),
        &foreign,
    )
    .await;
    // A torn tail is cut, told and kept.
    let torn = spoiled(folder.path(), &log, |bytes| bytes.truncate(end - 7));
    let server = start(torn.path()).await.unwrap();
    let told = server.lost().to_owned();
    let kept = torn.path().join(format!("torn-{:020}", last - 1));
    for part in [
        format!("the last {} bytes, from byte {third} on", end - 7 - third),
        format!("up to version {} is there", last - 1),
        kept.display().to_string(),
    ] {
        assert!(told.contains(&part), "{part} is not in: {told}");
    }
    assert_eq!(std::fs::read(&kept).unwrap().len(), end - 7 - third);
    server.shutdown().await;
}

#[tokio::test]
async fn places_that_cannot_hold_data_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = start(&file).await.err().unwrap().to_string();
    assert!(
        error.contains("file: ") && error.contains("exists"),
        "{error}"
    );
    let inside = start(&file.join("folder")).await.err().unwrap().to_string();
    assert!(inside.contains("Not a directory"), "{inside}");
    std::fs::write(folder.path().join("identity.json"), "{").unwrap();
    let error = start(folder.path()).await.err().unwrap().to_string();
    assert!(error.contains("identity.json"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("snapshot"), "{}").unwrap();
    let error = start(folder.path()).await.err().unwrap().to_string();
    assert!(error.contains("snapshot: this is no snapshot"), "{error}");
}

#[tokio::test]
async fn a_folder_is_used_by_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await.unwrap();
    let error = start(folder.path()).await.err().unwrap().to_string();
    assert!(error.contains("another server"), "{error}");
    first.shutdown().await;
}

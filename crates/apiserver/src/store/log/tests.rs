//! A disk that runs full or fails, below a store.

use std::io;
use std::path::Path;
use std::sync::Arc;

use objects::{Value, json};
use parking_lot::Mutex;

use super::super::files::{Disk, Wrap};
use super::super::{Draft, Expect, Refused, Store, TableName};
use super::Log;

/// What the disk still does.
#[derive(Default)]
struct Limits {
    /// Bytes that files may have; 0 for any number.
    size_max: u64,
    /// Whether flushes fail.
    broken: bool,
}

struct Failing {
    file: std::fs::File,
    limits: Arc<Mutex<Limits>>,
}

impl Disk for Failing {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let max = self.limits.lock().size_max;
        if max > 0 && at + bytes.len() as u64 > max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(bytes, at)
    }

    fn flush(&mut self, size: bool) -> io::Result<()> {
        if self.limits.lock().broken {
            return Err(io::Error::other("broken"));
        }
        Disk::flush(&mut self.file, size)
    }
}

fn open(folder: &Path, limits: &Arc<Mutex<Limits>>) -> Arc<Store> {
    let limits = limits.clone();
    let wrap: Wrap = Arc::new(move |file| {
        let limits = limits.clone();
        Box::new(Failing { file, limits })
    });
    let (log, recovered) = Log::open_with(folder, wrap).unwrap();
    assert_eq!(recovered.lost, "");
    Store::recovered(recovered, log)
}

fn put(store: &Store, name: &str, bytes: usize) -> Result<(), Refused> {
    let object = json!({"metadata": {"name": name}, "data": {"k": "v".repeat(bytes)}});
    let Value::Object(object) = object else {
        panic!("an object is wanted");
    };
    let draft = Draft::new(&object, Vec::new());
    let table = TableName::from("/configmaps");
    store.put(&table, name, Expect::Absent, draft).map(|_| ())
}

fn names(store: &Store) -> Vec<String> {
    let (_, entries) = store.list("/configmaps", "");
    entries.iter().map(|e| e.meta.name.to_string()).collect()
}

#[tokio::test]
async fn a_full_disk_refuses_changes_whole_until_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Arc::new(Mutex::new(Limits {
        size_max: 2 << 20,
        ..Limits::default()
    }));
    let store = open(folder.path(), &limits);
    let mut stored = Vec::new();
    let refused = loop {
        let name = format!("n{:03}", stored.len());
        match put(&store, &name, 100_000) {
            Ok(()) => stored.push(name),
            Err(refused) => break refused,
        }
        assert!(stored.len() < 100, "the disk never ran full");
    };
    let Refused::Unwritable(reason) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        reason.starts_with("there is no room for the log"),
        "{reason}"
    );
    assert!(stored.len() > 5);
    // What was refused is not there, what was accepted is durable, reads go on.
    let revision = store.revision();
    assert_eq!(names(&store), stored);
    store.flushed().await.unwrap();
    let mut trouble = store.trouble();
    trouble.wait_for(Option::is_some).await.unwrap();
    limits.lock().size_max = 0;
    while put(&store, "later", 100_000).is_err() {
        tokio::task::yield_now().await;
    }
    trouble.wait_for(Option::is_none).await.unwrap();
    stored.insert(0, "later".into());
    assert_eq!(store.revision(), revision + 1);
    store.flushed().await.unwrap();
    store.closed().await;
    let again = open(folder.path(), &limits);
    assert_eq!(names(&again), stored);
    again.closed().await;
}

#[tokio::test]
async fn a_broken_disk_fails_the_waiting_writers_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Arc::new(Mutex::new(Limits::default()));
    let store = open(folder.path(), &limits);
    put(&store, "a", 10).unwrap();
    store.flushed().await.unwrap();
    limits.lock().broken = true;
    put(&store, "b", 10).unwrap();
    let error = store.flushed().await.unwrap_err();
    assert_eq!(error, "the log cannot be written: broken");
    assert!(matches!(put(&store, "c", 10), Err(Refused::Unwritable(_))));
    limits.lock().broken = false;
    while put(&store, "d", 10).is_err() {
        tokio::task::yield_now().await;
    }
    store.flushed().await.unwrap();
    store.closed().await;
    let again = open(folder.path(), &limits);
    assert_eq!(names(&again), ["a", "b", "d"]);
    again.closed().await;
}

#[tokio::test]
async fn many_writers_share_their_flushes() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Arc::new(Mutex::new(Limits::default()));
    let store = open(folder.path(), &limits);
    // The disk stands still while everybody queues.
    let standing = limits.lock();
    for index in 0..500 {
        put(&store, &format!("n{index:03}"), 10).unwrap();
    }
    drop(standing);
    store.flushed().await.unwrap();
    let (records, flushes) = store.log_counts();
    assert_eq!(records, 500);
    assert!(flushes <= 2, "{flushes} flushes");
    store.closed().await;
}

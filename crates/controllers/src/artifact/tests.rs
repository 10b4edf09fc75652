//! Both forms of the store: in memory and on disk.

use super::*;
use filetree::{FileTree, Ignore, select};

const OWNER: Owner<'static> = Owner {
    kind: "GitRepository",
    namespace: "apps",
    name: "podinfo",
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn put(store: &ArtifactStore, text: &str, seconds: i64) -> Artifact {
    let mut tree = MemoryTree::new();
    tree.insert("a.yaml", text.as_bytes()).unwrap();
    let entries = select(&tree, &Ignore::load(&tree, None).unwrap()).unwrap();
    let file = format!("{text}.tar.gz");
    store
        .put(OWNER, &file, text, &entries, at(seconds))
        .unwrap()
}

fn stores() -> (tempfile::TempDir, Vec<ArtifactStore>) {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention::default();
    let disk = ArtifactStore::on_disk(dir.path(), "host:1", retention).unwrap();
    let memory = ArtifactStore::in_memory("host:1", retention);
    (dir, vec![disk, memory])
}

#[test]
fn artifacts_have_upstreams_place_and_come_back() {
    let (_dir, stores) = stores();
    for store in stores {
        let artifact = put(&store, "one", 0);
        assert_eq!(artifact.path, "gitrepository/apps/podinfo/one.tar.gz");
        assert_eq!(artifact.url, format!("http://host:1/{}", artifact.path));
        assert!(store.exists(&artifact));
        store.verify(&artifact).unwrap();
        assert_eq!(
            &*store.tree(&artifact).unwrap().read("a.yaml").unwrap(),
            b"one"
        );
        store.trees.lock().remove(&artifact.digest);
        assert_eq!(
            &*store.tree(&artifact).unwrap().read("a.yaml").unwrap(),
            b"one"
        );
        store.set_address("https://proxy/x/");
        assert!(store.url("p").starts_with("https://proxy/x/p"));
        assert!(store.remove_all(OWNER).unwrap());
        assert!(!store.exists(&artifact));
        assert!(!store.remove_all(OWNER).unwrap());
    }
}

#[test]
fn old_files_go_by_age_and_number() {
    let infos = |ages: &[i64]| -> Vec<files::Info> {
        ages.iter()
            .map(|age| files::Info {
                name: age.to_string(),
                modified: at(-age),
            })
            .collect()
    };
    for (ages, expected) in [
        (&[][..], &[][..]),
        (&[10], &[]),
        (&[10, 20], &["20"]),
        (&[100, 20], &["100"]),
        (&[100, 20, 30, 10], &["100", "30", "20"]),
    ] {
        let got = garbage(&mut infos(ages), Retention::default(), at(0));
        assert_eq!(got, expected, "{ages:?}");
    }
    let store = ArtifactStore::in_memory("h", Retention::default());
    let first = put(&store, "one", 0);
    let second = put(&store, "two", 1);
    let third = put(&store, "three", 2);
    assert_eq!(store.garbage_collect(&third, at(3)).unwrap(), 1);
    assert!(!store.exists(&first) && store.exists(&second) && store.exists(&third));
    assert_eq!(store.garbage_collect(&third, at(90)).unwrap(), 1);
    assert!(!store.exists(&second) && store.exists(&third));
}

/// A disk that has no room while told so.
#[derive(Default)]
struct FullDisk {
    files: MemoryFiles,
    full: Arc<std::sync::atomic::AtomicBool>,
}

impl Files for FullDisk {
    fn read(&self, path: &str) -> std::io::Result<Option<Bytes>> {
        self.files.read(path)
    }
    fn exists(&self, path: &str) -> bool {
        self.files.exists(path)
    }
    fn modified(&self, path: &str) -> Option<Timestamp> {
        self.files.modified(path)
    }
    fn create_directory(&self, directory: &str) -> std::io::Result<()> {
        self.files.create_directory(directory)
    }
    fn write(&self, path: &str, bytes: Bytes, digest: &str, now: Timestamp) -> std::io::Result<()> {
        match self.full.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => self.files.write(path, bytes, digest, now),
        }
    }
    fn begin(&self, directory: &str) -> std::io::Result<pending::Content> {
        self.files.begin(directory)
    }
    fn adopt(
        &self,
        path: &str,
        content: pending::Content,
        digest: &str,
        now: Timestamp,
    ) -> std::io::Result<()> {
        self.files.adopt(path, content, digest, now)
    }
    fn link(&self, path: &str, target: &str) -> std::io::Result<()> {
        self.files.link(path, target)
    }
    fn open(&self, path: &str) -> std::io::Result<Option<Box<dyn std::io::Read + Send>>> {
        self.files.open(path)
    }
    fn verify(&self, path: &str, digest: &str) -> Result<(), StoreError> {
        self.files.verify(path, digest)
    }
    fn remove(&self, path: &str) -> std::io::Result<()> {
        self.files.remove(path)
    }
    fn remove_directory(&self, path: &str) -> std::io::Result<bool> {
        self.files.remove_directory(path)
    }
    fn list(&self, directory: &str) -> std::io::Result<Vec<files::Info>> {
        self.files.list(directory)
    }
    fn names(&self, directory: &str) -> Option<files::Names> {
        self.files.names(directory)
    }
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let disk = FullDisk::default();
    let full = disk.full.clone();
    let store = ArtifactStore::with_files(Box::new(disk), "h", Retention::default());
    let first = put(&store, "one", 0);
    full.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut tree = MemoryTree::new();
    tree.insert("a.yaml", *b"two").unwrap();
    let entries = select(&tree, &Ignore::load(&tree, None).unwrap()).unwrap();
    let refused = store.put(OWNER, "two.tar.gz", "two", &entries, at(1));
    assert_eq!(refused.unwrap_err().to_string(), "no storage space");
    store.verify(&first).unwrap();
    full.store(false, std::sync::atomic::Ordering::Relaxed);
    let second = put(&store, "two", 2);
    store.verify(&second).unwrap();
    store.verify(&first).unwrap();
}

#[test]
fn failed_writes_are_told_alike_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let disk = DiskFiles::new(directory.path());
    disk.create_directory("a").unwrap();
    // A directory in the way of the file.
    disk.create_directory("a/x.tar.gz/below").unwrap();
    let write = || {
        disk.write("a/x.tar.gz", Bytes::new(), "", at(0))
            .unwrap_err()
    };
    let text = write().to_string();
    assert_eq!(text, write().to_string());
    assert!(text.contains("a/x.tar.gz: "), "{text}");
    let left = disk.names("a").unwrap();
    assert_eq!(
        left,
        [("x.tar.gz".to_owned(), true)],
        "nothing is left behind"
    );
    std::fs::remove_dir_all(directory.path().join("a")).unwrap();
    let gone = disk
        .write("a/x.tar.gz", Bytes::new(), "", at(0))
        .unwrap_err();
    assert!(!gone.to_string().contains(".artifact-"), "{gone}");
}

#[test]
fn causes_of_failed_writes_have_no_names_of_chance() {
    for (text, cause) in [
        (
            "No space left on device (os error 28) at path \"/data/.artifact-x\"",
            "no space left on device",
        ),
        ("Permission denied (os error 13)", "permission denied"),
        (
            "failed to write whole buffer",
            "failed to write whole buffer",
        ),
    ] {
        assert_eq!(files::cause(&std::io::Error::other(text)), cause);
    }
}

#[test]
fn changed_files_are_noticed() {
    let (dir, stores) = stores();
    let artifact = put(&stores[0], "one", 0);
    let path = dir.path().join(&artifact.path);
    std::fs::write(&path, "rotten").unwrap();
    let error = stores[0].verify(&artifact).unwrap_err();
    assert!(matches!(error, StoreError::Digest { .. }), "{error}");
}

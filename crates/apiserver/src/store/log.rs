//! The durable log: commits in order on disk, flushed in groups, folded into a snapshot from time to time.
//!
//! A folder holds `snapshot` and one or more `log-REVISION`. A thread of its own writes what commits have queued and
//! flushes it in one go; whoever waits for durability waits for that. Logs are filled with zeros ahead of their end,
//! so that a flush does not have to change the file's size. A tail that was torn by a crash is cut and reported; a
//! damaged record with intact ones after it is refused.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use compact_str::CompactString;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::entry::Entry;
use super::record::{self, At, Record};
use super::{Store, TableName};

/// Zeros written ahead of a log's end.
const AHEAD_BYTES: u64 = 1 << 20;
/// A log beyond this size is folded into a snapshot.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Why a folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// Another process has the folder open.
    #[error("{}: another server is using this folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Something in the middle is damaged; opening would lose intact records.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// File.
        path: PathBuf,
        /// What is damaged and what would be lost.
        what: String,
    },
}

/// What a folder held.
#[derive(Default)]
pub struct Recovered {
    /// Version of the last commit.
    pub revision: u64,
    /// Newest state by table.
    pub tables: HashMap<TableName, BTreeMap<CompactString, Arc<Entry>>>,
    /// What a torn tail took with it; empty where nothing was lost.
    pub lost: String,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Records appended since the start.
    appended: u64,
    closing: bool,
}

/// Records on disk so far, and why no more get there.
#[derive(Clone, Debug, Default)]
struct Flushed {
    upto: u64,
    failure: Option<String>,
    /// Whether the writer has ended and the folder is free.
    ended: bool,
}

/// An open log.
pub struct Log {
    queue: Mutex<Queue>,
    wake: Condvar,
    flushed: watch::Sender<Flushed>,
    store: OnceLock<Weak<Store>>,
    /// Locked while the folder is in use.
    lock: File,
}

impl Log {
    /// Opens a folder, creating it where absent.
    pub fn open(folder: &Path) -> Result<(Arc<Self>, Recovered), LogError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| LogError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let lock_path = folder.join("lock");
        let lock = private()
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(failed(&lock_path))?;
        if lock.try_lock().is_err() {
            let path = folder.to_path_buf();
            return Err(LogError::InUse { path });
        }
        let (recovered, last) = recover(folder)?;
        let writer = match last {
            Some((path, end)) => Writer::resume(folder, path, end),
            None => Writer::create(folder, recovered.revision),
        };
        let writer = writer.map_err(failed(folder))?;
        let log = Arc::new(Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            flushed: watch::Sender::new(Flushed::default()),
            store: OnceLock::new(),
            lock,
        });
        let thread_log = log.clone();
        std::thread::Builder::new()
            .name("apiserver-log".into())
            .spawn(move || {
                thread_log.run(writer);
                // A lock that cannot be given back goes with the file.
                let _ = thread_log.lock.unlock();
                thread_log.flushed.send_modify(|f| f.ended = true);
            })
            .map_err(failed(folder))?;
        Ok((log, recovered))
    }

    /// Tells the log which store its snapshots are taken from.
    pub fn attach(&self, store: &Arc<Store>) {
        // A second store would be a second log.
        let _ = self.store.set(Arc::downgrade(store));
    }

    /// Queues a write.
    pub fn put(&self, table: &str, key: &str, entry: &Entry) {
        self.append(|out| record::push_put(out, table, key, entry));
    }

    /// Queues a removal.
    pub fn remove(&self, table: &str, key: &str, revision: u64) {
        self.append(|out| record::push_remove(out, table, key, revision));
    }

    fn append(&self, push: impl FnOnce(&mut Vec<u8>)) {
        let mut queue = self.queue.lock();
        push(&mut queue.bytes);
        queue.appended += 1;
        self.wake.notify_one();
    }

    /// Waits until everything queued so far is on disk.
    pub async fn flushed(&self) -> Result<(), String> {
        let wanted = self.queue.lock().appended;
        let mut flushed = self.flushed.subscribe();
        let done = flushed
            .wait_for(|flushed| flushed.upto >= wanted || flushed.failure.is_some())
            .await;
        match done {
            Ok(state) if state.upto >= wanted => Ok(()),
            Ok(state) => Err(state.failure.clone().unwrap_or_default()),
            Err(_) => Err("the log is closed".into()),
        }
    }

    /// Waits until the writer's thread has ended; [`Log::close`] or [`Log::kill`] come first.
    pub async fn ended(&self) {
        let mut flushed = self.flushed.subscribe();
        // The sender lives as long as this log.
        let _ = flushed.wait_for(|flushed| flushed.ended).await;
    }

    /// Returns why writes do not get to disk at the moment.
    pub fn failure(&self) -> Option<String> {
        self.flushed.borrow().failure.clone()
    }

    /// Ends the writer's thread and forgets what it has not written yet.
    pub fn kill(&self) {
        let mut queue = self.queue.lock();
        queue.closing = true;
        queue.bytes.clear();
        self.wake.notify_one();
        self.flushed
            .send_modify(|f| f.failure = Some("the server was killed".into()));
    }

    /// Ends the writer's thread after it has flushed everything.
    pub fn close(&self) {
        self.queue.lock().closing = true;
        self.wake.notify_one();
    }

    fn run(&self, mut writer: Writer) {
        while let Some((bytes, upto)) = self.next_group() {
            while let Err(error) = writer.write(&bytes) {
                let reason = format!("the log cannot be written: {error}");
                tracing::error!(reason, "changes are not durable");
                self.flushed.send_modify(|f| f.failure = Some(reason));
                let mut queue = self.queue.lock();
                if queue.closing {
                    return;
                }
                self.wake.wait_for(&mut queue, RETRY);
            }
            self.flushed.send_modify(|f| {
                f.upto = upto;
                f.failure = None;
            });
            if writer.end > LOG_BYTES_MAX
                && let Err(error) = self.fold(&mut writer)
            {
                // The old log goes on growing; nothing is lost.
                tracing::warn!(%error, "no snapshot could be written");
            }
        }
    }

    fn next_group(&self) -> Option<(Vec<u8>, u64)> {
        let mut queue = self.queue.lock();
        while queue.bytes.is_empty() {
            if queue.closing {
                return None;
            }
            self.wake.wait(&mut queue);
        }
        let bytes = std::mem::take(&mut queue.bytes);
        Some((bytes, queue.appended))
    }

    /// Writes a snapshot and starts a new log after it.
    fn fold(&self, writer: &mut Writer) -> io::Result<()> {
        let Some(store) = self.store.get().and_then(Weak::upgrade) else {
            return Ok(());
        };
        let (revision, tables) = store.dump();
        write_snapshot(&writer.folder, revision, &tables)?;
        let old = std::mem::replace(writer, Writer::create(&writer.folder, revision)?);
        for path in logs(&writer.folder)? {
            if path != writer.path {
                std::fs::remove_file(path)?;
            }
        }
        drop(old);
        Ok(())
    }
}

struct Writer {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    end: u64,
    /// Zeros reach this far.
    filled: u64,
}

impl Writer {
    fn create(folder: &Path, revision: u64) -> io::Result<Self> {
        let path = folder.join(format!("log-{revision:020}"));
        let file = private().create(true).truncate(true).open(&path)?;
        File::open(folder)?.sync_all()?;
        Ok(Self {
            folder: folder.to_path_buf(),
            path,
            file,
            end: 0,
            filled: 0,
        })
    }

    fn resume(folder: &Path, path: PathBuf, end: u64) -> io::Result<Self> {
        let file = private().open(&path)?;
        // Whatever stood after the last intact record must not be taken for one later.
        file.set_len(end)?;
        file.sync_all()?;
        Ok(Self {
            folder: folder.to_path_buf(),
            path,
            file,
            end,
            filled: end,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        if self.end + length > self.filled {
            let zeros = vec![0; 64 * 1024];
            let goal = self.end + length + AHEAD_BYTES;
            while self.filled < goal {
                self.file.write_all_at(&zeros, self.filled)?;
                self.filled += zeros.len() as u64;
            }
            self.file.sync_all()?;
        }
        self.file.write_all_at(bytes, self.end)?;
        self.file.sync_data()?;
        self.end += length;
        Ok(())
    }
}

/// Objects may hold secrets: files are for their owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("log-") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

type Dump = [(TableName, Vec<(CompactString, Arc<Entry>)>)];

fn write_snapshot(folder: &Path, revision: u64, tables: &Dump) -> io::Result<()> {
    let temporary = folder.join("snapshot.new");
    let file = private().create(true).truncate(true).open(&temporary)?;
    let mut out = io::BufWriter::new(file);
    let mut bytes = Vec::new();
    let mut objects = 0;
    record::push_begin(&mut bytes, revision);
    for (table, rows) in tables {
        for (key, entry) in rows {
            record::push_put(&mut bytes, table, key, entry);
            objects += 1;
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    record::push_end(&mut bytes, objects);
    out.write_all(&bytes)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    std::fs::rename(&temporary, folder.join("snapshot"))?;
    File::open(folder)?.sync_all()
}

/// Reads a folder; also returns the log to go on with and where it ends.
fn recover(folder: &Path) -> Result<(Recovered, Option<(PathBuf, u64)>), LogError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| LogError::Io { path, source }
    };
    let mut recovered = Recovered::default();
    let snapshot = folder.join("snapshot");
    if snapshot.exists() {
        let bytes = std::fs::read(&snapshot).map_err(failed(&snapshot))?;
        read_snapshot(&snapshot, &bytes, &mut recovered)?;
    }
    let since = recovered.revision;
    let paths = logs(folder).map_err(failed(folder))?;
    let mut last = None;
    for (index, path) in paths.iter().enumerate() {
        let bytes = std::fs::read(path).map_err(failed(path))?;
        let newest = index + 1 == paths.len();
        let end = read_log(path, &bytes, since, newest, &mut recovered)?;
        last = Some((path.clone(), end as u64));
    }
    Ok((recovered, last))
}

fn read_snapshot(path: &Path, bytes: &[u8], into: &mut Recovered) -> Result<(), LogError> {
    let damaged = |at: usize, objects: u64| LogError::Damaged {
        path: path.to_path_buf(),
        what: format!("the snapshot is damaged at byte {at}, after {objects} objects"),
    };
    let (mut at, mut objects) = (0, 0);
    loop {
        match record::read(bytes, at) {
            At::Record(Record::Begin(revision), next) => {
                into.revision = revision;
                at = next;
            }
            At::Record(Record::End(count), _) if count == objects => return Ok(()),
            At::Record(record @ Record::Put { .. }, next) => {
                apply(record, into);
                objects += 1;
                at = next;
            }
            _ => return Err(damaged(at, objects)),
        }
    }
}

fn apply(record: Record, into: &mut Recovered) {
    match record {
        Record::Put {
            revision,
            table,
            key,
            entry,
        } => {
            into.revision = into.revision.max(revision);
            let table = into.tables.entry(TableName::from(table)).or_default();
            table.insert(key, Arc::from(entry));
        }
        Record::Remove {
            revision,
            table,
            key,
        } => {
            into.revision = into.revision.max(revision);
            if let Some(table) = into.tables.get_mut(table.as_str()) {
                table.remove(&key);
            }
        }
        Record::Begin(_) | Record::End(_) => {}
    }
}

fn read_log(
    path: &Path,
    bytes: &[u8],
    since: u64,
    newest: bool,
    into: &mut Recovered,
) -> Result<usize, LogError> {
    let mut at = 0;
    loop {
        match record::read(bytes, at) {
            At::Record(record, next) => {
                let revision = match &record {
                    Record::Put { revision, .. } | Record::Remove { revision, .. } => *revision,
                    Record::Begin(_) | Record::End(_) => 0,
                };
                if revision > since {
                    apply(record, into);
                }
                at = next;
            }
            At::End => return Ok(at),
            At::Damaged => {
                let found = (at + 1..bytes.len())
                    .find(|place| matches!(record::read(bytes, *place), At::Record(..)));
                if let Some(next) = found {
                    let what = format!(
                        "the record at byte {at} (after version {}) is damaged, and an intact one follows at byte {next}: restore the file from a copy, or cut it at byte {at} to lose everything after that version",
                        into.revision
                    );
                    let path = path.to_path_buf();
                    return Err(LogError::Damaged { path, what });
                }
                let lost = bytes[at..]
                    .iter()
                    .rposition(|b| *b != 0)
                    .map_or(0, |p| p + 1);
                if !newest {
                    let what = format!(
                        "the log ends in a damaged record at byte {at}, but a newer log exists"
                    );
                    let path = path.to_path_buf();
                    return Err(LogError::Damaged { path, what });
                }
                into.lost = format!(
                    "{}: the last {lost} bytes, from byte {at} on, were torn by a crash and are cut; everything up to version {} is there",
                    path.display(),
                    into.revision
                );
                return Ok(at);
            }
        }
    }
}

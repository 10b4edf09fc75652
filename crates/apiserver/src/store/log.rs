//! The durable log: commits in order on disk, flushed in groups, folded into a snapshot from time to time.
//!
//! A folder holds `snapshot` and one or more `log-REVISION`. A thread of its own writes what commits have queued and
//! flushes it in one go; whoever waits for durability waits for that. Before a change is made in memory it reserves its
//! room in the log: on a full disk it is refused as a whole, and goes through again once there is space. A tail that was torn by a crash is cut and reported; a
//! damaged record with intact ones after it is refused.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::Store;
use super::entry::Entry;
use super::files::{Wrap, Writer, logs, private, write_snapshot};
use super::record;
use super::recover::{Recovered, recover};

/// Room made when a log is opened.
const FIRST_ROOM_BYTES: u64 = 1 << 20;
/// Room made at once later on.
const ROOM_BYTES: u64 = 4 << 20;
/// With less room than this, more is made before anybody has to wait for it.
const LOW_ROOM_BYTES: u64 = 2 << 20;
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

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Records appended since the start.
    appended: u64,
    /// Bytes that may still be reserved.
    room: u64,
    /// Bytes that somebody waits for.
    wanted: u64,
    /// Why no more room can be made at the moment.
    full: Option<String>,
    closing: bool,
    killed: bool,
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
    /// Tells those who wait for room.
    roomier: Condvar,
    flushes: AtomicU64,
    flushed: watch::Sender<Flushed>,
    /// What keeps writes from the disk at the moment, for people.
    trouble: watch::Sender<Option<String>>,
    store: OnceLock<Weak<Store>>,
    /// Locked while the folder is in use.
    lock: File,
}

impl Log {
    /// Opens a folder, creating it where absent.
    pub fn open(folder: &Path) -> Result<(Arc<Self>, Recovered), LogError> {
        Self::open_with(folder, Arc::new(|file| Box::new(file)))
    }

    /// As [`Log::open`], with the log's files wrapped.
    pub fn open_with(folder: &Path, wrap: Wrap) -> Result<(Arc<Self>, Recovered), LogError> {
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
        let fresh = last.is_none();
        let writer = match last {
            Some((path, end)) => Writer::resume(folder, path, end, wrap),
            None => Writer::create(folder, recovered.revision, wrap),
        };
        let mut writer = writer.map_err(failed(folder))?;
        let mut queue = Queue::default();
        match writer.extend(FIRST_ROOM_BYTES) {
            Ok(made) => queue.room = made,
            Err(error) if fresh => return Err(failed(folder)(error)),
            // What is there can be read, and written once there is space again.
            Err(error) => queue.full = Some(full_reason(&error)),
        }
        let trouble = queue.full.clone();
        let log = Arc::new(Self {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            roomier: Condvar::new(),
            flushes: AtomicU64::new(0),
            flushed: watch::Sender::new(Flushed::default()),
            trouble: watch::Sender::new(trouble),
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

    /// Reserves room for a record of at most this many bytes; waits where more room is being made.
    pub fn reserve(&self, bytes: u64) -> Result<(), String> {
        let mut queue = self.queue.lock();
        loop {
            if queue.killed {
                return Err("the server was killed".into());
            }
            if let Some(reason) = self.failure() {
                return Err(reason);
            }
            if queue.room >= bytes {
                queue.room -= bytes;
                if queue.room < LOW_ROOM_BYTES {
                    self.wake.notify_one();
                }
                return Ok(());
            }
            if let Some(reason) = &queue.full {
                return Err(reason.clone());
            }
            queue.wanted = queue.wanted.max(bytes);
            self.wake.notify_one();
            self.roomier.wait(&mut queue);
        }
    }

    /// Gives back room that was reserved and not used.
    pub fn release(&self, bytes: u64) {
        self.queue.lock().room += bytes;
    }

    /// Queues a write into reserved room.
    pub fn put(&self, reserved: u64, table: &str, key: &str, entry: &Entry) {
        self.append(reserved, |out| record::push_put(out, table, key, entry));
    }

    /// Queues a removal into reserved room.
    pub fn remove(&self, reserved: u64, table: &str, key: &str, revision: u64) {
        self.append(reserved, |out| {
            record::push_remove(out, table, key, revision);
        });
    }

    fn append(&self, reserved: u64, push: impl FnOnce(&mut Vec<u8>)) {
        let mut queue = self.queue.lock();
        if queue.killed {
            return;
        }
        let before = queue.bytes.len();
        push(&mut queue.bytes);
        let used = (queue.bytes.len() - before) as u64;
        debug_assert!(
            used <= reserved,
            "a record is larger than what was reserved for it"
        );
        queue.room += reserved.saturating_sub(used);
        queue.appended += 1;
        self.wake.notify_one();
    }

    /// Counts records queued and flushes done since the start.
    pub fn counts(&self) -> (u64, u64) {
        let appended = self.queue.lock().appended;
        (appended, self.flushes.load(Ordering::Relaxed))
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
        queue.killed = true;
        queue.bytes.clear();
        self.wake.notify_one();
        self.roomier.notify_all();
        self.flushed
            .send_modify(|f| f.failure = Some("the server was killed".into()));
    }

    /// Ends the writer's thread after it has flushed everything.
    pub fn close(&self) {
        self.queue.lock().closing = true;
        self.wake.notify_one();
    }

    fn run(&self, mut writer: Writer) {
        loop {
            match self.next_work() {
                Work::Write(bytes, upto) => {
                    if !self.write(&mut writer, &bytes) {
                        return;
                    }
                    self.flushes.fetch_add(1, Ordering::Relaxed);
                    self.flushed.send_modify(|f| {
                        f.upto = upto;
                        f.failure = None;
                    });
                    self.tell();
                    if writer.end > LOG_BYTES_MAX
                        && let Err(error) = self.fold(&mut writer)
                    {
                        // The old log goes on growing; nothing is lost.
                        tracing::warn!(%error, "no snapshot could be written");
                    }
                }
                Work::Extend => self.extend(&mut writer),
                Work::End => return,
            }
        }
    }

    /// Writes and flushes until it works; tells whether it did before the end.
    fn write(&self, writer: &mut Writer, bytes: &[u8]) -> bool {
        while let Err(error) = writer.write(bytes) {
            let reason = format!("the log cannot be written: {error}");
            tracing::error!(reason, "changes are not durable");
            self.flushed.send_modify(|f| f.failure = Some(reason));
            self.tell();
            self.roomier.notify_all();
            let mut queue = self.queue.lock();
            if queue.closing {
                return false;
            }
            self.wake.wait_for(&mut queue, RETRY);
        }
        true
    }

    /// Makes room, or says why there is none.
    fn extend(&self, writer: &mut Writer) {
        let wanted = self.queue.lock().wanted;
        let bytes = ROOM_BYTES.max(wanted);
        let outcome = writer.extend(bytes);
        let mut queue = self.queue.lock();
        match outcome {
            Ok(made) => {
                queue.room += made;
                queue.wanted = 0;
                if queue.full.take().is_some() {
                    tracing::info!("there is room for the log again");
                }
            }
            Err(error) => {
                let reason = full_reason(&error);
                if queue.full.is_none() {
                    tracing::error!(
                        reason,
                        "further changes are refused once the log's room is used up"
                    );
                }
                queue.full = Some(reason);
                queue.wanted = 0;
            }
        }
        drop(queue);
        self.tell();
        self.roomier.notify_all();
    }

    /// Tells people when trouble begins, changes or ends.
    fn tell(&self) {
        let full = self.queue.lock().full.clone();
        let now = self.failure().or(full);
        self.trouble.send_if_modified(|told| {
            let news = *told != now;
            *told = now;
            news
        });
    }

    /// Follows what keeps writes from the disk.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    fn next_work(&self) -> Work {
        let mut queue = self.queue.lock();
        loop {
            if !queue.bytes.is_empty() {
                let capacity = queue.bytes.len();
                let bytes = std::mem::replace(&mut queue.bytes, Vec::with_capacity(capacity));
                return Work::Write(bytes, queue.appended);
            }
            if queue.closing {
                return Work::End;
            }
            let low = queue.room < LOW_ROOM_BYTES || queue.wanted > queue.room;
            if low && queue.full.is_none() {
                return Work::Extend;
            }
            if low {
                // A full disk is tried again after a while, and whenever there is something to write.
                if self.wake.wait_for(&mut queue, RETRY).timed_out() {
                    return Work::Extend;
                }
            } else {
                self.wake.wait(&mut queue);
            }
        }
    }

    /// Writes a snapshot and starts a new log after it.
    fn fold(&self, writer: &mut Writer) -> io::Result<()> {
        let Some(store) = self.store.get().and_then(Weak::upgrade) else {
            return Ok(());
        };
        let (revision, tables) = store.dump();
        write_snapshot(&writer.folder, revision, &tables)?;
        let next = writer.next(revision)?;
        let old = std::mem::replace(writer, next);
        for path in logs(&writer.folder)? {
            if path != writer.path {
                std::fs::remove_file(path)?;
            }
        }
        drop(old);
        Ok(())
    }
}

/// What the writer's thread does next.
enum Work {
    /// Write these records; this many have been queued with them.
    Write(Vec<u8>, u64),
    /// Make room.
    Extend,
    /// Nothing more.
    End,
}

fn full_reason(error: &io::Error) -> String {
    format!("there is no room for the log: {error}")
}

#[cfg(test)]
mod tests;

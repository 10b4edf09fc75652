//! Changes of one table, and cursors that follow them.
//!
//! A cursor holds no events: it remembers a revision and reads the shared ring. One that falls behind the ring
//! is expired, so that a slow reader never holds memory.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use compact_str::CompactString;
use tokio::sync::watch::Receiver;

use super::{Entry, Expired, Store, TableName};

/// One committed change.
#[derive(Debug)]
pub struct Event {
    /// Key of the object in its table.
    pub key: CompactString,
    /// Version of the change.
    pub revision: u64,
    /// State after the change; for a removal, the last state under the removal's version.
    pub state: Arc<Entry>,
    /// State before; absent for a create.
    pub old: Option<Arc<Entry>>,
    /// Whether the object went.
    pub removed: bool,
    /// Whole watch line in the stored version, encoded by its first reader.
    pub line: OnceLock<Bytes>,
}

impl Event {
    pub(super) fn new(
        key: &str,
        revision: u64,
        state: Arc<Entry>,
        old: Option<Arc<Entry>>,
    ) -> Self {
        Self {
            key: key.into(),
            revision,
            state,
            old,
            removed: false,
            line: OnceLock::new(),
        }
    }

    pub(super) fn removal(key: &str, last: Arc<Entry>, old: Arc<Entry>) -> Self {
        Self {
            key: key.into(),
            revision: last.revision,
            state: last,
            old: Some(old),
            removed: true,
            line: OnceLock::new(),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.state.body.len() + self.old.as_ref().map_or(0, |old| old.body.len()) + 256
    }
}

/// A reader's place in one table's history.
pub struct Cursor {
    store: Arc<Store>,
    table: TableName,
    after: u64,
    signal: Receiver<u64>,
}

impl Cursor {
    pub(super) fn new(
        store: Arc<Store>,
        table: TableName,
        after: u64,
        signal: Receiver<u64>,
    ) -> Self {
        Self {
            store,
            table,
            after,
            signal,
        }
    }

    /// Returns at most `max` further events in order; an empty list means "none yet".
    pub fn take(&mut self, max: usize) -> Result<Vec<Arc<Event>>, Expired> {
        self.signal.borrow_and_update();
        let events = self.store.events_after(&self.table, self.after, max)?;
        if let Some(last) = events.last() {
            self.after = last.revision;
        }
        Ok(events)
    }

    /// Waits for at least one event; returns at once where some are waiting already.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Arc<Event>>, Expired> {
        loop {
            let events = self.take(max)?;
            if !events.is_empty() {
                return Ok(events);
            }
            if self.signal.changed().await.is_err() {
                return Err(Expired { floor: u64::MAX });
            }
        }
    }

    /// Returns the version up to which everything has been read.
    pub fn position(&self) -> u64 {
        self.after
    }

    /// Returns the newest version such that this table has nothing unread before it.
    pub fn caught_up(&mut self) -> Option<u64> {
        let revision = self.store.revision();
        let unread = self.store.events_after(&self.table, self.after, 1).ok()?;
        unread.is_empty().then_some(revision)
    }
}

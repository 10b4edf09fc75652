//! Versioned storage in memory: one revision counter, an ordered map and a bounded ring of events a table.
//!
//! A table holds all objects of one stored resource, keyed by `namespace/name` in byte order, as etcd does.
//! Writes compare the version that the writer has read. Reads of the past undo the ring's events; a version
//! older than the ring is expired. With a log, every commit is handed to its writer in revision order.

mod entry;
mod files;
pub mod log;
mod record;
mod recover;
mod watch;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use compact_str::CompactString;
use parking_lot::RwLock;

pub use entry::{Draft, Entry, Owner};
pub use watch::{Cursor, Event};

use log::Log;
use recover::Recovered;

/// First revision of an empty store; above 1 so that "1" is always too old.
const FIRST_REVISION: u64 = 100;
/// Events a table remembers at most.
const RING_EVENTS_MAX: usize = 4096;
/// Bytes of old and new bodies a table's ring may pin; the newest events always stay.
const RING_BYTES_MAX: usize = 8 << 20;
/// Events that stay however large they are.
const RING_EVENTS_MIN: usize = 64;

/// Bytes of a record beside table, key and object, generously.
const RECORD_BYTES_MAX: usize = 256;

/// Name of a table: `group/resource` of the stored form.
pub type TableName = Arc<str>;

/// The version asked for is not remembered any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Oldest version that is still known.
    pub floor: u64,
}

/// What a writer believes to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// This version.
    Revision(u64),
}

/// Why a commit did not happen.
#[derive(Debug)]
pub enum Refused {
    /// Something else is stored than expected.
    Changed,
    /// The log cannot take writes; the reason.
    Unwritable(String),
}

/// All tables.
pub struct Store {
    inner: RwLock<Inner>,
    log: Option<Arc<Log>>,
}

struct Inner {
    revision: u64,
    /// Revision at which the store was opened: nothing before it is remembered.
    base: u64,
    tables: HashMap<TableName, Table>,
}

struct Table {
    latest: BTreeMap<CompactString, Arc<Entry>>,
    ring: VecDeque<Arc<Event>>,
    ring_bytes: usize,
    /// Every event after this revision is in the ring.
    floor: u64,
    signal: tokio::sync::watch::Sender<u64>,
}

impl Table {
    fn new(floor: u64) -> Self {
        Self {
            latest: BTreeMap::new(),
            ring: VecDeque::new(),
            ring_bytes: 0,
            floor,
            signal: tokio::sync::watch::Sender::new(floor),
        }
    }

    fn push(&mut self, event: Event) {
        self.ring_bytes += event.size();
        let revision = event.revision;
        self.ring.push_back(Arc::new(event));
        while self.ring.len() > RING_EVENTS_MAX
            || (self.ring_bytes > RING_BYTES_MAX && self.ring.len() > RING_EVENTS_MIN)
        {
            let Some(old) = self.ring.pop_front() else {
                break;
            };
            self.ring_bytes -= old.size();
            self.floor = old.revision;
        }
        self.signal.send_replace(revision);
    }
}

/// Builds the key of an object in its table.
pub fn key(namespace: &str, name: &str) -> CompactString {
    if namespace.is_empty() {
        name.into()
    } else {
        compact_str::format_compact!("{namespace}/{name}")
    }
}

impl Store {
    /// Makes an empty store in memory.
    pub fn in_memory() -> Self {
        Self {
            inner: RwLock::new(Inner {
                revision: FIRST_REVISION,
                base: FIRST_REVISION,
                tables: HashMap::new(),
            }),
            log: None,
        }
    }

    /// Makes a store from what a log has kept; further commits go to that log.
    pub fn recovered(recovered: Recovered, log: Arc<Log>) -> Arc<Self> {
        let revision = recovered.revision.max(FIRST_REVISION);
        let mut tables = HashMap::new();
        for (name, latest) in recovered.tables {
            let mut table = Table::new(revision);
            table.latest = latest;
            tables.insert(name, table);
        }
        let store = Arc::new(Self {
            inner: RwLock::new(Inner {
                revision,
                base: revision,
                tables,
            }),
            log: Some(log.clone()),
        });
        log.attach(&store);
        store
    }

    /// Returns the version of the last commit.
    pub fn revision(&self) -> u64 {
        self.inner.read().revision
    }

    /// Reads one object.
    pub fn get(&self, table: &str, key: &str) -> Option<Arc<Entry>> {
        self.inner
            .read()
            .tables
            .get(table)?
            .latest
            .get(key)
            .cloned()
    }

    /// Lists the newest state in key order, with its version; an empty namespace means all.
    pub fn list(&self, table: &str, namespace: &str) -> (u64, Vec<Arc<Entry>>) {
        let inner = self.inner.read();
        let entries = match inner.tables.get(table) {
            Some(table) if namespace.is_empty() => table.latest.values().cloned().collect(),
            Some(table) => in_namespace(&table.latest, namespace).cloned().collect(),
            None => Vec::new(),
        };
        (inner.revision, entries)
    }

    /// Lists the state at a version that is not in the future, in key order.
    pub fn list_at(
        &self,
        table: &str,
        namespace: &str,
        revision: u64,
    ) -> Result<Vec<Arc<Entry>>, Expired> {
        let inner = self.inner.read();
        let Some(table) = inner.tables.get(table) else {
            return Ok(Vec::new());
        };
        // A store that has forgotten nothing also knows that it was empty before its first write.
        let complete = table.floor == FIRST_REVISION;
        if revision < table.floor && !complete {
            return Err(Expired { floor: table.floor });
        }
        let mut undone: BTreeMap<&str, Option<&Arc<Entry>>> = BTreeMap::new();
        for event in table.ring.iter().rev() {
            if event.revision <= revision {
                break;
            }
            undone.insert(&event.key, event.old.as_ref());
        }
        let mut state: BTreeMap<&str, &Arc<Entry>> = table
            .latest
            .iter()
            .map(|(key, entry)| (key.as_str(), entry))
            .collect();
        for (key, old) in undone {
            match old {
                Some(old) => state.insert(key, old),
                None => state.remove(key),
            };
        }
        Ok(state
            .into_values()
            .filter(|entry| namespace.is_empty() || entry.meta.namespace == namespace)
            .cloned()
            .collect())
    }

    /// Writes an object where the expectation holds; returns the stored version.
    pub fn put(
        &self,
        table: &TableName,
        key: &str,
        expect: Expect,
        draft: Draft,
    ) -> Result<Arc<Entry>, Refused> {
        let reserved = self.reserve(table, key, draft.size())?;
        let mut inner = self.inner.write();
        let old = match inner.check(table, key, expect) {
            Ok(old) => old,
            Err(refused) => {
                self.release(reserved);
                return Err(refused);
            }
        };
        let revision = inner.revision + 1;
        inner.revision = revision;
        let entry = Arc::new(draft.seal(revision));
        let table_state = inner.table(table);
        table_state.latest.insert(key.into(), entry.clone());
        table_state.push(Event::new(key, revision, entry.clone(), old));
        if let Some(log) = &self.log {
            log.put(reserved, table, key, &entry);
        }
        Ok(entry)
    }

    /// Removes an object where the expectation holds; returns its last state under the delete's version.
    pub fn remove(
        &self,
        table: &TableName,
        key: &str,
        revision: u64,
    ) -> Result<Arc<Entry>, Refused> {
        let reserved = self.reserve(table, key, 0)?;
        let mut inner = self.inner.write();
        let Ok(Some(old)) = inner.check(table, key, Expect::Revision(revision)) else {
            self.release(reserved);
            return Err(Refused::Changed);
        };
        let revision = inner.revision + 1;
        inner.revision = revision;
        let last = Arc::new(old.resealed(revision));
        let table_state = inner.table(table);
        table_state.latest.remove(key);
        table_state.push(Event::removal(key, last.clone(), old));
        if let Some(log) = &self.log {
            log.remove(reserved, table, key, revision);
        }
        Ok(last)
    }

    /// Follows a table; events after the given revision. Nothing is missed between a list and this.
    pub fn follow(self: &Arc<Self>, table: &TableName, after: u64) -> Result<Cursor, Expired> {
        let mut inner = self.inner.write();
        let state = inner.table(table);
        if after < state.floor {
            return Err(Expired { floor: state.floor });
        }
        let signal = state.signal.subscribe();
        Ok(Cursor::new(self.clone(), table.clone(), after, signal))
    }

    /// Waits until everything committed so far is on disk; returns at once without a log.
    pub async fn flushed(&self) -> Result<(), String> {
        match &self.log {
            Some(log) => log.flushed().await,
            None => Ok(()),
        }
    }

    /// Ends the log's thread at once; what it has not flushed yet is lost.
    pub fn kill(&self) {
        if let Some(log) = &self.log {
            log.kill();
        }
    }

    /// Ends the log's thread once everything is on disk.
    pub fn close(&self) {
        if let Some(log) = &self.log {
            log.close();
        }
    }

    /// Ends the log's thread and waits until the folder can be opened again.
    pub async fn closed(&self) {
        self.close();
        if let Some(log) = &self.log {
            log.ended().await;
        }
    }

    /// Reserves room in the log for a record around `bytes`; returns how much, 0 without a log.
    fn reserve(&self, table: &str, key: &str, bytes: usize) -> Result<u64, Refused> {
        let Some(log) = &self.log else {
            return Ok(0);
        };
        let bytes = (RECORD_BYTES_MAX + table.len() + key.len() + bytes) as u64;
        log.reserve(bytes).map_err(Refused::Unwritable)?;
        Ok(bytes)
    }

    fn release(&self, bytes: u64) {
        if let Some(log) = &self.log {
            log.release(bytes);
        }
    }

    /// Follows what keeps changes from the disk; `None` for good without a log.
    pub fn trouble(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        match &self.log {
            Some(log) => log.trouble(),
            None => tokio::sync::watch::Sender::new(None).subscribe(),
        }
    }

    /// Counts records queued for the log and flushes of it since the start; zeros without a log.
    pub fn log_counts(&self) -> (u64, u64) {
        self.log.as_ref().map_or((0, 0), |log| log.counts())
    }

    /// Copies the newest state of all tables, for a snapshot.
    pub fn dump(&self) -> (u64, Vec<(TableName, Vec<(CompactString, Arc<Entry>)>)>) {
        let inner = self.inner.read();
        let tables = inner
            .tables
            .iter()
            .map(|(name, table)| {
                let rows = table.latest.iter().map(|(k, e)| (k.clone(), e.clone()));
                (name.clone(), rows.collect())
            })
            .collect();
        (inner.revision, tables)
    }

    fn events_after(
        &self,
        table: &str,
        after: u64,
        max: usize,
    ) -> Result<Vec<Arc<Event>>, Expired> {
        let inner = self.inner.read();
        let Some(state) = inner.tables.get(table) else {
            return Ok(Vec::new());
        };
        if after < state.floor {
            return Err(Expired { floor: state.floor });
        }
        let start = state.ring.partition_point(|event| event.revision <= after);
        Ok(state.ring.iter().skip(start).take(max).cloned().collect())
    }
}

impl Inner {
    fn table(&mut self, name: &TableName) -> &mut Table {
        if !self.tables.contains_key(name) {
            // A table nobody has used has no history to miss.
            self.tables.insert(name.clone(), Table::new(self.base));
        }
        self.tables
            .get_mut(name)
            .expect("inserted just above where absent")
    }

    fn check(
        &mut self,
        table: &TableName,
        key: &str,
        expect: Expect,
    ) -> Result<Option<Arc<Entry>>, Refused> {
        let current = self.table(table).latest.get(key).cloned();
        let holds = match (expect, &current) {
            (Expect::Absent, None) => true,
            (Expect::Revision(revision), Some(entry)) => entry.revision == revision,
            _ => false,
        };
        if holds {
            Ok(current)
        } else {
            Err(Refused::Changed)
        }
    }
}

fn in_namespace<'a>(
    latest: &'a BTreeMap<CompactString, Arc<Entry>>,
    namespace: &str,
) -> impl Iterator<Item = &'a Arc<Entry>> {
    let prefix = compact_str::format_compact!("{namespace}/");
    // '0' is the byte after '/', so this bound ends the namespace.
    let end = compact_str::format_compact!("{namespace}0");
    latest
        .range::<str, _>((
            Bound::Included(prefix.as_str()),
            Bound::Excluded(end.as_str()),
        ))
        .map(|(_, entry)| entry)
}

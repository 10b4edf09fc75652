//! Opening a folder: the snapshot and the logs after it become tables again.
//!
//! A tail that a crash tore is cut, kept in a file of its own and told. Whatever else is damaged is refused with file,
//! byte, versions and a way out, and nothing is changed: intact records after the damage would be lost otherwise.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact_str::CompactString;

use super::TableName;
use super::entry::Entry;
use super::files::logs;
use super::log::LogError;
use super::record::{self, At, Record};

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

/// Reads a folder; also returns the log to go on with and where it ends.
pub fn recover(folder: &Path) -> Result<(Recovered, Option<(PathBuf, u64)>), LogError> {
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
        let end = LogFile {
            path,
            bytes: &bytes,
            since,
            newest,
        }
        .read(&mut recovered)?;
        last = Some((path.clone(), end as u64));
    }
    Ok((recovered, last))
}

fn damaged(path: &Path, what: String) -> LogError {
    let path = path.to_path_buf();
    LogError::Damaged { path, what }
}

fn read_snapshot(path: &Path, bytes: &[u8], into: &mut Recovered) -> Result<(), LogError> {
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
            _ => break,
        }
    }
    let what = if at == 0 {
        "this is no snapshot of this version of the server; nothing was changed".to_owned()
    } else {
        let (after, _) = intact_after(bytes, at);
        format!(
            "the snapshot of version {} is damaged at byte {at} of {}: {objects} objects stand intact before it, {after} after it. What it held is in no other file: restore it from a copy; nothing was changed",
            into.revision,
            bytes.len()
        )
    };
    Err(damaged(path, what))
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

fn revision_of(record: &Record) -> u64 {
    match record {
        Record::Put { revision, .. } | Record::Remove { revision, .. } => *revision,
        Record::Begin(_) | Record::End(_) => 0,
    }
}

/// Counts the intact records after a damaged place, with the versions they span.
fn intact_after(bytes: &[u8], at: usize) -> (usize, Option<RangeInclusive<u64>>) {
    let (mut count, mut versions) = (0, None::<RangeInclusive<u64>>);
    let mut place = at + 1;
    while place < bytes.len() {
        match record::read(bytes, place) {
            At::Record(record, next) => {
                count += 1;
                let revision = revision_of(&record);
                let first = versions.as_ref().map_or(revision, |v| *v.start());
                versions = Some(first..=revision);
                place = next;
            }
            _ => place += 1,
        }
    }
    (count, versions)
}

/// One log on its way into the tables.
struct LogFile<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    /// Version of the snapshot; older records are in it.
    since: u64,
    /// Whether no younger log follows.
    newest: bool,
}

impl LogFile<'_> {
    /// Reads all records; returns where they end.
    fn read(&self, into: &mut Recovered) -> Result<usize, LogError> {
        let mut at = 0;
        loop {
            match record::read(self.bytes, at) {
                At::Record(record, next) => {
                    let revision = revision_of(&record);
                    self.check_order(revision, at, into)?;
                    if revision > self.since {
                        apply(record, into);
                    }
                    at = next;
                }
                // Zeros are room for further records; anything after them was written once.
                At::End if self.bytes[at..].iter().all(|byte| *byte == 0) => return Ok(at),
                At::End | At::Damaged => return self.broken(at, into),
            }
        }
    }

    /// Every write has the version after the one before it.
    fn check_order(&self, revision: u64, at: usize, into: &Recovered) -> Result<(), LogError> {
        let expected = into.revision + 1;
        if into.revision == 0 || revision <= expected {
            return Ok(());
        }
        let what = format!(
            "the record at byte {at} is of version {revision}, but the one before it is of version {}: versions {expected} to {} are missing, so a file of this folder is lost or older than the others. Restore the folder from a copy; nothing was changed",
            into.revision,
            revision - 1
        );
        Err(damaged(self.path, what))
    }

    fn broken(&self, at: usize, into: &mut Recovered) -> Result<usize, LogError> {
        let bytes = self.bytes;
        let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(at);
        let lost = (last + 1).saturating_sub(at);
        if at == 0 && !record::begins_record(bytes) {
            let what = "this is no log of this version of the server; nothing was changed";
            return Err(damaged(self.path, what.to_owned()));
        }
        let (count, versions) = intact_after(bytes, at);
        let path = self.path.display();
        let version = into.revision;
        if let Some(versions) = versions {
            let what = format!(
                "the record at byte {at}, after version {version}, is damaged, and {count} intact records of versions {} to {} follow it. Restore the file from a copy; or give up what was written after version {version}, up to version {}, by cutting the file there (truncate -s {at} '{path}'). Nothing was changed",
                versions.start(),
                versions.end(),
                versions.end(),
            );
            return Err(damaged(self.path, what));
        }
        if !self.newest {
            let what = format!(
                "the log ends in a damaged record at byte {at}, after version {version}, but a younger log follows: restore the file from a copy; nothing was changed"
            );
            return Err(damaged(self.path, what));
        }
        let kept = self.keep_torn(&bytes[at..at + lost], version);
        let kept = kept.map_or_else(String::new, |kept| {
            format!(" and kept in {}", kept.display())
        });
        into.lost = format!(
            "{path}: the last {lost} bytes, from byte {at} on, were torn by a crash: they are cut{kept}. Everything up to version {version} is there; what came after it was never answered"
        );
        Ok(at)
    }

    /// Keeps torn bytes beside the log, where there is room for them.
    fn keep_torn(&self, bytes: &[u8], version: u64) -> Option<PathBuf> {
        let path = self.path.with_file_name(format!("torn-{version:020}"));
        let mut file = super::files::private()
            .create(true)
            .truncate(true)
            .open(&path)
            .ok()?;
        std::io::Write::write_all(&mut file, bytes).ok()?;
        Some(path)
    }
}

//! The files of the durable log: one that grows in blocks of zeros and is written inside of them, and snapshots.
//!
//! A log is filled with zeros ahead of its end, so that a flush does not have to change the file's size and a write that
//! was let in cannot meet a full disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact_str::CompactString;

use super::TableName;
use super::entry::Entry;
use super::record;

/// What the log's writer does to its file; tests let it fail.
pub trait Disk: Send {
    /// Writes all bytes at a place.
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes everything written durable; `size` says whether the file's size has changed.
    fn flush(&mut self, size: bool) -> io::Result<()>;
}

impl Disk for File {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn flush(&mut self, size: bool) -> io::Result<()> {
        if size {
            self.sync_all()
        } else {
            self.sync_data()
        }
    }
}

/// Wraps an opened file.
pub type Wrap = Arc<dyn Fn(File) -> Box<dyn Disk> + Send + Sync>;

/// The log file that is written at the moment.
pub struct Writer {
    /// Folder of all files.
    pub folder: PathBuf,
    /// This file.
    pub path: PathBuf,
    disk: Box<dyn Disk>,
    wrap: Wrap,
    /// Bytes of records.
    pub end: u64,
    /// Zeros reach this far; durable.
    filled: u64,
}

impl Writer {
    /// Starts an empty file.
    pub fn create(folder: &Path, revision: u64, wrap: Wrap) -> io::Result<Self> {
        let path = folder.join(format!("log-{revision:020}"));
        let file = private().create(true).truncate(true).open(&path)?;
        File::open(folder)?.sync_all()?;
        Ok(Self {
            folder: folder.to_path_buf(),
            path,
            disk: wrap(file),
            wrap,
            end: 0,
            filled: 0,
        })
    }

    /// Goes on with a file after its last intact record.
    pub fn resume(folder: &Path, path: PathBuf, end: u64, wrap: Wrap) -> io::Result<Self> {
        let file = private().open(&path)?;
        // Whatever stood after the last intact record must not be taken for one later.
        file.set_len(end)?;
        file.sync_all()?;
        Ok(Self {
            folder: folder.to_path_buf(),
            path,
            disk: wrap(file),
            wrap,
            end,
            filled: end,
        })
    }

    /// Starts the next file, with as much room as this one has left.
    pub fn next(&self, revision: u64) -> io::Result<Self> {
        let mut next = Self::create(&self.folder, revision, self.wrap.clone())?;
        let room = self.filled - self.end;
        let outcome = match next.extend(room) {
            Ok(made) if made == room => return Ok(next),
            Ok(_) => Err(io::ErrorKind::StorageFull.into()),
            Err(error) => Err(error),
        };
        // The unfinished file holds no record; the present one goes on.
        let _ = std::fs::remove_file(&next.path);
        outcome
    }

    /// Makes room for further bytes, for fewer where the disk ends before; returns how many.
    pub fn extend(&mut self, bytes: u64) -> io::Result<u64> {
        let zeros = vec![0; 64 * 1024];
        let mut at = self.filled;
        let goal = self.filled + bytes;
        while at < goal {
            let length = usize::try_from(goal - at)
                .unwrap_or(zeros.len())
                .min(zeros.len());
            match self.disk.write_at(&zeros[..length], at) {
                Ok(()) => at += length as u64,
                Err(_) if at > self.filled => break,
                Err(error) => return Err(error),
            }
        }
        self.disk.flush(true)?;
        let made = at - self.filled;
        self.filled = at;
        Ok(made)
    }

    /// Writes records into the room made before, and flushes them.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.write_at(bytes, self.end)?;
        self.disk.flush(false)?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

/// Objects may hold secrets: files are for their owner alone.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Lists the logs of a folder, oldest first.
pub fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
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

/// Newest state by table.
pub type Dump = [(TableName, Vec<(CompactString, Arc<Entry>)>)];

/// Writes the state of all tables beside the last snapshot, then takes its place.
pub fn write_snapshot(folder: &Path, revision: u64, tables: &Dump) -> io::Result<()> {
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

//! Files out of gzipped tar archives, all at once or as they are asked for.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use gocompat::quote::quote;

use crate::chart::File;
use crate::content::{Content, Packed};

use super::{CHART_BYTES_MAX, FILE_BYTES_MAX, FILES_MAX, LoadError, fail, without_mark};

/// Files from this size on stay packed until something asks for them, in bytes.
const PACKED_FROM: usize = 16 << 10;
/// Step in which files that stay packed are passed over, in bytes.
const STEP: usize = 64 << 10;
/// Files that loading a chart looks into, beside templates and charts inside.
const READ_AT_ONCE: [&str; 6] = [
    "Chart.lock",
    "Chart.yaml",
    "requirements.lock",
    "requirements.yaml",
    "values.schema.json",
    "values.yaml",
];

/// Reads the files of a chart archive; the first element of each path is dropped.
///
/// # Errors
/// The archive is malformed, unsafe or too large.
pub fn archive_files(bytes: &[u8]) -> Result<Vec<File>, LoadError> {
    let mut files = Vec::new();
    read(bytes, |name, entry| {
        let data = entry.bytes()?.into();
        files.push(File { name, data });
        Ok(())
    })?;
    Ok(files)
}

/// As [`archive_files`]; large files that no chart needs to be loaded are unpacked when they are looked into.
///
/// The archive is checked as a whole all the same.
///
/// # Errors
/// As [`archive_files`].
pub fn archive_files_on_demand(bytes: Vec<u8>) -> Result<Vec<File>, LoadError> {
    let packed = Arc::new(Packed::new(bytes, unpack_passed_over));
    let mut files = Vec::new();
    let mut passed = 0;
    read(packed.archive(), |name, entry| {
        let data = if may_stay_packed(&name, entry.length) {
            entry.pass()?;
            passed += 1;
            Content::packed(&packed, passed - 1)
        } else {
            entry.bytes()?.into()
        };
        files.push(File { name, data });
        Ok(())
    })?;
    Ok(files)
}

fn unpack_passed_over(bytes: &[u8]) -> Vec<Arc<[u8]>> {
    let mut files: Vec<Arc<[u8]>> = Vec::new();
    let done = read(bytes, |name, entry| {
        if may_stay_packed(&name, entry.length) {
            files.push(entry.bytes()?.into());
        } else {
            entry.pass()?;
        }
        Ok(())
    });
    done.expect("the same archive was read before without an error");
    files
}

fn may_stay_packed(name: &str, length: usize) -> bool {
    let inside = |path: &'_ str| -> Option<usize> {
        let (chart, _) = path.strip_prefix("charts/")?.split_once('/')?;
        Some("charts/".len() + chart.len() + 1)
    };
    let mut path = name;
    while let Some(start) = inside(path) {
        path = &path[start..];
    }
    length >= PACKED_FROM
        && !path.starts_with("templates/")
        && !path.starts_with("charts/")
        && !READ_AT_ONCE.contains(&path)
}

/// A file of the archive that is being read.
struct Entry<'e> {
    reader: &'e mut dyn Read,
    buffer: &'e mut Vec<u8>,
    length: usize,
}

impl Entry<'_> {
    /// The contents without a byte order mark; valid until the next file is read.
    fn bytes(&mut self) -> Result<&[u8], LoadError> {
        let length = self.length;
        self.fill(length)?;
        Ok(without_mark(&self.buffer[..length]))
    }

    /// Reads the contents and forgets them.
    fn pass(&mut self) -> Result<(), LoadError> {
        let mut left = self.length;
        while left > 0 {
            let step = left.min(STEP);
            self.fill(step)?;
            left -= step;
        }
        Ok(())
    }

    fn fill(&mut self, length: usize) -> Result<(), LoadError> {
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let mut filled = 0;
        while filled < length {
            match self
                .reader
                .read(&mut self.buffer[filled..length])
                .map_err(io)?
            {
                0 => return too_large(),
                read => filled += read,
            }
        }
        Ok(())
    }
}

fn too_large<T>() -> Result<T, LoadError> {
    fail(format!(
        "decompressed chart is larger than the maximum size {CHART_BYTES_MAX}"
    ))
}

fn io(error: io::Error) -> LoadError {
    let text = error.to_string();
    // The words of Go for a stream that is no gzip.
    LoadError(match text.as_str() {
        "invalid gzip header" => "gzip: invalid header".to_owned(),
        _ => text,
    })
}

/// A stream that passes over bytes by reading them: the archive's own way clears a large buffer for each padding.
struct Forward<R> {
    reader: R,
    position: u64,
}

impl<R: Read> Read for Forward<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl<R: Read> Seek for Forward<R> {
    /// Only forwards from where it stands.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(step) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut left = u64::try_from(step).map_err(|_| io::ErrorKind::Unsupported)?;
        let mut buffer = [0; 512];
        while left > 0 {
            let step = usize::try_from(left)
                .unwrap_or(buffer.len())
                .min(buffer.len());
            match self.read(&mut buffer[..step])? {
                0 => return Err(io::Error::other("unexpected EOF during skip")),
                read => left -= read as u64,
            }
        }
        Ok(self.position)
    }
}

/// Hands every file with its path inside the chart to `take`, which reads it to its end.
fn read(
    bytes: &[u8],
    mut take: impl FnMut(String, &mut Entry<'_>) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    if bytes.len() < 3 || bytes[..2] != [0x1f, 0x8b] {
        return fail("gzip: invalid header");
    }
    let mut archive = tar::Archive::new(Forward {
        reader: MultiGzDecoder::new(bytes).take(CHART_BYTES_MAX * 2),
        position: 0,
    });
    let mut remaining = CHART_BYTES_MAX;
    // One buffer for all files: memory that was used before is cheaper than memory that is new.
    let mut buffer = Vec::new();
    let mut count = 0;
    for entry in archive.entries_with_seek().map_err(io)? {
        let mut entry = entry.map_err(io)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
            continue;
        }
        if count == FILES_MAX {
            return fail(format!("the chart has more than {FILES_MAX} files"));
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if path.ends_with('/') {
            continue;
        }
        let name = inner_name(&path)?;
        let size = entry.size();
        if size > remaining {
            return too_large();
        }
        if size > FILE_BYTES_MAX {
            let shown = quote(path.as_bytes());
            return fail(format!(
                "decompressed chart file {shown} is larger than the maximum file size {FILE_BYTES_MAX}"
            ));
        }
        remaining -= size;
        let mut entry = Entry {
            reader: &mut entry,
            buffer: &mut buffer,
            length: size as usize,
        };
        take(name, &mut entry)?;
        if remaining == 0 {
            return too_large();
        }
        count += 1;
    }
    if count == 0 {
        return fail("no files in chart archive");
    }
    Ok(())
}

/// The path inside the chart, cleaned and checked.
fn inner_name(path: &str) -> Result<String, LoadError> {
    let delimiter = if path.contains('\\') { '\\' } else { '/' };
    let (first, rest) = path.split_once(delimiter).unwrap_or((path, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return fail("chart illegally contains absolute paths");
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_some() => {}
            ".." => return fail("chart illegally references parent directory"),
            part => parts.push(part),
        }
    }
    let name = parts.join("/");
    if name.is_empty() {
        let shown = quote(path.as_bytes());
        return fail(format!(
            "chart illegally contains content outside the base directory: {shown}"
        ));
    }
    if name.starts_with("..") {
        return fail("chart illegally references parent directory");
    }
    let bytes = name.as_bytes();
    if bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && &bytes[1..3] == b":/" {
        return fail("chart contains illegally named files");
    }
    if first == "Chart.yaml" {
        return fail("chart yaml not in base directory");
    }
    Ok(name)
}

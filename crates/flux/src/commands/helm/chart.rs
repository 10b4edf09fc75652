//! What the chart commands share: flags for values and versions, loading, the world.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, PoisonError};

use helm::Version;
use helm::capabilities::KubeVersion;
use helm::chart::Chart;
use helm::functions::World;
use helm::load::{archive_files_on_demand, load_any_directory, load_directory, load_files};
use helm::note::Note;
use helm::values::UserValues;

use crate::context::Context;

use super::fetch::Fetcher;
use super::files::FollowedTree;
use super::location::Located;

/// Flags that give values.
#[derive(clap::Args, Debug)]
pub struct ValueFlags {
    /// Values from a YAML file (may be repeated or comma-separated).
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    values: Vec<String>,
    /// Set values: key1=val1,key2=val2.
    #[arg(long, value_name = "PAIRS")]
    set: Vec<String>,
    /// Set text values.
    #[arg(long, value_name = "PAIRS")]
    set_string: Vec<String>,
    /// Set values from files: key1=path1.
    #[arg(long, value_name = "PAIRS")]
    set_file: Vec<String>,
    /// Set JSON values: key1=json1, or a whole object.
    #[arg(long, value_name = "PAIRS")]
    set_json: Vec<String>,
    /// Set one literal text value.
    #[arg(long, value_name = "PAIR")]
    set_literal: Vec<String>,
}

impl ValueFlags {
    /// Reads the files named by the flags.
    pub fn read(&self, version: Version) -> Result<UserValues, String> {
        let mut values = UserValues {
            files: Vec::new(),
            set: self.set.clone(),
            set_string: self.set_string.clone(),
            set_file: self.set_file.clone(),
            set_json: self.set_json.clone(),
            set_literal: self.set_literal.clone(),
        };
        for name in &self.values {
            match read_bytes(name) {
                Ok(text) => values.files.push((name.clone(), text)),
                // Faults of the files before this one come first.
                Err(error) => {
                    let before = UserValues {
                        files: values.files,
                        ..UserValues::default()
                    };
                    return Err(before.merge(version, &read_text).err().unwrap_or(error));
                }
            }
        }
        Ok(values)
    }
}

/// Reads a file for `--set-file`.
pub fn read_text(name: &str) -> Result<String, String> {
    let bytes = read_bytes(name)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads standard input, an address or a file.
fn read_bytes(name: &str) -> Result<Vec<u8>, String> {
    if name.trim() == "-" {
        let mut text = Vec::new();
        let read = std::io::Read::read_to_end(&mut std::io::stdin(), &mut text);
        read.map_err(|error| error.to_string())?;
        return Ok(text);
    }
    if name.contains([':', '%'])
        && let Some(values) = Fetcher::default().values(name)?
    {
        return Ok(values);
    }
    fs::read(name).map_err(|error| open_error(name, &error))
}

/// Go's text for a file that cannot be read; directories can be opened.
pub fn open_error(name: &str, error: &std::io::Error) -> String {
    let verb = match error.kind() {
        std::io::ErrorKind::IsADirectory => "read",
        _ => "open",
    };
    format!("{verb} {name}: {}", io_text(error))
}

/// The system's words for an error, as Go prints them.
pub fn io_text(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound => "no such file or directory".to_owned(),
        NotADirectory => "not a directory".to_owned(),
        IsADirectory => "is a directory".to_owned(),
        PermissionDenied => "permission denied".to_owned(),
        _ if error.to_string().starts_with("Too many levels") => {
            "too many levels of symbolic links".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Prints notes to stderr as that version of Helm logs them.
pub fn tell(ctx: &Context, version: Version, notes: &[Note]) {
    let told = |note: &&Note| version == Version::V4 || !matches!(note, Note::Debug(..));
    for note in notes.iter().filter(told) {
        ctx.out.note(&note.line(version));
    }
}

/// Prints what rendering noted.
pub fn tell_all(ctx: &Context, version: Version, world: &World) {
    let notes = world.notes.lock();
    tell(ctx, version, &notes.unwrap_or_else(PoisonError::into_inner));
}

/// The Kubernetes version that a flag names.
pub fn kube_version(flag: Option<&str>, version: Version) -> Result<Option<KubeVersion>, String> {
    let Some(text) = flag.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    KubeVersion::parse(text, version)
        .map(Some)
        .map_err(|error| format!("invalid kube version '{text}': {error}"))
}

/// The version of Helm that a flag names.
pub fn helm_version(flag: u8) -> Version {
    if flag == 3 { Version::V3 } else { Version::V4 }
}

/// Loads a chart from a directory or an archive, and notes what is odd about its files.
pub fn load(place: &Located, version: Version, notes: &mut Vec<Note>) -> Result<Chart, String> {
    let chart = load_with(place, version, true, notes)?;
    Note::of_files(&chart, notes);
    Ok(chart)
}

/// Loads a chart as `helm show` does, whatever its API version.
pub fn load_any(place: &Located, version: Version, notes: &mut Vec<Note>) -> Result<Chart, String> {
    let chart = load_with(place, version, false, notes)?;
    Note::of_files(&chart, notes);
    Ok(chart)
}

fn load_with(
    place: &Located,
    version: Version,
    detect: bool,
    notes: &mut Vec<Note>,
) -> Result<Chart, String> {
    let path = match place {
        Located::Here(path) => path.trim(),
        Located::Fetched(name, archive) => return load_bytes(archive.clone(), name, version),
    };
    let place = Path::new(path);
    let absolute = absolute(path)?;
    if !place.is_dir() {
        return load_file(place, &absolute, version);
    }
    let file = Path::new(&absolute).join("Chart.yaml");
    if let Err(error) = fs::metadata(&file)
        && detect
        && version == Version::V4
    {
        let (file, error) = (file.display(), io_text(&error));
        return Err(format!(
            "unable to detect chart at {file}: open {file}: {error}"
        ));
    }
    let tree = FollowedTree::new(place);
    let loaded = if detect {
        load_directory(&tree, "", version)
    } else {
        load_any_directory(&tree, "", version)
    };
    notes.extend(tree.links());
    loaded.map_err(|error| tree.refusal().unwrap_or_else(|| error.to_string()))
}

/// Most bytes of a chart's archive, compressed: what it may hold unpacked, and some more.
const ARCHIVE_BYTES_MAX: u64 = 128 << 20;

fn load_file(place: &Path, shown: &str, version: Version) -> Result<Chart, String> {
    let failed = |error: std::io::Error| format!("open {shown}: {}", io_text(&error));
    let size = fs::metadata(place).map_err(failed)?.len();
    if size > ARCHIVE_BYTES_MAX {
        return Err(format!(
            "file '{shown}' is larger than {ARCHIVE_BYTES_MAX} bytes"
        ));
    }
    let bytes = fs::read(place).map_err(failed)?;
    load_bytes(bytes, shown, version)
}

fn load_bytes(bytes: Vec<u8>, shown: &str, version: Version) -> Result<Chart, String> {
    if !bytes.starts_with(&[0x1f, 0x8b, 8]) {
        if shown.ends_with(".yml") || shown.ends_with(".yaml") {
            return Err(format!(
                "file '{shown}' seems to be a YAML file, but expected a gzipped archive"
            ));
        }
        return Err(format!(
            "file '{shown}' does not appear to be a gzipped archive; got '{}'",
            content_type(&bytes)
        ));
    }
    let files =
        archive_files_on_demand(bytes).map_err(|error| match (error.to_string(), version) {
            (text, _) if text == "gzip: invalid header" => {
                format!("file '{shown}' does not appear to be a valid chart file (details: {text})")
            }
            (text, Version::V3) => text.replace("maximum size", "maximum file size"),
            (text, Version::V4) => {
                // Helm 4 says no more than this; what is wrong helps.
                format!("unable to load chart archive\n\n  {text}")
            }
        })?;
    if version == Version::V4 && !files.iter().any(|file| file.name == "Chart.yaml") {
        return Err("unable to detect chart version, no Chart.yaml found".to_owned());
    }
    load_files(files, version).map_err(|error| error.to_string())
}

/// What Go's sniffer says about the first 512 bytes; shorter files are filled up with zeros.
fn content_type(bytes: &[u8]) -> &'static str {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x89PNG\x0d\x0a\x1a\x0a", "image/png"),
        (b"GIF8", "image/gif"),
        (b"<?xml", "text/xml; charset=utf-8"),
        (b"\xef\xbb\xbf", "text/plain; charset=utf-8"),
    ];
    let known = SIGNATURES
        .iter()
        .find(|(start, _)| bytes.starts_with(start));
    if let Some((_, name)) = known {
        return name;
    }
    let binary = |b: &u8| matches!(b, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    match bytes.get(..512) {
        Some(start) if !start.iter().any(binary) => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A path from the root, without empty and `.` steps, `..` resolved by name.
pub fn absolute(path: &str) -> Result<String, String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    Ok(clean(&path).to_string_lossy().into_owned())
}

/// A path without empty and `.` steps, `..` resolved by name.
pub fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            std::path::Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

/// Seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The present time and the system's randomness.
pub fn world() -> World {
    static START: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);
    let (start, now) = (*START, jiff::Timestamp::now());
    let mut world = World::offline(
        now.as_second(),
        now.subsec_nanosecond().unsigned_abs(),
        random,
    );
    // Times that are printed whole end in what the clock of the process shows.
    let shown = i64::try_from(now.duration_since(start).as_nanos()).unwrap_or(i64::MAX);
    world.now = world.now.with_reading(shown);
    world
}

fn random(buffer: &mut [u8]) {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .secure_random
        .fill(buffer)
        .expect("the system has a source of randomness");
}

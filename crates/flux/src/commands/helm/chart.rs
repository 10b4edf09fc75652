//! What the chart commands share: flags for values and versions, loading, the world.

use std::fs;
use std::path::Path;

use filetree::disk::DirectoryTree;
use helm::Version;
use helm::capabilities::KubeVersion;
use helm::chart::Chart;
use helm::functions::World;
use helm::load::{load_archive, load_directory};
use helm::values::UserValues;

use crate::context::Context;

/// Flags that give values.
#[derive(clap::Args, Debug)]
pub struct ValueFlags {
    /// Values from a YAML file (may be repeated or comma-separated).
    #[arg(
        short = 'f',
        long = "values",
        value_name = "FILE",
        value_delimiter = ','
    )]
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
    pub fn read(&self) -> Result<UserValues, String> {
        let mut values = UserValues {
            files: Vec::new(),
            set: self.set.clone(),
            set_string: self.set_string.clone(),
            set_file: self.set_file.clone(),
            set_json: self.set_json.clone(),
            set_literal: self.set_literal.clone(),
        };
        for name in &self.values {
            let text = if name.trim() == "-" {
                let mut text = Vec::new();
                let read = std::io::Read::read_to_end(&mut std::io::stdin(), &mut text);
                read.map_err(|error| error.to_string())?;
                text
            } else {
                fs::read(name).map_err(|error| open_error(name, &error))?
            };
            values.files.push((name.clone(), text));
        }
        Ok(values)
    }
}

/// Reads a file for `--set-file`.
pub fn read_text(name: &str) -> Result<String, String> {
    let bytes = fs::read(name).map_err(|error| open_error(name, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn open_error(name: &str, error: &std::io::Error) -> String {
    format!("open {name}: {}", io_text(error))
}

/// The system's words for an error, as Go prints them.
pub fn io_text(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound => "no such file or directory".to_owned(),
        NotADirectory => "not a directory".to_owned(),
        IsADirectory => "is a directory".to_owned(),
        PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Prints a warning to stderr as that version of Helm logs it; the place in Helm's source is left out.
pub fn warn(ctx: &Context, version: Version, text: &str) {
    match version {
        Version::V3 => ctx.out.note(&format!("warning: {text}")),
        Version::V4 => {
            let text = log_text(&format!("warning: {text}"));
            ctx.out.note(&format!("level=INFO msg={text}"));
        }
    }
}

/// A value of a log line: quoted where it has more than plain characters.
pub fn log_text(text: &str) -> String {
    let plain = |b: u8| b > b' ' && b != b'"' && b != b'=' && b < 0x7f;
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    gocompat::quote::quote(text.as_bytes())
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

/// Loads a chart from a directory or an archive.
pub fn load(path: &str, version: Version) -> Result<Chart, String> {
    let place = Path::new(path);
    if place.is_dir() {
        // The tree is the whole file system: links of a chart may lead anywhere.
        let absolute = fs::canonicalize(place).map_err(|error| error.to_string())?;
        let tree = DirectoryTree::open(Path::new("/")).map_err(|error| error.to_string())?;
        let inside = absolute.to_string_lossy();
        return load_directory(&tree, inside.trim_start_matches('/'), version)
            .map_err(|error| error.to_string());
    }
    let bytes = fs::read(place).map_err(|_| format!("path {path:?} not found"))?;
    load_archive(&bytes, version).map_err(|error| error.to_string())
}

/// The present time and the system's randomness.
pub fn world() -> World {
    let now = jiff::Timestamp::now();
    World::offline(
        now.as_second(),
        now.subsec_nanosecond().unsigned_abs(),
        random,
    )
}

fn random(buffer: &mut [u8]) {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .secure_random
        .fill(buffer)
        .expect("the system has a source of randomness");
}

//! Writers of committed generated files; `cargo xtask tidy` and tests say when one is stale.
//!
//! Inputs are data recorded from a Kubernetes 1.35 server, laid out as the conformance data is: `apiserver/v1.35/` with
//! the OpenAPI components, discovery, printer columns, protobuf fields and bootstrap objects.

mod apiserver;
mod helm_goldens;
mod schema;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Arguments of `cargo xtask generate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What to write: schema, apiserver or helm-goldens.
    target: String,
    /// Folder laid out as the conformance data; default: ../shared/conformance.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// For apiserver: what `crates/apiserver/assets/internals.go` printed; left alone without it.
    #[arg(long)]
    pub internals: Option<PathBuf>,
}

/// One packed file: its path in the checkout, its text before packing.
type Output = (&'static str, String);

type Writer = fn(&Path) -> anyhow::Result<Vec<Output>>;

/// What can be generated, by name; the input is the folder of one recorded server.
const WRITERS: &[(&str, Writer)] = &[
    ("schema", schema::outputs),
    ("apiserver", apiserver::outputs),
];

/// Writes the named files.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.target == "helm-goldens" {
        return helm_goldens::write();
    }
    let (name, outputs) = WRITERS
        .iter()
        .find(|(name, _)| *name == arguments.target)
        .with_context(|| format!("nothing to generate is called {:?}", arguments.target))?;
    let data = arguments.data.clone().unwrap_or_else(default_data);
    let mut outputs = outputs(&recorded(&data))?;
    if let Some(path) = arguments
        .internals
        .as_ref()
        .filter(|_| *name == "apiserver")
    {
        outputs.push(apiserver::internals(path)?);
    }
    for (path, text) in outputs {
        write_packed(&crate::workspace_root().join(path), &text)?;
    }
    Ok(())
}

/// Lists committed files that differ from what their input gives; nothing where the input is not there.
pub fn stale() -> anyhow::Result<Vec<String>> {
    let data = recorded(&default_data());
    if !data.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (name, outputs) in WRITERS {
        for (path, text) in outputs(&data)? {
            if gunzip(&crate::workspace_root().join(path))? != text {
                found.push(format!("{path} is stale: run cargo xtask generate {name}"));
            }
        }
    }
    Ok(found)
}

fn default_data() -> PathBuf {
    crate::workspace_root().join("../shared/conformance")
}

fn recorded(data: &Path) -> PathBuf {
    data.join("apiserver/v1.35")
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

fn gunzip(path: &Path) -> anyhow::Result<String> {
    let packed = fs::read(path).with_context(|| path.display().to_string())?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text)?;
    Ok(text)
}

/// Packs reproducibly: no time, no name.
fn write_packed(path: &Path, text: &str) -> anyhow::Result<()> {
    if text.is_empty() {
        bail!("nothing to write to {}", path.display());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes())?;
    let packed = encoder.finish()?;
    println!(
        "{}: {} bytes from {}",
        path.display(),
        packed.len(),
        text.len()
    );
    fs::write(path, packed)?;
    Ok(())
}

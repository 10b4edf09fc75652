//! Child processes that are measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// The program of that name on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join(name));
    found.into_iter().find(|program| program.is_file())
}

/// The release build of a program of this workspace.
///
/// # Errors
/// It was not built yet.
pub fn release_build(name: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let program = crate::workspace_root()
        .join(target)
        .join("release")
        .join(name);
    if !program.is_file() {
        let shown = program.display();
        bail!("{shown} is missing: cargo build --release -p {name}");
    }
    Ok(program)
}

/// Runs a program for its output.
pub fn output(program: &Path, words: &[&str]) -> Result<Vec<u8>> {
    let done = Command::new(program)
        .args(words)
        .stderr(Stdio::null())
        .output()?;
    if !done.status.success() {
        bail!("{} {} failed", program.display(), words.join(" "));
    }
    Ok(done.stdout)
}

/// Runs under `time`, where it is installed: peak memory in KiB, and output.
pub fn peak(program: &Path, words: &[&str]) -> Result<(Option<u64>, Vec<u8>)> {
    let time = Path::new("/usr/bin/time");
    if !time.exists() {
        return Ok((None, output(program, words)?));
    }
    let done = Command::new(time)
        .args(["-f", "%M"])
        .arg(program)
        .args(words)
        .output()?;
    let shown = String::from_utf8_lossy(&done.stderr);
    let last = shown.lines().last();
    Ok((last.and_then(|line| line.trim().parse().ok()), done.stdout))
}

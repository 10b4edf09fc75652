//! Small Go programs of ours (`crates/testkit/go/NAME`) that drive our servers with Go's own client libraries.
//!
//! The optional part of the test kit: a program is built where `go` and the modules it needs are there, from the
//! module cache alone (`go mod download` in its folder fills it); elsewhere tests skip it and say why.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds a program into a folder; the error says why it cannot be built here, and that the test is skipped.
pub fn build(name: &str, folder: &Path) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(name);
    let program = folder.join(name);
    let output = Command::new("go")
        .args(["build", "-mod=readonly", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(&source)
        .env("GOPROXY", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .output()
        .map_err(|error| format!("skipped: there is no go on the path ({error})"))?;
    if output.status.success() {
        return Ok(program);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let missing = ["module lookup disabled", "missing go.sum", "requires go"];
    // Code of ours that does not compile is a failure, not a reason to skip.
    assert!(
        missing.iter().any(|reason| text.contains(reason)),
        "{name} cannot be built:\n{text}"
    );
    let first = text.lines().next().unwrap_or_default();
    Err(format!("skipped: {name} cannot be built here: {first}"))
}

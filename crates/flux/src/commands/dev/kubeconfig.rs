//! The kubeconfig file of a run, readable by its owner only, and removed with the run unless someone chose its place.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::{CliError, CliResult};

/// A written kubeconfig.
#[derive(Debug)]
pub struct Kubeconfig {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Kubeconfig {
    /// Writes to the chosen file, else into the data directory, else into a directory that goes with the run.
    pub fn write(text: &str, chosen: Option<&Path>, data: Option<&Path>) -> CliResult<Self> {
        let (path, temporary) = match (chosen, data) {
            (Some(chosen), _) => (chosen.to_owned(), None),
            (None, Some(data)) => (data.join("kubeconfig"), None),
            (None, None) => {
                let directory = tempfile::Builder::new()
                    .prefix("flux-dev-")
                    .tempdir()
                    .map_err(|error| {
                        CliError::configuration(format!("no temporary directory: {error}"))
                    })?;
                (directory.path().join("kubeconfig"), Some(directory))
            }
        };
        write_private(&path, text)
            .map_err(|error| CliError::configuration(format!("{}: {error}", path.display())))?;
        Ok(Self {
            path,
            _temporary: temporary,
        })
    }

    /// Returns where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Replaces the file in one step, so that no reader sees half of it; one that holds the text already is left alone.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    let directory = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_replaced_whole() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub/config");
        write_private(&path, "one").unwrap();
        write_private(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

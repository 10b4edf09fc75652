//! Addresses that stay over restarts: a kubeconfig in use goes on working, and artifact URLs in statuses stay as they are.
//!
//! Kept in a file of the data directory. A port that somebody else has taken meanwhile is replaced by a free one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use objects::{Value, json};

use super::kubeconfig::write_private;

/// Name of the file in the data directory.
const FILE: &str = "addresses.json";

/// Addresses of the last run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The API server's.
    pub api: Option<SocketAddr>,
    /// The artifact server's.
    pub artifacts: Option<SocketAddr>,
}

impl Addresses {
    /// Reads what the last run in a data directory had; nothing where there was none.
    pub fn read(data: Option<&Path>) -> Self {
        let text = data.and_then(|data| std::fs::read(place(data)).ok());
        let value: Value = text
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let address = |name: &str| value[name].as_str()?.parse().ok();
        Self {
            api: address("api"),
            artifacts: address("artifacts"),
        }
    }

    /// Writes the addresses of this run, if they are others.
    pub fn write(&self, data: Option<&Path>) -> std::io::Result<()> {
        let Some(data) = data else { return Ok(()) };
        if *self == Self::read(Some(data)) {
            return Ok(());
        }
        let value = json!({"api": self.api, "artifacts": self.artifacts});
        write_private(&place(data), &value.to_string())
    }
}

fn place(data: &Path) -> PathBuf {
    data.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_the_data_directory() {
        let directory = tempfile::tempdir().unwrap();
        let data = Some(directory.path());
        assert_eq!(Addresses::read(data), Addresses::default());
        let addresses = Addresses {
            api: Some("127.0.0.1:1".parse().unwrap()),
            artifacts: Some("[::1]:2".parse().unwrap()),
        };
        addresses.write(data).unwrap();
        assert_eq!(Addresses::read(data), addresses);
        std::fs::write(place(directory.path()), "{").unwrap();
        assert_eq!(Addresses::read(data), Addresses::default());
        addresses.write(None).unwrap();
        assert_eq!(Addresses::read(None), Addresses::default());
    }
}

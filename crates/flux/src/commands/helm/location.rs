//! Where a chart is: flags that helm's commands share, and its rules for finding the chart they mean.

use std::path::Path;

use gocompat::quote::quote;
use helm::Version;

use super::verify::{default_keyring, verify_file};

/// Flags that say which chart is meant, and whether it has to be signed.
#[derive(clap::Args, Debug)]
pub struct LocationFlags {
    /// Check the signature in the chart's provenance file first.
    #[arg(long)]
    verify: bool,
    /// File with the public keys that are trusted by --verify.
    #[arg(long, value_name = "FILE")]
    keyring: Option<String>,
    #[arg(long, hide = true)]
    repo: Option<String>,
    #[arg(long, hide = true)]
    version: Option<String>,
    #[arg(long, hide = true)]
    devel: bool,
    #[arg(long, hide = true)]
    username: Option<String>,
    #[arg(long, hide = true)]
    password: Option<String>,
    #[arg(long, hide = true)]
    cert_file: Option<String>,
    #[arg(long, hide = true)]
    key_file: Option<String>,
    #[arg(long, hide = true)]
    ca_file: Option<String>,
    #[arg(long, hide = true)]
    plain_http: bool,
    #[arg(long, hide = true)]
    pass_credentials: bool,
}

impl LocationFlags {
    /// Refuses what is no chart on this machine; nothing is fetched.
    pub fn locate(&self, path: &str, version: Version) -> Result<(), String> {
        if self.repo.is_some() {
            return Err("--repo is not supported: it fetches a chart".to_owned());
        }
        locate(path)?;
        self.check_signature(path.trim(), version)
    }

    fn check_signature(&self, path: &str, version: Version) -> Result<(), String> {
        if !self.verify {
            return Ok(());
        }
        let keyring = self.keyring.clone().unwrap_or_else(default_keyring);
        verify_file(&super::chart::absolute(path)?, &keyring, version)
    }
}

/// Refuses what is no chart on this machine; nothing is fetched.
pub fn locate(path: &str) -> Result<(), String> {
    let path = path.trim();
    if Path::new(path).exists() {
        return Ok(());
    }
    if path.starts_with(['/', '.']) {
        return Err(format!("path {} not found", quote(path.as_bytes())));
    }
    let shown = quote(path.as_bytes());
    if path.contains("://") {
        return Err(format!("{shown} is not supported: charts are not fetched"));
    }
    match path.split_once('/') {
        Some((repository, _)) => Err(format!("repo {repository} not found")),
        None => Err(format!(
            "non-absolute URLs should be in form of repo_name/path_to_chart, got: {path}"
        )),
    }
}

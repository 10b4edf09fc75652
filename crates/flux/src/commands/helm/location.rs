//! Where a chart is: flags that helm's commands share, and its rules for finding the chart they mean.
//!
//! A chart on this machine comes first; then addresses, and charts of repositories that a flag or helm's own
//! configuration names. What is fetched stays in memory.

use std::fs;
use std::path::Path;

use gocompat::quote::quote;
use gotemplate::url::Url;
use helm::Version;
use helm::index::{Entry, read_index, select};
use helm::note::Note;
use remote::helm::{RepositoryOptions, index_url, resolve_url};
use remote::{Credentials, Secret};

use super::fetch::{Fetcher, with_name_server};
use super::repositories::{Paths, Repository};
use super::verify::{default_keyring, read_keyring, verify, verify_file};
use crate::context::Context;

/// Largest index of a repository.
const INDEX_BYTES_MAX: u64 = 256 << 20;
/// Largest archive that is fetched.
const ARCHIVE_BYTES_MAX: u64 = 128 << 20;

/// Flags that say which chart is meant, and whether it has to be signed.
#[derive(clap::Args, Debug)]
pub struct LocationFlags {
    /// Check the signature in the chart's provenance file first.
    #[arg(long)]
    verify: bool,
    /// File with the public keys that are trusted by --verify.
    #[arg(long, value_name = "FILE")]
    keyring: Option<String>,
    /// Repository that has the chart.
    #[arg(
        long,
        value_name = "URL",
        default_value = "",
        hide_default_value = true
    )]
    repo: String,
    /// Version of the chart, or a range of versions.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub version: String,
    /// Take versions that are still being developed, too.
    #[arg(long)]
    devel: bool,
    /// User of the repository.
    #[arg(long, default_value = "", hide_default_value = true)]
    username: String,
    /// Password of that user.
    #[arg(long, default_value = "", hide_default_value = true)]
    password: String,
    #[arg(long, hide = true, default_value = "")]
    cert_file: String,
    #[arg(long, hide = true, default_value = "")]
    key_file: String,
    #[arg(long, hide = true, default_value = "")]
    ca_file: String,
    #[arg(long, hide = true)]
    plain_http: bool,
    /// Send user and password to other hosts, too.
    #[arg(long)]
    pass_credentials: bool,
    #[arg(long, hide = true, default_value = "")]
    repository_config: String,
    #[arg(long, hide = true, default_value = "")]
    repository_cache: String,
}

/// A chart that was found.
#[derive(Debug)]
pub enum Located {
    /// On this machine, under this name.
    Here(String),
    /// Fetched: the name of the archive, and its bytes.
    Fetched(String, Vec<u8>),
}

/// Tells what Helm 4 tells with `--debug`; Helm 3 adds the time of day, which is left out with the lines.
#[derive(Clone, Copy)]
pub struct Debug<'c> {
    ctx: &'c Context,
    version: Version,
}

impl<'c> Debug<'c> {
    pub fn new(ctx: &'c Context, version: Version) -> Self {
        Self { ctx, version }
    }

    /// A title and named values.
    pub fn tell(&self, title: &'static str, fields: &[(&'static str, String)]) {
        if self.version == Version::V4 {
            let note = Note::Debug(title, fields.to_vec());
            self.ctx.out.note(&note.line(self.version));
        }
    }
}

impl LocationFlags {
    /// As [`LocationFlags::locate`]; tells what it does where that is wanted.
    pub fn locate_telling(
        &self,
        ctx: &Context,
        name: &str,
        version: Version,
        debug: Option<Debug<'_>>,
    ) -> Result<Located, String> {
        let Some(debug) = debug else {
            return self.locate(ctx, name, version);
        };
        debug.tell(
            "Original chart version",
            &[("version", self.version.clone())],
        );
        if self.version.is_empty() && self.devel {
            debug.tell("setting version to >0.0.0-0", &[]);
        }
        let located = self.locate(ctx, name, version)?;
        if let Located::Here(path) = &located {
            debug.tell("Chart path", &[("path", super::chart::absolute(path)?)]);
        }
        Ok(located)
    }

    /// Finds a chart, fetches it where it is elsewhere, and checks its signature where that is wanted.
    pub fn locate(&self, ctx: &Context, name: &str, version: Version) -> Result<Located, String> {
        let name = name.trim();
        if self.repo.is_empty() || version == Version::V3 {
            if fs::metadata(name).is_ok() {
                self.check_signature(name, version)?;
                if !self.repo.is_empty() {
                    let (name, repo) =
                        (helm::note::log_text(name), helm::note::log_text(&self.repo));
                    ctx.out.note(&format!("install.go:759: WARN local chart found in current working directory. repository url ignored chart={name} repository={repo}"));
                }
                return Ok(Located::Here(name.to_owned()));
            }
            if name.starts_with(['/', '.']) {
                return Err(format!("path {} not found", quote(name.as_bytes())));
            }
        }
        let tls = [&self.cert_file, &self.key_file, &self.ca_file];
        if tls.iter().any(|file| !file.is_empty()) {
            return Err("--cert-file, --key-file and --ca-file are not supported".to_owned());
        }
        self.elsewhere(name, version)
            .map_err(|error| with_name_server(&error))
    }

    fn check_signature(&self, path: &str, version: Version) -> Result<(), String> {
        if !self.verify {
            return Ok(());
        }
        verify_file(&super::chart::absolute(path)?, &self.keyring(), version)
    }

    fn keyring(&self) -> String {
        self.keyring.clone().unwrap_or_else(default_keyring)
    }

    /// The version that is wanted; empty for the newest.
    fn wanted(&self) -> &str {
        match self.version.trim() {
            "" if self.devel => ">0.0.0-0",
            version => version,
        }
    }

    fn elsewhere(&self, name: &str, version: Version) -> Result<Located, String> {
        let fetcher = Fetcher::default();
        let own = Repository {
            url: self.repo.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            pass_credentials: self.pass_credentials,
        };
        if !self.repo.is_empty() {
            let url = self.in_repository(&fetcher, &own, name)?;
            return self.fetch(&fetcher, &own, &url, version);
        }
        let url = Url::parse(name).map_err(|_| format!("invalid chart URL format: {name}"))?;
        if url.scheme == "oci" {
            let (repository, chart) = name.rsplit_once('/').unwrap_or((name, ""));
            let archive = fetcher.registry_chart(repository, chart, self.wanted())?;
            if self.verify {
                return Err("--verify is not supported for charts in registries".to_owned());
            }
            return Ok(Located::Fetched(format!("{chart}.tgz"), archive));
        }
        if !url.scheme.is_empty() && !url.host.is_empty() && !url.path.is_empty() {
            return self.fetch(&fetcher, &own, name, version);
        }
        let Some((repository, chart)) = url.path.split_once('/') else {
            return Err(format!(
                "non-absolute URLs should be in form of repo_name/path_to_chart, got: {}",
                shown(name)
            ));
        };
        let paths = Paths::new(&self.repository_config, &self.repository_cache);
        let known = paths.repository(repository)?;
        let index = paths.index(repository)?;
        let wanted = self.wanted();
        let entry = choose(&index, chart, wanted).map_err(|error| {
            let chart = quote(chart.as_bytes());
            format!("chart {chart} matching {wanted} not found in {repository} index. (try 'helm repo update'): {error}")
        })?;
        let Some(address) = entry.urls.first() else {
            return Err(format!(
                "chart {} has no downloadable URLs",
                quote(name.as_bytes())
            ));
        };
        let address = resolve_url(&known.url, address)
            .map_err(|_| format!("invalid chart URL format: {name}"))?;
        self.fetch(&fetcher, &known, &address, version)
    }

    /// The address of a chart in the repository of a flag.
    fn in_repository(
        &self,
        fetcher: &Fetcher,
        repository: &Repository,
        chart: &str,
    ) -> Result<String, String> {
        let url = &repository.url;
        let parsed = Url::parse(url).map_err(|_| format!("invalid chart URL format: {url}"))?;
        match parsed.scheme.as_str() {
            "http" | "https" => {}
            "oci" => {
                return Err(
                    "--repo takes no registry; name the chart by its oci:// address".to_owned(),
                );
            }
            other => return Err(format!("could not find protocol handler for: {other}")),
        }
        let unusable = |error: String| {
            let url = quote(url.as_bytes());
            format!(
                "looks like {url} is not a valid chart repository or cannot be reached: {error}"
            )
        };
        let index = index_url(url).map_err(|error| unusable(error.to_string()))?;
        let options = options(repository);
        let index = fetcher.get(&options, &index, INDEX_BYTES_MAX);
        let index = index.map_err(|error| unusable(error.to_string()))?;
        // Everything in the index is checked before the chart is looked for.
        read_index(&index[..], None).map_err(|error| unusable(error.to_string()))?;
        let mut what = format!("chart {}", quote(chart.as_bytes()));
        let wanted = self.wanted();
        if !wanted.is_empty() {
            what.push_str(&format!(" version {}", quote(wanted.as_bytes())));
        }
        let entry = choose(&index, chart, wanted)
            .map_err(|_| format!("{what} not found in {url} repository"))?;
        let address = entry.urls.first();
        let address = address.ok_or_else(|| format!("{what} has no downloadable URLs"))?;
        resolve_url(url, address)
            .map_err(|error| format!("failed to make chart URL absolute: {error}"))
    }

    fn fetch(
        &self,
        fetcher: &Fetcher,
        repository: &Repository,
        url: &str,
        version: Version,
    ) -> Result<Located, String> {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        if !matches!(scheme, "http" | "https") {
            let scheme = quote(scheme.as_bytes());
            return Err(format!("scheme {scheme} not supported"));
        }
        let mut options = options(repository);
        if options.url.is_empty() {
            url.clone_into(&mut options.url);
        }
        let archive = fetcher.get(&options, url, ARCHIVE_BYTES_MAX);
        let archive = archive.map_err(|error| error.to_string())?;
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let name = Path::new(path).file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if self.verify {
            let provenance = format!("{url}.prov");
            let text = fetcher
                .get(&options, &provenance, ARCHIVE_BYTES_MAX)
                .map_err(|_| {
                    format!(
                        "failed to fetch provenance {}",
                        quote(provenance.as_bytes())
                    )
                })?;
            let keys = read_keyring(&self.keyring())?;
            verify(&name, &archive, &text, &keys, version)?;
        }
        Ok(Located::Fetched(name, archive))
    }
}

fn options(repository: &Repository) -> RepositoryOptions {
    let credentials = match (&repository.username[..], &repository.password[..]) {
        ("", _) | (_, "") => Credentials::Anonymous,
        (username, password) => Credentials::Basic {
            username: username.to_owned(),
            password: Secret::new(password),
        },
    };
    RepositoryOptions {
        url: repository.url.clone(),
        credentials,
        pass_credentials: repository.pass_credentials,
        ..RepositoryOptions::default()
    }
}

fn choose(index: &[u8], chart: &str, wanted: &str) -> Result<Entry, String> {
    let (_, entries) = read_index(index, Some(chart)).map_err(|error| error.to_string())?;
    let entry = select(&entries, chart, wanted).map_err(|error| error.to_string())?;
    Ok(entry.clone())
}

/// A reference as addresses are printed.
fn shown(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~$&+:=@/!*'();,".contains(&b);
    let mut out = String::new();
    for byte in name.bytes() {
        if plain(byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Refuses what is no chart on this machine; nothing is fetched.
pub fn locate_here(path: &str) -> Result<(), String> {
    let path = path.trim();
    if Path::new(path).exists() {
        return Ok(());
    }
    Err(format!("path {} not found", quote(path.as_bytes())))
}

//! Registries as the commands reach them: `oci://` URLs, credentials from flags or Docker's config.

use std::path::PathBuf;

use remote::oci::{DockerConfig, Reference, Registry, RegistryError, RegistryOptions};
use remote::{ClientOptions, Clients, Credentials, Secret};

use super::docker_helper;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Largest layer that is fetched, in bytes.
pub const LAYER_BYTES_MAX: u64 = 1 << 30;

/// How to log in.
#[derive(clap::Args, Debug)]
pub struct Login {
    /// Credentials in the form username[:password].
    #[arg(long, default_value = "", hide_default_value = true)]
    creds: String,
    /// How to log in: generic, aws, azure, gcp.
    #[arg(long, default_value = "generic", value_parser = provider)]
    provider: String,
}

fn provider(text: &str) -> Result<String, String> {
    match text {
        "generic" | "aws" | "azure" | "gcp" => Ok(text.to_owned()),
        _ => Err(format!(
            "source OCI provider '{text}' is not supported, must be one of: generic, aws, azure, gcp"
        )),
    }
}

/// An artifact named on the command line.
pub struct Named {
    /// Name without `oci://`, as given.
    pub shown: String,
    /// What it names.
    pub reference: Reference,
}

/// Reads an `oci://` URL.
pub fn parse(url: &str) -> CliResult<Named> {
    let Some(shown) = url.strip_prefix("oci://") else {
        let message = "URL must be in format 'oci://<domain>/<org>/<repo>'";
        return Err(CliError::user(message));
    };
    let reference = Reference::parse(shown)
        .map_err(|error| CliError::user(format!("'{url}' invalid URL: {error}")))?;
    Ok(Named {
        shown: shown.to_owned(),
        reference,
    })
}

/// A failure of a registry as an error of the command.
pub fn failed(error: RegistryError) -> CliError {
    CliError::cluster(error.to_string())
}

impl Login {
    /// Opens a session with the artifact's repository.
    pub fn open(&self, ctx: &Context, named: &Named, insecure: bool) -> CliResult<Registry> {
        if self.provider != "generic" {
            ctx.out
                .action("logging in to registry with provider credentials");
            let provider = &self.provider;
            return Err(CliError::user(format!(
                "error during login with provider: '{provider}' is not supported yet"
            ))
            .hint("log in with --creds, or with docker login"));
        }
        let credentials = if self.creds.is_empty() {
            from_docker(named)
        } else {
            ctx.out.action("logging in to registry with credentials");
            from_text(&self.creds)
        };
        let options = RegistryOptions {
            client: ClientOptions {
                accept_any_certificate: insecure,
                ..ClientOptions::default()
            },
            credentials,
            plain_http: insecure,
            ..RegistryOptions::default()
        };
        let repository = named.reference.repository.clone();
        Registry::open(&Clients::default(), repository, &options).map_err(failed)
    }
}

/// A user name with a password, or a token alone.
fn from_text(text: &str) -> Credentials {
    match text.split_once(':') {
        Some((username, password)) => Credentials::Basic {
            username: username.to_owned(),
            password: Secret::new(password),
        },
        None => Credentials::Bearer(Secret::new(text)),
    }
}

/// What Docker's config says, helper programs included.
fn from_docker(named: &Named) -> Credentials {
    let directory = match std::env::var_os("DOCKER_CONFIG") {
        Some(directory) => PathBuf::from(directory),
        None => match std::env::var_os("HOME") {
            Some(home) => PathBuf::from(home).join(".docker"),
            None => return Credentials::Anonymous,
        },
    };
    let Ok(text) = std::fs::read(directory.join("config.json")) else {
        return Credentials::Anonymous;
    };
    let repository = &named.reference.repository;
    if let Some(found) = docker_helper::ask(&text, repository.registry()) {
        return found;
    }
    let config = DockerConfig::parse(&text).unwrap_or_default();
    let found = config.find(&repository.to_string());
    found.cloned().unwrap_or_default()
}

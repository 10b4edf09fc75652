//! `flux create secret git`: credentials for HTTP(S); SSH keys are not generated yet.

use objects::{Gvk, Map, Object};

use super::secrets::{Content, finish};
use super::{Shared, object_name, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux create secret git`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the Secret.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Address of the repository.
    #[arg(long, default_value = "", hide_default_value = true)]
    url: String,
    /// User name for basic authentication.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    username: String,
    /// Password for basic authentication.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    password: String,
    /// Token for bearer authentication.
    #[arg(long, default_value = "", hide_default_value = true)]
    bearer_token: String,
    /// Certificate authority for HTTPS.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    ca_crt_file: String,
}

/// Prints the Secret, or applies it.
pub fn run(ctx: &Context, shared: &Shared, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    if args.url.is_empty() {
        return Err(CliError::user("url is required"));
    }
    let scheme = scheme(&args.url)?;
    let labels = shared.labels()?;
    if scheme == "ssh" {
        return Err(ssh_not_supported());
    }
    let (type_of, data) = ("", data(&args)?);
    finish(ctx, shared, "git", name, &labels, Content { type_of, data })
}

fn data(args: &Args) -> CliResult<Map> {
    let basic = !args.username.is_empty() && !args.password.is_empty();
    if !basic && args.bearer_token.is_empty() {
        return Err(CliError::user(
            "for Git over HTTP/S the username and password, or a bearer token is required",
        ));
    }
    if basic && !args.bearer_token.is_empty() {
        let message = "user credentials and bearer token cannot be used together";
        return Err(CliError::user(message));
    }
    let mut data = Map::new();
    if basic {
        set_text(&mut data, "username", &args.username);
        set_text(&mut data, "password", &args.password);
    }
    set_text(&mut data, "bearerToken", &args.bearer_token);
    if !args.ca_crt_file.is_empty() {
        set_text(&mut data, "ca.crt", &read_authority(&args.ca_crt_file)?);
    }
    Ok(data)
}

/// Builds a Secret of text.
pub fn secret_object(namespace: &str, name: &str, labels: &Map, data: Map) -> Object {
    let mut object = Object::new(&Gvk::new("", "v1", "Secret"), namespace, name);
    if !labels.is_empty() {
        object.set(&["metadata", "labels"], labels.clone());
    }
    object.set(&["stringData"], data);
    object
}

/// Returns the scheme of a repository's address, if it is one that Git sources take.
pub fn scheme(address: &str) -> CliResult<String> {
    let first = address.split('/').next().unwrap_or_default();
    if first.contains(':') && !address.contains("://") {
        return Err(CliError::user(format!(
            "git URL parse failed: parse {address:?}: first path segment in URL cannot contain colon"
        )));
    }
    let scheme = match address.contains("://") {
        true => super::source_git::parse_url(address)?.scheme().to_owned(),
        false => String::new(),
    };
    if ["ssh", "http", "https"].contains(&scheme.as_str()) {
        return Ok(scheme);
    }
    Err(CliError::user(format!(
        "git URL scheme '{scheme}' not supported, can be: ssh, http and https"
    )))
}

/// Reads a certificate file.
pub fn read_authority(path: &str) -> CliResult<String> {
    std::fs::read_to_string(path).map_err(|error| {
        CliError::user(format!("unable to read TLS CA file: open {path}: {error}"))
    })
}

/// Says that SSH keys are not generated yet.
pub fn ssh_not_supported() -> CliError {
    CliError::user("SSH keys are not generated yet").hint(
        "create the Secret with identity and known_hosts by kubectl, and name it with --secret-ref",
    )
}

//! `flux create`: generate objects, print them with `--export`, or apply them and wait.

mod apply_source;
mod helm_reference;
mod helmrelease;
mod kustomization;
mod secret_git;
mod secrets;
mod source_chart;
mod source_git;
mod source_helm;
mod source_oci;
mod tenant;
mod upsert;

use clap::Subcommand;
use objects::{Map, Value};

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::{GoDuration, string_slice};

/// Arguments of `flux create`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    leaf: Leaf,
}

/// Flags of all leaves.
#[derive(clap::Args, Debug)]
struct Shared {
    /// How often the object is reconciled.
    #[arg(long, global = true, default_value = "1m0s", value_name = "DURATION")]
    interval: GoDuration,
    /// Print the object as YAML instead of applying it.
    #[arg(long, global = true)]
    export: bool,
    /// Labels of the object: KEY=VALUE, separated by commas.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    label: Vec<String>,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Create or update a Kustomization.
    #[command(visible_alias = "ks")]
    Kustomization(Box<kustomization::Args>),
    /// Create or update a HelmRelease.
    #[command(visible_alias = "hr")]
    Helmrelease(Box<helmrelease::Args>),
    /// Create or update a source.
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Source(Source),
    /// Create or update a Secret.
    #[command(subcommand, subcommand_required = true, arg_required_else_help = true)]
    Secret(SecretLeaf),
    /// Create or update the namespaces and accounts of a tenant.
    Tenant(tenant::Args),
}

#[derive(clap::Args, Debug)]
struct Source {
    /// Most time for fetching the source; 0 is the controller's default.
    #[arg(
        long,
        global = true,
        default_value = "0s",
        hide_default_value = true,
        value_name = "DURATION"
    )]
    fetch_timeout: GoDuration,
    #[command(subcommand)]
    leaf: SourceLeaf,
}

#[derive(Subcommand, Debug)]
enum SourceLeaf {
    /// Create or update a GitRepository.
    Git(Box<source_git::Args>),
    /// Create or update a HelmRepository.
    Helm(Box<source_helm::Args>),
    /// Create or update a HelmChart.
    Chart(Box<source_chart::Args>),
    /// Create or update an OCIRepository.
    Oci(Box<source_oci::Args>),
}

#[derive(Subcommand, Debug)]
enum SecretLeaf {
    /// Create or update the credentials of a Git repository.
    Git(Box<secret_git::Args>),
    /// Create or update the credentials of a Helm repository.
    Helm(Box<secrets::Helm>),
    /// Create or update the pull Secret of a registry.
    Oci(Box<secrets::Oci>),
    /// Create or update certificates.
    Tls(Box<secrets::Tls>),
    /// Create or update the address and credentials of a proxy.
    Proxy(Box<secrets::Proxy>),
}

/// Generates and applies, or prints, one object. The namespace is not checked here, as upstream's is not.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    let shared = &args.shared;
    match args.leaf {
        Leaf::Kustomization(args) => kustomization::run(ctx, shared, *args),
        Leaf::Helmrelease(args) => helmrelease::run(ctx, shared, *args),
        Leaf::Source(Source {
            fetch_timeout,
            leaf,
        }) => match leaf {
            SourceLeaf::Git(args) => source_git::run(ctx, shared, fetch_timeout, *args),
            SourceLeaf::Helm(args) => source_helm::run(ctx, shared, fetch_timeout, *args),
            SourceLeaf::Chart(args) => source_chart::run(ctx, shared, *args),
            SourceLeaf::Oci(args) => source_oci::run(ctx, shared, fetch_timeout, *args),
        },
        Leaf::Secret(leaf) => match leaf {
            SecretLeaf::Git(args) => secret_git::run(ctx, shared, *args),
            SecretLeaf::Helm(args) => secrets::helm(ctx, shared, *args),
            SecretLeaf::Oci(args) => secrets::oci(ctx, shared, *args),
            SecretLeaf::Tls(args) => secrets::tls(ctx, shared, *args),
            SecretLeaf::Proxy(args) => secrets::proxy(ctx, shared, *args),
        },
        Leaf::Tenant(args) => tenant::run(ctx, shared, args),
    }
}

/// Takes the object's name from the arguments.
fn object_name(names: &[String]) -> CliResult<&str> {
    let name = names
        .first()
        .ok_or_else(|| CliError::user("name is required"))?;
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let valid = (2..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if valid {
        return Ok(name);
    }
    Err(CliError::user(format!(
        "name '{name}' is invalid, it should adhere to standard defined in RFC 1123, \
         the name can only contain alphanumeric characters or '-'"
    )))
}

impl Shared {
    /// Reads `--label`; keys and values must be what Kubernetes takes.
    fn labels(&self) -> CliResult<Map> {
        let mut labels = Map::new();
        for label in string_slice(&self.label) {
            let parts: Vec<&str> = label.split('=').collect();
            let [key, value] = parts[..] else {
                return Err(CliError::user(format!(
                    "invalid label format '{label}', must be key=value"
                )));
            };
            if !is_qualified_name(key) {
                return Err(CliError::user(format!(
                    "invalid label '{key}': [{NAME_RULE}]"
                )));
            }
            if !value.is_empty() && !is_name_part(value) {
                return Err(CliError::user(format!(
                    "invalid label value '{value}': [{VALUE_RULE}]"
                )));
            }
            labels.insert(key.to_owned(), value.into());
        }
        Ok(labels)
    }
}

const NAME_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Tells whether a text is `[prefix/]name` as label keys are.
fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => {
            prefix.split('.').all(crate::globals::is_dns_label) && is_name_part(name)
        }
        None => is_name_part(text),
    }
}

fn is_name_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Adds a field unless it is empty.
fn set_text(map: &mut Map, key: &str, value: &str) {
    if !value.is_empty() {
        map.insert(key.to_owned(), value.into());
    }
}

/// Adds `key: {name: …}` unless the name is empty.
fn set_reference(map: &mut Map, key: &str, name: &str) {
    if !name.is_empty() {
        map.insert(key.to_owned(), objects::json!({"name": name}));
    }
}

/// Adds a list unless it is empty.
fn set_list(map: &mut Map, key: &str, values: Vec<String>) {
    if !values.is_empty() {
        map.insert(key.to_owned(), Value::from(values));
    }
}

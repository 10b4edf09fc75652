//! `flux create source helm`.

use objects::{Map, Object, json};
use url::Url;

use super::apply_source::{Words, apply_source};
use super::helm_reference::oci_provider;
use super::secret_git::secret_object;
use super::upsert::{secret, upsert};
use super::{Shared, object_name, set_reference, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::GoDuration;
use crate::kinds::{HELM_REPOSITORY, builtin};
use crate::manifest;

/// Arguments of `flux create source helm`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the HelmRepository.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Address of the repository: https://, http:// or oci://.
    #[arg(long, default_value = "", hide_default_value = true)]
    url: String,
    /// User name.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    username: String,
    /// Password.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    password: String,
    /// Client certificate.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    cert_file: String,
    /// Key of the client certificate.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    key_file: String,
    /// Certificate authority.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    ca_file: String,
    /// Secret with credentials.
    #[arg(long, default_value = "", hide_default_value = true)]
    secret_ref: String,
    /// Who issues credentials of a registry: generic, aws, azure or gcp.
    #[arg(long, value_parser = oci_provider)]
    oci_provider: Option<String>,
    /// Send credentials to other hosts that the index names.
    #[arg(long)]
    pass_credentials: bool,
}

/// Prints the HelmRepository, or applies it and waits for its index.
pub fn run(ctx: &Context, shared: &Shared, fetch_timeout: GoDuration, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    let is_oci = check_url(&args.url)?;
    let mut object = Object::new(&HELM_REPOSITORY.gvk(), ctx.namespace(), name);
    let labels = shared.labels()?;
    if !labels.is_empty() {
        object.set(&["metadata", "labels"], labels);
    }
    object.set(&["spec"], spec(&args, shared, fetch_timeout, is_oci));
    if shared.export {
        ctx.out.data(&manifest::document(&object.into_value())?);
        return Ok(());
    }
    let words = Words {
        what: "HelmRepository source",
        outcome: "source",
        missing: "HelmRepository source reconciliation completed but no artifact was found",
        has_artifact: !is_oci,
    };
    ctx.block_on(async {
        ctx.out.generate("generating HelmRepository source");
        if args.secret_ref.is_empty() {
            let credentials = credentials(&args)?;
            if !credentials.is_empty() {
                let name = format!("helm-{name}");
                apply_credentials(ctx, &name, credentials).await?;
                object.set(&["spec", "secretRef"], json!({"name": name}));
                if args.pass_credentials {
                    object.set(&["spec", "passCredentials"], true);
                }
            }
        }
        apply_source(ctx, &HELM_REPOSITORY, &words, &object).await
    })
}

/// Checks the address; tells whether it is that of a registry.
fn check_url(url: &str) -> CliResult<bool> {
    if url.is_empty() {
        return Err(CliError::user("url is required"));
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if !["http", "https", "oci"].contains(&scheme) {
        return Err(CliError::user(format!(
            "url scheme '{scheme}' not supported, can be: http, https and oci"
        )));
    }
    if rest.split('/').next().unwrap_or_default().is_empty() {
        return Err(CliError::user("url host is required"));
    }
    Url::parse(url).map_err(|error| CliError::user(format!("url parse failed: {error}")))?;
    Ok(scheme == "oci")
}

fn spec(args: &Args, shared: &Shared, fetch_timeout: GoDuration, is_oci: bool) -> Map {
    let mut spec = Map::new();
    set_text(&mut spec, "url", &args.url);
    spec.insert("interval".to_owned(), shared.interval.to_string().into());
    if is_oci {
        set_text(&mut spec, "type", "oci");
        set_text(
            &mut spec,
            "provider",
            args.oci_provider.as_deref().unwrap_or(""),
        );
    }
    if fetch_timeout.0 > 0 {
        spec.insert("timeout".to_owned(), fetch_timeout.to_string().into());
    }
    set_reference(&mut spec, "secretRef", &args.secret_ref);
    if !args.secret_ref.is_empty() && args.pass_credentials {
        spec.insert("passCredentials".to_owned(), true.into());
    }
    spec
}

/// Returns the data of a Secret for credentials given as flags.
fn credentials(args: &Args) -> CliResult<Map> {
    let mut data = Map::new();
    set_text(&mut data, "username", &args.username);
    set_text(&mut data, "password", &args.password);
    let read = |file: &str| {
        std::fs::read_to_string(file)
            .map_err(|error| CliError::user(format!("unable to read file {file}: {error}")))
    };
    if !args.cert_file.is_empty() && !args.key_file.is_empty() {
        set_text(&mut data, "tls.crt", &read(&args.cert_file)?);
        set_text(&mut data, "tls.key", &read(&args.key_file)?);
    }
    if !args.ca_file.is_empty() {
        set_text(&mut data, "ca.crt", &read(&args.ca_file)?);
    }
    Ok(data)
}

async fn apply_credentials(ctx: &Context, name: &str, data: Map) -> CliResult {
    let cluster = ctx.cluster().await?;
    ctx.out
        .action("applying secret with repository credentials");
    let wanted = secret_object(ctx.namespace(), name, &Map::new(), data);
    let resource = builtin("", "Secret", "secrets", true);
    let target = cluster::Target::new(&resource, ctx.namespace(), name);
    upsert(&*cluster, &target, &wanted, secret).await?;
    ctx.out.success("authentication configured");
    Ok(())
}

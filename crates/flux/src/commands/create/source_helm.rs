//! `flux create source helm`.

use objects::{Map, Object, json};

use super::apply_source::{Words, apply_source};
use super::secrets::{Content, Credentials, read_file, typed_secret};
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
    /// Who issues credentials of a registry: generic, aws, azure or gcp; the server checks it.
    #[arg(long, default_value = "", hide_default_value = true)]
    oci_provider: String,
    /// Send credentials to other hosts that the index names.
    #[arg(long)]
    pass_credentials: bool,
}

/// Prints the HelmRepository, or applies it and waits for its index.
pub fn run(ctx: &Context, shared: &Shared, fetch_timeout: GoDuration, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    if args.url.is_empty() {
        return Err(CliError::user("url is required"));
    }
    let labels = shared.labels()?;
    let is_oci = check_url(&args.url)?;
    let mut object = Object::new(&HELM_REPOSITORY.gvk(), ctx.namespace(), name);
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
        let credentials = credentials(&args)?;
        ctx.out.generate("generating HelmRepository source");
        if args.secret_ref.is_empty() {
            let content = credentials.helm()?;
            if !content.data.is_empty() {
                let name = format!("helm-{name}");
                apply_credentials(ctx, &name, content).await?;
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
    if let Some(fault) = go_url_fault(url) {
        return Err(CliError::user(format!(
            "url parse failed: parse {url:?}: {fault}"
        )));
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let scheme = scheme.to_lowercase();
    if !["http", "https", "oci"].contains(&scheme.as_str()) {
        return Err(CliError::user(format!(
            "url scheme '{scheme}' not supported, can be: http, https and oci"
        )));
    }
    if rest
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .is_empty()
    {
        return Err(CliError::user("url host is required"));
    }
    Ok(scheme == "oci")
}

/// Finds what Go's `net/url` has against an address; its commonest complaints only.
fn go_url_fault(url: &str) -> Option<String> {
    if url.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Some("net/url: invalid control character in URL".to_owned());
    }
    let rest = match url.split_once(':') {
        Some(("", _)) => return Some("missing protocol scheme".to_owned()),
        Some((scheme, _)) if scheme.contains('/') => return None,
        Some((_, rest)) => rest.strip_prefix("//")?,
        None => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some(c) = host.chars().find(|c| " <>\"\\^`{|}".contains(*c)) {
        return Some(format!(
            "invalid character {:?} in host name",
            c.to_string()
        ));
    }
    let port = host.rsplit_once(':').filter(|_| !host.ends_with(']'));
    if let Some((_, port)) = port
        && !port.bytes().all(|b| b.is_ascii_digit())
    {
        return Some(format!("invalid port {:?} after host", format!(":{port}")));
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    bad_escape(host)
        .or_else(|| bad_escape(path))
        .map(|escape| format!("invalid URL escape {escape:?}"))
}

fn bad_escape(text: &str) -> Option<String> {
    text.match_indices('%').find_map(|(at, _)| {
        let escape: String = text[at..].chars().take(3).collect();
        let hex = escape.len() == 3 && escape[1..].bytes().all(|b| b.is_ascii_hexdigit());
        (!hex).then_some(escape)
    })
}

fn spec(args: &Args, shared: &Shared, fetch_timeout: GoDuration, is_oci: bool) -> Map {
    let mut spec = Map::new();
    set_text(&mut spec, "url", &args.url);
    spec.insert("interval".to_owned(), shared.interval.to_string().into());
    if is_oci {
        set_text(&mut spec, "type", "oci");
        set_text(&mut spec, "provider", &args.oci_provider);
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

/// Reads the credentials given as flags.
fn credentials(args: &Args) -> CliResult<Credentials> {
    let mut credentials = Credentials {
        username: args.username.clone(),
        password: args.password.clone(),
        authority: read_file(&args.ca_file, "unable to read TLS CA file")?,
        ..Credentials::default()
    };
    if !args.cert_file.is_empty() && !args.key_file.is_empty() {
        credentials.certificate = read_file(&args.cert_file, "failed to read cert file")?;
        credentials.key = read_file(&args.key_file, "failed to read key file")?;
    }
    Ok(credentials)
}

async fn apply_credentials(ctx: &Context, name: &str, content: Content) -> CliResult {
    let cluster = ctx.cluster().await?;
    ctx.out
        .action("applying secret with repository credentials");
    let wanted = typed_secret(ctx.namespace(), name, &Map::new(), content);
    let resource = builtin("", "Secret", "secrets", true);
    let target = cluster::Target::new(&resource, ctx.namespace(), name);
    upsert(&*cluster, &target, &wanted, secret).await?;
    ctx.out.success("authentication configured");
    Ok(())
}

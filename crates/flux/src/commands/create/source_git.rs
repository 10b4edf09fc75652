//! `flux create source git`.

use objects::{Map, Object, json};
use url::Url;

use super::upsert::{labels_and_spec, secret, upsert};
use super::{Shared, object_name, secret_git, set_list, set_reference, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::{GoDuration, string_slice};
use crate::flux_object::{artifact_revision, readiness};
use crate::kinds::{GIT_REPOSITORY, builtin};
use crate::{manifest, wait};

/// Arguments of `flux create source git`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the GitRepository.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Address of the repository: https://, http:// or ssh://.
    #[arg(long, default_value = "", hide_default_value = true)]
    url: String,
    /// Branch to follow.
    #[arg(long, default_value = "", hide_default_value = true)]
    branch: String,
    /// Tag to take.
    #[arg(long, default_value = "", hide_default_value = true)]
    tag: String,
    /// Range of versions to take the newest tag of.
    #[arg(long, default_value = "", hide_default_value = true)]
    tag_semver: String,
    /// Full name of the reference to follow.
    #[arg(long, default_value = "", hide_default_value = true)]
    ref_name: String,
    /// Commit to take.
    #[arg(long, default_value = "", hide_default_value = true)]
    commit: String,
    /// User name for basic authentication.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    username: String,
    /// Password for basic authentication.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    password: String,
    /// Secret with credentials.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    secret_ref: String,
    /// Secret with the address and credentials of a proxy.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    proxy_secret_ref: String,
    /// Who issues credentials: generic, github, aws or azure.
    #[arg(long, value_parser = provider)]
    provider: Option<String>,
    /// Certificate authority for HTTPS.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    ca_file: String,
    /// Include submodules.
    #[arg(long)]
    recurse_submodules: bool,
    /// Accepted for compatibility: no deploy key is generated, so nothing is asked.
    #[arg(short, long, hide_short_help = true)]
    silent: bool,
    /// Paths to leave out, separated by commas.
    #[arg(long, value_name = "LIST")]
    ignore_paths: Vec<String>,
    /// Directories to check out, separated by commas.
    #[arg(long, value_name = "LIST")]
    sparse_checkout_paths: Vec<String>,
}

fn provider(text: &str) -> Result<String, String> {
    const KNOWN: [&str; 4] = ["generic", "github", "aws", "azure"];
    match text.trim() {
        "" => Err("no source Git provider given, please specify the Git provider name".to_owned()),
        known if KNOWN.contains(&known) => Ok(known.to_owned()),
        _ => Err(format!(
            "source Git provider '{text}' is not supported, must be one of: {}",
            KNOWN.join("|")
        )),
    }
}

/// Prints the GitRepository, or applies it and waits for its artifact.
pub fn run(ctx: &Context, shared: &Shared, fetch_timeout: GoDuration, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    let scheme = check(&args)?;
    let mut object = Object::new(&GIT_REPOSITORY.gvk(), ctx.namespace(), name);
    let labels = shared.labels()?;
    if !labels.is_empty() {
        object.set(&["metadata", "labels"], labels);
    }
    object.set(&["spec"], spec(&args, shared, fetch_timeout));
    if shared.export {
        ctx.out.data(&manifest::document(&object.into_value())?);
        return Ok(());
    }
    ctx.block_on(apply(ctx, &args, &scheme, object))
}

fn check(args: &Args) -> CliResult<String> {
    if args.url.is_empty() {
        return Err(CliError::user("url is required"));
    }
    let scheme = secret_git::scheme(&args.url)?;
    let references = [
        &args.branch,
        &args.tag,
        &args.tag_semver,
        &args.commit,
        &args.ref_name,
    ];
    if references.iter().all(|reference| reference.is_empty()) {
        return Err(CliError::user(
            "a Git ref is required, use one of the following: --branch, --tag, --commit, --ref-name or --tag-semver",
        ));
    }
    if !args.ca_file.is_empty() && scheme == "ssh" {
        let message = "specifying a CA file is not supported for Git over SSH";
        return Err(CliError::user(message));
    }
    Ok(scheme)
}

fn spec(args: &Args, shared: &Shared, fetch_timeout: GoDuration) -> Map {
    let mut reference = Map::new();
    if !args.commit.is_empty() {
        set_text(&mut reference, "commit", &args.commit);
        set_text(&mut reference, "branch", &args.branch);
    } else {
        let candidates = [
            ("name", &args.ref_name),
            ("semver", &args.tag_semver),
            ("tag", &args.tag),
            ("branch", &args.branch),
        ];
        if let Some((key, value)) = candidates.iter().find(|(_, value)| !value.is_empty()) {
            set_text(&mut reference, key, value);
        }
    }
    let mut spec = Map::new();
    spec.insert("interval".to_owned(), shared.interval.to_string().into());
    spec.insert("ref".to_owned(), reference.into());
    set_text(&mut spec, "url", &args.url);
    set_text(
        &mut spec,
        "ignore",
        &string_slice(&args.ignore_paths).join("\n"),
    );
    set_list(
        &mut spec,
        "sparseCheckout",
        string_slice(&args.sparse_checkout_paths),
    );
    set_reference(&mut spec, "secretRef", &args.secret_ref);
    set_reference(&mut spec, "proxySecretRef", &args.proxy_secret_ref);
    set_text(
        &mut spec,
        "provider",
        args.provider.as_deref().unwrap_or_default(),
    );
    if args.recurse_submodules {
        spec.insert("recurseSubmodules".to_owned(), true.into());
    }
    if fetch_timeout.0 > 0 {
        spec.insert("timeout".to_owned(), fetch_timeout.to_string().into());
    }
    spec
}

async fn apply(ctx: &Context, args: &Args, scheme: &str, mut object: Object) -> CliResult {
    let cluster = ctx.cluster().await?;
    ctx.out.generate("generating GitRepository source");
    if args.secret_ref.is_empty()
        && let Some(credentials) = credentials(ctx, args, scheme, &object)?
    {
        ctx.out
            .action("applying secret with repository credentials");
        let resource = builtin("", "Secret", "secrets", true);
        let target = cluster::Target::new(&resource, ctx.namespace(), object.name());
        upsert(&*cluster, &target, &credentials, secret).await?;
        object.set(&["spec", "secretRef"], json!({"name": credentials.name()}));
        ctx.out.success("authentication configured");
    }
    ctx.out.action("applying GitRepository source");
    let target = GIT_REPOSITORY.target(ctx.namespace(), object.name());
    let outcome = upsert(&*cluster, &target, &object, labels_and_spec).await?;
    ctx.out
        .success(format_args!("GitRepository source {outcome}"));
    ctx.out
        .waiting("waiting for GitRepository source reconciliation");
    let judge = |found: &Object| readiness(&GIT_REPOSITORY, found);
    let object = wait::until_current(ctx, &*cluster, &target, judge).await?;
    ctx.out
        .success("GitRepository source reconciliation completed");
    match artifact_revision(&object) {
        "" => Err(CliError::cluster(
            "GitRepository source reconciliation completed but no artifact was found",
        )),
        revision => {
            ctx.out
                .success(format_args!("fetched revision: {revision}"));
            Ok(())
        }
    }
}

/// Returns the Secret for credentials given as flags.
fn credentials(
    ctx: &Context,
    args: &Args,
    scheme: &str,
    object: &Object,
) -> CliResult<Option<Object>> {
    if scheme == "ssh" {
        return Err(secret_git::ssh_not_supported());
    }
    if scheme == "http" {
        ctx.out
            .warning("insecure configuration: credentials configured for an HTTP URL");
    }
    let mut data = Map::new();
    if scheme == "https" && !args.ca_file.is_empty() {
        set_text(
            &mut data,
            "ca.crt",
            &secret_git::read_authority(&args.ca_file)?,
        );
    }
    set_text(&mut data, "username", &args.username);
    set_text(&mut data, "password", &args.password);
    Ok((!data.is_empty())
        .then(|| secret_git::secret_object(ctx.namespace(), object.name(), &Map::new(), data)))
}

/// Parses an address as far as its scheme is concerned.
pub fn parse_url(text: &str) -> CliResult<Url> {
    Url::parse(text).map_err(|error| CliError::user(format!("git URL parse failed: {error}")))
}

//! `flux create source oci`.

use objects::{Map, Object, json};

use super::apply_source::{Words, apply_source};
use super::helm_reference::{Verify, oci_provider};
use super::{Shared, object_name, set_reference, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::{GoDuration, string_slice};
use crate::kinds::OCI_REPOSITORY;
use crate::manifest;

/// Arguments of `flux create source oci`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the OCIRepository.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Who issues credentials: generic, aws, azure or gcp.
    #[arg(long, value_parser = oci_provider, default_value = "generic")]
    provider: String,
    /// Address of the repository: oci://.
    #[arg(long, default_value = "", hide_default_value = true)]
    url: String,
    /// Tag to follow.
    #[arg(long, default_value = "", hide_default_value = true)]
    tag: String,
    /// Range of versions among the tags.
    #[arg(long, default_value = "", hide_default_value = true)]
    tag_semver: String,
    /// Digest of the artifact.
    #[arg(long, default_value = "", hide_default_value = true)]
    digest: String,
    /// Secret with registry credentials.
    #[arg(long, default_value = "", hide_default_value = true)]
    secret_ref: String,
    /// Secret with the address and credentials of a proxy.
    #[arg(long, default_value = "", hide_default_value = true)]
    proxy_secret_ref: String,
    /// Service account with pull secrets.
    #[arg(long, default_value = "", hide_default_value = true)]
    service_account: String,
    /// Secret with TLS certificates.
    #[arg(long, default_value = "", hide_default_value = true)]
    cert_ref: String,
    #[command(flatten)]
    verify: Verify,
    /// Paths to leave out, separated by commas.
    #[arg(long, value_name = "LIST")]
    ignore_paths: Vec<String>,
    /// Speak HTTP without TLS.
    #[arg(long)]
    insecure: bool,
    /// Layer to take, and what to do with it: MEDIA-TYPE:extract or MEDIA-TYPE:copy.
    #[arg(long, default_value = "", hide_default_value = true)]
    layer_selector: String,
}

const WORDS: Words = Words {
    what: "OCIRepository",
    outcome: "OCIRepository",
    missing: "no artifact was found",
    has_artifact: true,
};

/// Prints the OCIRepository, or applies it and waits for its artifact.
pub fn run(ctx: &Context, shared: &Shared, fetch_timeout: GoDuration, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    if args.url.is_empty() {
        return Err(CliError::user("url is required"));
    }
    let references = [&args.tag, &args.tag_semver, &args.digest];
    if references.iter().all(|reference| reference.is_empty()) {
        let message = "--tag, --tag-semver or --digest is required";
        return Err(CliError::user(message));
    }
    let mut object = Object::new(&OCI_REPOSITORY.gvk(), ctx.namespace(), name);
    let labels = shared.labels()?;
    if !labels.is_empty() {
        object.set(&["metadata", "labels"], labels);
    }
    object.set(&["spec"], spec(&args, shared, fetch_timeout)?);
    if shared.export {
        ctx.out.data(&manifest::document(&object.into_value())?);
        return Ok(());
    }
    ctx.block_on(apply_source(ctx, &OCI_REPOSITORY, &WORDS, &object))
}

fn spec(args: &Args, shared: &Shared, fetch_timeout: GoDuration) -> CliResult<Map> {
    let mut reference = Map::new();
    set_text(&mut reference, "digest", &args.digest);
    set_text(&mut reference, "semver", &args.tag_semver);
    set_text(&mut reference, "tag", &args.tag);
    let mut spec = Map::new();
    set_text(&mut spec, "provider", &args.provider);
    set_text(&mut spec, "url", &args.url);
    spec.insert("interval".to_owned(), shared.interval.to_string().into());
    spec.insert("ref".to_owned(), reference.into());
    if args.insecure {
        spec.insert("insecure".to_owned(), true.into());
    }
    let ignored = string_slice(&args.ignore_paths).join("\n");
    set_text(&mut spec, "ignore", &ignored);
    if fetch_timeout.0 > 0 {
        spec.insert("timeout".to_owned(), fetch_timeout.to_string().into());
    }
    set_text(&mut spec, "serviceAccountName", &args.service_account);
    set_reference(&mut spec, "secretRef", &args.secret_ref);
    set_reference(&mut spec, "proxySecretRef", &args.proxy_secret_ref);
    set_reference(&mut spec, "certSecretRef", &args.cert_ref);
    if let Some(verify) = args.verify.spec().map_err(CliError::user)? {
        spec.insert("verify".to_owned(), verify.into());
    }
    if !args.layer_selector.is_empty() {
        let (media_type, operation) = layer_selector(&args.layer_selector)?;
        let selector = json!({"mediaType": media_type, "operation": operation});
        spec.insert("layerSelector".to_owned(), selector);
    }
    Ok(spec)
}

fn layer_selector(text: &str) -> CliResult<(&str, &str)> {
    let wrong = |what: &str| CliError::user(format!("invalid --layer-selector \"{text}\": {what}"));
    let (media_type, operation) = text
        .split_once(':')
        .filter(|(media_type, operation)| !media_type.is_empty() && !operation.is_empty())
        .ok_or_else(|| wrong("must be in the format '<media-type>:<operation>'"))?;
    match operation {
        "extract" | "copy" => Ok((media_type, operation)),
        _ => Err(wrong("operation must be \"extract\" or \"copy\"")),
    }
}

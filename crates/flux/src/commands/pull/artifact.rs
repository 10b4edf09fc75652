//! `flux pull artifact`.

use api::names::{OCI_REVISION, OCI_SOURCE};

use crate::artifact::files::{extract, go_says};
use crate::artifact::registry::{self, LAYER_BYTES_MAX, Login, failed};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux pull artifact`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// URL of the artifact: oci://HOST/REPOSITORY:TAG.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Directory to unpack into; it must exist.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    output: String,
    /// Allow registries without TLS.
    #[arg(long)]
    insecure_registry: bool,
    #[command(flatten)]
    login: Login,
}

/// Pulls and unpacks.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let Some(url) = args.urls.first() else {
        return Err(CliError::user("artifact URL is required"));
    };
    if args.output.is_empty() {
        return Err(CliError::user("output path cannot be empty"));
    }
    check_output(&args.output)?;
    let named = registry::parse(url)?;
    let registry = args.login.open(ctx, &named, args.insecure_registry)?;
    ctx.out
        .action(format!("pulling artifact from {}", named.shown));
    let (digest, manifest, layer) = ctx.block_on(async {
        let (digest, manifest) = registry.manifest(&named.reference).await.map_err(failed)?;
        let Some(first) = manifest.layers.first() else {
            return Err(CliError::user("no layers found in artifact"));
        };
        let layer = registry
            .blob(first, LAYER_BYTES_MAX)
            .await
            .map_err(failed)?;
        Ok((digest, manifest, layer))
    })?;
    extract(&layer, &args.output)?;
    for (word, key) in [("source", OCI_SOURCE), ("revision", OCI_REVISION)] {
        if let Some(fact) = manifest
            .annotations
            .get(key)
            .filter(|fact| !fact.is_empty())
        {
            ctx.out.success(format!("{word} {fact}"));
        }
    }
    let repository = &named.reference.repository;
    ctx.out.success(format!("digest {repository}@{digest}"));
    ctx.out
        .success(format!("artifact content extracted to {}", args.output));
    Ok(())
}

fn check_output(path: &str) -> CliResult {
    let shown = gocompat::quote::quote(path.as_bytes());
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        // Upstream wraps an error that is not there.
        Ok(_) => Err(CliError::user(format!(
            "invalid output path {shown}: %!w(<nil>)"
        ))),
        Err(error) => Err(CliError::user(format!(
            "invalid output path {shown}: stat {path}: {}",
            go_says(&error)
        ))),
    }
}

//! `flux diff artifact`.

use sha2::{Digest, Sha256};

use crate::artifact::files::Compared;
use crate::artifact::registry::{self, Login, failed};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux diff artifact`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// URL of the artifact: oci://HOST/REPOSITORY:TAG.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Directory or file with the manifests.
    #[arg(long, default_value = "", hide_default_value = true)]
    path: String,
    /// Allow registries without TLS.
    #[arg(long)]
    insecure_registry: bool,
    #[command(flatten)]
    compared: Compared,
    #[command(flatten)]
    login: Login,
}

/// Packs the files and compares them with the artifact's first layer.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let Some(url) = args.urls.first() else {
        return Err(CliError::user("artifact URL is required"));
    };
    if args.path.is_empty() {
        return Err(CliError::user("invalid path \"\""));
    }
    let named = registry::parse(url)?;
    if std::fs::metadata(&args.path).is_err() {
        let path = &args.path;
        return Err(CliError::user(format!(
            "invalid path '{path}', must point to an existing directory or file"
        )));
    }
    let registry = args.login.open(ctx, &named, args.insecure_registry)?;
    let packed = args.compared.pack(&args.path)?;
    let (_, manifest) =
        ctx.block_on(async { registry.manifest(&named.reference).await.map_err(failed) })?;
    let Some(layer) = manifest.layers.first() else {
        return Err(CliError::user("no layers found in artifact"));
    };
    let digest: String = Sha256::digest(&packed)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if layer.digest != format!("sha256:{digest}") || layer.size != packed.len() as u64 {
        let message = "the remote artifact contents differs from the local one";
        return Err(CliError::user(message));
    }
    ctx.out.success("no changes detected");
    Ok(())
}

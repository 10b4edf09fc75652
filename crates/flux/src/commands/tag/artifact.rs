//! `flux tag artifact`.

use crate::artifact::registry::{self, Login, failed};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::string_slice;

/// Arguments of `flux tag artifact`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// URL of the artifact: oci://HOST/REPOSITORY:TAG.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Tags to add, separated by commas.
    #[arg(long, value_name = "LIST")]
    tag: Vec<String>,
    #[command(flatten)]
    login: Login,
}

/// Tags.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let Some(url) = args.urls.first() else {
        return Err(CliError::user("artifact name is required"));
    };
    let tags = string_slice(&args.tag);
    if tags.is_empty() {
        return Err(CliError::user("--tag is required"));
    }
    let named = registry::parse(url)?;
    let registry = args.login.open(ctx, &named, false)?;
    ctx.out.action("tagging artifact");
    for tag in tags {
        let tagged = ctx.block_on(async {
            let tagged = registry.tag(&named.reference, &tag).await;
            tagged.map_err(|error| {
                let shown = gocompat::quote::quote(named.shown.as_bytes());
                failed(error)
                    .context(format!("fetching {shown}"))
                    .context("tagging artifact failed")
            })
        });
        tagged?;
        let repository = &named.reference.repository;
        ctx.out
            .success(format!("artifact tagged as {repository}:{tag}"));
    }
    Ok(())
}

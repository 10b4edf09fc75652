//! `flux build artifact`.

use crate::artifact::files::{self, Contents, Input};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux build artifact`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Directory or file with the manifests; - for stdin.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    path: String,
    /// File to write.
    #[arg(short, long, default_value = "artifact.tgz")]
    output: String,
    #[command(flatten)]
    contents: Contents,
    /// Ignored, as upstream ignores them.
    #[arg(hide = true)]
    words: Vec<String>,
}

/// Packs files into an archive.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let input = Input::open(&args.path)?;
    let path = input.shown();
    if input.missing().is_some() {
        return Err(CliError::user(format!(
            "invalid path '{path}', must point to an existing directory or file"
        )));
    }
    args.contents.check(&input)?;
    ctx.out.action(format!("building artifact from {path}"));
    let packed = args.contents.pack(&input);
    let packed = packed.map_err(|error| error.context("building artifact failed, error"))?;
    files::write(&args.output, &packed)?;
    ctx.out
        .success(format!("artifact created at {}", args.output));
    Ok(())
}

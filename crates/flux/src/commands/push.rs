//! `flux push`: files into a registry.

mod artifact;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// Arguments of `flux push`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Push files as an artifact.
    Artifact(artifact::Args),
}

/// Runs the leaf.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    match args.leaf {
        Leaf::Artifact(args) => artifact::run(ctx, &args),
    }
}

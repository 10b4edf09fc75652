//! `flux tag`: another tag for an artifact.

mod artifact;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// Arguments of `flux tag`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Tag an artifact.
    Artifact(artifact::Args),
}

/// Runs the leaf.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    match args.leaf {
        Leaf::Artifact(args) => artifact::run(ctx, &args),
    }
}

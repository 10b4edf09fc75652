//! `flux list`: what a registry holds.

mod artifact;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// Arguments of `flux list`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// List the artifacts of a repository.
    Artifacts(artifact::Args),
}

/// Runs the leaf.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    match args.leaf {
        Leaf::Artifacts(args) => artifact::run(ctx, &args),
    }
}

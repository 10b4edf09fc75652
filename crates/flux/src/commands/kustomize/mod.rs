//! `flux kustomize`: the kustomize program's own commands.

mod build;
mod charts;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// Arguments of `flux kustomize`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Build the objects of a kustomization directory.
    Build(Box<build::Args>),
}

/// Runs one of the commands.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    match args.leaf {
        Leaf::Build(args) => build::run(ctx, *args),
    }
}

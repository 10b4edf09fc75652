//! `flux diff`: what an apply would change in the cluster.

mod artifact;
mod helmrelease;
mod kustomization;
mod report;
mod secret;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// Arguments of `flux diff`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Compare files with an artifact.
    Artifact(Box<artifact::Args>),
    /// Compare the objects of a Kustomization with the cluster.
    #[command(visible_alias = "ks")]
    Kustomization(Box<kustomization::Args>),
    /// Compare the objects of a HelmRelease with the cluster.
    #[command(visible_alias = "hr")]
    Helmrelease(Box<helmrelease::Args>),
}

/// Compares and prints.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    match args.leaf {
        Leaf::Artifact(args) => artifact::run(ctx, &args),
        Leaf::Kustomization(args) => kustomization::run(ctx, *args),
        Leaf::Helmrelease(args) => helmrelease::run(ctx, &args),
    }
}

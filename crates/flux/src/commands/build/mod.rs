//! `flux build`: what would be applied, from local files.

mod artifact;
pub mod helmrelease;
pub mod kustomization;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// Arguments of `flux build`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Pack files as an artifact.
    Artifact(Box<artifact::Args>),
    /// Build the objects of a Kustomization.
    #[command(visible_alias = "ks")]
    Kustomization(Box<kustomization::Args>),
    /// Render the chart of a HelmRelease.
    #[command(visible_alias = "hr")]
    Helmrelease(Box<helmrelease::Args>),
}

/// Builds and prints.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    match args.leaf {
        Leaf::Artifact(args) => artifact::run(ctx, &args),
        Leaf::Kustomization(args) => kustomization::run(ctx, *args),
        Leaf::Helmrelease(args) => helmrelease::run(ctx, &args),
    }
}

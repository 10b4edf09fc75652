//! `flux helm`: charts rendered, shown and checked without a cluster and without the helm program.

pub mod chart;
mod fetch;
mod files;
pub mod flagset;
mod install_flags;
mod lint;
pub mod location;
mod repositories;
mod show;
mod template;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux helm`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Render a chart's templates.
    Template(Box<template::Args>),
    /// Print a part of a chart.
    Show(Box<show::Args>),
    /// Check a chart for faults.
    Lint(Box<lint::Args>),
}

/// Runs one of the commands. Errors are printed as helm prints them.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    // One thread does everything: a second one would only add its share of the allocator's memory.
    let outcome = helm::with_deep_stack(|| {
        match args.leaf {
            Leaf::Template(args) => template::run(ctx, &args)?,
            Leaf::Show(args) => show::run(ctx, &args)?,
            Leaf::Lint(args) => lint::run(ctx, &args)?,
        }
        // From here rather than from the first thread: this one need not end either.
        ctx.out.leave(0)
    });
    outcome.flatten().map_err(|message| {
        ctx.out.note(&format!("Error: {message}"));
        CliError::silent(1)
    })
}

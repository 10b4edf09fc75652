//! One file per command: argument structs, resolved settings, one function.
//!
//! To add a command: write `commands/NAME.rs` (or `commands/GROUP/NAME.rs`) with `pub struct Args`
//! (`clap::Args`) and `pub fn run(ctx: &Context, args: Args) -> CliResult`, add a variant to [`Command`] (or to
//! the group's enum) and a line to the `match` below it. Nothing else knows the list.

mod apiserver;
mod build;
mod check;
mod completion;
mod controller;
mod create;
mod debug;
mod delete;
mod dev;
mod diff;
mod envsubst;
mod events;
mod export;
mod get;
pub mod helm;
mod kustomize;
mod leaf;
mod list;
mod logs;
mod pull;
mod push;
mod reconcile;
mod resume;
mod stats;
mod suspend;
mod tag;
mod trace;
mod tree;
mod version;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// The first word after `flux`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the embedded Kubernetes API server alone.
    Apiserver(apiserver::Args),
    /// Print what would be applied, from local files.
    Build(build::Args),
    /// Check whether the cluster can run Flux and whether its Flux is healthy.
    Check(check::Args),
    /// Print a completion script for a shell.
    Completion(completion::Args),
    /// Run the controllers on a cluster.
    Controller(Box<controller::Args>),
    /// Create or update an object.
    Create(create::Args),
    /// Print internals of an object.
    Debug(debug::Args),
    /// Delete an object.
    Delete(delete::Args),
    /// Print what an apply would change.
    Diff(diff::Args),
    /// Substitute the environment's variables in stdin.
    Envsubst(envsubst::Args),
    /// Print Kubernetes events of Flux objects.
    Events(events::Args),
    /// Print objects as manifests.
    Export(export::Args),
    /// Print objects and their status.
    Get(get::Args),
    /// Render, show and check Helm charts without a cluster.
    Helm(helm::Args),
    /// Build kustomizations as the kustomize program does.
    Kustomize(kustomize::Args),
    /// List what a registry holds.
    List(list::Args),
    /// Print the controllers' logs.
    Logs(logs::Args),
    /// Pull artifacts out of a registry.
    Pull(pull::Args),
    /// Push artifacts into a registry.
    Push(Box<push::Args>),
    /// Reconcile an object now.
    Reconcile(reconcile::Args),
    /// Resume suspended objects.
    Resume(resume::Args),
    /// Count objects by kind and state.
    Stats(stats::Args),
    /// Suspend objects.
    Suspend(suspend::Args),
    /// Tag artifacts in a registry.
    Tag(tag::Args),
    /// Trace an object back to its source.
    Trace(trace::Args),
    /// Print what an object has applied.
    Tree(tree::Args),
    /// Turn a Git repository into a running cluster on this machine.
    Dev(Box<dev::Args>),
    /// Print the versions of flux and of the controllers in the cluster.
    Version(version::Args),
}

/// Runs a command.
pub fn run(ctx: &Context, command: Command) -> CliResult {
    match command {
        Command::Apiserver(args) => apiserver::run(ctx, args),
        Command::Build(args) => build::run(ctx, args),
        Command::Check(args) => check::run(ctx, args),
        Command::Completion(args) => completion::run(ctx, args),
        Command::Controller(args) => controller::run(ctx, &args),
        Command::Create(args) => create::run(ctx, args),
        Command::Debug(args) => debug::run(ctx, args),
        Command::Delete(args) => delete::run(ctx, args),
        Command::Dev(args) => dev::run(ctx, &args),
        Command::Diff(args) => diff::run(ctx, args),
        Command::Envsubst(args) => envsubst::run(ctx, args),
        Command::Events(args) => events::run(ctx, args),
        Command::Export(args) => export::run(ctx, args),
        Command::Get(args) => get::run(ctx, args),
        Command::Helm(args) => helm::run(ctx, args),
        Command::Kustomize(args) => kustomize::run(ctx, args),
        Command::List(args) => list::run(ctx, args),
        Command::Logs(args) => logs::run(ctx, args),
        Command::Pull(args) => pull::run(ctx, args),
        Command::Push(args) => push::run(ctx, *args),
        Command::Reconcile(args) => reconcile::run(ctx, args),
        Command::Resume(args) => resume::run(ctx, args),
        Command::Stats(args) => stats::run(ctx, args),
        Command::Suspend(args) => suspend::run(ctx, args),
        Command::Tag(args) => tag::run(ctx, args),
        Command::Trace(args) => trace::run(ctx, args),
        Command::Tree(args) => tree::run(ctx, args),
        Command::Version(args) => version::run(ctx, args),
    }
}

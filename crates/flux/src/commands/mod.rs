//! One file per command: argument structs, resolved settings, one function.
//!
//! To add a command: write `commands/NAME.rs` (or `commands/GROUP/NAME.rs`) with `pub struct Args`
//! (`clap::Args`) and `pub fn run(ctx: &Context, args: Args) -> CliResult`, add a variant to [`Command`] (or to
//! the group's enum) and a line to the `match` below it. Nothing else knows the list.

mod completion;
mod version;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;

/// The first word after `flux`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print a completion script for a shell.
    Completion(completion::Args),
    /// Print the versions of flux and of the controllers in the cluster.
    Version(version::Args),
}

/// Runs a command.
pub fn run(ctx: &Context, command: Command) -> CliResult {
    match command {
        Command::Completion(args) => completion::run(ctx, args),
        Command::Version(args) => version::run(ctx, args),
    }
}

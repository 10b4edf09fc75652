//! `flux version`: this program, and the controllers of the cluster.

use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux version`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Print only the version of this program.
    #[arg(long)]
    client: bool,
    /// yaml or json.
    #[arg(short, long, default_value = "yaml")]
    output: String,
}

/// Prints the versions on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    if args.output != "yaml" && args.output != "json" {
        return Err(CliError::user(format!(
            "--output must be json or yaml, not {}",
            args.output
        )));
    }
    if args.client {
        ctx.out.data(&format!("flux: v{}\n", crate::VERSION));
    }
    Ok(())
}

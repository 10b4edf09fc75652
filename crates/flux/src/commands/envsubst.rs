//! `flux envsubst`: the substitution of a Kustomization, line by line from stdin, with the environment's variables.

use std::io::BufRead as _;

use gocompat::envsubst;

use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux envsubst`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Fail on variables that are neither defined nor have a default.
    #[arg(long)]
    strict: bool,
}

/// Prints each line as soon as it is substituted.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let values = |name: &str| match std::env::var(name) {
        Ok(value) => Some(value),
        Err(_) if args.strict => None,
        Err(_) => Some(String::new()),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| CliError::user(format!("reading stdin: {error}")))?;
        let line =
            envsubst::eval(&line, &values).map_err(|error| CliError::user(error.to_string()))?;
        ctx.out.data(&format!("{line}\n"));
    }
    Ok(())
}

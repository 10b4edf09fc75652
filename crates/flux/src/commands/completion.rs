//! `flux completion bash|fish|powershell|zsh`: a script that completes commands and flags.

use clap_complete::{Shell, generate};

use crate::cli;
use crate::context::Context;
use crate::error::CliResult;

/// Arguments of `flux completion`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// bash, fish, powershell or zsh.
    #[arg(value_name = "SHELL", default_value = "")]
    shell: String,
}

/// Prints the script on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    let shell = match args.shell.as_str() {
        "bash" => Shell::Bash,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        "zsh" => Shell::Zsh,
        _ => {
            let mut tree = cli::tree();
            tree.build();
            let help = tree
                .find_subcommand_mut("completion")
                .map(|command| command.render_help().to_string());
            ctx.out.data(&help.unwrap_or_default());
            return Ok(());
        }
    };
    let mut script = Vec::new();
    generate(shell, &mut cli::tree(), "flux", &mut script);
    if shell == Shell::Zsh {
        script.extend_from_slice(b"\ncompdef _flux flux\n");
    }
    ctx.out.data_bytes(&script);
    Ok(())
}

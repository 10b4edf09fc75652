//! `flux debug kustomization`: status, history or variables of a Kustomization.

use clap::Subcommand;
use objects::Value;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::KUSTOMIZATION;
use crate::{local_build, manifest};

const DOCUMENTATION: &str = "https://fluxcd.io/flux/components/kustomize/kustomizations/";

/// Arguments of `flux debug`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Debug a Kustomization.
    #[command(visible_alias = "ks")]
    Kustomization(Kustomization),
}

#[derive(clap::Args, Debug)]
struct Kustomization {
    /// Name of the Kustomization.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the status.
    #[arg(long)]
    show_status: bool,
    /// Print the variables of the substitution after the build; these may be secret.
    #[arg(long)]
    show_vars: bool,
    /// Print the history.
    #[arg(long)]
    show_history: bool,
}

/// Prints what is asked for on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let Leaf::Kustomization(args) = args.leaf;
    let [name] = &args.names[..] else {
        let message = format!("accepts 1 arg(s), received {}", args.names.len());
        return Err(CliError::user(message));
    };
    let wanted = [args.show_status, args.show_vars, args.show_history];
    if wanted.iter().filter(|wanted| **wanted).count() != 1 {
        return Err(CliError::user(
            "exactly one of --show-status, --show-vars, or --show-history must be set",
        ));
    }
    let text = ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let object = cluster
            .get(&KUSTOMIZATION.target(ctx.namespace(), name))
            .await?;
        let empty = Value::Array(Vec::new());
        if args.show_status {
            let status = object.get(&["status"]).cloned().unwrap_or_default();
            let yaml = manifest::to_yaml(&status)?;
            return Ok(format!(
                "# Status documentation: {DOCUMENTATION}#kustomization-status\n{yaml}"
            ));
        }
        if args.show_history {
            let yaml = manifest::to_yaml(object.get(&["status", "history"]).unwrap_or(&empty))?;
            return Ok(format!(
                "# History documentation: {DOCUMENTATION}#history\n{yaml}"
            ));
        }
        if object.get(&["spec", "postBuild"]).is_none() {
            return Err(CliError::user("no post build substitutions found"));
        }
        let values = local_build::variables(Some(&*cluster), &object).await?;
        Ok(values
            .into_iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect())
    })?;
    ctx.out.data(&text);
    Ok(())
}

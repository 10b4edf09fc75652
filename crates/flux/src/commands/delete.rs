//! `flux delete`: delete one object, after a question.

use cluster::DeleteParams;

use super::leaf::KindLeaf;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::prompt;

/// Arguments of `flux delete`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    /// Delete without asking.
    #[arg(short, long, global = true)]
    silent: bool,
    #[command(subcommand)]
    leaf: KindLeaf,
}

/// Deletes the object; does not wait for its finalizers.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let (kind, names) = args.leaf.resolve();
    let Some(name) = names.first() else {
        return Err(CliError::user(format!("{} name is required", kind.human)));
    };
    ctx.block_on_forever(async {
        let cluster = ctx.cluster().await?;
        let target = kind.target(ctx.namespace(), name);
        cluster.get(&target).await?;
        if !args.silent {
            let label = format!("Are you sure you want to delete this {}", kind.human);
            prompt::confirm(&label, "aborting")?;
        }
        ctx.out.action(format_args!(
            "deleting {} {name} in {} namespace",
            kind.human,
            ctx.namespace()
        ));
        cluster.delete(&target, &DeleteParams::default()).await?;
        ctx.out.success(format_args!("{} deleted", kind.human));
        Ok(())
    })
}

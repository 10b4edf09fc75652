//! `flux resume`: let objects be reconciled again, and wait for it.

use cluster::Cluster;
use futures::future::join_all;
use objects::{Object, json};

use super::leaf::KindLeaf;
use super::suspend::{patch, select, unique};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flux_object::{is_suspended, readiness, success_message};
use crate::kinds::FluxKind;
use crate::wait;

/// Arguments of `flux resume`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    /// Resume all objects of the kind in the namespace.
    #[arg(long, global = true)]
    all: bool,
    /// Wait until the objects are reconciled; without this flag, only a single object is waited for.
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_name = "BOOL", value_parser = clap::builder::ValueParser::new(crate::flags::go_bool))]
    wait: Option<bool>,
    #[command(subcommand)]
    leaf: KindLeaf,
}

/// Removes `spec.suspend`, then waits; fails if any object waited for does not become ready.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let (kind, names) = args.leaf.resolve();
    if names.is_empty() && !args.all {
        return Err(CliError::user(format!("{} name is required", kind.human)));
    }
    let wait = args.wait.unwrap_or(names.len() == 1);
    ctx.block_on_forever(async {
        let cluster = ctx.cluster().await?;
        let resumed = resume_all(ctx, &*cluster, kind, &names).await?;
        if wait {
            wait_for_all(ctx, &*cluster, kind, &resumed).await?;
        }
        Ok(())
    })
}

async fn resume_all(
    ctx: &Context,
    cluster: &dyn Cluster,
    kind: &FluxKind,
    names: &[String],
) -> CliResult<Vec<Object>> {
    if names.is_empty() {
        let found = resume_selected(ctx, cluster, kind, "")
            .await
            .map_err(|error| error.context("failed patching objects"))?;
        if found.is_empty() {
            ctx.out.failure(format_args!(
                "no {} objects found in {} namespace",
                kind.kind,
                ctx.namespace()
            ));
        }
        return Ok(found);
    }
    let mut resumed = Vec::new();
    for name in unique(names) {
        let found = resume_selected(ctx, cluster, kind, name).await?;
        if found.is_empty() {
            // Upstream names the first argument here, whichever is missing.
            ctx.out.failure(format_args!(
                "{} object '{}' not found in {} namespace",
                kind.kind,
                names[0],
                ctx.namespace()
            ));
        }
        resumed.extend(found);
    }
    Ok(resumed)
}

async fn resume_selected(
    ctx: &Context,
    cluster: &dyn Cluster,
    kind: &FluxKind,
    name: &str,
) -> CliResult<Vec<Object>> {
    let mut resumed = Vec::new();
    for object in select(ctx, cluster, kind, name).await? {
        ctx.out.action(format_args!(
            "resuming {} {} in {} namespace",
            kind.human,
            object.name(),
            ctx.namespace()
        ));
        let change = match is_suspended(&object) {
            true => json!({"spec": {"suspend": null}}),
            false => json!({}),
        };
        resumed.push(patch(cluster, kind, &object, change).await?);
        ctx.out.success(format_args!("{} resumed", kind.human));
    }
    Ok(resumed)
}

async fn wait_for_all(
    ctx: &Context,
    cluster: &dyn Cluster,
    kind: &FluxKind,
    resumed: &[Object],
) -> CliResult {
    let waits = resumed.iter().map(|object| async move {
        ctx.out
            .waiting(format_args!("waiting for {} reconciliation", kind.kind));
        let target = kind.target(object.namespace(), object.name());
        let wait = wait::until_current(ctx, cluster, &target, |found| readiness(kind, found));
        let outcome = tokio::time::timeout(ctx.settings.timeout.to_std(), wait)
            .await
            .unwrap_or_else(|_| Err(CliError::cluster("context deadline exceeded")));
        (object.name(), outcome)
    });
    let mut outcomes = join_all(waits).await;
    outcomes.sort_by_key(|(name, _)| *name);
    let mut failed = 0;
    for (name, outcome) in outcomes {
        match outcome {
            Ok(object) => {
                ctx.out.success(format_args!(
                    "{} {name} reconciliation completed",
                    kind.kind
                ));
                ctx.out.success(success_message(kind, &object));
            }
            Err(error) => {
                failed += 1;
                ctx.out.failure(format_args!(
                    "{} {name} reconciliation failed: {error}",
                    kind.kind
                ));
            }
        }
    }
    if failed > 0 {
        let message = format!("reconciliation failed for {failed} {}(s)", kind.kind);
        return Err(CliError::cluster(message));
    }
    Ok(())
}

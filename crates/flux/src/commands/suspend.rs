//! `flux suspend`: stop the reconciliation of objects.

use cluster::{Cluster, ListParams, Patch, WriteParams};
use objects::{Object, json};

use super::leaf::KindLeaf;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flux_object::is_suspended;
use crate::kinds::FluxKind;

/// Owner of fields written by the command line, as Go's clients derive it from the program's name.
pub const FIELD_MANAGER: &str = "flux";

/// Arguments of `flux suspend`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    /// Suspend all objects of the kind in the namespace.
    #[arg(long, global = true)]
    all: bool,
    #[command(subcommand)]
    leaf: KindLeaf,
}

/// Sets `spec.suspend`; a name that does not exist is reported and is no failure.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let (kind, names) = args.leaf.resolve();
    if names.is_empty() && !args.all {
        return Err(CliError::user(format!("{} name is required", kind.human)));
    }
    ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        if names.is_empty() {
            return match suspend_selected(ctx, &*cluster, kind, "").await? {
                0 => Err(CliError::user("no objects found")),
                _ => Ok(()),
            };
        }
        for name in unique(&names) {
            match suspend_selected(ctx, &*cluster, kind, name).await {
                Ok(0) => ctx.out.failure(format_args!(
                    "{} {name} not found in {} namespace",
                    kind.kind,
                    ctx.namespace()
                )),
                Ok(_) => {}
                Err(error) => ctx.out.failure(format_args!(
                    "failed suspending {} {name} in {} namespace: {error}",
                    kind.kind,
                    ctx.namespace()
                )),
            }
        }
        Ok(())
    })
}

async fn suspend_selected(
    ctx: &Context,
    cluster: &dyn Cluster,
    kind: &FluxKind,
    name: &str,
) -> CliResult<usize> {
    let found = select(ctx, cluster, kind, name).await?;
    for object in &found {
        ctx.out.action(format_args!(
            "suspending {} {} in {} namespace",
            kind.human,
            object.name(),
            ctx.namespace()
        ));
        let change = match is_suspended(object) {
            true => json!({}),
            false => json!({"spec": {"suspend": true}}),
        };
        patch(cluster, kind, object, change).await?;
        ctx.out.success(format_args!("{} suspended", kind.human));
    }
    Ok(found.len())
}

/// Lists the objects of a name, or all with an empty one, in the namespace of the request.
pub async fn select(
    ctx: &Context,
    cluster: &dyn Cluster,
    kind: &FluxKind,
    name: &str,
) -> CliResult<Vec<Object>> {
    let params = ListParams {
        field_selector: match name {
            "" => String::new(),
            name => format!("metadata.name={name}"),
        },
        ..ListParams::default()
    };
    let list = cluster.list(&kind.scope(ctx.namespace()), &params).await;
    Ok(list
        .map_err(|error| super::get::missing_kind(kind, error))?
        .items)
}

/// Merges a change into an object.
pub async fn patch(
    cluster: &dyn Cluster,
    kind: &FluxKind,
    object: &Object,
    change: objects::Value,
) -> CliResult<Object> {
    let params = WriteParams {
        field_manager: FIELD_MANAGER.to_owned(),
        ..WriteParams::default()
    };
    let target = kind.target(object.namespace(), object.name());
    Ok(cluster
        .patch(&target, &Patch::Merge(change), &params)
        .await?)
}

/// Drops repeated names and keeps the order of the others.
pub fn unique(names: &[String]) -> Vec<&str> {
    let mut seen = std::collections::HashSet::new();
    names
        .iter()
        .map(String::as_str)
        .filter(|name| seen.insert(*name))
        .collect()
}

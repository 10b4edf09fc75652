//! `flux export`: objects of the cluster as manifests.

use cluster::{Cluster, ListParams, Target};
use objects::{Gvk, Object};

use super::leaf::KindLeaf;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::{FluxKind, builtin};
use crate::manifest;

/// Arguments of `flux export`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    /// Export all objects of the kind in the namespace.
    #[arg(long, global = true)]
    all: bool,
    /// Export the Secret that a source refers to, too.
    #[arg(long, global = true)]
    with_credentials: bool,
    #[command(subcommand)]
    leaf: KindLeaf,
}

/// Prints one document per object on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let (kind, names) = args.leaf.resolve();
    if names.is_empty() && !args.all {
        return Err(CliError::user("name is required"));
    }
    ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        for object in find(ctx, &*cluster, kind, &names, args.all).await? {
            ctx.out
                .data(&manifest::document(&manifest::tidy(kind, &object))?);
            let secret = object.str_at(&["spec", "secretRef", "name"]);
            if args.with_credentials && has_credentials(kind) && !secret.is_empty() {
                ctx.out
                    .data(&credentials(&*cluster, object.namespace(), secret).await?);
                // Upstream ends here, even with more objects to come.
                return Ok(());
            }
        }
        Ok(())
    })
}

async fn find(
    ctx: &Context,
    cluster: &dyn Cluster,
    kind: &FluxKind,
    names: &[String],
    all: bool,
) -> CliResult<Vec<Object>> {
    if !all {
        let target = kind.target(ctx.namespace(), &names[0]);
        return Ok(vec![cluster.get(&target).await?]);
    }
    let list = cluster
        .list(&kind.scope(ctx.namespace()), &ListParams::default())
        .await;
    let objects = list
        .map_err(|error| super::get::missing_kind(kind, error))?
        .items;
    if objects.is_empty() {
        let message = format!("no objects found in {} namespace", ctx.namespace());
        return Err(CliError::user(message));
    }
    Ok(objects)
}

fn has_credentials(kind: &FluxKind) -> bool {
    matches!(
        kind.kind,
        "GitRepository" | "OCIRepository" | "Bucket" | "HelmRepository"
    )
}

async fn credentials(cluster: &dyn Cluster, namespace: &str, name: &str) -> CliResult<String> {
    let target = Target::new(&builtin("", "Secret", "secrets", true), namespace, name);
    let secret = cluster.get(&target).await.map_err(|error| {
        CliError::from(error).context(format_args!("failed to retrieve secret {name}, error"))
    })?;
    let mut kept = Object::new(&Gvk::new("", "v1", "Secret"), namespace, name);
    for field in ["data", "type"] {
        if let Some(value) = secret.get(&[field]) {
            kept.set(&[field], value.clone());
        }
    }
    manifest::document(&kept.into_value())
}

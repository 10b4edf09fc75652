//! `flux reconcile`: ask a controller to look now, and wait until it has.

use clap::Subcommand;
use cluster::{Cluster, Patch, WriteParams};
use futures::future::{BoxFuture, FutureExt as _};
use objects::{Map, Object, json};

use super::suspend::FIELD_MANAGER;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flux_object::{self, Progress, condition, is_suspended, success_message};
use crate::kinds::{self, FluxKind};
use crate::wait;

const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
const FORCE_AT: &str = "reconcile.fluxcd.io/forceAt";
const RESET_AT: &str = "reconcile.fluxcd.io/resetAt";

/// Arguments of `flux reconcile`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(clap::Args, Debug)]
struct Named {
    /// Name of the object.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

#[derive(clap::Args, Debug)]
struct WithSource {
    /// Name of the object.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Reconcile its source first.
    #[arg(long)]
    with_source: bool,
}

#[derive(clap::Args, Debug)]
struct Release {
    /// Name of the object.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Reconcile its source first.
    #[arg(long)]
    with_source: bool,
    /// Install or upgrade even without changes.
    #[arg(long)]
    force: bool,
    /// Forget earlier failures.
    #[arg(long)]
    reset: bool,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Reconcile a Kustomization.
    #[command(visible_alias = "ks")]
    Kustomization(WithSource),
    /// Reconcile a HelmRelease.
    #[command(visible_alias = "hr")]
    Helmrelease(Release),
    /// Reconcile a source.
    #[command(subcommand, subcommand_required = true, arg_required_else_help = true)]
    Source(SourceLeaf),
    /// Reconcile an image automation object.
    #[command(subcommand, subcommand_required = true, arg_required_else_help = true)]
    Image(ImageLeaf),
    /// Reconcile a Receiver.
    Receiver(Named),
}

#[derive(Subcommand, Debug)]
enum SourceLeaf {
    /// Reconcile a GitRepository.
    Git(Named),
    /// Reconcile an OCIRepository.
    Oci(Named),
    /// Reconcile a Bucket.
    Bucket(Named),
    /// Reconcile a HelmRepository.
    Helm(Named),
    /// Reconcile a HelmChart.
    Chart(WithSource),
}

#[derive(Subcommand, Debug)]
enum ImageLeaf {
    /// Reconcile an ImagePolicy.
    Policy(Named),
    /// Reconcile an ImageRepository.
    Repository(Named),
    /// Reconcile an ImageUpdateAutomation.
    Update(Named),
}

/// What to do, for one object.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    with_source: bool,
    force: bool,
    reset: bool,
}

/// Requests the reconciliation and waits for its end.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let (kind, names, request) = resolve(args.leaf);
    let Some(name) = names.into_iter().next() else {
        return Err(CliError::user(format!("{} name is required", kind.kind)));
    };
    ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        reconcile(
            ctx,
            &*cluster,
            kind,
            ctx.namespace().to_owned(),
            name,
            request,
        )
        .await
    })
}

fn resolve(leaf: Leaf) -> (&'static FluxKind, Vec<String>, Request) {
    let plain = |kind, args: Named| (kind, args.names, Request::default());
    let sourced = |kind, args: WithSource| {
        let with_source = args.with_source;
        (
            kind,
            args.names,
            Request {
                with_source,
                ..Request::default()
            },
        )
    };
    match leaf {
        Leaf::Kustomization(args) => sourced(&kinds::KUSTOMIZATION, args),
        Leaf::Helmrelease(args) => {
            let request = Request {
                with_source: args.with_source,
                force: args.force,
                reset: args.reset,
            };
            (&kinds::HELM_RELEASE, args.names, request)
        }
        Leaf::Receiver(args) => plain(&kinds::RECEIVER, args),
        Leaf::Source(SourceLeaf::Git(args)) => plain(&kinds::GIT_REPOSITORY, args),
        Leaf::Source(SourceLeaf::Oci(args)) => plain(&kinds::OCI_REPOSITORY, args),
        Leaf::Source(SourceLeaf::Bucket(args)) => plain(&kinds::BUCKET, args),
        Leaf::Source(SourceLeaf::Helm(args)) => plain(&kinds::HELM_REPOSITORY, args),
        Leaf::Source(SourceLeaf::Chart(args)) => sourced(&kinds::HELM_CHART, args),
        Leaf::Image(ImageLeaf::Policy(args)) => plain(&kinds::IMAGE_POLICY, args),
        Leaf::Image(ImageLeaf::Repository(args)) => plain(&kinds::IMAGE_REPOSITORY, args),
        Leaf::Image(ImageLeaf::Update(args)) => plain(&kinds::IMAGE_UPDATE_AUTOMATION, args),
    }
}

/// Boxed, since an object's source is reconciled the same way first.
fn reconcile<'a>(
    ctx: &'a Context,
    cluster: &'a dyn Cluster,
    kind: &'static FluxKind,
    namespace: String,
    name: String,
    request: Request,
) -> BoxFuture<'a, CliResult> {
    async move {
        let target = kind.target(&namespace, &name);
        let mut object = cluster.get(&target).await?;
        if flux_object::is_static(kind, &object) {
            ctx.out
                .success("reconciliation not supported by the object");
            return Ok(());
        }
        if is_suspended(&object) {
            return Err(CliError::user("resource is suspended"));
        }
        let has_source = has_source(kind);
        if request.with_source {
            let (source, namespace, name, request) = source_of(kind, &object)?;
            reconcile(ctx, cluster, source, namespace, name, request).await?;
            if has_source {
                object = cluster.get(&target).await?;
            }
        }
        let handled = last_handled(&object).to_owned();
        ctx.out.action(format_args!(
            "annotating {} {name} in {namespace} namespace",
            kind.kind
        ));
        annotate(cluster, kind, &object, request).await?;
        ctx.out.success(format_args!("{} annotated", kind.kind));
        ctx.out
            .waiting(format_args!("waiting for {} reconciliation", kind.kind));
        let judge = |found: &Object| match last_handled(found) == handled {
            true => Progress::Unfinished,
            false => flux_object::progress(found),
        };
        let object = wait::until_current(ctx, cluster, &target, judge).await?;
        report(ctx, kind, &object)
    }
    .boxed()
}

fn last_handled(object: &Object) -> &str {
    object.str_at(&["status", "lastHandledReconcileAt"])
}

fn has_source(kind: &FluxKind) -> bool {
    matches!(kind.kind, "Kustomization" | "HelmRelease" | "HelmChart")
}

async fn annotate(
    cluster: &dyn Cluster,
    kind: &FluxKind,
    object: &Object,
    request: Request,
) -> CliResult {
    // Nanoseconds, so that two requests never look the same.
    let now = jiff::Timestamp::now().to_string();
    let mut annotations = Map::new();
    annotations.insert(REQUESTED_AT.to_owned(), now.clone().into());
    if request.force {
        annotations.insert(FORCE_AT.to_owned(), now.clone().into());
    }
    if request.reset {
        annotations.insert(RESET_AT.to_owned(), now.into());
    }
    let change = json!({"metadata": {"annotations": annotations}});
    let params = WriteParams {
        field_manager: FIELD_MANAGER.to_owned(),
        ..WriteParams::default()
    };
    let target = kind.target(object.namespace(), object.name());
    cluster
        .patch(&target, &Patch::Merge(change), &params)
        .await?;
    Ok(())
}

fn report(ctx: &Context, kind: &FluxKind, object: &Object) -> CliResult {
    let Some(ready) = condition(object, "Ready") else {
        return Err(CliError::cluster("status can't be determined"));
    };
    if ready.status != "True" {
        let quote = if has_source(kind) { "" } else { "'" };
        return Err(CliError::cluster(format!(
            "{} reconciliation failed: {quote}{}{quote}",
            kind.kind, ready.message
        )));
    }
    ctx.out.success(success_message(kind, object));
    Ok(())
}

/// Finds what to reconcile before an object: its source, or the chart between it and its source.
fn source_of(
    kind: &FluxKind,
    object: &Object,
) -> CliResult<(&'static FluxKind, String, String, Request)> {
    let chart_ref = object.get(&["spec", "chartRef"]).is_some();
    let path: &[&str] = match (kind.kind, chart_ref) {
        ("HelmRelease", true) => &["spec", "chartRef"],
        ("HelmRelease", false) => &["spec", "chart", "spec", "sourceRef"],
        _ => &["spec", "sourceRef"],
    };
    let text = |key: &str| object.str_at(&[path, &[key]].concat()).to_owned();
    let namespace = match text("namespace") {
        namespace if namespace.is_empty() => object.namespace().to_owned(),
        namespace => namespace,
    };
    if kind.kind == "HelmRelease" && (!chart_ref || text("kind") == "HelmChart") {
        let name = match chart_ref {
            true => text("name"),
            false => format!("{}-{}", object.namespace(), object.name()),
        };
        let request = Request {
            with_source: true,
            ..Request::default()
        };
        return Ok((&kinds::HELM_CHART, namespace, name, request));
    }
    let source = match (text("kind").as_str(), kind.kind) {
        ("OCIRepository", "Kustomization" | "HelmRelease") => &kinds::OCI_REPOSITORY,
        ("GitRepository", "Kustomization" | "HelmChart") => &kinds::GIT_REPOSITORY,
        ("Bucket", "Kustomization" | "HelmChart") => &kinds::BUCKET,
        ("HelmRepository", "HelmChart") => &kinds::HELM_REPOSITORY,
        (other, _) => {
            let message = format!("cannot reconcile source of kind {other}");
            return Err(CliError::user(message));
        }
    };
    Ok((source, namespace, text("name"), Request::default()))
}

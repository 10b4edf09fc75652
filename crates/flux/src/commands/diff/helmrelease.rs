//! `flux diff helmrelease`: a chart on disk, or the one in use, rendered as the next revision of a HelmRelease, against the cluster.
//!
//! Objects are compared by dry-run as drift detection does it: hooks, the chart's `crds/` and what
//! `spec.driftDetection` leaves out are not compared. Exit code 1 says that there are differences, 2 that they could
//! not be found out.

use std::collections::HashSet;
use std::sync::Arc;

use api::HelmRelease;
use apply::Difference;
use cluster::{Cluster, Target};
use controllers::helmrelease::{Preview, preview};
use objects::{Object, ObjectKey};

use super::report::{FAILURE_EXIT_CODE, Report};
use crate::commands::build::helmrelease::What;
use crate::commands::debug::compose_values;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::helm_inventory;
use crate::kinds::HELM_RELEASE;

/// Annotation of objects that outlive their release.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Arguments of `flux diff helmrelease`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    what: What,
}

/// Prints the differences on stdout.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let failed = |error: CliError| error.exit_code(FAILURE_EXIT_CODE);
    args.what.name().map_err(failed)?;
    let outcome = ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let release = find(ctx, &*cluster, &args.what).await?;
        compare(cluster, &release, &args.what).await
    });
    outcome.map_err(failed)?.print(&ctx.out)
}

/// Finds the HelmRelease; one from a file gets the status that the cluster's has.
async fn find(ctx: &Context, cluster: &dyn Cluster, what: &What) -> CliResult<Object> {
    let mut release = what.find(ctx, Some(cluster)).await?;
    if !what.is_in_file() {
        return Ok(release);
    }
    release.remove(&["status"]);
    let target = HELM_RELEASE.target(release.namespace(), release.name());
    match cluster.get(&target).await {
        Ok(present) => {
            if let Some(status) = present.get(&["status"]) {
                release.set(&["status"], status.clone());
            }
        }
        Err(error) if error.is_not_found() || error.is_no_match() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(release)
}

async fn compare(cluster: Arc<dyn Cluster>, release: &Object, what: &What) -> CliResult<Report> {
    let own = HelmRelease::from_object(release).map_err(|e| CliError::user(e.to_string()))?;
    if own.spec.kube_config.is_some() {
        return Err(CliError::user("diff not supported for remote clusters"));
    }
    let chart = what.chart(Some(&*cluster), &own).await?;
    let values = compose_values(Some(&*cluster), release).await?;
    let now = jiff::Timestamp::now();
    let preview = preview(cluster.clone(), &own, chart, values, now).await;
    let preview = preview.map_err(CliError::user)?;
    let mut report = Report::default();
    for object in &preview.objects {
        match difference(&preview, object).await {
            Ok(difference) => report.tell(object, difference),
            Err(error) => report.errors.push(error),
        }
    }
    report.errors.extend(preview.errors);
    if report.errors.is_empty() {
        let present = preview.objects.iter().map(Object::key).collect();
        tell_deleted(&mut report, &*cluster, release, &present).await?;
    }
    Ok(report)
}

async fn difference(preview: &Preview, object: &Object) -> Result<Difference, String> {
    if preview.options.ignore.ignores_whole(object) {
        return Ok(Difference::Skipped);
    }
    let difference = preview.manager.diff(object, &preview.options).await;
    difference.map_err(|error| error.text)
}

/// Tells what the present revision has and the next one has not; Helm keeps what is gone or asks to be kept.
async fn tell_deleted(
    report: &mut Report,
    cluster: &dyn Cluster,
    release: &Object,
    present: &HashSet<ObjectKey>,
) -> CliResult {
    let recorded = helm_inventory::recorded(cluster, release).await?;
    for key in recorded.unwrap_or_default() {
        if !present.contains(&key) && would_delete(cluster, &key).await? {
            report.deleted(&key);
        }
    }
    Ok(())
}

async fn would_delete(cluster: &dyn Cluster, key: &ObjectKey) -> CliResult<bool> {
    let discovery = cluster.discovery().await?;
    let Some(resource) = discovery.by_group_kind(&key.group, &key.kind) else {
        return Ok(false);
    };
    let target = Target::new(resource, &key.namespace, &key.name);
    match cluster.get(&target).await {
        Ok(live) => Ok(live.annotation(RESOURCE_POLICY) != Some("keep")),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

//! `flux check`: whether the cluster can run Flux, and whether the Flux it runs is healthy.
//!
//! The kubernetes range is upstream's for v2.9. No release server is asked for newer versions.

use std::time::Duration;

use cluster::{Cluster, Target};
use gocompat::semver::{Range, Version};
use objects::{Object, Value};

use crate::cluster_info;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::GoDuration;
use crate::flux_object::{Progress, progress};
use crate::kinds::builtin;

const KUBERNETES_RANGE: &str = ">=1.33.0-0";

/// Arguments of `flux check`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only check what an installation needs.
    #[arg(long)]
    pre: bool,
    /// Accepted for compatibility: all controllers found are checked.
    #[arg(long, value_name = "LIST", hide_short_help = true)]
    components: Vec<String>,
    /// Accepted for compatibility: all controllers found are checked.
    #[arg(long, value_name = "LIST", hide_short_help = true)]
    components_extra: Vec<String>,
    /// How often to look whether controllers are ready.
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    poll_interval: GoDuration,
}

/// Prints findings as it goes; any failed check ends with exit code 1.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    ctx.out.action("checking prerequisites");
    ctx.block_on_forever(async {
        let cluster = ctx
            .cluster()
            .await
            .map_err(|error| error.context("Kubernetes client initialization failed"))?;
        let mut passed = check_kubernetes(ctx, &*cluster).await;
        if args.pre {
            if !passed {
                return Err(CliError::silent(1));
            }
            ctx.out.success("prerequisites checks passed");
            return Ok(());
        }
        ctx.out.action("checking version in cluster");
        passed &= check_version(ctx, &*cluster).await;
        ctx.out.action("checking controllers");
        passed &= check_controllers(ctx, &*cluster, args.poll_interval).await;
        ctx.out.action("checking crds");
        passed &= check_crds(ctx, &*cluster).await;
        if !passed {
            ctx.out.failure("check failed");
            return Err(CliError::silent(1));
        }
        ctx.out.success("all checks passed");
        Ok(())
    })
}

async fn check_kubernetes(ctx: &Context, cluster: &dyn Cluster) -> bool {
    let answer = match cluster.get_text("/version").await {
        Ok(answer) => answer,
        Err(error) => {
            ctx.out
                .failure(format_args!("Kubernetes API call failed: {error}"));
            return false;
        }
    };
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    let text = answer["gitVersion"].as_str().unwrap_or_default();
    let Ok(version) = Version::parse(text) else {
        ctx.out.failure("Kubernetes version can't be determined");
        return false;
    };
    let range = Range::parse(KUBERNETES_RANGE).expect("the range is a constant");
    if range.matches(&version) {
        ctx.out
            .success(format_args!("Kubernetes {version} {KUBERNETES_RANGE}"));
        return true;
    }
    ctx.out.failure(format_args!(
        "Kubernetes version {text} does not match {KUBERNETES_RANGE}"
    ));
    false
}

async fn check_version(ctx: &Context, cluster: &dyn Cluster) -> bool {
    let info = match cluster_info::read(cluster).await {
        Ok(Some(info)) => info,
        Ok(None) => {
            ctx.out.failure(
                "checking failed: customresourcedefinitions.apiextensions.k8s.io \
                 \"gitrepositories.source.toolkit.fluxcd.io\" not found",
            );
            return false;
        }
        Err(error) => {
            ctx.out.failure(format_args!("checking failed: {error}"));
            return false;
        }
    };
    if let Some(distribution) = info.distribution() {
        ctx.out
            .success(format_args!("distribution: {distribution}"));
    }
    ctx.out
        .success(format_args!("bootstrapped: {}", info.bootstrapped));
    true
}

async fn check_controllers(ctx: &Context, cluster: &dyn Cluster, interval: GoDuration) -> bool {
    // A list that fails is no finding, as upstream has it.
    let Ok(deployments) = cluster_info::controllers(cluster, ctx.namespace()).await else {
        return true;
    };
    if deployments.is_empty() {
        ctx.out.failure(format_args!(
            "no controllers found in the '{}' namespace with the label selector '{}'",
            ctx.namespace(),
            cluster_info::PART_OF_FLUX
        ));
        return false;
    }
    let mut passed = true;
    for deployment in &deployments {
        let limit = ctx.settings.timeout.to_std();
        let ready = wait_for(cluster, deployment, interval.to_std());
        match tokio::time::timeout(limit, ready).await {
            Ok(true) => ctx
                .out
                .success(format_args!("{}: deployment ready", deployment.name())),
            Ok(false) => {
                passed = false;
                ctx.out
                    .failure(format_args!("{}: deployment not found", deployment.name()));
            }
            Err(_) => {
                passed = false;
                ctx.out
                    .failure(format_args!("{}: deployment not ready", deployment.name()));
            }
        }
        for image in cluster_info::images(deployment) {
            ctx.out.action(image);
        }
    }
    passed
}

/// Waits until a Deployment is ready; returns false when it is gone.
async fn wait_for(cluster: &dyn Cluster, deployment: &Object, interval: Duration) -> bool {
    let resource = builtin("apps", "Deployment", "deployments", true);
    let target = Target::new(&resource, deployment.namespace(), deployment.name());
    loop {
        match cluster.get(&target).await {
            Ok(found) if progress(&found) == Progress::Current => return true,
            Err(error) if error.is_not_found() => return false,
            _ => tokio::time::sleep(interval).await,
        }
    }
}

async fn check_crds(ctx: &Context, cluster: &dyn Cluster) -> bool {
    let Ok(crds) = cluster_info::crds(cluster).await else {
        return true;
    };
    if crds.is_empty() {
        ctx.out.failure(format_args!(
            "no crds found with the label selector '{}'",
            cluster_info::PART_OF_FLUX
        ));
        return false;
    }
    let mut passed = true;
    for crd in &crds {
        let stored = crd
            .get(&["status", "storedVersions"])
            .and_then(Value::as_array);
        match stored.and_then(|versions| versions.last()?.as_str()) {
            Some(version) => ctx.out.success(format_args!("{}/{version}", crd.name())),
            None => {
                passed = false;
                ctx.out
                    .failure(format_args!("no stored versions for {}", crd.name()));
            }
        }
    }
    passed
}

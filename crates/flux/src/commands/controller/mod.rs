//! `flux controller`: the controllers against a real cluster, with the flags of upstream's deployments.
//!
//! Probes and metrics answer at once; everything else waits for leadership where that is asked for. The process
//! ends cleanly on SIGTERM and Ctrl-C, and with an error when leadership is lost.

mod logging;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use controller_runtime::{Backoff, LeaderElection, LeaseOptions, SystemClock, lease_name};
use controllers::helmrelease;
use controllers::kustomization::{Gates, Settings};
use controllers::telemetry::{self, SharedRuntime};
use controllers::{Components, Options};
use objects::GroupKind;
use tokio::net::TcpListener;
use tracing::info;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::{GoDuration, string_slice};

/// Arguments of `flux controller`; names and defaults are upstream's.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Controllers to run: source-controller, kustomize-controller, helm-controller; all where not given.
    #[arg(long, value_name = "NAMES")]
    components: Vec<String>,
    /// Address of the metrics.
    #[arg(long, default_value = ":8080")]
    metrics_addr: String,
    /// Address of the health probes.
    #[arg(long, default_value = ":9440")]
    health_addr: String,
    /// URL of the notification controller; nothing is posted where empty.
    #[arg(long, default_value = "", hide_default_value = true)]
    events_addr: String,
    /// Directory of the artifact store; in memory where not given.
    #[arg(long, value_name = "DIR")]
    storage_path: Option<PathBuf>,
    /// Address of the artifact server.
    #[arg(long, default_value = ":9090")]
    storage_addr: String,
    /// Address in artifact URLs; the bound one where empty.
    #[arg(long, default_value = "", hide_default_value = true)]
    storage_adv_addr: String,
    /// Largest index of a Helm repository, in bytes.
    #[arg(long, default_value = "536870912")]
    helm_index_max_size: u64,
    /// Largest chart archive, in bytes.
    #[arg(long, default_value = "10485760")]
    helm_chart_max_size: u64,
    /// Most Kustomizations worked on at once.
    #[arg(long, default_value = "4")]
    concurrent: usize,
    /// Most objects of one Kustomization worked on at once.
    #[arg(long, default_value = "4")]
    concurrent_ssa: usize,
    /// Wait for sources and dependencies.
    #[arg(long, default_value = "30s")]
    requeue_dependency: GoDuration,
    /// Tries to download an artifact.
    #[arg(long, default_value = "9")]
    http_retry: u32,
    /// Watch all namespaces; else only the one in RUNTIME_NAMESPACE.
    #[arg(long, default_value = "true")]
    watch_all_namespaces: String,
    /// Label selector over the objects to reconcile.
    #[arg(long, default_value = "", hide_default_value = true)]
    watch_label_selector: String,
    /// Label selector over ConfigMaps and Secrets to watch.
    #[arg(long, default_value = "reconcile.fluxcd.io/watch=Enabled")]
    watch_configs_label_selector: String,
    /// Run only while holding a Lease.
    #[arg(long)]
    enable_leader_election: bool,
    /// Give the Lease back at the end.
    #[arg(long, default_value = "true")]
    leader_election_release_on_cancel: String,
    /// How long a Lease lasts.
    #[arg(long, default_value = "35s")]
    leader_election_lease_duration: GoDuration,
    /// How long renewal is tried.
    #[arg(long, default_value = "30s")]
    leader_election_renew_deadline: GoDuration,
    /// Time between two tries.
    #[arg(long, default_value = "5s")]
    leader_election_retry_period: GoDuration,
    /// trace, debug, info or error.
    #[arg(long, default_value = "info")]
    log_level: String,
    /// json or console.
    #[arg(long, default_value = "json")]
    log_encoding: String,
    /// First wait after a failure.
    #[arg(long, default_value = "750ms")]
    min_retry_delay: GoDuration,
    /// Longest wait after failures.
    #[arg(long, default_value = "15m")]
    max_retry_delay: GoDuration,
    /// Jitter of intervals.
    #[arg(long, default_value = "5")]
    interval_jitter_percentage: u8,
    /// Gates as A=true,B=false.
    #[arg(long, default_value = "", hide_default_value = true)]
    feature_gates: String,
    /// Block sources in other namespaces.
    #[arg(long)]
    no_cross_namespace_refs: bool,
    /// Block bases that are fetched by URL.
    #[arg(long)]
    no_remote_bases: bool,
    /// Account to act as where an object names none.
    #[arg(long, default_value = "", hide_default_value = true)]
    default_service_account: String,
    /// Field manager to take fields over from; may be repeated.
    #[arg(long, value_name = "NAME")]
    override_manager: Vec<String>,
    /// Kinds with an apply stage of their own, as group/Kind.
    #[arg(long, value_name = "KINDS")]
    custom_apply_stage_kinds: Vec<String>,
}

/// Runs until told to stop.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    logging::init(&args.log_level, &args.log_encoding)?;
    let options = options(args)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::configuration(format!("cannot start the runtime: {error}")))?
        .block_on(manage(ctx, args, options))
}

async fn manage(ctx: &Context, args: &Args, options: Options) -> CliResult {
    let cluster = ctx.cluster().await?;
    let runtime = SharedRuntime::default();
    for address in [&args.metrics_addr, &args.health_addr] {
        if address != "0" && !address.is_empty() {
            let listener = listen(address).await?;
            tokio::spawn(telemetry::serve(listener, runtime.clone()));
        }
    }
    info!("starting manager");
    let mut election = args
        .enable_leader_election
        .then(|| election(args, &options, cluster.clone()));
    if let Some(election) = &mut election {
        tokio::select! {
            () = election.acquire() => {}
            () = told_to_stop() => return Ok(()),
        }
    }
    let handle = controllers::start(cluster, options)
        .await
        .map_err(|error| CliError::configuration(error.to_string()))?;
    // Set once: this is the only place that starts controllers.
    let _ = runtime.set(handle.runtime().clone());
    let lost = tokio::select! {
        () = hold(election.as_mut()) => true,
        () = told_to_stop() => false,
    };
    handle.stop().await;
    if lost {
        return Err(CliError::cluster("leader election lost"));
    }
    if let Some(mut election) = election
        && args.leader_election_release_on_cancel == "true"
    {
        election.release().await;
    }
    Ok(())
}

async fn hold(election: Option<&mut LeaderElection>) {
    match election {
        Some(election) => election.hold().await,
        None => std::future::pending().await,
    }
}

async fn told_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

async fn listen(address: &str) -> CliResult<TcpListener> {
    let full = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    };
    let failed = |error: &dyn std::fmt::Display| {
        CliError::configuration(format!("cannot listen on {address}: {error}"))
    };
    let parsed: SocketAddr = full.parse().map_err(|error| failed(&error))?;
    TcpListener::bind(parsed)
        .await
        .map_err(|error| failed(&error))
}

fn election(args: &Args, options: &Options, cluster: Arc<dyn Cluster>) -> LeaderElection {
    let name = match options.components {
        Components {
            source: true,
            kustomize: false,
            helm: false,
        } => "source-controller",
        Components {
            source: false,
            kustomize: true,
            helm: false,
        } => "kustomize-controller",
        Components {
            source: false,
            kustomize: false,
            helm: true,
        } => "helm-controller",
        _ => "flux-controller",
    };
    let shard = (!args.watch_label_selector.is_empty())
        .then(|| controllers::shard_digest(&args.watch_label_selector));
    let options = LeaseOptions {
        namespace: runtime_namespace(),
        name: lease_name(name, shard.as_deref()),
        identity: format!("{}_{}", options.runtime.instance, std::process::id()),
        lease_duration: args.leader_election_lease_duration.to_std(),
        renew_deadline: args.leader_election_renew_deadline.to_std(),
        retry_period: args.leader_election_retry_period.to_std(),
    };
    LeaderElection::new(cluster, Arc::new(SystemClock), options)
}

fn runtime_namespace() -> String {
    std::env::var("RUNTIME_NAMESPACE").unwrap_or_else(|_| "flux-system".to_owned())
}

fn options(args: &Args) -> CliResult<Options> {
    if args.interval_jitter_percentage >= 100 {
        return Err(CliError::user(
            "the interval jitter percentage must be a non-negative value and less than 100",
        ));
    }
    let all = args.watch_all_namespaces == "true";
    let (gates, helm_gates) = read_gates(&args.feature_gates)?;
    Ok(Options {
        storage: args.storage_path.clone(),
        storage_address: args.storage_addr.clone(),
        advertised_storage_address: args.storage_adv_addr.clone(),
        events_address: args.events_addr.clone(),
        components: components(&string_slice(&args.components))?,
        runtime: controller_runtime::Options {
            backoff: Backoff {
                min: args.min_retry_delay.to_std(),
                max: args.max_retry_delay.to_std().max(Duration::from_millis(1)),
            },
            interval_jitter_percentage: args.interval_jitter_percentage,
            namespace: if all {
                String::new()
            } else {
                runtime_namespace()
            },
            instance: std::env::var("HOSTNAME").unwrap_or_default(),
        },
        sources: controllers::SourceSettings {
            concurrency: args.concurrent,
            requeue_dependency: args.requeue_dependency.to_std(),
            index_bytes_max: args.helm_index_max_size,
            chart_bytes_max: args.helm_chart_max_size,
            configs_label_selector: args.watch_configs_label_selector.clone(),
            ..controllers::SourceSettings::default()
        },
        kustomize: Settings {
            concurrency: args.concurrent,
            concurrent_ssa: args.concurrent_ssa,
            requeue_dependency: args.requeue_dependency.to_std(),
            http_retry: args.http_retry,
            no_cross_namespace_refs: args.no_cross_namespace_refs,
            no_remote_bases: args.no_remote_bases,
            default_service_account: args.default_service_account.clone(),
            override_managers: string_slice(&args.override_manager),
            custom_stage_kinds: string_slice(&args.custom_apply_stage_kinds)
                .iter()
                .map(|text| match text.split_once('/') {
                    Some((group, kind)) => GroupKind::new(group, kind),
                    None => GroupKind::new("", text),
                })
                .collect(),
            label_selector: args.watch_label_selector.clone(),
            configs_label_selector: args.watch_configs_label_selector.clone(),
            gates,
        },
        helm: helmrelease::Settings {
            concurrency: args.concurrent,
            requeue_dependency: args.requeue_dependency.to_std(),
            http_retry: args.http_retry,
            no_cross_namespace_refs: args.no_cross_namespace_refs,
            default_service_account: args.default_service_account.clone(),
            label_selector: args.watch_label_selector.clone(),
            configs_label_selector: args.watch_configs_label_selector.clone(),
            gates: helm_gates,
            ..helmrelease::Settings::default()
        },
        ..Options::default()
    })
}

fn components(names: &[String]) -> CliResult<Components> {
    if names.is_empty() {
        return Ok(Components::default());
    }
    let mut components = Components {
        source: false,
        kustomize: false,
        helm: false,
    };
    for name in names {
        match name.as_str() {
            "source-controller" => components.source = true,
            "kustomize-controller" => components.kustomize = true,
            "helm-controller" => components.helm = true,
            other => {
                return Err(CliError::user(format!(
                    "component {other} is not available, must be one of: source-controller, kustomize-controller, helm-controller"
                )));
            }
        }
    }
    Ok(components)
}

/// Reads the gates of all controllers; a gate that several have counts for all of them.
fn read_gates(text: &str) -> CliResult<(Gates, helmrelease::Gates)> {
    let (mut gates, mut helm) = (Gates::default(), helmrelease::Gates::default());
    for pair in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let invalid = || CliError::user(format!("invalid value of feature gate: {pair}"));
        let (name, value) = pair.split_once('=').ok_or_else(invalid)?;
        let value = crate::flags::go_bool(value).map_err(|_| invalid())?;
        let gate = match name {
            "StrictPostBuildSubstitutions" => &mut gates.strict_post_build_substitutions,
            "DisableFailFastBehavior" => &mut gates.disable_fail_fast,
            "AdditiveCELDependencyCheck" => {
                helm.additive_cel_dependency_check = value;
                &mut gates.additive_cel_dependency_check
            }
            "ExternalArtifact" => {
                helm.external_artifact = value;
                &mut gates.external_artifact
            }
            "CancelHealthCheckOnNewRevision" => {
                helm.cancel_health_check = value;
                &mut gates.cancel_health_check
            }
            "DisableConfigWatchers" => {
                helm.disable_config_watchers = value;
                &mut gates.disable_config_watchers
            }
            "DisableChartDigestTracking" => &mut helm.disable_chart_digest_tracking,
            "UseHelm3Defaults" => &mut helm.use_helm3_defaults,
            "DefaultToRetryOnFailure" => &mut helm.default_to_retry_on_failure,
            "ObjectLevelWorkloadIdentity" => &mut gates.object_level_workload_identity,
            // These change how upstream caches and logs, not what it does.
            "CacheSecretsAndConfigMaps"
            | "DisableStatusPollerCache"
            | "GroupChangeLog"
            | "DirectSourceFetch"
            | "MigrateAPIVersion"
            | "AdoptLegacyReleases"
            | "AllowDNSLookups"
            | "CorrectDrift"
            | "DetectDrift"
            | "OOMWatch" => continue,
            other => {
                return Err(CliError::user(format!(
                    "feature-gate '{other}' not supported"
                )));
            }
        };
        *gate = value;
    }
    Ok((gates, helm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read_and_unknown_ones_refused() {
        let (gates, helm) =
            read_gates("ExternalArtifact=true, StrictPostBuildSubstitutions=false").unwrap();
        assert!(gates.external_artifact && !gates.strict_post_build_substitutions);
        assert!(helm.external_artifact && !helm.use_helm3_defaults);
        assert!(read_gates("Nonsense=true").is_err());
        assert!(read_gates("ExternalArtifact").is_err());
    }

    #[test]
    fn components_are_chosen_by_name() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let all = components(&[]).unwrap();
        assert!(all.source && all.kustomize && all.helm);
        let one = components(&names(&["kustomize-controller"])).unwrap();
        assert!(!one.source && one.kustomize && !one.helm);
        assert!(components(&names(&["notification-controller"])).is_err());
    }
}

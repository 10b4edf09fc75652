//! `flux logs`: the controllers' logs, one readable line per entry.
//!
//! One pod of each controller's Deployment is read, a running one if there is. Lines that are no JSON are
//! left out.

use cluster::{Cluster, ListParams, Scope};
use futures::StreamExt as _;
use futures::future::join_all;
use objects::{Object, Value};

use crate::cluster_info::PART_OF_FLUX;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::GoDuration;
use crate::kinds::builtin;

/// Arguments of `flux logs`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only entries of this level: debug, info, error.
    #[arg(long, value_parser = level)]
    level: Option<String>,
    /// Only entries of this kind of object.
    #[arg(long, default_value = "", hide_default_value = true)]
    kind: String,
    /// Only entries of the object of this name.
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// Keep printing entries as they come.
    #[arg(short, long)]
    follow: bool,
    /// Lines to read from the end of each log; -1 for all.
    #[arg(long, default_value = "-1")]
    tail: i64,
    /// Namespace of the controllers.
    #[arg(long, default_value = "flux-system")]
    flux_namespace: String,
    /// Entries of objects of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only entries newer than this.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "0s",
        hide_default_value = true
    )]
    since: GoDuration,
    /// Only entries after this time (RFC 3339).
    #[arg(
        long,
        value_name = "TIME",
        default_value = "",
        hide_default_value = true
    )]
    since_time: String,
    /// Nothing is taken here.
    #[arg(hide = true)]
    extra: Vec<String>,
}

fn level(text: &str) -> Result<String, String> {
    match text {
        "debug" | "info" | "error" => Ok(text.to_owned()),
        "" => Err("no log level given, must be one of: debug, info, error".to_owned()),
        _ => Err(format!(
            "unsupported log level '{text}', must be one of: debug, info, error"
        )),
    }
}

/// Prints the selected entries on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    if !args.extra.is_empty() {
        return Err(CliError::user("no argument required"));
    }
    let work = async {
        let cluster = ctx.cluster().await?;
        let pods = pods(&*cluster, &args.flux_namespace).await?;
        let query = query(&args)?;
        let cluster = &*cluster;
        let (args, query) = (&args, &query);
        let reads = pods.iter().map(|pod| async move {
            let read = read(ctx, cluster, pod, query, args).await;
            if let Err(error) = &read {
                ctx.out.note(&format!("failed getting logs: {error}"));
            }
            read.is_ok()
        });
        let complete = if args.follow {
            join_all(reads).await;
            true
        } else {
            let mut complete = true;
            for read in reads {
                complete &= read.await;
            }
            complete
        };
        match complete {
            true => Ok(()),
            false => Err(CliError::cluster(
                "failed to collect logs from all Flux pods",
            )),
        }
    };
    if !args.follow {
        return ctx.block_on(work);
    }
    // The end of the time given is the end of the logs, not a failure.
    let limit = ctx.settings.timeout.to_std();
    ctx.follow(async { tokio::time::timeout(limit, work).await.unwrap_or(Ok(())) })
}

fn query(args: &Args) -> CliResult<String> {
    let mut query = format!("follow={}", args.follow);
    if args.tail > -1 {
        query.push_str(&format!("&tailLines={}", args.tail));
    }
    if !args.since_time.is_empty() {
        if args.since.0 != 0 {
            return Err(CliError::user(
                "at most one of `sinceTime` or `sinceDuration` may be specified",
            ));
        }
        let time: jiff::Timestamp = args.since_time.parse().map_err(|_| {
            CliError::user(format!("{} is not a valid (RFC3339) time", args.since_time))
        })?;
        query.push_str(&format!("&sinceTime={time}"));
    }
    if args.since.0 != 0 {
        let seconds = (args.since.0 + 500_000_000).div_euclid(1_000_000_000);
        query.push_str(&format!("&sinceSeconds={seconds}"));
    }
    Ok(query)
}

/// Returns one pod for each of the controllers' Deployments.
async fn pods(cluster: &dyn Cluster, namespace: &str) -> CliResult<Vec<Object>> {
    let list = |group: &str, kind: &str, plural: &str, selector: String| {
        let scope = Scope {
            resource: builtin(group, kind, plural, true),
            namespace: namespace.to_owned(),
        };
        let params = ListParams {
            label_selector: selector,
            ..ListParams::default()
        };
        async move { cluster.list(&scope, &params).await }
    };
    let deployments = list("apps", "Deployment", "deployments", PART_OF_FLUX.to_owned()).await?;
    let mut found = Vec::new();
    for deployment in deployments.items {
        let labels = deployment.get(&["spec", "template", "metadata", "labels"]);
        let selector: Vec<String> = labels
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
            .collect();
        let pods = list("", "Pod", "pods", selector.join(",")).await?;
        // Running before all others; the first of equals.
        let best =
            pods.items
                .into_iter()
                .min_by_key(|pod| match pod.str_at(&["status", "phase"]) {
                    "Running" => 0,
                    "Pending" => 2,
                    _ => 1,
                });
        found.extend(best);
    }
    if found.is_empty() {
        let message = format!("no Flux pods found in namespace {namespace:?}");
        return Err(CliError::cluster(message));
    }
    Ok(found)
}

async fn read(
    ctx: &Context,
    cluster: &dyn Cluster,
    pod: &Object,
    query: &str,
    args: &Args,
) -> CliResult {
    let containers = pod.get(&["spec", "containers"]).and_then(Value::as_array);
    let container = match containers.map_or(0, Vec::len) {
        0 | 1 => "",
        _ => "&container=manager",
    };
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?{query}{container}",
        pod.namespace(),
        pod.name()
    );
    let mut chunks = cluster.stream_text(&path).await?;
    let mut buffer = Vec::new();
    while let Some(chunk) = chunks.next().await {
        buffer.extend_from_slice(&chunk?);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            print(ctx, &line, args)?;
        }
    }
    print(ctx, &buffer, args)
}

fn print(ctx: &Context, line: &[u8], args: &Args) -> CliResult {
    if !line.starts_with(b"{") {
        return Ok(());
    }
    let entry: Value = serde_json::from_slice(line)
        .map_err(|error| CliError::cluster(format!("parse error: {error}")))?;
    if selected(&entry, args, ctx.namespace()) {
        ctx.out.data(&format(&entry));
    }
    Ok(())
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap_or_default()
}

fn selected(entry: &Value, args: &Args, namespace: &str) -> bool {
    let is = |wanted: &str, key: &str| wanted.eq_ignore_ascii_case(text(entry, key));
    args.level
        .as_ref()
        .is_none_or(|level| level == text(entry, "level"))
        && (args.kind.is_empty()
            || is(&args.kind, "reconciler kind")
            || is(&args.kind, "controllerKind"))
        && (args.name.is_empty() || is(&args.name, "name"))
        && (args.all_namespaces || is(namespace, "namespace"))
}

fn format(entry: &Value) -> String {
    let kind = match text(entry, "reconciler kind") {
        "" => text(entry, "controllerKind"),
        kind => kind,
    };
    let subject = match text(entry, "name") {
        "" => String::new(),
        name => format!("/{name}.{}", text(entry, "namespace")),
    };
    format!(
        "{} {} {kind}{subject} - {} {}\n",
        text(entry, "ts"),
        text(entry, "level"),
        text(entry, "msg"),
        text(entry, "error")
    )
}

#[cfg(test)]
mod tests {
    use super::format;
    use objects::json;

    #[test]
    fn entries_are_printed_on_one_line() {
        let entry = json!({"ts": "2026-01-01T00:00:00.000Z", "level": "error", "msg": "Reconciler error",
            "controllerKind": "Kustomization", "name": "apps", "namespace": "flux-system", "error": "no such path"});
        assert_eq!(
            format(&entry),
            "2026-01-01T00:00:00.000Z error Kustomization/apps.flux-system - Reconciler error no such path\n"
        );
        assert_eq!(
            format(&json!({"ts": "t", "level": "info", "msg": "m"})),
            "t info  - m \n"
        );
    }
}

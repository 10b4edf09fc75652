//! `flux events`: Kubernetes events of Flux objects, and of the sources they refer to.

use cluster::{Cluster, ListParams, Scope, WatchEvent, WatchParams};
use futures::StreamExt as _;
use futures::stream::select_all;
use jiff::Timestamp;
use objects::{Object, Value};

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::string_slice;
use crate::kinds::{self, FluxKind, builtin};
use crate::{elapsed, table};

/// Events asked for per request.
const PAGE: u32 = 500;

/// Arguments of `flux events`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Show events of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Keep printing events as they come.
    #[arg(short, long)]
    watch: bool,
    /// Only events of this kind or object, and of what it refers to.
    #[arg(
        long = "for",
        value_name = "KIND[/NAME]",
        default_value = "",
        hide_default_value = true
    )]
    for_selector: String,
    /// Only events of these types: Normal, Warning.
    #[arg(long, value_name = "LIST")]
    types: Vec<String>,
    /// Ignored, as upstream ignores them.
    #[arg(hide = true)]
    words: Vec<String>,
}

/// The kinds whose events are shown, with the field that refers to their source.
static KINDS: [(&FluxKind, &[&str]); 14] = [
    (&kinds::KUSTOMIZATION, &["spec", "sourceRef"]),
    (
        &kinds::HELM_RELEASE,
        &["spec", "chart", "spec", "sourceRef"],
    ),
    (&kinds::ALERT, &["spec", "providerRef"]),
    (&kinds::RECEIVER, &[]),
    (&kinds::PROVIDER, &[]),
    (&kinds::IMAGE_POLICY, &["spec", "imageRepositoryRef"]),
    (&kinds::HELM_CHART, &["spec", "sourceRef"]),
    (&kinds::GIT_REPOSITORY, &[]),
    (&kinds::OCI_REPOSITORY, &[]),
    (&kinds::BUCKET, &[]),
    (&kinds::HELM_REPOSITORY, &[]),
    (&kinds::IMAGE_UPDATE_AUTOMATION, &[]),
    (&kinds::IMAGE_REPOSITORY, &[]),
    (&kinds::ARTIFACT_GENERATOR, &[]),
];

/// One request: a namespace and a field selector.
struct Query {
    namespace: String,
    selector: String,
}

/// Prints the table, or rows as events come until `--timeout`.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let types = string_slice(&args.types);
    let known = |t: &&String| !["normal", "warning"].contains(&t.to_lowercase().as_str());
    if let Some(unknown) = types.iter().find(known) {
        return Err(CliError::user(format!(
            "type '{unknown}' not supported. Supported types are Normal, Warning"
        )));
    }
    let work = async {
        let cluster = ctx.cluster().await?;
        let (queries, show_namespace) = queries(ctx, &*cluster, &args).await?;
        let printer = Printer {
            types,
            show_namespace,
        };
        match args.watch {
            true => watch(ctx, &*cluster, &queries, &printer).await,
            false => list(ctx, &*cluster, &queries, &printer, args.all_namespaces).await,
        }
    };
    if !args.watch {
        return ctx.block_on(work);
    }
    let limit = ctx.settings.timeout.to_std();
    ctx.follow(async { tokio::time::timeout(limit, work).await.unwrap_or(Ok(())) })
}

async fn queries(
    ctx: &Context,
    cluster: &dyn Cluster,
    args: &Args,
) -> CliResult<(Vec<Query>, bool)> {
    let namespace = if args.all_namespaces {
        ""
    } else {
        ctx.namespace()
    };
    let query = |namespace: &str, selector: String| Query {
        namespace: namespace.to_owned(),
        selector,
    };
    if args.for_selector.is_empty() {
        return Ok((vec![query(namespace, String::new())], namespace.is_empty()));
    }
    let (kind_word, name) = match args.for_selector.split_once('/') {
        Some((kind, name)) if !name.contains('/') => (kind, name),
        _ => (args.for_selector.as_str(), ""),
    };
    if kind_word.is_empty() {
        return Err(CliError::user(
            "--for selector must be of format <kind>[/<name>]",
        ));
    }
    let (kind, field) = KINDS
        .iter()
        .find(|(kind, _)| kind.kind.eq_ignore_ascii_case(kind_word))
        .ok_or_else(|| CliError::user(format!("'{kind_word}' is not a recognized Flux kind")))?;
    let mut queries = vec![query(namespace, selector(kind.kind, name))];
    let mut elsewhere = false;
    if !name.is_empty() && !field.is_empty() {
        let object = cluster.get(&kind.target(ctx.namespace(), name)).await?;
        for (kind, name, other) in references(kind, field, &object)? {
            elsewhere |= other != namespace;
            queries.push(query(&other, selector(&kind, &name)));
        }
    }
    Ok((queries, namespace.is_empty() || elsewhere))
}

fn selector(kind: &str, name: &str) -> String {
    match name {
        "" => format!("involvedObject.kind={kind}"),
        name => format!("involvedObject.kind={kind},involvedObject.name={name}"),
    }
}

/// Returns kind, name and namespace of what an object refers to.
fn references(
    kind: &FluxKind,
    field: &[&str],
    object: &Object,
) -> CliResult<Vec<(String, String, String)>> {
    let text = |key: &str| object.str_at(&[field, &[key]].concat()).to_owned();
    let required = |key: &str| match text(key) {
        value if value.is_empty() => Err(CliError::cluster(format!(
            "field '{}.{key}' for '{}/{}' not found",
            field.join("."),
            object.namespace(),
            object.name()
        ))),
        value => Ok(value),
    };
    let referred = match kind.kind {
        "Alert" => "Provider".to_owned(),
        "ImagePolicy" => "ImageRepository".to_owned(),
        _ => required("kind")?,
    };
    let namespace = match text("namespace") {
        namespace if namespace.is_empty() || kind.kind == "Alert" => object.namespace().to_owned(),
        namespace => namespace,
    };
    let mut found = vec![(referred, required("name")?, namespace.clone())];
    if kind.kind == "HelmRelease" {
        let chart = format!("{}-{}", object.namespace(), object.name());
        found.push(("HelmChart".to_owned(), chart, namespace));
    }
    Ok(found)
}

fn scope(namespace: &str) -> Scope {
    Scope {
        resource: builtin("", "Event", "events", true),
        namespace: namespace.to_owned(),
    }
}

async fn list(
    ctx: &Context,
    cluster: &dyn Cluster,
    queries: &[Query],
    printer: &Printer,
    all_namespaces: bool,
) -> CliResult {
    let mut events = Vec::new();
    for query in queries {
        let mut params = ListParams {
            field_selector: query.selector.clone(),
            limit: PAGE,
            ..ListParams::default()
        };
        loop {
            let page = cluster
                .list(&scope(&query.namespace), &params)
                .await
                .map_err(|error| CliError::from(error).context("error getting events"))?;
            events.extend(page.items);
            params.continue_token = page.continue_token;
            if params.continue_token.is_empty() {
                break;
            }
        }
    }
    // Upstream sorts all of them, which decides in which order those of the same second lie.
    gocompat::sort::sort(&mut events, |a, b| last_time(a) < last_time(b));
    events.retain(|event| printer.shows(event));
    if events.is_empty() {
        ctx.out.failure(match all_namespaces {
            true => "No events found.".to_owned(),
            false => format!("No events found in {} namespace.", ctx.namespace()),
        });
        return Ok(());
    }
    let rows: Vec<_> = events.iter().map(|event| printer.row(event)).collect();
    ctx.out.data(&table::render(&printer.header(), &rows));
    Ok(())
}

async fn watch(
    ctx: &Context,
    cluster: &dyn Cluster,
    queries: &[Query],
    printer: &Printer,
) -> CliResult {
    let mut streams = Vec::new();
    for query in queries {
        let params = WatchParams {
            field_selector: query.selector.clone(),
            ..WatchParams::default()
        };
        streams.push(cluster.watch(&scope(&query.namespace), &params).await?);
    }
    let mut events = select_all(streams);
    let mut header = printer.header();
    while let Some(event) = events.next().await {
        let (WatchEvent::Added(event) | WatchEvent::Modified(event)) = event? else {
            continue;
        };
        if printer.shows(&event) {
            ctx.out
                .data(&table::render(&header, &[printer.row(&event)]));
            header.clear();
        }
    }
    Ok(())
}

struct Printer {
    types: Vec<String>,
    show_namespace: bool,
}

impl Printer {
    fn shows(&self, event: &Object) -> bool {
        let kind = event.str_at(&["involvedObject", "kind"]);
        let kind_of_flux = KINDS.iter().any(|(k, _)| k.kind.eq_ignore_ascii_case(kind));
        let type_of = event.str_at(&["type"]);
        let wanted = self.types.is_empty()
            || self
                .types
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(type_of));
        kind_of_flux && wanted
    }

    fn header(&self) -> Vec<&'static str> {
        let mut header = vec!["Last seen", "Type", "Reason", "Object", "Message"];
        if self.show_namespace {
            header.insert(0, "Namespace");
        }
        header
    }

    fn row(&self, event: &Object) -> Vec<String> {
        let text = |path: &[&str]| event.str_at(path).to_owned();
        let mut row = Vec::new();
        if self.show_namespace {
            row.push(event.namespace().to_owned());
        }
        row.push(last_seen(event, Timestamp::now()));
        row.push(text(&["type"]));
        row.push(text(&["reason"]));
        row.push(format!(
            "{}/{}",
            text(&["involvedObject", "kind"]),
            text(&["involvedObject", "name"])
        ));
        row.push(text(&["message"]));
        row
    }
}

fn time(event: &Object, path: &[&str]) -> Option<Timestamp> {
    event.str_at(path).parse().ok()
}

/// Returns the time to sort by: of the series, else of the last or the only occurrence.
fn last_time(event: &Object) -> Option<Timestamp> {
    if event
        .get(&["series"])
        .is_some_and(|series| !series.is_null())
    {
        return time(event, &["series", "lastObservedTime"]);
    }
    time(event, &["lastTimestamp"]).or_else(|| time(event, &["eventTime"]))
}

fn last_seen(event: &Object, now: Timestamp) -> String {
    let ago = |time: Option<Timestamp>| match time {
        Some(time) => elapsed::human(now.duration_since(time)),
        None => "<unknown>".to_owned(),
    };
    let first = ago(time(event, &["eventTime"]).or_else(|| time(event, &["firstTimestamp"])));
    let number = |path: &[&str]| event.get(path).and_then(Value::as_i64).unwrap_or(0);
    if event
        .get(&["series"])
        .is_some_and(|series| !series.is_null())
    {
        let last = ago(time(event, &["series", "lastObservedTime"]));
        return format!("{last} (x{} over {first})", number(&["series", "count"]));
    }
    match number(&["count"]) {
        count if count > 1 => {
            format!(
                "{} (x{count} over {first})",
                ago(time(event, &["lastTimestamp"]))
            )
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    #[test]
    fn last_seen_counts_repeats() {
        let now: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
        for (event, seen) in [
            (json!({}), "<unknown>"),
            (
                json!({"firstTimestamp": "2026-01-01T00:59:00Z", "count": 1}),
                "60s",
            ),
            (
                json!({"firstTimestamp": "2026-01-01T00:40:00Z", "lastTimestamp": "2026-01-01T00:55:00Z", "count": 3}),
                "5m (x3 over 20m)",
            ),
            (
                json!({"eventTime": "2026-01-01T00:40:00.000000Z", "series": {"count": 2, "lastObservedTime": "2026-01-01T00:59:59.5Z"}}),
                "0s (x2 over 20m)",
            ),
        ] {
            let event = Object::from_value(event).unwrap();
            assert_eq!(last_seen(&event, now), seen);
        }
    }
}

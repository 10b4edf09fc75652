//! Reading objects for `flux get`, and printing them.

use cluster::{Cluster, ListParams, WatchEvent, WatchParams};
use futures::StreamExt as _;
use objects::Object;

use super::columns::{self, Shape};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flux_object::condition_matches;
use crate::kinds::FluxKind;
use crate::table;

/// What is asked for, resolved.
#[derive(Debug)]
pub struct Query {
    /// Namespace; empty for all.
    pub namespace: String,
    /// Name; empty for all.
    pub name: String,
    /// Label selector; empty for all.
    pub label_selector: String,
    /// Condition to filter by.
    pub status: Option<StatusSelector>,
    /// Leave the header out.
    pub no_header: bool,
    /// Columns.
    pub shape: Shape,
}

/// `type=status` or `type!=status`.
#[derive(Debug)]
pub struct StatusSelector {
    condition: String,
    status: String,
    negated: bool,
}

impl StatusSelector {
    /// Reads a selector; an empty one selects everything.
    pub fn parse(text: &str) -> CliResult<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let negated = text.contains("!=");
        let separator = if negated { "!=" } else { "=" };
        let (condition, status) = text.split_once(separator).ok_or_else(|| {
            CliError::user(format!(
                "expected status selector in type=status or type!=status format, but found: {text}"
            ))
        })?;
        Ok(Some(Self {
            condition: condition.to_owned(),
            status: status.to_owned(),
            negated,
        }))
    }

    fn matches(&self, kind: &FluxKind, object: &Object) -> bool {
        let found = match kind.kind {
            "Alert" | "Provider" => {
                self.condition.eq_ignore_ascii_case("ready")
                    && self.status.eq_ignore_ascii_case("true")
            }
            _ => condition_matches(object, &self.condition, &self.status),
        };
        found != self.negated
    }
}

/// Prints the table of one kind; none at all is an error.
pub fn print(ctx: &Context, kind: &FluxKind, query: &Query) -> CliResult {
    let objects = ctx.block_on(async { Ok(read(&*ctx.cluster().await?, kind, query).await?) })?;
    if objects.is_empty() {
        return Err(none_found(kind, query));
    }
    ctx.out
        .data(&render(kind, query, &objects, !query.no_header));
    Ok(())
}

/// Prints the tables of several kinds, an empty line after each; kinds without objects are left out.
pub fn print_all(ctx: &Context, kinds: &[&FluxKind], query: &Query) -> CliResult {
    ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let reads = kinds.iter().map(|kind| read(&*cluster, kind, query));
        let lists = futures::future::join_all(reads).await;
        for (kind, list) in kinds.iter().zip(lists) {
            match list {
                Ok(objects) if objects.is_empty() && query.name.is_empty() => {}
                Ok(objects) if objects.is_empty() => {
                    ctx.out.failure(none_found(kind, query).message());
                }
                Ok(objects) => {
                    if objects.iter().any(|object| selected(kind, query, object)) {
                        ctx.out
                            .data(&render(kind, query, &objects, !query.no_header));
                        ctx.out.data("\n");
                    }
                }
                Err(error) if error.is_no_match() => {}
                Err(error) => ctx.out.failure(CliError::from(error).message()),
            }
        }
        Ok(())
    })
}

/// Prints a row for every present object, then one for each change, until `--timeout`.
pub fn watch(ctx: &Context, kind: &FluxKind, query: &Query) -> CliResult {
    let limit = ctx.settings.timeout.to_std();
    let rows = async {
        let cluster = ctx.cluster().await?;
        let params = WatchParams {
            label_selector: query.label_selector.clone(),
            field_selector: name_selector(&query.name),
            ..WatchParams::default()
        };
        let scope = kind.scope(&query.namespace);
        let mut events = cluster
            .watch(&scope, &params)
            .await
            .map_err(|error| missing_kind(kind, unreadable_selector(query, error)))?;
        let mut header = !query.no_header;
        while let Some(event) = events.next().await {
            let (WatchEvent::Added(object)
            | WatchEvent::Modified(object)
            | WatchEvent::Deleted(object)) = event?
            else {
                continue;
            };
            ctx.out.data(&render(kind, query, &[object], header));
            header = false;
        }
        Err(CliError::cluster(
            "watch closed before UntilWithoutRetry timeout",
        ))
    };
    ctx.follow(async {
        tokio::time::timeout(limit, rows)
            .await
            .unwrap_or_else(|_| Err(CliError::cluster("timed out waiting for the condition")))
    })
}

async fn read(
    cluster: &dyn Cluster,
    kind: &FluxKind,
    query: &Query,
) -> Result<Vec<Object>, cluster::Error> {
    let params = ListParams {
        label_selector: query.label_selector.clone(),
        field_selector: name_selector(&query.name),
        ..ListParams::default()
    };
    let list = cluster.list(&kind.scope(&query.namespace), &params).await;
    Ok(list
        .map_err(|error| missing_kind(kind, unreadable_selector(query, error)))?
        .items)
}

/// Words what is wrong with `--label-selector` as upstream does, which reads it before it asks the server.
fn unreadable_selector(query: &Query, error: cluster::Error) -> cluster::Error {
    match error {
        cluster::Error::Status(mut status)
            if status.message.starts_with("unable to parse requirement") =>
        {
            status.message = format!(
                "unable to parse label selector: couldn't parse the selector string {:?}: {}",
                query.label_selector, status.message
            );
            cluster::Error::Status(status)
        }
        error => error,
    }
}

/// A collection that is not found is a kind that is not served.
pub fn missing_kind(kind: &FluxKind, error: cluster::Error) -> cluster::Error {
    if error.is_not_found() {
        return cluster::Error::NoMatch {
            api_version: kind.gvk().api_version(),
            kind: kind.kind.to_owned(),
        };
    }
    error
}

fn name_selector(name: &str) -> String {
    match name {
        "" => String::new(),
        name => format!("metadata.name={name}"),
    }
}

fn selected(kind: &FluxKind, query: &Query, object: &Object) -> bool {
    query
        .status
        .as_ref()
        .is_none_or(|status| status.matches(kind, object))
}

fn render(kind: &FluxKind, query: &Query, objects: &[Object], header: bool) -> String {
    let rows: Vec<Vec<String>> = objects
        .iter()
        .filter(|object| selected(kind, query, object))
        .map(|object| columns::row(kind, object, query.shape))
        .collect();
    let titles = match header {
        true => columns::header(kind, query.shape),
        false => Vec::new(),
    };
    table::render(&titles, &rows)
}

fn none_found(kind: &FluxKind, query: &Query) -> CliError {
    let namespace = match query.namespace.as_str() {
        "" => "any".to_owned(),
        namespace => format!("{namespace:?}"),
    };
    let message = match query.name.as_str() {
        "" => format!("no {} objects found in {namespace} namespace", kind.kind),
        name => format!(
            "{} object '{name}' not found in {namespace} namespace",
            kind.kind
        ),
    };
    CliError::user(message)
}

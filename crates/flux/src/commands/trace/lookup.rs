//! Finding the objects to trace, from kubectl's words or from a kind.

use std::sync::Arc;

use cluster::{ApiResource, Cluster, Discovery, Target};
use objects::{Gvk, Object};

use crate::error::{CliError, CliResult};

const USAGE: &str = "either `<resource>/<name>` or `<resource> <name>` is required as an argument";

/// Finds `resource/name…` or `resource name…`; resources by plural, singular, short name or kind.
pub async fn by_words(
    cluster: &dyn Cluster,
    namespace: &str,
    words: &[String],
) -> CliResult<Vec<Object>> {
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    if words.iter().any(|word| word.contains('/')) {
        for word in words {
            wanted.push(word.split_once('/').ok_or_else(|| {
                CliError::user("there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'flux get resource/<resource_name>' instead of 'flux get resource resource/<resource_name>'")
            })?);
        }
    } else {
        let (resource, names) = words.split_first().ok_or_else(|| CliError::user(USAGE))?;
        wanted.extend(names.iter().map(|name| (resource.as_str(), name.as_str())));
    }
    if wanted.is_empty() {
        let message = "resource(s) were provided, but no name was specified";
        return Err(CliError::user(message));
    }
    if wanted.iter().any(|(r, n)| r.is_empty() || n.is_empty()) {
        return Err(CliError::user(USAGE));
    }
    let discovery = cluster.discovery().await?;
    let mut found = Vec::new();
    for (resource, name) in wanted {
        let resource = find(&discovery, resource).ok_or_else(|| {
            CliError::user(format!(
                "the server doesn't have a resource type {resource:?}"
            ))
        })?;
        let namespace = if resource.namespaced { namespace } else { "" };
        // The prefix is upstream's.
        let object = cluster
            .get(&Target::new(resource, namespace, name))
            .await
            .map_err(|error| CliError::from(error).context("x"))?;
        found.push(object);
    }
    Ok(found)
}

/// Finds the object of a kind; it keeps the kind as written.
pub async fn by_kind(
    cluster: &dyn Cluster,
    namespace: &str,
    words: &[String],
    kind: &str,
    api_version: &str,
) -> CliResult<Object> {
    let required = |text: &str| CliError::user(format!("object {text}"));
    let name = words.first().ok_or_else(|| required("name is required"))?;
    if kind.is_empty() {
        return Err(required("kind is required (--kind)"));
    }
    if api_version.is_empty() {
        return Err(required("apiVersion is required (--api-version)"));
    }
    if api_version.matches('/').count() > 1 {
        return Err(CliError::user(format!(
            "invaild apiVersion: unexpected GroupVersion string: {api_version}"
        )));
    }
    let failed = |error: cluster::Error| CliError::from(error).context("failed to find object");
    let gvk = Gvk::from_api_version(api_version, kind);
    let discovery = cluster.discovery().await.map_err(failed)?;
    let resource = discovery
        .resources
        .iter()
        .find(|r| {
            let same_kind = r.gvk.kind == kind || r.gvk.kind.to_lowercase() == kind;
            r.gvk.group == gvk.group && r.gvk.version == gvk.version && same_kind
        })
        .ok_or_else(|| {
            failed(cluster::Error::NoMatch {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            })
        })?;
    let namespace = if resource.namespaced { namespace } else { "" };
    let target = Target::new(resource, namespace, name);
    let mut object = cluster.get(&target).await.map_err(failed)?;
    object.set(&["kind"], kind);
    Ok(object)
}

/// Finds a resource by a word such as `deploy`, `deployments.apps` or `deployments.v1.apps`.
fn find<'a>(discovery: &'a Discovery, word: &str) -> Option<&'a Arc<ApiResource>> {
    let word = word.to_lowercase();
    let (name, group) = word.split_once('.').unwrap_or((&word, ""));
    let named = |r: &ApiResource| {
        r.plural == name
            || r.singular == name
            || r.gvk.kind.to_lowercase() == name
            || r.short_names.iter().any(|short| short == name)
    };
    let grouped = |r: &ApiResource| {
        let versioned = format!("{}.{}", r.gvk.version, r.gvk.group);
        group.is_empty()
            || r.gvk.group == group
            || r.gvk.group.starts_with(&format!("{group}."))
            || versioned == group
    };
    discovery.resources.iter().find(|r| named(r) && grouped(r))
}

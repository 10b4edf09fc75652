//! The text of a trace: a block of `Key: value` lines for each link of the chain.

use cluster::Cluster;
use objects::{Object, Value};

use crate::error::{CliError, CliResult};
use crate::flux_object::condition;
use crate::kinds::{self, FluxKind};

/// Width of the key column in a Kustomization's trace.
const WIDE: usize = 17;
/// Width of the key column in a HelmRelease's trace.
const NARROW: usize = 16;

/// Lines, each with its key padded to a width.
struct Text(String);

impl Text {
    /// Starts with the object that is traced.
    fn new(object: &Object, width: usize) -> Self {
        let mut text = Self(String::new());
        text.line(
            width,
            "Object",
            &format!("{}/{}", object.kind(), object.name()),
        );
        text.optional(width, "Namespace", object.namespace());
        text.line(width, "Status", "Managed by Flux");
        text
    }

    fn line(&mut self, width: usize, key: &str, value: &str) {
        self.0
            .push_str(&format!("\n{:width$}{value}", format!("{key}:")));
    }

    fn optional(&mut self, width: usize, key: &str, value: &str) {
        if !value.is_empty() {
            self.line(width, key, value);
        }
    }

    fn block(&mut self, width: usize, object: &Object) {
        self.0.push_str("\n---");
        self.line(width, object.kind(), object.name());
        self.line(width, "Namespace", object.namespace());
    }

    fn status(&mut self, width: usize, object: &Object, tell_failure: bool) {
        let Some(ready) = condition(object, "Ready") else {
            self.line(width, "Status", "Unknown");
            return;
        };
        let words = match ready.status {
            "False" if tell_failure => "Last reconciliation failed at",
            _ => "Last reconciled at",
        };
        let time = go_time(object);
        self.line(width, "Status", &format!("{words} {time}"));
        self.line(width, "Message", ready.message);
    }

    /// Adds a block for a source of any kind.
    fn source(&mut self, width: usize, source: &Object, with_origin: bool) {
        let text = |path: &[&str]| source.str_at(path).to_owned();
        self.block(width, source);
        if source.kind() == "ExternalArtifact" {
            let part = |key: &str| text(&["spec", "sourceRef", key]);
            let parts = [part("kind"), part("namespace"), part("name")];
            self.line(width, "Source", &parts.join("/"));
        } else {
            self.line(width, "URL", &text(&["spec", "url"]));
        }
        let candidates: &[(&str, &str)] = match source.kind() {
            "GitRepository" => &[("tag", "Tag"), ("semver", "Tag"), ("branch", "Branch")],
            "OCIRepository" => &[("tag", "Tag"), ("semver", "Tag"), ("digest", "Digest")],
            _ => &[],
        };
        let reference = candidates
            .iter()
            .map(|(field, key)| (key, text(&["spec", "ref", field])))
            .find(|(_, value)| !value.is_empty());
        if let Some((key, value)) = reference {
            self.line(width, key, &value);
        }
        if source.get(&["status", "artifact"]).is_some() {
            self.line(
                width,
                "Revision",
                &text(&["status", "artifact", "revision"]),
            );
            if with_origin && source.kind() != "GitRepository" {
                self.origin(source);
            }
        }
        self.status(width, source, source.kind() != "HelmRepository");
    }

    /// Adds where an OCI artifact was built from; what is missing leaves an empty line, as upstream does.
    fn origin(&mut self, source: &Object) {
        let Some(metadata) = source.get(&["status", "artifact", "metadata"]) else {
            return;
        };
        for (key, annotation) in [
            ("Origin Revision: ", "org.opencontainers.image.revision"),
            ("Origin Source:   ", "org.opencontainers.image.source"),
        ] {
            self.0.push('\n');
            if let Some(value) = metadata.get(annotation).and_then(Value::as_str) {
                self.0.push_str(key);
                self.0.push_str(value);
            }
        }
    }

    fn end(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

/// Returns when the Ready condition changed, as Go prints times.
fn go_time(object: &Object) -> String {
    let conditions = object
        .get(&["status", "conditions"])
        .and_then(Value::as_array);
    let time = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready")
        .and_then(|condition| condition["lastTransitionTime"].as_str())
        .unwrap_or_default();
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}

async fn find(
    cluster: &dyn Cluster,
    kind: &FluxKind,
    namespace: &str,
    name: &str,
) -> CliResult<Object> {
    let words = match kind.kind {
        "Kustomization" => "kustomization",
        kind => kind,
    };
    cluster
        .get(&kind.target(namespace, name))
        .await
        .map_err(|error| CliError::from(error).context(format_args!("failed to find {words}")))
}

/// Follows a source reference to its object; kinds that a trace does not show are left out.
async fn referred(
    cluster: &dyn Cluster,
    object: &Object,
    path: &[&str],
    shown: &[&'static FluxKind],
) -> CliResult<Option<Object>> {
    let text = |key: &str| object.str_at(&[path, &[key]].concat());
    let Some(kind) = shown.iter().find(|kind| kind.kind == text("kind")) else {
        return Ok(None);
    };
    let namespace = match text("namespace") {
        "" => object.namespace(),
        namespace => namespace,
    };
    let source = find(cluster, kind, namespace, text("name")).await?;
    if kind.kind == "ExternalArtifact" && source.get(&["spec", "sourceRef"]).is_none() {
        return Err(CliError::cluster(format!(
            "ExternalArtifact {namespace}/{} is missing spec.sourceRef",
            source.name()
        )));
    }
    Ok(Some(source))
}

/// Reports an object that a Kustomization applied.
pub async fn kustomization(
    cluster: &dyn Cluster,
    object: &Object,
    namespace: &str,
    name: &str,
) -> CliResult<String> {
    let owner = find(cluster, &kinds::KUSTOMIZATION, namespace, name).await?;
    let shown = [
        &kinds::GIT_REPOSITORY,
        &kinds::OCI_REPOSITORY,
        &kinds::EXTERNAL_ARTIFACT,
    ];
    let source = referred(cluster, &owner, &["spec", "sourceRef"], &shown).await?;
    let mut text = Text::new(object, WIDE);
    text.block(WIDE, &owner);
    text.optional(WIDE, "Target", owner.str_at(&["spec", "targetNamespace"]));
    text.line(WIDE, "Path", owner.str_at(&["spec", "path"]));
    text.line(
        WIDE,
        "Revision",
        owner.str_at(&["status", "lastAppliedRevision"]),
    );
    text.status(WIDE, &owner, false);
    if let Some(source) = source {
        text.source(WIDE, &source, true);
    }
    Ok(text.end())
}

/// Reports an object that a HelmRelease installed.
pub async fn helm_release(
    cluster: &dyn Cluster,
    object: &Object,
    namespace: &str,
    name: &str,
) -> CliResult<String> {
    let release = find(cluster, &kinds::HELM_RELEASE, namespace, name).await?;
    let chart = match release.str_at(&["status", "helmChart"]).split_once('/') {
        Some((namespace, name)) => Some(find(cluster, &kinds::HELM_CHART, namespace, name).await?),
        None => None,
    };
    let from_chart = release.get(&["spec", "chart"]).is_some();
    let source = match from_chart {
        true => {
            let shown = [&kinds::GIT_REPOSITORY, &kinds::HELM_REPOSITORY];
            referred(
                cluster,
                &release,
                &["spec", "chart", "spec", "sourceRef"],
                &shown,
            )
            .await?
        }
        false => {
            let shown = [&kinds::OCI_REPOSITORY, &kinds::EXTERNAL_ARTIFACT];
            referred(cluster, &release, &["spec", "chartRef"], &shown).await?
        }
    };
    let mut text = Text::new(object, NARROW);
    text.block(NARROW, &release);
    text.optional(
        NARROW,
        "Target",
        release.str_at(&["spec", "targetNamespace"]),
    );
    text.line(
        NARROW,
        "Revision",
        release.str_at(&["status", "lastAttemptedRevision"]),
    );
    text.status(NARROW, &release, false);
    if let Some(chart) = &chart {
        text.block(NARROW, chart);
        text.line(NARROW, "Chart", chart.str_at(&["spec", "chart"]));
        text.line(NARROW, "Version", chart.str_at(&["spec", "version"]));
        if chart.get(&["status", "artifact"]).is_some() {
            text.line(
                NARROW,
                "Revision",
                chart.str_at(&["status", "artifact", "revision"]),
            );
        }
        text.status(NARROW, chart, false);
    }
    if let Some(source) = &source {
        // Upstream aligns each kind's block to the length of its own name.
        let width = match source.kind() {
            "GitRepository" => 15,
            "HelmRepository" => NARROW,
            _ => WIDE,
        };
        text.source(width, source, false);
    }
    Ok(text.end())
}

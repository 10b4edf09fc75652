//! Which columns a kind's table has, and what stands in them.

use objects::{Object, Value};

use crate::flux_object::{
    artifact_revision, helm_release_revision, is_static, is_suspended, ready_and_message,
    truncate_hex,
};
use crate::kinds::FluxKind;

/// Columns that depend on flags.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// A namespace column first.
    pub with_namespace: bool,
    /// `kind/name` instead of the name.
    pub with_kind: bool,
    /// A source column after the name.
    pub with_source: bool,
}

/// Returns the titles of a kind's columns.
pub fn header(kind: &FluxKind, shape: Shape) -> Vec<&'static str> {
    let middle: &[&str] = match kind.kind {
        "ExternalArtifact" => &["Revision", "Source"],
        "ImageRepository" => &["Last scan", "Suspended"],
        "ImageUpdateAutomation" => &["Last run", "Suspended"],
        "ImagePolicy" => &["Image", "Tag"],
        "Receiver" | "Alert" | "ArtifactGenerator" => &["Suspended"],
        "Provider" => &[],
        _ => &["Revision", "Suspended"],
    };
    let mut titles = Vec::new();
    if shape.with_namespace {
        titles.push("Namespace");
    }
    titles.push("Name");
    if shape.with_source {
        titles.push("Source");
    }
    titles.extend(middle);
    titles.extend(["Ready", "Message"]);
    titles
}

/// Returns the cells of one object.
pub fn row(kind: &FluxKind, object: &Object, shape: Shape) -> Vec<String> {
    let mut cells = Vec::new();
    if shape.with_namespace {
        cells.push(object.namespace().to_owned());
    }
    cells.push(match shape.with_kind {
        true => format!("{}/{}", object.kind().to_lowercase(), object.name()),
        false => object.name().to_owned(),
    });
    if shape.with_source {
        cells.push(source(kind, object));
    }
    cells.extend(middle(kind, object));
    let (ready, message) = ready(kind, object);
    cells.extend([ready, message]);
    cells
}

fn middle(kind: &FluxKind, object: &Object) -> Vec<String> {
    let text = |path: &[&str]| object.str_at(path).to_owned();
    let suspended = title_bool(is_suspended(object));
    match kind.kind {
        "Kustomization" => {
            let revision = object.str_at(&["status", "lastAppliedRevision"]);
            vec![truncate_hex(revision), suspended]
        }
        "HelmRelease" => vec![helm_release_revision(object).to_owned(), suspended],
        // The revision is a semantic version, which is never cut.
        "HelmChart" => vec![artifact_revision(object).to_owned(), suspended],
        "ExternalArtifact" => vec![
            truncate_hex(artifact_revision(object)),
            match object.get(&["spec", "sourceRef"]) {
                Some(reference) => joined_reference(reference, ""),
                None => String::new(),
            },
        ],
        "ImageRepository" => vec![text(&["status", "lastScanResult", "scanTime"]), suspended],
        "ImageUpdateAutomation" => vec![text(&["status", "lastAutomationRunTime"]), suspended],
        "ImagePolicy" => vec![
            text(&["status", "latestRef", "name"]),
            text(&["status", "latestRef", "tag"]),
        ],
        "Receiver" | "Alert" => vec![suspended],
        "ArtifactGenerator" => {
            let key = "source.extensions.fluxcd.io/reconcile";
            vec![title_bool(
                object
                    .annotation(key)
                    .is_some_and(|value| value.eq_ignore_ascii_case("disabled")),
            )]
        }
        "Provider" => Vec::new(),
        _ => vec![truncate_hex(artifact_revision(object)), suspended],
    }
}

fn ready(kind: &FluxKind, object: &Object) -> (String, String) {
    if is_static(kind, object) {
        let words = match kind.kind {
            "HelmRepository" => "Helm repository",
            other => other,
        };
        return ("True".to_owned(), format!("{words} is Ready"));
    }
    let (ready, message) = ready_and_message(object);
    let cut = matches!(
        kind.kind,
        "Kustomization"
            | "GitRepository"
            | "OCIRepository"
            | "Bucket"
            | "HelmRepository"
            | "HelmChart"
            | "ExternalArtifact"
    );
    (ready, if cut { truncate_hex(&message) } else { message })
}

fn source(kind: &FluxKind, object: &Object) -> String {
    let reference = match kind.kind {
        "HelmRelease" => object
            .get(&["spec", "chartRef"])
            .or_else(|| object.get(&["spec", "chart", "spec", "sourceRef"])),
        _ => object.get(&["spec", "sourceRef"]),
    };
    reference
        .map(|reference| joined_reference(reference, object.namespace()))
        .unwrap_or_default()
}

fn joined_reference(reference: &Value, default_namespace: &str) -> String {
    let text = |key: &str| reference[key].as_str().unwrap_or_default();
    let namespace = match text("namespace") {
        "" => default_namespace,
        namespace => namespace,
    };
    format!("{}/{namespace}/{}", text("kind"), text("name"))
}

fn title_bool(value: bool) -> String {
    if value { "True" } else { "False" }.to_owned()
}

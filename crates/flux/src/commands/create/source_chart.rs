//! `flux create source chart`.

use objects::{Map, Object, json};

use super::apply_source::{Words, apply_source};
use super::helm_reference::{ChartSource, Verify, chart_source};
use super::{Shared, object_name, set_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::HELM_CHART;
use crate::manifest;

/// Arguments of `flux create source chart`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the HelmChart.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Name of the chart, or its path in a Git repository or bucket.
    #[arg(long, default_value = "", hide_default_value = true)]
    chart: String,
    /// Version, or range of versions.
    #[arg(long, default_value = "", hide_default_value = true)]
    chart_version: String,
    /// Where the chart is: KIND/NAME of a HelmRepository, GitRepository or Bucket.
    #[arg(long, value_parser = chart_source)]
    source: Option<ChartSource>,
    /// What makes a new artifact: ChartVersion or Revision.
    #[arg(long, default_value = "ChartVersion")]
    reconcile_strategy: String,
    #[command(flatten)]
    verify: Verify,
}

const WORDS: Words = Words {
    what: "HelmChart source",
    outcome: "source",
    missing: "HelmChart source reconciliation completed but no artifact was found",
    has_artifact: true,
};

/// Prints the HelmChart, or applies it and waits for its artifact.
pub fn run(ctx: &Context, shared: &Shared, args: Args) -> CliResult {
    let name = object_name(&args.names)?;
    let Some(source) = &args.source else {
        return Err(CliError::user("chart source is required"));
    };
    if args.chart.is_empty() {
        return Err(CliError::user("chart name or path is required"));
    }
    ctx.out.generate("generating HelmChart source");
    let mut object = Object::new(&HELM_CHART.gvk(), ctx.namespace(), name);
    let labels = shared.labels()?;
    if !labels.is_empty() {
        object.set(&["metadata", "labels"], labels);
    }
    let mut spec = Map::new();
    set_text(&mut spec, "chart", &args.chart);
    set_text(&mut spec, "version", &args.chart_version);
    set_text(&mut spec, "reconcileStrategy", &args.reconcile_strategy);
    spec.insert("interval".to_owned(), shared.interval.to_string().into());
    let reference = json!({"kind": source.kind, "name": source.name});
    spec.insert("sourceRef".to_owned(), reference);
    if let Some(verify) = args.verify.spec().map_err(CliError::user)? {
        spec.insert("verify".to_owned(), verify.into());
    }
    object.set(&["spec"], spec);
    if shared.export {
        ctx.out.data(&manifest::document(&object.into_value())?);
        return Ok(());
    }
    ctx.block_on(apply_source(ctx, &HELM_CHART, &WORDS, &object))
}

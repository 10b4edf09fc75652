//! `flux helm lint`: a chart is loaded, rendered and its documents read; faults are listed.

use helm::Release;
use helm::action::{Options, render_release};
use helm::capabilities::Capabilities;

use super::chart::{ValueFlags, helm_version, load, read_text, world};
use crate::context::Context;

/// Arguments of `flux helm lint`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The charts' directories or archives.
    #[arg(value_name = "CHART", default_value = ".")]
    charts: Vec<String>,
    #[command(flatten)]
    values: ValueFlags,
    /// Missing values are faults.
    #[arg(long)]
    strict: bool,
    /// Do not check values against schemas.
    #[arg(long)]
    skip_schema_validation: bool,
    /// Version of Helm to follow: 3 or 4.
    #[arg(long, value_name = "VERSION", default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=4))]
    helm_version: u8,
}

/// Checks every chart and counts.
pub fn run(ctx: &Context, args: &Args) -> Result<(), String> {
    let mut failed = 0;
    for path in &args.charts {
        ctx.out.data(&format!("==> Linting {path}\n"));
        match lint(args, path) {
            Ok(warnings) => warnings
                .iter()
                .for_each(|text| ctx.out.data(&format!("[WARNING] {text}\n"))),
            Err(error) => {
                failed += 1;
                ctx.out.data(&format!("[ERROR] {error}\n"));
            }
        }
        ctx.out.data("\n");
    }
    let total = args.charts.len();
    let summary = format!("{total} chart(s) linted, {failed} chart(s) failed");
    if failed > 0 {
        return Err(summary);
    }
    ctx.out.data(&format!("{summary}\n"));
    Ok(())
}

fn lint(args: &Args, path: &str) -> Result<Vec<String>, String> {
    let version = helm_version(args.helm_version);
    let user = args.values.read()?.merge(version, &read_text)?;
    let chart = load(path, version).map_err(|error| format!("Chart.yaml: {error}"))?;
    let mut warnings = Vec::new();
    if chart.metadata.icon.is_empty() {
        warnings.push("Chart.yaml: icon is recommended".to_owned());
    }
    if chart.is_library() {
        return Ok(warnings);
    }
    let options = Options {
        release: Release {
            name: "test-release".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            is_upgrade: false,
        },
        capabilities: Capabilities::offline(version),
        include_crds: true,
        skip_schema: args.skip_schema_validation,
        sub_notes: true,
        strict: args.strict,
    };
    let mut world = world();
    world.lint = true;
    let rendered = render_release(chart, &user, &options, &world)
        .map_err(|error| format!("templates/: {error}"))?;
    warnings.extend(rendered.warnings);
    Ok(warnings)
}

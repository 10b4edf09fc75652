//! `flux helm show`: parts of a chart as they stand in it.

use helm::Version;
use helm::chart::Chart;

use super::chart::{helm_version, load_any, tell};
use super::location::{Debug, LocationFlags};
use crate::context::Context;

/// Arguments of `flux helm show`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to print: all, chart, values, readme or crds.
    #[arg(value_name = "PART")]
    part: Option<String>,
    /// The chart's directory or archive.
    #[arg(value_name = "CHART")]
    charts: Vec<String>,
    /// Tell what is being done.
    #[arg(long)]
    debug: bool,
    /// Version of Helm to follow: 3 or 4.
    #[arg(long, value_name = "VERSION", default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=4))]
    helm_version: u8,
    #[arg(long, hide = true)]
    jsonpath: Option<String>,
    #[command(flatten)]
    location: LocationFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Everything.
    All,
    /// Chart.yaml.
    Chart,
    /// values.yaml.
    Values,
    /// The README.
    Readme,
    /// Custom resource definitions.
    Crds,
}

const READMES: [&str; 3] = ["readme.md", "readme.txt", "readme"];

const HELP: &str = "
This command consists of multiple subcommands to display information about a chart

Usage:
  flux helm show [command]

Available Commands:
  all         show all information of the chart
  chart       show the chart's definition
  crds        show the chart's CRDs
  readme      show the chart's README
  values      show the chart's values
";

/// Prints the part.
pub fn run(ctx: &Context, args: &Args) -> Result<(), String> {
    let name = args.part.as_deref().unwrap_or_default();
    let part = match name {
        "all" => Part::All,
        "chart" => Part::Chart,
        "values" => Part::Values,
        "readme" => Part::Readme,
        "crds" => Part::Crds,
        _ => {
            ctx.out.data(HELP);
            return Ok(());
        }
    };
    let [path] = &args.charts[..] else {
        return Err(format!(
            "\"helm show {name}\" requires 1 argument\n\nUsage:  helm show {name} [CHART] [flags]"
        ));
    };
    if args.jsonpath.is_some() {
        return Err("--jsonpath is not supported".to_owned());
    }
    let version = helm_version(args.helm_version);
    if args.debug {
        let text = args.location.version.clone();
        let debug = Debug::new(ctx, version);
        debug.tell("original chart version", &[("version", text)]);
    }
    let place = args.location.locate(ctx, path, version)?;
    let mut notes = Vec::new();
    let chart = load_any(&place, version, &mut notes);
    tell(ctx, version, &notes);
    let chart = chart?;
    let wanted = |one: Part| part == one || part == Part::All;
    let mut out = String::new();
    if wanted(Part::Chart) {
        let text =
            kyaml::emit_sigs(&chart.metadata.to_json()).map_err(|error| error.to_string())?;
        out.push_str(&text);
        out.push('\n');
    }
    let has_values = chart.raw.iter().any(|file| file.name == "values.yaml");
    if wanted(Part::Values) && has_values {
        separate(&mut out, part);
        for file in chart.raw.iter().filter(|file| file.name == "values.yaml") {
            out.push_str(&String::from_utf8_lossy(&file.data));
            out.push('\n');
        }
    }
    if wanted(Part::Readme)
        && let Some(text) = readme(&chart)
    {
        separate(&mut out, part);
        out.push_str(&text);
        out.push('\n');
    }
    if wanted(Part::Crds) {
        for (index, crd) in chart.crds().iter().enumerate() {
            let text = String::from_utf8_lossy(&crd.data);
            let marked = match version {
                Version::V3 => index == 0 && part == Part::All,
                Version::V4 => true,
            };
            if marked && !text.starts_with("---") {
                out.push_str("---\n");
            }
            out.push_str(&text);
            out.push('\n');
        }
    }
    ctx.out.data(&out);
    Ok(())
}

fn separate(out: &mut String, part: Part) {
    if part == Part::All {
        out.push_str("---\n");
    }
}

fn readme(chart: &Chart) -> Option<String> {
    let found = chart
        .files
        .iter()
        .find(|file| READMES.contains(&file.name.to_lowercase().as_str()))?;
    Some(String::from_utf8_lossy(&found.data).into_owned())
}

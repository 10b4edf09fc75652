//! `flux helm show`: parts of a chart as they stand in it.

use helm::chart::Chart;

use super::chart::load;
use crate::context::Context;

/// Arguments of `flux helm show`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to print.
    #[arg(value_enum)]
    part: Part,
    /// The chart's directory or archive.
    #[arg(value_name = "CHART")]
    chart: String,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
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

const READMES: [&str; 4] = ["readme.md", "readme.txt", "readme.adoc", "readme"];

/// Prints the part.
pub fn run(ctx: &Context, args: &Args) -> Result<(), String> {
    let chart = load(&args.chart, helm::Version::V4)?;
    let wanted = |part: Part| args.part == part || args.part == Part::All;
    let mut out = String::new();
    if wanted(Part::Chart) {
        let text =
            kyaml::emit_sigs(&chart.metadata.to_json()).map_err(|error| error.to_string())?;
        out.push_str(&text);
    }
    if wanted(Part::Values) {
        separate(&mut out, args.part);
        for file in chart.raw.iter().filter(|file| file.name == "values.yaml") {
            out.push_str(&String::from_utf8_lossy(&file.data));
            out.push('\n');
        }
    }
    if wanted(Part::Readme)
        && let Some(text) = readme(&chart)
    {
        separate(&mut out, args.part);
        out.push_str(&text);
        out.push('\n');
    }
    if wanted(Part::Crds) {
        for crd in chart.crds() {
            let text = String::from_utf8_lossy(&crd.data);
            let mark = if text.starts_with("---") { "" } else { "---\n" };
            out.push_str(&format!("{mark}{text}\n"));
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

//! `flux helm template`: what `helm template` prints, with its flags.

use helm::action::{ActionError, Options, PrintOptions, print, render_release};
use helm::capabilities::Capabilities;
use helm::explain::{Explanation, explain};
use helm::origin::Sources;
use helm::{Release, Version};

use super::chart::{ValueFlags, helm_version, kube_version, load, read_text, warn, world};
use crate::context::Context;

/// Arguments of `flux helm template`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the release (release-name by default), and the chart's directory or archive.
    #[arg(value_name = "[NAME] CHART", required = true, num_args = 1..=2)]
    words: Vec<String>,
    #[command(flatten)]
    values: ValueFlags,
    /// Template of the release's name.
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// Print custom resource definitions too.
    #[arg(long)]
    include_crds: bool,
    /// Print only these templates (path inside the chart, may be a glob).
    #[arg(short = 's', long, value_name = "PATH")]
    show_only: Vec<String>,
    /// Leave hooks out.
    #[arg(long)]
    no_hooks: bool,
    /// Leave test hooks out.
    #[arg(long)]
    skip_tests: bool,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall.
    #[arg(long)]
    is_upgrade: bool,
    /// Kubernetes version that templates see.
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// API versions that templates see besides the built-in ones.
    #[arg(short = 'a', long, value_name = "VERSIONS", value_delimiter = ',')]
    api_versions: Vec<String>,
    /// Do not check values against schemas.
    #[arg(long)]
    skip_schema_validation: bool,
    /// Print the notes instead of the manifests.
    #[arg(long)]
    notes: bool,
    /// Join the notes of all charts.
    #[arg(long)]
    render_subchart_notes: bool,
    /// Print what was rendered even where it is not valid YAML.
    #[arg(long)]
    debug: bool,
    /// Version of Helm to follow: 3 or 4.
    #[arg(long, value_name = "VERSION", default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=4))]
    helm_version: u8,
}

/// Renders and prints a chart.
pub fn run(ctx: &Context, args: &Args) -> Result<(), String> {
    let version = helm_version(args.helm_version);
    let (name, path) = match args.words.as_slice() {
        [path] => (None, path),
        [name, path, ..] => (Some(name), path),
        [] => return Err("\"flux helm template\" requires at least 1 argument".to_owned()),
    };
    let given = args.values.read()?;
    let user = given.merge(version, &read_text)?;
    let chart = load(path, version)?;
    let world = world();
    let name = match (&args.name_template, name) {
        (Some(template), _) => helm::template::render_name(template, version, &world)?,
        (None, Some(name)) => name.clone(),
        (None, None) => "release-name".to_owned(),
    };
    let options = Options {
        release: Release {
            name,
            namespace: ctx
                .settings
                .namespace_flag
                .clone()
                .unwrap_or_else(|| "default".to_owned()),
            revision: 1,
            is_upgrade: args.is_upgrade,
        },
        capabilities: capabilities(args, version)?,
        include_crds: args.include_crds,
        skip_schema: args.skip_schema_validation,
        sub_notes: args.render_subchart_notes,
        strict: false,
    };
    let rendered = render_release(chart.clone(), &user, &options, &world).map_err(|error| {
        let sources = Sources {
            chart: &chart,
            user: &given,
            version,
        };
        let text = match &error {
            ActionError::Invalid { manifest, .. } if args.debug => {
                ctx.out.data(&format!("{}\n", manifest.trim()));
                error.to_string()
            }
            ActionError::Invalid { .. } => {
                format!("{error}\n\nUse --debug flag to render out invalid YAML")
            }
            _ => error.to_string(),
        };
        with_explanation(text, &explain(&error, &sources))
    })?;
    for warning in &rendered.warnings {
        warn(ctx, version, warning);
    }
    if args.notes {
        ctx.out.data(&rendered.notes);
        return Ok(());
    }
    let options = PrintOptions {
        no_hooks: args.no_hooks,
        skip_tests: args.skip_tests,
        show_only: args.show_only.clone(),
    };
    ctx.out.data(&print(&rendered, &options, version)?);
    Ok(())
}

/// Helm's text, and below it what else is known.
fn with_explanation(text: String, explanation: &Explanation) -> String {
    if explanation.is_empty() {
        return text;
    }
    let below = explanation.to_string();
    format!("{}\n\n{}", text.trim_end_matches('\n'), below.trim_end())
}

fn capabilities(args: &Args, version: Version) -> Result<Capabilities, String> {
    let mut capabilities = Capabilities::offline(version);
    if let Some(version) = kube_version(args.kube_version.as_deref(), version)? {
        capabilities.kube_version = version;
    }
    capabilities
        .api_versions
        .extend(args.api_versions.iter().cloned());
    Ok(capabilities)
}

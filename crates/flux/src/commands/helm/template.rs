//! `flux helm template`: what `helm template` prints, with its flags.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use helm::action::{
    ActionError, DEPENDENCIES_FAILED, Options, PrintOptions, Rendered, check_installable, pieces,
    print, render_release,
};
use helm::capabilities::Capabilities;
use helm::chart::Chart;
use helm::explain::{Explanation, explain};
use helm::note::log_text;
use helm::origin::Sources;
use helm::{Release, Version};

use super::chart::{
    ValueFlags, helm_version, io_text, kube_version, load, read_text, tell, tell_all, world,
};
use super::fetch::Fetcher;
use super::install_flags::InstallFlags;
use super::location::{Debug, LocationFlags};
use crate::context::Context;

/// Arguments of `flux helm template`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the release (release-name by default), and the chart's directory or archive.
    #[arg(value_name = "[NAME] CHART")]
    words: Vec<String>,
    #[command(flatten)]
    values: ValueFlags,
    #[command(flatten)]
    location: LocationFlags,
    #[command(flatten)]
    install: InstallFlags,
    /// Template of the release's name.
    #[arg(
        long,
        value_name = "TEMPLATE",
        default_value = "",
        hide_default_value = true
    )]
    name_template: String,
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
    #[arg(short = 'a', long, value_name = "VERSIONS")]
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
    if args.words.is_empty() {
        return Err("\"helm template\" requires at least 1 argument\n\nUsage:  helm template [NAME] [CHART] [flags]".to_owned());
    }
    let capabilities = capabilities(args, version)?;
    if version == Version::V4 {
        args.install.dry_run(ctx, version)?;
    }
    let (name, path) = words(args)?;
    let mut world = world();
    world.debug = args.debug;
    world.schemas = Some(Arc::<Fetcher>::default());
    let name = match args.name_template.as_str() {
        "" => name.to_owned(),
        template => helm::template::render_name(template, version, &world)?,
    };
    let sub_notes = args.render_subchart_notes;
    args.install.check()?;
    let debug = args.debug.then(|| Debug::new(ctx, version));
    let place = args.location.locate_telling(ctx, path, version, debug)?;
    let given = args.values.read(version)?;
    let user = given.merge(version, &read_text)?;
    let mut notes = Vec::new();
    let chart = load(&place, version, &mut notes);
    tell(ctx, version, &notes);
    let chart = chart?;
    check_chart(ctx, args, &chart, version)?;
    if version == Version::V3 {
        args.install.dry_run(ctx, version)?;
    }
    check_name(ctx, &name, version)?;
    let options = Options {
        release: Release {
            name,
            namespace: ctx
                .settings
                .namespace_flag
                .clone()
                .filter(|namespace| !namespace.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
            revision: 1,
            is_upgrade: args.is_upgrade,
        },
        capabilities,
        include_crds: args.include_crds,
        skip_schema: args.skip_schema_validation,
        sub_notes,
        strict: false,
    };
    let rendered = render_release(chart.clone(), &user, &options, &world);
    tell_all(ctx, version, &world);
    let rendered = rendered.map_err(|error| {
        let sources = Sources {
            chart: &chart,
            user: &given,
            version,
        };
        let text = failure(ctx, args, &error);
        with_explanation(text, &explain(&error, &sources))
    })?;
    if args.notes {
        ctx.out.data(&rendered.notes);
        return Ok(());
    }
    let mut out = Printer {
        ctx,
        args,
        release: &options.release.name,
    };
    if let Some(directory) = &args.install.output_dir {
        return out.write(&rendered, directory);
    }
    let options = PrintOptions {
        no_hooks: args.no_hooks,
        skip_tests: args.skip_tests,
        show_only: args.show_only.clone(),
    };
    if options.show_only.is_empty() {
        let mut out = ctx.out.data_writer();
        for piece in pieces(&rendered, &options) {
            let _closed_pipe = out.write_all(piece.as_bytes());
        }
        let _closed_pipe = out.flush();
    } else {
        ctx.out.data(&print(&rendered, &options, version)?);
    }
    // The process ends here: taking the trees apart would cost a tenth of its time.
    std::mem::forget((chart, rendered));
    Ok(())
}

/// The release's name and the chart's place.
fn words(args: &Args) -> Result<(&str, &str), String> {
    let (name, path) = match args.words.as_slice() {
        [] => return Ok(("release-name", "")),
        [path] => return Ok(("release-name", path)),
        [name, path] => (name, path),
        [_, _, rest @ ..] => {
            return Err(format!(
                "expected at most two arguments, unexpected arguments: {}",
                rest.join(", ")
            ));
        }
    };
    let fixed = [
        (args.install.generate_name, "--generate-name"),
        (!args.name_template.is_empty(), "--name-template"),
    ];
    match fixed.iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(format!("cannot set {flag} and also specify a name")),
        None => Ok((name, path)),
    }
}

/// What is wrong with a chart before it is rendered.
fn check_chart(ctx: &Context, args: &Args, chart: &Chart, version: Version) -> Result<(), String> {
    let missing = !helm::dependencies::missing(chart).is_empty();
    if missing && args.install.dependency_update {
        return Err("--dependency-update is not supported: charts are not fetched, and declared ones are missing".to_owned());
    }
    if chart.metadata.deprecated {
        ctx.out.note(match version {
            Version::V3 => "WARNING: This chart is deprecated",
            Version::V4 => "level=WARN msg=\"this chart is deprecated\"",
        });
    }
    // The command line has words of its own for missing charts.
    let own = match version {
        Version::V3 => "An error occurred",
        Version::V4 => "an error occurred",
    };
    check_installable(chart).map_err(|error| match error.strip_prefix("an error occurred") {
        Some(rest) if version == Version::V4 => format!("{own}{}", rest.replace('`', "'")),
        Some(rest) => format!("{own}{rest}"),
        None => error,
    })
}

fn check_name(ctx: &Context, name: &str, version: Version) -> Result<(), String> {
    let Err(error) = helm::release::check_name(name) else {
        return Ok(());
    };
    match version {
        Version::V3 => Err(error),
        Version::V4 => {
            const TITLE: &str = "release name check failed";
            let (title, text) = (log_text(TITLE), log_text(&error));
            ctx.out
                .note(&format!("level=ERROR msg={title} error={text}"));
            Err(format!("{TITLE}: {error}"))
        }
    }
}

/// Helm's text for a failed release; what fails after the release was made gets a hint.
fn failure(ctx: &Context, args: &Args, error: &ActionError) -> String {
    const KUBE: &str = "chart requires kubeVersion: ";
    let text = error.to_string();
    if let Some(("", cause)) = text.split_once(DEPENDENCIES_FAILED) {
        let cause = log_text(cause.trim_start_matches(": "));
        let line = format!("level=ERROR msg=\"{DEPENDENCIES_FAILED}\" error={cause}");
        ctx.out.note(&line);
    }
    let manifest = match error {
        ActionError::Invalid { manifest, .. } => manifest.as_str(),
        ActionError::Template { .. } => "",
        ActionError::Failed(text) if text.starts_with(KUBE) => "",
        _ => return error.to_string(),
    };
    if args.debug {
        ctx.out.data(&format!("{}\n", manifest.trim()));
        return error.to_string();
    }
    format!("{error}\n\nUse --debug flag to render out invalid YAML")
}

/// Where manifests go.
struct Printer<'p> {
    ctx: &'p Context,
    args: &'p Args,
    release: &'p str,
}

impl Printer<'_> {
    /// Writes every manifest to a file of its template's name.
    fn write(&mut self, rendered: &Rendered, directory: &str) -> Result<(), String> {
        let root = if self.args.install.release_name {
            format!("{directory}/{}", self.release)
        } else {
            directory.to_owned()
        };
        let mut written = BTreeSet::new();
        let crds = rendered.chart.iter().flat_map(Chart::crds);
        for crd in crds.filter(|_| self.args.include_crds) {
            let text = String::from_utf8_lossy(&crd.data);
            let append = !written.insert(crd.path.clone());
            self.file(&root, &crd.path, &text, append)?;
        }
        for one in &rendered.manifests {
            let append = !written.insert(one.path.clone());
            self.file(&root, &one.path, &one.content, append)?;
        }
        for hook in &rendered.hooks {
            let test = hook.events.iter().any(|event| event == "test");
            if self.args.no_hooks || (self.args.skip_tests && test) {
                continue;
            }
            // Hooks join what is there, from an earlier run too, as helm has it.
            self.file(&root, &hook.path, &hook.manifest, true)?;
        }
        self.ctx.out.data("\n");
        Ok(())
    }

    fn file(&self, root: &str, name: &str, text: &str, append: bool) -> Result<(), String> {
        let path = format!("{root}/{name}");
        let failed = |error: std::io::Error| format!("open {path}: {}", io_text(&error));
        if let Some(parent) = Path::new(&path).parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true);
        options.append(append).truncate(!append);
        let mut file = options.open(&path).map_err(failed)?;
        let text = format!("---\n# Source: {name}\n{text}\n");
        file.write_all(text.as_bytes()).map_err(failed)?;
        self.ctx.out.data(&format!("wrote {path}\n"));
        Ok(())
    }
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

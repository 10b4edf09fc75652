//! `flux build helmrelease`: what a HelmRelease would install, from a chart on disk.
//!
//! Rendered as the controller renders a first installation: values composed, post-renderers run, labels of the owner
//! added. Templates that ask the cluster (`lookup`) find nothing.

use api::HelmRelease;
use helm::Version;
use helm::action::{PrintOptions, print};
use helm::capabilities::Capabilities;
use kyaml::Dialect;
use objects::Object;

use crate::commands::debug::compose_values;
use crate::commands::helm::chart::{load, locate, world};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::HELM_RELEASE;

/// Arguments of `flux build helmrelease`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the HelmRelease.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The chart: its directory or archive.
    #[arg(long, default_value = "", hide_default_value = true)]
    path: String,
    /// File with the HelmRelease; the cluster's where not given.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    helmrelease_file: String,
    /// Read nothing from a cluster; Secrets and ConfigMaps with values count as missing.
    #[arg(long)]
    dry_run: bool,
    /// Leave out hooks.
    #[arg(long)]
    no_hooks: bool,
}

/// Prints the manifests, then the hooks.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let Some(name) = args.names.first() else {
        return Err(CliError::user("helmrelease name is required"));
    };
    if args.path.is_empty() {
        return Err(CliError::user("the chart is required: --path DIR"));
    }
    if args.dry_run && args.helmrelease_file.is_empty() {
        return Err(CliError::user("dry-run mode requires a helmrelease file"));
    }
    locate(&args.path).map_err(CliError::user)?;
    let chart = load(&args.path, Version::V4).map_err(CliError::user)?;
    let (own, values) = ctx.block_on(async {
        let cluster = match args.dry_run {
            true => None,
            false => Some(ctx.cluster().await?),
        };
        let object = match (args.helmrelease_file.as_str(), &cluster) {
            ("", Some(cluster)) => {
                cluster
                    .get(&HELM_RELEASE.target(ctx.namespace(), name))
                    .await?
            }
            (file, _) => in_file(file, name, ctx.namespace())?,
        };
        let values = compose_values(cluster.as_deref(), &object).await?;
        let own = HelmRelease::from_object(&object).map_err(|e| CliError::user(e.to_string()))?;
        Ok((own, values))
    })?;
    let capabilities = Capabilities::offline(Version::V4);
    let rendered =
        controllers::helmrelease::render_offline(&own, chart, &values, capabilities, &world())
            .map_err(CliError::user)?;
    let options = PrintOptions {
        no_hooks: args.no_hooks,
        ..PrintOptions::default()
    };
    let text = print(&rendered, &options, Version::V4).map_err(CliError::user)?;
    ctx.out.data(&text);
    Ok(())
}

/// Finds the HelmRelease in a file of manifests.
fn in_file(file: &str, name: &str, namespace: &str) -> CliResult<Object> {
    let failed =
        |error: String| CliError::user(format!("invalid helmrelease file {file:?}: {error}"));
    let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let documents = kyaml::parse(&text, &kyaml::ReadOptions::v11())
        .map_err(|error| failed(error.to_string()))?;
    for document in &documents {
        let value =
            kyaml::to_json(document, Dialect::V11).map_err(|error| failed(error.to_string()))?;
        let Ok(mut object) = Object::from_value(value) else {
            continue;
        };
        let is_wanted = object.kind() == HELM_RELEASE.kind
            && object.gvk().group == HELM_RELEASE.group
            && object.name() == name
            && ["", namespace].contains(&object.namespace());
        if is_wanted {
            object.set(&["metadata", "namespace"], namespace);
            return Ok(object);
        }
    }
    Err(failed(format!(
        "no HelmRelease '{name}' in namespace '{namespace}'"
    )))
}

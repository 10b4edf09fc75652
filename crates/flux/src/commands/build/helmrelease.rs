//! `flux build helmrelease`: what a HelmRelease would install, from a chart on disk or the one in use.
//!
//! Rendered as the controller renders a first installation: values composed, post-renderers run, labels of the owner
//! added. Templates that ask the cluster (`lookup`) find nothing.

use api::HelmRelease;
use cluster::Cluster;
use controllers::helmrelease::{present_chart, render_offline};
use helm::Version;
use helm::action::{PrintOptions, print};
use helm::capabilities::Capabilities;
use helm::chart::Chart;
use kyaml::Dialect;
use objects::Object;

use crate::commands::debug::compose_values;
use crate::commands::helm::chart::{load, world};
use crate::commands::helm::location::{Located, locate_here};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::HELM_RELEASE;

/// Arguments of `flux build helmrelease`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Read nothing from a cluster; Secrets and ConfigMaps with values count as missing.
    #[arg(long)]
    dry_run: bool,
    /// Leave out hooks.
    #[arg(long)]
    no_hooks: bool,
}

/// What to build; `flux diff helmrelease` takes the same.
#[derive(clap::Args, Debug)]
pub struct What {
    /// Name of the HelmRelease.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The chart: its directory or archive; where not given, the one that the cluster's source has.
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
}

impl What {
    /// Returns the name of the HelmRelease.
    ///
    /// # Errors
    /// There is none.
    pub fn name(&self) -> CliResult<&str> {
        let name = self.names.first().map(String::as_str);
        name.ok_or_else(|| CliError::user("helmrelease name is required"))
    }

    /// Tells whether the HelmRelease comes from a file.
    pub fn is_in_file(&self) -> bool {
        !self.helmrelease_file.is_empty()
    }

    /// Loads the chart: from disk where a path was given, else from the artifact of the release's source.
    ///
    /// # Errors
    /// There is no chart, or neither a path nor a cluster.
    pub async fn chart(
        &self,
        cluster: Option<&dyn Cluster>,
        own: &HelmRelease,
    ) -> CliResult<Chart> {
        if !self.path.is_empty() {
            locate_here(&self.path).map_err(CliError::user)?;
            return load(
                &Located::Here(self.path.clone()),
                Version::V4,
                &mut Vec::new(),
            )
            .map_err(CliError::user);
        }
        let Some(cluster) = cluster else {
            return Err(CliError::user("the chart is required: --path DIR"));
        };
        let chart = present_chart(cluster, own).await;
        chart.map_err(|error| {
            CliError::user(error).hint("name the chart's directory or archive with --path")
        })
    }

    /// Finds the HelmRelease: in the file where one is given, else in the cluster.
    ///
    /// # Errors
    /// There is no such HelmRelease, or neither a file nor a cluster.
    pub async fn find(&self, ctx: &Context, cluster: Option<&dyn Cluster>) -> CliResult<Object> {
        let (name, namespace) = (self.name()?, ctx.namespace());
        match (self.helmrelease_file.as_str(), cluster) {
            ("", Some(cluster)) => Ok(cluster.get(&HELM_RELEASE.target(namespace, name)).await?),
            ("", None) => Err(CliError::user("dry-run mode requires a helmrelease file")),
            (file, _) => in_file(file, name, namespace),
        }
    }
}

/// Prints the manifests, then the hooks.
pub fn run(ctx: &Context, args: &Args) -> CliResult {
    let what = &args.what;
    what.name()?;
    let (own, chart, values) = ctx.block_on(async {
        let cluster = match args.dry_run {
            true => None,
            false => Some(ctx.cluster().await?),
        };
        let object = what.find(ctx, cluster.as_deref()).await?;
        let own = HelmRelease::from_object(&object).map_err(|e| CliError::user(e.to_string()))?;
        let chart = what.chart(cluster.as_deref(), &own).await?;
        let values = compose_values(cluster.as_deref(), &object).await?;
        Ok((own, chart, values))
    })?;
    let capabilities = Capabilities::offline(Version::V4);
    let values = (&values.0, &values.1);
    let rendered = render_offline(&own, chart, values, capabilities, &world());
    let rendered = rendered.map_err(CliError::user)?;
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

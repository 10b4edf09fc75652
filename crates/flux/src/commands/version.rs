//! `flux version`: this program, and the controllers of the cluster.

use std::collections::BTreeMap;

use cluster::Cluster;

use crate::cluster_info;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Arguments of `flux version`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Print only the version of this program.
    #[arg(long)]
    client: bool,
    /// yaml or json.
    #[arg(short, long, default_value = "yaml")]
    output: String,
}

/// Prints the versions on stdout: this program's first, then the distribution's, then the controllers'.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let json = match args.output.as_str() {
        "yaml" => false,
        "json" => true,
        other => {
            let message = format!("--output must be json or yaml, not {other}");
            return Err(CliError::user(message));
        }
    };
    let mut entries = vec![("flux".to_owned(), format!("v{}", crate::VERSION))];
    if !args.client {
        entries.extend(ctx.block_on(async { in_cluster(ctx, &*ctx.cluster().await?).await })?);
    }
    ctx.out.data(&match json {
        true => as_json(entries),
        false => as_yaml(&entries),
    });
    Ok(())
}

async fn in_cluster(ctx: &Context, cluster: &dyn Cluster) -> CliResult<Vec<(String, String)>> {
    let mut entries = Vec::new();
    let info = cluster_info::read(cluster).await?.unwrap_or_default();
    if let Some(distribution) = info.distribution() {
        entries.push(("distribution".to_owned(), distribution));
    }
    let deployments = cluster_info::controllers(cluster, ctx.namespace()).await?;
    if deployments.is_empty() {
        let message = format!("no deployments found in {} namespace", ctx.namespace());
        return Err(CliError::cluster(message));
    }
    let mut versions = BTreeMap::new();
    for deployment in deployments {
        for image in cluster_info::images(&deployment) {
            let (name, tag) = split_image(image)?;
            versions.insert(name, tag);
        }
    }
    entries.extend(versions);
    Ok(entries)
}

/// Returns the last part of the repository and the tag.
fn split_image(image: &str) -> CliResult<(String, String)> {
    // A colon before the last slash belongs to the registry's port.
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        Some((name, tag)) => Ok((name.to_owned(), tag.to_owned())),
        None => Err(CliError::cluster(format!(
            "missing image tag in image {image}"
        ))),
    }
}

fn as_json(entries: Vec<(String, String)>) -> String {
    let sorted: BTreeMap<String, String> = entries.into_iter().collect();
    let text = serde_json::to_string_pretty(&sorted).expect("a map of text always serializes");
    format!("{text}\n")
}

fn as_yaml(entries: &[(String, String)]) -> String {
    entries
        .iter()
        .map(|(name, version)| format!("{name}: {version}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split_image;

    #[test]
    fn images_are_split_after_the_registry() {
        for (image, name, tag) in [
            (
                "ghcr.io/fluxcd/source-controller:v1.7.0",
                "source-controller",
                "v1.7.0",
            ),
            ("localhost:5000/a/b:v1@sha256:abc", "b", "v1@sha256:abc"),
        ] {
            assert_eq!(
                split_image(image).unwrap(),
                (name.to_owned(), tag.to_owned())
            );
        }
        assert_eq!(
            split_image("localhost:5000/a/b").unwrap_err().message(),
            "missing image tag in image localhost:5000/a/b"
        );
    }
}

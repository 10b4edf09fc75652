//! `flux trace`: from an object in the cluster back to the commit that it comes from.

mod lookup;
mod report;

use cluster::Cluster;
use objects::{Gvk, Object, Value};

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds;
use cluster::Target;

/// Longest chain of owners followed.
const OWNERS_MAX: usize = 16;

/// Arguments of `flux trace`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// RESOURCE NAME..., or RESOURCE/NAME... of several kinds.
    #[arg(value_name = "OBJECT")]
    objects: Vec<String>,
    /// Kind of the object, together with --api-version.
    #[arg(long, default_value = "", hide_default_value = true)]
    kind: String,
    /// API version of the object, together with --kind.
    #[arg(long, default_value = "", hide_default_value = true)]
    api_version: String,
}

/// Prints a report per object on stdout; an object that Flux does not manage is no failure.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let objects = if args.kind.is_empty() && args.api_version.is_empty() {
            lookup::by_words(&*cluster, ctx.namespace(), &args.objects).await?
        } else {
            vec![
                lookup::by_kind(
                    &*cluster,
                    ctx.namespace(),
                    &args.objects,
                    &args.kind,
                    &args.api_version,
                )
                .await?,
            ]
        };
        for (index, object) in objects.iter().enumerate() {
            if index > 0 {
                ctx.out.data("---\n");
            }
            match trace(&*cluster, object).await {
                Ok(report) => ctx.out.data(&report),
                Err(error) => ctx.out.note(&format!(
                    "failed to trace {}/{} in namespace {}: {error}",
                    object.kind(),
                    object.name(),
                    object.namespace()
                )),
            }
        }
        Ok(())
    })
}

async fn trace(cluster: &dyn Cluster, object: &Object) -> CliResult<String> {
    if let Some((namespace, name)) = manager(cluster, object, kinds::KUSTOMIZATION.group).await {
        return report::kustomization(cluster, object, &namespace, &name).await;
    }
    if let Some((namespace, name)) = manager(cluster, object, kinds::HELM_RELEASE.group).await {
        return report::helm_release(cluster, object, &namespace, &name).await;
    }
    Err(CliError::user("object not managed by Flux"))
}

/// Finds namespace and name in the labels of the object or of its nearest labelled owner.
async fn manager(cluster: &dyn Cluster, object: &Object, group: &str) -> Option<(String, String)> {
    let mut object = object.clone();
    for _ in 0..OWNERS_MAX {
        let label = |key: &str| object.label(&format!("{group}/{key}")).unwrap_or_default();
        if !label("name").is_empty() {
            return Some((label("namespace").to_owned(), label("name").to_owned()));
        }
        let mut next = None;
        for reference in owner_references(&object) {
            let owner = owner(cluster, object.namespace(), reference).await?;
            let labelled = owner.label(&format!("{group}/name")).is_some();
            if labelled || !owner_references(&owner).is_empty() {
                next = Some(owner);
                break;
            }
        }
        object = next?;
    }
    None
}

fn owner_references(object: &Object) -> &[Value] {
    object
        .get(&["metadata", "ownerReferences"])
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

async fn owner(cluster: &dyn Cluster, namespace: &str, reference: &Value) -> Option<Object> {
    let text = |key: &str| reference[key].as_str().unwrap_or_default();
    let gvk = Gvk::from_api_version(text("apiVersion"), text("kind"));
    let resource = cluster.resolve(&gvk).await.ok()?;
    let namespace = if resource.namespaced { namespace } else { "" };
    cluster
        .get(&Target::new(&resource, namespace, text("name")))
        .await
        .ok()
}

//! `flux tree kustomization`: what a Kustomization has applied, and what those have applied in turn.

use clap::Subcommand;
use cluster::Cluster;
use futures::future::{BoxFuture, FutureExt as _};
use objects::{Object, ObjectKey, Value, json};

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::kinds::{self, FluxKind};
use crate::{helm_inventory, manifest};

/// Part of the groups that `--compact` keeps.
const FLUX_GROUPS: &str = "toolkit.fluxcd.io";
/// Deepest nesting followed: Kustomizations that apply each other in a circle end here.
const DEPTH_MAX: usize = 64;

/// Arguments of `flux tree`.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    leaf: Leaf,
}

#[derive(Subcommand, Debug)]
enum Leaf {
    /// Print what a Kustomization has applied.
    #[command(visible_alias = "ks")]
    Kustomization(Kustomization),
}

#[derive(clap::Args, Debug)]
struct Kustomization {
    /// Name of the Kustomization.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only Flux objects.
    #[arg(long)]
    compact: bool,
    /// json or yaml instead of a drawing.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    output: String,
}

/// An object and what it applied.
struct Node {
    key: ObjectKey,
    children: Vec<Node>,
}

/// Prints the tree on stdout.
pub fn run(ctx: &Context, args: Args) -> CliResult {
    ctx.settings.check_namespace()?;
    let Leaf::Kustomization(args) = args.leaf;
    let Some(name) = args.names.first() else {
        return Err(CliError::user("kustomization name is required"));
    };
    let root = ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        let target = kinds::KUSTOMIZATION.target(ctx.namespace(), name);
        let object = cluster.get(&target).await?;
        grow(&*cluster, object, args.compact, 0).await
    })?;
    let text = match args.output.as_str() {
        "json" => serde_json::to_string_pretty(&ordered(&root)).expect("a tree of text serializes"),
        "yaml" => manifest::to_yaml(&value_of(&root))?,
        _ => draw(&root),
    };
    ctx.out.data(&format!("{text}\n"));
    Ok(())
}

/// Boxed, since trees nest.
fn grow(
    cluster: &dyn Cluster,
    object: Object,
    compact: bool,
    depth: usize,
) -> BoxFuture<'_, CliResult<Node>> {
    async move {
        let own = object.key();
        let remote = object
            .get(&["spec", "kubeConfig"])
            .is_some_and(|v| !v.is_null());
        let mut children = Vec::new();
        for key in inventory(&object)? {
            let hidden = compact && !key.group.contains(FLUX_GROUPS);
            if hidden || key == own {
                continue;
            }
            let mut node = Node {
                key,
                children: Vec::new(),
            };
            if is(&node.key, &kinds::HELM_RELEASE) {
                let keys = helm_inventory::read(cluster, &node.key).await?;
                let kept = keys
                    .into_iter()
                    .filter(|k| !compact || k.group.contains(FLUX_GROUPS));
                node.children = kept
                    .map(|key| Node {
                        key,
                        children: Vec::new(),
                    })
                    .collect();
            }
            if is(&node.key, &kinds::KUSTOMIZATION) && !remote && depth < DEPTH_MAX {
                let target = kinds::KUSTOMIZATION.target(&node.key.namespace, &node.key.name);
                let child = cluster
                    .get(&target)
                    .await
                    .map_err(|error| CliError::from(error).context("failed to find object"))?;
                node.children = grow(cluster, child, compact, depth + 1).await?.children;
            }
            children.push(node);
        }
        Ok(Node { key: own, children })
    }
    .boxed()
}

fn is(key: &ObjectKey, kind: &FluxKind) -> bool {
    key.group == kind.group && key.kind == kind.kind
}

fn inventory(object: &Object) -> CliResult<Vec<ObjectKey>> {
    object
        .get(&["status", "inventory", "entries"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|entry| ObjectKey::from_id(entry["id"].as_str().unwrap_or_default()))
        .collect::<Result<_, _>>()
        .map_err(|error| CliError::cluster(error.to_string()))
}

/// Returns `Kind/namespace/name`, without the namespace where there is none.
pub fn subject(key: &ObjectKey) -> String {
    match key.namespace.as_str() {
        "" => format!("{}/{}", key.kind, key.name),
        namespace => format!("{}/{namespace}/{}", key.kind, key.name),
    }
}

fn draw(root: &Node) -> String {
    let mut text = subject(&root.key) + "\n";
    draw_children(root, "", &mut text);
    text
}

fn draw_children(node: &Node, indent: &str, text: &mut String) {
    for (index, child) in node.children.iter().enumerate() {
        let last = index + 1 == node.children.len();
        let (branch, space) = if last {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        text.push_str(&format!("{indent}{branch}{}\n", subject(&child.key)));
        draw_children(child, &format!("{indent}{space}"), text);
    }
}

/// The field order of Go's structs, which JSON output keeps.
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource<'a> {
    namespace: &'a str,
    name: &'a str,
    group_kind: GroupKind<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupKind<'a> {
    group: &'a str,
    kind: &'a str,
}

#[derive(serde::Serialize)]
struct Ordered<'a> {
    resource: Resource<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Ordered<'a>>,
}

fn ordered(node: &Node) -> Ordered<'_> {
    Ordered {
        resource: Resource {
            namespace: &node.key.namespace,
            name: &node.key.name,
            group_kind: GroupKind {
                group: &node.key.group,
                kind: &node.key.kind,
            },
        },
        resources: node.children.iter().map(ordered).collect(),
    }
}

fn value_of(node: &Node) -> Value {
    let mut value = json!({"resource": {
        "Namespace": node.key.namespace,
        "Name": node.key.name,
        "GroupKind": {"Group": node.key.group, "Kind": node.key.kind},
    }});
    if !node.children.is_empty() {
        value["resources"] = node.children.iter().map(value_of).collect();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_drawn_with_upstreams_lines() {
        let leaf = |kind: &str, namespace: &str, name: &str| Node {
            key: ObjectKey::new("", kind, namespace, name),
            children: Vec::new(),
        };
        let mut infrastructure = leaf("Kustomization", "flux-system", "infrastructure");
        infrastructure.children = vec![leaf("Namespace", "", "cert-manager"), leaf("A", "b", "c")];
        let mut root = leaf("Kustomization", "flux-system", "flux-system");
        root.children = vec![
            infrastructure,
            leaf("GitRepository", "flux-system", "flux-system"),
        ];
        assert_eq!(
            draw(&root),
            "Kustomization/flux-system/flux-system\n\
             ├── Kustomization/flux-system/infrastructure\n\
             │   ├── Namespace/cert-manager\n\
             │   └── A/b/c\n\
             └── GitRepository/flux-system/flux-system\n"
        );
    }
}

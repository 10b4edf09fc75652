//! `flux create tenant`: namespaces with an account that may do in them what a ClusterRole allows.

use cluster::{Cluster, DeleteParams, Target};
use objects::{Gvk, Map, Object, json};

use super::upsert::write_params;
use super::{NAME_RULE, Shared, is_qualified_name, object_name};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::flags::string_slice;
use crate::kinds::builtin;
use crate::manifest;

const TENANT_LABEL: &str = "toolkit.fluxcd.io/tenant";
const RBAC: &str = "rbac.authorization.k8s.io";

/// Arguments of `flux create tenant`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the tenant.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Namespaces of the tenant, separated by commas.
    #[arg(long, value_name = "LIST")]
    with_namespace: Vec<String>,
    /// ClusterRole that the tenant's account gets in its namespaces.
    #[arg(long, default_value = "cluster-admin")]
    cluster_role: String,
    /// Name of the account; the tenant's name where not given.
    #[arg(long, default_value = "", hide_default_value = true)]
    with_service_account: String,
    /// Leave the namespaces themselves alone.
    #[arg(long)]
    skip_namespace: bool,
}

/// What one namespace gets.
struct Share {
    namespace: Object,
    account: Object,
    binding: Object,
}

/// Prints the objects, or applies them.
pub fn run(ctx: &Context, shared: &Shared, args: Args) -> CliResult {
    let tenant = object_name(&args.names)?;
    if args.cluster_role.is_empty() {
        return Err(CliError::user("cluster-role is required"));
    }
    let namespaces = string_slice(&args.with_namespace);
    if namespaces.is_empty() {
        return Err(CliError::user("with-namespace is required"));
    }
    let mut labels = shared.labels()?;
    labels.insert(TENANT_LABEL.to_owned(), tenant.into());
    let account = match args.with_service_account.as_str() {
        "" => tenant,
        account => account,
    };
    let mut shares = Vec::new();
    for namespace in &namespaces {
        for (what, name) in [
            ("namespace", namespace.as_str()),
            ("service-account name", account),
        ] {
            if !is_qualified_name(name) {
                let message = format!("invalid {what} '{name}': [{NAME_RULE}]");
                return Err(CliError::user(message));
            }
        }
        shares.push(share(
            tenant,
            namespace,
            account,
            &args.cluster_role,
            &labels,
        ));
    }
    if shared.export {
        return shares
            .into_iter()
            .try_for_each(|share| print(ctx, share, args.skip_namespace));
    }
    ctx.block_on(async {
        let cluster = ctx.cluster().await?;
        for share in &shares {
            apply(ctx, &*cluster, share, args.skip_namespace).await?;
        }
        ctx.out.success("tenant setup completed");
        Ok(())
    })
}

fn share(tenant: &str, namespace: &str, account: &str, role: &str, labels: &Map) -> Share {
    let labelled = |gvk: Gvk, own_namespace: &str, name: &str| {
        let mut object = Object::new(&gvk, own_namespace, name);
        object.set(&["metadata", "labels"], labels.clone());
        object
    };
    let binding_name = format!("{tenant}-reconciler");
    let mut binding = labelled(
        Gvk::new(RBAC, "v1", "RoleBinding"),
        namespace,
        &binding_name,
    );
    binding.set(
        &["roleRef"],
        json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": role}),
    );
    binding.set(
        &["subjects"],
        json!([
            {"apiGroup": RBAC, "kind": "User", "name": format!("gotk:{namespace}:reconciler")},
            {"kind": "ServiceAccount", "name": account, "namespace": namespace},
        ]),
    );
    Share {
        namespace: labelled(Gvk::new("", "v1", "Namespace"), "", namespace),
        account: labelled(Gvk::new("", "v1", "ServiceAccount"), namespace, account),
        binding,
    }
}

fn print(ctx: &Context, share: Share, skip_namespace: bool) -> CliResult {
    let Share {
        namespace,
        account,
        binding,
    } = share;
    let namespace = (!skip_namespace).then_some(namespace);
    for object in namespace.into_iter().chain([account, binding]) {
        ctx.out.data(&manifest::document(&object.into_value())?);
    }
    Ok(())
}

async fn apply(
    ctx: &Context,
    cluster: &dyn Cluster,
    share: &Share,
    skip_namespace: bool,
) -> CliResult {
    let Share {
        namespace,
        account,
        binding,
    } = share;
    if !skip_namespace {
        ctx.out
            .action(format_args!("applying namespace {}", namespace.name()));
        let resource = builtin("", "Namespace", "namespaces", false);
        label(
            cluster,
            &Target::new(&resource, "", namespace.name()),
            namespace,
        )
        .await?;
    }
    ctx.out
        .action(format_args!("applying service account {}", account.name()));
    let resource = builtin("", "ServiceAccount", "serviceaccounts", true);
    let target = Target::new(&resource, account.namespace(), account.name());
    label(cluster, &target, account).await?;
    ctx.out
        .action(format_args!("applying role binding {}", binding.name()));
    let resource = builtin(RBAC, "RoleBinding", "rolebindings", true);
    let target = Target::new(&resource, binding.namespace(), binding.name());
    bind(cluster, &target, binding).await
}

fn has_labels(existing: &Object, wanted: &Object) -> bool {
    let existing = existing.labels();
    wanted
        .labels()
        .iter()
        .all(|(key, value)| existing.get(key) == Some(value))
}

/// Creates an object, or replaces its labels where some are missing.
async fn label(cluster: &dyn Cluster, target: &Target, wanted: &Object) -> CliResult {
    match cluster.get(target).await {
        Err(error) if error.is_not_found() => {
            cluster.create(target, wanted, &write_params()).await?;
        }
        Err(error) => return Err(error.into()),
        Ok(mut existing) if !has_labels(&existing, wanted) => {
            let labels = wanted.get(&["metadata", "labels"]).cloned();
            existing.set(&["metadata", "labels"], labels.unwrap_or_default());
            cluster.update(target, &existing, &write_params()).await?;
        }
        Ok(_) => {}
    }
    Ok(())
}

/// Creates a binding, or makes it anew where it differs: its role cannot be changed.
async fn bind(cluster: &dyn Cluster, target: &Target, wanted: &Object) -> CliResult {
    match cluster.get(target).await {
        Ok(existing) => {
            let same = |key| subset(wanted.get(&[key]), existing.get(&[key]));
            if has_labels(&existing, wanted) && same("subjects") && same("roleRef") {
                return Ok(());
            }
            cluster.delete(target, &DeleteParams::default()).await?;
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    cluster.create(target, wanted, &write_params()).await?;
    Ok(())
}

/// Tells whether everything wanted is there; servers fill in more, such as empty groups.
fn subset(wanted: Option<&objects::Value>, existing: Option<&objects::Value>) -> bool {
    use objects::Value;
    match (wanted, existing) {
        (None, _) => true,
        (Some(Value::Object(wanted)), Some(Value::Object(existing))) => wanted
            .iter()
            .all(|(key, value)| subset(Some(value), existing.get(key))),
        (Some(Value::Array(wanted)), Some(Value::Array(existing))) => {
            wanted.len() == existing.len()
                && wanted
                    .iter()
                    .zip(existing)
                    .all(|(w, e)| subset(Some(w), Some(e)))
        }
        (wanted, existing) => wanted == existing,
    }
}

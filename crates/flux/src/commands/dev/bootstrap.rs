//! The objects that `flux dev` puts into its cluster before the controllers start: what
//! `flux install` and `flux bootstrap` put into a real one, with the source pointing at the given place.

use cluster::{Cluster, Error, Patch, Target, WriteParams};
use objects::{Gvk, Object, json};

use super::board::ROOT;
use super::installed;

/// Owner of the fields that `flux dev` sets.
const FIELD_MANAGER: &str = "flux";

/// Annotation on the source: what the last run asked of the root Kustomization.
const ROOT_SPEC: &str = "ferroflux.dev/root";

/// The repository to follow, as it stands in the GitRepository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// URL: `file://`, `http://` or `https://`.
    pub url: String,
    /// Branch; empty follows the remote's own choice.
    pub branch: String,
}

/// What the root Kustomization says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSpec {
    /// Directory of the repository.
    pub path: String,
    /// Namespace of objects that name none; may be empty.
    pub target_namespace: String,
    /// Account to act as; empty means the controller's own.
    pub service_account: String,
}

impl std::fmt::Display for RootSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [path, namespace, account] =
            [&self.path, &self.target_namespace, &self.service_account];
        write!(f, "path={path} namespace={namespace} account={account}")
    }
}

/// Creates CRDs, namespace, accounts, source and root Kustomization; returns nothing else than errors.
///
/// May be repeated: what is there already is brought to the same state.
pub async fn install(
    cluster: &dyn Cluster,
    source: &SourceSpec,
    root: &RootSpec,
) -> Result<(), Error> {
    for definition in installed::definitions() {
        apply(cluster, definition).await?;
    }
    cluster.rediscover().await?;
    for object in installed::accounts_and_roles() {
        apply(cluster, object).await?;
    }
    // The repository may hold its own root Kustomization, which then goes its own way: only news of ours is written.
    let source = git_repository(source, root);
    let known = match find(cluster, &source).await? {
        Some(before) => before.annotation(ROOT_SPEC) == source.annotation(ROOT_SPEC),
        None => false,
    };
    let root = kustomization(root);
    if !known || find(cluster, &root).await?.is_none() {
        apply(cluster, root).await?;
    }
    apply(cluster, source).await
}

async fn find(cluster: &dyn Cluster, object: &Object) -> Result<Option<Object>, Error> {
    let resource = cluster.resolve(&object.gvk()).await?;
    let target = Target::new(&resource, object.namespace(), object.name());
    match cluster.get(&target).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn apply(cluster: &dyn Cluster, object: Object) -> Result<(), Error> {
    let resource = cluster.resolve(&object.gvk()).await?;
    let target = Target::new(&resource, object.namespace(), object.name());
    let params = WriteParams {
        field_manager: FIELD_MANAGER.to_owned(),
        force: true,
        ..WriteParams::default()
    };
    cluster
        .patch(&target, &Patch::Apply(object), &params)
        .await
        .map(drop)
}

fn git_repository(source: &SourceSpec, root: &RootSpec) -> Object {
    let gvk = Gvk::new("source.toolkit.fluxcd.io", "v1", "GitRepository");
    let mut object = Object::new(&gvk, ROOT, ROOT);
    // The repository usually carries this very object with its remote URL: keep the local one.
    object.set_annotation("kustomize.toolkit.fluxcd.io/reconcile", "disabled");
    object.set_annotation(ROOT_SPEC, &root.to_string());
    object.set(&["spec"], json!({"interval": "1m0s", "url": source.url}));
    if !source.branch.is_empty() {
        object.set(&["spec", "ref"], json!({"branch": source.branch}));
    }
    object
}

fn kustomization(root: &RootSpec) -> Object {
    let gvk = Gvk::new("kustomize.toolkit.fluxcd.io", "v1", "Kustomization");
    let mut object = Object::new(&gvk, ROOT, ROOT);
    object.set(
        &["spec"],
        json!({
            "interval": "10m0s",
            "path": root.path,
            "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": ROOT},
        }),
    );
    for (field, value) in [
        ("targetNamespace", &root.target_namespace),
        ("serviceAccountName", &root.service_account),
    ] {
        if !value.is_empty() {
            object.set(&["spec", field], value.as_str());
        }
    }
    object
}

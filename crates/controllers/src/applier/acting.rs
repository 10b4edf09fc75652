//! The service account that an applier acts as.

use std::sync::Arc;

use cluster::{Cluster, Error, Identity, Target};
use objects::Gvk;

/// Returns the account to act as, or "": the object's own, else the default.
pub(crate) fn account<'a>(own: &'a str, default: &'a str) -> &'a str {
    if own.is_empty() { default } else { own }
}

/// Returns a cluster as an account sees it; as it is where there is none to act as.
pub(crate) fn acting_as(
    cluster: &Arc<dyn Cluster>,
    namespace: &str,
    account: &str,
) -> Arc<dyn Cluster> {
    if account.is_empty() {
        return cluster.clone();
    }
    cluster.impersonate(&Identity {
        user: format!("system:serviceaccount:{namespace}:{account}"),
        groups: Vec::new(),
    })
}

/// Tells whether the account to act as exists; true where there is none to act as.
pub(crate) async fn account_exists(
    cluster: &dyn Cluster,
    namespace: &str,
    account: &str,
) -> Result<bool, Error> {
    if account.is_empty() {
        return Ok(true);
    }
    let gvk = Gvk::new("", "v1", "ServiceAccount");
    let resource = cluster.resolve(&gvk).await?;
    let target = Target::new(&resource, namespace, account);
    match cluster.get(&target).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

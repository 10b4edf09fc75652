//! What happens when a HelmRelease is deleted.

use api::conditions;
use api::names::{READY, reason};
use controller_runtime::{Failed, Outcome};
use reconcile::expression::HealthExpressions;
use reconcile::helmrelease::Failure;
use tracing::{error, info};

use super::pass::Pass;
use super::template;
use crate::applier::acting::account_exists;

/// Uninstalls the release and deletes the HelmChart, then lets the HelmRelease go.
pub(super) async fn finalize(pass: &mut Pass<'_>) -> Result<Outcome, Failed> {
    if !pass.own.metadata.has_finalizer() {
        return Ok(Outcome::Done);
    }
    if !pass.own.spec.suspend
        && let Err(failure) = clear(pass).await
    {
        pass.end(false);
        pass.write_status().await?;
        let (Failure::Uninstall(text)
        | Failure::ChartTemplate(text)
        | Failure::Client(text)
        | Failure::State(text)
        | Failure::AccessDenied(text)) = failure
        else {
            return Err(Failed("the release could not be deleted".to_owned()));
        };
        return Err(Failed(text));
    }
    pass.write_status().await?;
    pass.place.remove_finalizer().await
}

async fn clear(pass: &mut Pass<'_>) -> Result<(), Failure> {
    uninstall(pass).await?;
    let events =
        template::reconcile(pass.controller, pass.run, &pass.own, &mut pass.status).await?;
    for event in events {
        pass.record(event);
    }
    Ok(())
}

async fn uninstall(pass: &mut Pass<'_>) -> Result<(), Failure> {
    if pass.status.storage_namespace.is_empty() {
        info!("skipping Helm release uninstallation: no storage namespace configured");
        return Ok(());
    }
    if pass.own.spec.kube_config.is_some() {
        let text = "failed to build REST client getter to uninstall release: remote clusters (spec.kubeConfig) are not supported yet";
        not_ready(pass, text);
        return Err(Failure::Client(text.to_owned()));
    }
    if !can_impersonate(pass).await? {
        error!("skipping Helm release uninstallation: the service account is gone");
    } else {
        // Expressions do not count when objects go.
        let expressions = HealthExpressions::new(&[]);
        let expressions = expressions.map_err(|e| Failure::Uninstall(e.to_string()))?;
        pass.recover(&expressions).await?;
        pass.uninstall(&expressions).await?;
        info!("uninstalled Helm release for deleted resource");
    }
    pass.status.history.clear();
    pass.status.storage_namespace.clear();
    Ok(())
}

fn not_ready(pass: &mut Pass<'_>, text: &str) {
    let stamp = pass.stamp();
    let list = &mut pass.status.conditions;
    conditions::mark_false(list, READY, reason::UNINSTALL_FAILED, text, stamp);
}

/// Tells whether the account to act as exists, where there is one to act as.
async fn can_impersonate(pass: &mut Pass<'_>) -> Result<bool, Failure> {
    let own = &pass.own.spec.service_account_name;
    let account = pass.controller.service_account(own).to_owned();
    let namespace = &pass.own.metadata.namespace;
    let found = account_exists(&*pass.run.runtime.cluster, namespace, &account).await;
    found.map_err(|error| {
        let text = format!(
            "failed to confirm ServiceAccount '{account}' can be used to uninstall release: {error}"
        );
        not_ready(pass, &text);
        Failure::Uninstall(text)
    })
}

//! What happens when a Kustomization is deleted.

use std::time::Duration;

use api::{DeletionPolicy, Severity};
use apply::Action;
use controller_runtime::{Failed, Outcome};
use objects::ObjectKey;
use reconcile::EventDraft;
use reconcile::kustomization::{notice, parse};
use tracing::{error, info};

use super::apply_step::{prune_options, stored};
use super::pass::Pass;
use crate::applier::acting::account_exists;

/// Time between two looks at objects that are being deleted.
const TERMINATION_POLL: Duration = Duration::from_millis(250);

/// Deletes what the policy says, then lets the Kustomization go.
pub(super) async fn finalize(pass: &mut Pass<'_>) -> Result<Outcome, Failed> {
    if pass.own.metadata.has_finalizer() {
        let inventory = pass.own.status.inventory.clone().unwrap_or_default();
        let objects = parse(&inventory);
        if deletes(pass) && !objects.is_empty() {
            delete(pass, objects).await?;
        }
        return pass.place.remove_finalizer().await;
    }
    Ok(Outcome::Done)
}

fn deletes(pass: &Pass<'_>) -> bool {
    !pass.own.spec.suspend
        && match pass.own.spec.deletion_policy() {
            DeletionPolicy::MirrorPrune => pass.own.spec.prune,
            DeletionPolicy::Delete | DeletionPolicy::WaitForTermination => true,
            DeletionPolicy::Orphan => false,
        }
}

async fn delete(pass: &Pass<'_>, objects: Vec<(ObjectKey, String)>) -> Result<(), Failed> {
    let controller = pass.controller;
    if !can_impersonate(pass).await? {
        error!("skiping pruning, failed to find account to impersonate");
        let lines: Vec<String> = objects.iter().map(|(key, _)| key.to_string()).collect();
        warn(
            pass,
            format!("unable to prune objects: \n{}", lines.join("\n")),
        );
        return Ok(());
    }
    if pass.own.spec.kube_config.is_some() {
        return Err(Failed(
            "failed to build kube client: remote clusters (spec.kubeConfig) are not supported yet"
                .to_owned(),
        ));
    }
    let cluster = controller.acting_cluster(
        &pass.run.runtime,
        &pass.own.metadata.namespace,
        &pass.own.spec.service_account_name,
    );
    let manager = controller.manager(cluster);
    let options = prune_options(&pass.own, &controller.settings);
    let outcome = manager.delete_all(stored(objects), &options).await;
    if let Some(error) = outcome.error() {
        warn(pass, "pruning for deleted resource failed".to_owned());
        return Err(Failed(error));
    }
    if !outcome.changes.entries.is_empty() {
        info!("garbage collection completed: {}", outcome.changes);
        pass.record(notice(
            &pass.status,
            &outcome.changes.to_string(),
            &pass.facts,
        ));
    }
    if pass.own.spec.deletion_policy() == DeletionPolicy::WaitForTermination {
        let deleted = outcome.changes.with(&[Action::Deleted]);
        let deleted = stored(
            deleted
                .entries
                .into_iter()
                .map(|e| (e.key, e.version))
                .collect(),
        );
        let wait =
            manager.wait_for_termination(&deleted, pass.own.spec.timeout(), TERMINATION_POLL);
        if !pass.run.waiting(wait).await.is_empty() {
            error!("failed to wait for resources termination");
            warn(pass, "failed to wait for resources termination".to_owned());
        }
    }
    Ok(())
}

/// Tells whether the account to act as exists, where there is one to act as.
async fn can_impersonate(pass: &Pass<'_>) -> Result<bool, Failed> {
    let own = &pass.own.spec.service_account_name;
    let account = pass.controller.service_account(own);
    let namespace = &pass.own.metadata.namespace;
    Ok(account_exists(&*pass.run.runtime.cluster, namespace, account).await?)
}

fn warn(pass: &Pass<'_>, message: String) {
    let draft = notice(&pass.status, &message, &pass.facts);
    pass.record(EventDraft {
        severity: Severity::Error,
        ..draft
    });
}

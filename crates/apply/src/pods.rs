//! The Pods of a StatefulSet or ReplicaSet: where some have failed, their owner will not get ready by itself.
//!
//! Follows the pod controller reader of cli-utils' kstatus. Pods are looked at only while the owner is in progress; one
//! that nothing can schedule yet, or that is going away, has not failed.

use cluster::{Cluster, Error, ListParams, Scope};
use jiff::Timestamp;
use objects::{Gvk, Health, HealthStatus, LabelSelector, Object, Value, health};

/// Kinds, in the group `apps`, whose Pods count.
const OWNERS: [&str; 2] = ["ReplicaSet", "StatefulSet"];

/// Replaces the health of an owner in progress by that of its failed Pods, if there are any.
pub(crate) async fn with_pods(
    cluster: &dyn Cluster,
    owner: &Object,
    own: Health,
    now: Timestamp,
) -> Health {
    let counts = owner.gvk().group == "apps" && OWNERS.contains(&owner.kind());
    if !counts || own.status != HealthStatus::InProgress {
        return own;
    }
    match failed_pods(cluster, owner, now).await {
        Ok(0) => own,
        Ok(count) => Health::new(HealthStatus::Failed, format!("{count} pods have failed")),
        Err(error) => Health::new(HealthStatus::Unknown, error.to_string()),
    }
}

async fn failed_pods(
    cluster: &dyn Cluster,
    owner: &Object,
    now: Timestamp,
) -> Result<usize, Error> {
    let scope = Scope {
        resource: cluster.resolve(&Gvk::new("", "v1", "Pod")).await?,
        namespace: owner.namespace().to_owned(),
    };
    let selector = owner.get(&["spec", "selector"]).and_then(Value::as_object);
    let selector = selector.map(|selector| LabelSelector::of_object(selector).to_string());
    let params = ListParams {
        label_selector: selector.unwrap_or_default(),
        ..ListParams::default()
    };
    let pods = cluster.list(&scope, &params).await?;
    let failed = pods.items.iter().filter(|pod| {
        health(pod, now).status == HealthStatus::Failed
            && !pod.is_deleting()
            && !is_unschedulable(pod)
    });
    Ok(failed.count())
}

fn is_unschedulable(pod: &Object) -> bool {
    let conditions = pod.get(&["status", "conditions"]);
    let mut conditions = conditions.and_then(Value::as_array).into_iter().flatten();
    conditions.any(|c| {
        c["type"] == "PodScheduled" && c["status"] == "False" && c["reason"] == "Unschedulable"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    /// Creates an owner and one Pod; returns the owner's health.
    async fn check(kind: &str, pod: Value) -> Health {
        let options = apiserver::Options {
            workloads: false,
            ..apiserver::Options::default()
        };
        let server = apiserver::Server::start(options).await.unwrap();
        let cluster = server.cluster();
        let resource = cluster.resolve(&Gvk::new("", "v1", "Pod")).await.unwrap();
        let target = cluster::Target::new(&resource, "default", "web-0");
        let object = Object::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-0", "namespace": "default", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }));
        let params = cluster::WriteParams::default();
        cluster
            .create(&target, &object.unwrap(), &params)
            .await
            .unwrap();
        let patch = cluster::Patch::Merge(json!({"status": pod}));
        cluster
            .patch(&target.subresource("status"), &patch, &params)
            .await
            .unwrap();
        let owner = Object::from_value(json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
        }))
        .unwrap();
        let now = Timestamp::now();
        let own = health(&owner, now);
        let health = with_pods(&*cluster, &owner, own, now).await;
        server.shutdown().await;
        health
    }

    #[tokio::test]
    async fn crashing_pods_fail_their_owner() {
        let crash = json!({"phase": "Running", "containerStatuses": [{
            "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 1,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }]});
        let starting = json!({"phase": "Pending"});
        let nowhere = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"},
        ]});
        for (kind, pod, status) in [
            ("StatefulSet", &crash, HealthStatus::Failed),
            ("ReplicaSet", &crash, HealthStatus::Failed),
            // The Deployment reader relies on its own status only.
            ("Deployment", &crash, HealthStatus::InProgress),
            ("StatefulSet", &starting, HealthStatus::InProgress),
            ("StatefulSet", &nowhere, HealthStatus::InProgress),
        ] {
            let health = check(kind, pod.clone()).await;
            assert_eq!(health.status, status, "{kind} {pod}: {}", health.message);
        }
    }
}

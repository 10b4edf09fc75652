//! Rules of the kinds that come with Kubernetes.

use jiff::Timestamp;

use super::{Health, HealthStatus, condition, counter, integer, or};
use crate::{Object, Value};

/// Seconds for which an unschedulable Pod counts as in progress.
const UNSCHEDULABLE_GRACE_SECONDS: i64 = 15;

pub(super) fn kind_rule(object: &Object, now: Timestamp) -> Option<Health> {
    let group = object
        .api_version()
        .split_once('/')
        .map_or("", |(group, _)| group);
    Some(match (group, object.kind()) {
        ("", "Service") => service(object),
        ("", "Secret" | "ConfigMap") => Health::current("Resource is always ready"),
        ("batch", "CronJob") => Health::current("Resource is always ready"),
        ("", "PersistentVolumeClaim") => claim(object),
        ("", "Pod") => pod(object, now),
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") => replica_set(object),
        ("policy", "PodDisruptionBudget") => {
            Health::current("AllowedDisruptions has been computed.")
        }
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        _ => return None,
    })
}

fn service(object: &Object) -> Health {
    let balanced = object.str_at(&["spec", "type"]) == "LoadBalancer";
    if balanced && object.str_at(&["spec", "clusterIP"]).is_empty() {
        return Health::in_progress("ClusterIP not set. Service type: LoadBalancer");
    }
    Health::current("Service is ready")
}

fn claim(object: &Object) -> Health {
    match object.str_at(&["status", "phase"]) {
        "Bound" => Health::current("PVC is Bound"),
        phase => Health::in_progress(format!("PVC is not Bound. phase: {}", or(phase, "unknown"))),
    }
}

fn pod(object: &Object, now: Timestamp) -> Health {
    match object.str_at(&["status", "phase"]) {
        "Succeeded" => Health::current("Pod has completed successfully"),
        "Failed" => Health::current("Pod has completed, but not successfully"),
        "Running" => running_pod(object),
        "Pending" => pending_pod(object, now),
        "" => Health::in_progress("Pod phase not available"),
        phase => Health::new(HealthStatus::Unknown, format!("unknown phase {phase}")),
    }
}

fn running_pod(object: &Object) -> Health {
    if matches!(condition(object, "Ready"), Some(("True", ..))) {
        return Health::current("Pod is Ready");
    }
    let crashing: Vec<&str> = object
        .get(&["status", "containerStatuses"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|c| c["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        .filter_map(|c| c["name"].as_str())
        .collect();
    if crashing.is_empty() {
        return Health::in_progress("Pod is running but is not Ready");
    }
    Health::failed(format!(
        "Containers in CrashLoop state: {}",
        crashing.join(",")
    ))
}

fn pending_pod(object: &Object, now: Timestamp) -> Health {
    let unschedulable = matches!(
        condition(object, "PodScheduled"),
        Some(("False", "Unschedulable", _))
    );
    if !unschedulable {
        return Health::in_progress("Pod is in the Pending phase");
    }
    let created: Option<Timestamp> = object
        .str_at(&["metadata", "creationTimestamp"])
        .parse()
        .ok();
    let age = created.map_or(i64::MAX, |created| now.as_second() - created.as_second());
    if age < UNSCHEDULABLE_GRACE_SECONDS {
        Health::in_progress("Pod has not been scheduled")
    } else {
        Health::failed("Pod could not be scheduled")
    }
}

/// Replicas that a spec asks for.
fn wanted(object: &Object) -> i64 {
    integer(object, &["spec", "replicas"]).unwrap_or(1)
}

fn progress(name: &str, have: i64, want: i64) -> Health {
    Health::in_progress(format!("{name}: {have}/{want}"))
}

fn deployment(object: &Object) -> Health {
    // Without a deadline there is no Progressing condition to wait for.
    let deadline = integer(object, &["spec", "progressDeadlineSeconds"]);
    let mut progressing = deadline.is_none_or(|d| d == i64::from(i32::MAX));
    if let Some((_, reason, _)) = condition(object, "Progressing") {
        if reason == "ProgressDeadlineExceeded" {
            return Health::failed("Progress deadline exceeded");
        }
        progressing |= reason == "NewReplicaSetAvailable";
    }
    let available = matches!(condition(object, "Available"), Some(("True", ..)));
    let want = wanted(object);
    let replicas = counter(object, "replicas");
    let updated = counter(object, "updatedReplicas");
    let ready = counter(object, "readyReplicas");
    let up = counter(object, "availableReplicas");
    if want > replicas {
        return progress("replicas", replicas, want);
    }
    if want > updated {
        return progress("Updated", updated, want);
    }
    if replicas > want {
        return Health::in_progress(format!("Pending termination: {}", replicas - want));
    }
    if updated > up {
        return progress("Available", up, updated);
    }
    if want > ready {
        return progress("Ready", ready, want);
    }
    if !progressing {
        return Health::in_progress("ReplicaSet not Available");
    }
    if !available {
        return Health::in_progress("Deployment not Available");
    }
    Health::current(format!("Deployment is available. Replicas: {replicas}"))
}

fn stateful_set(object: &Object) -> Health {
    if object.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Health::current("StatefulSet is using the ondelete update strategy");
    }
    let want = wanted(object);
    let replicas = counter(object, "replicas");
    let ready = counter(object, "readyReplicas");
    let current = counter(object, "currentReplicas");
    let updated = counter(object, "updatedReplicas");
    if want > replicas {
        return progress("Replicas", replicas, want);
    }
    if want > ready {
        return progress("Ready", ready, want);
    }
    if replicas > want {
        return Health::in_progress(format!("Pending termination: {}", replicas - want));
    }
    let partition = integer(
        object,
        &["spec", "updateStrategy", "rollingUpdate", "partition"],
    );
    if let Some(partition) = partition.filter(|p| *p != 0) {
        if updated < want - partition {
            return progress("updated", updated, want - partition);
        }
        return Health::current(format!("Partition rollout complete. updated: {updated}"));
    }
    if want > current {
        return progress("current", current, want);
    }
    let revision = |name| object.str_at(&["status", name]).to_owned();
    if revision("currentRevision") != revision("updateRevision") {
        return Health::in_progress("Waiting for updated revision to match current");
    }
    Health::current(format!(
        "All replicas scheduled as expected. Replicas: {replicas}"
    ))
}

fn daemon_set(object: &Object) -> Health {
    if integer(object, &["metadata", "generation"]).is_none()
        || integer(object, &["status", "observedGeneration"]).is_none()
    {
        return Health::in_progress("Daemon set generation has not been observed");
    }
    let Some(desired) = integer(object, &["status", "desiredNumberScheduled"]) else {
        return Health::in_progress("Missing .status.desiredNumberScheduled");
    };
    for (name, field) in [
        ("Current", "currentNumberScheduled"),
        ("Updated", "updatedNumberScheduled"),
        ("Available", "numberAvailable"),
        ("Ready", "numberReady"),
    ] {
        if desired > counter(object, field) {
            return progress(name, counter(object, field), desired);
        }
    }
    Health::current(format!(
        "All replicas scheduled as expected. Replicas: {desired}"
    ))
}

fn replica_set(object: &Object) -> Health {
    if matches!(condition(object, "ReplicaFailure"), Some(("True", ..))) {
        return Health::in_progress("Replica Failure condition. Check Pods");
    }
    let want = wanted(object);
    for (name, field) in [
        ("Labelled", "fullyLabeledReplicas"),
        ("Available", "availableReplicas"),
        ("Ready", "readyReplicas"),
    ] {
        if want > counter(object, field) {
            return progress(name, counter(object, field), want);
        }
    }
    let replicas = counter(object, "replicas");
    if replicas > want {
        return Health::in_progress(format!("Pending termination: {}", replicas - want));
    }
    Health::current(format!("ReplicaSet is available. Replicas: {replicas}"))
}

/// Flux waits for Jobs to complete; kstatus alone is content when they have started.
fn job(object: &Object) -> Health {
    if object.get(&["spec", "suspend"]) == Some(&Value::Bool(true)) {
        return Health::current("Job is suspended");
    }
    let succeeded = counter(object, "succeeded");
    if matches!(condition(object, "Complete"), Some(("True", ..))) {
        return Health::current(format!("Job Completed. succeeded: {succeeded}"));
    }
    if matches!(condition(object, "Failed"), Some(("True", ..))) {
        return Health::failed(format!("Job Failed. failed: {}", counter(object, "failed")));
    }
    Health::in_progress("Job in progress")
}

fn definition(object: &Object) -> Health {
    if let Some(("False", _, message)) = condition(object, "NamesAccepted") {
        return Health::failed(message);
    }
    match condition(object, "Established") {
        Some(("True", ..)) => Health::current("CRD is established"),
        Some(("False", reason, message)) if reason != "Installing" => Health::failed(message),
        _ => Health::in_progress("Install in progress"),
    }
}

//! Readiness of any object, by the rules of kstatus (cli-utils), with Flux's reading of Jobs.
//!
//! [`health`] looks at one object only. Rules that need other objects (failed Pods of a ReplicaSet) belong to
//! whoever has them.

use std::fmt;

use jiff::Timestamp;

use crate::{Object, Value};

/// How far an object has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HealthStatus {
    /// Work goes on.
    InProgress,
    /// It will not get there by itself.
    Failed,
    /// It is what its spec asks for.
    Current,
    /// It is being deleted.
    Terminating,
    /// It does not exist.
    NotFound,
    /// It could not be found out.
    Unknown,
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How far an object has come, with a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Status.
    pub status: HealthStatus,
    /// Text for people.
    pub message: String,
}

impl Health {
    /// Builds from parts.
    pub fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    fn current(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Current, message)
    }

    fn in_progress(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::InProgress, message)
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Failed, message)
    }
}

/// Seconds for which an unschedulable Pod counts as in progress.
const UNSCHEDULABLE_GRACE_SECONDS: i64 = 15;

/// Judges an object; `now` decides how long a Pod may be unschedulable.
pub fn health(object: &Object, now: Timestamp) -> Health {
    if object.get(&["metadata", "deletionTimestamp"]).is_some() {
        return Health::new(HealthStatus::Terminating, "Resource scheduled for deletion");
    }
    if let Some(health) = outdated(object).or_else(|| abnormal_condition(object)) {
        return health;
    }
    if let Some(health) = kind_rule(object, now) {
        return health;
    }
    match condition(object, "Ready") {
        Some(("True", _, message)) => Health::current(or(message, "Resource is Ready")),
        Some((_, _, message)) => Health::in_progress(message),
        None => Health::current("Resource is current"),
    }
}

/// Joins the health of many objects: any Failed, any Unknown, all Current, else InProgress.
pub fn aggregate(statuses: &[HealthStatus]) -> HealthStatus {
    let any = |status| statuses.contains(&status);
    if any(HealthStatus::Failed) {
        HealthStatus::Failed
    } else if any(HealthStatus::Unknown) {
        HealthStatus::Unknown
    } else if statuses.iter().all(|s| *s == HealthStatus::Current) {
        HealthStatus::Current
    } else {
        HealthStatus::InProgress
    }
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

fn integer(object: &Object, path: &[&str]) -> Option<i64> {
    object.get(path).and_then(Value::as_i64)
}

/// Status counters are 0 where absent.
fn counter(object: &Object, name: &str) -> i64 {
    integer(object, &["status", name]).unwrap_or(0)
}

/// Returns status, reason and message of a condition.
fn condition<'a>(object: &'a Object, type_: &str) -> Option<(&'a str, &'a str, &'a str)> {
    conditions(object).find(|c| c["type"] == type_).map(|c| {
        let text = |key: &str| c[key].as_str().unwrap_or("");
        (text("status"), text("reason"), text("message"))
    })
}

fn conditions(object: &Object) -> impl Iterator<Item = &Value> {
    object
        .get(&["status", "conditions"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn outdated(object: &Object) -> Option<Health> {
    let generation = integer(object, &["metadata", "generation"])?;
    let observed = integer(object, &["status", "observedGeneration"])?;
    (generation != observed).then(|| {
        Health::in_progress(format!(
            "{} generation is {generation}, but latest observed generation is {observed}",
            object.kind()
        ))
    })
}

/// The first of Reconciling and Stalled that is True decides.
fn abnormal_condition(object: &Object) -> Option<Health> {
    conditions(object)
        .filter(|c| c["status"] == "True")
        .find_map(|c| {
            let message = c["message"].as_str().unwrap_or("");
            match c["type"].as_str()? {
                "Reconciling" => Some(Health::in_progress(message)),
                "Stalled" => Some(Health::failed(message)),
                _ => None,
            }
        })
}

fn kind_rule(object: &Object, now: Timestamp) -> Option<Health> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn check(name: &str, object: Value, status: HealthStatus) {
        let object = Object::from_value(object).unwrap();
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let health = health(&object, now);
        assert_eq!(health.status, status, "{name}: {}", health.message);
    }

    #[test]
    fn generic_rules() {
        use HealthStatus::*;
        let widget = |rest: Value| {
            let mut object = json!({"apiVersion": "x.io/v1", "kind": "Widget"});
            object
                .as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            object
        };
        check("nothing known is current", widget(json!({})), Current);
        check(
            "deletion wins over everything",
            widget(
                json!({"metadata": {"deletionTimestamp": "x"}, "status": {"conditions": [{"type": "Stalled", "status": "True"}]}}),
            ),
            Terminating,
        );
        check(
            "an older observed generation is progress",
            widget(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}})),
            InProgress,
        );
        check(
            "the first abnormal condition decides",
            widget(
                json!({"status": {"conditions": [{"type": "Stalled", "status": "True"}, {"type": "Reconciling", "status": "True"}]}}),
            ),
            Failed,
        );
        check(
            "Ready unknown is progress",
            widget(json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})),
            InProgress,
        );
    }

    #[test]
    fn kind_rules() {
        use HealthStatus::*;
        let object = |api: &str, kind: &str, spec: Value, status: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"generation": 1, "creationTimestamp": "2026-01-01T00:00:50Z"}, "spec": spec, "status": status});
        check(
            "a new deployment",
            object("apps/v1", "Deployment", json!({}), json!({})),
            InProgress,
        );
        check(
            "a deployment that is up",
            object(
                "apps/v1",
                "Deployment",
                json!({"replicas": 2, "progressDeadlineSeconds": 600}),
                json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
                    "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}, {"type": "Available", "status": "True"}]}),
            ),
            Current,
        );
        check(
            "a deployment beyond its deadline",
            object(
                "apps/v1",
                "Deployment",
                json!({}),
                json!({"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}),
            ),
            Failed,
        );
        check(
            "a job that only started",
            object("batch/v1", "Job", json!({}), json!({"active": 1})),
            InProgress,
        );
        check(
            "a suspended job",
            object("batch/v1", "Job", json!({"suspend": true}), json!({})),
            Current,
        );
        check(
            "a pod that could not be scheduled a moment ago",
            object(
                "v1",
                "Pod",
                json!({}),
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}),
            ),
            InProgress,
        );
        check(
            "a crash loop",
            object(
                "v1",
                "Pod",
                json!({}),
                json!({"phase": "Running", "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
            ),
            Failed,
        );
        check(
            "a new CRD",
            object(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                json!({}),
                json!({}),
            ),
            InProgress,
        );
        check(
            "a load balancer without address",
            object("v1", "Service", json!({"type": "LoadBalancer"}), json!({})),
            InProgress,
        );
        check(
            "a bound claim",
            object(
                "v1",
                "PersistentVolumeClaim",
                json!({}),
                json!({"phase": "Bound"}),
            ),
            Current,
        );
    }
}

//! Readiness of any object, by the rules of kstatus (cli-utils), with Flux's reading of Jobs.
//!
//! [`health`] looks at one object only. Rules that need other objects (failed Pods of a ReplicaSet) belong to
//! whoever has them.

mod kinds;

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

/// Judges an object; `now` decides how long a Pod may be unschedulable.
pub fn health(object: &Object, now: Timestamp) -> Health {
    if object.get(&["metadata", "deletionTimestamp"]).is_some() {
        return Health::new(HealthStatus::Terminating, "Resource scheduled for deletion");
    }
    if let Some(health) = outdated(object).or_else(|| abnormal_condition(object)) {
        return health;
    }
    if let Some(health) = kinds::kind_rule(object, now) {
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

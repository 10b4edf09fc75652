//! Status written through the `status` subresource: counts that fit together, addresses, and what a job may say of its end.

use objects::{Map, Value, names};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, text};

/// Counts of a kind's status that are not negative, and those that are at most `replicas`.
const COUNTS: &[(&str, &[&str], &[&str])] = &[
    (
        "Deployment",
        &[
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ],
        &["updatedReplicas", "readyReplicas", "availableReplicas"],
    ),
    (
        "ReplicaSet",
        &[
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "observedGeneration",
            "terminatingReplicas",
        ],
        &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
    ),
    (
        "ReplicationController",
        &[
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "observedGeneration",
        ],
        &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
    ),
    (
        "StatefulSet",
        &[
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
            "observedGeneration",
            "collisionCount",
        ],
        &[
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
        ],
    ),
    (
        "DaemonSet",
        &[
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ],
        &[],
    ),
    (
        "HorizontalPodAutoscaler",
        &["currentReplicas", "desiredReplicas"],
        &[],
    ),
    (
        "PodDisruptionBudget",
        &[
            "disruptionsAllowed",
            "currentHealthy",
            "desiredHealthy",
            "expectedPods",
        ],
        &[],
    ),
    (
        "Job",
        &["active", "succeeded", "failed", "ready", "terminating"],
        &[],
    ),
];

/// Checks the status of an object of a built-in kind.
pub(super) fn status(group: &str, kind: &str, subject: &Subject<'_>, faults: &mut Faults) {
    let status = map_at(subject.object, &["status"]).unwrap_or(&NO_FIELDS);
    if let Some((_, counts, parts)) = COUNTS.iter().find(|(name, ..)| *name == kind) {
        self::counts(kind, status, counts, parts, faults);
    }
    match (group, kind) {
        ("batch", "Job") => job(subject, status, faults),
        ("networking.k8s.io", "Ingress") => balancer(status, faults),
        ("", "PersistentVolumeClaim") => {
            for (name, value) in map_at(status, &["capacity"]).unwrap_or(&NO_FIELDS) {
                let amount = objects::quantity::Quantity::parse(value.as_str().unwrap_or(""));
                if let Ok(amount) = amount
                    && amount.is_negative()
                {
                    let why = "must be a valid resource quantity";
                    let path = format!("status.capacity[{name}]");
                    faults.invalid(&path, &(amount.milli() / 1000).into(), why);
                }
            }
        }
        ("", "ResourceQuota") => super::limits::quota_status(status, faults),
        _ => {}
    }
}

fn counts(kind: &str, status: &Map, counts: &[&str], parts: &[&str], faults: &mut Faults) {
    for key in counts {
        faults.not_negative(status, "status", key);
    }
    let whole = number(status, "replicas");
    for key in parts {
        let part = number(status, key);
        if part > whole {
            let why = "cannot be greater than status.replicas";
            faults.invalid(&format!("status.{key}"), &part.into(), why);
        }
    }
    let (ready, available) = (
        number(status, "readyReplicas"),
        number(status, "availableReplicas"),
    );
    if !parts.is_empty() && available > ready {
        let whole = if kind == "StatefulSet" {
            "status.readyReplicas"
        } else {
            "readyReplicas"
        };
        let why = format!("cannot be greater than {whole}");
        faults.invalid("status.availableReplicas", &available.into(), &why);
    }
}

fn balancer(status: &Map, faults: &mut Faults) {
    let balancer = map_at(status, &["loadBalancer"]).unwrap_or(&NO_FIELDS);
    for (i, entry) in items(balancer, &["ingress"]) {
        let path = format!("status.loadBalancer.ingress[{i}]");
        let (address, host) = (text(entry, "ip"), text(entry, "hostname"));
        if !address.is_empty() {
            faults.address(&format!("{path}.ip"), address);
        }
        if let Some(mode) = at(entry, &["ipMode"]).and_then(Value::as_str) {
            let own = format!("{path}.ipMode");
            match address {
                "" => faults.forbidden(&own, "may not be specified when `ip` is not set"),
                _ => faults.one_of(&own, mode, &["Proxy", "VIP"]),
            }
        }
        if !host.is_empty() {
            let own = format!("{path}.hostname");
            faults.problems(&own, host, names::dns_subdomain(host));
            if host.parse::<std::net::IpAddr>().is_ok() {
                let why = "must be a DNS name, not an IP address";
                faults.invalid(&own, &host.into(), why);
            }
        }
    }
}

/// A fault of the conditions, which are not shown.
fn condition(why: &str, faults: &mut Faults) {
    faults.0.push(cluster::StatusCause {
        reason: "FieldValueInvalid".into(),
        message: format!("Invalid value: {why}"),
        field: "status.conditions".into(),
    });
}

fn is_true(status: &Map, kind: &str) -> bool {
    items(status, &["conditions"]).any(|(_, condition)| {
        text(condition, "type") == kind && text(condition, "status") == "True"
    })
}

fn job(subject: &Subject<'_>, status: &Map, faults: &mut Faults) {
    let live = subject
        .live
        .and_then(|live| map_at(live, &["status"]))
        .unwrap_or(&NO_FIELDS);
    let is = |kind: &str| is_true(status, kind);
    let (complete, failed) = (is("Complete"), is("Failed"));
    let (was_complete, was_failed) = (is_true(live, "Complete"), is_true(live, "Failed"));
    // A state that an older server let in may stay.
    if complete && failed && !(was_complete && was_failed) {
        condition(
            "cannot set Complete=True and Failed=true conditions",
            faults,
        );
    }
    if complete && is("FailureTarget") && !was_complete {
        condition(
            "cannot set Complete=True and FailureTarget=true conditions",
            faults,
        );
    }
    let ended = at(status, &["completionTime"]);
    match ended {
        Some(time) if !complete => {
            let why = "cannot set completionTime when there is no Complete=True condition";
            faults.invalid("status.completionTime", time, why);
        }
        None if complete && !was_complete => {
            let why = "completionTime is required for Complete jobs";
            faults.required("status.completionTime", why);
        }
        _ => {}
    }
    if failed && !was_failed && !is("FailureTarget") {
        let why = "cannot set Failed=True condition without the FailureTarget=true condition";
        condition(why, faults);
    }
    if complete && !was_complete && !is("SuccessCriteriaMet") {
        let why =
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
        condition(why, faults);
    }
    finished(
        status,
        complete || failed,
        was_complete || was_failed,
        faults,
    );
    if is("SuccessCriteriaMet") && failed {
        condition(
            "cannot set SuccessCriteriaMet=True and Failed=true conditions",
            faults,
        );
    }
    if is("SuccessCriteriaMet") && is("FailureTarget") {
        condition(
            "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
            faults,
        );
    }
    for kind in ["Failed", "Complete", "FailureTarget"] {
        if is_true(live, kind) && !is(kind) {
            condition(
                &format!("cannot disable the terminal {kind}=True condition"),
                faults,
            );
        }
    }
    for key in ["failed", "succeeded"] {
        let (new, old) = (number(status, key), number(live, key));
        if new < old {
            let why = format!("cannot decrease the {key} counter");
            faults.invalid(&format!("status.{key}"), &new.into(), &why);
        }
    }
    let before = at(live, &["completionTime"]);
    if let (Some(new), Some(old)) = (ended, before)
        && new != old
    {
        faults.invalid("status.completionTime", new, "field is immutable");
    }
    if is_true(live, "SuccessCriteriaMet") && !is("SuccessCriteriaMet") {
        condition(
            "cannot disable the SuccessCriteriaMet=True condition",
            faults,
        );
    }
}

/// What the status of a job that ended cannot have.
fn finished(status: &Map, finished: bool, before: bool, faults: &mut Faults) {
    let active = number(status, "active");
    if finished && active > 0 {
        let why = "active>0 is invalid for finished job";
        faults.invalid("status.active", &active.into(), why);
    }
    if finished && !before && at(status, &["startTime"]).is_none() {
        faults.required("status.startTime", "startTime is required for finished job");
    }
    let leaving = number(status, "terminating");
    if finished && leaving > 0 {
        let why = "terminating>0 is invalid for finished job";
        faults.invalid("status.terminating", &leaving.into(), why);
    }
    let ready = number(status, "ready");
    if at(status, &["ready"]).is_some() && ready > active {
        let why = "cannot set more ready pods than active";
        faults.invalid("status.ready", &ready.into(), why);
    }
}

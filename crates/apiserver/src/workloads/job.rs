//! Jobs: pods until enough have succeeded or too many have failed.

use std::time::Duration;

use objects::{Map, Value, json};

use super::Task;
use super::owned::{Template, is_deleting, is_ready, number, phase};
use super::pod::is_active;
use super::status::{Condition, Times, condition, count, set_condition};
use super::world::{JOBS, PODS, World};
use crate::engine::metadata_text;

const COMPONENT: &str = "job-controller";

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let job = world.get(JOBS, task)?;
    if is_deleting(&job) {
        return None;
    }
    if is_finished(&job) {
        return expire(world, &job);
    }
    let uid = metadata_text(&job, "uid");
    let pods = world.owned(PODS, &task.namespace, uid);
    let counted = |wanted: &str| pods.iter().filter(|p| phase(p) == wanted).count() as i64;
    let (succeeded, failed) = (counted("Succeeded"), counted("Failed"));
    let active: Vec<&Map> = pods.iter().filter(|pod| is_active(pod)).collect();
    let completions = number(&job, &["spec", "completions"], 1);
    let suspended = job.get("spec")?.get("suspend") == Some(&Value::Bool(true));
    let mut status = job
        .get("status")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let now = world.now();
    if !status.contains_key("startTime") && !suspended {
        status.insert("startTime".into(), now.clone().into());
    }
    status.insert("uncountedTerminatedPods".into(), json!({}));
    status.insert("terminating".into(), 0.into());
    let mut running = active.len() as i64;
    if suspended {
        suspend(world, &job, &active, &mut status, &now);
        running = 0;
    } else if succeeded >= completions {
        for pod in &active {
            world.remove_pod(COMPONENT, &job, pod);
        }
        finish(&mut status, Ok(()), &now);
        world.normal(COMPONENT, &job, "Completed", "Job completed");
        running = 0;
    } else if let Some((reason, message)) = failure(world, &job, &status, failed) {
        for pod in &active {
            world.remove_pod(COMPONENT, &job, pod);
        }
        finish(&mut status, Err((reason, message)), &now);
        world.warn(COMPONENT, &job, reason, message);
        running = 0;
    } else {
        resume(world, &job, &mut status, &now);
        let parallelism = number(&job, &["spec", "parallelism"], 1);
        let missing = parallelism.min(completions - succeeded) - running;
        for _ in 0..missing.max(0) {
            running += i64::from(create(world, &job, succeeded + running).is_some());
        }
    }
    let ready = active.iter().filter(|pod| is_ready(pod)).count() as i64;
    status.insert("ready".into(), ready.min(running).into());
    count(&mut status, "active", running);
    count(&mut status, "succeeded", succeeded);
    count(&mut status, "failed", failed);
    let again = deadline(world, &job, &status).filter(|_| running > 0);
    world.set_status(JOBS, &job, status);
    again
}

fn create(world: &World, job: &Map, index: i64) -> Option<Map> {
    let indexed = job.get("spec")?.get("completionMode") == Some(&"Indexed".into());
    let labels = if indexed {
        vec![(
            "batch.kubernetes.io/job-completion-index",
            index.to_string(),
        )]
    } else {
        Vec::new()
    };
    Template {
        owner: job,
        api_version: "batch/v1",
        kind: "Job",
        name: String::new(),
        labels,
    }
    .create(world)
}

fn is_finished(job: &Map) -> bool {
    ["Complete", "Failed"]
        .iter()
        .any(|kind| condition(job, kind).is_some_and(|c| c.get("status") == Some(&"True".into())))
}

/// Says why a job has failed, if it has: too many failures, or too much time.
fn failure(
    world: &World,
    job: &Map,
    status: &Map,
    failed: i64,
) -> Option<(&'static str, &'static str)> {
    if failed > number(job, &["spec", "backoffLimit"], 6) {
        let message = "Job has reached the specified backoff limit";
        return Some(("BackoffLimitExceeded", message));
    }
    let deadline = job.get("spec")?.get("activeDeadlineSeconds")?.as_i64()?;
    let start = status.get("startTime")?.as_str()?;
    (world.seconds_since(start) >= deadline).then_some((
        "DeadlineExceeded",
        "Job was active longer than specified deadline",
    ))
}

fn finish(status: &mut Map, outcome: Result<(), (&str, &str)>, now: &str) {
    let complete = outcome.is_ok();
    let (first, last, reason, message) = match outcome {
        Ok(()) => (
            "SuccessCriteriaMet",
            "Complete",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        ),
        Err((reason, message)) => ("FailureTarget", "Failed", reason, message),
    };
    for kind in [first, last] {
        let condition = Condition {
            kind,
            status: true,
            reason,
            message,
        };
        set_condition(status, &condition, Times::Probed, now);
    }
    if complete {
        status.insert("completionTime".into(), now.into());
    }
}

fn suspend(world: &World, job: &Map, active: &[&Map], status: &mut Map, now: &str) {
    for pod in active {
        world.remove_pod(COMPONENT, job, pod);
    }
    if !holds(job, "Suspended") {
        world.normal(COMPONENT, job, "Suspended", "Job suspended");
    }
    status.remove("startTime");
    let condition = Condition {
        kind: "Suspended",
        status: true,
        reason: "JobSuspended",
        message: "Job suspended",
    };
    set_condition(status, &condition, Times::Probed, now);
}

fn holds(job: &Map, kind: &str) -> bool {
    condition(job, kind).is_some_and(|c| c.get("status") == Some(&"True".into()))
}

/// Says that a suspended job goes on.
fn resume(world: &World, job: &Map, status: &mut Map, now: &str) {
    if !holds(job, "Suspended") {
        return;
    }
    world.normal(COMPONENT, job, "Resumed", "Job resumed");
    let condition = Condition {
        kind: "Suspended",
        status: false,
        reason: "JobResumed",
        message: "Job resumed",
    };
    set_condition(status, &condition, Times::Probed, now);
    status.insert("startTime".into(), now.into());
}

/// Returns when the deadline of a running job has to be looked at.
fn deadline(world: &World, job: &Map, status: &Map) -> Option<Duration> {
    let deadline = job.get("spec")?.get("activeDeadlineSeconds")?.as_i64()?;
    let left = deadline - world.seconds_since(status.get("startTime")?.as_str()?);
    Some(Duration::from_secs(u64::try_from(left.max(1)).unwrap_or(1)))
}

/// Removes a finished job after its time to live.
fn expire(world: &World, job: &Map) -> Option<Duration> {
    let ttl = job.get("spec")?.get("ttlSecondsAfterFinished")?.as_i64()?;
    let finished = ["Complete", "Failed"]
        .iter()
        .find_map(|kind| condition(job, kind)?.get("lastTransitionTime")?.as_str())?;
    let left = ttl - world.seconds_since(finished);
    if left > 0 {
        return Some(Duration::from_secs(u64::try_from(left).unwrap_or(1)));
    }
    world.delete(JOBS, job);
    None
}

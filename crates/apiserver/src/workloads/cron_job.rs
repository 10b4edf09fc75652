//! Cron jobs: a job at each scheduled time, by the server's clock.
//!
//! Follows Kubernetes' second cron job controller: time zones, suspension, starting deadlines, the three concurrency policies,
//! history limits, jobs named by the minute of their schedule.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use objects::{Map, Value, json};

use super::Task;
use super::owned::{is_deleting, number, text_at};
use super::status::condition;
use super::world::{CRON_JOBS, JOBS, World, controller_reference};
use crate::engine::{metadata_mut, metadata_text};
use crate::schedule::{Schedule, zone};

const COMPONENT: &str = "cronjob-controller";
const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// Missed times that are walked through before they are too many.
const MISSED_MAX: usize = 100;

pub(super) fn step(world: &World, task: &Task) -> Option<Duration> {
    let cron = world.get(CRON_JOBS, task)?;
    if is_deleting(&cron) {
        return None;
    }
    let uid = metadata_text(&cron, "uid");
    let jobs = world.owned(JOBS, &task.namespace, uid);
    let mut status = status(world, &cron, &jobs);
    let jobs = prune(world, &cron, jobs);
    let again = start(world, &cron, &jobs, &mut status);
    world.set_status(CRON_JOBS, &cron, status);
    again
}

fn finished(job: &Map) -> Option<&'static str> {
    ["Complete", "Failed"]
        .into_iter()
        .find(|kind| condition(job, kind).is_some_and(|c| c.get("status") == Some(&"True".into())))
}

/// Computes the status from the jobs, and reports those that ended since the last look.
fn status(world: &World, cron: &Map, jobs: &[Map]) -> Map {
    let mut status = cron
        .get("status")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let active = status.remove("active");
    let before: Vec<&Value> = active
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let mut running = Vec::new();
    for job in jobs {
        let name = metadata_text(job, "name");
        let was_active = before.iter().any(|reference| reference["name"] == name);
        match finished(job) {
            None if was_active => running.push(reference(job)),
            None => {
                let message =
                    format!("Saw a job that the controller did not create or forgot: {name}");
                world.warn(COMPONENT, cron, "UnexpectedJob", &message);
            }
            Some(how) if was_active => {
                let message = format!("Saw completed job: {name}, condition: {how}");
                world.normal(COMPONENT, cron, "SawCompletedJob", &message);
                let end = text_at(job, &["status", "completionTime"]);
                let known = status.get("lastSuccessfulTime").and_then(Value::as_str);
                if how == "Complete" && known.is_none_or(|known| known < end) {
                    status.insert("lastSuccessfulTime".into(), end.into());
                }
            }
            Some(_) => {}
        }
    }
    if !running.is_empty() {
        status.insert("active".into(), Value::Array(running));
    }
    status
}

fn reference(job: &Map) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "name": metadata_text(job, "name"),
        "namespace": metadata_text(job, "namespace"), "uid": metadata_text(job, "uid"),
        "resourceVersion": metadata_text(job, "resourceVersion"),
    })
}

/// Removes finished jobs beyond the history limits, oldest first; returns the rest.
fn prune(world: &World, cron: &Map, jobs: Vec<Map>) -> Vec<Map> {
    let mut gone = Vec::new();
    for (how, key, default) in [
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ] {
        let limit = number(cron, &["spec", key], default);
        let mut ended: Vec<&Map> = jobs.iter().filter(|j| finished(j) == Some(how)).collect();
        ended.sort_by_key(|job| {
            let start = text_at(job, &["status", "startTime"]).to_owned();
            (start, metadata_text(job, "name").to_owned())
        });
        let excess = ended
            .len()
            .saturating_sub(usize::try_from(limit).unwrap_or(0));
        for job in ended.into_iter().take(excess) {
            delete(world, cron, job);
            gone.push(metadata_text(job, "uid").to_owned());
        }
    }
    let mut jobs = jobs;
    jobs.retain(|job| !gone.iter().any(|uid| uid == metadata_text(job, "uid")));
    jobs
}

fn delete(world: &World, cron: &Map, job: &Map) {
    world.delete(JOBS, job);
    let message = format!("Deleted job {}", metadata_text(job, "name"));
    world.normal(COMPONENT, cron, "SuccessfulDelete", &message);
}

/// Starts the job that is due; returns when to look again.
fn start(world: &World, cron: &Map, jobs: &[Map], status: &mut Map) -> Option<Duration> {
    if cron.get("spec")?.get("suspend") == Some(&Value::Bool(true)) {
        return None;
    }
    let text = text_at(cron, &["spec", "schedule"]);
    let Ok(schedule) = Schedule::parse(text) else {
        let message = format!("unparseable schedule: {text:?}");
        world.warn(COMPONENT, cron, "UnparseableSchedule", &message);
        return None;
    };
    let zone_name = text_at(cron, &["spec", "timeZone"]);
    let zone = match zone_name {
        "" => TimeZone::UTC,
        name => match zone(name) {
            Some(zone) => zone,
            None => {
                let message = format!("invalid timeZone: {name:?}: unknown time zone {name}");
                world.warn(COMPONENT, cron, "UnknownTimeZone", &message);
                return None;
            }
        },
    };
    let now = world.engine.environment.clock.now();
    let (due, many) = most_recent(world, cron, &schedule, &zone, now);
    let wait = schedule.next(now, &zone).map(|next| {
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        // The controller looks a little late, so that the time has come for sure.
        wait + Duration::from_millis(100)
    });
    let Some(due) = due else { return wait };
    if many {
        let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        world.warn(COMPONENT, cron, "TooManyMissedTimes", message);
    }
    let deadline = cron.get("spec")?.get("startingDeadlineSeconds");
    if let Some(deadline) = deadline.and_then(Value::as_i64)
        && due.as_second() + deadline < now.as_second()
    {
        let shown = due
            .to_zoned(TimeZone::UTC)
            .strftime("%a, %d %b %Y %H:%M:%S %z");
        let message = format!("Missed scheduled time to start a job: {shown}");
        world.warn(COMPONENT, cron, "MissSchedule", &message);
        return wait;
    }
    let running: Vec<&Map> = jobs.iter().filter(|job| finished(job).is_none()).collect();
    match text_at(cron, &["spec", "concurrencyPolicy"]) {
        "Forbid" if !running.is_empty() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            world.normal(COMPONENT, cron, "JobAlreadyActive", message);
            return wait;
        }
        "Replace" => {
            for job in running {
                delete(world, cron, job);
            }
            status.remove("active");
        }
        _ => {}
    }
    create(world, cron, due, zone_name, &zone, status);
    wait
}

/// Finds the last scheduled time that has passed and was not acted upon, and whether many were missed.
fn most_recent(
    world: &World,
    cron: &Map,
    schedule: &Schedule,
    zone: &TimeZone,
    now: Timestamp,
) -> (Option<Timestamp>, bool) {
    let _ = world;
    let last = match text_at(cron, &["status", "lastScheduleTime"]) {
        "" => metadata_text(cron, "creationTimestamp"),
        last => last,
    };
    let mut from: Timestamp = last.parse().unwrap_or(now);
    let deadline = number(cron, &["spec", "startingDeadlineSeconds"], -1);
    if deadline >= 0 {
        let earliest = Timestamp::from_second(now.as_second() - deadline).unwrap_or(from);
        from = from.max(earliest);
    }
    let (mut due, mut missed) = (None, 0);
    while let Some(next) = schedule.next(from, zone).filter(|next| *next <= now) {
        due = Some(next);
        from = next;
        missed += 1;
        if missed > MISSED_MAX {
            // Far behind: jump close to the present, keeping the last time before it.
            let close = Timestamp::from_second(now.as_second() - 7200).unwrap_or(next);
            from = from.max(close);
            missed = 0;
            if from == next {
                continue;
            }
            return (last_before(schedule, zone, from, now).or(due), true);
        }
    }
    (due, false)
}

fn last_before(
    schedule: &Schedule,
    zone: &TimeZone,
    mut from: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut due = None;
    while let Some(next) = schedule.next(from, zone).filter(|next| *next <= now) {
        due = Some(next);
        from = next;
    }
    due
}

fn create(
    world: &World,
    cron: &Map,
    due: Timestamp,
    zone_name: &str,
    zone: &TimeZone,
    status: &mut Map,
) {
    let name = format!("{}-{}", metadata_text(cron, "name"), due.as_second() / 60);
    let template = cron.get("spec").and_then(|s| s.get("jobTemplate"));
    let part = |key: &str| {
        let part = template.and_then(|t| t.get("metadata")?.get(key));
        part.cloned().unwrap_or_else(|| json!({}))
    };
    let shown = if zone_name.is_empty() {
        crate::environment::format_seconds(due)
    } else {
        due.to_zoned(zone.clone())
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string()
    };
    let mut annotations = part("annotations");
    annotations[SCHEDULED_AT] = shown.into();
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": metadata_text(cron, "namespace"),
            "labels": part("labels"), "annotations": annotations,
            "ownerReferences": [controller_reference("batch/v1", "CronJob", cron)],
        },
        "spec": template.and_then(|t| t.get("spec")).cloned().unwrap_or_else(|| json!({})),
    });
    let Value::Object(mut job) = job else { return };
    if part("labels").as_object().is_some_and(Map::is_empty) {
        metadata_mut(&mut job).remove("labels");
    }
    match world.try_create(JOBS, job) {
        Ok(job) => {
            let message = format!("Created job {name}");
            world.normal(COMPONENT, cron, "SuccessfulCreate", &message);
            let active = status.entry("active").or_insert_with(|| json!([]));
            if let Some(active) = active.as_array_mut() {
                active.push(reference(&job));
            }
        }
        // It was started before; its time has only not been noted.
        Err(failure) if failure.status.reason == "AlreadyExists" => {}
        Err(failure) => {
            let message = format!("Error creating job: {}", failure.status.message);
            world.warn(COMPONENT, cron, "FailedCreate", &message);
            return;
        }
    }
    let time = crate::environment::format_seconds(due);
    status.insert("lastScheduleTime".into(), time.into());
}

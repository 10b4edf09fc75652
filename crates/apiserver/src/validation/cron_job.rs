//! Schedules of jobs.

use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, job, map_at, text};
use crate::failure::field;
use crate::schedule::{Schedule, zone};

/// Longest name of a cron job, which leaves room for the suffix of its jobs.
const CRON_NAME_MAX: usize = 52;

pub(super) fn check(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        faults.required("spec.schedule", "");
    } else if let Err(why) = Schedule::parse(schedule) {
        faults.invalid("spec.schedule", &schedule.into(), &why);
    }
    let before = subject.live.map_or("", |live| {
        map_at(live, &["spec"]).map_or("", |spec| text(spec, "schedule"))
    });
    if schedule.contains("TZ") && !before.contains("TZ") {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        faults.invalid("spec.schedule", &schedule.into(), why);
    }
    faults.not_negative(spec, "spec", "startingDeadlineSeconds");
    let zone_of = |object: &Map| at(object, &["spec", "timeZone"]).cloned();
    let changed = subject
        .live
        .is_none_or(|live| zone_of(live) != zone_of(subject.object));
    if let Some(zone) = at(spec, &["timeZone"]).filter(|_| changed) {
        time_zone(zone, faults);
    }
    match text(spec, "concurrencyPolicy") {
        "" => faults.required("spec.concurrencyPolicy", ""),
        policy => {
            let policies = ["Allow", "Forbid", "Replace"];
            faults.one_of("spec.concurrencyPolicy", policy, &policies);
        }
    }
    let template = map_at(spec, &["jobTemplate", "spec"]).unwrap_or(&NO_FIELDS);
    job::spec(template, "spec.jobTemplate.spec", faults);
    if let Some(selector) = at(template, &["selector"]) {
        let why = "`selector` will be auto-generated";
        faults.invalid("spec.jobTemplate.spec.selector", selector, why);
    }
    if template.get("manualSelector") == Some(&Value::Bool(true)) {
        let own = "spec.jobTemplate.spec.manualSelector";
        let fault = field::not_supported(own, &true.into(), &["nil", "false"]);
        faults.0.push(fault);
    }
    for key in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        faults.not_negative(spec, "spec", key);
    }
    let name = map_at(subject.object, &["metadata"]).map_or("", |metadata| text(metadata, "name"));
    if subject.live.is_none() && name.len() > CRON_NAME_MAX {
        let why = "must be no more than 52 characters";
        faults.invalid("metadata.name", &name.into(), why);
    }
}

fn time_zone(given: &Value, faults: &mut Faults) {
    const PATH: &str = "spec.timeZone";
    let name = given.as_str().unwrap_or("");
    if name.is_empty() {
        faults.invalid(PATH, given, "timeZone must be nil or non-empty string");
    } else if name.eq_ignore_ascii_case("local") {
        let why =
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        faults.invalid(PATH, given, why);
    } else if zone(name).is_none() {
        faults.invalid(PATH, given, &format!("unknown time zone {name}"));
    }
}

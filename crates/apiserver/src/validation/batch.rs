//! Jobs and their schedules.

use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, map_at, pod, text};

pub(super) fn job(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    job_spec(spec, "spec", faults);
    let Some(live) = subject.live.and_then(|live| map_at(live, &["spec"])) else {
        return;
    };
    let suspended = live.get("suspend") == Some(&Value::Bool(true));
    for key in [
        "selector",
        "template",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
    ] {
        if key == "template" && suspended {
            continue;
        }
        if key == "template" {
            template(spec, live, faults);
            continue;
        }
        faults.immutable(&format!("spec.{key}"), spec.get(key), live.get(key));
    }
    let indexed = text(spec, "completionMode") == "Indexed";
    if !indexed {
        faults.immutable(
            "spec.completions",
            spec.get("completions"),
            live.get("completions"),
        );
    }
}

fn job_spec(spec: &Map, path: &str, faults: &mut Faults) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        faults.not_negative(spec, path, key);
    }
    let template = map_at(spec, &["template", "spec"]).unwrap_or(&NO_FIELDS);
    let own = format!("{path}.template.spec");
    pod::specification(template, &own, faults);
    match text(template, "restartPolicy") {
        "Always" | "" => faults.required(
            &format!("{own}.restartPolicy"),
            "valid values: \"OnFailure\", \"Never\"",
        ),
        _ => {}
    }
}

pub(super) fn cron_job(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        faults.required("spec.schedule", "");
    } else if let Err(why) = cron(schedule) {
        faults.invalid("spec.schedule", &schedule.into(), &why);
    }
    let before = subject.live.map_or("", |live| {
        map_at(live, &["spec"]).map_or("", |spec| text(spec, "schedule"))
    });
    if schedule.contains("TZ") && !before.contains("TZ") {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        faults.invalid("spec.schedule", &schedule.into(), why);
    }
    if let Some(zone) = at(spec, &["timeZone"]) {
        time_zone(zone, faults);
    }
    let name = map_at(subject.object, &["metadata"]).map_or("", |metadata| text(metadata, "name"));
    if subject.live.is_none() && name.len() > CRON_NAME_MAX {
        let why = "must be no more than 52 characters";
        faults.invalid("metadata.name", &name.into(), why);
    }
    for key in [
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
    ] {
        faults.not_negative(spec, "spec", key);
    }
    faults.one_of(
        "spec.concurrencyPolicy",
        text(spec, "concurrencyPolicy"),
        &["Allow", "Forbid", "Replace"],
    );
    if let Some(job) = map_at(spec, &["jobTemplate", "spec"]) {
        job_spec(job, "spec.jobTemplate.spec", faults);
        if at(job, &["selector"]).is_some() {
            let value = at(job, &["selector"]).cloned().unwrap_or_default();
            let why = "`selector` will be auto-generated";
            faults.invalid("spec.jobTemplate.spec.selector", &value, why);
        }
    }
}

/// Longest name of a cron job, which leaves room for the suffix of its jobs.
const CRON_NAME_MAX: usize = 52;

fn time_zone(zone: &Value, faults: &mut Faults) {
    const PATH: &str = "spec.timeZone";
    let name = zone.as_str().unwrap_or("");
    if name.is_empty() {
        faults.invalid(PATH, zone, "timeZone must be nil or non-empty string");
    } else if name.eq_ignore_ascii_case("local") {
        let why =
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        faults.invalid(PATH, zone, why);
    } else if crate::schedule::zone(name).is_none() {
        faults.invalid(PATH, zone, &format!("unknown time zone {name}"));
    }
}

/// Bounds of the five fields of a schedule: minute, hour, day, month, weekday.
const FIELDS: [(i64, i64); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
const NAMES: [&str; 19] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "SUN",
    "MON", "TUE", "WED", "THU", "FRI", "SAT",
];

/// Checks a cron schedule in the words of the library upstream uses.
fn cron(schedule: &str) -> Result<(), String> {
    if schedule.starts_with('@') {
        const WORDS: [&str; 7] = [
            "@yearly",
            "@annually",
            "@monthly",
            "@weekly",
            "@daily",
            "@midnight",
            "@hourly",
        ];
        if WORDS.contains(&schedule) || schedule.starts_with("@every ") {
            return Ok(());
        }
        return Err(format!("unrecognized descriptor: {schedule}"));
    }
    let mut fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields
        .first()
        .is_some_and(|f| f.starts_with("TZ=") || f.starts_with("CRON_TZ="))
    {
        fields.remove(0);
    }
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    }
    for (field, (low, high)) in fields.iter().zip(FIELDS) {
        for part in field.split(',') {
            cron_part(part, low, high)?;
        }
    }
    Ok(())
}

fn cron_part(part: &str, low: i64, high: i64) -> Result<(), String> {
    let (range, step) = part.split_once('/').unwrap_or((part, ""));
    let number = |text: &str| -> Result<i64, String> {
        if let Some(at) = NAMES.iter().position(|n| n.eq_ignore_ascii_case(text)) {
            return Ok(if at < 12 {
                at as i64 + 1
            } else {
                at as i64 - 12
            });
        }
        text.parse::<i64>().map_err(|_| {
            format!(
                "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
            )
        })
    };
    if !step.is_empty() && number(step)? == 0 {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    if range == "*" || range == "?" {
        return Ok(());
    }
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (from, to) = (number(from)?, number(to)?);
    if from < low {
        return Err(format!(
            "beginning of range ({from}) below minimum ({low}): {part}"
        ));
    }
    if to > high {
        return Err(format!(
            "end of range ({to}) above maximum ({high}): {part}"
        ));
    }
    if from > to {
        return Err(format!(
            "beginning of range ({from}) beyond end of range ({to}): {part}"
        ));
    }
    Ok(())
}

/// Refuses another pod template, showing it as Go prints the internal struct.
fn template(spec: &Map, live: &Map, faults: &mut Faults) {
    let new = map_at(spec, &["template"]).unwrap_or(&NO_FIELDS);
    if new != map_at(live, &["template"]).unwrap_or(&NO_FIELDS) {
        let shown = crate::internals::compact("PodTemplateSpec", new);
        faults.invalid_text("spec.template", &shown, "field is immutable");
    }
}

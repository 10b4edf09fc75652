//! Jobs and their schedules.

use objects::{Map, Value};

use super::{Faults, NO_FIELDS, Subject, at, items, map_at, number, pod, text};

pub(super) fn job(subject: &Subject<'_>, faults: &mut Faults) {
    let spec = map_at(subject.object, &["spec"]).unwrap_or(&NO_FIELDS);
    if spec.get("manualSelector") != Some(&Value::Bool(true)) {
        generated_selector(subject.object, spec, faults);
    }
    job_spec(spec, "spec", faults);
    selector(spec, faults);
    if subject.live.is_none() {
        host_names(subject.object, spec, faults);
    } else {
        // Upstream checks an update as a new job first, then as an update.
        job_spec(spec, "spec", faults);
        selector(spec, faults);
    }
    let Some(live) = subject.live.and_then(|live| map_at(live, &["spec"])) else {
        return;
    };
    completions(spec, live, faults);
    faults.immutable("spec.selector", spec.get("selector"), live.get("selector"));
    if live.get("suspend") != Some(&Value::Bool(true)) {
        template(spec, live, faults);
    }
    for key in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        faults.immutable(&format!("spec.{key}"), spec.get(key), live.get(key));
    }
}

/// The server makes the selector of a job; what its author adds may not narrow it.
fn generated_selector(job: &Map, spec: &Map, faults: &mut Faults) {
    let Some(selector) = map_at(spec, &["selector"]) else {
        return;
    };
    let metadata = map_at(job, &["metadata"]).unwrap_or(&NO_FIELDS);
    let (uid, name) = (text(metadata, "uid"), text(metadata, "name"));
    let expected = objects::json!({
        "batch.kubernetes.io/controller-uid": uid, "controller-uid": uid,
        "batch.kubernetes.io/job-name": name, "job-name": name,
    });
    if !super::workload::matches(selector, Some(&expected)) {
        let shown = Value::Object(selector.clone());
        faults.invalid("spec.selector", &shown, "`selector` not auto-generated");
    }
}

fn selector(spec: &Map, faults: &mut Faults) {
    let selector = map_at(spec, &["selector"]);
    match selector {
        None => faults.required("spec.selector", ""),
        Some(_) => pod::label_selector(selector, "spec.selector", faults),
    }
    let labels = at(spec, &["template", "metadata", "labels"]);
    if !selector.is_some_and(|selector| super::workload::matches(selector, labels)) {
        let value = labels.cloned().unwrap_or_default();
        let why = "`selector` does not match template `labels`";
        faults.invalid("spec.template.metadata.labels", &value, why);
    }
}

/// Pods of an indexed job are named after it and their index.
fn host_names(job: &Map, spec: &Map, faults: &mut Faults) {
    let completions = number(spec, "completions");
    if text(spec, "completionMode") != "Indexed" || completions <= 0 {
        return;
    }
    let name = map_at(job, &["metadata"]).map_or("", |metadata| text(metadata, "name"));
    let last = format!("{name}-{}", completions - 1);
    if !crate::names::dns_label(&last).is_empty() {
        let why = format!("will not able to create pod with invalid DNS label: {last}");
        faults.invalid("metadata.name", &name.into(), &why);
    }
}

fn completions(spec: &Map, live: &Map, faults: &mut Faults) {
    let (new, old) = (at(spec, &["completions"]), at(live, &["completions"]));
    if text(spec, "completionMode") != "Indexed" {
        return faults.immutable("spec.completions", new, old);
    }
    if let Some(new) = new
        && Some(new) != old
        && at(spec, &["parallelism"]) != Some(new)
    {
        let why = "can only be modified in tandem with spec.parallelism";
        faults.invalid("spec.completions", new, why);
    }
}

/// Most pods of an indexed job at once, and most of its indexes that may fail.
const INDEXED_MAX: i64 = 100_000;
/// The same above that many completions.
const MANY_MAX: i64 = 10_000;

fn job_spec(spec: &Map, path: &str, faults: &mut Faults) {
    for key in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        faults.not_negative(spec, path, key);
    }
    let set = |key: &str| at(spec, &[key]).is_some();
    if set("maxFailedIndexes") && !set("backoffLimitPerIndex") {
        let why = "when maxFailedIndexes is specified";
        faults.required(&format!("{path}.backoffLimitPerIndex"), why);
    }
    if let Some(manager) = at(spec, &["managedBy"]).and_then(Value::as_str) {
        managed_by(manager, &format!("{path}.managedBy"), faults);
    }
    let mode = at(spec, &["completionMode"]).and_then(Value::as_str);
    if let Some(mode) = mode {
        let own = format!("{path}.completionMode");
        faults.one_of(&own, mode, &["NonIndexed", "Indexed"]);
    }
    match mode {
        Some("Indexed") => indexed(spec, path, faults),
        None | Some("NonIndexed") => {
            for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if let Some(value) = at(spec, &[key]) {
                    let why = "requires indexed completion mode";
                    faults.invalid(&format!("{path}.{key}"), value, why);
                }
            }
        }
        Some(_) => {}
    }
    policies(spec, path, faults);
    let template = map_at(spec, &["template"]).unwrap_or(&NO_FIELDS);
    pod::template(template, &format!("{path}.template"), faults);
    let own = format!("{path}.template.spec.restartPolicy");
    let policy = map_at(template, &["spec"]).map_or("", |pod| text(pod, "restartPolicy"));
    match policy {
        "Always" | "" => faults.required(&own, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if set("podFailurePolicy") => {
            let why = "only \"Never\" is supported when podFailurePolicy is specified";
            faults.invalid(&own, &policy.into(), why);
        }
        policy => faults.one_of(&own, policy, &["OnFailure", "Never"]),
    }
}

fn managed_by(manager: &str, path: &str, faults: &mut Faults) {
    super::networking::domain_prefixed(path, manager, faults);
    if manager.len() > 63 {
        faults
            .0
            .push(crate::failure::field::too_long(path, "bytes", 63));
    }
}

fn indexed(spec: &Map, path: &str, faults: &mut Faults) {
    let amount = |key: &str| at(spec, &[key]).and_then(Value::as_i64);
    let (completions, failed) = (amount("completions"), amount("maxFailedIndexes"));
    let parallelism = amount("parallelism");
    if completions.is_none() {
        let why = "when completion mode is Indexed";
        faults.required(&format!("{path}.completions"), why);
    }
    let mut most = |key: &str, value: i64, why: String| {
        let why = format!("must be less than or equal to {why}");
        faults.invalid(&format!("{path}.{key}"), &value.into(), &why);
    };
    if let Some(value) = parallelism.filter(|value| *value > INDEXED_MAX) {
        most(
            "parallelism",
            value,
            format!("{INDEXED_MAX} when completion mode is Indexed"),
        );
    }
    if let (Some(failed), Some(completions)) = (failed, completions)
        && failed > completions
    {
        most("maxFailedIndexes", failed, "completions".into());
    }
    if let Some(value) = failed.filter(|value| *value > INDEXED_MAX) {
        most("maxFailedIndexes", value, INDEXED_MAX.to_string());
    }
    if completions.is_none_or(|c| c <= INDEXED_MAX) || amount("backoffLimitPerIndex").is_none() {
        return;
    }
    let many = format!(
        "{MANY_MAX} when completions are above {INDEXED_MAX} and used with backoff limit per index"
    );
    if let Some(value) = parallelism.filter(|value| *value > MANY_MAX) {
        most("parallelism", value, many.clone());
    }
    match failed {
        Some(value) if value > MANY_MAX => most("maxFailedIndexes", value, many),
        Some(_) => {}
        None => {
            let why = format!("must be specified when completions is above {INDEXED_MAX}");
            faults.required(&format!("{path}.maxFailedIndexes"), &why);
        }
    }
}

/// Most rules of a policy.
const RULES_MAX: usize = 20;

fn too_many(path: &str, count: usize, faults: &mut Faults) {
    if count > RULES_MAX {
        faults
            .0
            .push(crate::failure::field::too_many(path, count, RULES_MAX));
    }
}

fn policies(spec: &Map, path: &str, faults: &mut Faults) {
    let failure = map_at(spec, &["podFailurePolicy"]);
    if let Some(policy) = failure {
        failure_policy(
            spec,
            policy,
            &format!("{path}.podFailurePolicy.rules"),
            faults,
        );
    }
    if let Some(policy) = map_at(spec, &["successPolicy"]) {
        let own = format!("{path}.successPolicy.rules");
        let rules = items(policy, &["rules"]).count();
        if text(spec, "completionMode") == "Indexed" {
            if rules == 0 {
                let why =
                    "at least one rules must be specified when the successPolicy is specified";
                faults.required(&own, why);
            }
            too_many(&own, rules, faults);
            for (i, rule) in items(policy, &["rules"]) {
                success_rule(spec, rule, &format!("{own}[{i}]"), faults);
            }
        } else {
            let rules = policy.get("rules").cloned().unwrap_or_default();
            let why = "requires indexed completion mode";
            let own = format!("{path}.successPolicy");
            faults.invalid_text(&own, &format!("{{\"Rules\":{rules}}}"), why);
        }
    }
    if let Some(policy) = at(spec, &["podReplacementPolicy"]).and_then(Value::as_str) {
        let own = format!("{path}.podReplacementPolicy");
        match failure {
            Some(_) => faults.one_of(&own, policy, &["Failed"]),
            None => faults.one_of(&own, policy, &["Failed", "TerminatingOrFailed"]),
        }
    }
}

fn success_rule(spec: &Map, rule: &Map, path: &str, faults: &mut Faults) {
    let count = at(rule, &["succeededCount"]).and_then(Value::as_i64);
    if count.is_none() && at(rule, &["succeededIndexes"]).is_none() {
        let why = "at least one of succeededCount or succeededIndexes must be specified";
        faults.required(path, why);
    }
    faults.not_negative(rule, path, "succeededCount");
    let completions = number(spec, "completions");
    if let Some(count) = count.filter(|count| *count > completions) {
        let why = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        faults.invalid(&format!("{path}.succeededCount"), &count.into(), &why);
    }
}

fn failure_policy(spec: &Map, policy: &Map, path: &str, faults: &mut Faults) {
    const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
    too_many(path, items(policy, &["rules"]).count(), faults);
    for (i, rule) in items(policy, &["rules"]) {
        let own = format!("{path}[{i}]");
        let at_action = format!("{own}.action");
        match text(rule, "action") {
            "" => {
                let why = "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]";
                faults.required(&at_action, why);
            }
            "FailIndex" if at(spec, &["backoffLimitPerIndex"]).is_none() => {
                let why = "requires the backoffLimitPerIndex to be set";
                faults.invalid(&at_action, &"FailIndex".into(), why);
            }
            action => faults.one_of(&at_action, action, &ACTIONS),
        }
        let codes = map_at(rule, &["onExitCodes"]);
        if let Some(codes) = codes {
            exit_codes(spec, codes, &format!("{own}.onExitCodes"), faults);
        }
        let conditions = items(rule, &["onPodConditions"]).count();
        too_many(&format!("{own}.onPodConditions"), conditions, faults);
        for (j, condition) in items(rule, &["onPodConditions"]) {
            let own = format!("{own}.onPodConditions[{j}]");
            let kind = text(condition, "type");
            let problems = crate::names::qualified_name(kind);
            faults.problems(&format!("{own}.type"), kind, problems);
            let own = format!("{own}.status");
            match text(condition, "status") {
                "" => faults.required(&own, "valid values: [\"False\" \"True\" \"Unknown\"]"),
                status => faults.one_of(&own, status, &["False", "True", "Unknown"]),
            }
        }
        let why = match (codes.is_some(), conditions > 0) {
            (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => continue,
        };
        faults.0.push(cluster::StatusCause {
            reason: "FieldValueInvalid".into(),
            message: format!("Invalid value: {why}"),
            field: own,
        });
    }
}

fn exit_codes(spec: &Map, codes: &Map, path: &str, faults: &mut Faults) {
    let own = format!("{path}.operator");
    let operator = text(codes, "operator");
    match operator {
        "" => faults.required(&own, "valid values: [\"In\" \"NotIn\"]"),
        operator => faults.one_of(&own, operator, &["In", "NotIn"]),
    }
    let pod = map_at(spec, &["template", "spec"]).unwrap_or(&NO_FIELDS);
    if let Some(name) = at(codes, &["containerName"]).and_then(Value::as_str) {
        let mut known = items(pod, &["containers"]).chain(items(pod, &["initContainers"]));
        if !known.any(|(_, container)| text(container, "name") == name) {
            let why = "must be one of the container or initContainer names in the pod template";
            faults.invalid(&format!("{path}.containerName"), &name.into(), why);
        }
    }
    let own = format!("{path}.values");
    let values = at(codes, &["values"]).and_then(Value::as_array);
    let numbers: Vec<i64> = values
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect();
    let shown = values.map_or(Value::Null, |values| Value::Array(values.clone()));
    if numbers.is_empty() {
        faults.invalid(&own, &shown, "at least one value is required");
    }
    for (i, number) in numbers.iter().enumerate() {
        let own = format!("{own}[{i}]");
        if operator == "In" && *number == 0 {
            faults.invalid(&own, &0.into(), "must not be 0 for the In operator");
        }
        if numbers.iter().take(i).any(|before| before == number) {
            faults
                .0
                .push(crate::failure::field::duplicate(&own, &(*number).into()));
        }
    }
    if !numbers.is_sorted() {
        faults.invalid(&own, &shown, "must be ordered");
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
    faults.not_negative(spec, "spec", "startingDeadlineSeconds");
    let zone = |object: &Map| at(object, &["spec", "timeZone"]).cloned();
    let changed = subject
        .live
        .is_none_or(|live| zone(live) != zone(subject.object));
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
    let job = map_at(spec, &["jobTemplate", "spec"]).unwrap_or(&NO_FIELDS);
    job_spec(job, "spec.jobTemplate.spec", faults);
    if let Some(selector) = at(job, &["selector"]) {
        let why = "`selector` will be auto-generated";
        faults.invalid("spec.jobTemplate.spec.selector", selector, why);
    }
    if job.get("manualSelector") == Some(&Value::Bool(true)) {
        let own = "spec.jobTemplate.spec.manualSelector";
        let fault = crate::failure::field::not_supported(own, &true.into(), &["nil", "false"]);
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
        if WORDS.contains(&schedule) {
            return Ok(());
        }
        if let Some(pause) = schedule.strip_prefix("@every ") {
            return every(pause)
                .map_err(|why| format!("failed to parse duration {schedule}: {why}"));
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

/// Checks a pause as Go reads durations.
fn every(pause: &str) -> Result<(), String> {
    const UNITS: [&str; 8] = ["ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s", "m", "h"];
    let invalid = || format!("time: invalid duration {}", Value::from(pause));
    let mut rest = pause.trim_start_matches(['+', '-']);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let after = rest.trim_start_matches(digits);
        if after.len() == rest.len() || rest.starts_with('.') {
            return Err(invalid());
        }
        let next = after.trim_start_matches(|c: char| !digits(c));
        let unit = after.strip_suffix(next).unwrap_or(after);
        if unit.is_empty() {
            return Err(format!(
                "time: missing unit in duration {}",
                Value::from(pause)
            ));
        }
        if !UNITS.contains(&unit) {
            let unit = Value::from(unit);
            return Err(format!(
                "time: unknown unit {unit} in duration {}",
                Value::from(pause)
            ));
        }
        rest = next;
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

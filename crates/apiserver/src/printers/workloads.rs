//! Rows of the kinds that make pods, and of what scales or protects them.

use objects::Value;
use objects::quantity::Quantity;

use super::{Row, containers, labels, selector, text_in};

const TEMPLATE: [&str; 4] = ["spec", "template", "spec", "containers"];

pub(super) fn deployment(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = containers(row, &TEMPLATE);
    let ready = row.number(&["status", "readyReplicas"]);
    vec![
        format!("{ready}/{}", row.number(&["spec", "replicas"])).into(),
        row.number(&["status", "updatedReplicas"]).into(),
        row.number(&["status", "availableReplicas"]).into(),
        row.age(),
        names.into(),
        images.into(),
        selector(row.map(&["spec", "selector"])).into(),
    ]
}

pub(super) fn replica_set(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = containers(row, &TEMPLATE);
    let controller = row.text(&["kind"]) == "ReplicationController";
    let own = row.map(&["spec", "selector"]);
    vec![
        row.number(&["spec", "replicas"]).into(),
        row.number(&["status", "replicas"]).into(),
        row.number(&["status", "readyReplicas"]).into(),
        row.age(),
        names.into(),
        images.into(),
        if controller {
            labels(own)
        } else {
            selector(own)
        }
        .into(),
    ]
}

pub(super) fn stateful_set(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = containers(row, &TEMPLATE);
    let ready = row.number(&["status", "readyReplicas"]);
    vec![
        format!("{ready}/{}", row.number(&["spec", "replicas"])).into(),
        row.age(),
        names.into(),
        images.into(),
    ]
}

pub(super) fn daemon_set(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = containers(row, &TEMPLATE);
    let counters = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ];
    let mut cells: Vec<Value> = counters
        .iter()
        .map(|counter| row.number(&["status", counter]).into())
        .collect();
    cells.extend([
        labels(row.map(&["spec", "template", "spec", "nodeSelector"])).into(),
        row.age(),
        names.into(),
        images.into(),
        selector(row.map(&["spec", "selector"])).into(),
    ]);
    cells
}

pub(super) fn job(row: &Row<'_>) -> Vec<Value> {
    let (names, images) = containers(row, &TEMPLATE);
    let succeeded = row.number(&["status", "succeeded"]);
    let completions = match row.at(&["spec", "completions"]).and_then(Value::as_i64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None => {
            let parallelism = row.number(&["spec", "parallelism"]);
            if parallelism > 1 {
                format!("{succeeded}/1 of {parallelism}")
            } else {
                format!("{succeeded}/1")
            }
        }
    };
    vec![
        job_status(row).into(),
        completions.into(),
        duration(row).into(),
        row.age(),
        names.into(),
        images.into(),
        selector(row.map(&["spec", "selector"])).into(),
    ]
}

fn job_status(row: &Row<'_>) -> &'static str {
    let conditions = row.list(&["status", "conditions"]);
    let holds = |kind: &str| {
        conditions
            .iter()
            .any(|c| text_in(c, "type") == kind && text_in(c, "status") == "True")
    };
    if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if row.at(&["metadata", "deletionTimestamp"]).is_some() {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else if holds("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn duration(row: &Row<'_>) -> String {
    let time = |key: &str| row.text(&["status", key]).parse::<jiff::Timestamp>().ok();
    match (time("startTime"), time("completionTime")) {
        (None, _) => String::new(),
        (Some(start), end) => crate::age::since(start, end.unwrap_or(row.now)),
    }
}

pub(super) fn cron_job(row: &Row<'_>) -> Vec<Value> {
    let path = [
        "spec",
        "jobTemplate",
        "spec",
        "template",
        "spec",
        "containers",
    ];
    let (names, images) = containers(row, &path);
    let last = match row.at(&["status", "lastScheduleTime"]) {
        Some(_) => row.since(&["status", "lastScheduleTime"]),
        None => "<none>".into(),
    };
    let suspended = row.at(&["spec", "suspend"]) == Some(&Value::Bool(true));
    vec![
        row.text(&["spec", "schedule"]).into(),
        row.text_or(&["spec", "timeZone"], "<none>"),
        if suspended { "True" } else { "False" }.into(),
        (row.count(&["status", "active"]) as i64).into(),
        last.into(),
        row.age(),
        names.into(),
        images.into(),
        selector(row.map(&["spec", "jobTemplate", "spec", "selector"])).into(),
    ]
}

pub(super) fn autoscaler(row: &Row<'_>) -> Vec<Value> {
    let target = row.map(&["spec", "scaleTargetRef"]);
    let text = |key: &str| {
        let text = target.and_then(|t| t.get(key)).and_then(Value::as_str);
        text.unwrap_or("")
    };
    let least = match row.at(&["spec", "minReplicas"]).and_then(Value::as_i64) {
        Some(least) => least.to_string(),
        None => "<unset>".into(),
    };
    vec![
        format!("{}/{}", text("kind"), text("name")).into(),
        metrics(row).into(),
        least.into(),
        row.number(&["spec", "maxReplicas"]).into(),
        row.number(&["status", "currentReplicas"]).into(),
        row.age(),
    ]
}

fn metrics(row: &Row<'_>) -> String {
    let current = row.list(&["status", "currentMetrics"]);
    let shown: Vec<String> = row
        .list(&["spec", "metrics"])
        .iter()
        .enumerate()
        .map(|(i, metric)| self::metric(metric, current.get(i)))
        .collect();
    match shown.as_slice() {
        [] => "<none>".into(),
        all if all.len() > 2 => format!("{} + {} more...", all[..2].join(", "), all.len() - 2),
        all => all.join(", "),
    }
}

fn metric(metric: &Value, current: Option<&Value>) -> String {
    let kind = text_in(metric, "type");
    let key = match kind {
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        "Pods" => "pods",
        "Object" => "object",
        _ => "external",
    };
    let target = metric.pointer(&format!("/{key}/target"));
    let now = current.and_then(|c| c.pointer(&format!("/{key}/current")));
    let amount = |of: Option<&Value>, unknown: &str| -> String {
        let Some(of) = of else { return unknown.into() };
        if let Some(percent) = of.get("averageUtilization").and_then(Value::as_i64) {
            return format!("{percent}%");
        }
        let value = of.get("averageValue").or_else(|| of.get("value"));
        let text = value.and_then(Value::as_str).unwrap_or("");
        Quantity::parse(text).map_or_else(|_| unknown.to_owned(), |q| q.to_string())
    };
    let shown = format!("{}/{}", amount(now, "<unknown>"), amount(target, "<auto>"));
    let name = metric
        .pointer(&format!("/{key}/name"))
        .and_then(Value::as_str);
    match (kind, name) {
        ("Resource" | "ContainerResource", Some(name)) => format!("{name}: {shown}"),
        _ => shown,
    }
}

pub(super) fn disruption_budget(row: &Row<'_>) -> Vec<Value> {
    let bound = |key: &str| match row.at(&["spec", key]) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "N/A".into(),
    };
    vec![
        bound("minAvailable").into(),
        bound("maxUnavailable").into(),
        row.number(&["status", "disruptionsAllowed"]).into(),
        row.age(),
    ]
}

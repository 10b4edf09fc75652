//! Rows of pods: the status column sums up phases, waiting reasons and exit codes.

use objects::Value;

use super::{Row, or_none, text_in};

pub(super) fn pod(row: &Row<'_>) -> Vec<Value> {
    let statuses = row.list(&["status", "containerStatuses"]);
    let ready = statuses
        .iter()
        .filter(|s| {
            s.get("ready") == Some(&Value::Bool(true)) && s.pointer("/state/running").is_some()
        })
        .count();
    let total = row.list(&["spec", "containers"]).len();
    let restarts: i64 = statuses
        .iter()
        .filter_map(|s| s.get("restartCount")?.as_i64())
        .sum();
    let restarts = match last_restart(row, statuses) {
        Some(since) if restarts > 0 => format!("{restarts} ({since} ago)"),
        _ => restarts.to_string(),
    };
    vec![
        format!("{ready}/{total}").into(),
        reason(row, statuses).into(),
        restarts.into(),
        row.age(),
        or_none(row.text(&["status", "podIP"])),
        or_none(row.text(&["spec", "nodeName"])),
        or_none(row.text(&["status", "nominatedNodeName"])),
        gates(row),
    ]
}

fn last_restart(row: &Row<'_>, statuses: &[Value]) -> Option<String> {
    let finished = statuses.iter().filter_map(|s| {
        let time = s.pointer("/lastState/terminated/finishedAt")?.as_str()?;
        time.parse::<jiff::Timestamp>().ok()
    });
    Some(crate::age::since(finished.max()?, row.now))
}

fn gates(row: &Row<'_>) -> Value {
    let gates = row.list(&["spec", "readinessGates"]);
    if gates.is_empty() {
        return "<none>".into();
    }
    let holds = |kind: &str| {
        let conditions = row.list(&["status", "conditions"]);
        conditions
            .iter()
            .any(|c| text_in(c, "type") == kind && text_in(c, "status") == "True")
    };
    let open = gates
        .iter()
        .filter(|gate| holds(text_in(gate, "conditionType")))
        .count();
    format!("{open}/{}", gates.len()).into()
}

fn reason(row: &Row<'_>, statuses: &[Value]) -> String {
    let phase = row.text(&["status", "phase"]);
    let mut reason = match row.text(&["status", "reason"]) {
        "" => phase.to_owned(),
        reason => reason.to_owned(),
    };
    let scheduling = row
        .list(&["status", "conditions"])
        .iter()
        .any(|c| text_in(c, "type") == "PodScheduled" && text_in(c, "reason") == "SchedulingGated");
    if scheduling {
        reason = "SchedulingGated".into();
    }
    if let Some(init) = init_reason(row) {
        reason = init;
    } else {
        let mut running = false;
        for status in statuses.iter().rev() {
            match state(status) {
                Some(own) => reason = own,
                None if status.get("ready") == Some(&Value::Bool(true)) => running = true,
                None => {}
            }
        }
        if reason == "Completed" && running {
            let ready = row
                .list(&["status", "conditions"])
                .iter()
                .any(|c| text_in(c, "type") == "Ready" && text_in(c, "status") == "True");
            reason = if ready { "Running" } else { "NotReady" }.into();
        }
    }
    if row.at(&["metadata", "deletionTimestamp"]).is_some() {
        return match row.text(&["status", "reason"]) {
            "NodeLost" => "Unknown".into(),
            _ if matches!(phase, "Succeeded" | "Failed") => reason,
            _ => "Terminating".into(),
        };
    }
    reason
}

/// Says why a container waits or how it ended; nothing for one that runs.
fn state(status: &Value) -> Option<String> {
    if let Some(waiting) = status.pointer("/state/waiting") {
        let reason = text_in(waiting, "reason");
        return (!reason.is_empty()).then(|| reason.to_owned());
    }
    let terminated = status.pointer("/state/terminated")?;
    Some(ended(terminated))
}

fn ended(terminated: &Value) -> String {
    let number = |key: &str| terminated.get(key).and_then(Value::as_i64).unwrap_or(0);
    match text_in(terminated, "reason") {
        "" if number("signal") != 0 => format!("Signal:{}", number("signal")),
        "" => format!("ExitCode:{}", number("exitCode")),
        reason => reason.to_owned(),
    }
}

/// Says what the first init container that is not done does.
fn init_reason(row: &Row<'_>) -> Option<String> {
    let statuses = row.list(&["status", "initContainerStatuses"]);
    let total = row.list(&["spec", "initContainers"]).len();
    for (done, status) in statuses.iter().enumerate() {
        if let Some(terminated) = status.pointer("/state/terminated") {
            if terminated.get("exitCode").and_then(Value::as_i64) == Some(0) {
                continue;
            }
            return Some(format!("Init:{}", ended(terminated)));
        }
        let waiting = status
            .pointer("/state/waiting")
            .map_or("", |waiting| text_in(waiting, "reason"));
        return Some(match waiting {
            "" | "PodInitializing" => format!("Init:{done}/{total}"),
            waiting => format!("Init:{waiting}"),
        });
    }
    None
}

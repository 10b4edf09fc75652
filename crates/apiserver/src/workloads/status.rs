//! Conditions and counters of statuses.

use objects::{Map, Value};

/// Returns a condition of an object by type.
pub(super) fn condition<'a>(object: &'a Map, kind: &str) -> Option<&'a Map> {
    object
        .get("status")?
        .get("conditions")?
        .as_array()?
        .iter()
        .filter_map(Value::as_object)
        .find(|c| c.get("type").and_then(Value::as_str) == Some(kind))
}

/// One condition to set.
pub(super) struct Condition<'a> {
    pub(super) kind: &'a str,
    pub(super) status: bool,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

/// Names of the time fields of a kind's conditions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// `lastTransitionTime` and `lastUpdateTime`: deployments.
    Updated,
    /// `lastTransitionTime` and `lastProbeTime`: jobs.
    Probed,
}

/// Sets a condition: keeps its times where nothing changed, its transition time where only the words did. A changed one
/// moves to the end of the list.
pub(super) fn set_condition(status: &mut Map, new: &Condition<'_>, times: Times, now: &str) {
    let state = if new.status { "True" } else { "False" };
    set_state(status, new, state, times, now);
}

/// As [`set_condition`], for a condition of which nobody knows whether it holds.
pub(super) fn set_unknown(status: &mut Map, new: &Condition<'_>, times: Times, now: &str) {
    set_state(status, new, "Unknown", times, now);
}

fn set_state(status: &mut Map, new: &Condition<'_>, wanted: &str, times: Times, now: &str) {
    let list = status
        .entry("conditions")
        .or_insert_with(|| Value::Array(Vec::new()));
    let Some(list) = list.as_array_mut() else {
        return;
    };
    let at = list
        .iter()
        .position(|c| c.get("type").and_then(Value::as_str) == Some(new.kind));
    let mut since = now.to_owned();
    if let Some(at) = at {
        let text = |key: &str| list[at].get(key).and_then(Value::as_str).unwrap_or("");
        let same_status = text("status") == wanted;
        if same_status && text("reason") == new.reason && text("message") == new.message {
            return;
        }
        if same_status {
            text("lastTransitionTime").clone_into(&mut since);
        }
        list.remove(at);
    }
    let mut condition = Map::new();
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            condition.insert(key.to_owned(), value.into());
        }
    };
    put("type", new.kind);
    put("status", wanted);
    put("reason", new.reason);
    put("message", new.message);
    put("lastTransitionTime", &since);
    match times {
        Times::Updated => put("lastUpdateTime", now),
        Times::Probed => put("lastProbeTime", now),
    }
    list.push(Value::Object(condition));
}

/// Sets a counter, leaving zero out.
pub(super) fn count(status: &mut Map, key: &str, value: i64) {
    if value == 0 {
        status.remove(key);
    } else {
        status.insert(key.to_owned(), value.into());
    }
}

//! Facts that commands read from a Flux object: conditions, revisions, progress.

use objects::{HealthStatus, Object, Value, health};

use crate::kinds::{self, FluxKind};

/// One entry of `status.conditions`.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a> {
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// Text for people.
    pub message: &'a str,
    /// Generation that it speaks of; 0 when not given.
    pub observed_generation: i64,
}

/// How far an object is, as kstatus sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The cluster is as the object says.
    Current,
    /// Something is still going on.
    Unfinished,
    /// It will not get there by itself, with the reason.
    Failed(String),
}

fn conditions(object: &Object) -> impl Iterator<Item = &Value> {
    object
        .get(&["status", "conditions"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Returns the condition of a type.
pub fn condition<'a>(object: &'a Object, kind: &str) -> Option<Condition<'a>> {
    let found = conditions(object).find(|condition| condition["type"] == kind)?;
    Some(Condition {
        status: found["status"].as_str().unwrap_or_default(),
        message: found["message"].as_str().unwrap_or_default(),
        observed_generation: found["observedGeneration"].as_i64().unwrap_or(0),
    })
}

/// Tells whether a condition has a status; both are compared without regard to case.
pub fn condition_matches(object: &Object, kind: &str, status: &str) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    conditions(object)
        .filter(|condition| text(&condition["type"]) == kind.to_lowercase())
        .last()
        .is_some_and(|condition| text(&condition["status"]) == status.to_lowercase())
}

/// Returns `True`/`False`/`Unknown` and the message of the Ready condition.
pub fn ready_and_message(object: &Object) -> (String, String) {
    match condition(object, "Ready") {
        Some(ready) => (ready.status.to_owned(), ready.message.to_owned()),
        None => ("False".to_owned(), "waiting to be reconciled".to_owned()),
    }
}

/// Returns the revision of the object's artifact, or "".
pub fn artifact_revision(object: &Object) -> &str {
    object.str_at(&["status", "artifact", "revision"])
}

/// Tells whether `spec.suspend` is true.
pub fn is_suspended(object: &Object) -> bool {
    object.get(&["spec", "suspend"]) == Some(&Value::Bool(true))
}

/// Returns what a HelmRelease has installed, else what it tried to.
pub fn helm_release_revision(object: &Object) -> &str {
    match object
        .get(&["status", "history"])
        .and_then(|history| history.get(0))
    {
        Some(latest) => latest["chartVersion"].as_str().unwrap_or_default(),
        None => object.str_at(&["status", "lastAttemptedRevision"]),
    }
}

/// Tells whether an object has no reconciler: its spec is all there is.
pub fn is_static(kind: &FluxKind, object: &Object) -> bool {
    *kind == kinds::ALERT
        || *kind == kinds::PROVIDER
        || (*kind == kinds::HELM_REPOSITORY && object.str_at(&["spec", "type"]) == "oci")
}

/// Returns what to tell people after a successful reconciliation.
pub fn success_message(kind: &FluxKind, object: &Object) -> String {
    match kind.kind {
        "Kustomization" => format!(
            "applied revision {}",
            object.str_at(&["status", "lastAppliedRevision"])
        ),
        "HelmRelease" => format!("applied revision {}", helm_release_revision(object)),
        "Alert" | "Provider" | "Receiver" => format!("{} reconciliation completed", kind.kind),
        "ImageRepository" => format!(
            "scan fetched {} tags",
            object
                .get(&["status", "lastScanResult", "tagCount"])
                .and_then(Value::as_i64)
                .unwrap_or(0)
        ),
        "ImagePolicy" => format!("selected ref {}", image_ref(object)),
        "ImageUpdateAutomation" => match condition(object, "Ready") {
            Some(ready) => ready.message.to_owned(),
            None => match object.str_at(&["status", "lastAutomationRunTime"]) {
                "" => "automation not yet run".to_owned(),
                time => format!("last run {time}"),
            },
        },
        "HelmRepository" if is_static(kind, object) => condition(object, "Ready")
            .map(|ready| ready.message.to_owned())
            .unwrap_or_default(),
        _ => format!("fetched revision {}", artifact_revision(object)),
    }
}

fn image_ref(object: &Object) -> String {
    let part = |key: &str| object.str_at(&["status", "latestRef", key]).to_owned();
    let mut text = part("name");
    for (separator, key) in [(":", "tag"), ("@", "digest")] {
        let value = part(key);
        if !value.is_empty() {
            text.push_str(separator);
            text.push_str(&value);
        }
    }
    text
}

/// Judges an object by the rules of kstatus.
pub fn progress(object: &Object) -> Progress {
    let health = health(object, jiff::Timestamp::now());
    match health.status {
        HealthStatus::Current => Progress::Current,
        HealthStatus::InProgress => Progress::Unfinished,
        _ => Progress::Failed(health.message),
    }
}

/// Judges whether the object's present generation has been reconciled.
pub fn readiness(kind: &FluxKind, object: &Object) -> Progress {
    if is_static(kind, object) {
        return progress(object);
    }
    let observed = object
        .get(&["status", "observedGeneration"])
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let Some(ready) = condition(object, "Ready").filter(|_| observed >= 1) else {
        return Progress::Unfinished;
    };
    let judged = match ready.observed_generation {
        0 => observed,
        generation => generation,
    };
    if judged == object.generation() {
        progress(object)
    } else {
        Progress::Unfinished
    }
}

/// Cuts runs of 40 to 128 hexadecimal digits that stand alone to eight.
pub fn truncate_hex(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(length);
        let is_hash = (40..=128).contains(&word.len())
            && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        result.push_str(if is_hash { &word[..8] } else { word });
        let mut chars = tail.chars();
        result.extend(chars.next());
        rest = chars.as_str();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    #[test]
    fn only_whole_hashes_are_cut() {
        let hash = "696f056df216eea4f9401adbee0ff744d4df390f";
        for (text, cut) in [
            (format!("main@sha1:{hash}"), "main@sha1:696f056d".to_owned()),
            (format!("x{hash}"), format!("x{hash}")),
            (format!("{hash} é {hash}"), "696f056d é 696f056d".to_owned()),
            ("abc".to_owned(), "abc".to_owned()),
        ] {
            assert_eq!(truncate_hex(&text), cut);
        }
    }

    #[test]
    fn readiness_speaks_of_the_present_generation() {
        let object = |status: Value| {
            Object::from_value(json!({"metadata": {"generation": 2}, "status": status})).unwrap()
        };
        let ready = |observed: i64, status: &str| {
            json!({"observedGeneration": observed, "conditions": [
                {"type": "Ready", "status": status, "message": "m", "observedGeneration": observed}]})
        };
        let stalled = json!({"observedGeneration": 2, "conditions": [
            {"type": "Stalled", "status": "True", "message": "no such branch"},
            {"type": "Ready", "status": "False", "message": "m", "observedGeneration": 2}]});
        for (name, status, expected) in [
            ("nothing observed", json!({}), Progress::Unfinished),
            ("older generation", ready(1, "True"), Progress::Unfinished),
            ("not ready", ready(2, "False"), Progress::Unfinished),
            ("ready", ready(2, "True"), Progress::Current),
            (
                "stalled",
                stalled,
                Progress::Failed("no such branch".to_owned()),
            ),
        ] {
            assert_eq!(
                readiness(&kinds::KUSTOMIZATION, &object(status)),
                expected,
                "{name}"
            );
        }
    }
}

//! Conditions: setting, ordering, reading and summarising, as the shared Flux runtime does.
//!
//! A list of conditions is a plain `Vec<Condition>`; the functions keep it unique by type and in stored order
//! (`Stalled`, `Reconciling`, `Ready`, then by higher observed generation, then by type). Times are arguments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{ARTIFACT_IN_STORAGE, READY, RECONCILING, SOURCE_VERIFIED, STALLED, reason};

/// Longest message that the API accepts, in bytes.
const MESSAGE_MAX: usize = 32_768;

/// Value of a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known yet.
    #[default]
    Unknown,
}

/// One condition of a status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Type, unique in its list.
    #[serde(rename = "type")]
    pub type_: String,
    /// Value.
    pub status: ConditionStatus,
    /// Generation at which it was set; 0 where unknown.
    #[serde(skip_serializing_if = "is_zero")]
    pub observed_generation: i64,
    /// When status, reason or message last changed; whole seconds.
    pub last_transition_time: Timestamp,
    /// Machine-readable cause.
    pub reason: String,
    /// Text for people.
    pub message: String,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl Condition {
    /// Builds a condition; generation and time are filled in by [`set`].
    pub fn new(
        type_: &str,
        status: ConditionStatus,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_: type_.to_owned(),
            status,
            reason: reason.to_owned(),
            message: message.into(),
            ..Self::default()
        }
    }
}

/// When and at which generation a condition is set.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Generation of the object.
    pub generation: i64,
    /// Present time.
    pub now: Timestamp,
}

/// Returns the condition of a type.
pub fn get<'a>(list: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    list.iter().find(|c| c.type_ == type_)
}

/// Tells whether a condition is present and True.
pub fn is_true(list: &[Condition], type_: &str) -> bool {
    get(list, type_).is_some_and(|c| c.status == ConditionStatus::True)
}

/// Tells whether a condition is present and False.
pub fn is_false(list: &[Condition], type_: &str) -> bool {
    get(list, type_).is_some_and(|c| c.status == ConditionStatus::False)
}

/// Tells whether a condition is absent or Unknown.
pub fn is_unknown(list: &[Condition], type_: &str) -> bool {
    get(list, type_).is_none_or(|c| c.status == ConditionStatus::Unknown)
}

/// Tells whether the object is ready: Ready is True, neither Stalled nor Reconciling is.
pub fn is_ready(list: &[Condition]) -> bool {
    is_true(list, READY) && !is_true(list, STALLED) && !is_true(list, RECONCILING)
}

/// Sets a condition and restores the stored order.
///
/// The transition time moves when status, reason or message change. Messages beyond 32,768 bytes are cut and
/// end in `...`.
pub fn set(list: &mut Vec<Condition>, mut condition: Condition, stamp: Stamp) {
    condition.message = trim_message(condition.message);
    condition.observed_generation = stamp.generation;
    condition.last_transition_time = whole_seconds(stamp.now);
    match list.iter_mut().find(|c| c.type_ == condition.type_) {
        Some(old) => {
            let same = old.status == condition.status
                && old.reason == condition.reason
                && old.message == condition.message;
            if same {
                condition.last_transition_time = old.last_transition_time;
            }
            *old = condition;
        }
        None => list.push(condition),
    }
    sort(list);
}

/// Removes a condition.
pub fn delete(list: &mut Vec<Condition>, type_: &str) {
    list.retain(|c| c.type_ != type_);
}

/// Sets a condition True.
pub fn mark_true(
    list: &mut Vec<Condition>,
    type_: &str,
    reason: &str,
    message: impl Into<String>,
    stamp: Stamp,
) {
    set(
        list,
        Condition::new(type_, ConditionStatus::True, reason, message),
        stamp,
    );
}

/// Sets a condition False.
pub fn mark_false(
    list: &mut Vec<Condition>,
    type_: &str,
    reason: &str,
    message: impl Into<String>,
    stamp: Stamp,
) {
    set(
        list,
        Condition::new(type_, ConditionStatus::False, reason, message),
        stamp,
    );
}

/// Sets a condition Unknown.
pub fn mark_unknown(
    list: &mut Vec<Condition>,
    type_: &str,
    reason: &str,
    message: impl Into<String>,
    stamp: Stamp,
) {
    set(
        list,
        Condition::new(type_, ConditionStatus::Unknown, reason, message),
        stamp,
    );
}

/// Sets Reconciling True and removes Stalled.
pub fn mark_reconciling(
    list: &mut Vec<Condition>,
    reason: &str,
    message: impl Into<String>,
    stamp: Stamp,
) {
    delete(list, STALLED);
    mark_true(list, RECONCILING, reason, message, stamp);
}

/// Sets Stalled True and removes Reconciling.
pub fn mark_stalled(
    list: &mut Vec<Condition>,
    reason: &str,
    message: impl Into<String>,
    stamp: Stamp,
) {
    delete(list, RECONCILING);
    mark_true(list, STALLED, reason, message, stamp);
}

/// Reports progress: Reconciling True, and Ready Unknown with the same text where drift is signalled or Ready is
/// absent or Unknown. An object that is Ready stays so while it is merely checked again.
pub fn mark_progressing(
    list: &mut Vec<Condition>,
    drift: bool,
    reason: &str,
    message: &str,
    stamp: Stamp,
) {
    if drift || is_unknown(list, READY) {
        mark_unknown(list, READY, reason, message, stamp);
    }
    mark_reconciling(list, reason, message, stamp);
}

/// Conditions that are good when True; the others that make up a source's Ready tell of trouble or of work.
const GOOD: [&str; 2] = [ARTIFACT_IN_STORAGE, SOURCE_VERIFIED];

/// Summarises conditions into Ready; `None` when none of the types is present.
///
/// `types` are in order of priority; Ready among them is passed over. The first group that is not empty decides: bad True,
/// good False (both Ready False), good True, bad False (both Ready True), Unknown. Inside a group the order of types gives
/// reason and message.
pub fn summarise(list: &[Condition], types: &[&str]) -> Option<Condition> {
    let group = |c: &Condition| match (c.status, GOOD.contains(&c.type_.as_str())) {
        (ConditionStatus::True, false) => 0,
        (ConditionStatus::False, true) => 1,
        (ConditionStatus::True, true) => 2,
        (ConditionStatus::False, false) => 3,
        (ConditionStatus::Unknown, _) => 4,
    };
    let decisive = types
        .iter()
        .filter(|type_| **type_ != READY)
        .filter_map(|type_| get(list, type_))
        .min_by_key(|c| group(c))?;
    let status = match group(decisive) {
        0 | 1 => ConditionStatus::False,
        2 | 3 => ConditionStatus::True,
        _ => ConditionStatus::Unknown,
    };
    Some(Condition::new(
        READY,
        status,
        &decisive.reason,
        decisive.message.clone(),
    ))
}

/// Marks an unfinished pass: a remaining Reconciling condition gets the reason `ProgressingWithRetry`.
pub fn mark_retry(list: &mut Vec<Condition>, stamp: Stamp) {
    if let Some(message) = get(list, RECONCILING).map(|c| c.message.clone()) {
        mark_true(
            list,
            RECONCILING,
            reason::PROGRESSING_WITH_RETRY,
            message,
            stamp,
        );
    }
}

fn sort(list: &mut [Condition]) {
    let rank = |type_: &str| match type_ {
        STALLED => 0,
        RECONCILING => 1,
        READY => 2,
        _ => 3,
    };
    list.sort_by(|a, b| {
        rank(&a.type_).cmp(&rank(&b.type_)).then_with(|| {
            if rank(&a.type_) < 3 {
                return std::cmp::Ordering::Equal;
            }
            b.observed_generation
                .cmp(&a.observed_generation)
                .then_with(|| a.type_.cmp(&b.type_))
        })
    });
}

fn trim_message(message: String) -> String {
    if message.len() <= MESSAGE_MAX {
        return message;
    }
    let mut end = MESSAGE_MAX - 3;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &message[..end])
}

/// Cuts a time to whole seconds, as the API stores it.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        generation: 2,
        now: Timestamp::UNIX_EPOCH,
    };

    fn later() -> Stamp {
        Stamp {
            generation: 3,
            now: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        }
    }

    #[test]
    fn transition_time_moves_only_with_content() {
        let mut list = Vec::new();
        mark_true(&mut list, READY, "Succeeded", "ok", STAMP);
        mark_true(&mut list, READY, "Succeeded", "ok", later());
        assert_eq!(list[0].last_transition_time, STAMP.now);
        assert_eq!(list[0].observed_generation, 3);
        mark_true(&mut list, READY, "Succeeded", "better", later());
        assert_eq!(
            list[0].last_transition_time.to_string(),
            "2026-01-02T03:04:05Z"
        );
    }

    #[test]
    fn stored_order_and_exclusion() {
        let mut list = Vec::new();
        mark_true(&mut list, "Zeta", "A", "", STAMP);
        mark_true(&mut list, "Alpha", "A", "", STAMP);
        mark_true(&mut list, READY, "A", "", STAMP);
        mark_stalled(&mut list, "A", "", STAMP);
        mark_reconciling(&mut list, "A", "", STAMP);
        mark_true(&mut list, "Zulu", "A", "", later());
        let types: Vec<_> = list.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(types, [RECONCILING, READY, "Zulu", "Alpha", "Zeta"]);
    }

    #[test]
    fn long_messages_are_cut() {
        let mut list = Vec::new();
        mark_true(&mut list, READY, "A", "é".repeat(20_000), STAMP);
        assert!(list[0].message.len() <= MESSAGE_MAX);
        assert!(list[0].message.ends_with("é..."));
    }

    #[test]
    fn progress_keeps_a_ready_object_ready() {
        let mut list = Vec::new();
        mark_progressing(&mut list, false, "Progressing", "fetching", STAMP);
        assert!(is_unknown(&list, READY) && is_true(&list, RECONCILING));
        mark_true(&mut list, READY, "Succeeded", "ok", STAMP);
        mark_progressing(&mut list, false, "Progressing", "again", STAMP);
        assert!(is_true(&list, READY));
        mark_progressing(&mut list, true, "Progressing", "drift", STAMP);
        assert!(is_unknown(&list, READY));
    }

    #[test]
    fn summaries_follow_group_then_order() {
        let types = [
            "FetchFailed",
            "ArtifactOutdated",
            "ArtifactInStorage",
            "Reconciling",
            "Ready",
        ];
        type Row<'a> = (
            &'a str,
            &'a [(&'a str, ConditionStatus)],
            Option<(ConditionStatus, &'a str)>,
        );
        let rows: [Row<'_>; 4] = [
            ("nothing known gives no summary", &[], None),
            (
                "a stored artifact is ready",
                &[("ArtifactInStorage", ConditionStatus::True)],
                Some((ConditionStatus::True, "ArtifactInStorage")),
            ),
            (
                "a failed fetch beats a stored artifact and an outdated one",
                &[
                    ("ArtifactInStorage", ConditionStatus::True),
                    ("ArtifactOutdated", ConditionStatus::True),
                    ("FetchFailed", ConditionStatus::True),
                ],
                Some((ConditionStatus::False, "FetchFailed")),
            ),
            (
                "unknown alone stays unknown",
                &[("ArtifactInStorage", ConditionStatus::Unknown)],
                Some((ConditionStatus::Unknown, "ArtifactInStorage")),
            ),
        ];
        for (name, conditions, expected) in rows {
            // What Ready was before has no say.
            let mut list = vec![Condition::new(READY, ConditionStatus::False, "Old", "")];
            for (type_, status) in conditions {
                set(&mut list, Condition::new(type_, *status, type_, ""), STAMP);
            }
            let got = summarise(&list, &types).map(|c| (c.status, c.reason));
            assert_eq!(got, expected.map(|(s, r)| (s, r.to_owned())), "{name}");
        }
    }
}

//! What decisions come to beside the status: events to record, and when to look again.

use std::collections::BTreeMap;
use std::time::Duration;

use api::Severity;

/// An event to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// How bad it is.
    pub severity: Severity,
    /// Machine-readable cause.
    pub reason: String,
    /// Text for people.
    pub message: String,
    /// Metadata; keys have the prefix of their API group. May be empty.
    pub metadata: BTreeMap<String, String>,
}

impl EventDraft {
    /// Builds an event without metadata.
    pub fn new(severity: Severity, reason: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            reason: reason.to_owned(),
            message: message.into(),
            metadata: BTreeMap::new(),
        }
    }
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// Not before something changes.
    Never,
    /// At once.
    Now,
    /// After exactly this time.
    After(Duration),
    /// After this time, give or take the jitter.
    Interval(Duration),
    /// With growing waits.
    Backoff,
}

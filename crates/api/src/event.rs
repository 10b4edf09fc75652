//! The event that controllers post to the notification controller.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names;

/// Longest event message, in characters.
pub const MESSAGE_MAX_CHARS: usize = 39_000;

/// How bad an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record only; never posted.
    Trace,
    /// Normal.
    #[default]
    Info,
    /// Warning.
    Error,
}

/// The object an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InvolvedObject {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Group and version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Version of the object; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
}

/// One event, in the wire form of the notification controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What it is about.
    pub involved_object: InvolvedObject,
    /// How bad it is.
    pub severity: Severity,
    /// When; whole seconds.
    pub timestamp: Timestamp,
    /// Text for people, at most [`MESSAGE_MAX_CHARS`].
    pub message: String,
    /// Machine-readable cause.
    pub reason: String,
    /// Further facts, keys prefixed by API group; may be empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Controller that reports.
    pub reporting_controller: String,
    /// Host that reports; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reporting_instance: String,
}

/// Joins the controller's metadata with the object's `event.toolkit.fluxcd.io/` annotations, which win.
pub fn metadata_with_annotations(
    metadata: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut merged = metadata.clone();
    for (key, value) in annotations {
        let is_event_key = key
            .strip_prefix(names::EVENT_PREFIX)
            .is_some_and(|rest| rest.starts_with('/'));
        if is_event_key {
            merged.insert(key.clone(), value.clone());
        }
    }
    merged
}

/// Cuts a message to [`MESSAGE_MAX_CHARS`].
pub fn trim_message(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_MAX_CHARS) {
        Some((end, _)) => message[..end].to_owned(),
        None => message.to_owned(),
    }
}

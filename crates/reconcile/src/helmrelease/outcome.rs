//! What actions did, written into the status: history, counters, conditions, events.

mod test;
mod undo;

use std::collections::BTreeMap;
use std::time::Duration;

use api::conditions::{self, Stamp};
use api::names::{
    DRIFTED, META_APP_VERSION, META_OCI_DIGEST, META_REVISION, META_TOKEN, READY, RELEASED,
    REMEDIATED, TEST_SUCCESS, reason,
};
use api::{HelmRelease, HelmReleaseStatus, Inventory, Severity, Snapshot};

use super::history::{Observation, has_been_tested, latest, record};
use super::next::{Action, Settings, release_event};
use super::summary::summarize;
use crate::report::EventDraft;

pub use test::end_test;
pub use undo::{end_rollback, end_uninstall, end_uninstall_remediation, end_unlock};

/// What was asked of Helm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Name of the chart.
    pub chart_name: String,
    /// Version of the chart.
    pub chart_version: String,
    /// Version of the application; may be empty.
    pub app_version: String,
    /// Digest of the values.
    pub config_digest: String,
}

/// What an action did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Last write of every release that was written to storage.
    pub observed: Vec<Observation>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// What Helm had to say last; may be empty.
    pub logs: String,
    /// How long it took.
    pub duration: Duration,
    /// Objects of the release that was written, where one was.
    pub inventory: Option<Inventory>,
}

/// What follows from the end of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Event to record.
    pub event: Option<EventDraft>,
    /// The error to return where nothing was changed, so that the pass ends and is tried again.
    pub error: Option<String>,
}

fn with_logs(message: &str, logs: &str) -> String {
    if logs.is_empty() {
        message.to_owned()
    } else {
        format!("{message}\n\nLast Helm logs:\n\n{logs}")
    }
}

/// Returns the metadata of events about a release.
pub fn event_metadata(snapshot: &Snapshot) -> BTreeMap<String, String> {
    snapshot_event(Severity::Info, "", String::new(), snapshot).metadata
}

fn snapshot_event(
    severity: Severity,
    reason: &str,
    message: String,
    snapshot: &Snapshot,
) -> EventDraft {
    let facts = [
        (META_REVISION, snapshot.chart_version.as_str()),
        (META_TOKEN, snapshot.config_digest.as_str()),
        (META_APP_VERSION, snapshot.app_version.as_str()),
        (META_OCI_DIGEST, snapshot.oci_digest.as_str()),
    ];
    release_event(severity, reason, message, facts)
}

fn named(snapshot: &Snapshot) -> String {
    format!(
        "{} with chart {}",
        snapshot.full_release_name(),
        snapshot.versioned_chart_name()
    )
}

/// Writes that an install or upgrade begins: what was known of earlier ones no longer applies.
pub fn begin_release(status: &mut HelmReleaseStatus, action: Action) {
    action
        .name()
        .clone_into(&mut status.last_attempted_release_action);
    if action == Action::Install {
        // Nothing from before an install is ever rolled back to.
        status.history.clear();
    }
    conditions::delete(&mut status.conditions, TEST_SUCCESS);
    conditions::delete(&mut status.conditions, REMEDIATED);
}

/// Ends an install or upgrade.
pub fn end_release(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    action: Action,
    attempt: &Attempt,
    outcome: Outcome,
    settings: Settings,
    stamp: Stamp,
) -> Ended {
    let name = action.name();
    status.last_attempted_release_action_duration = Some(api::Duration(outcome.duration));
    record(status, &outcome.observed, name);
    if let Some(inventory) = outcome.inventory {
        status.inventory = Some(inventory);
    }
    let ended = match outcome.error {
        Some(error) => {
            let event = release_failed(own, status, action, attempt, &error, &outcome.logs, stamp);
            let unchanged = outcome.observed.is_empty();
            if !unchanged {
                count_failure(status);
            }
            Ended {
                event: Some(event),
                error: unchanged.then_some(error),
            }
        }
        None => Ended {
            event: release_succeeded(own, status, action, settings, stamp),
            error: None,
        },
    };
    summarize(own, status, stamp);
    ended
}

fn release_failed(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    action: Action,
    attempt: &Attempt,
    error: &str,
    logs: &str,
    stamp: Stamp,
) -> EventDraft {
    let reason = match action {
        Action::Install => reason::INSTALL_FAILED,
        _ => reason::UPGRADE_FAILED,
    };
    let message = format!(
        "Helm {} failed for release {}/{} with chart {}@{}: {}",
        action.name(),
        own.release_namespace(),
        own.release_name(),
        attempt.chart_name,
        attempt.chart_version,
        error.trim()
    );
    status.failures += 1;
    let list = &mut status.conditions;
    conditions::mark_false(list, RELEASED, reason, message.clone(), stamp);
    let facts = [
        (META_REVISION, attempt.chart_version.as_str()),
        (META_TOKEN, attempt.config_digest.as_str()),
        (META_APP_VERSION, attempt.app_version.as_str()),
        (
            META_OCI_DIGEST,
            status.last_attempted_revision_digest.as_str(),
        ),
    ];
    release_event(Severity::Error, reason, with_logs(&message, logs), facts)
}

fn release_succeeded(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    action: Action,
    settings: Settings,
    stamp: Stamp,
) -> Option<EventDraft> {
    let current = latest(status)?.clone();
    let (reason, retry) = match action {
        Action::Install => (
            reason::INSTALL_SUCCEEDED,
            own.spec.install_retry(settings.default_to_retry),
        ),
        _ => (
            reason::UPGRADE_SUCCEEDED,
            own.spec.upgrade_retry(settings.default_to_retry),
        ),
    };
    let message = format!(
        "Helm {} succeeded for release {}",
        action.name(),
        named(&current)
    );
    let list = &mut status.conditions;
    conditions::mark_true(list, RELEASED, reason, message.clone(), stamp);
    if own.spec.test().enable && !has_been_tested(&current) {
        let text = format!("Helm release {} is awaiting tests", named(&current));
        conditions::mark_unknown(list, TEST_SUCCESS, reason::AWAITING_TESTS, text, stamp);
    }
    if retry.is_some() {
        clear_failures(status);
    }
    Some(snapshot_event(Severity::Info, reason, message, &current))
}

pub(super) fn clear_failures(status: &mut HelmReleaseStatus) {
    status.failures = 0;
    status.install_failures = 0;
    status.upgrade_failures = 0;
}

/// Counts a failure for the last attempted action.
fn count_failure(status: &mut HelmReleaseStatus) {
    match status.last_attempted_release_action.as_str() {
        "install" => status.install_failures += 1,
        "upgrade" => status.upgrade_failures += 1,
        _ => {}
    }
}

/// Reports drift: condition and event. `summary` has one line per object.
pub fn drift_event(status: &mut HelmReleaseStatus, summary: &str, stamp: Stamp) -> EventDraft {
    let release = latest(status).map(Snapshot::full_release_name);
    let message = format!(
        "Cluster state of release {} has drifted from the desired state:\n{summary}",
        release.unwrap_or_default()
    );
    let list = &mut status.conditions;
    let reason = reason::DRIFT_DETECTED;
    conditions::mark_true(list, DRIFTED, reason, message.clone(), stamp);
    EventDraft {
        severity: Severity::Error,
        reason: reason.to_owned(),
        message,
        metadata: BTreeMap::new(),
    }
}

/// What a correction of drift did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriftOutcome {
    /// Errors, one per object.
    pub errors: Vec<String>,
    /// What was changed, one line per object; may be empty.
    pub changes: String,
}

/// Ends a correction of drift.
pub fn end_drift(
    status: &mut HelmReleaseStatus,
    outcome: &DriftOutcome,
    stamp: Stamp,
) -> Option<EventDraft> {
    let list = &mut status.conditions;
    let text = "correcting cluster drift";
    conditions::mark_unknown(list, READY, reason::PROGRESSING, text, stamp);
    let current = latest(status)?.clone();
    let release = current.full_release_name();
    let DriftOutcome { errors, changes } = outcome;
    if errors.is_empty() {
        if changes.is_empty() {
            return None;
        }
        let text = format!("Cluster state of release {release} has been corrected:\n{changes}");
        let reason = reason::DRIFT_CORRECTED;
        return Some(snapshot_event(Severity::Info, reason, text, &current));
    }
    let partially = if changes.is_empty() { "" } else { "partially " };
    let mut text = format!(
        "Failed to {partially}correct cluster state of release {release}:\n{}",
        errors.join("\n")
    );
    if !changes.is_empty() {
        text.push_str(&format!("\n\nSuccessful corrections:\n{changes}"));
    }
    let reason = reason::DRIFT_CORRECTION_FAILED;
    Some(snapshot_event(Severity::Error, reason, text, &current))
}

/// Builds an event about the HelmChart of a release; these are never posted.
pub fn chart_event(reason: &str, message: String) -> EventDraft {
    EventDraft {
        severity: Severity::Trace,
        reason: reason.to_owned(),
        message,
        metadata: BTreeMap::new(),
    }
}

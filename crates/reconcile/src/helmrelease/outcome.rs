//! What actions did, written into the status: history, counters, conditions, events.

use std::collections::BTreeMap;
use std::time::Duration;

use api::conditions::{self, Stamp};
use api::names::{
    DRIFTED, META_APP_VERSION, META_OCI_DIGEST, META_REVISION, META_TOKEN, READY, RELEASED,
    REMEDIATED, TEST_SUCCESS, reason,
};
use api::{HelmRelease, HelmReleaseStatus, Inventory, Severity, Snapshot, TestHookStatus};

use super::history::{Observation, has_been_tested, latest, record, replace};
use super::next::{Action, Settings, active_remediation, release_event};
use super::summary::summarize;
use crate::report::EventDraft;

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

/// Ends a test. `hooks` are the last runs of the selected tests, where the release was written.
pub fn end_test(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    outcome: Outcome,
    hooks: Option<BTreeMap<String, Option<TestHookStatus>>>,
    stamp: Stamp,
) -> Ended {
    let Some(current) = latest(status).cloned() else {
        return Ended {
            event: None,
            error: Some("no latest release: required for test".to_owned()),
        };
    };
    for observation in &outcome.observed {
        if observation.snapshot.version == current.version
            && replace(status, observation, &current.action, false)
            && let Some(first) = status.history.iter_mut().max_by_key(|s| s.version)
        {
            first.test_hooks.clone_from(&hooks);
        }
    }
    let ended = match outcome.error {
        Some(error) => test_failed(own, status, &error, stamp),
        None => test_succeeded(status, stamp),
    };
    summarize(own, status, stamp);
    ended
}

fn test_failed(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    error: &str,
    stamp: Stamp,
) -> Ended {
    let Some(current) = latest(status).cloned() else {
        return Ended::default();
    };
    let message = format!(
        "Helm test failed for release {}: {}",
        named(&current),
        error.trim()
    );
    status.failures += 1;
    let list = &mut status.conditions;
    conditions::mark_false(
        list,
        TEST_SUCCESS,
        reason::TEST_FAILED,
        message.clone(),
        stamp,
    );
    let tested = has_been_tested(&current);
    if tested && active_remediation(own, status).is_some_and(|r| !r.ignore_test_failures) {
        count_failure(status);
    }
    let event = snapshot_event(Severity::Error, reason::TEST_FAILED, message, &current);
    Ended {
        event: Some(event),
        error: (!tested).then(|| error.to_owned()),
    }
}

fn test_succeeded(status: &mut HelmReleaseStatus, stamp: Stamp) -> Ended {
    let Some(current) = latest(status).cloned() else {
        return Ended::default();
    };
    let hooks = match current.test_hooks.as_ref().map_or(0, BTreeMap::len) {
        0 => "no test hooks".to_owned(),
        1 => "1 test hook completed successfully".to_owned(),
        n => format!("{n} test hooks completed successfully"),
    };
    let message = format!(
        "Helm test succeeded for release {}: {hooks}",
        named(&current)
    );
    let list = &mut status.conditions;
    conditions::mark_true(
        list,
        TEST_SUCCESS,
        reason::TEST_SUCCEEDED,
        message.clone(),
        stamp,
    );
    let event = snapshot_event(Severity::Info, reason::TEST_SUCCEEDED, message, &current);
    Ended {
        event: Some(event),
        error: None,
    }
}

/// Ends a rollback to an earlier release.
pub fn end_rollback(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    target: &Snapshot,
    config_digest: &str,
    outcome: Outcome,
    stamp: Stamp,
) -> Ended {
    let digest = |status: &HelmReleaseStatus| latest(status).map(|s| s.digest.clone());
    let before = digest(status);
    for observation in &outcome.observed {
        if !replace(status, observation, "rollback", true) {
            status.history.insert(0, observation.to_snapshot("", ""));
        }
    }
    if let Some(inventory) = outcome.inventory {
        status.inventory = Some(inventory);
    }
    let event = |severity, reason: &str, message: String| {
        let facts = [
            (META_REVISION, target.chart_version.as_str()),
            (META_TOKEN, config_digest),
            (META_APP_VERSION, target.app_version.as_str()),
            (META_OCI_DIGEST, target.oci_digest.as_str()),
        ];
        Some(release_event(severity, reason, message, facts))
    };
    let release = named(target);
    let ended = match outcome.error {
        Some(error) => {
            let message = format!(
                "Helm rollback to previous release {release} failed: {}",
                error.trim()
            );
            status.failures += 1;
            let list = &mut status.conditions;
            let reason = reason::ROLLBACK_FAILED;
            conditions::mark_false(list, REMEDIATED, reason, message.clone(), stamp);
            let unchanged = digest(status) == before;
            Ended {
                event: event(Severity::Error, reason, with_logs(&message, &outcome.logs)),
                error: unchanged.then_some(error),
            }
        }
        None => {
            let message = format!("Helm rollback to previous release {release} succeeded");
            let list = &mut status.conditions;
            let reason = reason::ROLLBACK_SUCCEEDED;
            conditions::mark_true(list, REMEDIATED, reason, message.clone(), stamp);
            Ended {
                event: event(Severity::Info, reason, message),
                error: None,
            }
        }
    };
    summarize(own, status, stamp);
    ended
}

/// Ends an uninstall that remediates a failure.
pub fn end_uninstall_remediation(
    status: &mut HelmReleaseStatus,
    outcome: Outcome,
    stamp: Stamp,
) -> Ended {
    let Some(before) = latest(status).cloned() else {
        // Nothing was known of the release; what storage says counts on the next look.
        return Ended {
            event: None,
            error: outcome.error,
        };
    };
    for observation in &outcome.observed {
        replace(status, observation, "uninstall-remediation", true);
    }
    let current = latest(status).cloned().unwrap_or_default();
    let unchanged = current.digest == before.digest;
    let error = outcome.error.or_else(|| {
        let lost = unchanged && before.status != "uninstalled" && outcome.observed.is_empty();
        lost.then(|| NOT_STORED.to_owned())
    });
    let list = &mut status.conditions;
    match error {
        Some(error) => {
            let message = format!(
                "Helm uninstall remediation for release {} failed: {}",
                named(&current),
                error.trim()
            );
            status.failures += 1;
            let reason = reason::UNINSTALL_FAILED;
            conditions::mark_false(list, REMEDIATED, reason, message.clone(), stamp);
            let text = with_logs(&message, &outcome.logs);
            Ended {
                event: Some(snapshot_event(Severity::Error, reason, text, &current)),
                error: unchanged.then_some(error),
            }
        }
        None => {
            let message = format!(
                "Helm uninstall remediation for release {} succeeded",
                named(&current)
            );
            let reason = reason::UNINSTALL_SUCCEEDED;
            conditions::mark_true(list, REMEDIATED, reason, message.clone(), stamp);
            Ended {
                event: Some(snapshot_event(Severity::Info, reason, message, &current)),
                error: None,
            }
        }
    }
}

const NOT_STORED: &str = "uninstall completed with error: release not updated in Helm storage";

/// Ends an uninstall of a release that is no longer wanted. `gone` tells that storage had no such release.
pub fn end_uninstall(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    outcome: Outcome,
    gone: bool,
    stamp: Stamp,
) -> Ended {
    let Some(before) = latest(status).cloned() else {
        return Ended::default();
    };
    let done = |status: &mut HelmReleaseStatus, text: String| {
        let list = &mut status.conditions;
        conditions::mark_false(list, RELEASED, reason::UNINSTALL_SUCCEEDED, text, stamp);
        summarize(own, status, stamp);
        Ended::default()
    };
    let release = before.full_release_name();
    if gone {
        let text = format!("Release {release} was not found, assuming it is uninstalled");
        return done(status, text);
    }
    let already = |error: &String| error.contains("is already deleted");
    if own.spec.uninstall().keep_history && outcome.error.as_ref().is_some_and(already) {
        return done(status, format!("Release {release} was already uninstalled"));
    }
    for observation in &outcome.observed {
        replace(status, observation, "uninstall", true);
    }
    let current = latest(status).cloned().unwrap_or_default();
    let error = outcome.error.or_else(|| {
        let lost = current.digest == before.digest
            && before.status != "uninstalled"
            && outcome.observed.is_empty();
        lost.then(|| NOT_STORED.to_owned())
    });
    let (severity, reason, verb, cause) = match &error {
        Some(error) => {
            status.failures += 1;
            let cause = format!(": {}", error.trim());
            (Severity::Error, reason::UNINSTALL_FAILED, "failed", cause)
        }
        None => {
            status.inventory = None;
            let none = String::new();
            (
                Severity::Info,
                reason::UNINSTALL_SUCCEEDED,
                "succeeded",
                none,
            )
        }
    };
    let message = format!(
        "Helm uninstall {verb} for release {}{cause}",
        named(&current)
    );
    let list = &mut status.conditions;
    conditions::mark_false(list, RELEASED, reason, message.clone(), stamp);
    summarize(own, status, stamp);
    let logs = if error.is_some() { &outcome.logs } else { "" };
    let text = with_logs(&message, logs);
    Ended {
        event: Some(snapshot_event(severity, reason, text, &current)),
        error,
    }
}

/// Ends an unlock of the release observed before; `pending` is the status it was found in.
pub fn end_unlock(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    found: &Observation,
    pending: &str,
    outcome: Outcome,
    stamp: Stamp,
) -> Ended {
    let known = status.history.iter().find(|s| {
        s.version == found.snapshot.version
            && s.name == found.snapshot.name
            && s.namespace == found.snapshot.namespace
    });
    let (oci, action) = known.map_or(("", ""), |s| (&s.oci_digest, &s.action));
    let current = found.to_snapshot(oci, action);
    let action = action.to_owned();
    for observation in &outcome.observed {
        replace(status, observation, &action, false);
    }
    let release = named(&current);
    let (severity, message) = match &outcome.error {
        Some(error) => {
            status.failures += 1;
            let error = error.trim();
            let text =
                format!("Unlock of Helm release {release} in {pending} state failed: {error}");
            (Severity::Error, text)
        }
        None => {
            let text = format!("Unlocked Helm release {release} in {pending} state");
            (Severity::Info, text)
        }
    };
    let list = &mut status.conditions;
    let reason = reason::PENDING_RELEASE;
    conditions::mark_false(list, RELEASED, reason, message.clone(), stamp);
    summarize(own, status, stamp);
    Ended {
        event: Some(snapshot_event(severity, reason, message, &current)),
        error: outcome.error,
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

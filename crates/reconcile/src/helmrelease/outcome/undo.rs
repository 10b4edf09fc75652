//! How rollbacks, uninstalls and unlocks end.

use api::conditions::{self, Stamp};
use api::names::{
    META_APP_VERSION, META_OCI_DIGEST, META_REVISION, META_TOKEN, RELEASED, REMEDIATED, reason,
};
use api::{HelmRelease, HelmReleaseStatus, Severity, Snapshot};

use super::super::history::{Observation, latest, replace};
use super::super::next::release_event;
use super::super::summary::summarize;
use super::{Ended, Outcome, named, snapshot_event, with_logs};

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

pub(super) const NOT_STORED: &str =
    "uninstall completed with error: release not updated in Helm storage";

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

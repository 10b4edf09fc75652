//! Taking over what a pass stored before it was cut short.
//!
//! Upstream forgets its history here and upgrades once more; with it goes the release that could be rolled back to.

use api::conditions::{self, Stamp};
use api::names::{RECONCILING, RELEASED, REMEDIATED, reason};
use api::{HelmRelease, HelmReleaseStatus};

use super::history::{Observation, latest, previous, replace, sort};
use super::summary::summarize;

/// Returns the action in whose middle an earlier pass was cut short: its beginning was noted and its end was not.
pub fn interrupted_action(status: &HelmReleaseStatus) -> Option<&str> {
    let reconciling = conditions::get(&status.conditions, RECONCILING)?;
    if reconciling.reason != reason::PROGRESSING {
        return None;
    }
    let rest = reconciling.message.strip_prefix("Running '")?;
    rest.split_once('\'').map(|(action, _)| action)
}

/// Takes over what an interrupted pass wrote to storage and did not note: newer releases, and changes of known ones.
pub fn recover(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    observed: &[Observation],
    stamp: Stamp,
) {
    let Some(interrupted) = interrupted_action(status).map(str::to_owned) else {
        return;
    };
    let newest = latest(status).map_or(0, |snapshot| snapshot.version);
    for observation in observed {
        let known = status.history.iter().find(|s| observation.is_of(s));
        let action = match (known, interrupted.as_str()) {
            (Some(snapshot), _) => snapshot.action.clone(),
            (None, "install" | "upgrade") => interrupted.clone(),
            (None, _) => String::new(),
        };
        if replace(status, observation, &action, true) || observation.snapshot.version <= newest {
            continue;
        }
        let oci_digest = match interrupted.as_str() {
            "rollback" => String::new(),
            _ => status.last_attempted_revision_digest.clone(),
        };
        let snapshot = observation.to_snapshot(&oci_digest, &action);
        status.history.insert(0, snapshot);
    }
    sort(&mut status.history);
    let is_done = latest(status).is_some_and(|s| s.version > newest && s.status == "deployed");
    if is_done {
        note_success(own, status, &interrupted, stamp);
    }
}

/// Reports an action that came to its end in storage, as it would have been reported.
fn note_success(own: &HelmRelease, status: &mut HelmReleaseStatus, action: &str, stamp: Stamp) {
    let Some(current) = latest(status).cloned() else {
        return;
    };
    let named = |release: &api::Snapshot| {
        let chart = release.versioned_chart_name();
        format!("{} with chart {chart}", release.full_release_name())
    };
    let list = &mut status.conditions;
    match action {
        "install" | "upgrade" => {
            let reason = match action {
                "install" => reason::INSTALL_SUCCEEDED,
                _ => reason::UPGRADE_SUCCEEDED,
            };
            let text = format!("Helm {action} succeeded for release {}", named(&current));
            conditions::mark_true(list, RELEASED, reason, text, stamp);
        }
        "rollback" => {
            let ignore = own.spec.upgrade_remediation().ignore_test_failures;
            let Some(target) = previous(status, ignore) else {
                return;
            };
            let text = format!(
                "Helm rollback to previous release {} succeeded",
                named(&target)
            );
            let (list, reason) = (&mut status.conditions, reason::ROLLBACK_SUCCEEDED);
            conditions::mark_true(list, REMEDIATED, reason, text, stamp);
        }
        _ => return,
    }
    summarize(own, status, stamp);
}

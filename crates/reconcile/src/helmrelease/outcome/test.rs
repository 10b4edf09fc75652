//! How tests of a release end.

use std::collections::BTreeMap;

use api::conditions::{self, Stamp};
use api::names::{TEST_SUCCESS, reason};
use api::{HelmRelease, HelmReleaseStatus, Severity, TestHookStatus};

use super::super::history::{has_been_tested, latest, replace};
use super::super::next::active_remediation;
use super::super::summary::summarize;
use super::{Ended, Outcome, count_failure, named, snapshot_event};

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

pub(super) fn test_failed(
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

pub(super) fn test_succeeded(status: &mut HelmReleaseStatus, stamp: Stamp) -> Ended {
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

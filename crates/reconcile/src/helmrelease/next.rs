//! Which action a state calls for, and how often the loop may act in one pass.

use std::time::Duration;

use api::conditions::{self, Condition, Stamp};
use api::names::{
    DRIFTED, META_REVISION, META_TOKEN, READY, RECONCILING, RELEASED, REMEDIATED, reason,
};
use api::{
    ConditionStatus, DriftMode, HelmRelease, HelmReleaseStatus, ResolvedRemediation, Severity,
    Snapshot, go_duration,
};

use super::history::{latest, previous, truncate, truncate_to_newest};
use super::state::State;
use super::summary::summarize;
use crate::report::EventDraft;

/// Settings of the controller that decisions look at.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Gate `DefaultToRetryOnFailure`.
    pub default_to_retry: bool,
    /// Wait for sources and dependencies (`--requeue-dependency`).
    pub requeue_dependency: Duration,
}

/// Something that is done to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Installs the chart.
    Install,
    /// Upgrades the release.
    Upgrade,
    /// Runs the tests of the release.
    Test,
    /// Rolls back to the release before.
    Rollback,
    /// Uninstalls a failed release.
    UninstallRemediation,
    /// Marks a release that somebody left in the middle of an action as failed.
    Unlock,
    /// Puts objects right.
    CorrectDrift,
}

/// Kinds of actions; a pass does one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Makes a release.
    Release,
    /// Repairs a failed one.
    Remediate,
    /// Tests it.
    Test,
    /// Unlocks it.
    Unlock,
    /// Puts objects right.
    DriftCorrection,
}

impl Action {
    /// Returns the name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Test => "test",
            Self::Rollback => "rollback",
            Self::UninstallRemediation => "uninstall",
            Self::Unlock => "unlock",
            Self::CorrectDrift => "correct cluster drift",
        }
    }

    /// Returns the kind.
    pub fn kind(self) -> ActionKind {
        match self {
            Self::Install | Self::Upgrade => ActionKind::Release,
            Self::Rollback | Self::UninstallRemediation => ActionKind::Remediate,
            Self::Test => ActionKind::Test,
            Self::Unlock => ActionKind::Unlock,
            Self::CorrectDrift => ActionKind::DriftCorrection,
        }
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run an action.
    Run(Action),
    /// Look whether this release can be rolled back to, then ask [`rollback_step`].
    CheckRollback(Box<Snapshot>),
    /// Nothing.
    Done,
    /// Nothing helps but a change by the user.
    Stop(Stop),
}

/// Why nothing helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// All tries were used up.
    #[error("exceeded maximum retries: {0}")]
    RetriesExceeded(&'static str),
    /// There is no release to roll back to.
    #[error("missing target release for rollback: cannot remediate failed release")]
    MissingRollbackTarget,
}

/// What storage says about a release to roll back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackCheck {
    /// It is there, as it was made.
    Unchanged,
    /// It is gone, or somebody changed it.
    Lost,
}

/// Returns the remediation of the last attempted action; `None` before the first one.
pub(super) fn active_remediation(
    own: &HelmRelease,
    status: &HelmReleaseStatus,
) -> Option<ResolvedRemediation> {
    match status.last_attempted_release_action.as_str() {
        "install" => Some(own.spec.install_remediation()),
        "upgrade" => Some(own.spec.upgrade_remediation()),
        _ => None,
    }
}

/// Returns the time between tries where the last attempted action is retried rather than remediated.
pub fn active_retry(
    own: &HelmRelease,
    status: &HelmReleaseStatus,
    settings: Settings,
) -> Option<Duration> {
    match status.last_attempted_release_action.as_str() {
        "install" => own.spec.install_retry(settings.default_to_retry),
        "upgrade" => own.spec.upgrade_retry(settings.default_to_retry),
        _ => None,
    }
}

/// Returns the failures of the last attempted action.
fn active_failures(status: &HelmReleaseStatus) -> i64 {
    match status.last_attempted_release_action.as_str() {
        "install" => status.install_failures,
        "upgrade" => status.upgrade_failures,
        _ => 0,
    }
}

/// Chooses what comes next; `force` tells that a forced release is asked for. May write history and conditions.
pub fn next_step(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    state: &State,
    force: bool,
    settings: Settings,
    stamp: Stamp,
) -> Step {
    match state {
        State::InSync => in_sync(own, status, force, settings, stamp),
        State::Locked(_) => Step::Run(Action::Unlock),
        State::Uninstalling(_) => Step::Run(Action::UninstallRemediation),
        State::Absent(_) => {
            let used_up = own.spec.install_remediation();
            let used_up = used_up.is_exhausted(status.install_failures);
            guarded(Action::Install, used_up, force, "cannot install release")
        }
        State::Unmanaged(_) => {
            status.history.clear();
            Step::Run(Action::Upgrade)
        }
        State::OutOfSync(_) => {
            let used_up = own.spec.upgrade_remediation();
            let used_up = used_up.is_exhausted(status.upgrade_failures);
            guarded(Action::Upgrade, used_up, force, "cannot upgrade release")
        }
        State::Drifted => match own.spec.drift_mode() {
            DriftMode::Enabled => Step::Run(Action::CorrectDrift),
            _ => Step::Done,
        },
        State::Untested => {
            replace_remediated(status, stamp);
            Step::Run(Action::Test)
        }
        State::Failed(_) => failed(own, status, force, settings),
    }
}

fn guarded(action: Action, used_up: bool, force: bool, why: &'static str) -> Step {
    if used_up && !force {
        return Step::Stop(Stop::RetriesExceeded(why));
    }
    Step::Run(action)
}

fn in_sync(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    force: bool,
    settings: Settings,
    stamp: Stamp,
) -> Step {
    if active_retry(own, status, settings).is_some() {
        truncate_to_newest(status);
    } else {
        let common = own.spec.test().ignore_failures;
        let ignore = active_remediation(own, status).map_or(common, |r| r.ignore_test_failures);
        truncate(status, ignore);
    }
    if force {
        return Step::Run(Action::Upgrade);
    }
    replace_remediated(status, stamp);
    restore_released(own, status, stamp);
    if own.spec.drift_mode() != DriftMode::Disabled {
        conditions::mark_false(
            &mut status.conditions,
            DRIFTED,
            reason::NO_DRIFT_DETECTED,
            "No drift detected against the cluster state",
            stamp,
        );
    }
    Step::Done
}

fn succeeded(action: &str, snapshot: &Snapshot) -> String {
    format!(
        "Helm {action} succeeded for release {} with chart {}",
        snapshot.full_release_name(),
        snapshot.versioned_chart_name()
    )
}

/// A release that was rolled back and now is what is asked for counts as upgraded.
fn replace_remediated(status: &mut HelmReleaseStatus, stamp: Stamp) {
    let remediated = conditions::get(&status.conditions, REMEDIATED);
    let Some(remediated) = remediated.filter(|c| c.status == ConditionStatus::True) else {
        return;
    };
    let since = remediated.last_transition_time;
    let Some(message) = latest(status).map(|current| succeeded("upgrade", current)) else {
        return;
    };
    let list = &mut status.conditions;
    conditions::delete(list, RELEASED);
    conditions::delete(list, REMEDIATED);
    let released = Condition::new(
        RELEASED,
        ConditionStatus::True,
        reason::UPGRADE_SUCCEEDED,
        message,
    );
    conditions::set(list, released, stamp);
    if let Some(released) = list.iter_mut().find(|c| c.type_ == RELEASED) {
        released.last_transition_time = since;
    }
}

/// A release that failed and now is what is asked for counts as made.
fn restore_released(own: &HelmRelease, status: &mut HelmReleaseStatus, stamp: Stamp) {
    let list = &status.conditions;
    if conditions::is_ready(list) && conditions::is_true(list, RELEASED) {
        return;
    }
    let (reason, action) = match conditions::get(list, RELEASED).map(|c| c.reason.as_str()) {
        Some(reason::INSTALL_FAILED) => (reason::INSTALL_SUCCEEDED, "install"),
        Some(reason::UPGRADE_FAILED) => (reason::UPGRADE_SUCCEEDED, "upgrade"),
        _ => return,
    };
    let Some(message) = latest(status).map(|current| succeeded(action, current)) else {
        return;
    };
    conditions::mark_true(&mut status.conditions, RELEASED, reason, message, stamp);
    summarize(own, status, stamp);
}

fn failed(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    force: bool,
    settings: Settings,
) -> Step {
    if active_retry(own, status, settings).is_some() {
        truncate_to_newest(status);
        return Step::Run(Action::Upgrade);
    }
    let Some(remediation) = active_remediation(own, status) else {
        return Step::Run(Action::Upgrade);
    };
    let failures = active_failures(status);
    if failures <= 0 || force {
        return Step::Run(Action::Upgrade);
    }
    if remediation.is_exhausted(failures) && !remediation.remediate_last_failure {
        return Step::Stop(Stop::RetriesExceeded("cannot remediate failed release"));
    }
    truncate(status, remediation.ignore_test_failures);
    if remediation.uninstalls {
        return Step::Run(Action::UninstallRemediation);
    }
    match previous(status, remediation.ignore_test_failures) {
        Some(target) => Step::CheckRollback(Box::new(target)),
        None => Step::Stop(Stop::MissingRollbackTarget),
    }
}

/// Chooses between rolling back and, where the target is lost, another upgrade.
pub fn rollback_step(check: &RollbackCheck) -> Step {
    match check {
        RollbackCheck::Unchanged => Step::Run(Action::Rollback),
        RollbackCheck::Lost => Step::Run(Action::Upgrade),
    }
}

/// How a pass ends although there is more to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Go on after this time, give or take the jitter.
    Retry(Duration),
    /// Go on with growing waits.
    Requeue,
    /// Nothing more is tried; not a failure by itself.
    Settled,
    /// All tries were used up.
    Exhausted,
}

/// Tells whether the pass must end before an action, because it did one of its kind already.
pub fn before(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    action: Action,
    done: &[ActionKind],
    settings: Settings,
    stamp: Stamp,
) -> Option<Pause> {
    if !done.contains(&action.kind()) {
        return None;
    }
    let remediation = active_remediation(own, status);
    let used_up = remediation.is_some_and(|r| r.is_exhausted(active_failures(status)));
    Some(
        pause(own, status, !used_up, settings, stamp).unwrap_or_else(|| {
            conditions::delete(&mut status.conditions, RECONCILING);
            Pause::Settled
        }),
    )
}

/// Tells whether the pass must end after an action: remediation is always its last.
pub fn after(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    action: Action,
    settings: Settings,
    stamp: Stamp,
) -> Option<Pause> {
    if action.kind() != ActionKind::Remediate {
        return None;
    }
    let remediation = active_remediation(own, status);
    let goes_on = remediation.is_none_or(|r| {
        let upgrade = status.last_attempted_release_action == "upgrade";
        !r.is_exhausted(active_failures(status)) || (upgrade && r.uninstalls)
    });
    Some(
        pause(own, status, goes_on, settings, stamp).unwrap_or_else(|| {
            mark_exhausted(status, stamp);
            Pause::Exhausted
        }),
    )
}

fn pause(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    goes_on: bool,
    settings: Settings,
    stamp: Stamp,
) -> Option<Pause> {
    const RETRY: &str = reason::PROGRESSING_WITH_RETRY;
    if let Some(interval) = active_retry(own, status, settings) {
        let text = format!("retrying after {}", go_duration(interval));
        conditions::mark_reconciling(&mut status.conditions, RETRY, text, stamp);
        return Some(Pause::Retry(interval));
    }
    if !goes_on {
        return None;
    }
    let ready = conditions::get(&status.conditions, READY);
    let text = ready.map(|c| c.message.clone()).unwrap_or_default();
    conditions::mark_reconciling(&mut status.conditions, RETRY, text, stamp);
    Some(Pause::Requeue)
}

/// Notes that all tries were used up.
pub(super) fn mark_exhausted(status: &mut HelmReleaseStatus, stamp: Stamp) {
    let text = format!(
        "Failed to {} after {} attempt(s)",
        status.last_attempted_release_action,
        active_failures(status)
    );
    conditions::mark_stalled(
        &mut status.conditions,
        reason::RETRIES_EXCEEDED,
        text,
        stamp,
    );
}

/// Writes that an action begins.
pub fn begin_action(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    action: Action,
    stamp: Stamp,
) {
    let timeout = go_duration(own.spec.action_timeout(action.name()));
    let text = format!(
        "Running '{}' action with timeout of {timeout}",
        action.name()
    );
    let list = &mut status.conditions;
    conditions::mark_reconciling(list, reason::PROGRESSING, text.clone(), stamp);
    if action.kind() == ActionKind::Release {
        conditions::mark_unknown(list, READY, reason::PROGRESSING, text, stamp);
    }
}

/// Builds an event about a release.
pub(super) fn release_event(
    severity: Severity,
    reason: &str,
    message: String,
    facts: [(&str, &str); 4],
) -> EventDraft {
    let [(_, revision), (_, token), ..] = facts;
    let mut metadata = std::collections::BTreeMap::new();
    for (key, value) in facts {
        if !value.is_empty() {
            metadata.insert(
                format!("{}/{key}", api::names::HELM_GROUP),
                value.to_owned(),
            );
        }
    }
    debug_assert!(facts[0].0 == META_REVISION && facts[1].0 == META_TOKEN);
    if revision.is_empty() && token.is_empty() {
        metadata.clear();
    }
    EventDraft {
        severity,
        reason: reason.to_owned(),
        message,
        metadata,
    }
}

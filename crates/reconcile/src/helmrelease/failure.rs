//! What keeps a pass from reaching the release, and how every pass ends.

use api::conditions::{self, Stamp};
use api::names::{READY, RECONCILING, reason};
use api::{HelmRelease, HelmReleaseStatus, Severity, go_duration};

use super::next::{Pause, Settings, Stop, mark_exhausted};
use crate::report::{EventDraft, Requeue};

/// Why a pass ended without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A health check or `readyExpr` is no CEL.
    InvalidExpression(String),
    /// The HelmChart could not be written or deleted.
    ChartTemplate(String),
    /// A dependency is not ready.
    DependencyNotReady(String),
    /// A reference to another namespace, or a gate, is switched off.
    AccessDenied(String),
    /// The source could not be read.
    SourceUnreadable(String),
    /// The source has nothing to offer yet.
    SourceNotReady(String),
    /// Values could not be composed.
    Values(String),
    /// The artifact is gone.
    ArtifactGone,
    /// The chart could not be loaded.
    Chart(String),
    /// The version of the chart could not be completed.
    Mutate(String),
    /// There is no way to the cluster.
    Client(String),
    /// The release that is no longer wanted could not be uninstalled.
    Uninstall(String),
    /// Storage or cluster could not be read.
    State(String),
    /// An action failed before it changed anything.
    Action(String),
    /// Nothing helps but a change by the user.
    Stop(Stop),
    /// The pass ended although there is more to do.
    Pause(Pause),
    /// The pass gave way to a newer one, which this started.
    Canceled {
        /// `Kind/namespace/name`.
        trigger: String,
    },
    /// Everything begins anew after the old release went.
    Restart,
}

/// How a pass ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Event, if any.
    pub event: Option<EventDraft>,
    /// Next look.
    pub requeue: Requeue,
    /// Whether the generation counts as observed.
    pub observed: bool,
}

const TERMINAL: &str = "Reconciliation failed terminally due to configuration error";

/// Turns a Ready=False that an earlier pass left with one of the reasons into "in progress".
pub fn clear_stale(status: &mut HelmReleaseStatus, reasons: &[&str], stamp: Stamp) {
    let ready = conditions::get(&status.conditions, READY);
    if ready.is_some_and(|c| reasons.contains(&c.reason.as_str())) {
        let text = "reconciliation in progress";
        let list = &mut status.conditions;
        conditions::mark_unknown(list, READY, reason::PROGRESSING, text, stamp);
    }
}

/// Ends a pass: `None` means success.
pub fn settle(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    failure: Option<Failure>,
    settings: Settings,
    stamp: Stamp,
) -> Decision {
    match failure {
        Some(failure) => failed(own, status, failure, settings, stamp),
        None => Decision {
            event: None,
            requeue: Requeue::Interval(own.spec.interval.0),
            observed: true,
        },
    }
}

fn failed(
    own: &HelmRelease,
    status: &mut HelmReleaseStatus,
    failure: Failure,
    settings: Settings,
    stamp: Stamp,
) -> Decision {
    let retry = Decision {
        event: None,
        requeue: Requeue::Backoff,
        observed: false,
    };
    let list = &mut status.conditions;
    let mut not_ready = |reason: &str, text: String| {
        conditions::mark_false(list, READY, reason, text, stamp);
    };
    let warning = |reason: &str, text: String| Some(EventDraft::new(Severity::Error, reason, text));
    match failure {
        Failure::InvalidExpression(error) => {
            let reason = reason::INVALID_CEL_EXPRESSION;
            let text = format!("{TERMINAL}: {error}");
            not_ready(reason, text.clone());
            conditions::mark_stalled(list, reason, text, stamp);
            terminal(warning(reason, error))
        }
        Failure::AccessDenied(error) => {
            let reason = reason::ACCESS_DENIED;
            conditions::mark_stalled(list, reason, error.clone(), stamp);
            conditions::mark_false(list, READY, reason, error.clone(), stamp);
            conditions::delete(list, RECONCILING);
            terminal(warning(reason, error))
        }
        Failure::DependencyNotReady(error) => {
            let reason = reason::DEPENDENCY_NOT_READY;
            not_ready(reason, error.clone());
            Decision {
                event: Some(EventDraft::new(Severity::Info, reason, error)),
                requeue: Requeue::After(settings.requeue_dependency),
                observed: false,
            }
        }
        Failure::SourceUnreadable(error) => {
            let text = format!("could not get Source object: {error}");
            not_ready(reason::ARTIFACT_FAILED, text);
            retry
        }
        Failure::SourceNotReady(error) => {
            not_ready(reason::SOURCE_NOT_READY, error);
            waiting(Requeue::Interval(settings.requeue_dependency))
        }
        Failure::Values(error) => {
            not_ready(reason::VALUES_ERROR, error.clone());
            let event = warning(reason::VALUES_ERROR, error);
            Decision { event, ..retry }
        }
        Failure::ArtifactGone => {
            let wait = settings.requeue_dependency;
            let text = format!(
                "Source not ready: artifact not found. Retrying in {}",
                go_duration(wait)
            );
            not_ready(reason::ARTIFACT_FAILED, text);
            waiting(Requeue::After(wait))
        }
        Failure::Chart(error) => {
            not_ready(
                reason::ARTIFACT_FAILED,
                format!("Could not load chart: {error}"),
            );
            let event = warning(reason::ARTIFACT_FAILED, error);
            Decision { event, ..retry }
        }
        Failure::Mutate(error) => {
            not_ready(reason::CHART_MUTATE_ERROR, error);
            retry
        }
        Failure::Client(error) => {
            not_ready(reason::REST_CLIENT_ERROR, error);
            retry
        }
        Failure::State(error) => {
            let text = format!("Could not determine release state: {error}");
            not_ready(reason::STATE_ERROR, text);
            retry
        }
        Failure::Action(error) => {
            if conditions::is_ready(list) {
                conditions::mark_false(list, READY, reason::RECONCILE_ERROR, error, stamp);
            }
            retry
        }
        Failure::ChartTemplate(_) | Failure::Uninstall(_) => retry,
        Failure::Stop(stop) => {
            match &stop {
                Stop::RetriesExceeded(_) => mark_exhausted(status, stamp),
                Stop::MissingRollbackTarget => {
                    let text = format!("Failed to perform remediation: {stop}");
                    conditions::mark_stalled(list, reason::MISSING_ROLLBACK_TARGET, text, stamp);
                }
            }
            terminal(None)
        }
        Failure::Pause(pause) => paused(pause, own),
        Failure::Canceled { trigger } => {
            let reason = reason::HEALTH_CHECK_CANCELED;
            not_ready(reason, format!("New reconciliation triggered by {trigger}"));
            let text =
                format!("Health checks canceled due to new reconciliation triggered by {trigger}");
            Decision {
                event: Some(EventDraft::new(Severity::Info, reason, text)),
                requeue: Requeue::Now,
                observed: false,
            }
        }
        Failure::Restart => waiting(Requeue::Now),
    }
}

fn paused(pause: Pause, own: &HelmRelease) -> Decision {
    let (requeue, observed) = match pause {
        Pause::Retry(interval) => (Requeue::Interval(interval), true),
        Pause::Requeue => (Requeue::Backoff, false),
        Pause::Settled => (Requeue::Interval(own.spec.interval.0), true),
        Pause::Exhausted => (Requeue::Never, true),
    };
    Decision {
        event: None,
        requeue,
        observed,
    }
}

fn waiting(requeue: Requeue) -> Decision {
    Decision {
        event: None,
        requeue,
        observed: false,
    }
}

fn terminal(event: Option<EventDraft>) -> Decision {
    Decision {
        event,
        requeue: Requeue::Never,
        observed: true,
    }
}

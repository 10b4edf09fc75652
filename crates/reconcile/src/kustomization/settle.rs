//! How a pass begins, progresses and ends: conditions, events, history, next look.

use std::collections::BTreeMap;
use std::time::Duration;

use api::conditions::{
    Stamp, delete, get, is_false, is_true, mark_false, mark_progressing, mark_reconciling,
    mark_retry, mark_stalled, mark_true, mark_unknown,
};
use api::names::{
    HEALTHY, META_COMMIT_STATUS, META_COMMIT_STATUS_UPDATE, READY, RECONCILING, reason,
};
use api::{
    HistoryEntry, Inventory, Kustomization, KustomizationStatus, Severity, go_duration, names,
    record_history,
};
use jiff::Timestamp;

use crate::report::{EventDraft, Requeue};

/// Settings of the controller that show in what it reports.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Wait for sources and dependencies (`--requeue-dependency`).
    pub requeue_dependency: Duration,
}

/// Why a pass did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A health check expression does not compile.
    InvalidHealthExpression(String),
    /// A feature gate that the spec needs is off; the text says which.
    FeatureGate(String),
    /// The source does not exist; server's words.
    SourceNotFound(String),
    /// The source could not be read.
    SourceUnreadable(String),
    /// The source may not be used; the text says why.
    AccessDenied(String),
    /// The source has no artifact yet.
    NoArtifact,
    /// The artifact's file is gone.
    ArtifactGone,
    /// A dependency is not ready.
    DependencyNotReady(String),
    /// A dependency will never be ready without a change of the spec.
    DependencyInvalid(String),
    /// The artifact could not be fetched, or has no such path.
    Artifact(String),
    /// The cluster client could not be built.
    Client(String),
    /// The build failed.
    Build(String),
    /// Objects could not be applied; what was applied belongs into the inventory.
    Apply {
        /// All errors.
        message: String,
        /// Objects applied so far, earlier ones included.
        inventory: Inventory,
    },
    /// Objects could not be deleted.
    Prune {
        /// All errors.
        message: String,
        /// New inventory with survivors.
        inventory: Inventory,
    },
    /// Objects did not become healthy.
    HealthCheck {
        /// Text without prefix.
        message: String,
        /// How long was waited.
        waited: Duration,
    },
    /// A newer trigger ended the health check.
    HealthCheckCanceled {
        /// `Kind/namespace/name` of the trigger.
        trigger: String,
    },
}

/// What a successful pass found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Success {
    /// Objects applied.
    pub inventory: Inventory,
    /// Whether an object was created, changed or deleted.
    pub changed: bool,
    /// How long health checks took; `None` where there was nothing to check.
    pub health: Option<Duration>,
}

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything is applied and healthy.
    Success(Success),
    /// Something is not.
    Failure(Failure),
}

/// Facts of a pass that its report needs.
#[derive(Clone, Debug, Default)]
pub struct PassFacts {
    /// Revision of the artifact; empty before the source was resolved.
    pub revision: String,
    /// Revision of the artifact's origin; may be empty.
    pub origin_revision: String,
    /// `sha256:<hex>` of the build; empty before the build.
    pub digest: String,
    /// Length of the pass so far.
    pub duration: Duration,
}

/// What follows from the end of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Event, if any.
    pub event: Option<EventDraft>,
    /// Next look.
    pub requeue: Requeue,
}

/// Begins a pass that has work to do: Ready Unknown, Reconciling.
pub fn begin(status: &mut KustomizationStatus, message: &str, stamp: Stamp) {
    mark_unknown(
        &mut status.conditions,
        READY,
        reason::PROGRESSING,
        "Reconciliation in progress",
        stamp,
    );
    mark_reconciling(&mut status.conditions, reason::PROGRESSING, message, stamp);
}

/// Reports a step of a pass.
pub fn progress(status: &mut KustomizationStatus, message: &str, stamp: Stamp) {
    mark_progressing(
        &mut status.conditions,
        false,
        reason::PROGRESSING,
        message,
        stamp,
    );
}

/// Finishes every pass, suspended ones included: records the reconcile request and the observed generation.
pub fn finalise(object: &Kustomization, status: &mut KustomizationStatus, stamp: Stamp) {
    let request = object.metadata.reconcile_request();
    if !request.is_empty() {
        request.clone_into(&mut status.last_handled_reconcile_at);
    }
    if is_true(&status.conditions, READY) {
        delete(&mut status.conditions, RECONCILING);
        status.observed_generation = Some(object.metadata.generation);
    } else if is_false(&status.conditions, READY) && get(&status.conditions, RECONCILING).is_some()
    {
        mark_retry(&mut status.conditions, stamp);
    }
}

/// Ends a pass: writes its outcome into the status and says what follows.
pub fn settle(
    object: &Kustomization,
    status: &mut KustomizationStatus,
    end: End,
    facts: &PassFacts,
    settings: Settings,
    now: Timestamp,
) -> Decision {
    let stamp = Stamp {
        generation: object.metadata.generation,
        now,
    };
    match end {
        End::Success(success) => succeed(object, status, success, facts, stamp),
        End::Failure(failure) => fail(object, status, failure, facts, settings, stamp),
    }
}

fn succeed(
    object: &Kustomization,
    status: &mut KustomizationStatus,
    success: Success,
    facts: &PassFacts,
    stamp: Stamp,
) -> Decision {
    match success.health {
        Some(waited) if !is_true(&status.conditions, HEALTHY) || success.changed => mark_true(
            &mut status.conditions,
            HEALTHY,
            reason::SUCCEEDED,
            format!("Health check passed in {}", go_duration(rounded(waited))),
            stamp,
        ),
        Some(_) => {}
        None => delete(&mut status.conditions, HEALTHY),
    }
    delete(&mut status.conditions, names::STALLED);
    // Whether this pass is worth telling: upstream tells every one, which would make idle clusters write.
    let requested = object.metadata.reconcile_request() != status.last_handled_reconcile_at;
    let news = success.changed
        || requested
        || !is_true(&status.conditions, READY)
        || status.last_applied_revision != facts.revision
        || status.observed_generation != Some(object.metadata.generation);
    mark_true(
        &mut status.conditions,
        READY,
        reason::RECONCILIATION_SUCCEEDED,
        format!("Applied revision: {}", facts.revision),
        stamp,
    );
    facts.revision.clone_into(&mut status.last_applied_revision);
    facts
        .origin_revision
        .clone_into(&mut status.last_applied_origin_revision);
    status.inventory = Some(success.inventory);
    let interval = object.spec.interval.0;
    let event = news.then(|| {
        remember(status, facts, reason::RECONCILIATION_SUCCEEDED, stamp);
        let message = format!(
            "Reconciliation finished in {}, next run in {}",
            go_duration(rounded(facts.duration)),
            go_duration(interval)
        );
        let mut event = event(status, Severity::Info, &message, facts);
        event.metadata.insert(
            group_key(META_COMMIT_STATUS),
            META_COMMIT_STATUS_UPDATE.to_owned(),
        );
        event
    });
    Decision {
        event,
        requeue: Requeue::Interval(interval),
    }
}

/// How a failure is reported.
struct Report {
    reason: &'static str,
    /// Message of the Ready condition.
    message: String,
    /// Event, where it is not the Ready message as a warning.
    event: EventKind,
    stalled: bool,
    observed: bool,
    requeue: Requeue,
    /// Status of a history entry, where there is one.
    history: bool,
}

enum EventKind {
    None,
    Warning,
    Info(String),
}

fn fail(
    object: &Kustomization,
    status: &mut KustomizationStatus,
    failure: Failure,
    facts: &PassFacts,
    settings: Settings,
    stamp: Stamp,
) -> Decision {
    if let Failure::HealthCheck { message, .. } = &failure {
        mark_false(
            &mut status.conditions,
            HEALTHY,
            reason::HEALTH_CHECK_FAILED,
            message.clone(),
            stamp,
        );
    }
    if let Failure::Apply { inventory, .. } | Failure::Prune { inventory, .. } = &failure
        && !(inventory.entries.is_empty() && status.inventory.is_none())
    {
        status.inventory = Some(inventory.clone());
    }
    let report = report(object, failure, settings);
    mark_false(
        &mut status.conditions,
        READY,
        report.reason,
        report.message.clone(),
        stamp,
    );
    if report.stalled {
        mark_stalled(
            &mut status.conditions,
            report.reason,
            report.message.clone(),
            stamp,
        );
    }
    if report.observed {
        status.observed_generation = Some(object.metadata.generation);
    }
    if report.history {
        remember(status, facts, report.reason, stamp);
    }
    let event = match report.event {
        EventKind::None => None,
        EventKind::Warning => Some(event(status, Severity::Error, &report.message, facts)),
        EventKind::Info(message) => Some(event(status, Severity::Info, &message, facts)),
    };
    Decision {
        event,
        requeue: report.requeue,
    }
}

fn report(object: &Kustomization, failure: Failure, settings: Settings) -> Report {
    let retry = Requeue::After(object.spec.retry_interval());
    let wait = settings.requeue_dependency;
    let failed = |reason, message| Report {
        reason,
        message,
        event: EventKind::Warning,
        stalled: false,
        observed: false,
        requeue: retry,
        history: false,
    };
    let waiting = |reason, message| Report {
        event: EventKind::None,
        requeue: Requeue::After(wait),
        ..failed(reason, message)
    };
    let terminal = |reason, message, observed| Report {
        stalled: true,
        observed,
        requeue: Requeue::Never,
        ..failed(reason, message)
    };
    let configuration = |error: &str| {
        format!("Reconciliation failed terminally due to configuration error: {error}")
    };
    match failure {
        Failure::InvalidHealthExpression(error) | Failure::DependencyInvalid(error) => {
            terminal(reason::INVALID_CEL_EXPRESSION, configuration(&error), true)
        }
        Failure::FeatureGate(text) => terminal(reason::FEATURE_GATE_DISABLED, text, false),
        Failure::AccessDenied(text) => terminal(reason::ACCESS_DENIED, text, false),
        Failure::SourceNotFound(text) => Report {
            event: EventKind::None,
            ..failed(reason::ARTIFACT_FAILED, text)
        },
        Failure::SourceUnreadable(text) => Report {
            event: EventKind::None,
            requeue: Requeue::Backoff,
            ..failed(reason::ARTIFACT_FAILED, text)
        },
        Failure::NoArtifact => waiting(
            reason::ARTIFACT_FAILED,
            format!(
                "Source artifact not found, retrying in {}",
                go_duration(wait)
            ),
        ),
        Failure::ArtifactGone => waiting(
            reason::ARTIFACT_FAILED,
            format!(
                "Source is not ready, artifact not found, retrying in {}",
                go_duration(wait)
            ),
        ),
        Failure::DependencyNotReady(text) => Report {
            event: EventKind::Info(format!(
                "Dependencies do not meet ready condition, retrying in {}",
                go_duration(wait)
            )),
            ..waiting(reason::DEPENDENCY_NOT_READY, text)
        },
        Failure::Artifact(text) => failed(reason::ARTIFACT_FAILED, text),
        Failure::Client(text) => failed(reason::RECONCILIATION_FAILED, text),
        Failure::Build(text) => failed(reason::BUILD_FAILED, text),
        Failure::Apply { message, .. } => Report {
            history: true,
            ..failed(reason::RECONCILIATION_FAILED, message)
        },
        Failure::Prune { message, .. } => Report {
            history: true,
            ..failed(reason::PRUNE_FAILED, message)
        },
        Failure::HealthCheck { message, waited } => Report {
            history: true,
            ..failed(
                reason::HEALTH_CHECK_FAILED,
                format!(
                    "health check failed after {}: {message}",
                    go_duration(rounded(waited))
                ),
            )
        },
        Failure::HealthCheckCanceled { trigger } => Report {
            event: EventKind::Info(format!(
                "Health checks canceled due to new reconciliation triggered by {trigger}"
            )),
            requeue: Requeue::Now,
            ..failed(
                reason::HEALTH_CHECK_CANCELED,
                format!("New reconciliation triggered by {trigger}"),
            )
        },
    }
}

/// Builds an event with the reason of the Ready condition, as upstream does.
fn event(
    status: &KustomizationStatus,
    severity: Severity,
    message: &str,
    facts: &PassFacts,
) -> EventDraft {
    let fallback = if severity == Severity::Error {
        "error"
    } else {
        "info"
    };
    let reason = get(&status.conditions, READY).map_or(fallback, |c| c.reason.as_str());
    EventDraft {
        severity,
        reason: reason.to_owned(),
        message: message.to_owned(),
        metadata: event_metadata(facts),
    }
}

/// Builds an event for something that happens on the way.
pub fn notice(status: &KustomizationStatus, message: &str, facts: &PassFacts) -> EventDraft {
    event(status, Severity::Info, message, facts)
}

fn event_metadata(facts: &PassFacts) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::new();
    for (key, value) in [
        (names::META_REVISION, &facts.revision),
        (names::META_ORIGIN_REVISION, &facts.origin_revision),
    ] {
        if !value.is_empty() {
            metadata.insert(group_key(key), value.clone());
        }
    }
    metadata
}

fn group_key(key: &str) -> String {
    format!("{}/{key}", names::KUSTOMIZE_GROUP)
}

fn remember(status: &mut KustomizationStatus, facts: &PassFacts, outcome: &str, stamp: Stamp) {
    if facts.digest.is_empty() {
        return;
    }
    let mut metadata = BTreeMap::new();
    metadata.insert("revision".to_owned(), facts.revision.clone());
    if !facts.origin_revision.is_empty() {
        metadata.insert("originRevision".to_owned(), facts.origin_revision.clone());
    }
    let now = api::conditions::whole_seconds(stamp.now);
    record_history(
        &mut status.history,
        HistoryEntry {
            digest: facts.digest.clone(),
            first_reconciled: now,
            last_reconciled: now,
            last_reconciled_duration: api::Duration(facts.duration),
            last_reconciled_status: outcome.to_owned(),
            total_reconciliations: 0,
            metadata,
        },
    );
}

/// Texts show microseconds at most.
fn rounded(duration: Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;

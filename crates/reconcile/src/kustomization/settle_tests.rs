//! Decisions as a table: how a pass ended, and what is reported.

use super::*;
use api::Condition;
use api::names::STALLED;
use objects::{Object, json};

const SETTINGS: Settings = Settings {
    requeue_dependency: Duration::from_secs(30),
};

fn object(request: &str) -> Kustomization {
    let mut object = Object::from_value(json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system", "generation": 2},
        "spec": {"interval": "10m", "retryInterval": "2m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "repo"}}
    }))
    .unwrap();
    if !request.is_empty() {
        object.set_annotation(names::RECONCILE_REQUEST, request);
    }
    Kustomization::from_object(&object).unwrap()
}

fn facts() -> PassFacts {
    PassFacts {
        revision: "main@sha1:abc".into(),
        digest: "sha256:1".into(),
        duration: Duration::from_millis(20),
        ..PassFacts::default()
    }
}

fn stamp() -> Stamp {
    Stamp {
        generation: 2,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn run(end: End) -> (KustomizationStatus, Decision) {
    let object = object("");
    let mut status = KustomizationStatus::default();
    begin(&mut status, "Fetching", stamp());
    let decision = settle(&object, &mut status, end, &facts(), SETTINGS, stamp().now);
    finalise(&object, &mut status, stamp());
    (status, decision)
}

fn show(condition: Option<&Condition>) -> String {
    condition.map_or_else(String::new, |c| {
        format!("{:?} {} {}", c.status, c.reason, c.message)
    })
}

#[test]
fn failures_are_reported_by_cause() {
    let minute = |n: u64| Requeue::After(Duration::from_secs(n * 60));
    let half = Requeue::After(Duration::from_secs(30));
    let warning = Some(Severity::Error);
    let inventory = Inventory::default;
    let rows = [
        (
            "a source that does not exist is looked for again after the retry interval, silently",
            Failure::SourceNotFound("gitrepositories \"repo\" not found".into()),
            "False ArtifactFailed gitrepositories \"repo\" not found",
            None,
            minute(2),
            false,
        ),
        (
            "a source without artifact is waited for",
            Failure::NoArtifact,
            "False ArtifactFailed Source artifact not found, retrying in 30s",
            None,
            half,
            false,
        ),
        (
            "an artifact that vanished is waited for",
            Failure::ArtifactGone,
            "False ArtifactFailed Source is not ready, artifact not found, retrying in 30s",
            None,
            half,
            false,
        ),
        (
            "a blocked reference ends until something changes",
            Failure::AccessDenied("can't access".into()),
            "False AccessDenied can't access",
            warning,
            Requeue::Never,
            true,
        ),
        (
            "a dependency that is not ready is told and waited for",
            Failure::DependencyNotReady("dependency 'a/b' is not ready".into()),
            "False DependencyNotReady dependency 'a/b' is not ready",
            Some(Severity::Info),
            half,
            false,
        ),
        (
            "an expression that does not compile ends until the spec changes",
            Failure::InvalidHealthExpression("bad".into()),
            "False InvalidCELExpression Reconciliation failed terminally due to configuration error: bad",
            warning,
            Requeue::Never,
            true,
        ),
        (
            "a failed build is tried again after the retry interval",
            Failure::Build("kustomize build failed: x".into()),
            "False BuildFailed kustomize build failed: x",
            warning,
            minute(2),
            false,
        ),
        (
            "a failed apply is tried again",
            Failure::Apply {
                message: "no".into(),
                inventory: inventory(),
            },
            "False ReconciliationFailed no",
            warning,
            minute(2),
            false,
        ),
        (
            "a failed prune is tried again",
            Failure::Prune {
                message: "no".into(),
                inventory: inventory(),
            },
            "False PruneFailed no",
            warning,
            minute(2),
            false,
        ),
        (
            "a failed health check says how long was waited",
            Failure::HealthCheck {
                message: "timeout waiting for: [x]".into(),
                waited: Duration::from_secs(90),
            },
            "False HealthCheckFailed health check failed after 1m30s: timeout waiting for: [x]",
            warning,
            minute(2),
            false,
        ),
        (
            "a cancelled health check gives way at once",
            Failure::HealthCheckCanceled {
                trigger: "GitRepository/a/b".into(),
            },
            "False HealthCheckCanceled New reconciliation triggered by GitRepository/a/b",
            Some(Severity::Info),
            Requeue::Now,
            false,
        ),
    ];
    for (name, failure, ready, event, requeue, stalled) in rows {
        let (status, decision) = run(End::Failure(failure));
        assert_eq!(show(get(&status.conditions, READY)), ready, "{name}");
        assert_eq!(decision.event.map(|e| e.severity), event, "{name}");
        assert_eq!(decision.requeue, requeue, "{name}");
        assert_eq!(is_true(&status.conditions, STALLED), stalled, "{name}");
        let retrying = get(&status.conditions, RECONCILING).map(|c| c.reason.clone());
        let expected = (!stalled).then(|| reason::PROGRESSING_WITH_RETRY.to_owned());
        assert_eq!(retrying, expected, "{name}");
    }
}

#[test]
fn success_is_ready_recorded_and_told() {
    let (status, decision) = run(End::Success(Success {
        changed: true,
        health: Some(Duration::from_secs(1)),
        ..Success::default()
    }));
    assert_eq!(
        show(get(&status.conditions, READY)),
        "True ReconciliationSucceeded Applied revision: main@sha1:abc"
    );
    assert_eq!(
        show(get(&status.conditions, HEALTHY)),
        "True Succeeded Health check passed in 1s"
    );
    assert!(get(&status.conditions, RECONCILING).is_none());
    assert_eq!(status.observed_generation, Some(2));
    assert_eq!(status.last_applied_revision, "main@sha1:abc");
    assert_eq!(status.history.len(), 1);
    let event = decision.event.unwrap();
    assert_eq!(
        event.message,
        "Reconciliation finished in 20ms, next run in 10m0s"
    );
    assert_eq!(event.reason, "ReconciliationSucceeded");
    assert_eq!(
        event.metadata["kustomize.toolkit.fluxcd.io/commit_status"],
        "update"
    );
    assert_eq!(
        decision.requeue,
        Requeue::Interval(Duration::from_secs(600))
    );
}

#[test]
fn a_second_pass_without_news_changes_nothing() {
    let (mut status, _) = run(End::Success(Success::default()));
    let before = status.clone();
    let object = object("");
    let decision = settle(
        &object,
        &mut status,
        End::Success(Success::default()),
        &facts(),
        SETTINGS,
        "2027-01-01T00:00:00Z".parse().unwrap(),
    );
    finalise(&object, &mut status, stamp());
    assert_eq!(status, before);
    assert_eq!(decision.event, None);
}

#[test]
fn a_request_is_handled_and_told_even_without_news() {
    let (mut status, _) = run(End::Success(Success::default()));
    let object = object("now");
    let end = End::Success(Success::default());
    let decision = settle(&object, &mut status, end, &facts(), SETTINGS, stamp().now);
    finalise(&object, &mut status, stamp());
    assert!(decision.event.is_some());
    assert_eq!(status.last_handled_reconcile_at, "now");
    assert_eq!(status.history[0].total_reconciliations, 2);
}

#[test]
fn a_suspended_object_only_records_request_and_generation() {
    let (mut status, _) = run(End::Success(Success::default()));
    let mut object = object("later");
    object.metadata.generation = 7;
    finalise(&object, &mut status, stamp());
    assert_eq!(status.observed_generation, Some(7));
    assert_eq!(status.last_handled_reconcile_at, "later");
}

//! Passes as tables: a sentence, the facts fed, what must come out.

use std::time::Duration;

use api::conditions::{self, ConditionStatus};
use api::names::{self, reason};
use api::{GitRepository, GitRepositoryInclude, LocalObjectReference};

use super::*;
use crate::source::testing::{artifact, describe, now, object};
use crate::source::{Class, Next, Problem, Start, Stored, start};

const INTERVAL: Duration = Duration::from_secs(60);

fn repository() -> GitRepository {
    object(GitRepositorySpec {
        interval: api::Duration(INTERVAL),
        ..GitRepositorySpec::default()
    })
}

fn commit(revision: &str) -> CommitFact {
    CommitFact {
        revision: revision.into(),
        subject: Some("a subject".into()),
    }
}

fn present() -> Stored {
    Stored::Present {
        url: "http://u".into(),
    }
}

/// Brings a repository to Ready at a revision.
fn ready(revision: &str) -> GitRepository {
    let mut repository = repository();
    let mut pass = Pass::begin(repository.clone(), now());
    pass.storage(Stored::Missing);
    pass.includes(Vec::new());
    assert_eq!(pass.last_observed(), None);
    assert_eq!(pass.fetched(commit(revision)), Verdict::Store);
    pass.stored(artifact(revision, "sha256:1"));
    repository.status = pass.success().status;
    repository
}

#[test]
fn a_first_pass_stores_an_artifact() {
    let mut pass = Pass::begin(repository(), now());
    pass.storage(Stored::Missing);
    let progress = pass.progress().unwrap().conditions.clone();
    let text = &conditions::get(&progress, names::RECONCILING)
        .unwrap()
        .message;
    assert_eq!(text, "building artifact");
    assert!(conditions::is_unknown(&progress, names::READY));
    pass.includes(Vec::new());
    assert_eq!(pass.fetched(commit("main@sha1:a")), Verdict::Store);
    pass.stored(artifact("main@sha1:a", "sha256:1"));
    let decision = pass.success();
    assert_eq!(decision.status.observed_generation, Some(1));
    assert_eq!(
        describe(&decision),
        [
            "Ready=True Succeeded: stored artifact for revision 'main@sha1:a'",
            "ArtifactInStorage=True Succeeded: stored artifact for revision 'main@sha1:a'",
            "Info NewArtifact: stored artifact for commit 'a subject'",
            "Interval(60s)",
        ]
    );
    let metadata = &decision.events[0].metadata;
    assert_eq!(metadata["source.toolkit.fluxcd.io/revision"], "main@sha1:a");
    assert_eq!(metadata["source.toolkit.fluxcd.io/digest"], "sha256:1");
}

#[test]
fn an_unchanged_revision_writes_nothing() {
    let repository = ready("main@sha1:a");
    let mut pass = Pass::begin(repository.clone(), now());
    pass.storage(present());
    assert_eq!(pass.progress(), None);
    pass.includes(Vec::new());
    assert_eq!(pass.last_observed(), Some("main@sha1:a"));
    let partial = CommitFact {
        subject: None,
        ..commit("main@sha1:a")
    };
    assert_eq!(pass.unchanged(partial), Verdict::UpToDate);
    let decision = pass.no_operation();
    let mut expected = repository.status.clone();
    expected.artifact.as_mut().unwrap().url = "http://u".into();
    assert_eq!(decision.status, expected);
    assert!(decision.events.is_empty());
    assert_eq!(decision.next, Next::Interval(INTERVAL));
}

#[test]
fn a_request_is_recorded_and_answered() {
    let mut repository = ready("main@sha1:a");
    let annotations = &mut repository.metadata.annotations;
    annotations.insert(names::RECONCILE_REQUEST.into(), "now".into());
    let mut pass = Pass::begin(repository, now());
    pass.storage(present());
    assert!(pass.progress().is_some());
    pass.includes(Vec::new());
    pass.unchanged(CommitFact {
        subject: None,
        ..commit("main@sha1:a")
    });
    let decision = pass.no_operation();
    assert_eq!(decision.status.last_handled_reconcile_at, "now");
    assert_eq!(decision.events[0].reason, reason::GIT_OPERATION_SUCCEEDED);
    assert_eq!(
        decision.events[0].message,
        "no changes since last reconciliation: observed revision 'main@sha1:a'"
    );
}

#[test]
fn a_new_commit_outdates_and_then_replaces_the_artifact() {
    let mut pass = Pass::begin(ready("main@sha1:a"), now());
    pass.storage(present());
    pass.includes(Vec::new());
    assert_eq!(pass.fetched(commit("main@sha1:b")), Verdict::Store);
    let failed = pass.clone().fail(Problem::storage(
        reason::ARCHIVE_OPERATION_FAILED,
        "unable to archive artifact to storage: no space left on device",
    ));
    assert_eq!(
        describe(&failed),
        [
            "Reconciling=True ProgressingWithRetry: building artifact: new upstream revision 'main@sha1:b'",
            "Ready=False ArchiveOperationFailed: unable to archive artifact to storage: no space left on device",
            "ArtifactInStorage=True Succeeded: stored artifact for revision 'main@sha1:a'",
            "ArtifactOutdated=True NewRevision: new upstream revision 'main@sha1:b'",
            "StorageOperationFailed=True ArchiveOperationFailed: unable to archive artifact to storage: no space left on device",
            "Error ArchiveOperationFailed: unable to archive artifact to storage: no space left on device",
            "Retry(\"unable to archive artifact to storage: no space left on device\")",
        ]
    );
    pass.stored(artifact("main@sha1:b", "sha256:2"));
    let decision = pass.success();
    assert_eq!(
        describe(&decision)[0],
        "Ready=True Succeeded: stored artifact for revision 'main@sha1:b'"
    );
    assert_eq!(decision.status.conditions.len(), 2);
}

#[test]
fn failures_show_and_recovery_is_told() {
    let mut repository = ready("main@sha1:a");
    let mut pass = Pass::begin(repository.clone(), now());
    pass.storage(present());
    pass.includes(Vec::new());
    let message = "failed to checkout and determine revision: unable to clone 'u': x";
    let failed = pass.fail(Problem::fetch(reason::GIT_OPERATION_FAILED, message));
    let ready = conditions::get(&failed.status.conditions, names::READY).unwrap();
    assert_eq!(
        (ready.status, ready.message.as_str()),
        (ConditionStatus::False, message)
    );
    assert_eq!(failed.next, Next::Retry(message.into()));
    assert_eq!(failed.status.observed_generation, Some(1));
    repository.status = failed.status;
    let mut pass = Pass::begin(repository, now());
    pass.storage(present());
    pass.includes(Vec::new());
    pass.unchanged(CommitFact {
        subject: None,
        ..commit("main@sha1:a")
    });
    let recovered = pass.no_operation();
    assert_eq!(
        describe(&recovered)[2..],
        [
            "Info Succeeded: stored artifact for commit 'main@sha1:a'",
            "Interval(60s)",
        ]
    );
}

#[test]
fn stalled_waiting_and_suspended_passes() {
    let begin = || {
        let mut pass = Pass::begin(repository(), now());
        pass.storage(Stored::Missing);
        pass
    };
    let stalled = begin().fail(Problem::new(
        Class::Stalling,
        names::FETCH_FAILED,
        reason::URL_INVALID,
        "failed to parse url 'x': y",
    ));
    assert_eq!(stalled.next, Next::Nothing);
    assert_eq!(stalled.status.observed_generation, Some(1));
    assert!(conditions::is_true(
        &stalled.status.conditions,
        names::STALLED
    ));
    assert!(conditions::get(&stalled.status.conditions, names::RECONCILING).is_none());

    let wait = Duration::from_secs(30);
    let waiting = begin().fail(Problem::new(
        Class::Waiting(wait),
        names::INCLUDE_UNAVAILABLE,
        reason::NO_ARTIFACT,
        "no artifact available for include 'other'",
    ));
    assert_eq!(waiting.next, Next::After(wait));
    assert_eq!(waiting.status.observed_generation, Some(-1));
    assert_eq!(waiting.events[0].severity, Severity::Trace);

    let mut suspended = ready("main@sha1:a");
    suspended.metadata.generation = 2;
    suspended.spec.suspend = true;
    assert_eq!(start(&suspended), Start::Suspended);
    let decision = Pass::suspended(suspended, now());
    assert_eq!(decision.status.observed_generation, Some(2));
    assert_eq!(decision.next, Next::Nothing);
    assert!(conditions::is_ready(&decision.status.conditions));
}

#[test]
fn artifacts_that_vanish_or_rot_are_built_again() {
    for (stored, events) in [
        (Stored::Missing, 0),
        (Stored::Corrupt { error: "e".into() }, 1),
    ] {
        let mut pass = Pass::begin(ready("main@sha1:a"), now());
        pass.storage(stored.clone());
        assert_eq!(pass.clone().success().events.len(), events, "{stored:?}");
        let shown = pass.progress().unwrap();
        let text = &conditions::get(&shown.conditions, names::READY)
            .unwrap()
            .message;
        assert_eq!(text, "building artifact: disappeared from storage");
        pass.includes(Vec::new());
        assert_eq!(pass.last_observed(), None);
        assert_eq!(pass.fetched(commit("main@sha1:a")), Verdict::Store);
    }
}

#[test]
fn content_configuration_asks_for_a_full_fetch() {
    type Change = fn(&mut GitRepository);
    let rows: [(&str, Change); 4] = [
        ("ignore, even when empty", |r| {
            r.spec.ignore = Some(String::new())
        }),
        ("submodules", |r| r.spec.recurse_submodules = true),
        ("sparse checkout", |r| {
            r.spec.sparse_checkout = vec!["a".into()]
        }),
        ("verification", |r| r.spec.verify = Some(Default::default())),
    ];
    for (name, change) in rows {
        let mut repository = ready("main@sha1:a");
        change(&mut repository);
        let mut pass = Pass::begin(repository, now());
        pass.storage(present());
        pass.includes(Vec::new());
        let verdict = pass.unchanged(commit("main@sha1:a"));
        assert_eq!(verdict, Verdict::FetchAgain, "{name}");
    }
    let mut repository = ready("main@sha1:a");
    repository.spec.include = vec![GitRepositoryInclude {
        repository: LocalObjectReference {
            name: "other".into(),
        },
        ..Default::default()
    }];
    let mut pass = Pass::begin(repository, now());
    pass.storage(present());
    pass.includes(vec![artifact("other@sha1:1", "sha256:9")]);
    assert_eq!(pass.unchanged(commit("main@sha1:a")), Verdict::FetchAgain);
    assert_eq!(pass.fetched(commit("main@sha1:a")), Verdict::Store);
    pass.stored(artifact("main@sha1:a", "sha256:3"));
    let decision = pass.success();
    assert_eq!(decision.status.included_artifacts.len(), 1);
    assert_eq!(decision.events[0].reason, reason::NEW_ARTIFACT);
}

#[test]
fn old_revision_forms_compare_equal() {
    let sha = "a".repeat(40);
    assert!(same_revision(
        &format!("main/{sha}"),
        &format!("main@sha1:{sha}")
    ));
    assert!(same_revision(
        &format!("HEAD/{sha}"),
        &format!("sha1:{sha}")
    ));
    assert!(!same_revision("main@sha1:x", "main@sha1:y"));
}

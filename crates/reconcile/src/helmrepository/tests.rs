//! Passes as tables: the facts fed, what must come out.

use api::{HelmRepository, HelmRepositorySpec};

use super::*;
use crate::source::testing::{artifact, describe, now, object};
use crate::source::{Next, Start, Stored, start};

const URL: &str = "https://example.com/charts";

fn repository() -> HelmRepository {
    object(HelmRepositorySpec {
        url: URL.into(),
        interval: Some(api::Duration::from_secs(60)),
        ..Default::default()
    })
}

fn begin(repository: &HelmRepository) -> Pass<HelmRepositorySpec> {
    Pass::begin(repository.clone(), now())
}

fn ready() -> HelmRepository {
    let mut repository = repository();
    let mut pass = begin(&repository);
    pass.storage(Stored::Missing);
    pass.new_index("sha256:a");
    pass.stored(
        artifact("sha256:a", "sha256:1"),
        "http://h/d/index.yaml".into(),
    );
    repository.status = pass.success().status;
    repository
}

#[test]
fn a_first_pass_stores_the_index() {
    let mut pass = begin(&repository());
    pass.storage(Stored::Missing);
    assert!(pass.progress().is_some());
    pass.new_index("sha256:a");
    pass.stored(
        artifact("sha256:a", "sha256:1"),
        "http://h/d/index.yaml".into(),
    );
    let decision = pass.success();
    assert_eq!(decision.status.observed_generation, Some(1));
    assert_eq!(decision.status.url, "http://h/d/index.yaml");
    assert_eq!(
        describe(&decision),
        [
            "Ready=True Succeeded: stored artifact: revision 'sha256:a'",
            "ArtifactInStorage=True Succeeded: stored artifact: revision 'sha256:a'",
            "Info NewArtifact: stored fetched index of size 30.88kB from 'https://example.com/charts'",
            "Interval(60s)",
        ]
    );
}

#[test]
fn an_unchanged_index_writes_nothing() {
    let repository = ready();
    let mut pass = begin(&repository);
    pass.storage(Stored::Present {
        url: "http://h/d/index-a.yaml".into(),
    });
    assert!(pass.progress().is_none());
    pass.unchanged();
    let decision = pass.success();
    let mut expected = repository.status.clone();
    expected.artifact.as_mut().unwrap().url = "http://h/d/index-a.yaml".into();
    assert_eq!(decision.status, expected);
    assert!(decision.events.is_empty());
}

#[test]
fn a_new_address_of_the_store_shows_in_both_urls() {
    let mut pass = begin(&ready());
    pass.storage(Stored::Present {
        url: "http://new/d/index-a.yaml".into(),
    });
    pass.unchanged();
    assert_eq!(pass.success().status.url, "http://new/d/index.yaml");
}

#[test]
fn failures_keep_the_old_index_and_end_with_news() {
    let mut repository = ready();
    let mut pass = begin(&repository);
    pass.storage(Stored::Present { url: "u/x".into() });
    let decision = pass.fail(fetch_failed("boom"));
    assert_eq!(
        describe(&decision),
        [
            "Reconciling=True ProgressingWithRetry: reconciliation in progress",
            "Ready=False Failed: failed to fetch Helm repository index: boom",
            "ArtifactInStorage=True Succeeded: stored artifact: revision 'sha256:a'",
            "FetchFailed=True Failed: failed to fetch Helm repository index: boom",
            "Error Failed: failed to fetch Helm repository index: boom",
            "Retry(\"failed to fetch Helm repository index: boom\")",
        ]
    );
    repository.status = decision.status;
    let mut pass = begin(&repository);
    pass.storage(Stored::Present { url: "u/x".into() });
    pass.unchanged();
    let decision = pass.success();
    assert_eq!(decision.events[0].reason, "Succeeded");
    assert_eq!(decision.events.len(), 1);
}

#[test]
fn a_registry_is_no_default_repository() {
    let mut repository = repository();
    repository.spec.url = "oci://example.com/charts".into();
    let mut pass = begin(&repository);
    pass.storage(Stored::Missing);
    let decision = pass.fail(check(&repository.spec).unwrap_err());
    assert_eq!(decision.next, Next::Nothing);
    assert_eq!(decision.status.observed_generation, Some(1));
    let lines = describe(&decision);
    assert!(lines[0].starts_with("Stalled=True URLInvalid: invalid Helm repository URL: 'oci'"));
}

#[test]
fn a_lost_artifact_is_fetched_again() {
    let mut pass = begin(&ready());
    pass.storage(Stored::Missing);
    assert!(pass.artifact().is_none());
    let status = pass.progress().unwrap();
    assert_eq!(status.url, "");
    assert_eq!(
        status.conditions[0].message,
        "building artifact: disappeared from storage"
    );
}

#[test]
fn objects_start_as_their_metadata_says() {
    let with = |change: &dyn Fn(&mut HelmRepository)| {
        let mut repository = repository();
        change(&mut repository);
        start(&repository)
    };
    assert_eq!(with(&|_| {}), Start::Work);
    assert_eq!(with(&|r| r.spec.suspend = true), Start::Suspended);
    assert_eq!(
        with(&|r| r.metadata.finalizers.clear()),
        Start::AddFinalizer
    );
    assert_eq!(
        with(&|r| r.metadata.deletion_timestamp = Some("x".into())),
        Start::Delete
    );
    let mut suspended = ready();
    suspended.spec.suspend = true;
    suspended.metadata.generation = 2;
    let decision = Pass::suspended(suspended, now());
    assert_eq!(decision.next, Next::Nothing);
    assert_eq!(decision.status.observed_generation, Some(2));
}

#[test]
fn sizes_read_well() {
    for (size, expected) in [
        (0.0, "0B"),
        (999.0, "999B"),
        (30_881.0, "30.88kB"),
        (1_000_000.0, "1MB"),
        (52_428_800.0, "52.43MB"),
    ] {
        assert_eq!(human_size(size), expected);
    }
}

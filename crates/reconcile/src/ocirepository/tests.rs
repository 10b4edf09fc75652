//! Passes and choices as tables.

use api::{OciLayerSelector, OciRepository, OciRepositorySpec};

use super::*;
use crate::source::testing::{artifact, describe, now, object};
use crate::source::{Next, Stored};

const REVISION: &str = "v1@sha256:a";

fn repository() -> OciRepository {
    object(OciRepositorySpec {
        url: "oci://h/org/app".into(),
        interval: api::Duration::from_secs(60),
        ..Default::default()
    })
}

fn run(repository: &OciRepository) -> Pass<OciRepositorySpec> {
    let mut pass = Pass::begin(repository.clone(), now());
    pass.storage(match repository.status.artifact {
        Some(_) => Stored::Present { url: "u/x".into() },
        None => Stored::Missing,
    });
    pass
}

fn ready(annotations: &[(&str, &str)]) -> OciRepository {
    let mut repository = repository();
    let mut pass = run(&repository);
    assert_eq!(pass.resolved(REVISION, "h/org/app:v1"), Verdict::Store);
    pass.pulled();
    let annotations = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    pass.stored(
        artifact(REVISION, "sha256:1"),
        annotations.collect(),
        "u/latest".into(),
    );
    repository.status = pass.success().status;
    repository
}

#[test]
fn a_first_pass_stores_and_tells_the_origin() {
    let mut pass = run(&repository());
    pass.resolved(REVISION, "h/org/app:v1");
    pass.pulled();
    let annotations = [(names::OCI_SOURCE, "s"), (names::OCI_REVISION, "r")];
    let annotations = annotations.map(|(k, v)| (k.to_owned(), v.to_owned()));
    pass.stored(
        artifact(REVISION, "sha256:1"),
        annotations.into(),
        "u/latest".into(),
    );
    assert_eq!(
        describe(&pass.success()),
        [
            "Ready=True Succeeded: stored artifact for digest 'v1@sha256:a'",
            "ArtifactInStorage=True Succeeded: stored artifact for digest 'v1@sha256:a'",
            "Info NewArtifact: stored artifact with revision 'v1@sha256:a' from 'oci://h/org/app', origin source 's', origin revision 'r'",
            "Interval(60s)",
        ]
    );
}

#[test]
fn an_unchanged_revision_writes_nothing_and_a_changed_configuration_builds() {
    let mut repository = ready(&[]);
    let mut pass = run(&repository);
    assert_eq!(pass.resolved(REVISION, ""), Verdict::Keep);
    let decision = pass.success();
    let mut expected = repository.status.clone();
    expected.artifact.as_mut().unwrap().url = "u/x".into();
    assert_eq!(decision.status, expected);
    assert!(decision.events.is_empty());

    repository.spec.ignore = Some("*".into());
    assert_eq!(run(&repository).resolved(REVISION, ""), Verdict::Store);
    repository.spec.ignore = None;
    repository.spec.layer_selector = Some(OciLayerSelector::default());
    assert_eq!(run(&repository).resolved(REVISION, ""), Verdict::Store);
}

#[test]
fn a_new_revision_is_shown_while_it_is_pulled() {
    let mut pass = run(&ready(&[]));
    assert_eq!(pass.resolved("v2@sha256:b", "h/org/app:v2"), Verdict::Store);
    let decision = pass.fail(pull_failed("oci://h/org/app", "boom"));
    assert_eq!(
        describe(&decision)[..5],
        [
            "Reconciling=True ProgressingWithRetry: building artifact: new revision 'v2@sha256:b' for 'h/org/app:v2'",
            "Ready=False OCIArtifactPullFailed: failed to pull artifact from 'oci://h/org/app': boom",
            "ArtifactInStorage=True Succeeded: stored artifact for digest 'v1@sha256:a'",
            "ArtifactOutdated=True NewRevision: new revision 'v2@sha256:b' for 'h/org/app:v2'",
            "FetchFailed=True OCIArtifactPullFailed: failed to pull artifact from 'oci://h/org/app': boom",
        ]
    );
}

#[test]
fn verification_is_refused_clearly() {
    let mut repository = repository();
    repository.spec.verify = Some(api::OciRepositoryVerification {
        provider: "cosign".into(),
        ..Default::default()
    });
    let problem = verification_refused(&repository.spec).unwrap();
    let decision = run(&repository).fail(problem);
    assert_eq!(decision.next, Next::Nothing);
    let lines = describe(&decision);
    let text = "failed to verify the signature using provider 'cosign keyless': signature verification is not supported yet";
    assert_eq!(lines[0], format!("Stalled=True VerificationError: {text}"));
    assert_eq!(lines[1], format!("Ready=False VerificationError: {text}"));
}

#[test]
fn tags_are_chosen_by_range() {
    let tags: Vec<String> = [
        "1.0.0",
        "v1.2.0",
        "1.10.0",
        "2.0.0-rc.1",
        "1.11",
        "latest",
        "1.10.1_b",
    ]
    .map(str::to_owned)
    .into();
    for (range, media_type, expected) in [
        ("1.x", "", "1.10.0"),
        ("*", "", "1.10.0"),
        ("<1.5", "", "v1.2.0"),
        (">=2.0.0-0", "", "2.0.0-rc.1"),
        ("1.x", HELM_CONTENT, "1.10.1_b"),
        ("9.x", "", "no match found for semver: 9.x"),
        ("a b", "", "semver 'a b' parse error: "),
    ] {
        let got = choose_tag(&tags, range, media_type).unwrap_or_else(|error| error);
        assert!(got.starts_with(expected), "{range}: {got}");
    }
}

#[test]
fn digests_are_found_in_revisions() {
    assert_eq!(digest_of("latest@sha256:a"), "sha256:a");
    assert_eq!(digest_of("sha256:a"), "sha256:a");
}

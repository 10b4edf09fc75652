//! Passes and choices as tables.

use std::time::Duration;

use api::{HelmChart, HelmChartSpec, LocalHelmChartSourceReference};

use super::*;
use crate::source::testing::{artifact, describe, now, object};
use crate::source::{Next, Stored};

fn chart() -> HelmChart {
    object(HelmChartSpec {
        chart: "app".into(),
        source_ref: LocalHelmChartSourceReference {
            kind: "HelmRepository".into(),
            name: "repo".into(),
            ..Default::default()
        },
        interval: api::Duration::from_secs(60),
        ..Default::default()
    })
}

fn run(chart: &HelmChart) -> Pass<HelmChartSpec> {
    let mut pass = Pass::begin(chart.clone(), now());
    pass.storage(match chart.status.artifact {
        Some(_) => Stored::Present { url: "u/x".into() },
        None => Stored::Missing,
    });
    pass.source("sha256:index");
    pass
}

fn build(version: &str) -> Build {
    Build {
        name: "app".into(),
        version: version.into(),
        complete: true,
        ..Default::default()
    }
}

fn store(mut pass: Pass<HelmChartSpec>, build: &Build) -> Decision<HelmChartStatus> {
    assert_eq!(pass.built(build), Verdict::Store);
    pass.stored(
        build,
        artifact(&build.version, &build.version),
        "u/latest".into(),
    );
    pass.success(build)
}

fn ready() -> HelmChart {
    let mut chart = chart();
    chart.status = store(run(&chart), &build("1.0.0")).status;
    chart
}

#[test]
fn a_first_pass_stores_the_chart() {
    let decision = store(run(&chart()), &build("1.0.0"));
    assert_eq!(decision.status.observed_chart_name, "app");
    assert_eq!(
        decision.status.observed_source_artifact_revision,
        "sha256:index"
    );
    assert_eq!(
        describe(&decision),
        [
            "Ready=True ChartPullSucceeded: pulled 'app' chart with version '1.0.0'",
            "ArtifactInStorage=True ChartPullSucceeded: pulled 'app' chart with version '1.0.0'",
            "Info ChartPullSucceeded: pulled 'app' chart with version '1.0.0'",
            "Interval(60s)",
        ]
    );
}

#[test]
fn a_stored_chart_is_not_built_again() {
    let chart = ready();
    let mut pass = run(&chart);
    assert!(pass.is_stored("app", "1.0.0"));
    assert!(!pass.is_stored("app", "1.0.1"));
    let build = pass.stored_build("app", "1.0.0", false);
    assert_eq!(pass.built(&build), Verdict::Keep);
    pass.kept(&build);
    let decision = pass.success(&build);
    let mut expected = chart.status.clone();
    expected.artifact.as_mut().unwrap().url = "u/x".into();
    expected.url = "u/latest".into();
    assert_eq!(decision.status, expected);
    assert!(decision.events.is_empty());

    let mut changed = chart;
    changed.metadata.generation = 2;
    assert!(!run(&changed).is_stored("app", "1.0.0"));
}

#[test]
fn a_new_version_is_packaged_with_its_values_files() {
    let mut chart = ready();
    chart.metadata.generation = 2;
    chart.spec.ignore_missing_values_files = true;
    let build = Build {
        packaged: true,
        values_files: vec!["a.yaml".into(), "b.yaml".into()],
        resolved_dependencies: 2,
        ..build("1.0.0+2")
    };
    let decision = store(run(&chart), &build);
    assert_eq!(decision.status.observed_values_files, ["a.yaml", "b.yaml"]);
    let summary =
        "packaged 'app' chart with version '1.0.0+2' and merged values files [a.yaml b.yaml]";
    assert_eq!(
        describe(&decision)[2..4],
        [
            "Trace ResolvedDependencies: resolved 2 chart dependencies".to_owned(),
            format!("Info ChartPackageSucceeded: {summary}"),
        ]
    );
}

#[test]
fn failures_have_their_condition_and_class() {
    let around = |message: &str| {
        let problem = Problem::fetch(reason::AUTHENTICATION_FAILED, message);
        Failure::Around(problem)
    };
    for (name, failure, ready, condition, stalls) in [
        (
            "no such version",
            Failure::Build(BuildFailure::Reference, "x".into()),
            "InvalidChartReference: invalid chart reference: x",
            "FetchFailed=True InvalidChartReference: invalid chart reference: x",
            true,
        ),
        (
            "registry down",
            remote_failure(BuildFailure::Pull, "x".into()),
            "ChartPullError: chart pull error: x",
            "FetchFailed=True ChartPullError: chart pull error: x",
            false,
        ),
        (
            "refused login",
            remote_failure(BuildFailure::Pull, "401 Unauthorized".into()),
            "Unknown: unknown build error: failed to authenticate with the Helm repository: chart pull error: 401 Unauthorized",
            "FetchFailed=True Unknown: unknown build error: failed to authenticate with the Helm repository: chart pull error: 401 Unauthorized",
            false,
        ),
        (
            "secret missing",
            around("failed to get authentication secret"),
            "Unknown: unknown build error: failed to get authentication secret",
            "FetchFailed=True Unknown: unknown build error: failed to get authentication secret",
            false,
        ),
        (
            "values file missing",
            Failure::Build(BuildFailure::Values, "x".into()),
            "ValuesFilesError: values files merge error: x",
            "BuildFailed=True ValuesFilesError: values files merge error: x",
            true,
        ),
        (
            "dependency missing",
            Failure::Build(BuildFailure::Dependency, "x".into()),
            "DependencyBuildError: dependency build error: x",
            "BuildFailed=True DependencyBuildError: dependency build error: x",
            false,
        ),
    ] {
        let decision = run(&chart()).failed(failure);
        let lines = describe(&decision);
        assert!(
            lines.contains(&format!("Ready=False {ready}")),
            "{name}: {lines:#?}"
        );
        assert!(lines.contains(&condition.to_owned()), "{name}: {lines:#?}");
        assert_eq!(decision.next == Next::Nothing, stalls, "{name}");
    }
}

#[test]
fn a_source_without_artifact_is_waited_for() {
    let chart = chart();
    let wait = Duration::from_secs(30);
    let problem = no_artifact(&chart.spec, wait);
    let decision = run(&chart).failed(Failure::Other(problem));
    let text = "no artifact available for HelmRepository source 'repo'";
    let lines = describe(&decision);
    assert!(
        lines.contains(&format!("Ready=False NoSourceArtifact: {text}")),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&format!("Trace NoSourceArtifact: {text}")),
        "{lines:#?}"
    );
    assert_eq!(decision.next, Next::After(wait));
    assert_eq!(decision.status.observed_generation, Some(-1));

    // Waiting on says nothing new.
    let mut waiting = chart;
    waiting.status = decision.status.clone();
    let problem = no_artifact(&waiting.spec, wait);
    let again = run(&waiting).failed(Failure::Other(problem));
    assert!(again.events.is_empty(), "{:?}", again.events);
    assert_eq!(again.status, decision.status);
}

#[test]
fn recovery_is_told() {
    let mut chart = ready();
    let failure = Failure::Build(BuildFailure::Pull, "x".into());
    chart.status = run(&chart).failed(failure).status;
    let mut pass = run(&chart);
    let build = pass.stored_build("app", "1.0.0", false);
    assert_eq!(pass.built(&build), Verdict::Keep);
    pass.kept(&build);
    let decision = pass.success(&build);
    assert_eq!(decision.events.len(), 1);
    assert_eq!(decision.events[0].reason, "ChartPullSucceeded");
}

#[test]
fn versions_are_chosen() {
    let at = |text: &str| Some(text.parse().unwrap());
    let candidates = [
        ("1.0.0", None),
        ("1.2.0+a", at("2026-01-01T00:00:00Z")),
        ("1.2.0+b", at("2026-01-02T00:00:00Z")),
        ("2.0.0-rc.1", None),
        ("not a version", None),
        ("3.0", None),
    ]
    .map(|(version, created)| Candidate { version, created });
    for (wanted, expected) in [
        ("", "1.2.0+b"),
        ("*", "1.2.0+b"),
        ("1.0.x", "1.0.0"),
        ("1.2.0+a", "1.2.0+a"),
        ("2.0.0-rc.1", "2.0.0-rc.1"),
        (">=2.0.0-0", "2.0.0-rc.1"),
        ("9.x", "no 'app' chart with version matching '9.x' found"),
    ] {
        let got = choose_version("app", &candidates, wanted)
            .map_or_else(|error| error, |place| candidates[place].version.to_owned());
        assert_eq!(got, expected, "{wanted}");
    }
    let tags: Vec<String> = candidates.iter().map(|c| c.version.to_owned()).collect();
    assert_eq!(choose_tag(&tags, "1.0.x").unwrap(), "1.0.0");
    assert!(choose_tag(&tags, "9.x").is_err());
}

#[test]
fn names_are_checked() {
    for (name, fine) in [
        ("app", true),
        ("my-app.1", true),
        ("org/app", true),
        ("org/app/", true),
        ("App", false),
        ("a//b", false),
        ("/a", false),
        ("a_b", false),
        ("", false),
    ] {
        assert_eq!(check_chart_name(name).is_ok(), fine, "{name}");
    }
}

#[test]
fn metadata_is_made_of_revision_and_generation() {
    let git = "main@sha1:4e5cbb7b97d0b0d5d2b5a2e9c9f3f3a0c0a0b0c0";
    let bucket = "sha256:0cc9a8446c950cc9a8446c950cc9a8446c95";
    for (kind, revision, values, expected) in [
        ("GitRepository", None, false, ""),
        ("GitRepository", Some(git), false, "4e5cbb7b97d0"),
        ("GitRepository", Some(git), true, "4e5cbb7b97d0.2"),
        ("Bucket", Some(bucket), false, "0cc9a8446c95"),
        ("HelmRepository", None, true, "2"),
    ] {
        assert_eq!(version_metadata(kind, revision, values, 2), expected);
    }
}

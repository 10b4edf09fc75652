//! Upstream's cases of the state machine, as tables.

use std::collections::BTreeMap;
use std::time::Duration;

use api::conditions::{self, Condition, Stamp};
use api::names::{READY, RECONCILING, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS};
use api::{ConditionStatus, HelmRelease, HelmReleaseStatus, Snapshot, TestHookStatus};
use jiff::Timestamp;
use objects::{Object, Value, json};

use super::*;

const SETTINGS: Settings = Settings {
    default_to_retry: false,
    requeue_dependency: Duration::from_secs(30),
};

const STAMP: Stamp = Stamp {
    generation: 2,
    now: Timestamp::UNIX_EPOCH,
};

fn release(spec: Value) -> HelmRelease {
    let object = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "podinfo", "namespace": "apps", "generation": 2},
        "spec": spec,
    });
    HelmRelease::from_object(&Object::from_value(object).unwrap()).unwrap()
}

fn snapshot(version: i64, status: &str) -> Snapshot {
    Snapshot {
        api_version: "v2".into(),
        digest: format!("sha256:{version}"),
        name: "podinfo".into(),
        namespace: "apps".into(),
        version,
        status: status.into(),
        chart_name: "podinfo".into(),
        chart_version: "1.0.0".into(),
        ..Snapshot::default()
    }
}

fn tested(mut snapshot: Snapshot, phases: &[&str]) -> Snapshot {
    let hook = |(index, phase): (usize, &&str)| {
        let status = TestHookStatus {
            phase: (*phase).to_owned(),
            ..TestHookStatus::default()
        };
        (format!("test-{index}"), Some(status))
    };
    let hooks: BTreeMap<_, _> = phases.iter().enumerate().map(hook).collect();
    snapshot.test_hooks = Some(hooks);
    snapshot
}

fn status(history: Vec<Snapshot>) -> HelmReleaseStatus {
    HelmReleaseStatus {
        observed_generation: Some(2),
        history,
        ..HelmReleaseStatus::default()
    }
}

fn stored(status: &str, version: &str, ownership: Ownership) -> Stored {
    Stored {
        status: status.into(),
        chart_name: "podinfo".into(),
        chart_version: version.into(),
        ownership,
    }
}

fn state(
    own: &HelmRelease,
    status: &HelmReleaseStatus,
    last: Option<&Stored>,
    values: bool,
) -> State {
    let facts = StateFacts {
        last,
        chart_name: "podinfo",
        chart_version: "1.0.0",
        values_match: values,
    };
    determine(own, status, facts)
}

#[test]
fn states_of_a_release() {
    use Ownership::{Foreign, Unreadable, Verified};
    let unmanaged = |text: &str| State::Unmanaged(text.to_owned());
    let found = "found existing release in storage";
    let uninstalled = "found uninstalled release in storage";
    let known = || vec![snapshot(1, "deployed")];
    type Row = (&'static str, Vec<Snapshot>, Option<Stored>, bool, State);
    let rows: Vec<Row> = vec![
        (
            "no release in storage",
            known(),
            None,
            true,
            State::Absent("no release in storage for object"),
        ),
        (
            "a pending install",
            Vec::new(),
            Some(stored("pending-install", "1.0.0", Foreign)),
            true,
            State::Locked("release with status 'pending-install'".into()),
        ),
        (
            "a pending upgrade of a known release",
            known(),
            Some(stored("pending-upgrade", "1.0.0", Verified)),
            true,
            State::Locked("release with status 'pending-upgrade'".into()),
        ),
        (
            "a pending rollback",
            known(),
            Some(stored("pending-rollback", "1.0.0", Foreign)),
            true,
            State::Locked("release with status 'pending-rollback'".into()),
        ),
        (
            "an uninstall that was cut short, where upstream gives up",
            known(),
            Some(stored("uninstalling", "1.0.0", Foreign)),
            true,
            State::Uninstalling("release with status 'uninstalling'".into()),
        ),
        (
            "a release without history",
            Vec::new(),
            Some(stored("deployed", "1.0.0", Foreign)),
            true,
            unmanaged(found),
        ),
        (
            "an uninstalled release without history",
            Vec::new(),
            Some(stored("uninstalled", "1.0.0", Foreign)),
            true,
            State::Absent(uninstalled),
        ),
        (
            "a release that somebody changed",
            known(),
            Some(stored("deployed", "1.0.0", Foreign)),
            true,
            unmanaged("release not observed to be made for object"),
        ),
        (
            "a snapshot without readable digest",
            known(),
            Some(stored("deployed", "1.0.0", Unreadable)),
            true,
            unmanaged("release digest verification error"),
        ),
        (
            "a failed release",
            known(),
            Some(stored("failed", "1.0.0", Verified)),
            true,
            State::Failed(""),
        ),
        (
            "an uninstalled release",
            known(),
            Some(stored("uninstalled", "1.0.0", Verified)),
            true,
            State::Absent(uninstalled),
        ),
        (
            "a superseded release, where upstream gives up",
            known(),
            Some(stored("superseded", "1.0.0", Verified)),
            true,
            unmanaged("release with status 'superseded'"),
        ),
        (
            "another version of the chart",
            known(),
            Some(stored("deployed", "0.9.0", Verified)),
            true,
            State::OutOfSync("release chart changed"),
        ),
        (
            "other values",
            known(),
            Some(stored("deployed", "1.0.0", Verified)),
            false,
            State::OutOfSync("release config values changed"),
        ),
        (
            "all as it should be",
            known(),
            Some(stored("deployed", "1.0.0", Verified)),
            true,
            State::InSync,
        ),
    ];
    for (name, history, last, values, expected) in rows {
        let got = state(&release(json!({})), &status(history), last.as_ref(), values);
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn states_that_the_spec_decides() {
    let deployed = stored("deployed", "1.0.0", Ownership::Verified);
    let passed = || tested(snapshot(1, "deployed"), &["Succeeded"]);
    let failed = || tested(snapshot(1, "deployed"), &["Succeeded", "Failed"]);
    let enabled = json!({"test": {"enable": true}});
    let ignored = json!({"test": {"enable": true, "ignoreFailures": true}});
    let not_ignored = json!({
        "test": {"enable": true, "ignoreFailures": true},
        "install": {"remediation": {"ignoreTestFailures": false}},
    });
    let failing = State::Failed("release has test in failed phase");
    for (name, spec, snapshot, expected) in [
        (
            "tests are off",
            json!({}),
            snapshot(1, "deployed"),
            State::InSync,
        ),
        (
            "never tested",
            enabled.clone(),
            snapshot(1, "deployed"),
            State::Untested,
        ),
        (
            "still running",
            enabled.clone(),
            tested(snapshot(1, "deployed"), &["Running"]),
            State::Untested,
        ),
        (
            "no tests to run",
            enabled.clone(),
            tested(snapshot(1, "deployed"), &[]),
            State::InSync,
        ),
        ("tests passed", enabled.clone(), passed(), State::InSync),
        ("a test failed", enabled.clone(), failed(), failing.clone()),
        ("failures are ignored", ignored, failed(), State::InSync),
        (
            "but not by the remediation",
            not_ignored,
            failed(),
            failing.clone(),
        ),
    ] {
        let mut status = status(vec![snapshot]);
        status.last_attempted_release_action = "install".into();
        let got = state(&release(spec), &status, Some(&deployed), true);
        assert_eq!(got, expected, "{name}");
    }
    let changed =
        json!({"postRenderers": [{"kustomize": {"images": [{"name": "a", "newTag": "b"}]}}]});
    for (name, spec, observed, expected) in [
        (
            "new post-renderers of a new generation",
            changed.clone(),
            1,
            State::OutOfSync("postrenderers digest has changed"),
        ),
        (
            "the same generation is not looked at",
            changed,
            2,
            State::InSync,
        ),
        (
            "new metadata",
            json!({"commonMetadata": {"labels": {"a": "b"}}}),
            1,
            State::OutOfSync("common metadata digest has changed"),
        ),
    ] {
        let mut status = status(vec![passed()]);
        status.observed_generation = Some(observed);
        let got = state(&release(spec), &status, Some(&deployed), true);
        assert_eq!(got, expected, "{name}");
    }
}

/// What an attempt left in the status.
fn after_attempt(action: &str, failures: i64, history: Vec<Snapshot>) -> HelmReleaseStatus {
    let mut status = status(history);
    status.last_attempted_release_action = action.into();
    match action {
        "install" => status.install_failures = failures,
        _ => status.upgrade_failures = failures,
    }
    status
}

fn step(spec: Value, status: &mut HelmReleaseStatus, state: &State, force: bool) -> Step {
    next_step(&release(spec), status, state, force, SETTINGS, STAMP)
}

#[test]
fn actions_per_state() {
    let run = Step::Run;
    let exhausted = |why| Step::Stop(Stop::RetriesExceeded(why));
    let none = json!({});
    let absent = State::Absent("");
    let locked = State::Locked(String::new());
    let uninstalling = State::Uninstalling(String::new());
    let unmanaged = State::Unmanaged(String::new());
    let out_of_sync = State::OutOfSync("");
    let failed = State::Failed("");
    let retries = |action: &str, n: i64| json!({action: {"remediation": {"retries": n}}});
    let last = |action: &str, n: i64, strategy: &str| json!({action: {"remediation": {"retries": n, "remediateLastFailure": true, "strategy": strategy}}});
    let retry = |action: &str| json!({action: {"strategy": {"name": "RetryOnFailure"}}});
    let one = || vec![snapshot(1, "deployed")];
    let two = || vec![snapshot(2, "failed"), snapshot(1, "superseded")];
    let target = Step::CheckRollback(Box::new(snapshot(1, "superseded")));
    type Row<'a> = (&'a str, Value, HelmReleaseStatus, &'a State, bool, Step);
    let rows: Vec<Row<'_>> = vec![
        (
            "in sync",
            none.clone(),
            status(one()),
            &State::InSync,
            false,
            Step::Done,
        ),
        (
            "in sync, forced",
            none.clone(),
            status(one()),
            &State::InSync,
            true,
            run(Action::Upgrade),
        ),
        (
            "locked",
            none.clone(),
            status(one()),
            &locked,
            false,
            run(Action::Unlock),
        ),
        (
            "an uninstall is brought to its end",
            none.clone(),
            status(one()),
            &uninstalling,
            false,
            run(Action::UninstallRemediation),
        ),
        (
            "absent",
            none.clone(),
            status(vec![]),
            &absent,
            false,
            run(Action::Install),
        ),
        (
            "absent, tries left",
            retries("install", 1),
            after_attempt("install", 1, vec![]),
            &absent,
            false,
            run(Action::Install),
        ),
        (
            "absent, endless tries",
            retries("install", -1),
            after_attempt("install", 9, vec![]),
            &absent,
            false,
            run(Action::Install),
        ),
        (
            "absent, tries used up",
            none.clone(),
            after_attempt("install", 1, vec![]),
            &absent,
            false,
            exhausted("cannot install release"),
        ),
        (
            "absent, tries used up, forced",
            none.clone(),
            after_attempt("install", 1, vec![]),
            &absent,
            true,
            run(Action::Install),
        ),
        (
            "unmanaged",
            none.clone(),
            status(one()),
            &unmanaged,
            false,
            run(Action::Upgrade),
        ),
        (
            "out of sync",
            none.clone(),
            status(one()),
            &out_of_sync,
            false,
            run(Action::Upgrade),
        ),
        (
            "out of sync, tries used up",
            none.clone(),
            after_attempt("upgrade", 1, one()),
            &out_of_sync,
            false,
            exhausted("cannot upgrade release"),
        ),
        (
            "out of sync, tries used up, forced",
            none.clone(),
            after_attempt("upgrade", 1, one()),
            &out_of_sync,
            true,
            run(Action::Upgrade),
        ),
        (
            "drift is corrected where that is on",
            json!({"driftDetection": {"mode": "enabled"}}),
            status(one()),
            &State::Drifted,
            false,
            run(Action::CorrectDrift),
        ),
        (
            "drift is only told otherwise",
            json!({"driftDetection": {"mode": "warn"}}),
            status(one()),
            &State::Drifted,
            true,
            Step::Done,
        ),
        (
            "untested",
            none.clone(),
            status(one()),
            &State::Untested,
            false,
            run(Action::Test),
        ),
        (
            "failed before any attempt",
            none.clone(),
            status(one()),
            &failed,
            false,
            run(Action::Upgrade),
        ),
        (
            "failed, and the conditions have changed",
            none.clone(),
            after_attempt("upgrade", 0, two()),
            &failed,
            false,
            run(Action::Upgrade),
        ),
        (
            "failed, forced",
            none.clone(),
            after_attempt("upgrade", 1, two()),
            &failed,
            true,
            run(Action::Upgrade),
        ),
        (
            "failed, tries used up",
            none.clone(),
            after_attempt("upgrade", 1, two()),
            &failed,
            false,
            exhausted("cannot remediate failed release"),
        ),
        (
            "failed, the last failure is remediated",
            last("upgrade", 0, "rollback"),
            after_attempt("upgrade", 1, two()),
            &failed,
            false,
            target.clone(),
        ),
        (
            "failed, tries left",
            retries("upgrade", 1),
            after_attempt("upgrade", 1, two()),
            &failed,
            false,
            target,
        ),
        (
            "failed, nothing to roll back to",
            retries("upgrade", 1),
            after_attempt("upgrade", 1, vec![snapshot(1, "failed")]),
            &failed,
            false,
            Step::Stop(Stop::MissingRollbackTarget),
        ),
        (
            "failed, remediated by uninstalling",
            last("upgrade", 1, "uninstall"),
            after_attempt("upgrade", 1, two()),
            &failed,
            false,
            run(Action::UninstallRemediation),
        ),
        (
            "failed install, tries left",
            retries("install", 1),
            after_attempt("install", 1, vec![snapshot(1, "failed")]),
            &failed,
            false,
            run(Action::UninstallRemediation),
        ),
        (
            "failed install, retried",
            retry("install"),
            after_attempt("install", 5, vec![snapshot(1, "failed")]),
            &failed,
            false,
            run(Action::Upgrade),
        ),
        (
            "failed upgrade, retried",
            retry("upgrade"),
            after_attempt("upgrade", 5, two()),
            &failed,
            false,
            run(Action::Upgrade),
        ),
    ];
    for (name, spec, mut status, state, force, expected) in rows {
        assert_eq!(step(spec, &mut status, state, force), expected, "{name}");
    }
    assert_eq!(
        rollback_step(&RollbackCheck::Unchanged),
        run(Action::Rollback)
    );
    assert_eq!(rollback_step(&RollbackCheck::Lost), run(Action::Upgrade));
}

#[test]
fn passes_pause_when_they_have_done_their_share() {
    let none = json!({});
    let retries = json!({"upgrade": {"remediation": {"retries": 1}}});
    let retry = json!({"upgrade": {"strategy": {"name": "RetryOnFailure", "retryInterval": "2m"}}});
    let uninstall = json!({"upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true, "strategy": "uninstall"}}});
    let upgrade = Action::Upgrade;
    for (name, spec, failures, action, done, expected) in [
        (
            "the first of its kind",
            none.clone(),
            0,
            upgrade,
            vec![],
            None,
        ),
        (
            "the second of its kind, tries left",
            retries.clone(),
            1,
            upgrade,
            vec![ActionKind::Release],
            Some(Pause::Requeue),
        ),
        (
            "the second of its kind, tries used up",
            none.clone(),
            1,
            upgrade,
            vec![ActionKind::Release],
            Some(Pause::Settled),
        ),
        (
            "the second of its kind, retried",
            retry.clone(),
            1,
            upgrade,
            vec![ActionKind::Release],
            Some(Pause::Retry(Duration::from_secs(120))),
        ),
        (
            "another kind",
            none.clone(),
            1,
            Action::Test,
            vec![ActionKind::Release],
            None,
        ),
    ] {
        let mut status = after_attempt("upgrade", failures, vec![]);
        let got = before(&release(spec), &mut status, action, &done, SETTINGS, STAMP);
        assert_eq!(got, expected, "{name}");
    }
    for (name, spec, failures, action, expected) in [
        ("an upgrade goes on", none.clone(), 1, upgrade, None),
        (
            "a rollback, tries left",
            retries,
            1,
            Action::Rollback,
            Some(Pause::Requeue),
        ),
        (
            "a rollback, tries used up",
            none,
            1,
            Action::Rollback,
            Some(Pause::Exhausted),
        ),
        (
            "an uninstall after an upgrade goes on to install",
            uninstall,
            1,
            Action::UninstallRemediation,
            Some(Pause::Requeue),
        ),
        (
            "a rollback under RetryOnFailure",
            retry,
            1,
            Action::Rollback,
            Some(Pause::Retry(Duration::from_secs(120))),
        ),
    ] {
        let mut status = after_attempt("upgrade", failures, vec![]);
        let got = after(&release(spec), &mut status, action, SETTINGS, STAMP);
        assert_eq!(got, expected, "{name}");
        if expected == Some(Pause::Exhausted) {
            let stalled = conditions::get(&status.conditions, STALLED).unwrap();
            assert_eq!(stalled.message, "Failed to upgrade after 1 attempt(s)");
        }
        if expected == Some(Pause::Retry(Duration::from_secs(120))) {
            let reconciling = conditions::get(&status.conditions, RECONCILING).unwrap();
            assert_eq!(reconciling.message, "retrying after 2m0s");
        }
    }
}

#[test]
fn histories_are_cut_down_to_what_can_be_rolled_back_to() {
    let all = |list: &[(i64, &str)]| -> Vec<Snapshot> {
        list.iter().map(|(v, s)| snapshot(*v, s)).collect()
    };
    let versions =
        |s: &HelmReleaseStatus| -> Vec<i64> { s.history.iter().map(|s| s.version).collect() };
    for (name, history, expected) in [
        ("one", all(&[(1, "deployed")]), vec![1]),
        (
            "down to the first that worked",
            all(&[
                (1, "superseded"),
                (2, "superseded"),
                (3, "failed"),
                (4, "deployed"),
            ]),
            vec![4, 3, 2],
        ),
        (
            "five where none worked",
            all(&[
                (1, "failed"),
                (2, "failed"),
                (3, "failed"),
                (4, "failed"),
                (5, "failed"),
                (6, "failed"),
            ]),
            vec![6, 5, 4, 3, 2],
        ),
    ] {
        let mut status = status(history);
        truncate(&mut status, false);
        assert_eq!(versions(&status), expected, "{name}");
    }
    let failed_tests = vec![
        snapshot(3, "failed"),
        tested(snapshot(2, "superseded"), &["Failed"]),
        snapshot(1, "superseded"),
    ];
    let with = status(failed_tests);
    assert_eq!(previous(&with, false).unwrap().version, 1);
    assert_eq!(previous(&with, true).unwrap().version, 2);
}

#[test]
fn ready_is_composed_by_generation_and_order() {
    let of = |type_: &str, value, generation| {
        let mut condition = Condition::new(type_, value, type_, "");
        condition.observed_generation = generation;
        condition
    };
    use ConditionStatus::{False, True, Unknown};
    let of_history = status;
    let tests = json!({"test": {"enable": true}});
    let ignored = json!({"test": {"enable": true, "ignoreFailures": true}});
    for (name, spec, list, status, reason) in [
        (
            "released",
            json!({}),
            vec![of(RELEASED, True, 2)],
            True,
            RELEASED,
        ),
        (
            "a remediation is a failure",
            json!({}),
            vec![of(RELEASED, False, 2), of(REMEDIATED, True, 2)],
            False,
            REMEDIATED,
        ),
        (
            "a newer release beats an older remediation",
            json!({}),
            vec![of(RELEASED, True, 3), of(REMEDIATED, True, 2)],
            True,
            RELEASED,
        ),
        (
            "tests are awaited",
            tests.clone(),
            vec![of(RELEASED, True, 2), of(TEST_SUCCESS, Unknown, 2)],
            Unknown,
            TEST_SUCCESS,
        ),
        (
            "ignored tests do not count",
            ignored,
            vec![of(RELEASED, True, 2), of(TEST_SUCCESS, False, 2)],
            True,
            RELEASED,
        ),
        (
            "tests that are off do not count",
            json!({}),
            vec![of(RELEASED, True, 2), of(TEST_SUCCESS, False, 2)],
            True,
            RELEASED,
        ),
        (
            "remediation beats tests beats release",
            tests,
            vec![
                of(RELEASED, True, 2),
                of(REMEDIATED, True, 2),
                of(TEST_SUCCESS, False, 2),
            ],
            False,
            REMEDIATED,
        ),
    ] {
        let mut given = of_history(vec![]);
        given.conditions = list;
        summarize(&release(spec), &mut given, STAMP);
        let ready = conditions::get(&given.conditions, READY).unwrap();
        assert_eq!(
            (ready.status, ready.reason.as_str()),
            (status, reason),
            "{name}"
        );
    }
}

#[test]
fn names_revisions_and_targets() {
    let long = "a-very-lengthy-target-namespace-with-a-nice-object-name";
    assert_eq!(
        shorten(long),
        "a-very-lengthy-target-namespace-with-a-n-97af5d7f41f3"
    );
    assert_eq!(shorten("short"), "short");
    let digest = "sha256:0cc9a8446c95009ef382f5eade883a67c257f77d50f84e78ecef2aac9428d1e5";
    for (version, revision, expected) in [
        (
            "1.2.3",
            format!("1.2.3@{digest}"),
            Ok(("1.2.3+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "v1.2",
            format!("1.2.0@{digest}"),
            Ok(("1.2.0+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "1.2.3+old",
            format!("1.2.3_old@{digest}"),
            Ok(("1.2.3+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "1.2.3",
            format!("latest@{digest}"),
            Ok(("1.2.3+0cc9a8446c95", format!("latest@{digest}"))),
        ),
        (
            "1.2.3",
            digest.to_owned(),
            Ok(("1.2.3+0cc9a8446c95", digest.to_owned())),
        ),
        (
            "1.2.3",
            format!("1.3.0@{digest}"),
            Err("artifact revision 1.3.0 does not match chart version 1.2.3"),
        ),
        (
            "x",
            format!("1.0.0@{digest}"),
            Err("invalid chart version x"),
        ),
        (
            "1.0.0",
            "sha256:abc".into(),
            Err("invalid artifact revision sha256:abc"),
        ),
    ] {
        let got = chart_revision(version, &revision, true, true);
        let got = got
            .map(|r| (r.version, r.digest))
            .map_err(|e| e.to_string());
        let expected = expected
            .map(|(v, d)| (v.to_owned(), d))
            .map_err(str::to_owned);
        assert_eq!(got, expected, "{version} {revision}");
    }
    let mut known = status(vec![snapshot(1, "deployed")]);
    known.storage_namespace = "apps".into();
    for (spec, chart, expected) in [
        (json!({}), "podinfo", None),
        (
            json!({"storageNamespace": "x"}),
            "podinfo",
            Some("storage namespace"),
        ),
        (
            json!({"targetNamespace": "x"}),
            "podinfo",
            Some("release namespace"),
        ),
        (json!({"releaseName": "x"}), "podinfo", Some("release name")),
        (json!({}), "other", Some("chart name")),
        (
            json!({"upgrade": {"chartNameChangeStrategy": "InPlaceUpdate"}}),
            "other",
            None,
        ),
    ] {
        assert_eq!(target_changed(&release(spec), &known, chart), expected);
    }
}

#[test]
fn requests_count_once_and_only_together_with_a_reconcile_request() {
    for (name, force, requested, reconciled, handled, expected) in [
        ("asked for together", "t1", "t1", "", "", true),
        ("handled before", "t1", "t1", "", "t1", false),
        (
            "the reconcile request was handled before",
            "t1",
            "t1",
            "t1",
            "",
            false,
        ),
        ("of another time", "t1", "t2", "", "", false),
    ] {
        let mut own = release(json!({}));
        let annotations = &mut own.metadata.annotations;
        annotations.insert(api::names::FORCE_REQUEST.into(), force.into());
        annotations.insert(api::names::RECONCILE_REQUEST.into(), requested.into());
        let mut status = status(vec![]);
        status.last_handled_reconcile_at = reconciled.into();
        status.last_handled_force_at = handled.into();
        assert_eq!(take_force_request(&own, &mut status), expected, "{name}");
        assert_eq!(status.last_handled_force_at, force);
        assert!(!take_force_request(&own, &mut status), "{name}, again");
    }
    for (name, generation, version, values, expected) in [
        ("nothing changed", 2, "1.0.0", true, None),
        (
            "the spec changed",
            1,
            "1.0.0",
            true,
            Some("generation differs from last attempt"),
        ),
        (
            "the chart changed",
            2,
            "1.1.0",
            true,
            Some("chart version differs from last attempt"),
        ),
        (
            "the values changed",
            2,
            "1.0.0",
            false,
            Some("values differ from last attempt"),
        ),
    ] {
        let mut status = status(vec![]);
        status.last_attempted_generation = generation;
        status.last_attempted_revision = "1.0.0".into();
        status.last_attempted_config_digest = "sha256:x".into();
        let matches = |_: &str| values;
        let got = must_reset_failures(&release(json!({})), &mut status, version, &matches);
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn upgrades_record_two_releases_and_keep_what_others_noted() {
    let observation = |version: i64, status: &str| Observation {
        snapshot: snapshot(version, status),
        text: format!("{{\"version\":{version},\"status\":\"{status}\""),
    };
    let mut before = status(vec![tested(snapshot(1, "deployed"), &["Succeeded"])]);
    before.history[0].oci_digest = "sha256:old".into();
    before.last_attempted_revision_digest = "sha256:new".into();
    let outcome = Outcome {
        observed: vec![observation(1, "superseded"), observation(2, "deployed")],
        ..Outcome::default()
    };
    let own = release(json!({"test": {"enable": true}}));
    let attempt = Attempt::default();
    let ended = end_release(
        &own,
        &mut before,
        Action::Upgrade,
        &attempt,
        outcome,
        SETTINGS,
        STAMP,
    );
    let [new, old] = &before.history[..] else {
        panic!("two snapshots are expected");
    };
    assert_eq!(
        (new.version, new.action.as_str(), new.oci_digest.as_str()),
        (2, "upgrade", "sha256:new")
    );
    assert_eq!(
        (
            old.status.as_str(),
            old.action.as_str(),
            old.oci_digest.as_str()
        ),
        ("superseded", "", "sha256:old")
    );
    assert!(old.test_hooks.is_some());
    let ready = conditions::get(&before.conditions, READY).unwrap();
    assert_eq!(
        ready.message,
        "Helm release apps/podinfo.v2 with chart podinfo@1.0.0 is awaiting tests"
    );
    assert_eq!(ended.event.unwrap().reason, "UpgradeSucceeded");
}

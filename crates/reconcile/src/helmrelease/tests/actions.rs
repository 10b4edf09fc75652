//! Which action a state asks for.

use objects::json;

use super::*;

type Row<'a> = (&'a str, Value, HelmReleaseStatus, &'a State, bool, Step);

/// Name, spec, status, state, whether an attempt is forced, step.
fn check(rows: Vec<Row<'_>>) {
    for (name, spec, mut status, state, force, expected) in rows {
        let got = next_step(&release(spec), &mut status, state, force, SETTINGS, STAMP);
        assert_eq!(got, expected, "{name}");
    }
}

/// `remediation.retries` of install or upgrade.
fn retries(action: &str, retries: i64) -> Value {
    json!({action: {"remediation": {"retries": retries}}})
}

/// A release that works.
fn one() -> Vec<Snapshot> {
    vec![snapshot(1, "deployed")]
}

fn exhausted(why: &'static str) -> Step {
    Step::Stop(Stop::RetriesExceeded(why))
}

#[test]
fn releases_that_did_not_fail() {
    let run = Step::Run;
    let none = json!({});
    let absent = State::Absent("");
    let locked = State::Locked(String::new());
    let uninstalling = State::Uninstalling(String::new());
    let unmanaged = State::Unmanaged(String::new());
    let out_of_sync = State::OutOfSync("");
    check(vec![
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
    ]);
}

#[test]
fn releases_that_failed() {
    let run = Step::Run;
    let none = json!({});
    let failed = State::Failed("");
    let retry = |action: &str| json!({action: {"strategy": {"name": "RetryOnFailure"}}});
    let last = |action: &str, retries: i64, strategy: &str| {
        json!({action: {"remediation": {
            "retries": retries, "remediateLastFailure": true, "strategy": strategy,
        }}})
    };
    let two = || vec![snapshot(2, "failed"), snapshot(1, "superseded")];
    let target = Step::CheckRollback(Box::new(snapshot(1, "superseded")));
    check(vec![
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
    ]);
}

#[test]
fn rollbacks_need_an_unchanged_record() {
    let run = Step::Run;
    assert_eq!(
        rollback_step(&RollbackCheck::Unchanged),
        run(Action::Rollback)
    );
    assert_eq!(rollback_step(&RollbackCheck::Lost), run(Action::Upgrade));
}

//! When a pass has done its share.

use objects::json;

use super::*;

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

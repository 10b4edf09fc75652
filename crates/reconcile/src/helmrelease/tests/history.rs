//! What is kept of releases, and what an upgrade notes about them.

use super::*;

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

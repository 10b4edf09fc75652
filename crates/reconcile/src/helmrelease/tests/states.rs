//! In which state a release is found.

use objects::json;

use super::*;

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

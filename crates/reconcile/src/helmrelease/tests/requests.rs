//! Requests by annotation, and what makes failures count from zero again.

use super::*;

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

//! How Ready is composed of the other conditions.

use super::*;

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

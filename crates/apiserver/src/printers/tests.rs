use super::*;
use objects::json;

fn reason_of(status: Value) -> Value {
    let object = json!({
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "c"}]}, "status": status,
    });
    let Value::Object(object) = object else {
        panic!("not a map");
    };
    let now = "2026-01-01T00:02:00Z".parse().unwrap();
    let cells = pods::pod(&Row {
        object: &object,
        now,
    });
    assert_eq!(cells[3], "2m");
    cells[1].clone()
}

#[test]
fn the_status_of_a_pod_sums_up_its_containers() {
    let with = |state: Value, ready: bool| json!({"phase": "Running", "containerStatuses": [{"ready": ready, "state": state}]});
    assert_eq!(reason_of(json!({"phase": "Pending"})), "Pending");
    assert_eq!(reason_of(with(json!({"running": {}}), true)), "Running");
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    assert_eq!(reason_of(with(waiting, false)), "CrashLoopBackOff");
    let ended = json!({"terminated": {"exitCode": 2}});
    assert_eq!(reason_of(with(ended, false)), "ExitCode:2");
}

#[test]
fn selectors_are_written_as_kubectl_does() {
    let value = json!({"matchLabels": {"a": "b"}, "matchExpressions": [
        {"key": "x", "operator": "In", "values": ["1", "2"]}, {"key": "y", "operator": "DoesNotExist"}]});
    assert_eq!(selector(value.as_object()), "a=b,x in (1,2),!y");
    assert_eq!(selector(None), "<none>");
}

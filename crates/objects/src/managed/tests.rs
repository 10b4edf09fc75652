use super::*;
use crate::json;
use crate::schema::builtin::builtin;
use crate::smd::IdentityConverter;

struct Case {
    gvk: Gvk,
    empty: Value,
    ty: TypeId,
}

fn case(group: &str, kind: &str) -> Case {
    let gvk = Gvk::new(group, "v1", kind);
    let ty = builtin().kind(&gvk).unwrap();
    Case {
        gvk,
        ty,
        empty: empty_object(builtin(), ty),
    }
}

impl Case {
    fn manager<'a>(&'a self, sub: &'a str, now: &'a str) -> FieldManager<'a> {
        FieldManager {
            schema: builtin(),
            ty: self.ty,
            gvk: &self.gvk,
            subresource: sub,
            converter: &IdentityConverter,
            reset: None,
            empty: &self.empty,
            now,
        }
    }
}

const NOW: &str = "2026-01-01T00:00:00Z";

fn map(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        other => panic!("not a map: {other}"),
    }
}

fn config_map(data: Value) -> Map {
    map(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}))
}

fn stored(mut object: Map) -> Map {
    object["metadata"]["uid"] = "u".into();
    object
}

#[test]
fn conflicts_speak_like_the_server() {
    let case = case("", "ConfigMap");
    let manager = case.manager("", NOW);
    let live = manager
        .apply(None, &config_map(json!({"k": "1"})), "flux", false)
        .unwrap();
    let error = manager
        .apply(
            Some(&stored(live.clone())),
            &config_map(json!({"k": "2"})),
            "me",
            false,
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"flux\": .data.k"
    );
    let mut edited = stored(live);
    let before = edited.clone();
    edited["data"] = json!({"k": "3", "m": "3"});
    manager.update(Some(&before), &mut edited, "kubectl-edit");
    let ApplyError::Conflicts(conflicts) = manager
        .apply(
            Some(&edited),
            &config_map(json!({"k": "1", "m": "1"})),
            "flux",
            false,
        )
        .unwrap_err()
    else {
        panic!("not a conflict");
    };
    assert_eq!(
        conflicts.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"kubectl-edit\" using v1:\n- .data.k\n- .data.m"
    );
    assert_eq!(
        conflicts.causes()[0].message,
        "conflict with \"kubectl-edit\" using v1"
    );
    let forced = manager
        .apply(
            Some(&edited),
            &config_map(json!({"k": "1", "m": "1"})),
            "flux",
            true,
        )
        .unwrap();
    let entries = forced["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0]["fieldsV1"],
        json!({"f:data": {"f:k": {}, "f:m": {}}})
    );
}

#[test]
fn an_apply_of_what_is_there_has_no_time() {
    let case = case("", "ConfigMap");
    let mut live = config_map(json!({"k": "1"}));
    case.manager("", NOW).update(None, &mut live, "creator");
    assert_eq!(
        live["metadata"]["managedFields"],
        json!([{"manager": "creator", "operation": "Update", "apiVersion": "v1", "time": NOW,
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:k": {}}}}])
    );
    let live = stored(live);
    let applied = case
        .manager("", "2026-01-02T00:00:00Z")
        .apply(Some(&live), &config_map(json!({"k": "1"})), "flux", false)
        .unwrap();
    assert_eq!(applied["metadata"]["managedFields"][0].get("time"), None);
    assert_eq!(
        applied["metadata"]["managedFields"][0]["operation"],
        "Apply"
    );
}

#[test]
fn always_printed_structs_are_not_owned() {
    let case = case("apps", "Deployment");
    let mut deployment = map(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "strategy": {"type": "Recreate"},
                 "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "resources": {}}]}}},
        "status": {},
    }));
    case.manager("", NOW).update(None, &mut deployment, "m");
    assert_eq!(
        deployment["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {
            "f:selector": {}, "f:strategy": {"f:type": {}},
            "f:template": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:resources": {}}}}},
        }})
    );
}

#[test]
fn objects_without_entries_get_them_at_the_first_apply() {
    let case = case("", "ConfigMap");
    let live = stored(config_map(json!({"k": "1", "x": "1"})));
    let mut updated = live.clone();
    updated["data"]["x"] = "2".into();
    case.manager("", NOW).update(Some(&live), &mut updated, "m");
    assert_eq!(updated["metadata"].get("managedFields"), None);
    let applied = case
        .manager("", NOW)
        .apply(
            Some(&updated),
            &config_map(json!({"k": "1"})),
            "flux",
            false,
        )
        .unwrap();
    let entries = applied["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries[1]["manager"], "before-first-apply");
    assert_eq!(
        entries[1]["fieldsV1"],
        json!({"f:data": {".": {}, "f:k": {}, "f:x": {}}})
    );
}

#[test]
fn entries_can_be_reset_and_malformed_ones_are_ignored() {
    let case = case("", "ConfigMap");
    let manager = case.manager("", NOW);
    let live = stored(
        manager
            .apply(None, &config_map(json!({"k": "1"})), "flux", false)
            .unwrap(),
    );
    let mut reset = live.clone();
    reset["metadata"]["managedFields"] = json!([]);
    manager.update(Some(&live), &mut reset, "m");
    assert_eq!(reset["metadata"].get("managedFields"), None);
    let mut bogus = live.clone();
    bogus["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Bogus"}]);
    manager.update(Some(&live), &mut bogus, "m");
    assert_eq!(bogus, live);
}

#[test]
fn kubectl_takes_over_what_it_applied_from_the_client() {
    let case = case("", "ConfigMap");
    let manager = case.manager("", NOW);
    let mut live = config_map(json!({"k": "1", "other": "1"}));
    let last = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}});
    live["metadata"]["annotations"] = json!({LAST_APPLIED: last.to_string()});
    manager.update(None, &mut live, "kubectl-client-side-apply");
    let live = stored(live);
    let applied = manager.apply(
        Some(&live),
        &config_map(json!({"k": "2"})),
        "kubectl",
        false,
    );
    let applied = applied.unwrap();
    assert_eq!(applied["data"], json!({"k": "2", "other": "1"}));
    assert_eq!(
        applied["metadata"]["annotations"][LAST_APPLIED],
        "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"2\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}\n"
    );
    let error = manager
        .apply(
            Some(&live),
            &config_map(json!({"other": "2"})),
            "kubectl",
            false,
        )
        .unwrap_err();
    assert!(error.to_string().contains(".data.other"), "{error}");
}

#[test]
fn many_updaters_are_folded() {
    let case = case("", "ConfigMap");
    let mut live = config_map(json!({"k": "0"}));
    case.manager("", NOW).update(None, &mut live, "m0");
    for i in 1..13 {
        let before = stored(live.clone());
        live = before.clone();
        live["data"][format!("k{i}")] = "1".into();
        let now = format!("2026-01-01T00:00:{i:02}Z");
        case.manager("", &now)
            .update(Some(&before), &mut live, &format!("m{i}"));
    }
    let entries = live["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 10);
    assert_eq!(entries[0]["manager"], "ancient-changes");
}

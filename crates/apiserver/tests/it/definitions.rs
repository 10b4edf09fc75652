//! CRDs as apiextensions-apiserver 0.35 judges them: `tests/golden/crd-validation.json` holds what its validation said of each.

use serde_json::{Value, json};

use crate::api::Api;

/// Definitions that are judged otherwise here, with the reason.
const KNOWN: &[(&str, &str)] = &[
    ("cel_cost", "costs are not estimated"),
    ("cel_cost2", "costs are not estimated"),
    ("cel_cost3", "costs are not estimated"),
];

fn list(causes: &Value) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let causes = causes.as_array().into_iter().flatten();
    let mut causes: Vec<[String; 3]> = causes
        .map(|cause| match cause {
            Value::Array(parts) => [0, 1, 2].map(|at| text(&parts[at])),
            cause => ["field", "reason", "message"].map(|key| text(&cause[key])),
        })
        .collect();
    causes.sort();
    causes
}

#[tokio::test]
async fn rules_of_unfinished_texts_never_panic() {
    // Every beginning of a text that uses all of the syntax, and it without each of its characters.
    const TEXT: &str = r#"has(self.a) && [1, 2u, 0x1F, -1.5e3].all(x, x in {'k': b'\\n', "l": r"\d"}) ? !self.?b[0].f(1) : T{a: 1} == null"#;
    let api = Api::start().await;
    let ends = (0..TEXT.len()).map(|at| TEXT[..at].to_owned());
    let holes = (0..TEXT.len()).map(|at| format!("{}{}", &TEXT[..at], &TEXT[at + 1..]));
    let rules: Vec<Value> = ends
        .chain(holes)
        .map(|rule| json!({ "rule": rule }))
        .collect();
    let schema = json!({"type": "object", "x-kubernetes-validations": rules});
    let crd = json!({
        "metadata": {"name": "a.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": "a", "kind": "A"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]},
    });
    let create = "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All";
    assert_eq!(api.send(create, crd).await.code, 422);
}

#[tokio::test]
async fn definitions_are_judged_as_upstream_judges_them() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../golden/crd-validation.json")).unwrap();
    let api = Api::start().await;
    let create = "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All";
    let mut differing = Vec::new();
    for case in cases.iter().filter(|case| case.get("live").is_none()) {
        let id = case["id"].as_str().unwrap();
        let answer = api.send(create, case["crd"].clone()).await;
        let expected = list(&case["causes"]);
        let actual = list(&answer.body["details"]["causes"]);
        let known = KNOWN.iter().any(|(known, _)| *known == id);
        if (expected != actual) != known {
            differing.push(format!(
                "{id}\n  expected {expected:#?}\n  got {actual:#?} ({})",
                answer.code
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[tokio::test]
async fn rules_with_optional_selections_are_evaluated() {
    let api = Api::start().await;
    let spec = json!({"type": "object", "properties": {"size": {"type": "integer"}, "max-size": {"type": "integer"}}, "x-kubernetes-validations": [
        {"rule": "self.?size.orValue(0) <= self.?max__dash__size.orValue(10)", "message": "too large"},
        {"rule": "self.?size.hasValue() || !oldSelf.?size.hasValue()", "message": "size stays"},
    ]});
    let crd = json!({
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]},
    });
    api.ok(
        "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        crd,
    )
    .await;
    let things = "POST /apis/example.com/v1/things";
    let thing = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec});
    let large = "Thing.example.com \"a\" is invalid: spec: Invalid value: too large";
    api.fails(things, thing(json!({"size": 11})), 422, large)
        .await;
    api.fails(things, thing(json!({"size": 3, "max-size": 2})), 422, large)
        .await;
    api.ok(things, thing(json!({"size": 2, "max-size": 2})))
        .await;
    let update = "PATCH /apis/example.com/v1/things/a";
    let stays = "Thing.example.com \"a\" is invalid: spec: Invalid value: size stays";
    api.fails(update, json!({"spec": {"size": null}}), 422, stays)
        .await;
}

#[tokio::test]
async fn a_default_of_the_status_is_there_from_the_start() {
    let api = Api::start().await;
    let schema = json!({"type": "object", "properties": {"status": {
        "type": "object", "default": {"observedGeneration": -1},
        "properties": {"observedGeneration": {"type": "integer"}},
    }}});
    let crd = json!({
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema}}]},
    });
    api.ok(
        "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        crd,
    )
    .await;
    let thing = json!({
        "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"},
        "status": {"observedGeneration": 7},
    });
    let created = api.ok("POST /apis/example.com/v1/things", thing).await;
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    let patched = api.ok("PATCH /apis/example.com/v1/things/a", patch).await;
    assert_eq!(patched["status"], json!({"observedGeneration": -1}));
}

//! New objects of the built-in kinds, most with one thing wrong, as kube-apiserver 1.35.4 judged them:
//! `tests/golden/judgements.json` holds code, message, causes and warnings of each.

use serde_json::{Value, json};

use crate::api::Api;

/// Requests that are judged otherwise here, by path and the beginning of upstream's message, with the reason.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "/customresourcedefinitions",
        "CustomResourceDefinition.apiextensions.k8s.io \"",
        "the order of causes of a definition without anything in it",
    ),
    (
        "/ingresses",
        "Ingress.networking.k8s.io \"a\" is invalid: spec: Invalid value: []",
        "an empty list is forgotten before it is shown",
    ),
    (
        "/jobs",
        "Job.batch \"a\" is invalid: spec.successPolicy: Invalid value: {\"Rules\":[]}",
        "an empty list is forgotten before it is shown",
    ),
    (
        "/persistentvolumeclaims",
        "PersistentVolumeClaim \"a\" is invalid: [spec.dataSource.name: Required",
        "an empty group counts as none",
    ),
    (
        "/horizontalpodautoscalers",
        "HorizontalPodAutoscaler.autoscaling \"a\" is invalid: spec.behavior.scaleDown.policies: Required",
        "an empty list is defaulted",
    ),
    (
        "/leases",
        "Lease in version",
        "times without fractions are taken",
    ),
    ("/nodes", "Node \"adm-n\"", "nodes are hardly checked"),
];

/// Times and identifiers as the recorded messages have them.
fn masked(text: &str) -> String {
    let uid = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z");
    let text = uid.unwrap().replace_all(text, "UID").into_owned();
    time.unwrap().replace_all(&text, "TIME").into_owned()
}

fn judged(answer: &crate::api::Answer) -> Value {
    let causes = answer.body["details"]["causes"].as_array().cloned();
    let causes: Vec<[String; 3]> = causes
        .into_iter()
        .flatten()
        .map(|cause| {
            ["field", "reason", "message"].map(|key| masked(cause[key].as_str().unwrap_or("")))
        })
        .collect();
    let message = match answer.code {
        201 => String::new(),
        _ => masked(answer.message()),
    };
    json!([answer.code, message, causes, answer.warnings.join(", ")])
}

/// Sends each case and lists those that are judged otherwise.
async fn differing(api: &Api, cases: &[Value]) -> Vec<String> {
    let mut differing = Vec::new();
    for case in cases {
        let path = case["path"].as_str().unwrap();
        let line = format!(
            "POST {}?dryRun=All",
            path.trim_end_matches("&fieldValidation=Strict")
        );
        let line = match path.ends_with("Strict") {
            true => format!("{line}&fieldValidation=Strict"),
            false => line,
        };
        let answer = api.send(&line, case["object"].clone()).await;
        let text = |key: &str| case[key].as_str().unwrap_or("").to_owned();
        let causes = case.get("causes").cloned().unwrap_or(json!([]));
        let expected = json!([case["code"], text("message"), causes, text("warning")]);
        let actual = judged(&answer);
        let known = KNOWN.iter().any(|(end, start, _)| {
            path.ends_with(end) && text("message").starts_with(start) && !start.is_empty()
        });
        if expected != actual && !known {
            let object = &case["object"];
            differing.push(format!(
                "{path} {object}\n  expected {expected}\n  got {actual}"
            ));
        }
    }
    differing
}

#[tokio::test]
async fn objects_are_judged_as_upstream_judges_them() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../golden/judgements.json")).unwrap();
    let api = Api::start().await;
    let namespace = json!({"metadata": {"name": "ns"}});
    api.ok("POST /api/v1/namespaces", namespace).await;
    let differing = differing(&api, &cases).await;
    assert!(
        differing.is_empty(),
        "{} differ\n{}",
        differing.len(),
        differing.join("\n")
    );
}

/// `tests/golden/custom.json`: definitions with schemas and rules of all sorts, and what the server said of their objects.
#[tokio::test]
async fn custom_objects_are_judged_as_upstream_judges_them() {
    let golden: Value = serde_json::from_str(include_str!("../golden/custom.json")).unwrap();
    let api = Api::start().await;
    api.ok(
        "POST /api/v1/namespaces",
        json!({"metadata": {"name": "ns"}}),
    )
    .await;
    for crd in golden["crds"].as_array().unwrap() {
        let create = "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        api.ok(create, crd.clone()).await;
    }
    let differing = differing(&api, golden["cases"].as_array().unwrap()).await;
    assert!(
        differing.is_empty(),
        "{} differ\n{}",
        differing.len(),
        differing.join("\n")
    );
}

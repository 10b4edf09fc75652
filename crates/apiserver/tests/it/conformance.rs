//! The recorded scenarios of kube-apiserver 1.35, run against an in-process server.

use apiserver::{Options, Server};
use cluster::Identity;
use futures::StreamExt as _;
use serde_json::Value;
use testkit::corpus::{Report, data_dir};

use crate::recorded::{Run, difference};

/// Scenarios that differ, with the reason.
const KNOWN: &[(&str, &str)] = &[
    (
        "A10",
        "not there yet: step 3 GET /readyz?verbose=true   .text: expected '[+]ping ok/n[+]log ok/n[+]informer-sync ok/n[+]poststarthoo",
    ),
    (
        "A13",
        "not there yet: step 0 GET /openapi/v2   .bodyKeys: expected ['definitions','info','parameters','paths','security','securityDe",
    ),
    (
        "A14",
        "not there yet: step 0 GET /   .body.paths[47]: expected '/healthz/autoregister-completion', got '/healthz/log'",
    ),
    (
        "B10",
        "not there yet: step 4 POST /api/v1/namespaces/${ns}/configmaps   .body.details.causes[0].field: expected 'metadata.finalizers",
    ),
    (
        "B20",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/configmaps   .body.details: unexpected {}",
    ),
    (
        "C10",
        "not there yet: step 2 GET /api/v1/namespaces/${ns}/configmaps   .body.columnDefinitions[0].description: expected 'Name must b",
    ),
    (
        "C11",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/pods   .body.metadata.managedFields[0].fieldsV1.f:spec.f:containers.k:{'n",
    ),
    (
        "C13",
        "not there yet: step 1 GET /api/v1/namespaces/${ns}/configmaps   .bodyPrefix: expected '6b387300', got '7b226b69'",
    ),
    (
        "C14",
        "not there yet: step 1 GET /api/v1/namespaces/${ns}/configmaps/l0   .text: expected 'apiVersion: v1/ndata:/n  /'n/': /'0/'/nki",
    ),
    (
        "E11",
        "not there yet: step 0 POST /apis/apps/v1/namespaces/${ns}/deployments   .body.metadata.managedFields[0].fieldsV1.f:spec.f:tem",
    ),
    (
        "F12",
        "not there yet: step 1 PATCH /apis/apps/v1/namespaces/${ns}/deployments/web?fieldManager=flux   .body.apiVersion: expected 'v1",
    ),
    (
        "F16",
        "not there yet: step 0 POST /apis/apps/v1/namespaces/${ns}/deployments   .body.metadata.managedFields[0].fieldsV1.f:spec.f:tem",
    ),
    (
        "F26",
        "not there yet: step 0 PATCH /apis/autoscaling/v2/namespaces/${ns}/horizontalpodautoscalers/h?fieldManager=flux   .body.status",
    ),
    (
        "G06",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/pods?dryRun=All   .body.metadata.managedFields[0].fieldsV1.f:spec.f:conta",
    ),
    (
        "H03",
        "not there yet: step 4 PATCH /api/v1/namespaces/${ns}/configmaps/a   .body.code: expected 422, absent",
    ),
    (
        "I02",
        "not there yet: step 2 POST /api/v1/namespaces/${ns}/services   .body.status: expected {'loadBalancer':{}}, absent",
    ),
    (
        "I06",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/pods   .body.metadata.managedFields[0].fieldsV1.f:spec.f:containers.k:{'n",
    ),
    (
        "J01",
        "not there yet: step 0 POST /apis/apps/v1/namespaces/${ns}/deployments   .body.metadata.managedFields[0].fieldsV1.f:spec.f:tem",
    ),
    (
        "J02",
        "not there yet: step 0 POST /apis/batch/v1/namespaces/${ns}/jobs   .body.metadata.managedFields[0].fieldsV1.f:spec.f:template.",
    ),
    (
        "J03",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/services   .body.status: expected {'loadBalancer':{}}, absent",
    ),
    (
        "J04",
        "not there yet: step 1 PATCH /api/v1/namespaces/${ns}/configmaps/a   .body.code: expected 422, absent",
    ),
    (
        "J05",
        "not there yet: step 1 PATCH /apis/rbac.authorization.k8s.io/v1/namespaces/${ns}/rolebindings/rb   .body.apiVersion: expected ",
    ),
    (
        "J08",
        "not there yet: step 0 POST /apis/apps/v1/namespaces/${ns}/deployments   .body.apiVersion: expected 'v1', got 'apps/v1'",
    ),
    (
        "J09",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/secrets   .body.code: expected 422, absent",
    ),
    (
        "J24",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/pods?fieldManager=t   .body.metadata.managedFields[0].fieldsV1.f:spec.f:i",
    ),
    (
        "J37",
        "not there yet: step 0 POST /apis/autoscaling/v2/namespaces/${ns}/horizontalpodautoscalers?fieldManager=t   .body.status.curre",
    ),
    (
        "J60",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/pods   .body.code: expected 400, absent",
    ),
    (
        "not there yet: step 3 POST /apis/${ns}.example.com/v1/namespaces/${ns}/widgets   .body.metadata.managedFields[0].fieldsV1.f:s",
    ),
    (
        "M01",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/events   .body.eventTime: expected null, absent",
    ),
    (
        "M02",
        "not there yet: step 3 POST /apis/coordination.k8s.io/v1/namespaces/${ns}/leases   .body.apiVersion: expected 'v1', got 'coord",
    ),
    (
        "M03",
        "not there yet: step 2 GET /api/v1/namespaces/${ns}/resourcequotas/q   .body.metadata.managedFields[1]: expected {'apiVersion'",
    ),
    (
        "M04",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/events   .body.eventTime: expected null, absent",
    ),
    (
        "M05",
        "not there yet: step 0 POST /api/v1/namespaces/${ns}/pods   .body.code: expected 403, absent",
    ),
    (
        "M06",
        "not there yet: step 0 GET /apis/apiregistration.k8s.io/v1/apiservices/v1.apps   .body.apiVersion: expected 'apiregistration.k",
    ),
    (
        "M07",
        "not there yet: step 4 GET /api/v1/namespaces/default/services/kubernetes   .body.kind: expected 'Service', got 'Status'",
    ),
];

/// Scenarios run at the same time.
const PARALLEL: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_scenarios() {
    let Some(dir) = data_dir("apiserver") else {
        return;
    };
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap()
    };
    let scenarios = read("scenarios.json");
    let golden = read("golden-v1.35.json");
    let user = |name: &str, groups: &[&str]| {
        let groups = groups.iter().map(ToString::to_string).collect();
        let identity = Identity {
            user: name.to_owned(),
            groups,
        };
        (format!("{name}-token"), identity)
    };
    let options = Options {
        workloads: false,
        tokens: vec![user("alice", &["devs"]), user("bob", &[])],
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let scenarios: Vec<&Value> = scenarios
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| only.is_empty() || only.split(',').any(|id| s["id"] == id))
        .collect();
    let outcomes: Vec<(String, Result<(), String>)> = futures::stream::iter(scenarios)
        .map(|scenario| {
            let id = scenario["id"].as_str().unwrap().to_owned();
            let expected = &golden[&id];
            let server = &server;
            async move { (id, run(server, scenario, expected).await) }
        })
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    let mut report = Report::new("apiserver");
    for (id, outcome) in outcomes {
        report.case(&id, outcome);
    }
    report.check(KNOWN);
}

async fn run(server: &Server, scenario: &Value, expected: &Value) -> Result<(), String> {
    let mut run = Run::start(server, scenario).await;
    let mut first = Ok(());
    for (index, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
        let actual = run.step(step).await;
        if first.is_err() {
            continue;
        }
        if let Some(found) = difference("", &expected[index], &actual) {
            let line = step.get("do").or(step.get("watch")).or(step.get("until"));
            let line = line.and_then(Value::as_str).unwrap_or("").to_owned();
            first = Err(format!("step {index} {line}\n  {found}"));
        }
    }
    first
}

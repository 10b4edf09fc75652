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
        "A09",
        "not there yet: .body: expected {'apiVersion':'v1','code':404,'details':{},'kind':'Status','message':'the server could not fin",
    ),
    (
        "A10",
        "not there yet: .text: expected '[+]ping ok/n[+]log ok/n[+]informer-sync ok/n[+]poststarthook/start-apiserver-admission-initia",
    ),
    (
        "A12",
        "not there yet: .bodyKeys: expected ['components','info','openapi','paths'], absent",
    ),
    (
        "A13",
        "not there yet: .bodyKeys: expected ['definitions','info','parameters','paths','security','securityDefinitions','swagger'], ab",
    ),
    (
        "A14",
        "not there yet: .body.paths[47]: expected '/healthz/autoregister-completion', got '/healthz/log'",
    ),
    (
        "B10",
        "not there yet: .body.details.causes[0].field: expected 'metadata.finalizers[0]', got 'metadata.finalizers'",
    ),
    ("B12", "not there yet: .body.code: expected 400, absent"),
    (
        "B17",
        "not there yet: .body.details.causes[0].field: expected 'metadata.ownerReferences.uid', got 'metadata.ownerReferences[0].uid'",
    ),
    (
        "B18",
        "not there yet: .headers.Warning: expected '299 - /'duplicate field ///'data///'/'', absent",
    ),
    ("B20", "not there yet: .body.details: unexpected {}"),
    ("B22", "not there yet: .code: expected 200, got 404"),
    (
        "C03",
        "not there yet: .body.message: expected '/'data.n/' is not a known field selector: only /'metadata.name/', /'metadata.namespac",
    ),
    ("C08", "not there yet: .body.items: expected [], absent"),
    (
        "C10",
        "not there yet: .body.columnDefinitions[0].description: expected 'Name must be unique within a namespace. Is required when cre",
    ),
    (
        "C11",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:containers.k:{'name':'c'}.f:imagePullPolicy: expected {}, ab",
    ),
    (
        "C13",
        "not there yet: .bodyPrefix: expected '6b387300', got '7b226b69'",
    ),
    (
        "C14",
        "not there yet: .text: expected 'apiVersion: v1/ndata:/n  /'n/': /'0/'/nkind: ConfigMap/nmetadata:/n  creationTimestamp: /'<ti",
    ),
    (
        "C16",
        "not there yet: .body.items[0].metadata.managedFields: expected [{'apiVersion':'v1','fieldsType':'FieldsV1','fieldsV1':{'f:met",
    ),
    (
        "C17",
        "not there yet: .body.message: expected 'Timeout: Too large resource version: 99999999, current: <rv>', got 'Timeout: Too larg",
    ),
    (
        "D06",
        "not there yet: .events[2].object.metadata.resourceVersion: expected '<rv2>', got '<rv3>'",
    ),
    (
        "D12",
        "not there yet: .events[1].object.metadata.finalizers: expected ['example.com/f'], absent",
    ),
    (
        "E02",
        "not there yet: .body.message: expected 'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.",
    ),
    (
        "E07",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    ("E10", "not there yet: .body.code: expected 422, absent"),
    (
        "E11",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "F07",
        "not there yet: .body.message: expected 'invalid object type: /, Kind=', got 'Object 'Kind' is missing in '{/'metadata/':{/'na",
    ),
    (
        "F09",
        "not there yet: .body.spec.progressDeadlineSeconds: expected 600, absent",
    ),
    (
        "F11",
        "not there yet: .body.spec.progressDeadlineSeconds: expected 600, absent",
    ),
    (
        "F12",
        "not there yet: .body.message: expected 'failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.template.",
    ),
    (
        "F13",
        "not there yet: .body.spec.clusterIP: expected '<ip1>', absent",
    ),
    (
        "F14",
        "not there yet: .body.spec.progressDeadlineSeconds: expected 600, absent",
    ),
    (
        "F15",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:metadata.f:ownerReferences.k:{'uid':'<uid1>'}: expected {}, absent",
    ),
    (
        "F16",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "F17",
        "not there yet: .body.metadata.annotations.kubectl.kubernetes.io/last-applied-configuration: expected '{/'apiVersion/':/'v1/',",
    ),
    ("F21", "not there yet: .body.code: expected 422, absent"),
    (
        "F22",
        "not there yet: .body.data: expected {'a':'Yg=='}, absent",
    ),
    (
        "F23",
        "not there yet: .body.message: expected 'failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.replicas:",
    ),
    (
        "F24",
        "not there yet: .body.metadata.labels: unexpected null",
    ),
    (
        "F26",
        "not there yet: .body.spec.minReplicas: expected 1, absent",
    ),
    (
        "G04",
        "not there yet: .body.apiVersion: expected 'v1', got 'apps/v1'",
    ),
    (
        "G05",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "G06",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:containers.k:{'name':'c'}.f:imagePullPolicy: expected {}, ab",
    ),
    (
        "H02",
        "not there yet: .body.message: expected 'Operation cannot be fulfilled on ConfigMap /'a/': the ResourceVersion in the precondi",
    ),
    ("H03", "not there yet: .body.code: expected 422, absent"),
    (
        "H04",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:metadata.f:ownerReferences.k:{'uid':'<uid1>'}: expected {}, absent",
    ),
    (
        "H05",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:metadata.f:ownerReferences.k:{'uid':'<uid1>'}: expected {}, absent",
    ),
    (
        "H06",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:metadata.f:ownerReferences.k:{'uid':'<uid1>'}: expected {}, absent",
    ),
    (
        "H07",
        "not there yet: .body.metadata.ownerReferences[0].uid: expected '11111111-2222-3333-4444-555555555555', got '<uid1>'",
    ),
    (
        "H09",
        "not there yet: .body.message: expected 'no kind /'Pod/' is registered for version /'v1/' in scheme /'k8s.io/apimachinery/pkg/",
    ),
    (
        "H10",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:containers.k:{'name':'c'}.f:imagePullPolicy: expected {}, ab",
    ),
    (
        "H12",
        "not there yet: .body.metadata.managedFields: expected [{'apiVersion':'v1','fieldsType':'FieldsV1','fieldsV1':{'f:metadata':{'",
    ),
    (
        "H13",
        "not there yet: .body.metadata.managedFields: expected [{'apiVersion':'v1','fieldsType':'FieldsV1','fieldsV1':{'f:metadata':{'",
    ),
    (
        "H15",
        "not there yet: .until: expected 'met', got 'timeout'",
    ),
    (
        "I01",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "I02",
        "not there yet: .body.metadata.managedFields: expected [{'apiVersion':'v1','fieldsType':'FieldsV1','fieldsV1':{'f:type':{}},'m",
    ),
    (
        "I04",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "I05",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "I06",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:containers.k:{'name':'c'}.f:imagePullPolicy: expected {}, ab",
    ),
    (
        "J01",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "J02",
        "not there yet: .body.metadata.labels: expected {'batch.kubernetes.io/controller-uid':'<uid1>','batch.kubernetes.io/job-name':",
    ),
    (
        "J03",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:internalTrafficPolicy: expected {}, absent",
    ),
    ("J04", "not there yet: .body.code: expected 422, absent"),
    (
        "J05",
        "not there yet: .body.subjects[0].apiGroup: expected 'rbac.authorization.k8s.io', absent",
    ),
    (
        "J08",
        "not there yet: .body.apiVersion: expected 'v1', got 'apps/v1'",
    ),
    ("J09", "not there yet: .body.code: expected 422, absent"),
    (
        "J20",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:progressDeadlineSeconds: expected {}, absent",
    ),
    (
        "J23",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:replicas: expected {}, absent",
    ),
    (
        "J24",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:containers.k:{'name':'c'}.f:imagePullPolicy: expected {}, ab",
    ),
    (
        "J25",
        "not there yet: .body.metadata.labels: expected {'batch.kubernetes.io/controller-uid':'<uid1>','batch.kubernetes.io/job-name':",
    ),
    (
        "J27",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:internalTrafficPolicy: expected {}, absent",
    ),
    (
        "J28",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:allocateLoadBalancerNodePorts: expected {}, absent",
    ),
    (
        "J30",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:sessionAffinity: expected {}, absent",
    ),
    (
        "J32",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:policyTypes: expected {}, absent",
    ),
    (
        "J33",
        "not there yet: .body.metadata.finalizers: expected ['kubernetes.io/pvc-protection'], absent",
    ),
    (
        "J35",
        "not there yet: .body.data: expected {'a':'Yg=='}, absent",
    ),
    (
        "J36",
        "not there yet: .body.roleRef.apiGroup: expected 'rbac.authorization.k8s.io', absent",
    ),
    (
        "J37",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:metrics: expected {}, absent",
    ),
    (
        "J38",
        "not there yet: .body.status: expected {'currentHealthy':0,'desiredHealthy':0,'disruptionsAllowed':0,'expectedPods':0}, absent",
    ),
    (
        "J39",
        "not there yet: .body.spec.limits[0].default: expected {'cpu':'100'}, absent",
    ),
    (
        "J41",
        "not there yet: .body.endpoints[0].addresses[0]: expected '10.1.2.3', got '<ip1>'",
    ),
    (
        "J50",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:preemptionPolicy: expected {}, absent",
    ),
    (
        "J51",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:reclaimPolicy: expected {}, absent",
    ),
    (
        "J52",
        "not there yet: .body.roleRef.apiGroup: expected 'rbac.authorization.k8s.io', absent",
    ),
    (
        "J54",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:webhooks.k:{'name':'a.example.com'}.f:clientConfig.f:service.f:port",
    ),
    (
        "J56",
        "not there yet: .body.spec: expected {'taints':[{'effect':'NoSchedule','key':'node.kubernetes.io/not-ready'}]}, absent",
    ),
    ("J60", "not there yet: .body.code: expected 400, absent"),
    (
        "K01",
        "not there yet: .body.status.acceptedNames.kind: expected '', got 'Widget'",
    ),
    (
        "K02",
        "not there yet: .body.metadata.managedFields: expected [{'apiVersion':'${ns}.example.com/v1','fieldsType':'FieldsV1','fieldsV1",
    ),
    (
        "K03",
        "not there yet: .body.apiVersion: expected 'v1', got '${ns}.example.com/v1'",
    ),
    (
        "K04",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:color: expected {}, absent",
    ),
    (
        "K05",
        "not there yet: .body.spec.color: expected 'red', absent",
    ),
    (
        "K06",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:color: expected {}, absent",
    ),
    (
        "K07",
        "not there yet: .body.metadata.managedFields[0].fieldsV1.f:spec.f:color: expected {}, absent",
    ),
    (
        "K08",
        "not there yet: .body.apiVersion: expected 'v1', got '${ns}.example.com/v1'",
    ),
    (
        "K12",
        "not there yet: .body.status.acceptedNames.kind: expected '', got 'Widget'",
    ),
    (
        "K14",
        "not there yet: .body.items[0].metadata.managedFields[0].fieldsV1.f:spec.f:replicas: expected {}, absent",
    ),
    (
        "K15",
        "not there yet: .during[0].body.metadata.managedFields[0].fieldsV1.f:spec.f:color: expected {}, absent",
    ),
    (
        "L03",
        "not there yet: .body.subjects[0].apiGroup: expected 'rbac.authorization.k8s.io', absent",
    ),
    (
        "L05",
        "not there yet: .body.apiVersion: expected 'authorization.k8s.io/v1', got 'v1'",
    ),
    (
        "L06",
        "not there yet: .body.subjects[0].apiGroup: expected 'rbac.authorization.k8s.io', absent",
    ),
    (
        "L07",
        "not there yet: .body.apiVersion: expected 'authentication.k8s.io/v1', got 'v1'",
    ),
    (
        "M01",
        "not there yet: .body.eventTime: expected null, absent",
    ),
    (
        "M02",
        "not there yet: .body.apiVersion: expected 'v1', got 'coordination.k8s.io/v1'",
    ),
    ("M03", "not there yet: .body.status: expected {}, absent"),
    (
        "M04",
        "not there yet: .body.eventTime: expected null, absent",
    ),
    ("M05", "not there yet: .body.code: expected 403, absent"),
    (
        "M06",
        "not there yet: .body.apiVersion: expected 'apiregistration.k8s.io/v1', got 'v1'",
    ),
    (
        "M07",
        "not there yet: .body.metadata.managedFields: expected [{'apiVersion':'v1','fieldsType':'FieldsV1','fieldsV1':{'f:metadata':{'",
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

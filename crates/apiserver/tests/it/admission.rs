//! ValidatingAdmissionPolicies and admission webhooks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use crate::api::Api;

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";
const CONFIG_MAPS: &str = "POST /api/v1/namespaces/default/configmaps";

fn config_map(name: &str, data: Value) -> Value {
    json!({"metadata": {"name": name}, "data": data})
}

async fn policy(api: &Api, spec: Value, binding: Value) {
    let rules = json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"], "resources": ["configmaps"]}]});
    let mut spec = spec;
    spec["matchConstraints"] = rules;
    api.ok(
        &format!("POST {GROUP}/validatingadmissionpolicies"),
        json!({"metadata": {"name": "p"}, "spec": spec}),
    )
    .await;
    let mut binding = binding;
    binding["policyName"] = "p".into();
    api.ok(
        &format!("POST {GROUP}/validatingadmissionpolicybindings"),
        json!({"metadata": {"name": "b"}, "spec": binding}),
    )
    .await;
}

const DENIED: &str = "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";

#[tokio::test]
async fn policies_deny_with_their_messages() {
    let cases = [
        (
            json!([{"expression": " object.data.k == 'good' "}]),
            "failed expression: object.data.k == 'good'",
        ),
        (
            json!([{"expression": "object.data.k == 'good'", "message": "be good"}]),
            "be good",
        ),
        (
            json!([{"expression": "object.data.k == variables.wanted", "messageExpression": "'wanted ' + variables.wanted + ' in ' + namespaceObject.metadata.name"}]),
            "wanted good in default",
        ),
        (
            json!([{"expression": "object.data.missing == 'x'"}]),
            "expression 'object.data.missing == 'x'' resulted in error: no such key: missing",
        ),
        (
            json!([{"expression": "variables.broken == 'x'"}]),
            "expression 'variables.broken == 'x'' resulted in error: composited variable \"broken\" fails to evaluate: no such key: nothing",
        ),
        (
            json!([{"expression": "request.userInfo.username != 'admin' || request.operation != 'CREATE'"}]),
            "failed expression: request.userInfo.username != 'admin' || request.operation != 'CREATE'",
        ),
    ];
    for (validations, message) in cases {
        let api = Api::start().await;
        let variables = json!([{"name": "wanted", "expression": "'good'"}, {"name": "broken", "expression": "object.data.nothing"}]);
        let spec = json!({"validations": validations, "variables": variables});
        policy(&api, spec, json!({"validationActions": ["Deny"]})).await;
        let bad = config_map("a", json!({"k": "bad"}));
        let answer = api.send(CONFIG_MAPS, bad).await;
        assert_eq!(answer.message(), format!("{DENIED}{message}"));
        assert_eq!(answer.code, 422);
        assert_eq!(answer.body["reason"], "Invalid");
        assert_eq!(
            answer.body["details"]["causes"],
            json!([{"message": answer.message().split_once("forbidden: ").unwrap().1}])
        );
    }
}

#[tokio::test]
async fn policies_warn_ignore_errors_and_take_parameters() {
    let api = Api::start().await;
    api.ok(CONFIG_MAPS, config_map("limits", json!({"max": "3"})))
        .await;
    let spec = json!({
        "failurePolicy": "Ignore", "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConditions": [{"name": "not-limits", "expression": "request.name != 'limits'"}],
        "validations": [
            {"expression": "size(object.data) <= int(params.data.max)", "reason": "Forbidden", "message": "too many"},
            {"expression": "object.nothing.at.all == 1"},
        ],
    });
    let reference =
        json!({"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"});
    policy(
        &api,
        spec,
        json!({"validationActions": ["Warn"], "paramRef": reference}),
    )
    .await;
    let many = json!({"a": "", "b": "", "c": "", "d": ""});
    let answer = api.send(CONFIG_MAPS, config_map("a", many.clone())).await;
    assert_eq!(answer.code, 201, "{}", answer.body);
    assert_eq!(
        answer.warnings,
        [
            "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': too many\""
        ]
    );
    let deny = json!({"spec": {"validationActions": ["Deny"]}});
    api.ok(
        &format!("PATCH {GROUP}/validatingadmissionpolicybindings/b"),
        deny,
    )
    .await;
    let update = "PATCH /api/v1/namespaces/default/configmaps/a";
    let refused = format!("{DENIED}too many");
    api.fails(update, json!({"data": {"e": ""}}), 403, &refused)
        .await;
    let fewer = json!({"data": {"a": null, "b": null}});
    api.ok(update, fewer).await;
    api.ok(
        "DELETE /api/v1/namespaces/default/configmaps/a",
        Value::Null,
    )
    .await;
}

#[tokio::test]
async fn policies_ask_what_somebody_may_do() {
    let api = Api::start().await;
    let rbac = "POST /apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let rules = json!([{"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["update"], "resourceNames": ["web"]}]);
    let role = json!({"metadata": {"name": "scaler"}, "rules": rules});
    api.ok(&format!("{rbac}/roles"), role).await;
    let binding = json!({"metadata": {"name": "scaler"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "scaler"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}]});
    api.ok(&format!("{rbac}/rolebindings"), binding).await;
    let robot = "authorizer.serviceAccount('default', 'robot').group('apps').resource('deployments').subresource('scale')";
    let held = [
        "authorizer.requestResource.check('anything').allowed()".to_owned(),
        "authorizer.path('/healthz').check('get').allowed()".to_owned(),
        format!("{robot}.namespace('default').name('web').check('update').allowed()"),
        format!("!{robot}.namespace('default').name('db').check('update').allowed()"),
        format!("!{robot}.namespace('other').name('web').check('update').allowed()"),
        format!("!{robot}.name('web').check('update').allowed()"),
        format!("!{robot}.check('update').errored() && variables.never == ''"),
        "!authorizer.serviceAccount('default', 'robot').path('/metrics').check('get').allowed()"
            .to_owned(),
    ];
    let failing = format!("{robot}.namespace('default').check('patch').allowed()");
    let validations: Vec<Value> = held
        .iter()
        .map(|expression| json!({"expression": expression}))
        .chain([json!({"expression": failing, "message": "the last"})])
        .collect();
    let variables =
        json!([{"name": "never", "expression": format!("{robot}.check('get').reason()")}]);
    let spec = json!({"validations": validations, "variables": variables});
    policy(&api, spec, json!({"validationActions": ["Deny"]})).await;
    let answer = api.send(CONFIG_MAPS, config_map("a", json!({}))).await;
    assert_eq!(answer.message(), format!("{DENIED}the last"));
}

/// A webhook server on loopback; `answer` makes the response from the request.
struct Hook {
    address: SocketAddr,
    authority: String,
}

impl Hook {
    async fn start(answer: fn(&Value) -> Value) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["127.0.0.1".into(), "hook.default.svc".into()])
                .unwrap();
        // What `openssl req -x509` makes: an authority that is the server's own certificate.
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = hyper::service::service_fn(move |request| async move {
                        Ok::<_, Infallible>(serve(request, answer).await)
                    });
                    // Every answer ends its connection, as simple servers do it.
                    let mut builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    builder.http1().keep_alive(false);
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        let pem = certificate.pem();
        let authority = base64::engine::general_purpose::STANDARD.encode(pem);
        Self { address, authority }
    }

    fn config(&self) -> Value {
        let url = format!("https://{}/admit", self.address);
        json!({"url": url, "caBundle": self.authority})
    }
}

async fn serve(
    request: http::Request<hyper::body::Incoming>,
    answer: fn(&Value) -> Value,
) -> http::Response<Full<Bytes>> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let mut response = answer(&review["request"]);
    if response["uid"].is_null() {
        response["uid"] = review["request"]["uid"].clone();
    }
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    http::Response::new(Full::new(review.to_string().into()))
}

async fn register(api: &Api, kind: &str, config: Value, more: Value) {
    let mut webhook = json!({
        "name": "hook.example.com", "clientConfig": config, "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
    });
    for (key, value) in more.as_object().unwrap() {
        webhook[key] = value.clone();
    }
    let plural = format!("{}webhookconfigurations", kind.to_lowercase());
    api.ok(
        &format!("POST {GROUP}/{plural}"),
        json!({"metadata": {"name": "w"}, "webhooks": [webhook]}),
    )
    .await;
}

fn judge(request: &Value) -> Value {
    match request["object"]["data"]["k"].as_str() {
        Some("bad") => {
            json!({"allowed": false, "status": {"message": "not this", "code": 403, "reason": "Forbidden"}})
        }
        Some("silent") => json!({"allowed": false}),
        Some("uid") => json!({"allowed": true, "uid": "other"}),
        _ => json!({"allowed": true, "warnings": ["mind the gap"]}),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validating_webhooks_deny_warn_and_fail() {
    let api = Api::start().await;
    let hook = Hook::start(judge).await;
    let conditions = json!({"matchConditions": [{"name": "c", "expression": "object.metadata.name != 'exempt'"}]});
    register(&api, "Validating", hook.config(), conditions).await;
    let put = |k: &str| config_map("a", json!({"k": k}));
    let denied = "admission webhook \"hook.example.com\" denied the request";
    api.fails(CONFIG_MAPS, put("bad"), 403, &format!("{denied}: not this"))
        .await;
    api.fails(
        CONFIG_MAPS,
        put("silent"),
        400,
        &format!("{denied} without explanation"),
    )
    .await;
    let answer = api.send(CONFIG_MAPS, put("uid")).await;
    let start = "Internal error occurred: failed calling webhook \"hook.example.com\": received invalid webhook response: expected response.uid=";
    assert!(answer.message().starts_with(start), "{}", answer.body);
    assert_eq!(
        (answer.code, &answer.body["reason"]),
        (500, &json!("InternalError"))
    );
    api.ok(CONFIG_MAPS, config_map("exempt", json!({"k": "bad"})))
        .await;
    let answer = api.send(CONFIG_MAPS, put("good")).await;
    assert_eq!(
        (answer.code, answer.warnings),
        (201, vec!["299 - \"mind the gap\"".to_owned()])
    );
}

fn label(request: &Value) -> Value {
    assert_eq!(request["operation"], "CREATE");
    let patch = json!([{"op": "add", "path": "/data/patched", "value": "yes"}]).to_string();
    let patch = base64::engine::general_purpose::STANDARD.encode(patch);
    json!({"allowed": true, "patchType": "JSONPatch", "patch": patch})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutating_webhooks_patch_through_a_service() {
    let api = Api::start().await;
    let hook = Hook::start(label).await;
    let service = json!({"metadata": {"name": "hook"}, "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": 443}]}});
    api.ok("POST /api/v1/namespaces/default/services", service)
        .await;
    let port = hook.address.port();
    let config = json!({"service": {"name": "hook", "namespace": "default", "port": port, "path": "/x"}, "caBundle": hook.authority});
    register(&api, "Mutating", config, json!({})).await;
    let created = api
        .ok(CONFIG_MAPS, config_map("a", json!({"k": "v"})))
        .await;
    assert_eq!(created["data"], json!({"k": "v", "patched": "yes"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_cannot_be_called_fail_as_they_say() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let api = Api::start().await;
    let config = json!({"url": format!("https://{address}/v")});
    register(&api, "Validating", config, json!({"sideEffects": "None"})).await;
    let body = config_map("a", json!({}));
    let message = format!(
        "Internal error occurred: failed calling webhook \"hook.example.com\": failed to call webhook: Post \"https://{address}/v?timeout=2s\": dial tcp {address}: connect: connection refused"
    );
    api.fails(CONFIG_MAPS, body.clone(), 500, &message).await;
    let live = api
        .ok(
            &format!("GET {GROUP}/validatingwebhookconfigurations/w"),
            Value::Null,
        )
        .await;
    let mut next = live.clone();
    next["webhooks"][0]["failurePolicy"] = "Ignore".into();
    api.ok(
        &format!("PUT {GROUP}/validatingwebhookconfigurations/w"),
        next,
    )
    .await;
    api.ok(CONFIG_MAPS, body).await;
}

#[tokio::test]
async fn only_loopback_addresses_are_called() {
    let api = Api::start().await;
    let config = json!({"url": "https://example.org/v"});
    register(&api, "Validating", config, json!({})).await;
    let far = "Internal error occurred: failed calling webhook \"hook.example.com\": failed to call webhook: Post \"https://example.org/v?timeout=2s\": this server calls webhooks at loopback addresses only";
    api.fails(CONFIG_MAPS, config_map("a", json!({})), 500, far)
        .await;
}

#[tokio::test]
async fn malformed_configurations_are_refused() {
    let api = Api::start().await;
    let cases = [
        (
            "validatingwebhookconfigurations",
            json!({"webhooks": [{"name": "short", "clientConfig": {"url": "http://127.0.0.1"}, "timeoutSeconds": 31}]}),
            vec![
                "webhooks[0].name",
                "webhooks[0].sideEffects",
                "webhooks[0].timeoutSeconds",
                "webhooks[0].clientConfig.url",
                "webhooks[0].admissionReviewVersions",
            ],
        ),
        (
            "validatingadmissionpolicies",
            json!({"spec": {"validations": [{"expression": "1 +", "reason": "Because"}]}}),
            vec![
                "spec.matchConstraints",
                "spec.validations[0].expression",
                "spec.validations[0].reason",
            ],
        ),
        (
            "validatingadmissionpolicies",
            json!({"spec": {"matchConstraints": {"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]},
                "validations": [{"expression": "objekt.a == 1"}, {"expression": "1 + 1"}, {"expression": "true", "messageExpression": "1"}],
                "variables": [{"name": "a-b", "expression": "1"}]}}),
            vec![
                "spec.variables[0].name",
                "spec.validations[0].expression",
                "spec.validations[1].expression",
                "spec.validations[2].messageExpression",
            ],
        ),
        (
            "validatingadmissionpolicybindings",
            json!({"spec": {"policyName": "p", "validationActions": ["Deny", "Warn"], "paramRef": {"name": "x"}}}),
            vec![
                "spec.paramRef.parameterNotFoundAction",
                "spec.validationActions",
            ],
        ),
    ];
    for (plural, mut object, fields) in cases {
        object["metadata"] = json!({"name": "x"});
        let answer = api.send(&format!("POST {GROUP}/{plural}"), object).await;
        let causes = answer.body["details"]["causes"].as_array().unwrap();
        let found: Vec<&str> = causes
            .iter()
            .map(|c| c["field"].as_str().unwrap())
            .collect();
        assert_eq!((answer.code, found), (422, fields), "{}", answer.body);
    }
}

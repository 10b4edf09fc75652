//! Sessions of well-formed and malformed requests, with what kube-apiserver 1.35.4 answered to them: code, warnings, and
//! of failures message, reason and causes. `tests/golden/patches.json` has patches, deletes and their options,
//! `tests/golden/subresources.json` applies, subresources, tokens, impersonation and reviews. Requests without a code prepare
//! others, or have an answer that names what differs from run to run.

use std::collections::BTreeMap;

use apiserver::{Options, Server};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

/// Sends the requests of a session one after the other; lists the answers that differ.
async fn differing(session: &str) -> Vec<String> {
    let requests: Vec<Value> = serde_json::from_str(session).unwrap();
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let mut saved = BTreeMap::new();
    let mut differing = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let (answer, body) = send(&server, request, &saved).await;
        for (name, path) in request["save"].as_object().into_iter().flatten() {
            let place = format!("/{}", path.as_str().unwrap().replace('.', "/"));
            let value = body.pointer(&place).and_then(Value::as_str).unwrap_or("");
            saved.insert(format!("${{{name}}}"), value.to_owned());
        }
        let part = |key: &str, empty: Value| request.get(key).cloned().unwrap_or(empty);
        let expected = json!([
            request["code"],
            part("failure", json!("")),
            part("warnings", json!([]))
        ]);
        if request.get("code").is_some() && expected != answer {
            let (line, body) = (&request["do"], &request["body"]);
            differing.push(format!(
                "{index}: {line} {body}\n  expected {expected}\n  got {answer}"
            ));
        }
    }
    server.shutdown().await;
    differing
}

async fn send(
    server: &Server,
    request: &Value,
    saved: &BTreeMap<String, String>,
) -> (Value, Value) {
    let filled = |text: &str| {
        let filled = |text: String, (name, value): (&String, &String)| text.replace(name, value);
        saved.iter().fold(text.to_owned(), filled)
    };
    let text = |key: &str| request.get(key).and_then(Value::as_str).map(filled);
    let line = text("do").unwrap();
    let (method, path) = line.split_once(' ').unwrap();
    let accept = match request.get("accept") {
        Some(other) => other.as_str().map(str::to_owned),
        None => Some("application/json".to_owned()),
    };
    let mut builder = http::Request::builder()
        .method(method)
        .uri(path.replace(' ', "%20"))
        .header("user-agent", "cmp/1");
    if let Some(accept) = accept {
        builder = builder.header("accept", accept);
    }
    match text("token") {
        Some(token) if token.is_empty() => {}
        token => {
            let token = token.unwrap_or_else(|| server.admin_token().to_owned());
            builder = builder.header("authorization", format!("Bearer {token}"));
        }
    }
    let body = text("body");
    if body.is_some() {
        let media = text("type").filter(|media| !media.is_empty());
        builder = builder.header("content-type", media.unwrap_or("application/json".into()));
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        builder = builder.header(name, value.as_str().unwrap());
    }
    let request = builder.body(body.unwrap_or_default().into()).unwrap();
    let response = server.call(request).await;
    let code = response.status().as_u16();
    let warnings: Vec<String> = response
        .headers()
        .get_all("warning")
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    (json!([code, failure(&body), warnings]), body)
}

/// Returns message, reason and causes of a failure, or "".
fn failure(body: &Value) -> Value {
    if body["kind"] != "Status" || body["status"] != "Failure" {
        return json!("");
    }
    let causes = body["details"]["causes"].as_array().cloned();
    let causes: Vec<[String; 3]> = causes
        .into_iter()
        .flatten()
        .map(|cause| {
            ["field", "reason", "message"].map(|key| cause[key].as_str().unwrap_or("").to_owned())
        })
        .collect();
    json!([
        body["message"],
        body["reason"].as_str().unwrap_or(""),
        causes
    ])
}

#[tokio::test]
async fn patches_and_deletes_are_answered_as_upstream_answers_them() {
    let found = differing(include_str!("../golden/patches.json")).await;
    assert!(
        found.is_empty(),
        "{} differ\n{}",
        found.len(),
        found.join("\n")
    );
}

#[tokio::test]
async fn subresources_are_answered_as_upstream_answers_them() {
    let found = differing(include_str!("../golden/subresources.json")).await;
    assert!(
        found.is_empty(),
        "{} differ\n{}",
        found.len(),
        found.join("\n")
    );
}

//! Request bodies as a real kubectl sends them.

use apiserver::{Options, Server};
use base64::Engine as _;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::Value;
use testkit::corpus::data_dir;

#[tokio::test]
async fn bodies_of_kubectl_are_accepted() {
    let Some(dir) = data_dir("apiserver") else {
        return;
    };
    let text = std::fs::read(dir.join("v1.32/kubectl-bodies.json")).unwrap();
    let bodies: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let mut wrong = Vec::new();
    for body in &bodies {
        let text = |key: &str| body[key].as_str().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text("body"))
            .unwrap_or_else(|_| text("body").as_bytes().to_vec());
        let request = http::Request::builder()
            .method(text("method"))
            .uri(text("path"))
            .header("content-type", text("contentType"))
            .header("accept", text("accept"))
            .header("authorization", format!("Bearer {}", server.admin_token()))
            .body(Bytes::from(bytes))
            .unwrap();
        let response = server.call(request).await;
        let code = u64::from(response.status().as_u16());
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        if Some(code) != body["status"].as_u64() {
            let answer = String::from_utf8_lossy(&answer).into_owned();
            wrong.push(format!(
                "{} {}: {code} {answer}",
                text("method"),
                text("path")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! The transport's bounds: time, sizes, slow readers; every refusal is an answer.

use std::sync::Arc;

use apiserver::{Options, Server};
use bytes::Bytes;
use cluster::{Cluster, Target, WriteParams};
use http_body_util::BodyExt as _;
use objects::{Gvk, Object, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn server() -> Server {
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

/// Sends a request in process as the administrator; returns code and body.
async fn call(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, String) {
    let mut request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", server.admin_token()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = server.call(request.body(Bytes::new()).unwrap()).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn every_malformed_request_is_told_what_is_wrong() {
    let server = server().await;
    let long = "a".repeat(300);
    let rows: &[(&str, &str, u16, &str)] = &[
        (
            "GET",
            "?timeout=abc",
            400,
            "invalid timeout specified in the request URL - time: invalid duration \\\"abc\\\"",
        ),
        ("GET", "?timeout=-5s", 200, "ConfigMapList"),
        ("GET", "?timeout=90s", 200, "ConfigMapList"),
        (
            "GET",
            "?limit=x",
            400,
            "strconv.ParseInt: parsing \\\"x\\\": invalid syntax",
        ),
        (
            "GET",
            "?timeoutSeconds=99999999999999999999",
            400,
            "value out of range",
        ),
        (
            "GET",
            "?resourceVersion=-1",
            400,
            "invalid resource version",
        ),
        (
            "GET",
            "?labelSelector=a,,b",
            400,
            "found ',', expected: identifier after ','",
        ),
        (
            "GET",
            &format!("?labelSelector={long}"),
            400,
            "name part must be no more than 63 bytes",
        ),
        ("GET", "?continue=%F0", 400, "invalid continue token"),
        ("GET", "?%zz=%zz&&==&a", 200, "ConfigMapList"),
        ("BREW", "", 405, "does not allow this method"),
        ("POST", "", 400, ""),
        ("PUT", "", 405, "does not allow this method"),
    ];
    for (method, query, code, text) in rows {
        let path = format!("/api/v1/namespaces/default/configmaps{query}");
        let (actual, body) = call(&server, method, &path, &[]).await;
        assert_eq!(actual, *code, "{method} {query}: {body}");
        assert!(body.contains(text), "{method} {query}: {body}");
    }
    for path in [
        "/%00",
        "/api/v1/namespaces/%2F/configmaps/..",
        "/apis//v1/",
        "//",
        "/api/v1/%F0%9F",
    ] {
        let (code, _) = call(&server, "GET", path, &[]).await;
        assert!((400..500).contains(&code) || code == 200, "{path}: {code}");
    }
}

#[tokio::test]
async fn a_request_ends_when_its_time_is_over() {
    let server = server().await;
    let path = "/api/v1/configmaps?resourceVersion=999999&timeout=30ms";
    let (code, body) = call(&server, "GET", path, &[]).await;
    assert_eq!(code, 504, "{body}");
    assert!(body.contains("request did not complete within the allotted timeout"));
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_answered() {
    let server = server().await;
    let serving = server.serve_plain(None).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(serving.address)
        .await
        .unwrap();
    let head = format!(
        "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n",
        serving.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server stops reading at the bound; the rest may not be taken any more.
    let _ = stream.write_all(&vec![b' '; 3_200_000]).await;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
}

async fn write(cluster: &Arc<dyn Cluster>, name: &str, bytes: usize) {
    let gvk = Gvk::new("", "v1", "ConfigMap");
    let resource = cluster.resolve(&gvk).await.unwrap();
    let mut object = Object::new(&gvk, "default", name);
    object.set(&["data"], json!({"k": "v".repeat(bytes)}));
    let target = Target::new(&resource, "default", name);
    let params = WriteParams::default();
    cluster.create(&target, &object, &params).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_cut_off() {
    let server = server().await;
    let serving = server.serve_plain(None).await.unwrap();
    let cluster = server.cluster();
    let mut stream = tokio::net::TcpStream::connect(serving.address)
        .await
        .unwrap();
    let head = format!(
        "GET /api/v1/namespaces/default/configmaps?watch=true HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        serving.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = vec![0; 12];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, b"HTTP/1.1 200");
    // More than sockets and the table's memory of changes hold together.
    for index in 0..100 {
        write(&cluster, &format!("big-{index}"), 500_000).await;
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let text = String::from_utf8_lossy(&rest);
    assert!(text.contains("too old resource version"), "not told");
    assert!(rest.len() < 60_000_000, "{} bytes", rest.len());
}

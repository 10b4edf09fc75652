//! Client certificates over TLS, and tokens that others can check.

use std::sync::Arc;

use apiserver::{ClientCertificate, Options, Server, Serving};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

async fn server() -> Server {
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    Server::start(options).await.unwrap()
}

/// Asks the server over TLS who is asking; returns code and answer.
async fn who_am_i(
    serving: &Serving,
    issued: Option<&ClientCertificate>,
    token: &str,
) -> (u16, Value) {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(serving.certificate_authority.as_bytes());
    roots.add(authority.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match issued {
        Some(issued) => {
            let chain = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let stream = tokio::net::TcpStream::connect(serving.address)
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let authorization = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let request = format!(
        "POST /apis/authentication.k8s.io/v1/selfsubjectreviews HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{authorization}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The server may end TLS without its farewell.
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_certificate_names_its_user_and_groups() {
    let server = server().await;
    let serving = server.serve(None).await.unwrap();
    let issued = server.client_certificate("jane", Some("devs")).unwrap();
    let (code, answer) = who_am_i(&serving, Some(&issued), "").await;
    let user = &answer["status"]["userInfo"];
    assert_eq!((code, &user["username"]), (201, &json!("jane")));
    assert_eq!(user["groups"], json!(["devs", "system:authenticated"]));
    let id = user["extra"]["authentication.kubernetes.io/credential-id"][0].as_str();
    assert!(id.unwrap().starts_with("X509SHA256="));
    let text = serving.kubeconfig_with_certificate("jane", &issued);
    assert!(text.contains("client-certificate-data") && !text.contains("token"));
}

#[tokio::test]
async fn a_certificate_of_a_stranger_counts_for_nothing() {
    let (server, other) = (server().await, server().await);
    let serving = server.serve(None).await.unwrap();
    let masters = Some("system:masters");
    let strange = other.client_certificate("admin", masters).unwrap();
    let (code, answer) = who_am_i(&serving, Some(&strange), "").await;
    assert_eq!((code, &answer["reason"]), (401, &json!("Unauthorized")));
    let (code, _) = who_am_i(&serving, Some(&strange), server.admin_token()).await;
    assert_eq!(code, 201);
    let (code, _) = who_am_i(&serving, None, "").await;
    assert_eq!(code, 403, "anonymous may not create reviews");
}

async fn call(server: &Server, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
    use http_body_util::BodyExt as _;
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(bytes::Bytes::from(body.to_string()))
        .unwrap();
    let response = server.call(request).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn tokens_are_for_their_audience_and_for_their_time() {
    use apiserver::{Environment, ManualClock};
    let clock = Arc::new(ManualClock::new("2030-01-01T00:00:00Z".parse().unwrap()));
    let options = Options {
        workloads: false,
        environment: Environment::seeded(clock.clone(), 1),
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    let admin = server.admin_token().to_owned();
    let token = |spec: Value| {
        let (server, admin) = (&server, admin.clone());
        async move {
            let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
            let body = json!({"spec": spec});
            let (code, answer) = call(server, "POST", path, &admin, body).await;
            assert_eq!(code, 201, "{answer}");
            answer["status"]["token"].as_str().unwrap().to_owned()
        }
    };
    let review = |token: String, audiences: Value| {
        let (server, admin) = (&server, admin.clone());
        async move {
            let path = "/apis/authentication.k8s.io/v1/tokenreviews";
            let body = json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                "spec": {"token": token, "audiences": audiences},
            });
            let (_, answer) = call(server, "POST", path, &admin, body).await;
            answer["status"]["authenticated"] == json!(true)
        }
    };
    let own = token(json!({"expirationSeconds": 600})).await;
    let foreign = token(json!({"audiences": ["vault"]})).await;
    let path = "/api/v1/namespaces/default/configmaps";
    assert_eq!(call(&server, "GET", path, &own, Value::Null).await.0, 403);
    assert_eq!(
        call(&server, "GET", path, &foreign, Value::Null).await.0,
        401
    );
    assert!(review(foreign.clone(), json!(["vault"])).await);
    assert!(!review(foreign.clone(), json!(["other"])).await);
    assert!(review(own.clone(), json!([])).await);
    clock.advance(std::time::Duration::from_secs(601));
    assert_eq!(call(&server, "GET", path, &own, Value::Null).await.0, 401);
    let (code, keys) = call(&server, "GET", "/openid/v1/jwks", &admin, Value::Null).await;
    assert_eq!((code, &keys["keys"][0]["alg"]), (200, &json!("ES256")));
    let path = "/.well-known/openid-configuration";
    let (_, document) = call(&server, "GET", path, &admin, Value::Null).await;
    assert_eq!(
        document["id_token_signing_alg_values_supported"],
        json!(["ES256"])
    );
}

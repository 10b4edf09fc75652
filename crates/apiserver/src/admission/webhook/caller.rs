//! Calls of admission webhooks: one HTTPS request to a loopback address.
//!
//! The engine works without awaiting, so a call runs on a thread of its own while the calling thread waits; inside of a
//! runtime with several threads another one takes over meanwhile. Everything is bounded: the time by the webhook's own
//! limit, the answer by [`ANSWER_BYTES_MAX`]. Errors are those of Go's client.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::trust;

/// Largest answer of a webhook, in bytes.
const ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Posts a body and returns the answer's.
pub(super) fn call(endpoint: &Endpoint, body: Vec<u8>) -> Result<Bytes, String> {
    let work = || {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| run(endpoint, body));
            thread
                .join()
                .unwrap_or_else(|_| Err("the call ended unexpectedly".into()))
        })
    };
    let flavor = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    match flavor {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn run(endpoint: &Endpoint, body: Vec<u8>) -> Result<Bytes, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let limited = tokio::time::timeout(endpoint.timeout, post(endpoint, body));
        limited
            .await
            .unwrap_or_else(|_| Err(said(endpoint, "context deadline exceeded")))
    })
}

/// Words a failure as Go's client does.
fn said(endpoint: &Endpoint, why: &str) -> String {
    format!("Post \"{}\": {why}", endpoint.url)
}

async fn post(endpoint: &Endpoint, body: Vec<u8>) -> Result<Bytes, String> {
    let stream = TcpStream::connect(endpoint.address)
        .await
        .map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => error.to_string(),
            };
            said(
                endpoint,
                &format!("dial tcp {}: connect: {why}", endpoint.address),
            )
        })?;
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|error| said(endpoint, &error.to_string()))?;
    let connector = TlsConnector::from(Arc::new(trust::trust(&endpoint.authorities)?));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| said(endpoint, &trust::words(&error)))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| said(endpoint, &error.to_string()))?;
    let request = http::Request::post(&endpoint.target)
        .header("host", &endpoint.host)
        .header("accept", "application/json, */*")
        .header("content-type", "application/json")
        .header("user-agent", "kube-apiserver-admission")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| said(endpoint, &http_words(&error)))?;
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
        let body = body
            .await
            .map_err(|error| said(endpoint, &error.to_string()))?;
        refused(code, body.to_bytes())
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // Servers may close at once; what they sent is still there to be read.
        _ = connection => answer.await,
    }
}

fn http_words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        "EOF".into()
    } else {
        error.to_string()
    }
}

/// Turns an answer that is no success into the words of the client.
fn refused(code: u16, body: Bytes) -> Result<Bytes, String> {
    if (200..300).contains(&code) {
        return Ok(body);
    }
    let status: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if let (Some("Status"), Some(message)) = (status["kind"].as_str(), status["message"].as_str()) {
        return Err(message.to_owned());
    }
    match code {
        400 => Err("the server rejected our request for an unknown reason".into()),
        401 => Err("the server has asked for the client to provide credentials".into()),
        404 => Err("the server could not find the requested resource".into()),
        405 => Err("the server does not allow this method on the requested resource".into()),
        429 => Err(
            "the server has received too many requests and has asked us to try again later".into(),
        ),
        503 => Err("the server is currently unable to handle the request".into()),
        _ if code >= 500 => Err(
            "an error on the server (\"unknown\") has prevented the request from succeeding".into(),
        ),
        _ => Err(format!(
            "the server responded with the status code {code} but did not return more information"
        )),
    }
}

//! Calls of admission webhooks: one HTTPS request to a loopback address.
//!
//! The engine works without awaiting, so the calling thread waits for the answer; inside of a runtime with several threads
//! another one takes over meanwhile. Everything is bounded: the calls under way by [`CALLS_MAX`], the time by the webhook's
//! own limit, the answer by [`ANSWER_BYTES_MAX`]. Errors are those of Go's client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use parking_lot::{Condvar, Mutex};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::RuntimeFlavor;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::trust;

/// Largest answer of a webhook, in bytes.
const ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Calls under way at once. Each holds a thread: more of them would wait for one another's processor time only.
const CALLS_MAX: usize = 64;

/// The calls under way.
pub struct Calls {
    free: Mutex<usize>,
    ended: Condvar,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            free: Mutex::new(CALLS_MAX),
            ended: Condvar::new(),
        }
    }
}

impl Calls {
    /// Waits for a free place among the calls, for as long as a call may take; `None` where none became free.
    fn begin(&self, patience: Duration) -> Option<Place<'_>> {
        let mut free = self.free.lock();
        self.ended
            .wait_while_for(&mut free, |free| *free == 0, patience);
        *free = free.checked_sub(1)?;
        Some(Place(self))
    }
}

/// The place of one call, free again when it is dropped.
struct Place<'a>(&'a Calls);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.ended.notify_one();
    }
}

/// Posts a body and returns the answer's.
pub(super) fn call(calls: &Calls, endpoint: &Endpoint, body: Vec<u8>) -> Result<Bytes, String> {
    let work = || match calls.begin(endpoint.timeout) {
        Some(_place) => run(endpoint, body),
        None => Err(said(endpoint, "context deadline exceeded")),
    };
    let flavor = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // A runtime of one thread cannot wait for another one on it.
        Ok(_) => std::thread::scope(|scope| {
            let ended = scope.spawn(work).join();
            ended.unwrap_or_else(|_| Err("the call ended unexpectedly".into()))
        }),
        Err(_) => work(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_calls_than_the_bound_are_under_way() {
        let calls = Calls::default();
        let mut under_way: Vec<_> = (0..CALLS_MAX)
            .map(|_| calls.begin(Duration::ZERO).expect("a place is free"))
            .collect();
        assert!(calls.begin(Duration::ZERO).is_none());
        under_way.pop();
        assert!(calls.begin(Duration::ZERO).is_some());
    }
}

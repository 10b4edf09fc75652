//! One HTTP request and its answer: paths, query, bodies, and failures as [`StatusError`].

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use objects::{Object, Value};

use super::config::chain;
use crate::{Error, StatusCause, StatusError};

/// Longest wait for an answer that is not a stream. API servers end requests after 60 s themselves.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// Largest answer taken: a hundred times the largest list page in practice.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// How much of an answer that is no `Status` is quoted in an error.
const EXCERPT_BYTES_MAX: usize = 2048;

pub(super) const JSON: &str = "application/json";

/// A request before it is sent.
pub(super) struct Call {
    pub method: Method,
    pub path: String,
    pub query: Query,
    pub accept: &'static str,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Call {
    /// Starts a request without body for JSON.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Query::default(),
            accept: JSON,
            content_type: JSON,
            body: Vec::new(),
        }
    }
}

/// Query parameters; empty values are left out.
#[derive(Default)]
pub(super) struct Query(String);

impl Query {
    /// Adds `name=value`, escaped.
    pub fn add(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                self.0.push(byte as char);
            } else {
                self.0.push_str(&format!("%{byte:02X}"));
            }
        }
    }
}

/// Sends requests with the identity's headers.
#[derive(Clone)]
pub(super) struct Sender {
    pub client: kube::Client,
    /// Address in error messages, without a slash at its end.
    pub address: String,
    pub identity: Vec<(HeaderName, HeaderValue)>,
}

impl Sender {
    /// Sends a request; returns the answer before its body, or the server's failure.
    pub async fn open(&self, call: Call) -> Result<Response<Body>, Error> {
        let url = format!("{}{}{}", self.address, call.path, call.query.0);
        let words = format!("{} {url:?}", go_method(&call.method));
        let request = self.request(call)?;
        let response = tokio::time::timeout(ANSWER_TIMEOUT, self.client.send(request))
            .await
            .map_err(|_| Error::Transport(format!("{words}: no answer after {ANSWER_TIMEOUT:?}")))?
            .map_err(|error| transport(&words, &error))?;
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(0);
        let body = collect(response, &words).await.unwrap_or_default();
        Err(failure(status, retry_after, &body).into())
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, call: Call) -> Result<Bytes, Error> {
        let words = format!("{} {:?}", go_method(&call.method), call.path);
        let response = self.open(call).await?;
        collect(response, &words).await
    }

    /// Sends a request whose answer is one object.
    pub async fn send_for_object(&self, call: Call) -> Result<Object, Error> {
        let body = self.send(call).await?;
        serde_json::from_slice(&body).map_err(|error| not_json(&error))
    }

    fn request(&self, call: Call) -> Result<Request<Body>, Error> {
        let mut builder = Request::builder()
            .method(call.method)
            .uri(format!("{}{}", call.path, call.query.0))
            .header(header::ACCEPT, call.accept)
            .header(header::USER_AGENT, "flux/v2");
        if !call.body.is_empty() {
            builder = builder.header(header::CONTENT_TYPE, call.content_type);
        }
        for (name, value) in &self.identity {
            builder = builder.header(name, value);
        }
        builder
            .body(Body::from(call.body))
            .map_err(|error| Error::Config(format!("cannot build the request: {error}")))
    }
}

async fn collect(response: Response<Body>, words: &str) -> Result<Bytes, Error> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    let collected = tokio::time::timeout(ANSWER_TIMEOUT, body)
        .await
        .map_err(|_| {
            Error::Transport(format!(
                "{words}: answer not complete after {ANSWER_TIMEOUT:?}"
            ))
        })?;
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(Error::Transport(format!("{words}: {error}"))),
    }
}

pub(super) fn not_json(error: &serde_json::Error) -> Error {
    Error::Decode(format!(
        "the server's answer is not the JSON expected: {error}"
    ))
}

fn transport(words: &str, error: &kube::Error) -> Error {
    if let kube::Error::Auth(cause) = error {
        return Error::Config(format!("getting credentials: {}", chain(cause)));
    }
    // The outer layers only say that a request failed; the innermost cause says why.
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let reason = without_os_code(&cause.to_string());
    let dialed = match reason.as_str() {
        "connection refused" | "no route to host" | "network is unreachable" => {
            format!("dial tcp {}: connect: ", authority(words))
        }
        _ => String::new(),
    };
    Error::Transport(format!("{words}: {dialed}{reason}"))
}

/// Finds `host:port` in the words about a request.
fn authority(words: &str) -> &str {
    let rest = words.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '"']).next().unwrap_or("")
}

/// Drops the ` (os error N)` that Rust adds to the system's words.
pub(super) fn without_os_code(text: &str) -> String {
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text.to_owned(),
    }
}

fn go_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "Get",
        "POST" => "Post",
        "PUT" => "Put",
        "PATCH" => "Patch",
        "DELETE" => "Delete",
        _ => "Request",
    }
}

/// Reads a failure; an answer that is no `Status` gets client-go's words for its code.
pub(super) fn failure(code: StatusCode, retry_after_seconds: u32, body: &[u8]) -> StatusError {
    match serde_json::from_slice::<Value>(body) {
        Ok(status) if status["kind"] == "Status" => {
            let mut error = status_error(&status);
            if error.code == 0 {
                error.code = code.as_u16();
            }
            error
        }
        _ => generic_failure(code, retry_after_seconds, body),
    }
}

/// Converts a `Status` object.
pub(super) fn status_error(status: &Value) -> StatusError {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let details = &status["details"];
    let causes = details["causes"].as_array().map(Vec::as_slice);
    StatusError {
        code: status["code"]
            .as_u64()
            .and_then(|c| u16::try_from(c).ok())
            .unwrap_or(0),
        reason: text(&status["reason"]),
        message: text(&status["message"]),
        group: text(&details["group"]),
        kind: text(&details["kind"]),
        name: text(&details["name"]),
        uid: text(&details["uid"]),
        causes: causes
            .unwrap_or_default()
            .iter()
            .map(|cause| StatusCause {
                reason: text(&cause["reason"]),
                message: text(&cause["message"]),
                field: text(&cause["field"]),
            })
            .collect(),
        retry_after_seconds: details["retryAfterSeconds"]
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok())
            .unwrap_or(0),
        continue_token: text(&status["metadata"]["continue"]),
    }
}

/// Follows apimachinery's `NewGenericServerResponse`.
fn generic_failure(code: StatusCode, retry_after_seconds: u32, body: &[u8]) -> StatusError {
    let (reason, message) = match code.as_u16() {
        400 => (
            "BadRequest",
            "the server rejected our request for an unknown reason",
        ),
        401 => (
            "Unauthorized",
            "the server has asked for the client to provide credentials",
        ),
        403 => (
            "Forbidden",
            "the server does not allow access to the requested resource",
        ),
        404 => (
            "NotFound",
            "the server could not find the requested resource",
        ),
        405 => (
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
        406 => (
            "NotAcceptable",
            "the server was unable to respond with a content type that the client supports",
        ),
        409 => ("Conflict", "the server reported a conflict"),
        415 => (
            "UnsupportedMediaType",
            "the server was unable to process the media type of the request body",
        ),
        422 => (
            "Invalid",
            "the server rejected our request due to an error in our request",
        ),
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        504 => (
            "Timeout",
            "the server was unable to return a response in the time allotted, but may still be processing the request",
        ),
        code if code >= 500 => ("InternalError", ""),
        _ => ("", "the server responded with an unexpected status"),
    };
    let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES_MAX)]);
    let message = match message {
        "" => format!(
            "an error on the server ({:?}) has prevented the request from succeeding",
            if excerpt.trim().is_empty() {
                "unknown"
            } else {
                excerpt.trim()
            }
        ),
        words => words.to_owned(),
    };
    StatusError {
        code: code.as_u16(),
        reason: reason.to_owned(),
        message,
        retry_after_seconds,
        ..StatusError::default()
    }
}

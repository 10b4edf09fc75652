//! What the loopback HTTP servers share: a listener, TLS, a log, credentials and scripted faults.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::githttp::{TestPki, make_pki};

/// An answer of a loopback server.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What is sent: whole, or broken off.
type Sent = Response<BoxBody<Bytes, std::io::Error>>;

/// A request with its whole body.
pub(crate) struct Call {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    /// A header as text; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// A parameter of the query, percent-decoded as far as tests need it.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(key, _)| *key == name)?;
        Some(
            found
                .1
                .replace("%3A", ":")
                .replace("%2F", "/")
                .replace("%2C", ","),
        )
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status instead of an answer.
    Status(u16),
    /// Other bytes than the right ones, of the same length.
    WrongContent,
    /// A redirect to itself.
    RedirectLoop,
    /// A redirect to another URL.
    Redirect(String),
    /// The answer comes after this time.
    Slow(Duration),
    /// Only so many bytes of the answer, then the end.
    Cut(usize),
    /// Only so many bytes of the answer, which promised more.
    Broken(usize),
}

#[derive(Default)]
struct Script {
    log: Vec<String>,
    /// Part of the path, what goes wrong, how often.
    faults: Vec<(String, Fault, usize)>,
}

/// A running server; it stops when dropped.
pub(crate) struct Loopback {
    pub address: SocketAddr,
    pub scheme: &'static str,
    script: Arc<Mutex<Script>>,
    task: tokio::task::JoinHandle<()>,
}

/// How a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// In the clear.
    No,
    /// With a certificate.
    Server,
    /// With certificates on both sides.
    Mutual,
}

/// Answers a request.
pub(crate) type Handler = Arc<dyn Fn(Call) -> Answer + Send + Sync>;

impl Loopback {
    /// Starts on an address; with TLS, returns the certificates for clients as well.
    pub async fn start(address: &str, tls: Tls, handler: Handler) -> (Self, Option<TestPki>) {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .expect("the loopback address is free");
        let (acceptor, pki) = match tls {
            Tls::No => (None, None),
            Tls::Server | Tls::Mutual => {
                let (config, pki) = make_pki(tls == Tls::Mutual);
                (Some(TlsAcceptor::from(Arc::new(config))), Some(pki))
            }
        };
        let address = listener.local_addr().expect("bound");
        let script: Arc<Mutex<Script>> = Arc::default();
        let shared = script.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, acceptor, script) =
                    (handler.clone(), acceptor.clone(), shared.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, handler, script).await,
                        // A client that does not trust the certificate ends here.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, handler, script).await;
                            }
                        }
                    }
                });
            }
        });
        let server = Self {
            address,
            scheme: if tls == Tls::No { "http" } else { "https" },
            script,
            task,
        };
        (server, pki)
    }

    /// Makes requests whose path contains a text go wrong, so many times.
    pub fn fault(&self, path: &str, fault: Fault, times: usize) {
        lock(&self.script)
            .faults
            .push((path.to_owned(), fault, times));
    }

    /// Returns and forgets the requests served so far, as `METHOD path`.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.script).log)
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics inside")
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    handler: Handler,
    script: Arc<Mutex<Script>>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (handler, script) = (handler.clone(), script.clone());
        let answer: Pin<Box<dyn Future<Output = Result<Sent, Infallible>> + Send>> =
            Box::pin(async move { Ok(answer(request, handler, script).await) });
        answer
    });
    // A client that goes away is none of the server's business.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, handler: Handler, script: Arc<Mutex<Script>>) -> Sent {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes());
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.unwrap_or_default(),
    };
    let fault = note(&script, &call);
    if let Some(Fault::Broken(length)) = fault {
        return broken(handler(call), length).await;
    }
    let answer = match fault {
        None | Some(Fault::Broken(_)) => handler(call),
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).expect("a test's status");
            plain(status, "")
        }
        Some(Fault::RedirectLoop) => redirect(&call.path),
        Some(Fault::Redirect(target)) => redirect(&target),
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            handler(call)
        }
        Some(Fault::WrongContent) => {
            change(handler(call), |bytes| bytes.iter().map(|b| b ^ 1).collect()).await
        }
        Some(Fault::Cut(length)) => {
            change(handler(call), |bytes| {
                bytes[..length.min(bytes.len())].into()
            })
            .await
        }
    };
    answer.map(|body| body.map_err(|never| match never {}).boxed())
}

/// Promises the whole answer and ends early.
async fn broken(answer: Answer, length: usize) -> Sent {
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes());
    let body = body.unwrap_or_default();
    parts.headers.insert("content-length", body.len().into());
    let piece = Ok(Frame::data(body.slice(..length.min(body.len()))));
    let end = Err(std::io::Error::other("broken off for a test"));
    let pieces = futures::stream::iter([piece, end]);
    Response::from_parts(parts, BodyExt::boxed(StreamBody::new(pieces)))
}

/// Writes the log and finds the fault that is due.
fn note(script: &Mutex<Script>, call: &Call) -> Option<Fault> {
    let mut script = lock(script);
    script.log.push(format!("{} {}", call.method, call.path));
    let due = script
        .faults
        .iter_mut()
        .find(|(path, _, times)| *times > 0 && call.path.contains(path.as_str()))?;
    due.2 -= 1;
    Some(due.1.clone())
}

async fn change(answer: Answer, change: impl Fn(&[u8]) -> Vec<u8>) -> Answer {
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes());
    let body = change(&body.unwrap_or_default());
    parts.headers.remove("content-length");
    Response::from_parts(parts, Full::new(body.into()))
}

fn redirect(target: &str) -> Answer {
    let mut response = plain(StatusCode::TEMPORARY_REDIRECT, "");
    let value = target.parse().expect("a valid header value");
    response.headers_mut().insert("location", value);
    response
}

/// A plain answer.
pub(crate) fn plain(status: StatusCode, text: &str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}

/// Adds a header to an answer.
pub(crate) fn with_header(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    let value = value.parse().expect("a valid header value");
    answer.headers_mut().insert(name, value);
    answer
}

/// The value of the `Authorization` header for a user.
pub(crate) fn basic(username: &str, password: &str) -> String {
    format!(
        "Basic {}",
        base64(format!("{username}:{password}").as_bytes())
    )
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        for position in 0..4 {
            if position <= group.len() {
                let digit = number >> (18 - 6 * position) & 63;
                text.push(char::from(DIGITS[digit as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

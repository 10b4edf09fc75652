//! Connections: accept, TLS, HTTP/1.1 or HTTP/2, bounded bodies, quick end.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming as HyperBody;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::Receiver;
use tokio_rustls::TlsAcceptor;

use super::certificate::{self, Certificate};
use super::stall::{STALL_TIME, Stalling};
use super::{BODY_BYTES_MAX, Incoming, ResponseBody, handle};
use crate::engine::Engine;
use crate::failure::Failure;

/// Most connections served at once; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 4096;

/// Time in which a TLS handshake has to be done.
const HANDSHAKE_TIME: std::time::Duration = std::time::Duration::from_secs(10);
/// Headers of one request.
const HEADERS_MAX: usize = 1000;
/// Time in which the headers of a request have to arrive.
const HEADERS_TIME: std::time::Duration = std::time::Duration::from_secs(30);
/// Bytes of a request's line and headers together.
const HEADERS_BYTES_MAX: usize = 256 << 10;

/// How connections are encrypted, and who judges their certificates.
#[derive(Clone)]
pub struct Tls {
    /// Does the handshakes.
    pub acceptor: TlsAcceptor,
    /// Judges client certificates.
    pub verifier: Arc<dyn ClientCertVerifier>,
}

/// Accepts connections until told to stop.
pub async fn accept(
    engine: Arc<Engine>,
    listener: TcpListener,
    tls: Option<Tls>,
    mut stop: Receiver<bool>,
) {
    let slots = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let slot = tokio::select! {
            slot = slots.clone().acquire_owned() => slot,
            _ = stop.changed() => return,
        };
        let Ok(slot) = slot else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            }
        };
        let (engine, tls, stop) = (engine.clone(), tls.clone(), stop.clone());
        tokio::spawn(async move {
            connection(engine, stream, peer, tls, stop).await;
            drop(slot);
        });
    }
}

async fn connection(
    engine: Arc<Engine>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    stop: Receiver<bool>,
) {
    // Small answers must not wait for the peer's acknowledgements.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return serve(engine, Stalling::new(stream, STALL_TIME), None, stop).await;
    };
    if speaks_plainly(&stream).await {
        return say_tls_is_needed(stream).await;
    }
    let stream = Stalling::new(stream, STALL_TIME);
    let handshake = tls.acceptor.accept(stream);
    let handshake = tokio::time::timeout(HANDSHAKE_TIME, handshake);
    match handshake.await {
        Ok(Ok(stream)) => {
            let sent = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let seconds = engine.environment.clock.now().as_second();
            let now = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            let now = UnixTime::since_unix_epoch(now);
            let certificate = certificate::judge(&tls.verifier, sent, now);
            serve(engine, stream, certificate, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

/// Tells whether a connection begins with a request rather than with a TLS handshake.
async fn speaks_plainly(stream: &TcpStream) -> bool {
    let mut first = [0; 1];
    let peeked = tokio::time::timeout(HANDSHAKE_TIME, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first[0].is_ascii_uppercase()
}

/// Answers as upstream does who forgot the `s` of `https`.
async fn say_tls_is_needed(mut stream: TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    // Whoever is gone meanwhile needs no answer.
    let _ = tokio::time::timeout(HANDSHAKE_TIME, stream.write_all(ANSWER)).await;
    let _ = stream.shutdown().await;
}

async fn serve<S>(
    engine: Arc<Engine>,
    stream: S,
    certificate: Option<Certificate>,
    mut stop: Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests_stop = stop.clone();
    let service = service_fn(move |request| {
        let (engine, stop) = (engine.clone(), requests_stop.clone());
        let certificate = certificate.clone();
        async move {
            let response = respond_to(engine, stop, certificate, request).await;
            match response.extensions().get::<super::Lost>() {
                // An error of the service ends the connection, or the stream of HTTP/2.
                Some(_) => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
                None => Ok(response),
            }
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADERS_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEADERS_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(1000)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // Errors here are those of the peer: it went away or spoke nonsense.
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    // Watches end by themselves; whatever else is open gets a moment.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(500), connection).await;
}

async fn respond_to(
    engine: Arc<Engine>,
    stop: Receiver<bool>,
    certificate: Option<Certificate>,
    request: Request<HyperBody>,
) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let accept = super::header_text(&parts.headers, "accept");
    // Watches are many and idle; everything else holds its slot from before its body is read.
    let watching = parts
        .uri
        .query()
        .is_some_and(|query| query.contains("watch="));
    let slot = if watching {
        None
    } else {
        match engine.slots.clone().try_acquire_owned() {
            Ok(slot) => Some(slot),
            Err(_) => return super::refused(&too_many(), accept),
        }
    };
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    let body = match tokio::time::timeout(super::REQUEST_TIME, reading).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) => return super::refused(&body_failure(error.as_ref()), accept),
        Err(_) => return super::refused(&super::too_slow(), accept),
    };
    let incoming = Incoming {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts.headers,
        body,
        certificate,
    };
    let response = handle(engine, stop, incoming).await;
    drop(slot);
    response
}

fn too_many() -> Box<Failure> {
    let message = "too many requests in flight, please try again later";
    let mut failure = Failure::new(429, "TooManyRequests", message);
    failure.status.retry_after_seconds = 1;
    failure
}

fn body_failure(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Box<Failure> {
    if error.is::<http_body_util::LengthLimitError>() {
        return super::too_large_failure();
    }
    Failure::bad_request(format!("the request body could not be read: {error}"))
}

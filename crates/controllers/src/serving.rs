//! Plain HTTP servers of this process: each request is answered from its head alone, on a thread that may block.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tracing::debug;

/// An answer with its whole body.
pub(crate) type Answer = Response<Full<Bytes>>;
/// Answers a request.
pub(crate) type Answerer = Arc<dyn Fn(&Parts) -> Answer + Send + Sync>;

/// Answers requests until the future is dropped.
pub(crate) async fn serve_blocking(listener: TcpListener, answer: Answerer) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, or a client that left at once.
                debug!(%error, "server cannot accept");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = answer.clone();
                async move {
                    let (parts, _) = request.into_parts();
                    let answer = tokio::task::spawn_blocking(move || answer(&parts)).await;
                    let failed = |_| plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
                    Ok::<_, Infallible>(answer.unwrap_or_else(failed))
                }
            });
            let served = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                debug!(%error, "connection ended");
            }
        });
    }
}

/// An answer of plain text.
pub(crate) fn plain(status: StatusCode, text: &str) -> Answer {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from(text.to_owned()),
    )
}

/// An answer; the content type has to be a valid header value.
pub(crate) fn respond(status: StatusCode, content_type: &str, body: Bytes) -> Answer {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CONTENT_LENGTH, body.len())
        .body(Full::new(body))
        .expect("constant headers are valid")
}

/// Decodes `%xx`; what is no text becomes replacement characters.
pub(crate) fn percent_decode(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let mut decoded = [0];
        let digits = after.get(..2).filter(|_| *first == b'%');
        if digits.is_some_and(|digits| hex::decode_to_slice(digits, &mut decoded).is_ok()) {
            bytes.push(decoded[0]);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

//! Metrics and probes over plain HTTP.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use controller_runtime::Runtime;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

/// The runtime whose metrics are told; empty until this process leads.
pub type SharedRuntime = Arc<OnceLock<Arc<Runtime>>>;

/// Answers `/metrics`, `/healthz` and `/readyz` until the future is dropped.
pub async fn serve(listener: TcpListener, runtime: SharedRuntime) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let runtime = runtime.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = answer(request.uri().path(), &runtime);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A connection that breaks concerns only its client.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(path: &str, runtime: &SharedRuntime) -> Response<Full<Bytes>> {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; charset=utf-8";
    let (status, kind, body) = match path {
        "/metrics" => {
            let metrics = runtime.get().map(|runtime| runtime.metrics.render());
            let text = metrics.unwrap_or_else(|| "# EOF\n".to_owned());
            (StatusCode::OK, OPEN_METRICS, text)
        }
        "/healthz" | "/readyz" | "/healthz/ping" | "/readyz/ping" => {
            (StatusCode::OK, PLAIN, "ok".to_owned())
        }
        _ => (
            StatusCode::NOT_FOUND,
            PLAIN,
            "404 page not found\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_answer_before_metrics_exist() {
        let runtime = SharedRuntime::default();
        for (path, status) in [
            ("/healthz", 200),
            ("/readyz", 200),
            ("/metrics", 200),
            ("/x", 404),
        ] {
            assert_eq!(answer(path, &runtime).status().as_u16(), status, "{path}");
        }
    }
}

//! The HTTP side: a request becomes a call of the engine, its outcome a response.
//!
//! The same handler serves sockets and in-process callers. A response never fails: every error is a `Status`
//! or the plain text that upstream sends.

mod accept;
mod action;
mod certificate;
mod checks;
mod compress;
mod discovery;
mod openapi;
mod openapi_paths;
mod resource;
mod respond;
mod responder;
mod route;
pub mod service;
mod stall;
mod swagger;
mod table;
pub mod tls;
mod watch;

pub use certificate::Certificate;
pub use openapi::{Documents, component_of};
pub use respond::public;
pub use watch::classify;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use crate::auth::{self, Attributes};
use crate::engine::{Context, Engine, Query, first, parse_query};
use crate::failure::{Answered, Failure};

use route::Route;

/// Body of every response.
pub type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// Longest time for the body of a request to arrive, and then for its answer.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// Requests handled at once, watches aside; as many as upstream's two limits together.
pub const REQUESTS_MAX: usize = 600;

/// Largest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// A request whose body has been read.
#[derive(Debug)]
pub struct Incoming {
    /// Method.
    pub method: Method,
    /// Path, percent-encoded as sent.
    pub path: String,
    /// Query without the question mark.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// What the client certificate says, if one was presented.
    pub certificate: Option<Certificate>,
}

/// Wraps bytes as a response body.
pub fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    Full::new(bytes.into()).boxed_unsync()
}

/// Answers a request.
pub async fn handle(
    engine: Arc<Engine>,
    stop: tokio::sync::watch::Receiver<bool>,
    incoming: Incoming,
) -> Response<ResponseBody> {
    let audit = header_text(&incoming.headers, "audit-id");
    let audit = if audit.is_empty() {
        engine.environment.uuid()
    } else {
        audit.to_owned()
    };
    let agent = header_text(&incoming.headers, "user-agent").to_owned();
    let mut context = Context::new(crate::engine::User::anonymous(), &agent);
    let mut response = match answer(&engine, &mut context, stop, &incoming).await {
        Ok(response) => response,
        Err(failure) if failure.lost => return lost(),
        Err(failure) => respond::failure(&failure, header_text(&incoming.headers, "accept")),
    };
    let headers = response.headers_mut();
    respond::insert(headers, "audit-id", &audit);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(header::HeaderValue::from_static("no-cache, private"));
    for warning in context.warnings.lock().iter() {
        respond::warn(headers, warning);
    }
    compress::compress(&incoming.headers, response)
}

/// Marks a response that must not reach the client: its connection is cut instead.
#[derive(Clone, Copy, Debug)]
pub struct Lost;

fn lost() -> Response<ResponseBody> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status(500);
    response.extensions_mut().insert(Lost);
    response
}

pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
}

async fn answer(
    engine: &Arc<Engine>,
    context: &mut Context,
    stop: tokio::sync::watch::Receiver<bool>,
    incoming: &Incoming,
) -> Answered<Response<ResponseBody>> {
    if !route::well_escaped(&incoming.path) {
        return Ok(respond::text(400, "400 Bad Request"));
    }
    let query = parse_query(&incoming.query);
    let catalog = engine.catalog();
    let route = route::parse(&catalog, &incoming.path);
    context.user = auth::authn::authenticate(engine, incoming)?;
    context.user = auth::authn::impersonate(engine, context, &incoming.headers)?;
    let call = Call {
        engine: engine.clone(),
        incoming,
        query,
        stop,
    };
    match route {
        Route::Resource { place, watch } => {
            let allowed = call.time()?;
            let watching = watch || call.asks_for_watch();
            let answering = call.resource(context, place, watch);
            if watching {
                return answering.await;
            }
            match tokio::time::timeout(allowed, answering).await {
                Ok(answered) => answered,
                Err(_) => Err(too_slow()),
            }
        }
        other => {
            call.authorize_path(context, &other)?;
            call.path(other)
        }
    }
}

/// One request on its way through.
struct Call<'a> {
    engine: Arc<Engine>,
    incoming: &'a Incoming,
    query: Query,
    stop: tokio::sync::watch::Receiver<bool>,
}

impl Call<'_> {
    /// Returns how long the request may take: a minute, or less where the client says so.
    fn time(&self) -> Answered<Duration> {
        let asked = first(&self.query, "timeout");
        if asked.is_empty() {
            return Ok(REQUEST_TIME);
        }
        let nanos = gocompat::duration::parse(asked).map_err(|why| {
            Failure::bad_request(format!(
                "invalid timeout specified in the request URL - {why}"
            ))
        })?;
        match u64::try_from(nanos) {
            Ok(nanos) if nanos > 0 => Ok(Duration::from_nanos(nanos).min(REQUEST_TIME)),
            _ => Ok(REQUEST_TIME),
        }
    }

    fn asks_for_watch(&self) -> bool {
        let watch = self.query.get("watch").and_then(|v| v.first());
        watch.is_some_and(|v| !matches!(v.as_str(), "false" | "0"))
    }

    /// Checks paths that are no resource's; those that look like one are checked as such, so that nobody learns
    /// what is served.
    fn authorize_path(&self, context: &Context, route: &Route) -> Answered<()> {
        let verb = self.incoming.method.as_str().to_lowercase();
        if let Route::NoResource(asked) | Route::Unknown(asked) = route
            && !asked.resource.is_empty()
        {
            let wanted = Attributes {
                verb: verb_of(&self.incoming.method, !asked.name.is_empty(), false)
                    .unwrap_or(&verb),
                group: &asked.group,
                resource: &asked.resource,
                sub: &asked.sub,
                namespace: &asked.namespace,
                name: &asked.name,
                path: "",
            };
            return auth::authorize(&self.engine, context, &wanted);
        }
        let wanted = Attributes {
            verb: &verb,
            path: &self.incoming.path,
            ..Attributes::default()
        };
        auth::authorize(&self.engine, context, &wanted)
    }

    fn path(&self, route: Route) -> Answered<Response<ResponseBody>> {
        // Upstream's plain handlers look at no method; its routes know GET only.
        let any_method = matches!(
            &route,
            Route::Unknown(_)
                | Route::NoResource(_)
                | Route::Health(_)
                | Route::Root
                | Route::OpenApi(_)
                | Route::Discovery(route::Document::Group(_))
        );
        if self.incoming.method != Method::GET && !any_method {
            return Err(Failure::method_not_allowed());
        }
        let accept = header_text(&self.incoming.headers, "accept");
        let catalog = self.engine.catalog();
        match route {
            Route::Health(check) => checks::health(&check, &self.query),
            Route::Version => {
                accept::routed(accept, &["application/json"])?;
                Ok(respond::indented(&crate::catalog::facts().version))
            }
            Route::Metrics => Ok(checks::metrics(&self.engine)),
            Route::Root => Ok(respond::json_value(200, &discovery::root(&catalog))),
            Route::Discovery(what) => {
                discovery::answer(&catalog, &what, accept, &self.incoming.headers)
            }
            Route::OpenApi(path) => {
                openapi::answer(&self.engine, &path, &self.query, &self.incoming.headers)
            }
            Route::Keys(path) => auth::token::keys(&self.engine, &path, accept),
            Route::NoResource(_) => Err(Failure::no_resource()),
            Route::Unknown(_) | Route::Resource { .. } => Err(Failure::no_path()),
        }
    }
}

/// Names what a method does to an object or a collection.
fn verb_of(method: &Method, named: bool, watching: bool) -> Option<&'static str> {
    Some(match (method.as_str(), named) {
        ("GET" | "HEAD", true) => "get",
        ("GET" | "HEAD", false) if watching => "watch",
        ("GET" | "HEAD", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => return None,
    })
}

/// Status codes by number; an unknown one is an internal error.
pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Refuses a client that does not accept JSON, as upstream's routes do that have nothing else.
pub(crate) fn accepts_json(accept: &str) -> Answered<()> {
    accept::routed(accept, &["application/json"])
}

/// Builds the 413 of a body beyond the bound.
pub fn too_large() -> Response<ResponseBody> {
    refused(&too_large_failure(), "")
}

/// Builds the answer to a request that is not handled at all.
fn refused(failure: &Failure, accept: &str) -> Response<ResponseBody> {
    let mut response = respond::failure(failure, accept);
    respond::insert(response.headers_mut(), "cache-control", "no-cache, private");
    response
}

fn too_slow() -> Box<Failure> {
    let message = "Timeout: request did not complete within the allotted timeout";
    let mut failure = Failure::new(504, "Timeout", message);
    failure.empty_details = true;
    failure
}

fn too_large_failure() -> Box<Failure> {
    let message = format!("Request entity too large: limit is {BODY_BYTES_MAX}");
    Failure::new(413, "RequestEntityTooLarge", message)
}

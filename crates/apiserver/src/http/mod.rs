//! The HTTP side: a request becomes a call of the engine, its outcome a response.
//!
//! The same handler serves sockets and in-process callers. A response never fails: every error is a `Status`
//! or the plain text that upstream sends.

mod accept;
mod certificate;
mod checks;
mod discovery;
mod openapi;
mod respond;
mod route;
pub mod service;
mod stall;
mod swagger;
mod table;
pub mod tls;
mod watch;

pub use certificate::Certificate;
pub use openapi::{Documents, component_of};
pub use watch::classify;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use crate::auth::{self, Attributes};
use crate::catalog::Resource;
use crate::engine::selector::Selection;
use crate::engine::{
    Body, Context, DeleteOptions, Engine, Format, ListOptions, PatchBody, Place, Query, Removed,
    Reply, Wanted, WriteOptions, parse_query,
};
use crate::failure::{Answered, Failure, Named};
use crate::faults::Armed;
use crate::kinds;
use crate::workloads::logs;

use accept::Accepted;
use respond::Responder;
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
    respond::compress(&incoming.headers, response)
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
            call.path(context, other)
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
        let asked = self.query.get("timeout").and_then(|v| v.first());
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
            return Ok(REQUEST_TIME);
        };
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

    fn path(&self, context: &Context, route: Route) -> Answered<Response<ResponseBody>> {
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
        let _ = context;
        let accept = header_text(&self.incoming.headers, "accept");
        let catalog = self.engine.catalog();
        match route {
            Route::Health(check) => respond::health(&check, &self.query),
            Route::Version => {
                accept::routed(accept, &["application/json"])?;
                Ok(respond::indented(&crate::catalog::facts().version))
            }
            Route::Metrics => Ok(respond::metrics(&self.engine)),
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

    async fn resource(
        &self,
        context: &Context,
        place: Place,
        old_watch: bool,
    ) -> Answered<Response<ResponseBody>> {
        let verb = self.verb(&place, old_watch)?;
        self.authorize_resource(context, &place, verb)?;
        let armed = self.engine.let_in(&context.user, verb, &place).await?;
        if let Some(custom) = &place.resource.custom
            && !custom.deprecation.is_empty()
        {
            context.warn(custom.deprecation.clone());
        }
        if !place.sub.is_empty() && place.resource.subresource(&place.sub).is_none() {
            return Err(no_subresource(&place));
        }
        if !self.serves(&place, verb) {
            if place.resource.custom.is_some() && place.sub == "status" {
                let message = format!(
                    "{verb} is not supported on resources of kind \"{}.{}\"",
                    place.resource.plural(),
                    place.resource.group()
                );
                let named = Named {
                    name: "",
                    ..place.named()
                };
                return Err(Failure::about(405, "MethodNotAllowed", named, message));
            }
            return Err(Failure::method_not_allowed());
        }
        let accepted = self.accept(&place, verb == "watch")?;
        if accepted.shape == accept::Shape::Table {
            self.check_include()?;
        }
        let responder = Responder {
            engine: &self.engine,
            accepted,
            pretty: self.pretty(),
            query: &self.query,
        };
        if place.resource.is("", "componentstatuses") {
            context.warn("v1 ComponentStatus is deprecated in v1.19+");
        }
        if place.resource.is("", "endpoints") && place.sub.is_empty() {
            context.warn(
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
            );
        }
        let terminating = place
            .resource
            .custom
            .as_ref()
            .is_some_and(|c| c.terminating);
        if verb == "create" && terminating {
            let named = Named {
                name: "",
                ..place.named()
            };
            let message = "create not allowed while custom resource definition is terminating";
            return Err(Failure::about(405, "MethodNotAllowed", named, message));
        }
        let response = match verb {
            "get" => self.get(&place, &responder, &armed).await?,
            "list" => self.list(&place, &responder, &armed).await?,
            "watch" => return self.watch(context, &place, &responder, old_watch).await,
            "create" => self.create(context, &place, &responder)?,
            "update" => self.update(context, &place, &responder)?,
            "patch" => self.patch(context, &place, &responder)?,
            "delete" => self.delete(context, &place, &responder)?,
            _ => self.delete_collection(context, &place, &responder)?,
        };
        if !matches!(verb, "get" | "list") {
            armed.committed(&self.engine)?;
            self.engine
                .store
                .flushed()
                .await
                .map_err(|why| Failure::new(507, "InternalError", why))?;
            armed.durable()?;
        }
        Ok(response)
    }

    fn verb(&self, place: &Place, old_watch: bool) -> Answered<&'static str> {
        let watching = old_watch || self.asks_for_watch();
        let named = !place.name.is_empty();
        if old_watch && matches!(self.incoming.method, Method::GET | Method::HEAD) {
            return Ok("watch");
        }
        verb_of(&self.incoming.method, named, watching).ok_or_else(Failure::method_not_allowed)
    }

    /// Tells whether a verb is routed at a place.
    fn serves(&self, place: &Place, verb: &str) -> bool {
        let named = !place.name.is_empty();
        if !place.sub.is_empty() {
            let sub = place.resource.subresource(&place.sub);
            return named && sub.is_some_and(|sub| sub.verbs.iter().any(|v| v == verb));
        }
        let fits = match verb {
            "create" => !named && (!place.resource.api.namespaced || !place.namespace.is_empty()),
            "list" => !named,
            "deletecollection" => {
                !named && (!place.resource.api.namespaced || !place.namespace.is_empty())
            }
            "watch" => true,
            _ => named,
        };
        fits && place.resource.serves(verb)
    }

    fn authorize_resource(&self, context: &Context, place: &Place, verb: &str) -> Answered<()> {
        let mut wanted = Attributes::at(verb, place);
        if place.resource.is("", "namespaces") && !place.name.is_empty() {
            wanted.namespace = &place.name;
        }
        let selected = if matches!(verb, "list" | "watch" | "deletecollection") {
            let fields = self.query.get("fieldSelector").and_then(|f| f.first());
            fields
                .and_then(|fields| Selection::parse(&place.resource, "", fields).ok())
                .and_then(|selection| selection.name().map(str::to_owned))
        } else {
            None
        };
        if let Some(name) = &selected {
            wanted.name = name;
        }
        auth::authorize(&self.engine, context, &wanted)
    }

    fn accept(&self, place: &Place, stream: bool) -> Answered<Accepted> {
        let header = header_text(&self.incoming.headers, "accept");
        if place.resource.custom.is_none() {
            let read = matches!(self.incoming.method, Method::GET | Method::HEAD);
            let watchable = place.resource.serves("watch") && place.sub.is_empty();
            let collection = read && watchable && (place.name.is_empty() || stream);
            accept::routed_resource(header, collection)?;
        }
        let offer = accept::Offer {
            custom: place.resource.custom.is_some(),
            transforms: true,
            stream,
        };
        accept::negotiate(header, offer)
    }

    fn check_include(&self) -> Answered<()> {
        let asked = self.query.get("includeObject").and_then(|v| v.first());
        match asked.map_or("", String::as_str) {
            "" | "Metadata" | "Object" | "None" => Ok(()),
            other => Err(Failure::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: \"{other}\": must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }

    /// Tells whether JSON is indented: asked for, or for people with a browser or a plain HTTP tool.
    fn pretty(&self) -> bool {
        const TOOLS: [&str; 3] = ["curl", "Wget", "Mozilla/5.0"];
        match self.query.get("pretty").and_then(|v| v.first()) {
            Some(asked) if !asked.is_empty() => {
                matches!(asked.as_str(), "1" | "t" | "T" | "TRUE" | "true" | "True")
            }
            _ => {
                let agent = header_text(&self.incoming.headers, "user-agent");
                TOOLS.iter().any(|tool| agent.starts_with(tool))
            }
        }
    }

    async fn get(
        &self,
        place: &Place,
        responder: &Responder<'_>,
        armed: &Armed,
    ) -> Answered<Response<ResponseBody>> {
        if place.sub == "scale" {
            let map = kinds::scale::get(&self.engine, place)?;
            return responder.object(place, 200, &Reply::Loose(Box::new(map)));
        }
        if place.sub == "log" {
            return logs::answer(&self.engine, place, &self.query)
                .map(|text| respond::text(200, text));
        }
        if matches!(
            place.sub.as_str(),
            "exec" | "attach" | "portforward" | "proxy"
        ) {
            return Err(kinds::posts::no_node(&self.engine, place));
        }
        let options = ListOptions {
            resource_version: self
                .query
                .get("resourceVersion")
                .and_then(|v| v.first())
                .cloned()
                .unwrap_or_default(),
            ..ListOptions::default()
        };
        crate::engine::parse_exact_version(&options.resource_version)?;
        self.engine.await_version(&options).await?;
        let entry = match options.resource_version.as_str() {
            "0" => self.engine.get_stale(place, armed.stale_versions())?,
            _ => self.engine.get(place)?,
        };
        responder.object(place, 200, &Reply::Stored(entry))
    }

    async fn list(
        &self,
        place: &Place,
        responder: &Responder<'_>,
        armed: &Armed,
    ) -> Answered<Response<ResponseBody>> {
        let mut options = ListOptions::read(&self.query)?;
        self.engine.age(&mut options, armed.stale_versions());
        self.engine.await_version(&options).await?;
        let listing = self.engine.list(place, &options)?;
        responder.list(place, &listing)
    }

    async fn watch(
        &self,
        context: &Context,
        place: &Place,
        responder: &Responder<'_>,
        old: bool,
    ) -> Answered<Response<ResponseBody>> {
        let mut options = ListOptions::read(&self.query)?;
        options.watch = true;
        let mut place = place.clone();
        if old && !place.name.is_empty() {
            options.fields = format!("metadata.name={}", place.name);
            place.name.clear();
        }
        let watching = self.engine.watch(&place, &options)?;
        watch::respond(
            self.engine.clone(),
            place,
            &responder.accepted,
            responder.include_object(),
            watching,
            &options,
            watch::Watcher {
                user: context.user.name.clone(),
                stop: self.stop.clone(),
            },
        )
    }

    fn body(&self, resource: &Resource) -> Answered<Body> {
        let format = self.format(resource.custom.is_some())?;
        Ok(Body::Raw(self.incoming.body.clone(), format))
    }

    /// Reads the body's encoding from its header.
    fn format(&self, custom: bool) -> Answered<Format> {
        let header = header_text(&self.incoming.headers, "content-type");
        let mut parts = header.split(';').map(str::trim);
        let media = parts.next().unwrap_or("");
        let readable = parts.all(|part| part.is_empty() || part.contains('='));
        match media {
            "" => Ok(Format::Json),
            "application/json" if readable => Ok(Format::Json),
            "application/yaml" if readable => Ok(Format::Yaml),
            "application/vnd.kubernetes.protobuf" if readable && !custom => Ok(Format::Protobuf),
            _ => {
                let count = if custom { 2 } else { 3 };
                let types = accept::ROUTED[..count].join(", ");
                let message = format!(
                    "the body of the request was in an unknown format - accepted media types include: {types}"
                );
                Err(Failure::new(415, "UnsupportedMediaType", message))
            }
        }
    }

    fn create(
        &self,
        context: &Context,
        place: &Place,
        responder: &Responder<'_>,
    ) -> Answered<Response<ResponseBody>> {
        let options = WriteOptions::read(&self.query, "CreateOptions", false)?;
        let body = self.body(&place.resource)?;
        if !place.sub.is_empty() || place.resource.is("", "bindings") {
            let write = self.engine.write(context, place, &options);
            let reply = kinds::posts::create(&write, &body)?;
            return responder.created(place, &reply);
        }
        let written = self.engine.create(context, place, &body, &options)?;
        responder.object(place, 201, &written.reply)
    }

    fn update(
        &self,
        context: &Context,
        place: &Place,
        responder: &Responder<'_>,
    ) -> Answered<Response<ResponseBody>> {
        let options = WriteOptions::read(&self.query, "UpdateOptions", false)?;
        let body = self.body(&place.resource)?;
        let written = self.engine.update(context, place, &body, &options)?;
        let code = if written.created { 201 } else { 200 };
        responder.object(place, code, &written.reply)
    }

    fn patch(
        &self,
        context: &Context,
        place: &Place,
        responder: &Responder<'_>,
    ) -> Answered<Response<ResponseBody>> {
        let media = header_text(&self.incoming.headers, "content-type");
        let apply = media.starts_with("application/apply-patch+yaml");
        let custom = place.resource.custom.is_some();
        let patch = PatchBody::read(media, self.incoming.body.clone(), custom)?;
        let mut options = WriteOptions::read(&self.query, "PatchOptions", apply)?;
        options.oddities = match &patch {
            PatchBody::Apply(_) => crate::engine::Repeated::default(),
            PatchBody::Json(_) => crate::engine::Repeated {
                texts: crate::engine::oddities_of_json_patch(&self.incoming.body),
                ..crate::engine::Repeated::default()
            },
            PatchBody::Merge(_) | PatchBody::Strategic(_) => crate::engine::Repeated {
                paths: crate::engine::duplicate_keys(&self.incoming.body),
                ..crate::engine::Repeated::default()
            },
        };
        let written = self.engine.patch(context, place, &patch, &options)?;
        let code = if written.created { 201 } else { 200 };
        responder.object(place, code, &written.reply)
    }

    fn delete_options(&self) -> Answered<DeleteOptions> {
        let bytes = &self.incoming.body;
        if bytes.is_empty() {
            return DeleteOptions::read(&self.query, None);
        }
        let body = self.format(false)?;
        let wanted = Wanted {
            api_version: "meta.k8s.io/v1",
            kind: "DeleteOptions",
            custom: false,
        };
        let map = Body::Raw(bytes.clone(), body)
            .decode(wanted)
            .map_err(|failure| bare_decoding(failure, wanted.kind))?;
        kinds::deletion::check_options(&map)?;
        DeleteOptions::read(&self.query, Some(&map))
    }

    fn delete(
        &self,
        context: &Context,
        place: &Place,
        responder: &Responder<'_>,
    ) -> Answered<Response<ResponseBody>> {
        let options = self.delete_options()?;
        match self.engine.delete(context, place, &options)? {
            Removed::Gone { last, .. } if kinds::rules::answers_with_deleted(&place.resource) => {
                responder.object(place, 200, &Reply::Stored(last))
            }
            Removed::Gone { uid, .. } => {
                let named = Named {
                    group: place.resource.group(),
                    kind: place.resource.plural(),
                    name: &place.name,
                };
                responder.deleted(named, &uid)
            }
            Removed::Marked(reply) => responder.object(place, 200, &reply),
        }
    }

    fn delete_collection(
        &self,
        context: &Context,
        place: &Place,
        responder: &Responder<'_>,
    ) -> Answered<Response<ResponseBody>> {
        let options = self.delete_options()?;
        let list = ListOptions::read(&self.query)?;
        let (removed, listing) = self
            .engine
            .delete_collection(context, place, &list, &options)?;
        responder.loose_list(place, &removed, &listing)
    }
}

/// Leaves out what upstream says only about bodies of resources.
fn bare_decoding(mut failure: Box<Failure>, kind: &str) -> Box<Failure> {
    let prefix = format!("the object provided is unrecognized (must be of type {kind}): ");
    let message = &failure.status.message;
    if let Some(rest) = message.strip_prefix(&prefix)
        && let Some((why, _)) = rest.rsplit_once(" (")
    {
        failure.status.message = why.to_owned();
    }
    failure
}

/// Custom kinds are served by one handler, which looks for the object first.
fn no_subresource(place: &Place) -> Box<Failure> {
    if place.resource.custom.is_some() {
        return Failure::not_found(place.named());
    }
    Failure::no_resource()
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

/// Builds a response that anybody may keep for an hour.
pub fn public(media: &str, value: &impl serde::Serialize) -> Response<ResponseBody> {
    let mut response = respond::build(200, media, respond::to_bytes(value).into());
    respond::insert(
        response.headers_mut(),
        "cache-control",
        "public, max-age=3600",
    );
    response
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

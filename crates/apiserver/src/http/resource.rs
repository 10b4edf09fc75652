//! A request for a resource: what it asks for, whether that is served and allowed, and what the client accepts.

use http::{Method, Response};

use super::accept::{self, Accepted, Shape};
use super::action::Action;
use super::responder::Responder;
use super::{Call, ResponseBody, header_text, verb_of};
use crate::auth::{self, Attributes};
use crate::engine::selector::Selection;
use crate::engine::{Context, Place, first};
use crate::failure::{Answered, Failure, Named};
use crate::faults::Armed;

impl Call<'_> {
    /// Answers a request for a resource; `old_watch` where its path begins with `watch/`.
    pub(super) async fn resource(
        &self,
        context: &Context,
        place: Place,
        old_watch: bool,
    ) -> Answered<Response<ResponseBody>> {
        let verb = self.verb(&place, old_watch)?;
        self.authorize_resource(context, &place, verb)?;
        let armed = self.engine.let_in(&context.user, verb, &place).await?;
        check_served(context, &place, verb)?;
        let accepted = self.accept(&place, verb == "watch")?;
        warn_deprecated(context, &place);
        check_creatable(&place, verb)?;
        let responder = Responder {
            engine: &self.engine,
            accepted,
            pretty: self.pretty(),
            query: &self.query,
        };
        let action = Action {
            call: self,
            context,
            place: &place,
            responder: &responder,
        };
        let response = match verb {
            "get" => return action.get(&armed).await,
            "list" => return action.list(&armed).await,
            "watch" => return action.watch(old_watch).await,
            "create" => action.create()?,
            "update" => action.update()?,
            "patch" => action.patch()?,
            "delete" => action.delete()?,
            _ => action.delete_collection()?,
        };
        self.settle(&armed).await?;
        Ok(response)
    }

    /// Waits until a write is on disk.
    async fn settle(&self, armed: &Armed) -> Answered<()> {
        armed.committed(&self.engine)?;
        let flushed = self.engine.store.flushed().await;
        flushed.map_err(|why| Failure::new(507, "InternalError", why))?;
        armed.durable()
    }

    fn verb(&self, place: &Place, old_watch: bool) -> Answered<&'static str> {
        let watching = old_watch || self.asks_for_watch();
        let named = !place.name.is_empty();
        if old_watch && matches!(self.incoming.method, Method::GET | Method::HEAD) {
            return Ok("watch");
        }
        verb_of(&self.incoming.method, named, watching).ok_or_else(Failure::method_not_allowed)
    }

    fn authorize_resource(&self, context: &Context, place: &Place, verb: &str) -> Answered<()> {
        let mut wanted = Attributes::at(verb, place);
        if place.resource.is("", "namespaces") && !place.name.is_empty() {
            wanted.namespace = &place.name;
        }
        let selected = matches!(verb, "list" | "watch" | "deletecollection")
            .then(|| Selection::parse(&place.resource, "", first(&self.query, "fieldSelector")))
            .and_then(Result::ok)
            .and_then(|selection| selection.name().map(str::to_owned));
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
        let accepted = accept::negotiate(header, offer)?;
        if accepted.shape == Shape::Table {
            check_include(first(&self.query, "includeObject"))?;
        }
        Ok(accepted)
    }

    /// Tells whether JSON is indented: asked for, or for people with a browser or a plain HTTP tool.
    fn pretty(&self) -> bool {
        const TOOLS: [&str; 3] = ["curl", "Wget", "Mozilla/5.0"];
        match first(&self.query, "pretty") {
            "" => {
                let agent = header_text(&self.incoming.headers, "user-agent");
                TOOLS.iter().any(|tool| agent.starts_with(tool))
            }
            asked => matches!(asked, "1" | "t" | "T" | "TRUE" | "true" | "True"),
        }
    }
}

/// Refuses subresources and verbs that a resource does not have.
fn check_served(context: &Context, place: &Place, verb: &str) -> Answered<()> {
    let custom = place.resource.custom.as_ref();
    if let Some(custom) = custom.filter(|custom| !custom.deprecation.is_empty()) {
        context.warn(custom.deprecation.clone());
    }
    if !place.sub.is_empty() && place.resource.subresource(&place.sub).is_none() {
        return Err(no_subresource(place));
    }
    if serves(place, verb) {
        return Ok(());
    }
    if custom.is_some() && place.sub == "status" {
        let message = format!(
            "{verb} is not supported on resources of kind \"{}.{}\"",
            place.resource.plural(),
            place.resource.group()
        );
        return Err(not_allowed(place, message));
    }
    Err(Failure::method_not_allowed())
}

/// Tells whether a verb is routed at a place.
fn serves(place: &Place, verb: &str) -> bool {
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

/// Custom kinds are served by one handler, which looks for the object first.
fn no_subresource(place: &Place) -> Box<Failure> {
    if place.resource.custom.is_some() {
        return Failure::not_found(place.named());
    }
    Failure::no_resource()
}

/// Refuses new objects of a kind whose definition is going.
fn check_creatable(place: &Place, verb: &str) -> Answered<()> {
    let custom = place.resource.custom.as_ref();
    if verb == "create" && custom.is_some_and(|custom| custom.terminating) {
        let message = "create not allowed while custom resource definition is terminating";
        return Err(not_allowed(place, message));
    }
    Ok(())
}

fn not_allowed(place: &Place, message: impl Into<String>) -> Box<Failure> {
    let named = Named {
        name: "",
        ..place.named()
    };
    Failure::about(405, "MethodNotAllowed", named, message)
}

fn warn_deprecated(context: &Context, place: &Place) {
    if place.resource.is("", "componentstatuses") {
        context.warn("v1 ComponentStatus is deprecated in v1.19+");
    }
    if place.resource.is("", "endpoints") && place.sub.is_empty() {
        context.warn("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
    }
}

/// Refuses a table with rows of an unknown form.
fn check_include(asked: &str) -> Answered<()> {
    if matches!(asked, "" | "Metadata" | "Object" | "None") {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "Unable to convert to Table as requested: includeObject: Invalid value: \"{asked}\": must be 'Metadata', 'Object', 'None', or empty"
    )))
}

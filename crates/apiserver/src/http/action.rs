//! What a request does once it has been let in: one method a verb.

use http::Response;

use super::respond;
use super::responder::Responder;
use super::{Call, ResponseBody, accept, header_text, watch};
use crate::engine::{
    Body, Context, DeleteOptions, Engine, Format, ListOptions, PatchBody, Place, Query, Removed,
    Repeated, Reply, Wanted, WriteOptions, Written, duplicate_keys, first, oddities_of_json_patch,
    parse_exact_version,
};
use crate::failure::{Answered, Failure};
use crate::faults::Armed;
use crate::kinds;
use crate::workloads::logs;

/// A request that is served and allowed.
pub(super) struct Action<'a> {
    pub call: &'a Call<'a>,
    pub context: &'a Context,
    pub place: &'a Place,
    pub responder: &'a Responder<'a>,
}

type Answer = Answered<Response<ResponseBody>>;

impl Action<'_> {
    pub async fn get(&self, armed: &Armed) -> Answer {
        let (engine, place) = (self.engine(), self.place);
        match place.sub.as_str() {
            "scale" => {
                let map = kinds::scale::get(engine, place)?;
                return self
                    .responder
                    .object(place, 200, &Reply::Loose(Box::new(map)));
            }
            "log" => {
                let text = logs::answer(engine, place, self.query())?;
                return Ok(respond::text(200, text));
            }
            "exec" | "attach" | "portforward" | "proxy" => {
                return Err(kinds::posts::no_node(engine, place));
            }
            _ => {}
        }
        let options = ListOptions {
            resource_version: first(self.query(), "resourceVersion").to_owned(),
            ..ListOptions::default()
        };
        parse_exact_version(&options.resource_version)?;
        engine.await_version(&options).await?;
        let entry = match options.resource_version.as_str() {
            "0" => engine.get_stale(place, armed.stale_versions())?,
            _ => engine.get(place)?,
        };
        self.responder.object(place, 200, &Reply::Stored(entry))
    }

    pub async fn list(&self, armed: &Armed) -> Answer {
        let engine = self.engine();
        let mut options = ListOptions::read(self.query())?;
        engine.age(&mut options, armed.stale_versions());
        engine.await_version(&options).await?;
        let listing = engine.list(self.place, &options)?;
        self.responder.list(self.place, &listing)
    }

    /// Watches a collection, or the one object that an old path names.
    pub async fn watch(&self, old: bool) -> Answer {
        let mut options = ListOptions::read(self.query())?;
        options.watch = true;
        let mut place = self.place.clone();
        if old && !place.name.is_empty() {
            options.fields = format!("metadata.name={}", place.name);
            place.name.clear();
        }
        let watching = self.engine().watch(&place, &options)?;
        watch::respond(
            self.call.engine.clone(),
            place,
            &self.responder.accepted,
            self.responder.include_object(),
            watching,
            &options,
            watch::Watcher {
                user: self.context.user.name.clone(),
                stop: self.call.stop.clone(),
            },
        )
    }

    pub fn create(&self) -> Answer {
        let (engine, place) = (self.engine(), self.place);
        let options = WriteOptions::read(self.query(), "CreateOptions", false)?;
        let body = self.body()?;
        if !place.sub.is_empty() || place.resource.is("", "bindings") {
            let write = engine.write(self.context, place, &options);
            let reply = kinds::posts::create(&write, &body)?;
            return self.responder.created(place, &reply);
        }
        let written = engine.create(self.context, place, &body, &options)?;
        self.responder.object(place, 201, &written.reply)
    }

    pub fn update(&self) -> Answer {
        let options = WriteOptions::read(self.query(), "UpdateOptions", false)?;
        let body = self.body()?;
        let engine = self.engine();
        self.written(engine.update(self.context, self.place, &body, &options)?)
    }

    pub fn patch(&self) -> Answer {
        let bytes = &self.call.incoming.body;
        let media = header_text(&self.call.incoming.headers, "content-type");
        let apply = media.starts_with("application/apply-patch+yaml");
        let custom = self.place.resource.custom.is_some();
        let patch = PatchBody::read(media, bytes.clone(), custom)?;
        let mut options = WriteOptions::read(self.query(), "PatchOptions", apply)?;
        options.oddities = match &patch {
            PatchBody::Apply(_) => Repeated::default(),
            PatchBody::Json(_) => Repeated {
                texts: oddities_of_json_patch(bytes),
                ..Repeated::default()
            },
            PatchBody::Merge(_) | PatchBody::Strategic(_) => Repeated {
                paths: duplicate_keys(bytes),
                ..Repeated::default()
            },
        };
        let engine = self.engine();
        self.written(engine.patch(self.context, self.place, &patch, &options)?)
    }

    fn written(&self, written: Written) -> Answer {
        let code = if written.created { 201 } else { 200 };
        self.responder.object(self.place, code, &written.reply)
    }

    pub fn delete(&self) -> Answer {
        let place = self.place;
        let options = self.delete_options()?;
        match self.engine().delete(self.context, place, &options)? {
            Removed::Gone { last, .. } if kinds::rules::answers_with_deleted(&place.resource) => {
                self.responder.object(place, 200, &Reply::Stored(last))
            }
            Removed::Gone { uid, .. } => self.responder.deleted(place.named(), &uid),
            Removed::Marked(reply) => self.responder.object(place, 200, &reply),
        }
    }

    pub fn delete_collection(&self) -> Answer {
        let options = self.delete_options()?;
        let list = ListOptions::read(self.query())?;
        let (removed, listing) =
            self.engine()
                .delete_collection(self.context, self.place, &list, &options)?;
        self.responder.loose_list(self.place, &removed, &listing)
    }

    fn delete_options(&self) -> Answered<DeleteOptions> {
        let bytes = &self.call.incoming.body;
        if bytes.is_empty() {
            return DeleteOptions::read(self.query(), None);
        }
        let wanted = Wanted {
            api_version: "meta.k8s.io/v1",
            kind: "DeleteOptions",
            custom: false,
        };
        let map = Body::Raw(bytes.clone(), self.format(false)?)
            .decode(wanted)
            .map_err(|failure| bare_decoding(failure, wanted.kind))?;
        kinds::deletion::check_options(&map)?;
        DeleteOptions::read(self.query(), Some(&map))
    }

    fn body(&self) -> Answered<Body> {
        let format = self.format(self.place.resource.custom.is_some())?;
        Ok(Body::Raw(self.call.incoming.body.clone(), format))
    }

    /// Reads the body's encoding from its header.
    fn format(&self, custom: bool) -> Answered<Format> {
        let header = header_text(&self.call.incoming.headers, "content-type");
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

    fn engine(&self) -> &Engine {
        &self.call.engine
    }

    fn query(&self) -> &Query {
        &self.call.query
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

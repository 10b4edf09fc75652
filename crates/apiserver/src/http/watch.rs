//! Watch responses: one JSON line or protobuf frame an event, for as long as client and server like.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use objects::{Map, Value, json};
use tokio::time::Instant;

use super::accept::{Accepted, Encoding, Shape};
use super::respond::{insert, partial, to_bytes};
use super::table::{self, Include};
use super::{ResponseBody, status};
use crate::engine::{Engine, ListOptions, Place, Watching};
use crate::failure::{Answered, Failure};
use crate::faults::Fault;
use crate::kinds;
use crate::store::{Cursor, Entry, Event};

/// Events read from the ring at once.
const BATCH: usize = 128;
/// Lines are joined up to this size, so that a watcher that does not read holds little.
const FRAME_BYTES_MAX: usize = 256 << 10;
/// Time between bookmarks.
const BOOKMARK_EVERY: Duration = Duration::from_secs(57);
/// Shortest time after which the server ends a watch that names no end.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

/// Everything a running watch needs.
struct Stream {
    engine: Arc<Engine>,
    place: Place,
    shape: Shape,
    encoding: Encoding,
    include: Include,
    bookmarks: bool,
    columns_sent: bool,
    pending: VecDeque<Bytes>,
    cursor: Option<Cursor>,
    selection: crate::engine::selector::Selection,
    ends: Instant,
    next_bookmark: Instant,
    stop: tokio::sync::watch::Receiver<bool>,
    /// Who watches, for the rules of faults.
    user: String,
    done: bool,
}

/// Who watches, and what ends all watches.
pub struct Watcher {
    /// User name.
    pub user: String,
    /// Set when the server stops.
    pub stop: tokio::sync::watch::Receiver<bool>,
}

/// Answers a watch.
pub fn respond(
    engine: Arc<Engine>,
    place: Place,
    accepted: &Accepted,
    include: Include,
    watching: Watching,
    options: &ListOptions,
    watcher: Watcher,
) -> Answered<Response<ResponseBody>> {
    let timeout = if options.timeout_seconds > 0 {
        Duration::from_secs(options.timeout_seconds)
    } else {
        // Spread the ends of many watches over half an hour.
        let spread = u64::from(engine.environment.ids.bytes()[0]) * 7;
        DEFAULT_TIMEOUT + Duration::from_secs(spread)
    };
    let now = Instant::now();
    let mut stream = Stream {
        engine,
        place,
        shape: accepted.shape,
        encoding: accepted.encoding,
        include,
        bookmarks: options.bookmarks,
        columns_sent: false,
        pending: VecDeque::new(),
        cursor: None,
        selection: watching.selection,
        ends: now + timeout,
        next_bookmark: now + BOOKMARK_EVERY,
        stop: watcher.stop,
        user: watcher.user,
        done: false,
    };
    for entry in &watching.initial {
        let line = stream.line("ADDED", entry);
        stream.pending.push_back(line);
    }
    if watching.marked {
        let line = stream.bookmark(watching.revision, true);
        stream.pending.push_back(line);
    }
    match watching.cursor {
        Ok(cursor) => stream.cursor = Some(cursor),
        Err(failure) => {
            let line = stream.error_line(&failure);
            stream.pending.push_back(line);
        }
    }
    let frames = stream::unfold(stream, |mut stream| async move {
        let bytes = stream.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), stream))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = status(200);
    insert(
        response.headers_mut(),
        "content-type",
        accepted.content_type,
    );
    Ok(response)
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.drain() {
                return Some(bytes);
            }
            if self.done || *self.stop.borrow() {
                return None;
            }
            let cursor = self.cursor.as_mut()?;
            tokio::select! {
                events = cursor.next(BATCH) => match events {
                    Ok(events) => self.deliver(&events).await,
                    Err(expired) => {
                        let message = format!("too old resource version: {} ({})", cursor.position(), expired.floor);
                        let line = self.error_line(&Failure::expired(message));
                        self.pending.push_back(line);
                        self.done = true;
                    }
                },
                () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                    self.next_bookmark += BOOKMARK_EVERY;
                    self.push_bookmark();
                }
                () = tokio::time::sleep_until(self.ends) => {
                    if self.bookmarks {
                        self.push_bookmark();
                    }
                    self.done = true;
                }
                _ = self.stop.changed() => self.done = true,
            }
        }
    }

    /// Delivers events, unless a fault gets in between.
    async fn deliver(&mut self, events: &[Arc<Event>]) {
        match self.engine.injector.on_events(&self.place, &self.user) {
            Some(Fault::Delay(duration)) => self.engine.environment.clock.sleep(duration).await,
            Some(Fault::WatchExpired) => {
                let line = self.error_line(&Failure::expired("too old resource version"));
                self.pending.push_back(line);
                self.done = true;
                return;
            }
            Some(Fault::WatchCut) => {
                self.done = true;
                return;
            }
            _ => {}
        }
        self.push(events);
    }

    /// Joins what is waiting into one frame.
    fn drain(&mut self) -> Option<Bytes> {
        let mut size = 0;
        let fits = |line: &&Bytes| {
            size += line.len();
            size <= FRAME_BYTES_MAX
        };
        let count = self.pending.iter().take_while(fits).count();
        if count <= 1 {
            // A large line is sent as it is, shared with all watchers.
            return self.pending.pop_front();
        }
        let mut joined = Vec::with_capacity(FRAME_BYTES_MAX.min(size));
        for line in self.pending.drain(..count) {
            joined.extend_from_slice(&line);
        }
        Some(joined.into())
    }

    fn push(&mut self, events: &[Arc<Event>]) {
        for event in events {
            let namespace = &self.place.namespace;
            if !namespace.is_empty() && event.state.meta.namespace != namespace.as_str() {
                continue;
            }
            if let Some((kind, entry)) = classify(&self.selection, event) {
                let line = self.event_line(kind, &entry, event);
                self.pending.push_back(line);
            }
        }
    }

    fn push_bookmark(&mut self) {
        let revision = self.cursor.as_mut().and_then(Cursor::caught_up);
        if let Some(revision) = revision {
            let line = self.bookmark(revision, false);
            self.pending.push_back(line);
        }
    }

    /// Writes an event; plain JSON lines in the stored version are shared among all watchers.
    fn event_line(&mut self, kind: &str, entry: &Arc<Entry>, event: &Event) -> Bytes {
        let shared = self.shape == Shape::Object
            && self.encoding == Encoding::Json
            && Arc::ptr_eq(entry, &event.state)
            && kind == natural_kind(event)
            && kinds::convert::stored_as_is(&self.place.resource, &entry.meta.version)
            && self.place.resource.version() == entry.meta.version;
        if shared {
            return event
                .line
                .get_or_init(|| self.plain_line(kind, entry))
                .clone();
        }
        self.line(kind, entry)
    }

    fn plain_line(&self, kind: &str, entry: &Entry) -> Bytes {
        let resource = &self.place.resource;
        let mut line = Vec::with_capacity(entry.body.len() + 96);
        line.extend_from_slice(b"{\"type\":\"");
        line.extend_from_slice(kind.as_bytes());
        line.extend_from_slice(b"\",\"object\":");
        entry.write(&mut line, &resource.api_version, resource.kind());
        line.extend_from_slice(b"}\n");
        line.into()
    }

    fn line(&mut self, kind: &str, entry: &Entry) -> Bytes {
        let resource = self.place.resource.clone();
        match self.shape {
            Shape::Object
                if self.encoding == Encoding::Json
                    && kinds::convert::stored_as_is(&resource, &entry.meta.version) =>
            {
                self.plain_line(kind, entry)
            }
            Shape::Object => {
                let map = self.engine.decode_entry(&resource, entry);
                self.event_bytes(kind, Value::Object(map))
            }
            Shape::Metadata => {
                let map = self.engine.decode_entry(&resource, entry);
                self.event_bytes(kind, partial(&map))
            }
            Shape::Table => {
                let map = self.engine.decode_entry(&resource, entry);
                let table = self.table(&map);
                self.event_bytes(kind, table)
            }
        }
    }

    /// Encodes an event as a JSON line or a protobuf frame.
    fn event_bytes(&self, kind: &str, object: Value) -> Bytes {
        if let (Encoding::Protobuf, Value::Object(map)) = (self.encoding, &object) {
            // Negotiation has made sure that the kind has a protobuf form.
            return crate::proto::frame(kind, map).unwrap_or_default().into();
        }
        let mut bytes = to_bytes(&json!({"type": kind, "object": object}));
        bytes.push(b'\n');
        bytes.into()
    }

    fn error_line(&self, failure: &Failure) -> Bytes {
        self.event_bytes("ERROR", failure.to_value())
    }

    fn table(&mut self, object: &Map) -> Value {
        let columns = if self.columns_sent {
            Value::Null
        } else {
            table::columns(&self.place)
        };
        self.columns_sent = true;
        json!({
            "kind": "Table", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": crate::engine::metadata_text(object, "resourceVersion")},
            "columnDefinitions": columns,
            "rows": [table::row(&self.engine, &self.place, object, self.include)],
        })
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool) -> Bytes {
        let resource = &self.place.resource;
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.shape {
            Shape::Object => {
                json!({"kind": resource.kind(), "apiVersion": resource.api_version, "metadata": metadata})
            }
            Shape::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Shape::Table => {
                json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": revision.to_string()},
                    "columnDefinitions": null, "rows": [{"cells": null, "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}}]})
            }
        };
        self.event_bytes("BOOKMARK", object)
    }
}

fn natural_kind(event: &Event) -> &'static str {
    match (event.removed, &event.old) {
        (true, _) => "DELETED",
        (false, None) => "ADDED",
        (false, Some(_)) => "MODIFIED",
    }
}

/// Says how an event looks to a selection: objects may enter or leave it.
pub fn classify(
    selection: &crate::engine::selector::Selection,
    event: &Event,
) -> Option<(&'static str, Arc<Entry>)> {
    let before = event.old.as_ref().is_some_and(|old| selection.matches(old));
    if event.removed {
        return before.then(|| ("DELETED", event.state.clone()));
    }
    let after = selection.matches(&event.state);
    match (before, after) {
        (true, true) => Some(("MODIFIED", event.state.clone())),
        (false, true) => Some(("ADDED", event.state.clone())),
        // A leaver shows its previous content under the version of the change.
        (true, false) => event
            .old
            .as_ref()
            .map(|old| ("DELETED", Arc::new(old.resealed(event.revision)))),
        (false, false) => None,
    }
}

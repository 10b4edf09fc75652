//! Watches through the port: events of the store become objects of the resource's version.

use std::collections::VecDeque;
use std::sync::Arc;

use cluster::{Error, WatchEvent, WatchStream};
use futures::stream;

use super::{InProcess, shown};
use crate::engine::{Engine, Place, Watching};
use crate::failure::Failure;
use crate::faults::Fault;
use crate::store::{Cursor, Event};

/// Events read from the ring at once.
const BATCH: usize = 128;

struct Following {
    engine: Arc<Engine>,
    place: Place,
    metadata_only: bool,
    selection: crate::engine::selector::Selection,
    pending: VecDeque<Result<WatchEvent, Error>>,
    cursor: Option<Cursor>,
    stop: tokio::sync::watch::Receiver<bool>,
    user: String,
}

pub(super) fn follow(
    cluster: &InProcess,
    place: Place,
    watching: Watching,
    metadata_only: bool,
) -> WatchStream {
    let engine = cluster.engine.clone();
    let mut pending: VecDeque<_> = watching
        .initial
        .iter()
        .map(|entry| {
            let object = shown(&engine, &place.resource, entry, metadata_only);
            Ok(WatchEvent::Added(object))
        })
        .collect();
    let cursor = match watching.cursor {
        Ok(cursor) => Some(cursor),
        Err(failure) => {
            pending.push_back(Err(Error::from(failure)));
            None
        }
    };
    if cursor.is_some() {
        pending.push_back(Ok(WatchEvent::Bookmark(watching.revision.to_string())));
    }
    let following = Following {
        engine,
        place,
        metadata_only,
        selection: watching.selection,
        pending,
        cursor,
        stop: cluster.stop.clone(),
        user: cluster.user.name.clone(),
    };
    Box::pin(stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((event, following))
    }))
}

impl Following {
    async fn next(&mut self) -> Option<Result<WatchEvent, Error>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            let cursor = self.cursor.as_mut()?;
            let events = tokio::select! {
                events = cursor.next(BATCH) => events,
                _ = self.stop.changed() => return None,
            };
            match events {
                Ok(events) => match self.engine.injector.on_events(&self.place, &self.user) {
                    Some(Fault::WatchCut) => {
                        self.cursor = None;
                        return None;
                    }
                    Some(Fault::WatchExpired) => {
                        self.cursor = None;
                        return Some(Err(Failure::expired("too old resource version").into()));
                    }
                    fault => {
                        if let Some(Fault::Delay(duration)) = fault {
                            self.engine.environment.clock.sleep(duration).await;
                        }
                        self.push(&events);
                    }
                },
                Err(expired) => {
                    let message = format!(
                        "too old resource version: {} ({})",
                        cursor.position(),
                        expired.floor
                    );
                    self.cursor = None;
                    return Some(Err(Failure::expired(message).into()));
                }
            }
        }
    }

    fn push(&mut self, events: &[Arc<Event>]) {
        for event in events {
            let namespace = &self.place.namespace;
            if !namespace.is_empty() && event.state.meta.namespace != namespace.as_str() {
                continue;
            }
            let Some((kind, entry)) = crate::http::classify(&self.selection, event) else {
                continue;
            };
            let object = shown(
                &self.engine,
                &self.place.resource,
                &entry,
                self.metadata_only,
            );
            self.pending.push_back(Ok(match kind {
                "ADDED" => WatchEvent::Added(object),
                "DELETED" => WatchEvent::Deleted(object),
                _ => WatchEvent::Modified(object),
            }));
        }
    }
}

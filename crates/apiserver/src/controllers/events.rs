//! Events go an hour after they were last written, as upstream's lease on them does.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use jiff::{SignedDuration, Timestamp};

use crate::catalog::text;
use crate::engine::{Engine, Place};
use crate::store::{Entry, TableName};

const TABLE: &str = "/events";
/// Life of an event after its last write.
const LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Changes taken at once.
const BATCH: usize = 256;

/// Runs the controller.
pub async fn run(engine: Arc<Engine>) {
    let table = TableName::from(TABLE);
    loop {
        let (revision, entries) = engine.store.list(&table, "");
        let mut ends: BTreeMap<(Timestamp, u64), (CompactString, CompactString)> = BTreeMap::new();
        let end = |written: Option<&Entry>| {
            let from = match written {
                Some(entry) => written_at(entry),
                None => engine.environment.clock.now(),
            };
            from.checked_add(LIFE).unwrap_or(Timestamp::MAX)
        };
        for entry in entries {
            let key = (entry.meta.namespace.clone(), entry.meta.name.clone());
            ends.insert((end(Some(&entry)), entry.revision), key);
        }
        let Ok(mut cursor) = engine.store.follow(&table, revision) else {
            continue;
        };
        loop {
            let first = ends.keys().next().copied();
            tokio::select! {
                events = cursor.next(BATCH) => {
                    // A reader that fell behind starts over.
                    let Ok(events) = events else { break };
                    for event in events.iter().filter(|event| !event.removed) {
                        let meta = &event.state.meta;
                        let key = (meta.namespace.clone(), meta.name.clone());
                        let new = event.old.is_none().then_some(&*event.state);
                        ends.insert((end(new), event.state.revision), key);
                    }
                }
                () = reach(&engine, first) => expire(&engine, &mut ends),
            }
        }
    }
}

/// Returns when a stored event was made or last counted.
fn written_at(entry: &Entry) -> Timestamp {
    let event = entry.decode("v1", "Event");
    let times = [
        crate::engine::metadata_text(&event, "creationTimestamp"),
        text(&event, "lastTimestamp"),
    ];
    let times = times.iter().filter_map(|time| time.parse().ok());
    times.max().unwrap_or(Timestamp::MIN)
}

async fn reach(engine: &Engine, first: Option<(Timestamp, u64)>) {
    match first {
        Some((at, _)) => engine.environment.clock.until(at).await,
        None => std::future::pending().await,
    }
}

/// Removes what has reached its end and was not written since.
fn expire(engine: &Engine, ends: &mut BTreeMap<(Timestamp, u64), (CompactString, CompactString)>) {
    let now = engine.environment.clock.now();
    let resource = engine.builtin("", "v1", "events");
    while let Some(entry) = ends.first_entry() {
        let (at, revision) = *entry.key();
        if at > now {
            return;
        }
        let (namespace, name) = entry.remove();
        // An event that was written since has a later end of its own.
        let _ = engine.commit_removal(&Place::new(&resource, &namespace, &name), revision);
    }
}

//! The controllers inside the server, each a task that follows the store.
//!
//! They are level-triggered: an event only says which object to look at again.

mod aggregation;
mod crds;
mod events;
mod garbage;
mod namespaces;
mod quotas;
mod service_accounts;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use service_accounts::complete_namespace;

use crate::engine::{Context, Engine, User};
use crate::store::{Event, TableName};

/// Events taken from a ring at once.
const BATCH: usize = 256;

/// Starts the controllers; they end when `stop` becomes true.
pub fn start(
    engine: &Arc<Engine>,
    workloads: bool,
    stop: &watch::Sender<bool>,
) -> Vec<JoinHandle<()>> {
    let mut tasks = vec![
        spawn(stop, namespaces::run(engine.clone())),
        spawn(stop, service_accounts::run(engine.clone(), workloads)),
        spawn(stop, garbage::run(engine.clone())),
        spawn(stop, crds::run(engine.clone())),
        spawn(stop, aggregation::run(engine.clone())),
        spawn(stop, quotas::run(engine.clone())),
        spawn(stop, events::run(engine.clone())),
    ];
    if workloads {
        tasks.push(spawn(stop, crate::workloads::run(engine.clone())));
    }
    tasks
}

fn spawn(
    stop: &watch::Sender<bool>,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let mut stop = stop.subscribe();
    tokio::spawn(async move {
        tokio::select! {
            () = task => {}
            // The sender goes with the server; both mean the end.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    })
}

/// Builds the context of a controller.
pub(crate) fn context(name: &str) -> Context {
    Context::new(User::system(), name)
}

/// Calls `look` with every present object of a table as if it had just changed, then with every change.
///
/// A reader that fell behind starts over.
pub(crate) async fn follow(
    engine: &Arc<Engine>,
    table: &str,
    mut look: impl FnMut(&Seen<'_>) + Send,
) {
    let table = TableName::from(table);
    loop {
        let (revision, entries) = engine.store.list(&table, "");
        for entry in &entries {
            look(&Seen::Present(entry));
        }
        drop(entries);
        let Ok(mut cursor) = engine.store.follow(&table, revision) else {
            continue;
        };
        while let Ok(events) = cursor.next(BATCH).await {
            for event in &events {
                look(&Seen::Changed(event));
            }
        }
    }
}

/// One object that a controller looks at.
pub(crate) enum Seen<'a> {
    /// There when the controller started.
    Present(&'a crate::store::Entry),
    /// Just changed.
    Changed(&'a Event),
}

impl Seen<'_> {
    /// Returns the state: the last one for a removal.
    pub fn entry(&self) -> &crate::store::Entry {
        match self {
            Self::Present(entry) => entry,
            Self::Changed(event) => &event.state,
        }
    }

    /// Tells whether the object went.
    pub fn removed(&self) -> bool {
        matches!(self, Self::Changed(event) if event.removed)
    }
}

//! What sources write beside their status: progress, events about artifacts.

use api::Severity;
use api::names::{self, reason};
use controller_runtime::{Failed, Outcome};
use reconcile::EventDraft;
use reconcile::source::{Next, Pass, Source};
use serde::Serialize;
use tracing::info;

use crate::artifact::{ArtifactStore, Owner};
use crate::place::{Place, Writer, to_value};

/// The source controller, with the condition types of one of its kinds.
pub(super) fn writer(owned: &'static [&'static str]) -> Writer {
    Writer {
        controller: names::SOURCE_CONTROLLER,
        manager: names::SOURCE_CONTROLLER,
        owned,
    }
}

impl Place<'_> {
    /// Writes the progress of a pass before something slow, where there is any to show. A failure to do so is left to the
    /// write at the end.
    pub async fn show_progress<S: Source>(&mut self, pass: &Pass<S>) {
        if let Some(status) = pass.progress() {
            let _ = self.write(&to_value(status)).await;
        }
    }

    /// Writes what a pass came to, records its events and tells the queue.
    pub async fn conclude(
        &mut self,
        status: &impl Serialize,
        events: Vec<EventDraft>,
        next: Next,
    ) -> Result<Outcome, Failed> {
        match self.write(&to_value(status)).await {
            Ok(()) => {}
            Err(error) if error.is_not_found() => return Ok(Outcome::Done),
            Err(error) => return Err(error.into()),
        }
        for event in events {
            self.tell(event);
        }
        match next {
            Next::Nothing => Ok(Outcome::Done),
            Next::Interval(interval) => Ok(Outcome::Interval(interval)),
            Next::After(duration) => Ok(Outcome::After(duration)),
            Next::Retry(message) => Err(Failed(message)),
        }
    }

    /// Removes everything that is stored for the object.
    pub fn remove_artifacts(&self, store: &ArtifactStore, owner: Owner<'_>) -> Result<(), Failed> {
        match store.remove_all(owner) {
            Ok(true) => {
                let message = "garbage collected artifacts for deleted resource";
                let reason = reason::GARBAGE_COLLECTION_SUCCEEDED;
                self.record(EventDraft::new(Severity::Trace, reason, message));
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                let message = format!("garbage collection for deleted resource failed: {error}");
                let reason = reason::GARBAGE_COLLECTION_FAILED;
                self.record(EventDraft::new(Severity::Error, reason, &*message));
                Err(Failed(message))
            }
        }
    }

    /// Records an event, and logs it where it is meant for people.
    fn tell(&self, event: EventDraft) {
        if event.severity == Severity::Info {
            info!("{}", event.message);
        }
        self.record(event);
    }
}

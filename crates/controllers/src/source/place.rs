//! Where one pass writes to: status, finalizer, events.

use std::sync::Arc;

use api::Severity;
use api::names::{self, reason};
use cluster::Target;
use controller_runtime::{
    EventRecord, Failed, Outcome, Run, add_finalizer, patch_status, remove_finalizer,
};
use objects::{Object, Value};
use reconcile::source::{Next, Notice, Pass, Source};
use serde::Serialize;
use tracing::info;

use crate::artifact::{ArtifactStore, Owner};

/// One object with its newest known state, which moves with each write.
pub(crate) struct Place<'a> {
    pub run: &'a Run,
    pub target: Target,
    pub object: Arc<Object>,
    owned: &'static [&'static str],
}

impl<'a> Place<'a> {
    /// Finds the object's address; `owned` are the conditions that the controller may write.
    pub async fn new(run: &'a Run, owned: &'static [&'static str]) -> Result<Place<'a>, Failed> {
        Ok(Self {
            run,
            target: run.target().await?,
            object: run.object.clone(),
            owned,
        })
    }

    pub async fn add_finalizer(&mut self) -> Result<(), Failed> {
        let stored = add_finalizer(
            &*self.run.runtime.cluster,
            &self.target,
            &self.object,
            names::FINALIZER,
            names::SOURCE_CONTROLLER,
        )
        .await?;
        self.advance(stored);
        Ok(())
    }

    /// Takes a written object as the newest state, here and in the caches.
    fn advance(&mut self, stored: Option<Object>) {
        if let Some(stored) = stored {
            self.run.runtime.observe(&stored);
            self.object = Arc::new(stored);
        }
    }

    /// Writes progress before something slow, where there is any to show. A failure to do so is left to the write at
    /// the end.
    pub async fn show(&mut self, status: Option<&impl Serialize>) {
        if let Some(status) = status {
            let _ = self.write(&to_value(status)).await;
        }
    }

    /// Writes the progress of a pass, as [`Place::show`] does.
    pub async fn show_progress<S: Source>(&mut self, pass: &Pass<S>) {
        self.show(pass.progress()).await;
    }

    /// Writes a whole status; nothing where nothing changed.
    pub async fn write(&mut self, status: &Value) -> Result<(), cluster::Error> {
        let stored = patch_status(
            &*self.run.runtime.cluster,
            &self.target,
            &self.object,
            status,
            self.owned,
            names::SOURCE_CONTROLLER,
        )
        .await?;
        self.advance(stored);
        Ok(())
    }

    /// Writes what a pass came to, records its events and tells the queue.
    pub async fn conclude(
        &mut self,
        status: &impl Serialize,
        events: Vec<Notice>,
        next: Next,
    ) -> Result<Outcome, Failed> {
        match self.write(&to_value(status)).await {
            Ok(()) => {}
            Err(error) if error.is_not_found() => return Ok(Outcome::Done),
            Err(error) => return Err(error.into()),
        }
        for notice in events {
            self.record(notice);
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
        let notice = |severity, reason, message: String| Notice {
            severity,
            reason,
            message,
            metadata: Default::default(),
        };
        match store.remove_all(owner) {
            Ok(true) => {
                let message = "garbage collected artifacts for deleted resource".to_owned();
                let reason = reason::GARBAGE_COLLECTION_SUCCEEDED;
                self.record(notice(Severity::Trace, reason, message));
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                let message = format!("garbage collection for deleted resource failed: {error}");
                let reason = reason::GARBAGE_COLLECTION_FAILED;
                self.record(notice(Severity::Error, reason, message.clone()));
                Err(Failed(message))
            }
        }
    }

    /// Lets the object go.
    pub async fn remove_finalizer(&self) -> Result<Outcome, Failed> {
        remove_finalizer(
            &*self.run.runtime.cluster,
            &self.target,
            &self.object,
            names::FINALIZER,
            names::SOURCE_CONTROLLER,
        )
        .await?;
        Ok(Outcome::Done)
    }

    pub fn record(&self, notice: Notice) {
        if notice.severity == Severity::Info {
            info!("{}", notice.message);
        }
        self.run.runtime.recorder.record(EventRecord {
            object: self.object.clone(),
            severity: notice.severity,
            reason: notice.reason.to_owned(),
            message: notice.message,
            metadata: notice.metadata,
            controller: names::SOURCE_CONTROLLER,
        });
    }
}

fn to_value(status: &impl Serialize) -> Value {
    serde_json::to_value(status).expect("a status is plain data")
}

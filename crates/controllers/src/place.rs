//! Where a pass writes to: status, finalizer, events; each only where it changes something.

use std::sync::Arc;

use api::names;
use cluster::Target;
use controller_runtime::{
    EventRecord, Failed, Outcome, Run, add_finalizer, patch_status, remove_finalizer,
};
use objects::{Object, Value};
use reconcile::EventDraft;
use serde::Serialize;

/// Under which names a controller writes, and what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    /// The controller's name in events.
    pub controller: &'static str,
    /// The field manager of status and finalizers.
    pub manager: &'static str,
    /// The condition types that the controller owns; all others are left as they are.
    pub owned: &'static [&'static str],
}

/// One object with its newest known state, which moves with each write.
pub(crate) struct Place<'a> {
    pub run: &'a Run,
    pub target: Target,
    /// The object as last written; before that as the pass found it.
    pub object: Arc<Object>,
    writer: Writer,
}

impl<'a> Place<'a> {
    /// Finds the object's address.
    pub async fn new(run: &'a Run, writer: Writer) -> Result<Place<'a>, Failed> {
        Ok(Self {
            run,
            target: run.target().await?,
            object: run.object.clone(),
            writer,
        })
    }

    /// Adds the finalizer where it is missing.
    pub async fn add_finalizer(&mut self) -> Result<(), Failed> {
        let (cluster, manager) = (&*self.run.runtime.cluster, self.writer.manager);
        let (target, object) = (&self.target, &self.object);
        let stored = add_finalizer(cluster, target, object, names::FINALIZER, manager).await?;
        self.advance(stored);
        Ok(())
    }

    /// Lets the object go.
    pub async fn remove_finalizer(&mut self) -> Result<Outcome, Failed> {
        let (cluster, manager) = (&*self.run.runtime.cluster, self.writer.manager);
        let (target, object) = (&self.target, &self.object);
        let stored = remove_finalizer(cluster, target, object, names::FINALIZER, manager).await?;
        self.advance(stored);
        Ok(Outcome::Done)
    }

    /// Takes a written object as the newest state, here and in the caches.
    fn advance(&mut self, stored: Option<Object>) {
        if let Some(stored) = stored {
            self.run.runtime.observe(&stored);
            self.object = Arc::new(stored);
        }
    }

    /// Writes a whole status; nothing where nothing changed.
    pub async fn write(&mut self, status: &Value) -> Result<(), cluster::Error> {
        let (cluster, writer) = (&*self.run.runtime.cluster, self.writer);
        let (target, object) = (&self.target, &self.object);
        let stored = patch_status(
            cluster,
            target,
            object,
            status,
            writer.owned,
            writer.manager,
        )
        .await?;
        self.advance(stored);
        Ok(())
    }

    /// Writes a status; an object that is gone needs none.
    pub async fn report(&mut self, status: &impl Serialize) -> Result<(), Failed> {
        match self.write(&to_value(status)).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Records an event about the object.
    pub fn record(&self, draft: EventDraft) {
        self.run.runtime.recorder.record(EventRecord {
            object: self.object.clone(),
            severity: draft.severity,
            reason: draft.reason,
            message: draft.message,
            metadata: draft.metadata,
            controller: self.writer.controller,
        });
    }
}

pub(crate) fn to_value(status: &impl Serialize) -> Value {
    serde_json::to_value(status).expect("a status is plain data")
}

//! What the decisions of all sources share: error classes, events, progress, the summary into Ready, the next look.
//!
//! A [`Pass`] is fed with facts in the order of upstream's reconcile (storage, source, artifact) and ends as a
//! [`Decision`]. What is particular to a kind stands in its own module as methods of its `Pass`. Where upstream writes
//! progress between its stages, the effects may write [`Pass::progress`] before something slow, and nothing otherwise.

mod finish;
mod kinds;
#[cfg(test)]
pub(crate) mod testing;

use std::time::Duration;

use api::conditions::{self, Stamp};
use api::names::{self, reason};
use api::{Artifact, Condition, Resource, Severity};
use jiff::Timestamp;

use crate::report::EventDraft;

/// Which kind of pass an object needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The object is being deleted: remove its artifacts, then the finalizer.
    Delete,
    /// The finalizer is missing: add it, then start again.
    AddFinalizer,
    /// The object is suspended: finish with [`Pass::suspended`].
    Suspended,
    /// Fetch and store.
    Work,
}

/// When to look again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing until something changes.
    Nothing,
    /// After `spec.interval`, jittered.
    Interval(Duration),
    /// After exactly this time.
    After(Duration),
    /// With back-off, because of this error.
    Retry(String),
}

/// How a failure is treated, as source-controller's error classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Tried again with back-off.
    Generic,
    /// Not tried again before the object changes.
    Stalling,
    /// Tried again after a fixed time; after the interval where it is zero.
    Waiting(Duration),
}

/// Why a pass ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How it is treated.
    pub class: Class,
    /// Reason of condition and event.
    pub reason: &'static str,
    /// Message of condition and event.
    pub message: String,
    /// Condition to set: True for the abnormal ones, False for `SourceVerified`; `None` sets none.
    pub condition: Option<&'static str>,
}

impl Problem {
    /// Builds a failure that shows as a condition.
    pub fn new(
        class: Class,
        condition: &'static str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            class,
            reason,
            message: message.into(),
            condition: Some(condition),
        }
    }

    /// Builds a retryable failure to fetch.
    pub fn fetch(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Class::Generic, names::FETCH_FAILED, reason, message)
    }

    /// Builds a retryable failure of the artifact store.
    pub fn storage(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(
            Class::Generic,
            names::STORAGE_OPERATION_FAILED,
            reason,
            message,
        )
    }
}

/// What the artifact store says about the object's artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is there and its digest is right; its present URL.
    Present {
        /// URL at the present address of the server.
        url: String,
    },
    /// It is not there.
    Missing,
    /// It was there with another digest and has been removed.
    Corrupt {
        /// What the check said.
        error: String,
    },
}

/// What a pass came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<T> {
    /// The whole status to write.
    pub status: T,
    /// Events in order.
    pub events: Vec<EventDraft>,
    /// When to look again.
    pub next: Next,
}

/// What follows from a look at the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Build and store an artifact.
    Store,
    /// The artifact is right already: finish.
    Keep,
}

/// What people are told about a new artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Reason where the artifact is new.
    pub reason: &'static str,
    /// Reason where a failure is over and the artifact is the old one.
    pub recovered: &'static str,
    /// Text.
    pub message: String,
}

/// The status fields that sources share.
pub trait Status: Clone + PartialEq + Default {
    /// Conditions.
    fn conditions(&self) -> &Vec<Condition>;
    /// Conditions, to change.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    /// The stored artifact.
    fn artifact(&self) -> Option<&Artifact>;
    /// The stored artifact, to change.
    fn artifact_mut(&mut self) -> &mut Option<Artifact>;
    /// Address of the newest artifact, to change; `None` for kinds that have none.
    fn url_mut(&mut self) -> Option<&mut String>;
    /// Generation last brought to an end.
    fn observed_generation(&self) -> i64;
    /// Generation last brought to an end, to change.
    fn observed_generation_mut(&mut self) -> &mut Option<i64>;
    /// Reconcile request last acted upon.
    fn last_handled(&self) -> &str;
    /// Reconcile request last acted upon, to change.
    fn last_handled_mut(&mut self) -> &mut String;
}

/// A kind of source.
pub trait Source: api::Kind {
    /// Its status.
    type Status: Status + serde::Serialize + serde::de::DeserializeOwned + Send + Sync;
    /// What a pass over the kind knows beside the status.
    type Facts: Clone + Default + std::fmt::Debug + Send;
    /// Conditions that the controller owns: those that make up Ready, most important first, and Ready itself.
    const CONDITIONS: &'static [&'static str];
    /// Tells whether reconciliation is switched off.
    fn is_suspended(&self) -> bool;
    /// Returns the time between two looks.
    fn interval(&self) -> Duration;
}

/// One pass over one source.
#[derive(Clone, Debug)]
pub struct Pass<S: Source> {
    pub(crate) before: Resource<S, S::Status>,
    pub(crate) status: S::Status,
    pub(crate) facts: S::Facts,
    events: Vec<EventDraft>,
    pub(crate) stamp: Stamp,
}

/// Tells which pass an object needs.
pub fn start<S: Source>(object: &Resource<S, S::Status>) -> Start {
    if object.metadata.is_deleted() {
        Start::Delete
    } else if !object.metadata.has_finalizer() {
        Start::AddFinalizer
    } else if object.spec.is_suspended() {
        Start::Suspended
    } else {
        Start::Work
    }
}

impl<S: Source> Pass<S> {
    /// Begins a pass: reports progress and forgets an old storage failure.
    pub fn begin(object: Resource<S, S::Status>, now: Timestamp) -> Self {
        let mut pass = Self::untouched(object, now);
        let observed = pass.before.status.observed_generation();
        let generation = pass.stamp.generation;
        pass.report_progress(false, "reconciliation in progress");
        if observed != generation {
            let message = format!("processing object: new generation {observed} -> {generation}");
            pass.report_progress(false, &message);
        }
        pass.delete(names::STORAGE_OPERATION_FAILED);
        pass
    }

    /// Ends a pass over a suspended object: only the record-keeping is done.
    pub fn suspended(object: Resource<S, S::Status>, now: Timestamp) -> Decision<S::Status> {
        Self::untouched(object, now).finish_suspended()
    }

    fn untouched(object: Resource<S, S::Status>, now: Timestamp) -> Self {
        Self {
            status: object.status.clone(),
            facts: S::Facts::default(),
            events: Vec::new(),
            stamp: Stamp {
                generation: object.metadata.generation,
                now,
            },
            before: object,
        }
    }

    /// Returns the status as it should be seen while a slow action runs; `None` where upstream would not write it.
    ///
    /// Progress is shown for a new generation, a new reconcile request, and a missing artifact.
    pub fn progress(&self) -> Option<&S::Status> {
        let shown = self.is_asked_for() || self.status.artifact().is_none();
        (shown && self.status != self.before.status).then_some(&self.status)
    }

    /// Takes in what garbage collection did.
    pub fn garbage_collected(&mut self, files: usize) {
        if files > 0 {
            let message = format!("garbage collected {files} artifacts");
            self.notice(
                Severity::Trace,
                reason::GARBAGE_COLLECTION_SUCCEEDED,
                message,
            );
        }
    }

    /// Takes in whether the artifact of the status is in the store.
    pub fn storage(&mut self, stored: Stored) {
        if let Stored::Corrupt { error } = &stored {
            let message = format!("failed to verify integrity of artifact: {error}");
            self.notice(
                Severity::Error,
                reason::ARTIFACT_VERIFICATION_FAILED,
                message,
            );
        }
        let had_artifact = self.status.artifact().is_some();
        match (stored, self.status.artifact_mut()) {
            (Stored::Present { url }, Some(artifact)) => {
                artifact.url.clone_from(&url);
                self.move_link(&url);
                return;
            }
            (_, artifact) => *artifact = None,
        }
        if let Some(link) = self.status.url_mut() {
            link.clear();
        }
        let message = if had_artifact {
            "building artifact: disappeared from storage"
        } else {
            "building artifact"
        };
        self.report_progress(true, message);
        self.delete(names::ARTIFACT_IN_STORAGE);
    }

    /// The link to the newest artifact lies beside it.
    fn move_link(&mut self, artifact_url: &str) {
        let directory = artifact_url.rsplit_once('/').map_or("", |(head, _)| head);
        if let Some(link) = self.status.url_mut()
            && let Some((_, name)) = link.rsplit_once('/')
        {
            *link = format!("{directory}/{name}");
        }
    }

    /// Takes in a stored artifact, and the address that leads to the newest one.
    pub(crate) fn keep(&mut self, artifact: Artifact, link: String) {
        *self.status.artifact_mut() = Some(artifact);
        if let Some(url) = self.status.url_mut() {
            *url = link;
        }
        self.delete(names::STORAGE_OPERATION_FAILED);
    }

    /// Reports that the origin has something new.
    pub(crate) fn outdated(&mut self, reason: &'static str, message: &str) {
        if self.status.artifact().is_some() {
            self.mark(names::ARTIFACT_OUTDATED, reason, message);
        }
        self.report_progress(true, &format!("building artifact: {message}"));
    }

    /// Reports that the artifact is what it should be.
    pub(crate) fn mark_stored(&mut self, reason: &str, message: &str) {
        self.delete(names::ARTIFACT_OUTDATED);
        self.mark(names::ARTIFACT_IN_STORAGE, reason, message);
    }

    /// Tells about an artifact that stays; only where somebody asked, so that idle sources write nothing.
    pub(crate) fn notice_up_to_date(&mut self, revision: &str) {
        if self.is_asked_for() {
            let message = format!("artifact up-to-date with remote revision: '{revision}'");
            self.notice(Severity::Trace, reason::ARTIFACT_UP_TO_DATE, message);
        }
    }

    /// Removes a verification that failed: it is done again.
    pub fn forget_failed_verification(&mut self) {
        if conditions::is_false(self.status.conditions(), names::SOURCE_VERIFIED) {
            self.delete(names::SOURCE_VERIFIED);
        }
    }

    /// The artifact in the status, as far as the pass has come.
    pub fn artifact(&self) -> Option<&Artifact> {
        self.status.artifact()
    }

    pub(crate) fn has_revision(&self, revision: &str) -> bool {
        let artifact = self.status.artifact();
        artifact.is_some_and(|artifact| artifact.has_revision(revision))
    }

    /// Tells whether this generation was not brought to an end yet.
    pub fn is_new_generation(&self) -> bool {
        self.before.status.observed_generation() != self.stamp.generation
    }

    /// Tells whether somebody waits for this pass: a new generation, or a reconcile request.
    pub(crate) fn is_asked_for(&self) -> bool {
        let request = self.before.metadata.reconcile_request();
        let requested = !request.is_empty() && request != self.before.status.last_handled();
        requested || self.is_new_generation()
    }

    pub(crate) fn report_progress(&mut self, drift: bool, message: &str) {
        let stamp = self.stamp;
        let list = self.status.conditions_mut();
        conditions::mark_progressing(list, drift, reason::PROGRESSING, message, stamp);
    }

    pub(crate) fn mark(&mut self, type_: &str, reason: &str, message: &str) {
        let stamp = self.stamp;
        conditions::mark_true(self.status.conditions_mut(), type_, reason, message, stamp);
    }

    pub(crate) fn delete(&mut self, type_: &str) {
        conditions::delete(self.status.conditions_mut(), type_);
    }

    pub(crate) fn notice(&mut self, severity: Severity, reason: &'static str, message: String) {
        self.events.push(EventDraft::new(severity, reason, message));
    }
}

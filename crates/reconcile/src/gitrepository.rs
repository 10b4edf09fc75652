//! The decision of the GitRepository controller: what a pass over one repository writes and when the next one comes.
//!
//! A [`Pass`] is fed with facts in the order of upstream's reconcile (storage, includes, source, artifact) and ends as a
//! [`Decision`]. Conditions, reasons, messages and events are those of source-controller 1.9. Where upstream writes
//! progress between its stages, the effects may write [`Pass::progress`] before a slow fetch, and nothing otherwise.

mod finish;
#[cfg(test)]
mod tests;

use api::conditions::{self, Stamp, SummaryOrder};
use api::names::{self, reason};
use api::{Artifact, GitRepository, GitRepositoryStatus, Severity};
use jiff::Timestamp;

use crate::report::EventDraft;
pub use crate::source::{Class, Next, Problem, Start, Stored};

/// Conditions that make up Ready, most important first.
pub const SUMMARY: SummaryOrder<'static> = SummaryOrder {
    types: &[
        names::STORAGE_OPERATION_FAILED,
        names::FETCH_FAILED,
        names::INCLUDE_UNAVAILABLE,
        names::ARTIFACT_OUTDATED,
        names::ARTIFACT_IN_STORAGE,
        names::SOURCE_VERIFIED,
        names::STALLED,
        names::RECONCILING,
    ],
    negative: &[
        names::STORAGE_OPERATION_FAILED,
        names::FETCH_FAILED,
        names::INCLUDE_UNAVAILABLE,
        names::ARTIFACT_OUTDATED,
        names::STALLED,
        names::RECONCILING,
    ],
};

/// Conditions that the controller owns.
pub const OWNED: [&str; 9] = [
    names::STORAGE_OPERATION_FAILED,
    names::FETCH_FAILED,
    names::INCLUDE_UNAVAILABLE,
    names::ARTIFACT_OUTDATED,
    names::ARTIFACT_IN_STORAGE,
    names::SOURCE_VERIFIED,
    names::READY,
    names::RECONCILING,
    names::STALLED,
];

const FAILURES: [&str; 3] = [
    names::FETCH_FAILED,
    names::INCLUDE_UNAVAILABLE,
    names::STORAGE_OPERATION_FAILED,
];

/// What a pass came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The whole status to write.
    pub status: GitRepositoryStatus,
    /// Events in order.
    pub events: Vec<EventDraft>,
    /// When to look again.
    pub next: Next,
}

/// A commit that the source holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitFact {
    /// Revision as upstream prints it, such as `main@sha1:…`.
    pub revision: String,
    /// First line of the message, shortened; `None` where only the reference was looked at.
    pub subject: Option<String>,
}

/// What follows from a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do: finish with [`Pass::no_operation`].
    UpToDate,
    /// The reference is unchanged, but what goes into the artifact is not: fetch again in full.
    FetchAgain,
    /// Build and store an artifact.
    Store,
    /// The artifact has this content already: finish.
    Keep,
}

/// One pass over one repository.
#[derive(Clone, Debug)]
pub struct Pass {
    before: GitRepository,
    status: GitRepositoryStatus,
    events: Vec<EventDraft>,
    stamp: Stamp,
    /// Artifacts of `spec.include`, in order.
    includes: Vec<Artifact>,
    commit: Option<CommitFact>,
}

/// Tells which pass an object needs.
pub fn start(repository: &GitRepository) -> Start {
    if repository.metadata.is_deleted() {
        Start::Delete
    } else if !repository.metadata.has_finalizer() {
        Start::AddFinalizer
    } else if repository.spec.suspend {
        Start::Suspended
    } else {
        Start::Work
    }
}

impl Pass {
    /// Begins a pass: reports progress and forgets an old storage failure.
    pub fn begin(repository: GitRepository, now: Timestamp) -> Self {
        let mut pass = Self::untouched(repository, now);
        let (observed, generation) = (pass.observed_generation(), pass.stamp.generation);
        pass.report_progress(false, "reconciliation in progress");
        if observed != generation {
            let message = format!("processing object: new generation {observed} -> {generation}");
            pass.report_progress(false, &message);
        }
        pass.delete(names::STORAGE_OPERATION_FAILED);
        pass
    }

    /// Ends a pass over a suspended object: only the record-keeping is done.
    pub fn suspended(repository: GitRepository, now: Timestamp) -> Decision {
        Self::untouched(repository, now).finish_suspended()
    }

    fn untouched(repository: GitRepository, now: Timestamp) -> Self {
        Self {
            status: repository.status.clone(),
            events: Vec::new(),
            stamp: Stamp {
                generation: repository.metadata.generation,
                now,
            },
            includes: Vec::new(),
            commit: None,
            before: repository,
        }
    }

    /// Returns the status as it should be seen while a slow action runs; `None` where upstream would not write it.
    ///
    /// Progress is shown for a new generation, a new reconcile request, and a missing artifact.
    pub fn progress(&self) -> Option<&GitRepositoryStatus> {
        let requested = self.is_requested();
        let shown = self.is_new_generation() || requested || self.status.artifact.is_none();
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
        let had_artifact = self.status.artifact.is_some();
        match (stored, &mut self.status.artifact) {
            (Stored::Present { url }, Some(artifact)) => {
                artifact.url = url;
                return;
            }
            (_, artifact) => *artifact = None,
        }
        let message = if had_artifact {
            "building artifact: disappeared from storage"
        } else {
            "building artifact"
        };
        self.report_progress(true, message);
        self.delete(names::ARTIFACT_IN_STORAGE);
    }

    /// Takes in the artifacts of the included repositories, all available.
    pub fn includes(&mut self, artifacts: Vec<Artifact>) {
        if conditions::is_false(&self.status.conditions, names::SOURCE_VERIFIED) {
            self.delete(names::SOURCE_VERIFIED);
        }
        self.delete(names::INCLUDE_UNAVAILABLE);
        if differ(&artifacts, &self.status.included_artifacts) {
            let message =
                "building artifact: included artifacts differ from last observed includes";
            self.report_progress(true, message);
        }
        self.delete(names::ARTIFACT_OUTDATED);
        self.includes = artifacts;
    }

    /// Returns the revision with which a fetch may stop early; `None` asks for a full fetch.
    pub fn last_observed(&self) -> Option<&str> {
        let stored = conditions::is_true(&self.status.conditions, names::ARTIFACT_IN_STORAGE);
        let artifact = self.status.artifact.as_ref().filter(|_| stored)?;
        Some(&artifact.revision)
    }

    /// Takes in that the reference still gives the known revision.
    pub fn unchanged(&mut self, commit: CommitFact) -> Verdict {
        self.commit = Some(commit);
        if self.content_changed() {
            return Verdict::FetchAgain;
        }
        Verdict::UpToDate
    }

    /// Takes in a fetched commit.
    pub fn fetched(&mut self, commit: CommitFact) -> Verdict {
        self.delete(names::FETCH_FAILED);
        if self.before.spec.verify.is_none() {
            self.status.source_verification_mode = None;
            self.delete(names::SOURCE_VERIFIED);
        }
        let revision = commit.revision.clone();
        self.commit = Some(commit);
        if !self.has_revision(&revision) {
            let message = format!("new upstream revision '{revision}'");
            if self.status.artifact.is_some() {
                self.mark(names::ARTIFACT_OUTDATED, reason::NEW_REVISION, &message);
            }
            self.report_progress(true, &format!("building artifact: {message}"));
        } else if !self.includes_changed() && !self.content_changed() {
            let message = format!("artifact up-to-date with remote revision: '{revision}'");
            self.notice(Severity::Trace, reason::ARTIFACT_UP_TO_DATE, message);
            self.mark_stored(&revision);
            return Verdict::Keep;
        }
        Verdict::Store
    }

    /// Takes in the stored artifact and what went into it.
    pub fn stored(&mut self, artifact: Artifact) {
        let spec = &self.before.spec;
        let revision = artifact.revision.clone();
        self.status.artifact = Some(artifact);
        self.status.included_artifacts = self.includes.clone();
        self.status.observed_ignore = spec.ignore.clone();
        self.status.observed_recurse_submodules = spec.recurse_submodules;
        self.status.observed_include = spec.include.clone();
        self.status.observed_sparse_checkout = spec.sparse_checkout.clone();
        self.delete(names::STORAGE_OPERATION_FAILED);
        self.mark_stored(&revision);
    }

    /// Tells whether the configuration of the artifact's content differs from what the stored one was made with.
    fn content_changed(&self) -> bool {
        let (spec, status) = (&self.before.spec, &self.status);
        spec.ignore != status.observed_ignore
            || spec.recurse_submodules != status.observed_recurse_submodules
            || spec.include != status.observed_include
            || spec.sparse_checkout != status.observed_sparse_checkout
            || spec.verify.is_some() && status.source_verification_mode.is_none()
            || self.includes.len() != status.included_artifacts.len()
            || self
                .includes
                .iter()
                .zip(&status.included_artifacts)
                .any(|(now, then)| now.revision != then.revision || now.digest != then.digest)
    }

    fn includes_changed(&self) -> bool {
        differ(&self.includes, &self.status.included_artifacts)
    }

    fn has_revision(&self, revision: &str) -> bool {
        let artifact = self.status.artifact.as_ref();
        artifact.is_some_and(|artifact| same_revision(&artifact.revision, revision))
    }

    fn mark_stored(&mut self, revision: &str) {
        self.delete(names::ARTIFACT_OUTDATED);
        let message = format!("stored artifact for revision '{revision}'");
        self.mark(names::ARTIFACT_IN_STORAGE, reason::SUCCEEDED, &message);
    }

    fn observed_generation(&self) -> i64 {
        self.before.status.observed_generation.unwrap_or(0)
    }

    fn is_new_generation(&self) -> bool {
        self.observed_generation() != self.stamp.generation
    }

    fn is_requested(&self) -> bool {
        let request = self.before.metadata.reconcile_request();
        !request.is_empty() && request != self.before.status.last_handled_reconcile_at
    }

    fn report_progress(&mut self, drift: bool, message: &str) {
        let list = &mut self.status.conditions;
        conditions::mark_progressing(list, drift, reason::PROGRESSING, message, self.stamp);
    }

    fn mark(&mut self, type_: &str, reason: &str, message: &str) {
        conditions::mark_true(
            &mut self.status.conditions,
            type_,
            reason,
            message,
            self.stamp,
        );
    }

    fn delete(&mut self, type_: &str) {
        conditions::delete(&mut self.status.conditions, type_);
    }

    fn notice(&mut self, severity: Severity, reason: &'static str, message: String) {
        self.events.push(EventDraft::new(severity, reason, message));
    }
}

/// Tells whether two sets of artifacts differ in number or hold a revision that the other lacks.
fn differ(now: &[Artifact], then: &[Artifact]) -> bool {
    now.len() != then.len()
        || !now
            .iter()
            .all(|n| then.iter().any(|t| t.revision == n.revision))
}

/// Compares revisions, the old forms `main/<sha>` and `HEAD/<sha>` included.
fn same_revision(stored: &str, revision: &str) -> bool {
    stored == revision || transform_revision(stored) == revision
}

fn transform_revision(old: &str) -> String {
    let hash = |text: &str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match old.rsplit_once('/') {
        Some(("HEAD", sha)) if hash(sha) => format!("sha1:{sha}"),
        Some((name, sha)) if hash(sha) => format!("{name}@sha1:{sha}"),
        _ if hash(old) => format!("sha1:{old}"),
        _ => old.to_owned(),
    }
}

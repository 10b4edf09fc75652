//! The decision of the GitRepository controller: what a pass over one repository writes and when the next one comes.
//!
//! Conditions, reasons, messages and events are those of source-controller 1.9; what all sources share is in
//! [`crate::source`]. Included artifacts come before the commit, as upstream gathers them.

#[cfg(test)]
mod tests;

use api::conditions;
use api::names::{self, reason};
use api::{Artifact, GitRepositorySpec, GitRepositoryStatus, Severity};

use crate::source::{Decision, News, Pass};

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

/// What a pass over a repository knows beside its status.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Artifacts of `spec.include`, in order.
    includes: Vec<Artifact>,
    commit: Option<CommitFact>,
}

impl Pass<GitRepositorySpec> {
    /// Takes in the artifacts of the included repositories, all available.
    pub fn includes(&mut self, artifacts: Vec<Artifact>) {
        self.forget_failed_verification();
        self.delete(names::INCLUDE_UNAVAILABLE);
        if differ(&artifacts, &self.status.included_artifacts) {
            let message =
                "building artifact: included artifacts differ from last observed includes";
            self.report_progress(true, message);
        }
        self.delete(names::ARTIFACT_OUTDATED);
        self.facts.includes = artifacts;
    }

    /// Returns the revision with which a fetch may stop early; `None` asks for a full fetch.
    pub fn last_observed(&self) -> Option<&str> {
        let stored = conditions::is_true(&self.status.conditions, names::ARTIFACT_IN_STORAGE);
        let artifact = self.status.artifact.as_ref().filter(|_| stored)?;
        Some(&artifact.revision)
    }

    /// Takes in that the reference still gives the known revision.
    pub fn unchanged(&mut self, commit: CommitFact) -> Verdict {
        self.facts.commit = Some(commit);
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
        self.facts.commit = Some(commit);
        if !self.is_stored(&revision) {
            let message = format!("new upstream revision '{revision}'");
            self.outdated(reason::NEW_REVISION, &message);
        } else if !self.includes_changed() && !self.content_changed() {
            let message = format!("artifact up-to-date with remote revision: '{revision}'");
            self.notice(Severity::Trace, reason::ARTIFACT_UP_TO_DATE, message);
            self.mark_artifact(&revision);
            return Verdict::Keep;
        }
        Verdict::Store
    }

    /// Takes in the stored artifact and what went into it.
    pub fn stored(&mut self, artifact: Artifact) {
        let revision = artifact.revision.clone();
        self.keep(artifact, String::new());
        let spec = &self.before.spec;
        self.status.included_artifacts = self.facts.includes.clone();
        self.status.observed_ignore = spec.ignore.clone();
        self.status.observed_recurse_submodules = spec.recurse_submodules;
        self.status.observed_include = spec.include.clone();
        self.status.observed_sparse_checkout = spec.sparse_checkout.clone();
        self.mark_artifact(&revision);
    }

    /// Tells whether the configuration of the artifact's content differs from what the stored one was made with.
    fn content_changed(&self) -> bool {
        let (spec, status) = (&self.before.spec, &self.status);
        spec.ignore != status.observed_ignore
            || spec.recurse_submodules != status.observed_recurse_submodules
            || spec.include != status.observed_include
            || spec.sparse_checkout != status.observed_sparse_checkout
            || spec.verify.is_some() && status.source_verification_mode.is_none()
            || self.facts.includes.len() != status.included_artifacts.len()
            || self
                .facts
                .includes
                .iter()
                .zip(&status.included_artifacts)
                .any(|(now, then)| now.revision != then.revision || now.digest != then.digest)
    }

    fn includes_changed(&self) -> bool {
        differ(&self.facts.includes, &self.status.included_artifacts)
    }

    /// Tells whether the artifact is of a revision, whose old forms count too.
    fn is_stored(&self, revision: &str) -> bool {
        let artifact = self.status.artifact.as_ref();
        artifact.is_some_and(|artifact| same_revision(&artifact.revision, revision))
    }

    fn mark_artifact(&mut self, revision: &str) {
        let message = format!("stored artifact for revision '{revision}'");
        self.mark_stored(reason::SUCCEEDED, &message);
    }

    /// Ends a pass that stored an artifact or kept it after a full fetch.
    pub fn success(self) -> Decision<GitRepositoryStatus> {
        let news = self.news();
        self.end(news)
    }

    /// Ends a pass that found the reference and the configuration unchanged.
    ///
    /// The event is recorded only where somebody asked for the pass, so that idle repositories write nothing.
    pub fn no_operation(mut self) -> Decision<GitRepositoryStatus> {
        let commit = self.facts.commit.as_ref();
        let revision = commit.map_or_else(String::new, |commit| commit.revision.clone());
        self.delete(names::FETCH_FAILED);
        self.mark_artifact(&revision);
        if self.facts.commit.is_some() {
            self.notify(self.news());
        }
        if self.is_asked_for() {
            let message =
                format!("no changes since last reconciliation: observed revision '{revision}'");
            self.notice(Severity::Trace, reason::GIT_OPERATION_SUCCEEDED, message);
        }
        self.finish()
    }

    fn news(&self) -> News {
        let commit = self.facts.commit.as_ref();
        let shown = commit.map_or("", |commit| {
            commit.subject.as_ref().unwrap_or(&commit.revision)
        });
        News::artifact(format!("stored artifact for commit '{shown}'"))
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

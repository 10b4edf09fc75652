//! The state of a release: what storage holds against what is asked for.

use api::{HelmRelease, HelmReleaseStatus};

use super::digest::{common_metadata_digest, post_renderers_digest};
use super::history::{has_been_tested, has_test_in_phase, latest};
use super::next::active_remediation;

/// State of a release, with the reason where upstream gives one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no release.
    Absent(&'static str),
    /// A release is in the middle of an action that nobody works on any more.
    Locked(String),
    /// An uninstall was begun and not finished.
    Uninstalling(String),
    /// The release was not made by this object.
    Unmanaged(String),
    /// The release is not what is asked for.
    OutOfSync(&'static str),
    /// The release, or one of its tests, failed.
    Failed(&'static str),
    /// The release must be tested.
    Untested,
    /// The cluster differs from the release.
    Drifted,
    /// All is as it should be (as far as known before a look at the cluster).
    InSync,
}

/// The last release in storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Helm's status.
    pub status: String,
    /// Name of its chart.
    pub chart_name: String,
    /// Version of its chart.
    pub chart_version: String,
    /// Whether it is the one of the newest snapshot.
    pub ownership: Ownership,
}

/// Whether a release in storage is the one of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It is, or the snapshot is of a form that cannot tell.
    Verified,
    /// The digest of the snapshot cannot be read.
    Unreadable,
    /// It is not.
    Foreign,
}

/// What the state is determined from.
#[derive(Clone, Copy, Debug)]
pub struct StateFacts<'a> {
    /// The last release in storage.
    pub last: Option<&'a Stored>,
    /// Name of the wanted chart.
    pub chart_name: &'a str,
    /// Version of the wanted chart.
    pub chart_version: &'a str,
    /// Whether the wanted values are those of the newest snapshot.
    pub values_match: bool,
}

const UNINSTALLED: &str = "found uninstalled release in storage";

/// Determines the state of a release, drift aside.
pub fn determine(own: &HelmRelease, status: &HelmReleaseStatus, facts: StateFacts<'_>) -> State {
    let Some(last) = facts.last else {
        return State::Absent("no release in storage for object");
    };
    let reason = || format!("release with status '{}'", last.status);
    match last.status.as_str() {
        "pending-install" | "pending-upgrade" | "pending-rollback" => {
            return State::Locked(reason());
        }
        "uninstalling" => return State::Uninstalling(reason()),
        _ => {}
    }
    if status.history.is_empty() {
        return match last.status.as_str() {
            "uninstalled" => State::Absent(UNINSTALLED),
            _ => State::Unmanaged("found existing release in storage".to_owned()),
        };
    }
    match last.ownership {
        Ownership::Verified => {}
        Ownership::Unreadable => {
            return State::Unmanaged("release digest verification error".to_owned());
        }
        Ownership::Foreign => {
            return State::Unmanaged("release not observed to be made for object".to_owned());
        }
    }
    match last.status.as_str() {
        "failed" => State::Failed(""),
        "uninstalled" => State::Absent(UNINSTALLED),
        "deployed" => of_deployed(own, status, last, facts),
        _ => State::Unmanaged(reason()),
    }
}

fn of_deployed(
    own: &HelmRelease,
    status: &HelmReleaseStatus,
    last: &Stored,
    facts: StateFacts<'_>,
) -> State {
    if last.chart_name != facts.chart_name || last.chart_version != facts.chart_version {
        return State::OutOfSync("release chart changed");
    }
    if !facts.values_match {
        return State::OutOfSync("release config values changed");
    }
    if status.observed_generation != Some(own.metadata.generation) {
        if post_renderers_digest(&own.spec) != status.observed_post_renderers_digest {
            return State::OutOfSync("postrenderers digest has changed");
        }
        if common_metadata_digest(&own.spec) != status.observed_common_metadata_digest {
            return State::OutOfSync("common metadata digest has changed");
        }
    }
    let Some(current) = latest(status).filter(|_| own.spec.test().enable) else {
        return State::InSync;
    };
    if !has_been_tested(current) {
        return State::Untested;
    }
    let counts = active_remediation(own, status).is_some_and(|r| !r.ignore_test_failures);
    if counts && has_test_in_phase(current, "Failed") {
        return State::Failed("release has test in failed phase");
    }
    State::InSync
}

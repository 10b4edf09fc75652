//! The releases that were made for an object: order, truncation, and recording what was observed in storage.

use api::{HelmReleaseStatus, Snapshot};
use sha2::{Digest, Sha256};

/// Snapshots kept where none can be rolled back to.
const KEPT: usize = 5;

/// A release as it was written to storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Everything but digest, action, OCI digest and test hooks.
    pub snapshot: Snapshot,
    /// JSON of the observation without its closing brace, as upstream digests it.
    pub text: String,
}

impl Observation {
    /// Makes the snapshot of a release that came from an OCI artifact (or not, where the digest is empty).
    pub fn to_snapshot(&self, oci_digest: &str, action: &str) -> Snapshot {
        Snapshot {
            api_version: "v2".to_owned(),
            digest: self.digest(oci_digest),
            oci_digest: oci_digest.to_owned(),
            action: action.to_owned(),
            ..self.snapshot.clone()
        }
    }

    /// Returns the digest of the observation.
    pub fn digest(&self, oci_digest: &str) -> String {
        format!(
            "sha256:{}",
            hex::encode(Sha256::digest(self.json(oci_digest)))
        )
    }

    /// Returns the text that is digested.
    pub fn json(&self, oci_digest: &str) -> String {
        let oci = match oci_digest {
            "" => String::new(),
            digest => format!(",\"ociDigest\":\"{digest}\""),
        };
        format!("{}{oci}}}\n", self.text)
    }

    pub(super) fn is_of(&self, snapshot: &Snapshot) -> bool {
        let own = &self.snapshot;
        own.name == snapshot.name
            && own.namespace == snapshot.namespace
            && own.version == snapshot.version
    }
}

pub(super) fn sort(history: &mut [Snapshot]) {
    history.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.version));
}

/// Returns the newest snapshot.
pub fn latest(status: &HelmReleaseStatus) -> Option<&Snapshot> {
    status.history.iter().max_by_key(|s| s.version)
}

/// Returns the newest snapshot before the latest that can be rolled back to.
pub fn previous(status: &HelmReleaseStatus, ignore_tests: bool) -> Option<Snapshot> {
    let mut history = status.history.clone();
    sort(&mut history);
    history
        .into_iter()
        .skip(1)
        .find(|snapshot| is_target(snapshot, ignore_tests))
}

fn is_target(snapshot: &Snapshot, ignore_tests: bool) -> bool {
    matches!(snapshot.status.as_str(), "deployed" | "superseded")
        && (ignore_tests || !has_test_in_phase(snapshot, "Failed"))
}

/// Keeps the snapshots down to the one that can be rolled back to.
pub fn truncate(status: &mut HelmReleaseStatus, ignore_tests: bool) {
    let history = &mut status.history;
    if history.len() < 2 {
        return;
    }
    sort(history);
    let target = history
        .iter()
        .skip(1)
        .position(|snapshot| is_target(snapshot, ignore_tests));
    history.truncate(target.map_or(KEPT, |position| position + 2));
}

/// Keeps the newest five snapshots.
pub fn truncate_to_newest(status: &mut HelmReleaseStatus) {
    sort(&mut status.history);
    status.history.truncate(KEPT);
}

/// Tells whether the tests of a release have come to an end.
pub(super) fn has_been_tested(snapshot: &Snapshot) -> bool {
    let Some(hooks) = &snapshot.test_hooks else {
        return false;
    };
    hooks.is_empty()
        || has_test_in_phase(snapshot, "Failed")
        || hooks
            .values()
            .all(|hook| hook.as_ref().is_some_and(|h| h.phase == "Succeeded"))
}

/// Tells whether any test of a release is in a phase.
pub(super) fn has_test_in_phase(snapshot: &Snapshot, phase: &str) -> bool {
    let hooks = snapshot.test_hooks.iter().flat_map(|hooks| hooks.values());
    hooks.flatten().any(|hook| hook.phase == phase)
}

/// Records what an install or upgrade wrote: the newest release in front, the next lower one in its place.
pub(super) fn record(status: &mut HelmReleaseStatus, observed: &[Observation], action: &str) {
    let mut observed: Vec<&Observation> = observed.iter().collect();
    observed.sort_by_key(|o| std::cmp::Reverse(o.snapshot.version));
    let Some((newest, older)) = observed.split_first() else {
        return;
    };
    let snapshot = newest.to_snapshot(&status.last_attempted_revision_digest, action);
    status.history.insert(0, snapshot);
    for observation in older {
        if replace(status, observation, "", true) {
            return;
        }
    }
}

/// Replaces the snapshot of an observed release, keeping its OCI digest; tells whether there is one.
pub(super) fn replace(
    status: &mut HelmReleaseStatus,
    observation: &Observation,
    action: &str,
    keep_tests: bool,
) -> bool {
    let found = status.history.iter_mut().find(|s| observation.is_of(s));
    let Some(old) = found else {
        return false;
    };
    let mut new = observation.to_snapshot(&old.oci_digest, action);
    if keep_tests {
        new.test_hooks = old.test_hooks.take();
    }
    *old = new;
    true
}

//! What the tables of the sources' decisions share.

use api::{Artifact, Resource, names};
use jiff::Timestamp;

use super::{Decision, Source, Status};

pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(crate) fn object<S: Source>(spec: S) -> Resource<S, S::Status> {
    let mut object = Resource::<S, S::Status> {
        metadata: Default::default(),
        spec,
        status: Default::default(),
    };
    object.metadata.name = "podinfo".into();
    object.metadata.generation = 1;
    object.metadata.finalizers = vec![names::FINALIZER.into()];
    *object.status.observed_generation_mut() = Some(-1);
    object
}

pub(crate) fn artifact(revision: &str, digest: &str) -> Artifact {
    Artifact {
        revision: revision.into(),
        digest: digest.into(),
        size: Some(30_881),
        ..Artifact::default()
    }
}

/// Writes conditions, events and the next look, one per line.
pub(crate) fn describe<T: Status>(decision: &Decision<T>) -> Vec<String> {
    let list = decision.status.conditions();
    let mut lines: Vec<String> = list
        .iter()
        .map(|c| format!("{}={:?} {}: {}", c.type_, c.status, c.reason, c.message))
        .collect();
    lines.extend(
        decision
            .events
            .iter()
            .map(|e| format!("{:?} {}: {}", e.severity, e.reason, e.message)),
    );
    lines.push(format!("{:?}", decision.next));
    lines
}

//! What `flux dev` knows of the Flux objects, and what follows from it: rows to show, and whether the
//! cluster has converged.
//!
//! Pure: watch events go in, rows and a [`Verdict`] come out.

use std::collections::BTreeMap;

use objects::Object;

/// Identity of a row, in the order in which rows are shown: sources first, then what applies them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    rank: u8,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No final word yet: not observed, in progress, or waiting for what it depends on.
    Working,
    /// Ready at its present generation.
    Ready,
    /// Not ready, and the controller said why; it will try again.
    Failed,
    /// Its owner told the controller to leave it alone.
    Suspended,
    /// No controller of this version reconciles the kind.
    Unattended,
}

/// One Flux object as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Phase that decides symbol and verdict.
    pub phase: Phase,
    /// Revision of the artifact, or the one applied last; may be empty.
    pub revision: String,
    /// Reason of the Ready condition; may be empty.
    pub reason: String,
    /// Message of the Ready condition, or of the progress made; may be empty.
    pub message: String,
    /// The last attempt failed, as reason and message tell; another one follows.
    pub is_retried: bool,
    /// Number of objects in the inventory; 0 for sources.
    pub applied_count: usize,
    /// Duration of the last reconciliation as Go prints it; may be empty.
    pub duration: String,
    source: Option<RowKey>,
}

/// Whether there is anything left to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Something is in progress or was not looked at yet.
    Working,
    /// Everything is Ready at the newest revision of its source.
    Converged,
    /// Nothing is in progress, and something failed or waits for ever. Counts when it stays so for a while.
    Failed,
}

/// All Flux objects of the cluster.
#[derive(Debug, Default)]
pub struct Board {
    rows: BTreeMap<RowKey, Row>,
}

/// Kinds that the controllers of this version reconcile, in the order in which they are shown.
pub const ATTENDED_KINDS: &[&str] = &[
    "GitRepository",
    "OCIRepository",
    "HelmRepository",
    "HelmChart",
    "Kustomization",
    "HelmRelease",
];

/// Namespace and name of the objects that `flux dev` creates.
pub const ROOT: &str = "flux-system";

impl Board {
    /// Takes in the present state of an object.
    pub fn upsert(&mut self, object: &Object) {
        self.rows.insert(key_of(object), row_of(object));
    }

    /// Forgets a deleted object.
    pub fn remove(&mut self, object: &Object) {
        self.rows.remove(&key_of(object));
    }

    /// Returns all rows in display order.
    pub fn rows(&self) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.rows.iter()
    }

    /// Judges the whole board.
    pub fn verdict(&self) -> Verdict {
        let attended = || {
            self.rows
                .iter()
                .filter(|(_, row)| row.phase != Phase::Unattended)
        };
        let phase_of = |kind: &str| {
            self.rows
                .get(&RowKey::new(kind, ROOT, ROOT))
                .map(|row| self.settled_phase(row))
        };
        let roots = [phase_of("GitRepository"), phase_of("Kustomization")];
        if roots.contains(&None) {
            return Verdict::Working;
        }
        let phases: Vec<Phase> = attended().map(|(_, row)| self.settled_phase(row)).collect();
        if phases.contains(&Phase::Working) {
            let progressing = attended()
                .any(|(_, row)| self.settled_phase(row) == Phase::Working && !row.is_blocked());
            // What waits for something that failed, is suspended or unattended, or for itself, waits for ever.
            return match progressing {
                true => Verdict::Working,
                false => Verdict::Failed,
            };
        }
        if phases.contains(&Phase::Failed) {
            Verdict::Failed
        } else {
            Verdict::Converged
        }
    }

    /// A Ready object whose source has moved on is at work again.
    fn settled_phase(&self, row: &Row) -> Phase {
        let source = row.source.as_ref().and_then(|key| self.rows.get(key));
        match source {
            Some(source)
                if row.phase == Phase::Ready
                    && source.phase == Phase::Ready
                    && source.revision != row.revision =>
            {
                Phase::Working
            }
            _ => row.phase,
        }
    }
}

impl Row {
    /// Tells whether the object waits only for another one: where that failed, it waits for ever.
    fn is_blocked(&self) -> bool {
        waits_for_others(&self.reason)
    }
}

fn waits_for_others(reason: &str) -> bool {
    matches!(
        reason,
        "DependencyNotReady" | "ArtifactFailed" | "SourceNotReady" | "NoSourceArtifact"
    )
}

impl RowKey {
    fn new(kind: &str, namespace: &str, name: &str) -> Self {
        let rank = ATTENDED_KINDS
            .iter()
            .position(|k| *k == kind)
            .unwrap_or(ATTENDED_KINDS.len());
        Self {
            rank: u8::try_from(rank).unwrap_or(u8::MAX),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

fn key_of(object: &Object) -> RowKey {
    RowKey::new(object.kind(), object.namespace(), object.name())
}

fn row_of(object: &Object) -> Row {
    let ready = condition(object, "Ready");
    let reconciling = condition(object, "Reconciling");
    let progress = reconciling.filter(|c| c.reason == "Progressing");
    let failure = ready.filter(|ready| failed_before(object, *ready));
    let shown = failure.or(progress).or(ready).unwrap_or_default();
    let progressing = progress.is_some() && !keeps_failing(object, failure);
    let applied = match object.kind() {
        "HelmRelease" => crate::flux_object::helm_release_revision(object),
        _ => object.str_at(&["status", "lastAppliedRevision"]),
    };
    Row {
        phase: phase_of(object, ready, progressing),
        revision: match applied {
            "" => object
                .str_at(&["status", "artifact", "revision"])
                .to_owned(),
            applied => applied.to_owned(),
        },
        reason: shown.reason.to_owned(),
        message: shown.message.to_owned(),
        is_retried: failure.is_some() && progressing,
        applied_count: object
            .get(&["status", "inventory", "entries"])
            .and_then(|entries| entries.as_array())
            .map_or(0, Vec::len),
        duration: last_duration(object).to_owned(),
        source: source_of(object),
    }
}

fn phase_of(object: &Object, ready: Option<Condition<'_>>, progressing: bool) -> Phase {
    if !ATTENDED_KINDS.contains(&object.kind()) {
        return Phase::Unattended;
    }
    if object.get(&["spec", "suspend"]).and_then(|v| v.as_bool()) == Some(true) {
        return Phase::Suspended;
    }
    // Registries have nothing to fetch, and no status.
    if object.kind() == "HelmRepository" && object.str_at(&["spec", "type"]) == "oci" {
        return Phase::Ready;
    }
    let Some(ready) = ready else {
        return Phase::Working;
    };
    if object.is_deleting() || progressing || ready.observed_generation != object.generation() {
        return Phase::Working;
    }
    match (ready.status, ready.reason) {
        ("True", _) => Phase::Ready,
        ("False", "DependencyNotReady" | "SourceNotReady" | "NoSourceArtifact") => Phase::Working,
        // The source has produced nothing yet; its own row says whether it ever will.
        ("False", "ArtifactFailed") if waits_for_source(ready.message) => Phase::Working,
        ("False", _) => Phase::Failed,
        _ => Phase::Working,
    }
}

/// Tells whether a release that is worked on has failed at this generation before: what it failed of says more than that
/// there is another attempt.
fn failed_before(object: &Object, ready: Condition<'_>) -> bool {
    object.kind() == "HelmRelease"
        && ready.status == "False"
        && ready.observed_generation == object.generation()
}

/// Reasons of actions that failed.
const ACTION_FAILURES: &[&str] = &[
    "InstallFailed",
    "UpgradeFailed",
    "TestFailed",
    "RollbackFailed",
    "UninstallFailed",
];

/// Attempts without a change to the cluster after which a release counts as failed.
const FUTILE_ATTEMPTS: i64 = 3;

/// Tells whether a release fails before it touches the cluster, again and again: attempts that changed something are
/// bounded by its remediation, these are repeated for ever.
fn keeps_failing(object: &Object, failure: Option<Condition<'_>>) -> bool {
    let count = |field: &str| {
        let counter = object.get(&["status", field]);
        counter.and_then(|value| value.as_i64()).unwrap_or(0)
    };
    let futile = count("failures") - count("installFailures") - count("upgradeFailures");
    // Only actions are counted: what keeps them from beginning (values, account, source) stays until somebody mends it.
    let is_action = |reason: &str| ACTION_FAILURES.contains(&reason);
    failure.is_some_and(|ready| futile >= FUTILE_ATTEMPTS || !is_action(ready.reason))
}

/// Tells whether the source is not there yet, or has no artifact yet; other failures are about what is in it.
fn waits_for_source(message: &str) -> bool {
    let is_missing =
        message.contains(".source.toolkit.fluxcd.io \"") && message.ends_with("not found");
    message.contains("retrying in") || is_missing
}

#[derive(Clone, Copy, Debug, Default)]
struct Condition<'a> {
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    observed_generation: i64,
}

fn condition<'a>(object: &'a Object, kind: &str) -> Option<Condition<'a>> {
    let conditions = object.get(&["status", "conditions"])?.as_array()?;
    let condition = conditions.iter().find(|c| c["type"] == kind)?;
    let text = |field: &str| condition[field].as_str().unwrap_or("");
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        observed_generation: condition["observedGeneration"].as_i64().unwrap_or(0),
    })
}

fn last_duration(object: &Object) -> &str {
    object
        .get(&["status", "history"])
        .and_then(|history| history.get(0)?.get("lastReconciledDuration")?.as_str())
        .unwrap_or("")
}

/// Returns the source whose revision the object applies; charts and releases have revisions of their own.
fn source_of(object: &Object) -> Option<RowKey> {
    if object.kind() != "Kustomization" {
        return None;
    }
    let reference = object.get(&["spec", "sourceRef"])?;
    let text = |field: &str| reference.get(field).and_then(|v| v.as_str());
    Some(RowKey::new(
        text("kind")?,
        text("namespace").unwrap_or(object.namespace()),
        text("name")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    fn object(kind: &str, name: &str, ready: &str, reason: &str, revision: &str) -> Object {
        let status = json!({
            "conditions": [
                {"type": "Ready", "status": ready, "reason": reason, "message": "", "observedGeneration": 1},
            ],
            "artifact": {"revision": revision},
        });
        let mut object = Object::from_value(json!({
            "kind": kind,
            "metadata": {"name": name, "namespace": ROOT, "generation": 1},
            "spec": {},
            "status": status,
        }))
        .unwrap();
        if kind == "Kustomization" {
            object.set(
                &["spec", "sourceRef"],
                json!({"kind": "GitRepository", "name": ROOT}),
            );
            object.set(&["status", "lastAppliedRevision"], revision);
        }
        object
    }

    fn check(objects: &[Object], expected: Verdict) {
        let mut board = Board::default();
        objects.iter().for_each(|object| board.upsert(object));
        assert_eq!(board.verdict(), expected);
    }

    #[test]
    fn an_empty_cluster_is_at_work() {
        check(&[], Verdict::Working);
    }

    #[test]
    fn everything_ready_at_the_newest_revision_is_converged() {
        let source = object("GitRepository", ROOT, "True", "Succeeded", "main@sha1:b");
        let root = object(
            "Kustomization",
            ROOT,
            "True",
            "ReconciliationSucceeded",
            "main@sha1:b",
        );
        check(&[source, root], Verdict::Converged);
    }

    #[test]
    fn a_source_that_moved_on_means_work() {
        let source = object("GitRepository", ROOT, "True", "Succeeded", "main@sha1:c");
        let root = object(
            "Kustomization",
            ROOT,
            "True",
            "ReconciliationSucceeded",
            "main@sha1:b",
        );
        check(&[source, root], Verdict::Working);
    }

    #[test]
    fn what_waits_for_a_failed_source_is_failed() {
        let source = object("GitRepository", ROOT, "False", "GitOperationFailed", "");
        let mut root = object("Kustomization", ROOT, "False", "ArtifactFailed", "");
        let message = "Source artifact not found, retrying in 30s";
        let condition = &mut root.0["status"]["conditions"][0];
        condition["message"] = message.into();
        check(&[source, root], Verdict::Failed);
    }

    #[test]
    fn releases_that_cannot_begin_wait_for_nothing() {
        let source = object("GitRepository", ROOT, "True", "Succeeded", "main@sha1:b");
        let root = object("Kustomization", ROOT, "True", "Succeeded", "main@sha1:b");
        for (reason, phase) in [
            ("ValuesError", Phase::Failed),
            ("StateError", Phase::Failed),
            ("SourceNotReady", Phase::Working),
        ] {
            let mut release = object("HelmRelease", "shop", "False", reason, "");
            let conditions = release.0["status"]["conditions"].as_array_mut().unwrap();
            conditions.push(json!({
                "type": "Reconciling", "status": "True", "reason": "Progressing",
                "message": "Fulfilling prerequisites", "observedGeneration": 1,
            }));
            let row = row_of(&release);
            assert_eq!((row.phase, &*row.reason), (phase, reason));
            check(&[source.clone(), root.clone(), release], Verdict::Failed);
        }
    }

    #[test]
    fn releases_that_fail_again_and_again_are_failed() {
        let attempts = |failures: i64| {
            let mut release = object("HelmRelease", "shop", "False", "InstallFailed", "");
            release.set(&["status", "failures"], failures);
            let conditions = release.0["status"]["conditions"].as_array_mut().unwrap();
            conditions[0]["message"] = "a value is missing".into();
            conditions.push(json!({
                "type": "Reconciling", "status": "True", "reason": "Progressing", "message": "Running 'install' action",
                "observedGeneration": 1,
            }));
            row_of(&release)
        };
        let (first, later) = (attempts(1), attempts(FUTILE_ATTEMPTS));
        assert_eq!((first.phase, first.is_retried), (Phase::Working, true));
        assert_eq!((later.phase, later.is_retried), (Phase::Failed, false));
        assert_eq!(first.message, "a value is missing");
    }

    #[test]
    fn where_everything_waits_for_others_nothing_goes_on() {
        let source = object("GitRepository", ROOT, "True", "Succeeded", "main@sha1:b");
        let root = object(
            "Kustomization",
            ROOT,
            "True",
            "ReconciliationSucceeded",
            "main@sha1:b",
        );
        let broken = object("Kustomization", "infra", "False", "BuildFailed", "");
        let waiting = object("Kustomization", "apps", "False", "DependencyNotReady", "");
        // For something that does not exist, or for itself.
        check(
            &[source.clone(), root.clone(), waiting.clone()],
            Verdict::Failed,
        );
        let busy = object("Kustomization", "busy", "Unknown", "Progressing", "");
        check(
            &[source.clone(), root.clone(), waiting.clone(), busy],
            Verdict::Working,
        );
        check(&[source, root, broken, waiting], Verdict::Failed);
    }
}

//! Drift: how the cluster differs from a release, and putting it right.

use api::{HelmReleaseSpec, names};
use apply::{ApplyOptions, ChangeSet, Controls, Difference};
use helm::release::Record;
use objects::{Object, ObjectKey, Value};
use reconcile::helmrelease::DriftOutcome;

use super::items::{Item, build};
use super::session::Session;
use crate::applier::ignore_rules;

/// Differences found, in the order of the manifest.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// Objects to put right.
    pub(super) items: Vec<Item>,
    /// One line per object that differs or is left out.
    lines: Vec<String>,
    /// Objects that could not be compared.
    pub(super) errors: Vec<String>,
}

impl Drift {
    /// Tells whether anything differs.
    pub(super) fn is_any(&self) -> bool {
        !self.items.is_empty()
    }

    /// Returns one line per object.
    pub(super) fn summary(&self) -> String {
        self.lines.join("\n")
    }
}

/// Reads the rules about fields that may drift.
pub(super) fn options(spec: &HelmReleaseSpec) -> Result<ApplyOptions, String> {
    let rules = spec.drift_detection.iter().flat_map(|d| d.ignore.iter());
    Ok(ApplyOptions {
        ignore: ignore_rules(rules).map_err(|error| error.to_string())?,
        ..ApplyOptions::default()
    })
}

impl Session<'_> {
    /// Compares the objects of a release with the cluster.
    pub(super) async fn detect(&self, record: &Record) -> Result<Drift, String> {
        let options = options(&self.own.spec)?;
        let mut items = build(&*self.kube.cluster, &record.manifest, &record.namespace).await?;
        items.retain(|item| item.object.annotation("helm.sh/hook").is_none());
        self.own_all(&mut items);
        self.watch(&items);
        let mut drift = Drift::default();
        for item in items {
            let object = &item.object;
            if self.manager.is_current(object) {
                continue;
            }
            let key = item.key();
            if options.ignore.ignores_whole(object) {
                drift.lines.push(format!("{key} excluded"));
                continue;
            }
            match self.manager.diff(object, &options).await {
                Ok(Difference::Unchanged) => {}
                Ok(Difference::Skipped) => drift.lines.push(format!("{key} excluded")),
                Ok(Difference::Created) => {
                    drift.lines.push(format!("{key} removed"));
                    drift.items.push(item);
                }
                Ok(Difference::Configured { live, merged }) => {
                    drift.lines.push(changed(&key, &live, &merged));
                    drift.items.push(item);
                }
                Err(error) => drift.errors.push(error.text),
            }
        }
        Ok(drift)
    }

    /// Puts objects right; errors do not keep others from being put right.
    pub(super) async fn correct(&self, drift: &Drift) -> DriftOutcome {
        let mut outcome = DriftOutcome::default();
        let options = match options(&self.own.spec) {
            Ok(options) => options,
            Err(error) => {
                outcome.errors.push(error);
                return outcome;
            }
        };
        let mut changes = ChangeSet::default();
        let mut objects: Vec<Object> = drift.items.iter().map(|i| i.object.clone()).collect();
        apply::sort(&mut objects);
        for object in &objects {
            match self.manager.correct(object, &options).await {
                Ok(entry) => changes.entries.push(entry),
                Err(error) => outcome.errors.push(error.text),
            }
        }
        outcome.changes = changes.to_string();
        outcome
    }
}

/// Counts the fields by which a live object differs from what an apply would make of it.
fn changed(key: &ObjectKey, live: &Object, merged: &Object) -> String {
    let mut counts = Counts::default();
    for (name, value) in &merged.0 {
        if name != "metadata" && name != "status" {
            counts.compare(live.0.get(name), Some(value));
        }
    }
    for name in live.0.keys() {
        if name != "metadata" && name != "status" && !merged.0.contains_key(name) {
            counts.removals += 1;
        }
    }
    for part in ["labels", "annotations"] {
        let of = |object: &Object| object.get(&["metadata", part]).cloned();
        let (live, merged) = (of(live), of(merged));
        // What others added to labels and annotations does not count.
        let empty = Value::Object(serde_json::Map::new());
        for (name, value) in merged
            .as_ref()
            .unwrap_or(&empty)
            .as_object()
            .into_iter()
            .flatten()
        {
            let present = live.as_ref().and_then(|map| map.get(name));
            counts.compare(present, Some(value));
        }
    }
    let Counts {
        additions,
        changes,
        removals,
    } = counts;
    format!("{key} changed ({additions} additions, {changes} changes, {removals} removals)")
}

#[derive(Default)]
struct Counts {
    additions: usize,
    changes: usize,
    removals: usize,
}

impl Counts {
    /// Counts the operations that turn one value into another.
    fn compare(&mut self, from: Option<&Value>, to: Option<&Value>) {
        match (from, to) {
            (None, Some(_)) => self.additions += 1,
            (Some(_), None) => self.removals += 1,
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for name in names {
                    self.compare(a.get(name), b.get(name));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for index in 0..a.len().max(b.len()) {
                    self.compare(a.get(index), b.get(index));
                }
            }
            (Some(a), Some(b)) if a != b => self.changes += 1,
            _ => {}
        }
    }
}

/// What takes an object out of drift detection.
pub(super) fn controls() -> Controls {
    let disabled = (
        names::DRIFT_DETECTION.to_owned(),
        names::DISABLED.to_owned(),
    );
    Controls {
        exclude: vec![disabled],
        if_not_present: Vec::new(),
        merge: Vec::new(),
        force: Vec::new(),
        keep: Vec::new(),
    }
}

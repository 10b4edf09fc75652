//! Creating, updating and deleting the objects of a release, as Helm 4's client does.
//!
//! Server-side apply under the manager `helm-controller`, or the client's three-way merge where the release was made
//! that way.

use std::sync::Arc;

use cluster::{Cluster, DeleteParams, Error, Patch, Propagation, Target, Validation, WriteParams};
use futures::StreamExt;
use objects::patch::{create_merge_patch, strategic};
use objects::schema::builtin::builtin;
use objects::{Object, Value, json};

use super::items::{Item, MANAGED_BY, RELEASE_NAME, RELEASE_NAMESPACE};

/// Most objects of one kind worked on at once.
const CONCURRENCY: usize = 8;
/// Tries of a write that loses a race.
const ATTEMPTS: usize = 5;
/// Annotation that keeps an object when its release no longer has it.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// How objects are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    /// Server-side apply rather than the client's merge.
    pub(super) server_side: bool,
    /// Takes fields over from other managers.
    pub(super) force_conflicts: bool,
    /// Replaces present objects; client-side only.
    pub(super) replace: bool,
    /// Merges custom objects with their live state too; client-side only.
    pub(super) three_way: bool,
    /// Moves fields that Helm owned as a client to its apply entry.
    pub(super) migrate: bool,
    /// Unknown fields are an error.
    pub(super) strict: bool,
}

impl Mode {
    fn params(self, force: bool) -> WriteParams {
        WriteParams {
            field_manager: api::names::HELM_CONTROLLER.to_owned(),
            force,
            validation: match (self.server_side, self.strict) {
                (true, true) => Validation::Strict,
                (true, false) => Validation::Ignore,
                (false, _) => Validation::Default,
            },
            ..WriteParams::default()
        }
    }
}

/// What an update did before it ended.
#[derive(Debug, Default)]
pub(super) struct Updated {
    /// Objects that did not exist before.
    pub(super) created: Vec<Item>,
    /// Live states of all objects written.
    pub(super) live: Vec<Object>,
}

/// Writes to one cluster.
#[derive(Clone)]
pub(super) struct Kube {
    pub(super) cluster: Arc<dyn Cluster>,
}

impl Kube {
    /// Creates objects: one kind after the other, objects of a kind together. Returns their live states.
    pub(super) async fn create(&self, items: &[Item], mode: Mode) -> Result<Vec<Object>, String> {
        let mut live = Vec::with_capacity(items.len());
        for run in items.chunk_by(|a, b| a.object.kind() == b.object.kind()) {
            let creates: Vec<_> = run
                .iter()
                .map(|item| self.create_one(item.clone(), mode, mode.force_conflicts))
                .collect();
            let mut results = futures::stream::iter(creates).buffered(CONCURRENCY);
            while let Some(result) = results.next().await {
                live.push(result?);
            }
        }
        Ok(live)
    }

    async fn create_one(&self, item: Item, mode: Mode, force: bool) -> Result<Object, String> {
        if mode.server_side && !item.object.name().is_empty() {
            return self.apply(&item, mode, force).await;
        }
        let target = item.target();
        let params = mode.params(false);
        let created = self.cluster.create(&target, &item.object, &params).await;
        created.map_err(|error| error.to_string())
    }

    async fn apply(&self, item: &Item, mode: Mode, force: bool) -> Result<Object, String> {
        let patch = Patch::Apply(item.object.clone());
        let params = mode.params(force);
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.cluster.patch(&item.target(), &patch, &params).await {
                Ok(live) => return Ok(live),
                Err(error) => error,
            };
            if is_lost_race(&error) && tries < ATTEMPTS {
                continue;
            }
            let what = if error.is_conflict() {
                "conflict occurred while applying object"
            } else {
                "server-side apply failed for object"
            };
            return Err(format!("{what} {}: {error}", item.describe()));
        }
    }

    /// Brings objects from `originals` to `targets`: creates, changes, and deletes what is no longer there.
    pub(super) async fn update(
        &self,
        originals: &[Item],
        targets: &[Item],
        mode: Mode,
    ) -> (Updated, Result<(), String>) {
        let mut updated = Updated::default();
        let mut errors = Vec::new();
        for target in targets {
            match self.update_one(originals, target, mode, &mut updated).await {
                Ok(Some(error)) => errors.push(error),
                Ok(None) => {}
                Err(error) => return (updated, Err(error)),
            }
        }
        if errors.is_empty() {
            let gone = originals
                .iter()
                .filter(|o| !targets.iter().any(|t| t.is_same(o)));
            for original in gone {
                errors.extend(self.remove_original(original).await.err());
            }
        }
        let result = if errors.is_empty() {
            Ok(())
        } else {
            Err(errors.join(" && "))
        };
        (updated, result)
    }

    /// Writes one object. The outer error ends the update, the inner one is reported at its end.
    async fn update_one(
        &self,
        originals: &[Item],
        target: &Item,
        mode: Mode,
        updated: &mut Updated,
    ) -> Result<Option<String>, String> {
        let present = match self.cluster.get(&target.target()).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => {
                updated.created.push(target.clone());
                let created = self.create_one(target.clone(), mode, mode.force_conflicts);
                let live = created
                    .await
                    .map_err(|error| format!("failed to create resource: {error}"))?;
                updated.live.push(live);
                return Ok(None);
            }
            Err(error) => {
                return Err(format!(
                    "could not get information about the resource: {error}"
                ));
            }
        };
        let original = originals.iter().find(|o| o.is_same(target));
        let original = original.map_or(&present, |item| &item.object);
        let written = if mode.replace {
            self.replace(target, &present, mode).await
        } else if mode.server_side {
            self.migrate_and_apply(target, &present, mode).await
        } else {
            self.merge(original, target, &present, mode).await
        };
        Ok(match written {
            Ok(live) => {
                updated.live.push(live);
                None
            }
            Err(error) => Some(error),
        })
    }

    async fn migrate_and_apply(
        &self,
        target: &Item,
        present: &Object,
        mode: Mode,
    ) -> Result<Object, String> {
        if mode.migrate
            && let Some(entries) = migrated(present)
        {
            let version = present.resource_version();
            let patch = json!([
                {"op": "replace", "path": "/metadata/managedFields", "value": entries},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            ]);
            let params = mode.params(false);
            let patch = Patch::Json(patch);
            match self.cluster.patch(&target.target(), &patch, &params).await {
                Ok(_) => {}
                // Somebody else writes at this moment; the next upgrade finds the fields again.
                Err(error) if error.is_conflict() => {}
                Err(error) => {
                    return Err(format!(
                        "failed to upgrade client-side field manager: {error}"
                    ));
                }
            }
        }
        self.apply(target, mode, mode.force_conflicts).await
    }

    async fn replace(&self, target: &Item, present: &Object, mode: Mode) -> Result<Object, String> {
        let mut object = target.object.clone();
        let version = present.resource_version().to_owned();
        object.set(&["metadata", "resourceVersion"], version);
        let (target, params) = (target.target(), mode.params(false));
        let replaced = self.cluster.update(&target, &object, &params).await;
        replaced.map_err(|error| format!("failed to replace object: {error}"))
    }

    async fn merge(
        &self,
        original: &Object,
        target: &Item,
        present: &Object,
        mode: Mode,
    ) -> Result<Object, String> {
        let failed = |error: String| format!("failed to create patch: {error}");
        let schema = builtin();
        let wanted = &target.object;
        let patch = match schema.kind(&wanted.gvk()) {
            Some(ty) => {
                let patch =
                    strategic::three_way(&original.0, &wanted.0, &present.0, schema, Some(ty));
                let patch = patch.map_err(|error| failed(error.to_string()))?;
                Patch::Strategic(Value::Object(patch))
            }
            None => Patch::Merge(merge_patch(original, wanted, present, mode.three_way)),
        };
        let (Patch::Strategic(body) | Patch::Merge(body)) = &patch else {
            return Ok(present.clone());
        };
        if body.as_object().is_none_or(|map| map.is_empty()) {
            return Ok(present.clone());
        }
        let params = mode.params(false);
        let patched = self.cluster.patch(&target.target(), &patch, &params).await;
        patched.map_err(|error| {
            let (name, kind) = (wanted.name(), wanted.kind());
            format!("cannot patch \"{name}\" with kind {kind}: {error}")
        })
    }

    /// Deletes an object that a release no longer has, unless its live state asks to be kept.
    async fn remove_original(&self, original: &Item) -> Result<(), String> {
        let Ok(live) = self.cluster.get(&original.target()).await else {
            return Ok(());
        };
        if live.annotation(RESOURCE_POLICY) == Some("keep") {
            return Ok(());
        }
        let deleted = self.remove(original, Propagation::Background).await;
        deleted.map_err(|error| {
            let object = &original.object;
            format!(
                "failed to delete resource namespace={}, name={}, kind={}: {error}",
                object.namespace(),
                object.name(),
                object.kind()
            )
        })
    }

    async fn remove(&self, item: &Item, propagation: Propagation) -> Result<(), Error> {
        let params = DeleteParams {
            propagation,
            ..DeleteParams::default()
        };
        match self.cluster.delete(&item.target(), &params).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes objects: one kind after the other, objects of a kind together. Returns all errors.
    pub(super) async fn delete(&self, items: &[Item], propagation: Propagation) -> Vec<String> {
        let mut errors = Vec::new();
        for run in items.chunk_by(|a, b| a.object.kind() == b.object.kind()) {
            let deletes: Vec<_> = run.iter().map(|i| self.remove(i, propagation)).collect();
            let mut results = futures::stream::iter(deletes).buffered(CONCURRENCY);
            while let Some(result) = results.next().await {
                errors.extend(result.err().map(|error| error.to_string()));
            }
        }
        errors
    }

    /// Returns the items that exist already. Unless they may be taken, they must carry the marks of this release.
    pub(super) async fn existing(
        &self,
        items: &[Item],
        release: &str,
        namespace: &str,
        take: bool,
    ) -> Result<Vec<Item>, String> {
        let mut existing = Vec::new();
        let reads: Vec<_> = items
            .iter()
            .filter(|item| !item.object.name().is_empty())
            .map(|item| async move { (item, self.cluster.get(&item.target()).await) })
            .collect();
        let mut reads = futures::stream::iter(reads).buffered(CONCURRENCY);
        while let Some((item, live)) = reads.next().await {
            let named = || {
                let object = &item.object;
                let (kind, name, namespace) = (object.kind(), object.name(), object.namespace());
                format!("{kind} \"{name}\" in namespace \"{namespace}\"")
            };
            match live {
                Ok(live) => {
                    if !take {
                        check_ownership(&live, release, namespace).map_err(|error| {
                            let named = named();
                            format!("{named} exists and cannot be imported into the current release: {error}")
                        })?;
                    }
                    existing.push(item.clone());
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    let named = named();
                    return Err(format!(
                        "could not get information about the resource {named}: {error}"
                    ));
                }
            }
        }
        Ok(existing)
    }

    /// Reads an object.
    pub(super) async fn get(&self, target: &Target) -> Result<Option<Object>, Error> {
        match self.cluster.get(target).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Tells whether an object that asks not to be deleted is among those Helm leaves alone; any value of the policy
/// keeps it from being deleted, as upstream has it.
pub(super) fn is_kept(object: &Object) -> bool {
    object.annotation(RESOURCE_POLICY).is_some()
}

fn is_lost_race(error: &Error) -> bool {
    let by_field = match error {
        Error::Status(status) => status
            .causes
            .iter()
            .any(|cause| cause.reason == "FieldManagerConflict"),
        _ => false,
    };
    error.is_conflict() && !by_field
}

fn check_ownership(live: &Object, release: &str, namespace: &str) -> Result<(), String> {
    let label = |key: &str| live.label(key);
    let annotation = |key: &str| live.annotation(key);
    let mut errors = Vec::new();
    if let Some(error) = unlike(MANAGED_BY, "Helm", label(MANAGED_BY)) {
        errors.push(format!("label validation error: {error}"));
    }
    for (key, wanted) in [(RELEASE_NAME, release), (RELEASE_NAMESPACE, namespace)] {
        if let Some(error) = unlike(key, wanted, annotation(key)) {
            errors.push(format!("annotation validation error: {error}"));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(format!("invalid ownership metadata; {}", errors.join("; ")))
}

fn unlike(key: &str, wanted: &str, found: Option<&str>) -> Option<String> {
    match found {
        None => Some(format!(
            "missing key \"{key}\": must be set to \"{wanted}\""
        )),
        Some(value) if value != wanted => Some(format!(
            "key \"{key}\" must equal \"{wanted}\": current value is \"{value}\""
        )),
        Some(_) => None,
    }
}

/// The merge patch for a custom object: from the old manifest to the new one, and with the live state where asked.
fn merge_patch(original: &Object, wanted: &Object, present: &Object, three_way: bool) -> Value {
    let value = |object: &Object| Value::Object(object.0.clone());
    if !three_way {
        return create_merge_patch(&value(original), &value(wanted));
    }
    let mut additions = create_merge_patch(&value(present), &value(wanted));
    strip_nulls(&mut additions);
    let mut removals = create_merge_patch(&value(original), &value(wanted));
    keep_nulls(&mut removals);
    overlay(&mut removals, additions);
    removals
}

/// Puts one patch over another; nulls stay.
fn overlay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

fn strip_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, v| !v.is_null());
        map.values_mut().for_each(strip_nulls);
        map.retain(|_, v| v.as_object().is_none_or(|m| !m.is_empty()));
    }
}

fn keep_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, v| v.is_null() || v.is_object());
        map.values_mut().for_each(keep_nulls);
        map.retain(|_, v| v.as_object().is_none_or(|m| !m.is_empty()));
    }
}

/// Returns managed fields with Helm's client-side entry turned into its apply entry; `None` where there is none.
fn migrated(present: &Object) -> Option<Vec<Value>> {
    let entries = present.get(&["metadata", "managedFields"])?.as_array()?;
    let is_own = |entry: &Value| {
        let manager = entry["manager"].as_str().unwrap_or("");
        let main = entry["subresource"].as_str().unwrap_or("").is_empty();
        main && (manager == api::names::HELM_CONTROLLER || manager == "helm")
    };
    let is_client = |entry: &Value| is_own(entry) && entry["operation"] == "Update";
    let client = entries.iter().find(|entry| is_client(entry))?;
    let has_apply = entries
        .iter()
        .any(|e| e["manager"] == api::names::HELM_CONTROLLER && e["operation"] == "Apply");
    let mut kept: Vec<Value> = entries.iter().filter(|e| !is_client(e)).cloned().collect();
    if !has_apply {
        let mut apply = client.clone();
        apply["manager"] = api::names::HELM_CONTROLLER.into();
        apply["operation"] = "Apply".into();
        kept.push(apply);
    }
    Some(kept)
}

//! Who owns what after an update or an apply.
//!
//! An update takes every field it changes; an apply merges, owns what it names, gives up what it no longer names, and
//! conflicts with others over changed values. Managers are opaque keys here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::compare::Comparison;
use super::gotext::push_go_quoted;
use super::matcher::FieldFilter;
use super::order::values_equal;
use super::path::{Path, PathElement};
use super::reconcile::reconcile_field_set;
use super::set::FieldSet;
use super::typed::{Typed, ValidationErrors};
use crate::Value;

/// What one manager owns, in the version it was recorded in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedSet {
    /// The fields.
    pub set: Arc<FieldSet>,
    /// Version whose field names the set uses, such as `apps/v1`.
    pub api_version: Arc<str>,
    /// Whether it was made by apply.
    pub applied: bool,
}

/// What every manager owns, by an opaque manager key.
pub type Managers = BTreeMap<String, ManagedSet>;

/// Translates objects between the versions of their kind.
pub trait Converter {
    /// Returns the object in another version.
    fn convert(&self, object: &Typed, api_version: &str) -> Result<Typed, ConvertError>;
}

/// A conversion that is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// The version does not exist (any more); who owns fields in it owns nothing.
    #[error("version {0} does not exist")]
    MissingVersion(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// The converter of kinds with one schema for all versions.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdentityConverter;

impl Converter for IdentityConverter {
    fn convert(&self, object: &Typed, _api_version: &str) -> Result<Typed, ConvertError> {
        Ok(object.clone())
    }
}

/// One field that somebody else owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Key of the manager who owns it.
    pub manager: String,
    /// The field.
    pub path: Path,
}

/// All conflicts of an apply: sorted by manager, then in set order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

/// Why an update or apply did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Others own fields that would change; forcing takes them.
    #[error(transparent)]
    Conflicts(Conflicts),
    /// The applied object could not be merged.
    #[error("failed to merge config: {0}")]
    Merge(ValidationErrors),
    /// Live and new object could not be compared.
    #[error("failed to compare objects: {0}")]
    Compare(ValidationErrors),
    /// A recorded set does not fit the schema.
    #[error("errors reconciling field set with schema: {0}")]
    Reconcile(ValidationErrors),
    /// A conversion failed.
    #[error("{0}: {1}")]
    Convert(&'static str, ConvertError),
}

/// What an apply leads to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The new object; `None` where it equals the live one and the updater was told to say so.
    pub object: Option<Typed>,
    /// New ownership.
    pub managers: Managers,
}

/// Computes ownership; holds what is the same for all requests of a kind.
pub struct Updater<'a> {
    /// Translates between versions.
    pub converter: &'a dyn Converter,
    /// What managers are never recorded to own, by version.
    pub filters: BTreeMap<String, FieldFilter>,
    /// Return the new object even when it equals the live one, and do not compare.
    pub return_input_on_noop: bool,
}

impl<'a> Updater<'a> {
    /// Builds an updater without filters that always returns the new object.
    pub fn new(converter: &'a dyn Converter) -> Self {
        Self {
            converter,
            filters: BTreeMap::new(),
            return_input_on_noop: true,
        }
    }

    /// Records an update (create, replace or patch): `manager` takes every field that changed.
    pub fn update(
        &self,
        live: &Typed,
        new: &Typed,
        version: &str,
        managers: Managers,
        manager: &str,
    ) -> Result<Managers, UpdateError> {
        let managers = self.fit_schema(live, managers)?;
        let (mut managers, changed) = self.disown(live, new, version, managers, manager, true)?;
        let owned = managers.remove(manager);
        let before = owned.map(|owned| owned.set).unwrap_or_default();
        let set = before
            .difference(&changed.removed)
            .union(&changed.modified)
            .union(&changed.added);
        let set = self.filtered(version, set);
        if !set.is_empty() {
            let entry = ManagedSet {
                set: Arc::new(set),
                api_version: version.into(),
                applied: false,
            };
            managers.insert(manager.to_owned(), entry);
        }
        Ok(managers)
    }

    /// Applies `config` for `manager`.
    pub fn apply(
        &self,
        live: &Typed,
        config: &Typed,
        version: &str,
        managers: Managers,
        manager: &str,
        force: bool,
    ) -> Result<Applied, UpdateError> {
        let mut managers = self.fit_schema(live, managers)?;
        let merged = live.merge(config).map_err(UpdateError::Merge)?;
        let set = self.filtered(version, config.to_field_set());
        let entry = ManagedSet {
            set: Arc::new(set),
            api_version: version.into(),
            applied: true,
        };
        let last = managers.insert(manager.to_owned(), entry);
        let new = self.prune(merged, &managers, version, last.as_ref())?;
        let (managers, _) = self.disown(live, &new, version, managers, manager, force)?;
        let unchanged = !self.return_input_on_noop
            && match (&live.value, &new.value) {
                (Some(a), Some(b)) => values_equal(a, b),
                (a, b) => a.is_none() && b.is_none(),
            };
        Ok(Applied {
            object: (!unchanged).then_some(new),
            managers,
        })
    }

    fn filtered(&self, version: &str, set: FieldSet) -> FieldSet {
        match self.filters.get(version) {
            Some(filter) => filter.filter(&set),
            None => set,
        }
    }

    /// Takes changed fields from everybody but `manager`; without `force`, changed values are conflicts.
    fn disown(
        &self,
        old: &Typed,
        new: &Typed,
        version: &str,
        mut managers: Managers,
        manager: &str,
        force: bool,
    ) -> Result<(Managers, Comparison), UpdateError> {
        let changed = old.compare(new).map_err(UpdateError::Compare)?;
        let changed = changed.filtered(self.filters.get(version));
        let mut by_version = BTreeMap::from([(Arc::<str>::from(version), Changes::of(changed))]);
        let mut conflicts = Vec::new();
        let mut missing = Vec::new();
        let mut reduced = Vec::new();
        for (key, owned) in managers.iter().filter(|(key, _)| *key != manager) {
            if !by_version.contains_key(&owned.api_version) {
                match self.changes_in(old, new, &owned.api_version)? {
                    Some(changes) => {
                        by_version.insert(Arc::clone(&owned.api_version), changes);
                    }
                    None => {
                        missing.push(key.clone());
                        continue;
                    }
                }
            }
            let Some(changes) = by_version.get(&owned.api_version) else {
                continue;
            };
            let taken = owned.set.intersection(&changes.set);
            let removed = &changes.comparison.removed;
            if taken.is_empty() && removed.is_empty() {
                continue;
            }
            reduced.push((
                key.clone(),
                owned.set.difference(&taken).difference(removed),
            ));
            taken.for_each(&mut |path| {
                conflicts.push(Conflict {
                    manager: key.clone(),
                    path: path.to_vec(),
                });
            });
        }
        if !force && !conflicts.is_empty() {
            return Err(UpdateError::Conflicts(Conflicts(conflicts)));
        }
        for key in missing {
            managers.remove(&key);
        }
        for (key, set) in reduced {
            if let Some(owned) = managers.get_mut(&key) {
                owned.set = Arc::new(set);
            }
        }
        managers.retain(|_, owned| !owned.set.is_empty());
        let changed = by_version.remove(version).map(|c| c.comparison);
        Ok((managers, changed.unwrap_or_default()))
    }

    /// Compares both objects in another version; `None` where that version is gone.
    fn changes_in(
        &self,
        old: &Typed,
        new: &Typed,
        version: &str,
    ) -> Result<Option<Changes>, UpdateError> {
        let Some(old) = self.converted(old, version, "failed to convert old object")? else {
            return Ok(None);
        };
        let Some(new) = self.converted(new, version, "failed to convert new object")? else {
            return Ok(None);
        };
        let changed = old.compare(&new).map_err(UpdateError::Compare)?;
        Ok(Some(Changes::of(
            changed.filtered(self.filters.get(version)),
        )))
    }

    fn converted(
        &self,
        object: &Typed,
        version: &str,
        what: &'static str,
    ) -> Result<Option<Typed>, UpdateError> {
        match self.converter.convert(object, version) {
            Ok(object) => Ok(Some(object)),
            Err(ConvertError::MissingVersion(_)) => Ok(None),
            Err(error) => Err(UpdateError::Convert(what, error)),
        }
    }

    /// Removes what the manager applied last time, does not apply now, and nobody else owns.
    fn prune(
        &self,
        merged: Typed,
        managers: &Managers,
        version: &str,
        last: Option<&ManagedSet>,
    ) -> Result<Typed, UpdateError> {
        let Some(last) = last.filter(|last| !last.set.is_empty()) else {
            return Ok(merged);
        };
        if gives_nothing_up(last, managers, version, &merged) {
            return Ok(merged);
        }
        if let Some(gone) = gone_in_one_version(last, managers, version, &merged) {
            return Ok(merged.remove_items(&gone));
        }
        self.prune_the_long_way(merged, managers, version, last)
    }

    /// Cuts out the last apply, puts back what anybody owns, and what went only because its parent did.
    fn prune_the_long_way(
        &self,
        merged: Typed,
        managers: &Managers,
        version: &str,
        last: &ManagedSet,
    ) -> Result<Typed, UpdateError> {
        let what = "failed to convert merged object to last applied version";
        let Some(merged) = self.converted(&merged, &last.api_version, what)? else {
            return Ok(merged);
        };
        let last_set = last
            .set
            .ensure_named_fields(&merged.schema, Some(merged.ty));
        let pruned = merged.remove_items(&last_set);
        let pruned = self.add_back_owned(&merged, pruned, &last.api_version, managers)?;
        let pruned = self.add_back_dangling(&merged, pruned, last, &last_set)?;
        self.converter
            .convert(&pruned, version)
            .map_err(|e| UpdateError::Convert("failed to convert pruned object", e))
    }

    /// Restores what any manager owns, version by version, beginning with the version of the last apply.
    fn add_back_owned(
        &self,
        merged: &Typed,
        mut pruned: Typed,
        version: &str,
        managers: &Managers,
    ) -> Result<Typed, UpdateError> {
        let mut owned: BTreeMap<&str, FieldSet> = BTreeMap::new();
        for entry in managers.values() {
            let set = owned.entry(&entry.api_version).or_default();
            *set = set.union(&entry.set);
        }
        let mut merged = merged.clone();
        if let Some(set) = owned.remove(version) {
            (merged, pruned) = self.add_back_in_version(merged, pruned, version, &set)?;
        }
        for (version, set) in owned {
            (merged, pruned) = self.add_back_in_version(merged, pruned, version, &set)?;
        }
        Ok(pruned)
    }

    fn add_back_in_version(
        &self,
        merged: Typed,
        pruned: Typed,
        version: &str,
        owned: &FieldSet,
    ) -> Result<(Typed, Typed), UpdateError> {
        let what = "failed to convert merged object";
        let Some(converted) = self.converted(&merged, version, what)? else {
            return Ok((merged, pruned));
        };
        let what = "failed to convert pruned object";
        let Some(pruned_there) = self.converted(&pruned, version, what)? else {
            return Ok((converted, pruned));
        };
        let named = |set: &FieldSet| set.ensure_named_fields(&converted.schema, Some(converted.ty));
        let all = named(&converted.to_field_set());
        let kept = named(&pruned_there.to_field_set()).union(&named(owned));
        let pruned = converted.remove_items(&all.difference(&kept));
        Ok((converted, pruned))
    }

    /// Restores what was removed only because a parent was, and the manager never applied.
    fn add_back_dangling(
        &self,
        merged: &Typed,
        pruned: Typed,
        last: &ManagedSet,
        last_set: &FieldSet,
    ) -> Result<Typed, UpdateError> {
        let what = "failed to convert pruned object to last applied version";
        let Some(pruned) = self.converted(&pruned, &last.api_version, what)? else {
            return Ok(merged.clone());
        };
        let named = |set: &FieldSet| set.ensure_named_fields(&merged.schema, Some(merged.ty));
        let gone = named(&merged.to_field_set()).difference(&named(&pruned.to_field_set()));
        Ok(merged.remove_items(&gone.intersection(last_set)))
    }

    /// Fits recorded sets to schemas that changed since; sets of versions that are gone are dropped.
    fn fit_schema(&self, live: &Typed, managers: Managers) -> Result<Managers, UpdateError> {
        let mut fitted = Managers::new();
        for (key, mut owned) in managers {
            let what = "failed to convert live object";
            let Some(live) = self.converted(live, &owned.api_version, what)? else {
                continue;
            };
            let changed = reconcile_field_set(&owned.set, &live.schema, live.ty)
                .map_err(UpdateError::Reconcile)?;
            if let Some(set) = changed {
                owned.set = Arc::new(set);
            }
            fitted.insert(key, owned);
        }
        Ok(fitted)
    }
}

/// Tells whether pruning cannot change anything: one version, and somebody still owns all of the last apply.
///
/// Parents of owned fields must be owned too, or pruning could cut them away above what is kept.
fn gives_nothing_up(last: &ManagedSet, managers: &Managers, version: &str, merged: &Typed) -> bool {
    &*last.api_version == version
        && managers
            .values()
            .all(|owned| &*owned.api_version == version)
        && managers
            .values()
            .any(|owned| last.set.difference(&owned.set).is_empty())
        && last
            .set
            .ensure_named_fields(&merged.schema, Some(merged.ty))
            .owns_its_parents()
        && !merged.value.as_deref().is_some_and(has_empty_list)
}

/// Lists what pruning removes where all sets are of one version and parents of owned fields are owned too: fields of the
/// last apply that nobody owns any more. `None` where only the long way tells.
///
/// The long way cuts out the last apply, puts back what anybody owns, and then what was cut out only because its parent
/// was. With owned parents nothing owned is ever cut out for good, so that those three steps come to this difference.
fn gone_in_one_version(
    last: &ManagedSet,
    managers: &Managers,
    version: &str,
    merged: &Typed,
) -> Option<FieldSet> {
    let own = |owned: &ManagedSet| &*owned.api_version == version;
    if !own(last) || !managers.values().all(own) {
        return None;
    }
    let named = |set: &FieldSet| set.ensure_named_fields(&merged.schema, Some(merged.ty));
    let owned = managers
        .values()
        .fold(FieldSet::new(), |all, owned| all.union(&owned.set));
    let owned = named(&owned);
    if !owned.owns_its_parents() || merged.value.as_deref().is_some_and(has_empty_list) {
        return None;
    }
    let given_up = named(&last.set).difference(&owned);
    Some(named(&merged.to_field_set()).intersection(&given_up))
}

/// Tells whether a list is empty somewhere: it has no fields, so that the long way takes what holds only it for gone.
fn has_empty_list(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty_list),
        Value::Object(map) => map.values().any(has_empty_list),
        _ => false,
    }
}

/// What changed in one version; `set` is what was modified or added.
struct Changes {
    set: FieldSet,
    comparison: Comparison,
}

impl Changes {
    fn of(comparison: Comparison) -> Self {
        Self {
            set: comparison.modified.union(&comparison.added),
            comparison,
        }
    }
}

impl fmt::Display for Conflicts {
    /// Writes one line for one conflict, else a heading for each manager with a line for each of its fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| {
            let mut out = String::new();
            push_go_quoted(&mut out, name);
            out
        };
        if let [only] = self.0.as_slice() {
            let path = PathElement::display_path(&only.path);
            return write!(f, "conflict with {}: {path}", quoted(&only.manager));
        }
        let mut managers: Vec<&str> = self.0.iter().map(|c| c.manager.as_str()).collect();
        managers.sort_unstable();
        managers.dedup();
        let mut lines = Vec::new();
        for manager in managers {
            lines.push(format!("conflicts with {}:", quoted(manager)));
            let own = self.0.iter().filter(|c| c.manager == manager);
            lines.extend(own.map(|c| format!("- {}", PathElement::display_path(&c.path))));
        }
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Conflicts {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::builtin::builtin;
    use crate::{Gvk, json};

    const VERSION: &str = "apps/v1";

    /// A few fields of a Deployment: plain maps, keyed lists, a set, an atomic map, plain fields.
    fn deployment() -> impl Strategy<Value = Value> {
        let labels = prop::collection::btree_map("[ab]", "[xy]", 0..3);
        let ports = prop::collection::btree_set(80_u16..83, 0..3);
        let container = (prop::option::of("[uv]"), ports, prop::option::of("[st]"));
        let containers = prop::collection::btree_map("[cd]", container, 0..3);
        let finalizers = prop::collection::btree_set("[fg]", 0..3);
        let fields = (
            prop::option::of(labels),
            prop::option::of(containers),
            prop::option::of(finalizers),
            prop::option::of(0_u8..3),
            prop::option::of("[mn]"),
        );
        fields.prop_map(|(labels, containers, finalizers, replicas, zone)| {
            let mut object = json!({"metadata": {"name": "d"}, "spec": {"template": {"spec": {}}}});
            if let Some(labels) = labels {
                object["metadata"]["labels"] = json!(labels);
            }
            if let Some(finalizers) = finalizers {
                object["metadata"]["finalizers"] = json!(finalizers);
            }
            if let Some(replicas) = replicas {
                object["spec"]["replicas"] = replicas.into();
            }
            if let Some(zone) = zone {
                object["spec"]["template"]["spec"]["nodeSelector"] = json!({"zone": zone});
            }
            if let Some(containers) = containers {
                let list = containers
                    .into_iter()
                    .map(|(name, (image, ports, workdir))| {
                        let ports: Vec<Value> = ports
                            .into_iter()
                            .map(|port| json!({"containerPort": port, "protocol": "TCP"}))
                            .collect();
                        let mut container = json!({"name": name, "ports": ports});
                        if let Some(image) = image {
                            container["image"] = image.into();
                        }
                        if let Some(workdir) = workdir {
                            container["workingDir"] = workdir.into();
                        }
                        container
                    });
                object["spec"]["template"]["spec"]["containers"] = list.collect();
            }
            object
        })
    }

    fn typed(value: Value) -> Typed {
        let schema = builtin();
        let ty = schema.kind(&Gvk::new("apps", "v1", "Deployment")).unwrap();
        Typed::new_unchecked(schema, ty, value)
    }

    fn owned(value: Value) -> ManagedSet {
        ManagedSet {
            set: Arc::new(typed(value).to_field_set()),
            api_version: VERSION.into(),
            applied: true,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_short_way_of_pruning_comes_to_the_same(
            last in deployment(),
            now in deployment(),
            others in prop::collection::vec(deployment(), 0..3),
            live in deployment(),
        ) {
            let merged = typed(live).merge(&typed(last.clone())).unwrap();
            let merged = merged.merge(&typed(now.clone())).unwrap();
            let last = owned(last);
            let mut managers = Managers::from([("me".to_owned(), owned(now))]);
            for (index, other) in others.into_iter().enumerate() {
                managers.insert(format!("other-{index}"), owned(other));
            }
            let updater = Updater::new(&IdentityConverter);
            let long = updater
                .prune_the_long_way(merged.clone(), &managers, VERSION, &last)
                .unwrap();
            if let Some(gone) = gone_in_one_version(&last, &managers, VERSION, &merged) {
                prop_assert_eq!(&merged.remove_items(&gone).value, &long.value);
            }
            if gives_nothing_up(&last, &managers, VERSION, &merged) {
                prop_assert_eq!(merged.value, long.value);
            }
        }
    }
}

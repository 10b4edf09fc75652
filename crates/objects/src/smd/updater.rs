//! Who owns what after an update or an apply.
//!
//! An update takes every field it changes; an apply merges, owns what it names, gives up what it no longer names, and
//! conflicts with others over changed values. Managers are opaque keys here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compare::Comparison;
use super::conflict::{Conflict, Conflicts};
use super::matcher::FieldFilter;
use super::order::values_equal;
use super::reconcile::reconcile_field_set;
use super::set::FieldSet;
use super::typed::{Typed, ValidationErrors};

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
    ///
    /// # Errors
    /// Fails on a version that there is not, or an object that it cannot express.
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
    ///
    /// # Errors
    /// Fails on objects that do not fit the schema or cannot be converted.
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
    ///
    /// # Errors
    /// Fails on conflicts, unless forced, and as [`Updater::update`].
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

    pub(super) fn converted(
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

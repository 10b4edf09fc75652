//! What an apply takes away: fields that the manager applied last time, does not apply now, and nobody else owns.

use std::collections::BTreeMap;

use super::set::FieldSet;
use super::typed::Typed;
use super::updater::{ManagedSet, Managers, UpdateError, Updater};
use crate::Value;

impl Updater<'_> {
    /// Removes what the manager applied last time, does not apply now, and nobody else owns.
    pub(super) fn prune(
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::updater::IdentityConverter;
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

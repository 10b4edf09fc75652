//! Writing status and finalizers: merge patches of what changed, nothing where nothing did.

use std::collections::BTreeSet;

use cluster::{Cluster, Error, Patch, Target, WriteParams};
use objects::{Map, Object, Value, json};

/// Attempts at a status patch that loses races.
const ATTEMPTS: usize = 5;

/// Writes `status` so that it becomes `after`; returns the object as stored, or `None` when nothing had to change.
///
/// `before` is the object that `after` was computed from. Conditions are written under an optimistic lock;
/// where somebody else wrote meanwhile, the condition types in `owned` win and all others stay as they are
/// found. Other fields are patched one by one, so foreign fields survive.
///
/// # Errors
/// Those of the cluster; a conflict only after five lost races.
pub async fn patch_status(
    cluster: &dyn Cluster,
    target: &Target,
    before: &Object,
    after: &Value,
    owned: &[&str],
    field_manager: &str,
) -> Result<Option<Object>, Error> {
    let params = params(field_manager);
    let target = target.clone().subresource("status");
    let mut base = before.clone();
    let mut wanted = after.clone();
    let empty = json!({});
    for attempt in 1..=ATTEMPTS {
        let present = base.get(&["status"]).unwrap_or(&empty);
        let Some(difference) = merge_difference(present, &wanted) else {
            return Ok(None);
        };
        let mut patch = json!({"status": difference});
        if patch["status"].get("conditions").is_some() {
            let version = base.str_at(&["metadata", "resourceVersion"]);
            patch["metadata"] = json!({"resourceVersion": version});
        }
        match cluster.patch(&target, &Patch::Merge(patch), &params).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => {}
            other => return other.map(Some),
        }
        let mut main = target.clone();
        main.subresource.clear();
        base = cluster.get(&main).await?;
        merge_conditions(&mut wanted, base.get(&["status", "conditions"]), owned);
    }
    unreachable!("the last attempt returns")
}

/// Takes conditions that others own from the present list.
fn merge_conditions(wanted: &mut Value, present: Option<&Value>, owned: &[&str]) {
    let type_of = |c: &Value| c["type"].as_str().unwrap_or("").to_owned();
    let mut conditions: Vec<Value> = wanted["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|c| owned.contains(&type_of(c).as_str()));
    let foreign = present.and_then(Value::as_array).into_iter().flatten();
    conditions.extend(
        foreign
            .filter(|c| !owned.contains(&type_of(c).as_str()))
            .cloned(),
    );
    wanted["conditions"] = Value::Array(conditions);
}

/// Returns the RFC 7396 patch that turns one value into another; `None` where they are equal.
pub fn merge_difference(from: &Value, to: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        return (from != to).then(|| to.clone());
    };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut patch = Map::new();
    for key in keys {
        let change = match (old.get(key), new.get(key)) {
            (Some(_), None) => Some(Value::Null),
            (None, Some(value)) => Some(value.clone()),
            (Some(old), Some(new)) => merge_difference(old, new),
            (None, None) => None,
        };
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Adds a finalizer; returns the object as stored, or `None` where it was there.
///
/// # Errors
/// Those of the cluster; a conflict where somebody else wrote meanwhile, after which a new pass tries again.
pub async fn add_finalizer(
    cluster: &dyn Cluster,
    target: &Target,
    object: &Object,
    finalizer: &str,
    field_manager: &str,
) -> Result<Option<Object>, Error> {
    let mut finalizers = object.finalizers();
    if finalizers.contains(&finalizer) {
        return Ok(None);
    }
    finalizers.push(finalizer);
    write_finalizers(cluster, target, object, &finalizers, field_manager)
        .await
        .map(Some)
}

/// Removes a finalizer; returns the object as stored, or `None` where it was not there or the object is gone.
///
/// # Errors
/// Those of the cluster; a conflict only after five lost races.
pub async fn remove_finalizer(
    cluster: &dyn Cluster,
    target: &Target,
    object: &Object,
    finalizer: &str,
    field_manager: &str,
) -> Result<Option<Object>, Error> {
    let mut base = object.clone();
    for attempt in 1..=ATTEMPTS {
        let mut finalizers = base.finalizers();
        if !finalizers.contains(&finalizer) {
            return Ok(None);
        }
        finalizers.retain(|f| *f != finalizer);
        match write_finalizers(cluster, target, &base, &finalizers, field_manager).await {
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => {}
            other => return other.map(Some),
        }
        match cluster.get(target).await {
            Err(error) if error.is_not_found() => return Ok(None),
            fresh => base = fresh?,
        }
    }
    unreachable!("the last attempt returns")
}

async fn write_finalizers(
    cluster: &dyn Cluster,
    target: &Target,
    object: &Object,
    finalizers: &[&str],
    field_manager: &str,
) -> Result<Object, Error> {
    let version = object.str_at(&["metadata", "resourceVersion"]);
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": version}});
    cluster
        .patch(target, &Patch::Merge(patch), &params(field_manager))
        .await
}

fn params(field_manager: &str) -> WriteParams {
    WriteParams {
        field_manager: field_manager.to_owned(),
        ..WriteParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_minimal_merge_patches() {
        for (name, from, to, patch) in [
            (
                "equal values need nothing",
                json!({"a": 1}),
                json!({"a": 1}),
                None,
            ),
            (
                "changed, new and removed fields",
                json!({"a": 1, "b": {"c": 1, "d": 2}, "e": 1}),
                json!({"a": 1, "b": {"c": 3, "d": 2}, "f": [1]}),
                Some(json!({"b": {"c": 3}, "e": null, "f": [1]})),
            ),
            (
                "lists are replaced",
                json!({"a": [1, 2]}),
                json!({"a": [1]}),
                Some(json!({"a": [1]})),
            ),
        ] {
            assert_eq!(merge_difference(&from, &to), patch, "{name}");
        }
    }

    #[test]
    fn foreign_conditions_survive_a_lost_race() {
        let mut wanted = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let present =
            json!([{"type": "Ready", "status": "False"}, {"type": "Theirs", "status": "True"}]);
        merge_conditions(&mut wanted, Some(&present), &["Ready", "Reconciling"]);
        assert_eq!(
            wanted["conditions"],
            json!([{"type": "Ready", "status": "True"}, {"type": "Theirs", "status": "True"}])
        );
    }
}

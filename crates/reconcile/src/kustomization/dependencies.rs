//! Whether what a Kustomization depends on is ready, and cycles of dependencies.

use std::collections::HashSet;

use api::{ConditionStatus, Kustomization, names};
use objects::{Object, Value};

pub use crate::dependencies::DependencyError;
use crate::dependencies::{Dependent, Lookup, check};

/// Checks the dependencies in order; the first that is not met is the answer.
///
/// `revision` is the present one of the own source; `additive` makes `readyExpr` an addition to the built-in check
/// (gate `AdditiveCELDependencyCheck`).
///
/// # Errors
/// Names the dependency that is not met, or whose expression cannot be evaluated.
pub fn check_dependencies(
    own: &Kustomization,
    own_object: &Object,
    revision: &str,
    additive: bool,
    lookup: &Lookup<'_>,
) -> Result<(), DependencyError> {
    let dependent = Dependent {
        object: own_object,
        dependencies: &own.spec.depends_on,
        additive,
    };
    let not_found = |label: &str, name: &str| {
        let group = names::KUSTOMIZE_GROUP;
        format!("dependency '{label}' not found: kustomizations.{group} \"{name}\" not found")
    };
    check(&dependent, lookup, not_found, |object, label| {
        check_built_in(own, object, label, revision)
    })
}

fn check_built_in(
    own: &Kustomization,
    object: &Object,
    label: String,
    revision: &str,
) -> Result<(), DependencyError> {
    let Ok(dependency) = Kustomization::from_object(object) else {
        return Err(DependencyError::NotReady(label));
    };
    let ready = api::conditions::get(&dependency.status.conditions, names::READY);
    let observed = dependency.status.observed_generation == Some(dependency.metadata.generation);
    if !observed || ready.is_none_or(|c| c.status != ConditionStatus::True) {
        return Err(DependencyError::NotReady(label));
    }
    let source = |k: &Kustomization| {
        let reference = &k.spec.source_ref;
        (
            reference.kind.clone(),
            reference.name.clone(),
            k.source_namespace().to_owned(),
        )
    };
    if source(own) == source(&dependency) && dependency.status.last_applied_revision != revision {
        return Err(DependencyError::Outdated(label));
    }
    Ok(())
}

/// Finds a cycle of dependencies through one Kustomization: its names in order, the first repeated at the end.
pub fn find_cycle(namespace: &str, name: &str, lookup: &Lookup<'_>) -> Option<Vec<String>> {
    let start = format!("{namespace}/{name}");
    let mut path = vec![start.clone()];
    let mut visited = HashSet::new();
    visit(&start, &start, &mut path, &mut visited, lookup).then_some(path)
}

/// Follows dependencies depth first until one leads back to `start`; `path` then ends there.
fn visit(
    at: &str,
    start: &str,
    path: &mut Vec<String>,
    visited: &mut HashSet<String>,
    lookup: &Lookup<'_>,
) -> bool {
    // A chain this long is no chain that anybody wrote; deeper ones are not followed.
    const DEPTH_MAX: usize = 500;
    if path.len() > DEPTH_MAX {
        return false;
    }
    for next in dependencies_of(at, lookup) {
        if next == start {
            path.push(next);
            return true;
        }
        if visited.insert(next.clone()) {
            path.push(next.clone());
            if visit(&next, start, path, visited, lookup) {
                return true;
            }
            path.pop();
        }
    }
    false
}

fn dependencies_of(label: &str, lookup: &Lookup<'_>) -> Vec<String> {
    let Some((namespace, name)) = label.split_once('/') else {
        return Vec::new();
    };
    let Some(object) = lookup(namespace, name) else {
        return Vec::new();
    };
    let entries = object.get(&["spec", "dependsOn"]).and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry["name"].as_str()?;
            let own = entry["namespace"].as_str().filter(|n| !n.is_empty());
            Some(format!("{}/{name}", own.unwrap_or(namespace)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;
    use std::sync::Arc;

    fn object(name: &str, depends_on: Value, status: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "flux", "generation": 1},
            "spec": {"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "repo"}, "dependsOn": depends_on},
            "status": status
        }))
        .unwrap()
    }

    fn ready(revision: &str) -> Value {
        json!({
            "observedGeneration": 1, "lastAppliedRevision": revision,
            "conditions": [{"type": "Ready", "status": "True", "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
        })
    }

    #[test]
    fn dependencies_are_met_or_say_why() {
        let stale = json!({"observedGeneration": 0, "conditions": ready("r1")["conditions"]});
        for (name, depends_on, status, expected) in [
            (
                "a ready one of the same revision",
                json!([{"name": "dep"}]),
                ready("r1"),
                None,
            ),
            (
                "one that does not exist",
                json!([{"name": "gone"}]),
                ready("r1"),
                Some(
                    "dependency 'flux/gone' not found: kustomizations.kustomize.toolkit.fluxcd.io \"gone\" not found",
                ),
            ),
            (
                "one without conditions",
                json!([{"name": "dep"}]),
                json!({}),
                Some("dependency 'flux/dep' is not ready"),
            ),
            (
                "one with a newer generation",
                json!([{"name": "dep"}]),
                stale,
                Some("dependency 'flux/dep' is not ready"),
            ),
            (
                "one that lags behind the common source",
                json!([{"name": "dep"}]),
                ready("r0"),
                Some("dependency 'flux/dep' revision is not up to date"),
            ),
            (
                "an expression replaces the built-in check",
                json!([{"name": "dep", "readyExpr": "dep.metadata.name == 'dep'"}]),
                json!({}),
                None,
            ),
            (
                "an expression that is false",
                json!([{"name": "dep", "readyExpr": "false"}]),
                ready("r1"),
                Some("dependency 'flux/dep' is not ready according to readyExpr eval"),
            ),
        ] {
            let own = object("own", depends_on, json!({}));
            let dependency = Arc::new(object("dep", json!([]), status));
            let lookup = |_: &str, name: &str| (name == "dep").then(|| dependency.clone());
            let own_typed = Kustomization::from_object(&own).unwrap();
            let got = check_dependencies(&own_typed, &own, "r1", false, &lookup).err();
            assert_eq!(got.map(|e| e.to_string()).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn cycles_are_named() {
        let objects = [
            object("a", json!([{"name": "x"}, {"name": "b"}]), json!({})),
            object("b", json!([{"name": "c", "namespace": "flux"}]), json!({})),
            object("c", json!([{"name": "a"}]), json!({})),
            object("x", json!([{"name": "y"}]), json!({})),
            object("y", json!([{"name": "x"}]), json!({})),
        ];
        let lookup = |_: &str, name: &str| {
            objects
                .iter()
                .find(|o| o.name() == name)
                .cloned()
                .map(Arc::new)
        };
        assert_eq!(
            find_cycle("flux", "a", &lookup)
                .map(DependencyError::Cycle)
                .map(|e| e.to_string())
                .as_deref(),
            Some("circular dependency detected: flux/a -> flux/b -> flux/c -> flux/a")
        );
        let acyclic = |_: &str, name: &str| {
            (name == "p").then(|| Arc::new(object("p", json!([{"name": "a"}]), json!({}))))
        };
        assert_eq!(find_cycle("flux", "p", &acyclic), None);
    }
}

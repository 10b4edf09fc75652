//! Whether what a HelmRelease depends on is ready.

use api::{HelmRelease, names};
use objects::{Object, Value};

pub use crate::dependencies::DependencyError;
use crate::dependencies::{Dependent, Lookup, check};

/// Checks the dependencies in order; the first that is not met is the answer.
///
/// `additive` makes `readyExpr` an addition to the built-in check (gate `AdditiveCELDependencyCheck`).
///
/// # Errors
/// Names the dependency that is not met, or whose expression cannot be evaluated.
pub fn check_dependencies(
    own: &HelmRelease,
    own_object: &Object,
    additive: bool,
    lookup: &Lookup<'_>,
) -> Result<(), DependencyError> {
    let dependent = Dependent {
        object: own_object,
        dependencies: &own.spec.depends_on,
        additive,
    };
    let not_found = |label: &str, name: &str| {
        let group = names::HELM_GROUP;
        format!("unable to get '{label}' dependency: helmreleases.{group} \"{name}\" not found")
    };
    check(
        &dependent,
        lookup,
        not_found,
        |object, label| match is_ready(object) {
            true => Ok(()),
            false => Err(DependencyError::NotReady(label)),
        },
    )
}

fn is_ready(object: &Object) -> bool {
    let observed = object.get(&["status", "observedGeneration"]);
    let conditions = object.get(&["status", "conditions"]);
    let conditions = conditions.and_then(Value::as_array).into_iter().flatten();
    let mut ready = conditions.filter(|c| c["type"] == names::READY);
    observed.and_then(Value::as_i64) == Some(object.generation())
        && ready.any(|c| c["status"] == "True")
}

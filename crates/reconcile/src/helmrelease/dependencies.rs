//! Whether what a HelmRelease depends on is ready.

use std::sync::Arc;

use api::{HelmRelease, names};
use objects::{Object, Value};

use crate::expression::{ExpressionError, dependency_ready};

/// Why dependencies are not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// A dependency does not exist.
    #[error("unable to get '{name}' dependency: {cause}")]
    NotFound {
        /// `namespace/name`.
        name: String,
        /// Server's words.
        cause: String,
    },
    /// Its `readyExpr` is false.
    #[error("dependency '{0}' is not ready according to readyExpr eval")]
    NotReadyByExpression(String),
    /// Its `readyExpr` cannot be evaluated (yet).
    #[error("failed to evaluate dependency {name}: {source}")]
    Expression {
        /// Name of the dependency.
        name: String,
        /// Cause.
        source: ExpressionError,
    },
    /// It is not ready.
    #[error("dependency '{0}' is not ready")]
    NotReady(String),
}

impl DependencyError {
    /// Tells whether only a change of the spec helps.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Expression { source, .. } if source.is_terminal())
    }
}

/// Finds the newest state of a HelmRelease by namespace and name.
pub type Lookup<'a> = dyn Fn(&str, &str) -> Option<Arc<Object>> + 'a;

/// Checks the dependencies in order; the first that is not met is the answer.
///
/// `additive` makes `readyExpr` an addition to the built-in check (gate `AdditiveCELDependencyCheck`).
pub fn check_dependencies(
    own: &HelmRelease,
    own_object: &Object,
    additive: bool,
    lookup: &Lookup<'_>,
) -> Result<(), DependencyError> {
    for dependency in &own.spec.depends_on {
        let (namespace, name) = dependency.resolve(&own.metadata.namespace);
        let label = format!("{namespace}/{name}");
        let object = lookup(namespace, name).ok_or_else(|| DependencyError::NotFound {
            name: label.clone(),
            cause: format!("helmreleases.{} \"{name}\" not found", names::HELM_GROUP),
        })?;
        if let Some(expression) = &dependency.ready_expr {
            match dependency_ready(expression, own_object, &object) {
                Ok(true) => {}
                Ok(false) => return Err(DependencyError::NotReadyByExpression(label)),
                Err(source) => {
                    let name = name.to_owned();
                    return Err(DependencyError::Expression { name, source });
                }
            }
            if !additive {
                continue;
            }
        }
        if !is_ready(&object) {
            return Err(DependencyError::NotReady(label));
        }
    }
    Ok(())
}

fn is_ready(object: &Object) -> bool {
    let observed = object.get(&["status", "observedGeneration"]);
    let conditions = object.get(&["status", "conditions"]);
    let conditions = conditions.and_then(Value::as_array).into_iter().flatten();
    let mut ready = conditions.filter(|c| c["type"] == names::READY);
    observed.and_then(Value::as_i64) == Some(object.generation())
        && ready.any(|c| c["status"] == "True")
}

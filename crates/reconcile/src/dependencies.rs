//! Whether what an object depends on is ready; Kustomizations and HelmReleases each add what ready means to them.

use std::sync::Arc;

use api::DependencyReference;
use objects::Object;

use crate::expression::{ExpressionError, dependency_ready};

/// Why dependencies are not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// A dependency does not exist, in the words of the controller.
    #[error("{0}")]
    NotFound(String),
    /// Its `readyExpr` is false.
    #[error("dependency '{0}' is not ready according to readyExpr eval")]
    NotReadyByExpression(String),
    /// Its `readyExpr` does not compile; upstream's words show that it stands in a `reconcile.TerminalError`.
    #[error("terminal error: failed to evaluate dependency {name}: {source}")]
    InvalidExpression {
        /// Name of the dependency.
        name: String,
        /// Cause.
        source: ExpressionError,
    },
    /// Its `readyExpr` cannot be evaluated on the present objects.
    #[error("{0}")]
    Expression(ExpressionError),
    /// It is not ready.
    #[error("dependency '{0}' is not ready")]
    NotReady(String),
    /// A Kustomization has not applied the present revision of the common source.
    #[error("dependency '{0}' revision is not up to date")]
    Outdated(String),
    /// A Kustomization depends on itself.
    #[error("circular dependency detected: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
}

impl DependencyError {
    /// Tells whether only a change of the spec helps.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::InvalidExpression { .. })
    }
}

/// Finds the newest state of a dependency by namespace and name.
pub type Lookup<'a> = dyn Fn(&str, &str) -> Option<Arc<Object>> + 'a;

/// What depends on others.
pub(crate) struct Dependent<'a> {
    /// As expressions see it.
    pub(crate) object: &'a Object,
    pub(crate) dependencies: &'a [DependencyReference],
    /// Makes `readyExpr` an addition to the built-in check (gate `AdditiveCELDependencyCheck`).
    pub(crate) additive: bool,
}

/// Checks the dependencies in order; the first that is not met is the answer.
///
/// `not_found` words a missing one from `namespace/name` and name, `built_in` is the check of the kind.
pub(crate) fn check(
    dependent: &Dependent<'_>,
    lookup: &Lookup<'_>,
    not_found: impl Fn(&str, &str) -> String,
    built_in: impl Fn(&Object, String) -> Result<(), DependencyError>,
) -> Result<(), DependencyError> {
    for dependency in dependent.dependencies {
        let (namespace, name) = dependency.resolve(dependent.object.namespace());
        let label = format!("{namespace}/{name}");
        let object = lookup(namespace, name)
            .ok_or_else(|| DependencyError::NotFound(not_found(&label, name)))?;
        let expression = dependency.ready_expr.as_ref();
        if let Some(expression) = expression.filter(|text| !text.is_empty()) {
            match dependency_ready(expression, dependent.object, &object) {
                Ok(true) => {}
                Ok(false) => return Err(DependencyError::NotReadyByExpression(label)),
                Err(source) if source.is_terminal() => {
                    let name = name.to_owned();
                    return Err(DependencyError::InvalidExpression { name, source });
                }
                Err(source) => return Err(DependencyError::Expression(source)),
            }
            if !dependent.additive {
                continue;
            }
        }
        built_in(&object, label)?;
    }
    Ok(())
}

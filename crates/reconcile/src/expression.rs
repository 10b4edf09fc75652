//! CEL expressions over Kubernetes objects: `readyExpr` of dependencies and health checks of custom kinds.
//!
//! Types are checked before anything is evaluated, as upstream does by compiling with cel-go. Whole numbers of objects are CEL ints. What a compiled program may cost is bounded by the objects and its text, which is
//! checked before it is parsed.

mod failure;

use std::collections::HashMap;

use api::CustomHealthCheck;
use cel::{Context, ExecutionError, Program};
use kube_cel::KubeCelExt as _;
use objects::expression::{Library, Refusal, Type, check, check_bounds};
use objects::{Gvk, Health, HealthStatus, Object, Value};

/// Why an expression could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is no CEL, or names something that does not exist.
    #[error("failed to parse the CEL expression '{text}': {cause}")]
    Parse {
        /// Expression.
        text: String,
        /// Parser's words.
        cause: String,
    },
    /// Its type is known beforehand, and is no truth value.
    #[error("CEL expression output type mismatch: expected bool, got {0}")]
    OutputType(String),
    /// It could not be evaluated on these objects.
    #[error("failed to evaluate the CEL expression '{text}': {cause}")]
    Evaluate {
        /// Expression.
        text: String,
        /// Evaluator's words.
        cause: String,
    },
    /// It gives something else than true or false.
    #[error("failed to evaluate CEL expression as boolean: '{0}'")]
    NotBoolean(String),
    /// A health check without its main expression.
    #[error("expression Current not specified")]
    CurrentMissing,
    /// An expression of a health check does not parse.
    #[error("failed to parse the expression {field}: {source}")]
    Field {
        /// `Current`, `Failed`, `InProgress`.
        field: &'static str,
        /// Cause.
        source: Box<ExpressionError>,
    },
    /// A health check is unusable.
    #[error("failed to create custom status evaluator for healthchecks[{index}]: {source}")]
    HealthCheck {
        /// Position in the list.
        index: usize,
        /// Cause.
        source: Box<ExpressionError>,
    },
    /// Two health checks are for the same kind.
    #[error("duplicate custom health check for GroupKind {kind} at healthchecks[{index}]")]
    Duplicate {
        /// Kind with group.
        kind: String,
        /// Position of the second.
        index: usize,
    },
}

impl ExpressionError {
    /// Tells whether only a change of the expression helps.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Evaluate { .. } | Self::NotBoolean(_))
    }
}

/// A compiled expression with a truth value.
pub struct Expression {
    text: String,
    program: Program,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// The text is no CEL, or is beyond the bounds.
    pub fn new(text: &str) -> Result<Self, ExpressionError> {
        let refused = |cause: String| ExpressionError::Parse {
            text: text.to_owned(),
            cause,
        };
        check_bounds(text).map_err(|error| refused(error.to_string()))?;
        let program = Program::compile(text);
        // The parser's words are cel-go's but for a space before the excerpt.
        let program =
            program.map_err(|error| refused(error.to_string().replace("\n| ", "\n | ")))?;
        Ok(Self {
            text: text.to_owned(),
            program,
        })
    }

    /// Compiles an expression over variables that hold whole objects, whose type must be `bool` for sure: a field of an
    /// object may be anything, so that it has to be compared.
    ///
    /// # Errors
    /// As [`Expression::new`]; also where parts of it do not fit, or its type is another one. Only a change of the text helps.
    pub fn over_objects(text: &str, variables: &[&str]) -> Result<Self, ExpressionError> {
        let compiled = Self::new(text)?;
        let variables = variables.iter();
        let variables = variables.map(|name| ((*name).to_owned(), Type::structure()));
        match check(text, Library::Flux, variables.collect()) {
            Err(Refusal::Types(cause)) => Err(ExpressionError::Parse {
                text: text.to_owned(),
                cause,
            }),
            Ok(Type::Bool) => Ok(compiled),
            Ok(kind) => kind
                .full_name()
                .map_or(Ok(compiled), |got| Err(ExpressionError::OutputType(got))),
            // The evaluator's parser took it; what becomes of it is seen when it is evaluated.
            Err(Refusal::Unfit(_) | Refusal::Syntax) => Ok(compiled),
        }
    }

    /// Evaluates with named values.
    ///
    /// # Errors
    /// A name, a key or an overload does not exist for these values, or the result is no truth value.
    pub fn holds<'a>(
        &self,
        variables: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Result<bool, ExpressionError> {
        let mut context = Context::default().with_all();
        context.add_function("bool", to_bool);
        context.add_function("dyn", unchanged);
        for (name, value) in variables {
            context.add_variable_from_value(name, to_cel(value));
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(ExpressionError::NotBoolean(self.text.clone())),
            Err(error) => Err(ExpressionError::Evaluate {
                text: self.text.clone(),
                cause: failure::words(&self.text, &error),
            }),
        }
    }
}

/// The conversion `dyn(x)`, which only hides a type.
fn unchanged(value: cel::Value) -> Result<cel::Value, ExecutionError> {
    Ok(value)
}

/// The conversion `bool(x)`, which the evaluator lacks.
fn to_bool(value: cel::Value) -> Result<cel::Value, ExecutionError> {
    let text = match &value {
        cel::Value::Bool(_) => return Ok(value),
        cel::Value::String(text) => text.as_str(),
        _ => return Err(ExecutionError::NoSuchOverload),
    };
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(cel::Value::Bool(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(cel::Value::Bool(false)),
        _ => Err(ExecutionError::function_error("bool", "no truth value")),
    }
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(b) => cel::Value::Bool(*b),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => cel::Value::Int(i),
            (None, Some(f)) => cel::Value::Float(f),
            (None, None) => cel::Value::Null,
        },
        Value::String(s) => s.as_str().into(),
        Value::Array(items) => items.iter().map(to_cel).collect::<Vec<_>>().into(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), to_cel(v)))
            .collect::<HashMap<_, _>>()
            .into(),
    }
}

/// Evaluates `readyExpr` of a dependency.
///
/// # Errors
/// As [`Expression::over_objects`] and [`Expression::holds`].
pub fn dependency_ready(
    text: &str,
    own: &Object,
    dependency: &Object,
) -> Result<bool, ExpressionError> {
    let own = Value::Object(own.0.clone());
    let dependency = Value::Object(dependency.0.clone());
    let expression = Expression::over_objects(text, &["self", "dep"])?;
    expression.holds([("self", &own), ("dep", &dependency)])
}

/// Health of custom kinds, compiled.
#[derive(Default)]
pub struct HealthExpressions {
    /// By group and kind; an empty kind is for the whole group.
    kinds: HashMap<(String, String), Checks>,
}

struct Checks {
    current: Expression,
    failed: Option<Expression>,
    in_progress: Option<Expression>,
}

impl HealthExpressions {
    /// Compiles `spec.healthCheckExprs`.
    ///
    /// # Errors
    /// An expression does not parse, the main one is missing, or two checks are for one kind.
    pub fn new(checks: &[CustomHealthCheck]) -> Result<Self, ExpressionError> {
        let mut kinds = HashMap::new();
        for (index, check) in checks.iter().enumerate() {
            let gvk = Gvk::from_api_version(&check.api_version, &check.kind);
            let compiled = Checks::new(check).map_err(|source| ExpressionError::HealthCheck {
                index,
                source: Box::new(source),
            })?;
            let kind = gvk.group_kind().to_string();
            if kinds.insert((gvk.group, gvk.kind), compiled).is_some() {
                return Err(ExpressionError::Duplicate { kind, index });
            }
        }
        Ok(Self { kinds })
    }

    /// Judges an object of a kind with expressions; `None` for all others.
    pub fn health(&self, object: &Object) -> Option<Health> {
        let gvk = Gvk::from_api_version(object.api_version(), object.kind());
        let checks = self
            .kinds
            .get(&(gvk.group.clone(), gvk.kind))
            .or_else(|| self.kinds.get(&(gvk.group, String::new())))?;
        Some(
            checks
                .health(object)
                .unwrap_or_else(|error| Health::new(HealthStatus::Unknown, error.to_string())),
        )
    }
}

impl Checks {
    fn new(check: &CustomHealthCheck) -> Result<Self, ExpressionError> {
        if check.current.is_empty() {
            return Err(ExpressionError::CurrentMissing);
        }
        let compile = |field: &'static str, text: &str| {
            Expression::new(text).map_err(|source| ExpressionError::Field {
                field,
                source: Box::new(source),
            })
        };
        let optional = |field, text: &str| match text {
            "" => Ok(None),
            text => compile(field, text).map(Some),
        };
        Ok(Self {
            current: compile("Current", &check.current)?,
            failed: optional("Failed", &check.failed)?,
            in_progress: optional("InProgress", &check.in_progress)?,
        })
    }

    fn health(&self, object: &Object) -> Result<Health, ExpressionError> {
        let observed = object
            .get(&["status", "observedGeneration"])
            .and_then(Value::as_i64);
        let generation = object
            .get(&["metadata", "generation"])
            .and_then(Value::as_i64);
        if observed.is_some() && observed != generation {
            return Ok(Health::new(HealthStatus::InProgress, ""));
        }
        let rules = [
            (self.in_progress.as_ref(), HealthStatus::InProgress),
            (self.failed.as_ref(), HealthStatus::Failed),
            (Some(&self.current), HealthStatus::Current),
        ];
        for (expression, status) in rules {
            let variables = object.0.iter().map(|(k, v)| (k.as_str(), v));
            if let Some(expression) = expression
                && expression.holds(variables)?
            {
                return Ok(Health::new(status, ""));
            }
        }
        Ok(Health::new(HealthStatus::InProgress, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::json;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test]
    fn dependencies_are_judged_by_their_fields() {
        let own = object(json!({"metadata": {"labels": {"v": "2"}}}));
        let dependency = object(json!({
            "metadata": {"labels": {"v": "2"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "n": 3}
        }));
        for (text, expected) in [
            (
                "self.metadata.labels['v'] == dep.metadata.labels['v']",
                Ok(true),
            ),
            (
                "dep.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
                Ok(true),
            ),
            ("dep.status.n > 3", Ok(false)),
            ("has(dep.status.missing)", Ok(false)),
            ("dep.status.missing == 'x'", Err(false)),
            ("dep.status.n", Err(true)),
            ("dep.status.n || false", Err(false)),
            ("dep.status.", Err(true)),
            ("other.status == 1", Err(true)),
        ] {
            let got = dependency_ready(text, &own, &dependency).map_err(|e| e.is_terminal());
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn health_checks_are_evaluated_in_order() {
        let checks = [CustomHealthCheck {
            api_version: "x.io/v1".into(),
            kind: "Widget".into(),
            in_progress: "status.phase == 'Working'".into(),
            failed: "status.phase == 'Broken'".into(),
            current: "status.phase == 'Done'".into(),
        }];
        let health = HealthExpressions::new(&checks).unwrap();
        for (value, status) in [
            (
                json!({"status": {"phase": "Working"}}),
                HealthStatus::InProgress,
            ),
            (json!({"status": {"phase": "Broken"}}), HealthStatus::Failed),
            (json!({"status": {"phase": "Done"}}), HealthStatus::Current),
            (
                json!({"status": {"phase": "Else"}}),
                HealthStatus::InProgress,
            ),
            (
                json!({"metadata": {"generation": 2}, "status": {"phase": "Done", "observedGeneration": 1}}),
                HealthStatus::InProgress,
            ),
            (json!({}), HealthStatus::Unknown),
        ] {
            let mut widget = object(json!({"apiVersion": "x.io/v2", "kind": "Widget"}));
            widget.0.extend(value.as_object().unwrap().clone());
            assert_eq!(
                health.health(&widget).map(|h| h.status),
                Some(status),
                "{value}"
            );
        }
        assert_eq!(
            health.health(&object(json!({"apiVersion": "v1", "kind": "Pod"}))),
            None
        );
        let twice = [checks[0].clone(), checks[0].clone()];
        assert_eq!(
            HealthExpressions::new(&twice)
                .err()
                .map(|e| e.to_string())
                .as_deref(),
            Some("duplicate custom health check for GroupKind Widget.x.io at healthchecks[1]")
        );
    }
}

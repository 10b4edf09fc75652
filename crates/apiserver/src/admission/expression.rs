//! CEL expressions of policies and match conditions: compiled once, evaluated against the variables of a request.
//!
//! Objects are plain maps here, as upstream hands them to policies: field names are not escaped. Left out: type checking
//! against schemas, cost limits.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue};
use cel::objects::{Key, Map as CelMap, OptionalValue};
use cel::parser::Parser;
use cel::{Context, ExecutionError, IdedExpr, Value as CelValue};
use kube_cel::KubeCelExt as _;
use objects::Value;

use super::authorizer;
use crate::engine::{Engine, Place, User};

/// A compiled expression.
pub struct Expression {
    source: String,
    tree: Result<IdedExpr, String>,
}

impl Expression {
    /// Compiles; a fault shows when it is evaluated.
    pub fn compile(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            tree: objects::expression::check_bounds(source)
                .map_err(|error| error.to_string())
                .and_then(|()| {
                    let tree = Parser::new().enable_optional_syntax(true).parse(source);
                    tree.map(|tree| guarded(&tree))
                        .map_err(|error| error.to_string())
                }),
        }
    }

    /// Tells whether the text can be read.
    pub fn is_readable(&self) -> bool {
        self.tree.is_ok()
    }

    /// Returns the text of the expression.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Variables to evaluate with.
pub struct Scope {
    context: Context<'static>,
    variables: HashMap<Key, CelValue>,
    /// Names of `variables.…` that could not be computed, with the reason.
    broken: Vec<(String, String)>,
}

impl Scope {
    /// Builds from named values.
    pub fn new(values: &[(&str, Value)]) -> Self {
        let mut context = Context::default().with_all();
        context.add_function(SELECTABLE, selectable);
        context.add_function(OPTIONAL, optional);
        for (name, value) in values {
            context.add_variable_from_value(*name, to_cel(value));
        }
        Self {
            context,
            variables: HashMap::new(),
            broken: Vec::new(),
        }
    }

    /// Adds `authorizer`, which asks what somebody may do.
    pub fn authorizer(&mut self, engine: &Engine, user: &User, place: &Place) {
        authorizer::add(&mut self.context, engine, user, place);
    }

    /// Adds a value that may be absent.
    pub fn optional(&mut self, name: &str, value: Option<&Value>) {
        let value = match value {
            Some(value) => OptionalValue::of(to_cel(value)),
            None => OptionalValue::none(),
        };
        let value = CelValue::Opaque(Arc::new(value));
        self.context.add_variable_from_value(name, value);
    }

    /// Adds `variables.NAME`; a failure counts only where it is used.
    pub fn define(&mut self, name: &str, expression: &Expression) {
        match self.evaluate(expression) {
            Ok(value) => {
                let key = Key::String(Arc::new(name.to_owned()));
                self.variables.insert(key, value);
            }
            Err(why) => self.broken.push((name.to_owned(), why)),
        }
        let map = CelMap {
            map: Arc::new(self.variables.clone()),
        };
        self.context
            .add_variable_from_value("variables", CelValue::Map(map));
    }

    /// Evaluates an expression; the error is that of cel-go.
    pub fn evaluate(&self, expression: &Expression) -> Result<CelValue, String> {
        let tree = expression.tree.as_ref().map_err(Clone::clone)?;
        self.context.resolve(tree).map_err(|error| {
            let used = self
                .broken
                .iter()
                .find(|(name, _)| expression.source.contains(&format!("variables.{name}")));
            match used {
                Some((name, why)) => {
                    format!("composited variable \"{name}\" fails to evaluate: {why}")
                }
                None => words(self.cause(tree).as_ref().unwrap_or(&error)),
            }
        })
    }

    /// Finds what failed in an argument of a function; the evaluator says only that the argument is missing.
    fn cause(&self, tree: &IdedExpr) -> Option<ExecutionError> {
        let Expr::Call(call) = &tree.expr else {
            return None;
        };
        let missing = self.context.resolve(tree).err()?;
        if matches!(call.func_name.as_str(), "_&&_" | "_||_") {
            // Of two errors, the first counts.
            let error = |part| {
                self.cause(part)
                    .or_else(|| self.context.resolve(part).err())
            };
            return call.args.iter().find_map(error);
        }
        let parts = call.target.iter().map(|target| &**target);
        for part in parts.chain(&call.args) {
            if let Some(error) = self.cause(part) {
                return Some(error);
            }
            if let (ExecutionError::MissingArgumentOrTarget, Err(error)) =
                (&missing, self.context.resolve(part))
            {
                return Some(error);
            }
        }
        None
    }

    /// Evaluates an expression that says yes or no; the error names the expression.
    pub fn holds(&self, expression: &Expression) -> Result<bool, String> {
        let source = expression.source();
        match self.evaluate(expression) {
            Ok(CelValue::Bool(truth)) => Ok(truth),
            Ok(_) => Err(format!(
                "expression '{source}' resulted in error: must evaluate to bool"
            )),
            Err(why) => Err(format!("expression '{source}' resulted in error: {why}")),
        }
    }

    /// Evaluates an expression that gives a text; `None` where it fails or gives another type.
    pub fn text(&self, expression: &Expression) -> Option<String> {
        match self.evaluate(expression) {
            Ok(CelValue::String(text)) => Some(text.to_string()),
            _ => None,
        }
    }
}

/// Function that [`guarded`] wraps around whatever a field is selected of.
const SELECTABLE: &str = "@selectable";

/// Refuses to select a field of what has none; the evaluator takes it for false.
fn selectable(value: CelValue, field: Arc<String>) -> Result<CelValue, ExecutionError> {
    match value {
        CelValue::Null
        | CelValue::Bool(_)
        | CelValue::Int(_)
        | CelValue::UInt(_)
        | CelValue::Float(_)
        | CelValue::String(_) => Err(ExecutionError::NoSuchKey(field)),
        CelValue::List(_) => Err(ExecutionError::function_error(
            SELECTABLE,
            "unsupported index type 'string' in list",
        )),
        other => Ok(other),
    }
}

/// Function that stands for optional selections (`a.?b`): the evaluator's own fails where there is nothing.
const OPTIONAL: &str = "@optional";

fn optional(value: CelValue, field: Arc<String>) -> Result<CelValue, ExecutionError> {
    let inner = match <&OptionalValue>::try_from(&value) {
        Ok(optional) => optional.value().cloned(),
        Err(_) => Some(value),
    };
    let found = match inner {
        Some(CelValue::Map(map)) => map.map.get(&Key::String(field)).cloned(),
        None | Some(CelValue::Null) => None,
        Some(_) => return Err(ExecutionError::NoSuchOverload),
    };
    let found = found.map_or_else(OptionalValue::none, OptionalValue::of);
    Ok(CelValue::Opaque(Arc::new(found)))
}

/// Tells whether a part gives an optional value, whose members are optional too.
fn is_optional(tree: &IdedExpr) -> bool {
    matches!(&tree.expr, Expr::Call(call) if call.func_name == OPTIONAL)
}

/// Copies a tree so that every selection of a field is checked.
fn guarded(tree: &IdedExpr) -> IdedExpr {
    let mut copy = tree.clone();
    guard(&mut copy);
    copy
}

fn guard(tree: &mut IdedExpr) {
    match &mut tree.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| guard(target));
            call.args.iter_mut().for_each(guard);
            if call.func_name == "_?._" {
                OPTIONAL.clone_into(&mut call.func_name);
            }
        }
        Expr::Comprehension(parts) => {
            for part in [
                &mut parts.iter_range,
                &mut parts.accu_init,
                &mut parts.loop_cond,
                &mut parts.loop_step,
                &mut parts.result,
            ] {
                guard(part);
            }
        }
        Expr::List(list) => list.elements.iter_mut().for_each(guard),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    guard(&mut entry.key);
                    guard(&mut entry.value);
                }
            }
        }
        Expr::Select(select) => {
            guard(&mut select.operand);
            let operand = std::mem::take(&mut *select.operand);
            if is_optional(&operand) && !select.test {
                let field = LiteralValue::String(select.field.as_str().into());
                let field = IdedExpr {
                    id: tree.id,
                    expr: Expr::Literal(field),
                };
                tree.expr = Expr::Call(CallExpr {
                    func_name: OPTIONAL.into(),
                    target: None,
                    args: vec![operand, field],
                });
                return;
            }
            if select.test {
                *select.operand = operand;
                return;
            }
            let field = LiteralValue::String(select.field.as_str().into());
            let field = IdedExpr {
                id: tree.id,
                expr: Expr::Literal(field),
            };
            let call = CallExpr {
                func_name: SELECTABLE.into(),
                target: None,
                args: vec![operand, field],
            };
            *select.operand = IdedExpr {
                id: tree.id,
                expr: Expr::Call(call),
            };
        }
        _ => {}
    }
}

/// Functions that read numbers.
const CONVERSIONS: [&str; 3] = ["double", "int", "uint"];

/// Writes an error in the words of cel-go.
fn words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnsupportedUnaryOperator(..)
        | ExecutionError::ValuesNotComparable(..) => "no such overload".into(),
        ExecutionError::DivisionByZero(_) => "division by zero".into(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".into(),
        ExecutionError::IndexOutOfBounds(CelValue::Int(index)) => {
            format!("index out of bounds: {index}")
        }
        ExecutionError::Overflow(..) => "integer overflow".into(),
        ExecutionError::FunctionError { function, message }
            if message.contains("parse error") && CONVERSIONS.contains(&function.as_str()) =>
        {
            format!("type conversion error from 'string' to '{function}'")
        }
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

fn to_cel(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(truth) => CelValue::Bool(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => CelValue::Int(whole),
            None => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(map) => {
            let map = map
                .iter()
                .map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value)));
            CelValue::Map(CelMap {
                map: Arc::new(map.collect()),
            })
        }
    }
}

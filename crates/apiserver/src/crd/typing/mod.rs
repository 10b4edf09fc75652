//! Types of CEL rules: what cel-go's checker says about an expression over a schema.
//!
//! The evaluator behind the rules checks no types, so that a mistake would show only when an object is judged. This checker
//! knows the operators, the selections of fields and the names of all functions, with the types that most of them give; what it
//! is not sure of has type `dyn`, which is never refused. Left out: overloads of functions, cost estimates.

mod infer;
mod syntax;

use objects::Value;

pub use infer::{Kind, escaped};

/// Checks an expression over `self` (and `oldSelf`) of a schema; returns its type, or the errors as cel-go prints them.
pub fn check<'a>(source: &str, schema: &'a Value, root: bool) -> Result<Kind<'a>, String> {
    let own = infer::kind_of(schema, root);
    let variables = vec![("self".into(), own.clone()), ("oldSelf".into(), own)];
    check_with(source, variables)
}

/// Checks an expression over variables of any type.
pub fn check_untyped(source: &str, variables: &[&str]) -> Result<Kind<'static>, String> {
    let variables = variables.iter().map(|name| ((*name).to_owned(), Kind::Dyn));
    check_with(source, variables.collect())
}

fn check_with<'a>(source: &str, variables: Vec<(String, Kind<'a>)>) -> Result<Kind<'a>, String> {
    objects::expression::check_size(source).map_err(|error| error.to_string())?;
    let Some(tree) = syntax::parse(source) else {
        // The evaluator's parser has cel-go's words, but cannot read optional selections.
        return match cel::Program::compile(source) {
            Ok(_) => Ok(Kind::Dyn),
            Err(error) => Err(error.to_string().replace("\n| ", "\n | ")),
        };
    };
    let mut scope = infer::Scope::new(variables);
    let kind = scope.infer(&tree);
    if scope.faults.is_empty() {
        return Ok(kind);
    }
    let texts: Vec<String> = scope
        .faults
        .iter()
        .map(|(at, why)| shown(source, *at, why))
        .collect();
    Err(texts.join("\n"))
}

/// Tells whether an expression uses a variable.
pub fn mentions(source: &str, name: &str) -> bool {
    if objects::expression::check_size(source).is_err() {
        return false;
    }
    syntax::parse(source).map_or_else(
        || source.contains(name),
        |tree| syntax::variables(&tree).any(|variable| variable == name),
    )
}

/// Prints an error with its place: line, column, the line itself and a mark below it.
fn shown(source: &str, at: usize, why: &str) -> String {
    let start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = source[..at].matches('\n').count() + 1;
    let column = source[start..at].chars().count();
    let text = source[start..].lines().next().unwrap_or("");
    format!(
        "ERROR: <input>:{line}:{}: {why}\n | {text}\n | {}^",
        column + 1,
        ".".repeat(column)
    )
}

//! Substitution of `${var}` expressions, with the exact rules of Flux's fork of drone/envsubst.
//!
//! Text becomes a list of nodes, nodes become text again with values from a mapping. A mapping that answers
//! `None` makes plain and transforming references an error (strict mode); operators that bring a default never
//! fail. The rules look like bash but are not: `:+` and `:?` behave like `:-`, and replacement patterns are
//! literal.

mod apply;
mod glob;
mod parse;

use parse::{Expression, Node};

/// Why a text could not be substituted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvsubstError {
    /// An expression has a form that is not known.
    #[error("bad substitution")]
    BadSubstitution,
    /// An expression does not end where it should.
    #[error("missing closing brace")]
    MissingClosingBrace,
    /// An expression does not begin with a name.
    #[error("unable to parse variable name")]
    VariableName,
    /// The argument of an operator is missing.
    #[error("unable to parse substitution within function")]
    FunctionSubstitution,
    /// The operator of a default is malformed.
    #[error("unable to parse default function")]
    DefaultFunction,
    /// Expressions are nested too deeply.
    #[error("substitutions are nested more than {0} deep")]
    TooDeep(usize),
    /// A variable has no value and the reference brings no default.
    #[error("variable not set (strict mode): {0:?}")]
    NotSet(String),
}

/// Substitutes all expressions of a text.
///
/// `values` answers `None` for variables that do not exist; an answer of "" makes undefined variables empty.
///
/// # Errors
/// Fails on a malformed expression, and on a variable without a value that has to have one.
pub fn eval(text: &str, values: &dyn Fn(&str) -> Option<String>) -> Result<String, EnvsubstError> {
    let nodes = parse::parse(text)?;
    let mut out = String::with_capacity(text.len());
    for node in &nodes {
        write(node, values, &mut out)?;
    }
    Ok(out)
}

fn write(
    node: &Node,
    values: &dyn Fn(&str) -> Option<String>,
    out: &mut String,
) -> Result<(), EnvsubstError> {
    match node {
        Node::Text(text) => out.push_str(text),
        Node::Expression(expression) => out.push_str(&evaluate(expression, values)?),
    }
    Ok(())
}

fn evaluate(
    expression: &Expression,
    values: &dyn Fn(&str) -> Option<String>,
) -> Result<String, EnvsubstError> {
    let mut arguments = Vec::with_capacity(expression.arguments.len());
    for node in &expression.arguments {
        let mut argument = String::new();
        write(node, values, &mut argument)?;
        arguments.push(argument);
    }
    let value = match values(&expression.name) {
        Some(value) => value,
        None if expression.brings_default() => String::new(),
        None => return Err(EnvsubstError::NotSet(expression.name.clone())),
    };
    Ok(apply::apply(&expression.operator, value, &arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str) -> Option<String> {
        Some(
            match name {
                "var" => "abcdEFGH28ij",
                "path" => "/a/b/c.tar.gz",
                "empty" => "",
                "uni" => "éa",
                "neg" => "-2",
                "slash" => "a/b/a",
                "_x1" | "1" => "under",
                _ => return None,
            }
            .to_owned(),
        )
    }

    /// Recorded from github.com/fluxcd/pkg/envsubst v1.8.0.
    #[test]
    fn expressions_give_what_upstream_gives() {
        for (text, expected) in include_str!("golden.txt").lines().map(split) {
            let got = match eval(&text, &values) {
                Ok(value) => value,
                Err(error) => format!("ERROR {error}"),
            };
            assert_eq!(got, expected, "{text}");
        }
    }

    fn split(line: &str) -> (String, String) {
        let (text, expected) = line.split_once('\t').unwrap();
        (text.to_owned(), expected.to_owned())
    }

    #[test]
    fn undefined_variables_are_empty_without_strict_mode() {
        let lenient = |_: &str| Some(String::new());
        assert_eq!(eval("a${x}b${y:=z}", &lenient).unwrap(), "abz");
    }

    #[test]
    fn nesting_is_bounded() {
        let text = "${a:=".repeat(5000);
        assert!(matches!(
            eval(&text, &values),
            Err(EnvsubstError::TooDeep(_))
        ));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "[${}:=/#%^,a-c0-2 é*?\\[\\]\\\\!-]{0,40}") {
            let _ = eval(&text, &values);
        }
    }
}

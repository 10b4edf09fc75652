//! CEL texts before they are evaluated: whether they may be, and of which types their parts are.
//!
//! The evaluator checks no types, so that a mistake would show only when an expression meets an object. [`check`] says what
//! cel-go's checker says: it knows the operators, the selections of fields and the overloads of functions. What it is not sure
//! of has type [`Type::Unknown`], which is never refused. Left out: two-variable macros, messages, cost estimates.

mod bounds;
mod infer;
mod library;
mod overload;
mod syntax;
#[cfg(test)]
mod tests;
mod types;

pub use bounds::{Unfit, check_bounds};
pub use library::Library;
use syntax::Part;
pub use types::{Type, escaped};

/// Why an expression has no type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It may not be evaluated here.
    Unfit(Unfit),
    /// It is no CEL, or uses syntax that is not known here; an evaluator's parser can tell which.
    Syntax,
    /// Its parts do not fit; the errors as cel-go prints them, in order of their places.
    Types(String),
}

/// Returns the type of an expression over variables.
///
/// # Errors
/// Fails on an expression that does not parse, or has no type.
pub fn check<'a>(
    source: &str,
    library: Library,
    variables: Vec<(String, Type<'a>)>,
) -> Result<Type<'a>, Refusal> {
    check_bounds(source).map_err(Refusal::Unfit)?;
    let tree = syntax::parse(source).ok_or(Refusal::Syntax)?;
    let mut scope = infer::Scope::new(library, variables);
    let kind = scope.infer(&tree);
    let mut faults = scope.faults;
    if faults.is_empty() {
        return Ok(kind);
    }
    faults.sort_by_key(|(at, _)| *at);
    let texts = faults.iter().map(|(at, why)| shown(source, *at, why));
    Err(Refusal::Types(texts.collect::<Vec<_>>().join("\n")))
}

/// Tells whether an expression uses a variable.
pub fn mentions(source: &str, name: &str) -> bool {
    if check_bounds(source).is_err() {
        return false;
    }
    syntax::parse(source).map_or_else(
        || source.contains(name),
        |tree| syntax::variables(&tree).any(|variable| variable == name),
    )
}

/// How an expression uses a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// As a variable; with all fields selected of it, such as `status.phase`.
    Attribute(String),
    /// As a function, called without a target.
    Function,
    /// As a method.
    Method,
}

/// Tells how an expression uses a name first; `None` where it does not, or cannot be read.
pub fn reference(source: &str, name: &str) -> Option<Reference> {
    check_bounds(source).ok()?;
    let tree = syntax::parse(source)?;
    let mut found = None;
    syntax::visit(&tree, &mut |node| {
        let own = match &node.part {
            Part::Call(None, function, _) if function == name => Some(Reference::Function),
            Part::Call(Some(_), method, _) if method == name => Some(Reference::Method),
            _ => syntax::path(node)
                .filter(|path| path.split('.').next() == Some(name))
                .map(Reference::Attribute),
        };
        found = found.take().or(own);
    });
    found
}

/// A text that is handed to a function as it stands: the first argument of a method, the last one of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Function or method that gets it.
    pub function: String,
    /// Whether it is called on a target.
    pub method: bool,
    /// Offset of the text in the expression.
    pub at: usize,
    /// The text, with its escapes as they were written.
    pub text: String,
}

/// Lists the texts that are handed to functions as they stand; what cannot be read has none.
pub fn literals(source: &str) -> Vec<Literal> {
    let tree = check_bounds(source)
        .ok()
        .and_then(|()| syntax::parse(source));
    let Some(tree) = tree else { return Vec::new() };
    let mut found = Vec::new();
    syntax::visit(&tree, &mut |node| {
        let Part::Call(target, function, arguments) = &node.part else {
            return;
        };
        // A method's target comes first where it is called as a function.
        let argument = match target {
            Some(_) => arguments.first(),
            None => arguments.last(),
        };
        let Some(argument) = argument.filter(|argument| argument.part == Part::Text) else {
            return;
        };
        let Some(end) = syntax::skip_text(source, argument.at) else {
            return;
        };
        let written = source.get(argument.at..end).unwrap_or("");
        let bare = written.trim_start_matches(['r', 'R']);
        let quote = if bare.starts_with("\"\"\"") || bare.starts_with("'''") {
            3
        } else {
            1
        };
        let text = bare
            .get(quote..bare.len().saturating_sub(quote))
            .unwrap_or("");
        found.push(Literal {
            function: function.clone(),
            method: target.is_some(),
            at: argument.at,
            text: text.to_owned(),
        });
    });
    found
}

/// Prints an error with its place: line, column, the line itself and a mark below it. Below a character that fills two
/// columns of a terminal stands a dot that does so, too.
pub fn shown(source: &str, at: usize, why: &str) -> String {
    let start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = source[..at].matches('\n').count() + 1;
    let column = source[start..at].chars().count();
    let text = source[start..].lines().next().unwrap_or("");
    let dots: String = source[start..at]
        .chars()
        .map(|c| if c.len_utf8() > 1 { '．' } else { '.' })
        .collect();
    format!(
        "ERROR: <input>:{line}:{}: {why}\n | {text}\n | {dots}^",
        column + 1
    )
}

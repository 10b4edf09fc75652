//! Types of CEL rules over a schema, and of expressions of policies; see [`objects::expression`] for what is checked.

use objects::Value;
use objects::expression::{self, Library, Refusal};

pub use objects::expression::{Type, escaped, mentions};

/// Checks an expression over `self` (and `oldSelf`) of a schema; returns its type, or the errors as cel-go prints them.
pub fn check<'a>(source: &str, schema: &'a Value, root: bool) -> Result<Type<'a>, String> {
    let own = Type::of(schema, root);
    let variables = vec![("self".into(), own.clone()), ("oldSelf".into(), own)];
    // What the checker is not sure of is not refused, like what may be anything.
    Ok(match check_variables(source, variables)? {
        Type::Unknown => Type::Dyn,
        kind => kind,
    })
}

/// Checks an expression over variables of given types; what it gives may be unknown.
pub fn check_variables<'a>(
    source: &str,
    variables: Vec<(String, Type<'a>)>,
) -> Result<Type<'a>, String> {
    match expression::check(source, Library::Kubernetes, variables) {
        Ok(_) if arguments(source).is_some() => Err(arguments(source).unwrap_or_default()),
        Ok(kind) => Ok(kind),
        Err(Refusal::Unfit(error)) => Err(error.to_string()),
        Err(Refusal::Types(text)) => Err(text),
        // The evaluator's parser has cel-go's words, but cannot read optional selections.
        Err(Refusal::Syntax) => match cel::Program::compile(source) {
            Ok(_) => Ok(Type::Unknown),
            Err(error) => Err(error.to_string().replace("\n| ", "\n | ")),
        },
    }
}

/// Finds texts that are no regular expressions, durations or times where one is wanted.
fn arguments(source: &str) -> Option<String> {
    let faults: Vec<String> = expression::literals(source)
        .into_iter()
        .filter(|literal| {
            let text = literal.text.replace("\\\\", "\\");
            match literal.function.as_str() {
                "matches" if literal.method => regex::Regex::new(&text).is_err(),
                "duration" => gocompat::duration::parse(&text).is_err(),
                "timestamp" => text.parse::<jiff::Timestamp>().is_err(),
                _ => false,
            }
        })
        .map(|literal| {
            let why = format!("invalid {} argument", literal.function);
            expression::shown(source, literal.at, &why)
        })
        .collect();
    (!faults.is_empty()).then(|| faults.join("\n"))
}

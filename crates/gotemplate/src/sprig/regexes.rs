//! Regular expressions.

use gocompat::regexp::{Regexp, quote_meta};

use super::check_size;
use crate::function::{Call, CallError, CallResult, Function, Type};
use crate::value::{Element, List, Value};

const T: Type = Type::Text;
const I: Type = Type::Int;
const C: Type = Type::Concrete;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::fixed("regexMatch", &[T, T], Type::Bool, |c| {
        Ok(Value::Bool(
            Regexp::new(&c.str(0)).is_ok_and(|re| re.is_match(c.text(1))),
        ))
    }),
    Function::fixed("mustRegexMatch", &[T, T], Type::Bool, |c| {
        Ok(Value::Bool(must(c)?.is_match(c.text(1))))
    }),
    Function::fixed("regexFind", &[T, T], T, |c| find(c, compile(c)?)),
    Function::fixed("mustRegexFind", &[T, T], T, |c| find(c, must(c)?)),
    Function::fixed("regexFindAll", &[T, T, I], C, |c| find_all(c, compile(c)?)),
    Function::fixed("mustRegexFindAll", &[T, T, I], C, |c| find_all(c, must(c)?)),
    Function::fixed("regexReplaceAll", &[T, T, T], T, |c| {
        replace(c, compile(c)?, false)
    }),
    Function::fixed("mustRegexReplaceAll", &[T, T, T], T, |c| {
        replace(c, must(c)?, false)
    }),
    Function::fixed("regexReplaceAllLiteral", &[T, T, T], T, |c| {
        replace(c, compile(c)?, true)
    }),
    Function::fixed("mustRegexReplaceAllLiteral", &[T, T, T], T, |c| {
        replace(c, must(c)?, true)
    }),
    Function::fixed("regexSplit", &[T, T, I], C, |c| split(c, compile(c)?)),
    Function::fixed("mustRegexSplit", &[T, T, I], C, |c| split(c, must(c)?)),
    Function::fixed("regexQuoteMeta", &[T], T, |c| {
        Ok(quote_meta(&c.str(0)).into())
    }),
];

/// Compiles, or returns the error.
fn must(c: &Call<'_, '_>) -> Result<Regexp, CallError> {
    Regexp::new(&c.str(0)).map_err(|error| CallError::text(error.to_string()))
}

/// Compiles, or panics as upstream does.
fn compile(c: &Call<'_, '_>) -> Result<Regexp, CallError> {
    Regexp::new(&c.str(0)).map_err(|error| {
        let pattern = c.str(0);
        let shown = if gocompat::quote::can_backquote(pattern.as_bytes()) {
            format!("`{pattern}`")
        } else {
            gocompat::quote::quote(pattern.as_bytes())
        };
        CallError::text(format!("regexp: Compile({shown}): {error}"))
    })
}

fn find(c: &mut Call<'_, '_>, re: Regexp) -> CallResult {
    Ok(Value::text(re.find(c.text(1)).unwrap_or_default()))
}

/// Refuses to find more places in a large text than a result may hold.
fn check_count(c: &Call<'_, '_>, re: &Regexp) -> Result<(), CallError> {
    let text = c.text(1);
    if text.len() < 1 << 16 {
        return Ok(());
    }
    check_size(re.count(text).saturating_mul(64))
}

fn find_all(c: &mut Call<'_, '_>, re: Regexp) -> CallResult {
    check_count(c, &re)?;
    let found = re.find_all(c.text(1), c.int(2));
    if found.is_empty() {
        return Ok(List::nil(Element::Text).into());
    }
    // Room for ten is made before anything is found.
    let found = found.into_iter().map(Value::text).collect();
    Ok(List::appended_to(10, Element::Text, found).into())
}

fn replace(c: &mut Call<'_, '_>, re: Regexp, literal: bool) -> CallResult {
    let (text, replacement) = (c.text(1), c.text(2));
    check_size(
        text.len()
            .saturating_add(re.count(text).saturating_mul(replacement.len())),
    )?;
    let out = re.replace_all(text, replacement, literal);
    check_size(out.len())?;
    Ok(Value::text(out))
}

fn split(c: &mut Call<'_, '_>, re: Regexp) -> CallResult {
    check_count(c, &re)?;
    match re.split(c.text(1), c.int(2)) {
        Some(parts) => {
            let parts: Vec<Value> = parts.into_iter().map(Value::text).collect();
            // The last part is appended to room for the others.
            let room = parts.len().saturating_sub(1);
            Ok(List::extended(room, Element::Text, parts).into())
        }
        None => Ok(List::nil(Element::Text).into()),
    }
}

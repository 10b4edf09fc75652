//! Overloads of operators and functions: which ones take given types, and what they give.

use super::types::Type;

/// One overload: the receiver (empty for operators and global functions), the name, the arguments, the result. `A` and
/// `B` stand for any type, the same wherever they stand.
pub(super) type Overload = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

/// What became of a call.
#[derive(Debug, PartialEq)]
pub(super) enum Resolution<'a> {
    /// No overload has the name.
    NoName,
    /// No overload takes these types.
    NoMatch,
    /// The result; `dyn` where several overloads give different ones.
    Found(Type<'a>),
}

/// Finds what a call gives.
pub(super) fn resolve<'a>(
    overloads: &'static [Overload],
    name: &str,
    receiver: Option<&Type<'a>>,
    arguments: &[Type<'a>],
) -> Resolution<'a> {
    let mut known = false;
    let mut found: Option<Type<'a>> = None;
    for (own, _, wanted, result) in overloads.iter().filter(|overload| overload.1 == name) {
        known = true;
        if own.is_empty() != receiver.is_none() || wanted.len() != arguments.len() {
            continue;
        }
        let mut bound = Bound::default();
        let takes = receiver.is_none_or(|receiver| bound.takes(own, receiver))
            && wanted.iter().zip(arguments).all(|(w, a)| bound.takes(w, a));
        if !takes {
            continue;
        }
        let gives = bound.read(result);
        found = Some(match found {
            Some(before) if before != gives => {
                let unsure = before.is_unsure() || gives.is_unsure();
                if unsure { Type::Unknown } else { Type::Dyn }
            }
            _ => gives,
        });
    }
    match found {
        Some(gives) => Resolution::Found(gives),
        None if known => Resolution::NoMatch,
        None => Resolution::NoName,
    }
}

/// What `A` and `B` stand for in one call.
#[derive(Default)]
struct Bound<'a> {
    parameters: [Option<Type<'a>>; 2],
}

/// Takes `list(A)` apart, and `map(A, B)` at its comma.
fn parts(written: &'static str) -> (&'static str, &'static str) {
    match written.strip_suffix(')').and_then(|w| w.split_once('(')) {
        Some((outer, inner)) => (outer, inner),
        None => (written, ""),
    }
}

/// Splits the parts of a map type; keys are never nested.
fn entry(inner: &'static str) -> (&'static str, &'static str) {
    inner.split_once(", ").unwrap_or((inner, "dyn"))
}

impl<'a> Bound<'a> {
    /// Tells whether a type may stand where another is wanted.
    fn takes(&mut self, wanted: &'static str, given: &Type<'a>) -> bool {
        let parameter = match wanted {
            "A" => 0,
            "B" => 1,
            _ => return self.takes_named(wanted, given),
        };
        let bound = match self.parameters[parameter].take() {
            None => given.clone(),
            Some(before) if before.fits(given) => before.wider(given.clone()),
            Some(_) => return false,
        };
        self.parameters[parameter] = Some(bound);
        true
    }

    fn takes_named(&mut self, wanted: &'static str, given: &Type<'a>) -> bool {
        match (parts(wanted), given) {
            // The parts of what may be anything may be anything, too.
            ((_, inner), open) if open.is_open() => {
                let (key, value) = entry(inner);
                [key, value]
                    .into_iter()
                    .filter(|part| matches!(*part, "A" | "B"))
                    .all(|part| self.takes(part, open))
            }
            (("list", inner), Type::List(part))
            | (("optional", inner), Type::Optional(part))
            | (("type", inner), Type::Type(part)) => self.takes(inner, part),
            (("map", inner), Type::Map(key, value)) => {
                let (own_key, own_value) = entry(inner);
                self.takes(own_key, key) && self.takes(own_value, value)
            }
            // A schema's object serves as a map of unknown content.
            (("map", _), Type::Object(..)) => true,
            ((_, ""), given) => self.read(wanted).fits(given),
            _ => false,
        }
    }

    /// Reads a written type with what the parameters stand for.
    fn read(&self, written: &'static str) -> Type<'a> {
        let boxed = |inner| Box::new(self.read(inner));
        match parts(written) {
            ("A", _) => self.parameters[0].clone().unwrap_or(Type::Unknown),
            ("B", _) => self.parameters[1].clone().unwrap_or(Type::Unknown),
            ("bool", _) => Type::Bool,
            ("int", _) => Type::Int,
            ("uint", _) => Type::Uint,
            ("double", _) => Type::Double,
            ("string", _) => Type::Text,
            ("bytes", _) => Type::Bytes,
            ("timestamp", _) => Type::Timestamp,
            ("duration", _) => Type::Duration,
            ("list", inner) => Type::List(boxed(inner)),
            ("optional", inner) => Type::Optional(boxed(inner)),
            ("type", inner) => Type::Type(boxed(inner)),
            ("map", inner) => {
                let (key, value) = entry(inner);
                Type::Map(boxed(key), boxed(value))
            }
            _ => Type::Dyn,
        }
    }
}

//! Values checked against a compiled schema; faults come in the order and nesting of the library Helm uses.

mod combine;
mod values;

use std::collections::BTreeSet;

use gocompat::quote::quote;
use serde_json::Value;

use super::address::escape;
use super::compile::{Id, Part, Program};
use super::decimal::Decimal;
use super::fault::{Fault, quoted, shown};
use super::format;

/// Most steps of one check; schemas can ask for exponentially many.
const STEPS_MAX: u64 = 2_000_000;
/// Deepest nesting of schemas at work; the stack is sized for it.
const DEPTH_MAX: usize = 5_000;

/// Checks a value.
pub(super) fn check(program: &Program, value: &Value) -> Option<Fault> {
    let run = Run {
        program,
        steps: std::cell::Cell::new(0),
    };
    let scope = Scope::root(program.root);
    let at = At {
        part: program.root,
        value,
        scope: &scope,
        path: &[],
        depth: 0,
        caller_needs: false,
    };
    run.check(at).err()
}

struct Run<'p> {
    program: &'p Program,
    steps: std::cell::Cell<u64>,
}

/// The chain of schemas at work.
struct Scope<'s> {
    part: Id,
    /// The keyword that jumped here; empty where the schema lies inside the one above.
    keyword: &'static str,
    /// How deep in the value; schemas for the same value share it.
    level: usize,
    parent: Option<&'s Scope<'s>>,
}

impl<'s> Scope<'s> {
    fn root(part: Id) -> Self {
        Self {
            part,
            keyword: "",
            level: 0,
            parent: None,
        }
    }

    fn child(&'s self, part: Id, keyword: &'static str, level: usize) -> Scope<'s> {
        Scope {
            part,
            keyword,
            level,
            parent: Some(self),
        }
    }

    fn chain(&self) -> impl Iterator<Item = &Scope<'s>> {
        std::iter::successors(Some(self), |scope| scope.parent)
    }
}

/// What is being checked.
#[derive(Clone, Copy)]
struct At<'v> {
    part: Id,
    value: &'v Value,
    scope: &'v Scope<'v>,
    path: &'v [String],
    depth: usize,
    /// Whether the schema above wants to know what was looked at.
    caller_needs: bool,
}

/// What no keyword has looked at yet.
#[derive(Default)]
struct Unseen {
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Unseen {
    fn of(part: &Part, value: &Value, caller_needs: bool) -> Self {
        let mut unseen = Self::default();
        match value {
            Value::Object(map) => {
                let wanted = caller_needs || part.unevaluated_properties.is_some();
                if !part.sees_properties() && wanted {
                    unseen.properties = map.keys().cloned().collect();
                }
            }
            Value::Array(items) => {
                let wanted = caller_needs || part.unevaluated_items.is_some();
                if let Some(seen) = part.seen_items().filter(|_| wanted) {
                    unseen.items = (seen.min(items.len())..items.len()).collect();
                }
            }
            _ => {}
        }
        unseen
    }

    fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.items.is_empty()
    }

    fn merge(&mut self, other: &Self) {
        self.properties
            .retain(|name| other.properties.contains(name));
        self.items.retain(|index| other.items.contains(index));
    }
}

type Outcome = Result<Unseen, Fault>;

impl Run<'_> {
    fn part(&self, id: Id) -> &Part {
        &self.program.parts[id]
    }

    fn check(&self, at: At<'_>) -> Outcome {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps > STEPS_MAX {
            return Err(Fault::text(
                at.path,
                format!("the check takes more than {STEPS_MAX} steps"),
            ));
        }
        if at.depth > DEPTH_MAX {
            return Err(Fault::text(
                at.path,
                format!("schemas are nested deeper than {DEPTH_MAX}"),
            ));
        }
        let part = self.part(at.part);
        let unseen = Unseen::of(part, at.value, at.caller_needs);
        match part.boolean {
            Some(true) => return Ok(unseen),
            Some(false) => return Err(Fault::text(at.path, "false schema")),
            None => {}
        }
        let mut work = Work {
            run: self,
            part,
            at,
            faults: Vec::new(),
            unseen,
        };
        if let Some(fault) = work.cycle().or_else(|| work.simple()) {
            return Err(fault);
        }
        if let Some(target) = part.reference {
            let outcome = work.reference(target, "$ref");
            if part.draft < 2019 {
                return outcome.map(|()| work.unseen);
            }
            work.note(outcome);
        }
        work.all();
        match work.faults.len() {
            0 => Ok(work.unseen),
            1 => Err(work.faults.remove(0)),
            _ => Err(Fault::group(at.path, work.faults)),
        }
    }
}

pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Number(number) if Decimal::new(number).is_integer())
}

/// Equality by value: 1 and 1.0 are the same.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => Decimal::new(a).compare(Decimal::new(b)).is_eq(),
        // The library reads both texts as numbers when the first is one.
        (Value::Number(a), Value::String(b)) => b
            .parse()
            .is_ok_and(|b: serde_json::Number| Decimal::new(a).compare(Decimal::new(&b)).is_eq()),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => left == right,
    }
}

/// One schema at work on one value.
struct Work<'w> {
    run: &'w Run<'w>,
    part: &'w Part,
    at: At<'w>,
    faults: Vec<Fault>,
    unseen: Unseen,
}

impl Work<'_> {
    fn fault(&mut self, text: impl Into<String>) {
        self.faults.push(Fault::text(self.at.path, text));
    }

    fn note(&mut self, outcome: Result<(), Fault>) {
        self.faults.extend(outcome.err());
    }

    /// The same schema is at work on the same value already.
    fn cycle(&self) -> Option<Fault> {
        let scope = self.at.scope;
        let above = scope
            .chain()
            .skip(1)
            .take_while(|other| other.level == scope.level)
            .find(|other| other.part == scope.part)?;
        let (here, there) = (self.keywords(scope), self.keywords(above));
        let url = quote(self.part.location.as_bytes());
        let text = format!("both {here} and {there} resolve to {url} causing reference cycle");
        Some(Fault::text(self.at.path, text))
    }

    /// The keywords that lead to a schema.
    fn keywords(&self, scope: &Scope<'_>) -> String {
        let mut out = String::new();
        for scope in scope.chain() {
            let Some(parent) = scope.parent else { break };
            let step = if scope.keyword.is_empty() {
                let above = self.run.part(parent.part).location.len();
                let location = &self.run.part(scope.part).location;
                location.get(above..).unwrap_or_default().to_owned()
            } else {
                format!("/{}", escape(scope.keyword))
            };
            out = step + &out;
        }
        out
    }

    /// Type, constant, enumeration and format: the first fault ends the check.
    fn simple(&self) -> Option<Fault> {
        let (part, value) = (self.part, self.at.value);
        let fault = |text: String| Some(Fault::text(self.at.path, text));
        let got = type_of(value);
        let is = |name: &String| name == got || (name == "integer" && is_integer(value));
        if !part.types.is_empty() && !part.types.iter().any(is) {
            return fault(format!("got {got}, want {}", part.types.join(" or ")));
        }
        if let Some(wanted) = part
            .constant
            .as_ref()
            .filter(|wanted| !equal(value, wanted))
        {
            return fault(match wanted {
                Value::Array(_) | Value::Object(_) => "const failed".to_owned(),
                other => format!("value must be {}", shown(other)),
            });
        }
        if let Some(wanted) = &part.choices
            && !wanted.iter().any(|one| equal(value, one))
        {
            return fault(choices_text(wanted));
        }
        if let (Some(name), Value::String(text)) = (&part.format, value)
            && let Err(reason) = format::check(name, text)
        {
            return fault(format!("{} is not valid {name}: {reason}", quoted(text)));
        }
        None
    }

    fn all(&mut self) {
        match self.at.value {
            Value::Object(map) => self.object(map),
            Value::Array(items) => self.array(items),
            Value::String(text) => self.string(text),
            Value::Number(number) => self.number(Decimal::new(number)),
            _ => {}
        }
        if self.part.draft >= 2019 {
            self.dynamic_references();
        }
        self.conditions();
        if self.part.draft >= 2019 {
            self.unevaluated();
        }
    }

    /// Checks the same value against another schema.
    fn same(&mut self, part: Id, keyword: &'static str) -> Result<(), Fault> {
        let scope = self.at.scope.child(part, keyword, self.at.scope.level);
        let unseen = self.run.check(At {
            part,
            scope: &scope,
            depth: self.at.depth + 1,
            caller_needs: !self.unseen.is_empty(),
            ..self.at
        })?;
        self.unseen.merge(&unseen);
        Ok(())
    }

    /// Checks a part of the value.
    fn inner(&self, part: Id, value: &Value, name: &str) -> Result<(), Fault> {
        let mut path = Vec::with_capacity(self.at.path.len() + 1);
        path.extend_from_slice(self.at.path);
        path.push(name.to_owned());
        let scope = self.at.scope.child(part, "", self.at.scope.level + 1);
        let at = At {
            part,
            value,
            scope: &scope,
            path: &path,
            depth: self.at.depth + 1,
            caller_needs: false,
        };
        self.run.check(at).map(drop)
    }

    fn part_of(&mut self, part: Id, value: &Value, name: &str) {
        let outcome = self.inner(part, value, name);
        self.note(outcome);
    }

    fn reference(&mut self, target: Id, keyword: &'static str) -> Result<(), Fault> {
        let path = self.at.path;
        self.same(target, keyword)
            .map_err(|fault| Fault::reference(path, fault))
    }
}

fn choices_text(wanted: &[Value]) -> String {
    if wanted.iter().any(|one| one.is_array() || one.is_object()) {
        return "enum failed".to_owned();
    }
    let shown: Vec<String> = wanted.iter().map(shown).collect();
    match &shown[..] {
        [one] => format!("value must be {one}"),
        _ => format!("value must be one of {}", shown.join(", ")),
    }
}

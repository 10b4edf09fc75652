//! Values checked against a compiled schema; faults come in the order and nesting of the library Helm uses.

use std::collections::{BTreeSet, HashMap};

use gocompat::quote::quote;
use serde_json::{Map, Value};

use super::compile::{Additional, Dependency, Id, Items, Part, Program};
use super::decimal::Decimal;
use super::document::escape;
use super::fault::{Fault, float, grouped, listed, quoted, shown};
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

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Number(number) if Decimal::new(number).is_integer())
}

/// Equality by value: 1 and 1.0 are the same.
fn equal(left: &Value, right: &Value) -> bool {
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

    fn bounds(&mut self, got: usize, low: (&str, Option<usize>), high: (&str, Option<usize>)) {
        let count = grouped;
        if let (key, Some(want)) = low
            && got < want
        {
            self.fault(format!("{key}: got {}, want {}", count(got), count(want)));
        }
        if let (key, Some(want)) = high
            && got > want
        {
            self.fault(format!("{key}: got {}, want {}", count(got), count(want)));
        }
    }

    fn object(&mut self, map: &Map<String, Value>) {
        let part = self.part;
        self.bounds(
            map.len(),
            ("minProperties", part.min_properties),
            ("maxProperties", part.max_properties),
        );
        let missing = missing(map, &part.required);
        match missing[..] {
            [] => {}
            [one] => self.fault(format!("missing property {}", quoted(one))),
            _ => self.fault(format!("missing properties {}", listed(missing))),
        }
        for (name, dependency) in &part.dependencies {
            if !map.contains_key(name) {
                continue;
            }
            match dependency {
                Dependency::Names(wanted) => self.required_with(map, name, wanted),
                Dependency::Part(id) => {
                    let outcome = self.same(*id, "");
                    self.note(outcome);
                }
            }
        }
        self.properties(map);
        if part.draft > 4 {
            self.property_names(map);
        }
        for (name, id) in &part.dependent_schemas {
            if map.contains_key(name) {
                let outcome = self.same(*id, "");
                self.note(outcome);
            }
        }
        for (name, wanted) in &part.dependent_required {
            if map.contains_key(name) {
                self.required_with(map, name, wanted);
            }
        }
    }

    fn required_with(&mut self, map: &Map<String, Value>, name: &str, wanted: &[String]) {
        let missing = missing(map, wanted);
        if !missing.is_empty() {
            let (missing, name) = (listed(missing), quoted(name));
            self.fault(format!("properties {missing} required, if {name} exists"));
        }
    }

    fn properties(&mut self, map: &Map<String, Value>) {
        let part = self.part;
        let mut additional: Vec<&str> = Vec::new();
        for (name, value) in map {
            let mut seen = false;
            if let Some(id) = part.properties.get(name) {
                seen = true;
                self.part_of(*id, value, name);
            }
            for (regexp, id) in &part.pattern_properties {
                if regexp.is_match(name.as_bytes()) {
                    seen = true;
                    self.part_of(*id, value, name);
                }
            }
            match part.additional_properties.as_ref().filter(|_| !seen) {
                None => {}
                Some(Additional::Allowed(allowed)) => {
                    seen = true;
                    if !allowed {
                        additional.push(name);
                    }
                }
                Some(Additional::Part(id)) => {
                    seen = true;
                    self.part_of(*id, value, name);
                }
            }
            if seen {
                self.unseen.properties.remove(name);
            }
        }
        if !additional.is_empty() {
            let text = format!(
                "additional properties {} not allowed",
                listed(additional.iter().copied())
            );
            let fault = Fault::text(self.at.path, text).about(&additional);
            self.faults.push(fault);
        }
    }

    fn property_names(&mut self, map: &Map<String, Value>) {
        let Some(part) = self.part.property_names else {
            return;
        };
        for name in map.keys() {
            let value = Value::String(name.clone());
            let scope = Scope::root(part);
            let at = At {
                part,
                value: &value,
                scope: &scope,
                path: &[],
                depth: self.at.depth + 1,
                caller_needs: false,
            };
            if let Err(fault) = self.run.check(at) {
                let text = format!("invalid propertyName {}", quoted(name));
                let fault =
                    Fault::with_causes(&[], text, fault.parts()).for_key(self.at.path, name);
                self.faults.push(fault);
            }
        }
    }

    fn array(&mut self, items: &[Value]) {
        let part = self.part;
        self.bounds(
            items.len(),
            ("minItems", part.min_items),
            ("maxItems", part.max_items),
        );
        if part.unique_items
            && let Some((first, second)) = duplicates(items)
        {
            let (first, second) = (grouped(first), grouped(second));
            self.fault(format!("items at {first} and {second} are equal"));
        }
        if part.draft < 2020 {
            self.items(items);
        } else {
            let each = part.prefix_items.len().min(items.len());
            for (index, item) in items[..each].iter().enumerate() {
                self.part_of(part.prefix_items[index], item, &index.to_string());
            }
            if let Some(rest) = part.rest_items {
                // The library counts from the first of the rest.
                for (index, item) in items[each..].iter().enumerate() {
                    self.part_of(rest, item, &index.to_string());
                }
            }
        }
        if let Some(contained) = part.contains {
            self.contains(contained, items);
        }
    }

    fn items(&mut self, items: &[Value]) {
        let seen = match &self.part.items {
            Items::None => 0,
            Items::All(id) => {
                for (index, item) in items.iter().enumerate() {
                    self.part_of(*id, item, &index.to_string());
                }
                items.len()
            }
            Items::Each(each) => {
                for (index, (id, item)) in each.iter().zip(items).enumerate() {
                    self.part_of(*id, item, &index.to_string());
                }
                each.len().min(items.len())
            }
        };
        match &self.part.additional_items {
            Some(Additional::Allowed(false)) if seen != items.len() => {
                let count = grouped(items.len() - seen);
                self.fault(format!("last {count} additionalItem(s) not allowed"));
            }
            Some(Additional::Part(id)) => {
                for (index, item) in items[seen..].iter().enumerate() {
                    self.part_of(*id, item, &index.to_string());
                }
            }
            _ => {}
        }
    }

    fn contains(&mut self, part: Id, items: &[Value]) {
        let (mut faults, mut matched) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match self.inner(part, item, &index.to_string()) {
                Err(fault) => faults.push(fault),
                Ok(()) => {
                    matched.push(index);
                    if self.part.draft >= 2020 {
                        self.unseen.items.remove(&index);
                    }
                }
            }
        }
        let places: Vec<String> = matched.iter().map(usize::to_string).collect();
        let places = places.join(" ");
        let count = grouped;
        let got = count(matched.len());
        match self.part.min_contains {
            Some(want) if matched.len() < want => {
                let want = count(want);
                let text = if matched.is_empty() {
                    format!("min {want} items required to match contains schema, but none matched")
                } else {
                    format!(
                        "min {want} items required to match contains schema, but matched {got} items at {places}"
                    )
                };
                let fault = Fault::with_causes(self.at.path, text, faults);
                self.faults.push(fault);
            }
            None if matched.is_empty() => {
                let text = "no items match contains schema";
                let fault = Fault::with_causes(self.at.path, text, faults);
                self.faults.push(fault);
            }
            _ => {}
        }
        if let Some(want) = self.part.max_contains.filter(|want| matched.len() > *want) {
            let want = count(want);
            self.fault(format!("max {want} items required to match contains schema, but matched {got} items at {places}"));
        }
    }

    fn string(&mut self, text: &str) {
        let part = self.part;
        self.bounds(
            text.chars().count(),
            ("minLength", part.min_length),
            ("maxLength", part.max_length),
        );
        if let Some((regexp, pattern)) = &part.pattern
            && !regexp.is_match(text.as_bytes())
        {
            let (text, pattern) = (quoted(text), quoted(pattern));
            self.fault(format!("{text} does not match pattern {pattern}"));
        }
    }

    fn number(&mut self, got: Decimal) {
        let part = self.part;
        let rules: [(&str, Option<Decimal>, fn(Decimal, Decimal) -> bool); 5] = [
            ("minimum", part.minimum, |got, want| {
                got.compare(want).is_lt()
            }),
            ("maximum", part.maximum, |got, want| {
                got.compare(want).is_gt()
            }),
            ("exclusiveMinimum", part.above, |got, want| {
                got.compare(want).is_le()
            }),
            ("exclusiveMaximum", part.below, |got, want| {
                got.compare(want).is_ge()
            }),
            ("multipleOf", part.multiple_of, |got, want| {
                !got.is_multiple_of(want)
            }),
        ];
        for (key, want, fails) in rules {
            if let Some(want) = want.filter(|want| fails(got, *want)) {
                let (got, want) = (float(got.float()), float(want.float()));
                self.fault(format!("{key}: got {got}, want {want}"));
            }
        }
    }

    fn dynamic_references(&mut self) {
        if let Some(target) = self.part.recursive_ref {
            let target = if self.run.part(target).recursive_anchor {
                self.outermost(target, |part, id| {
                    self.run.part(part.resource).recursive_anchor.then_some(id)
                })
            } else {
                target
            };
            let outcome = self.reference(target, "$recursiveRef");
            self.note(outcome);
        }
        if let Some((target, anchor)) = &self.part.dynamic_ref {
            let same = !anchor.is_empty() && self.run.part(*target).dynamic_anchor == *anchor;
            let target = if same {
                self.outermost(*target, |part, _| {
                    let resource = self.run.part(part.resource);
                    resource.dynamic_anchors.get(anchor).copied()
                })
            } else {
                *target
            };
            let outcome = self.reference(target, "$dynamicRef");
            self.note(outcome);
        }
    }

    /// What the outermost schema at work gives, or a fallback.
    fn outermost(&self, fallback: Id, find: impl Fn(&Part, Id) -> Option<Id>) -> Id {
        let found = self
            .at
            .scope
            .chain()
            .filter_map(|scope| find(self.run.part(scope.part), scope.part));
        found.last().unwrap_or(fallback)
    }

    fn conditions(&mut self) {
        let part = self.part;
        if part.not.is_some_and(|id| self.same(id, "").is_ok()) {
            self.fault("not failed");
        }
        let failed: Vec<Fault> = part
            .all_of
            .iter()
            .filter_map(|id| self.same(*id, "").err())
            .collect();
        if !failed.is_empty() {
            let fault = Fault::with_causes(self.at.path, "allOf failed", failed);
            self.faults.push(fault);
        }
        self.any_of();
        self.one_of();
        if let Some(id) = part.condition {
            let branch = if self.same(id, "").is_ok() {
                part.then
            } else {
                part.otherwise
            };
            if let Some(id) = branch {
                let outcome = self.same(id, "");
                self.note(outcome);
            }
        }
    }

    fn any_of(&mut self) {
        let mut faults = Vec::new();
        let mut matched = self.part.any_of.is_empty();
        for id in &self.part.any_of {
            match self.same(*id, "") {
                Err(fault) => faults.push(fault),
                Ok(()) => {
                    matched = true;
                    // All of them may have looked at something.
                    if self.unseen.is_empty() {
                        break;
                    }
                }
            }
        }
        if !matched {
            let fault = Fault::with_causes(self.at.path, "anyOf failed", faults);
            self.faults.push(fault);
        }
    }

    fn one_of(&mut self) {
        let mut faults = Vec::new();
        let mut matched: Option<usize> = None;
        for (index, id) in self.part.one_of.iter().enumerate() {
            match (self.same(*id, ""), matched) {
                (Ok(()), None) => matched = Some(index),
                (Ok(()), Some(first)) => {
                    let (first, index) = (grouped(first), grouped(index));
                    self.fault(format!("oneOf failed, subschemas {first}, {index} matched"));
                    break;
                }
                (Err(fault), None) => faults.push(fault),
                (Err(_), Some(_)) => {}
            }
        }
        if matched.is_none() && !self.part.one_of.is_empty() {
            let fault = Fault::with_causes(self.at.path, "oneOf failed, none matched", faults);
            self.faults.push(fault);
        }
    }

    fn unevaluated(&mut self) {
        if let (Value::Object(map), Some(id)) = (self.at.value, self.part.unevaluated_properties) {
            for name in std::mem::take(&mut self.unseen.properties) {
                if let Some(value) = map.get(&name) {
                    self.part_of(id, value, &name);
                }
            }
        }
        if let (Value::Array(items), Some(id)) = (self.at.value, self.part.unevaluated_items) {
            for index in std::mem::take(&mut self.unseen.items) {
                self.part_of(id, &items[index], &index.to_string());
            }
        }
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

fn missing<'n>(map: &Map<String, Value>, wanted: &'n [String]) -> Vec<&'n str> {
    let names = wanted.iter().map(String::as_str);
    names.filter(|name| !map.contains_key(*name)).collect()
}

/// The first item that equals an earlier one.
fn duplicates(items: &[Value]) -> Option<(usize, usize)> {
    let mut earlier: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let same_kind = earlier.entry(rough(item)).or_default();
        let first = same_kind.iter().find(|other| equal(item, &items[**other]));
        if let Some(first) = first {
            return Some((*first, index));
        }
        same_kind.push(index);
    }
    None
}

/// A text that equal values share.
fn rough(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or_default().to_string(),
        Value::String(text) => match text.parse::<f64>() {
            Ok(number) => number.to_string(),
            Err(_) => value.to_string(),
        },
        Value::Bool(_) | Value::Null => value.to_string(),
        Value::Array(items) => {
            let inner: Vec<String> = items.iter().map(rough).collect();
            format!("[{}]", inner.join(","))
        }
        Value::Object(map) => {
            let inner = map
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", rough(value)));
            format!("{{{}}}", inner.collect::<Vec<_>>().join(","))
        }
    }
}

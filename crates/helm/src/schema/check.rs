//! The checker: JSON Schema drafts 4 to 2020-12 over JSON values.

use std::collections::BTreeSet;

use gocompat::regexp::Regexp;
use serde_json::{Map, Value};

use super::fault::{Fault, grouped, listed, quoted, shown};

/// Deepest nesting of schemas; references that loop end here.
const DEPTH_MAX: usize = 200;

/// A schema document.
pub(super) struct Checker<'s> {
    root: &'s Value,
    draft: u32,
}

/// Properties and items that some keyword has looked at.
#[derive(Default)]
struct Seen {
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Seen {
    fn merge(&mut self, other: Self) {
        self.properties.extend(other.properties);
        self.items.extend(other.items);
    }
}

/// What is being checked: the value, where it stands, how deep the schemas are.
#[derive(Clone, Copy)]
struct At<'v> {
    value: &'v Value,
    path: &'v [String],
    depth: usize,
}

type Outcome = Result<Seen, Fault>;

impl<'s> Checker<'s> {
    /// Takes a schema whose references all stay inside it.
    ///
    /// # Errors
    /// A reference leads to another document.
    pub(super) fn new(root: &'s Value) -> Result<Self, String> {
        let draft = match root.get("$schema").and_then(Value::as_str) {
            Some(text) if text.contains("draft-04") => 4,
            Some(text) if text.contains("draft-06") => 6,
            Some(text) if text.contains("draft-07") => 7,
            Some(text) if text.contains("2019-09") => 2019,
            _ => 2020,
        };
        let checker = Self { root, draft };
        checker.check_references(root, 0)?;
        Ok(checker)
    }

    fn check_references(&self, schema: &Value, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Ok(());
        }
        match schema {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref")
                    && (target.starts_with("http://") || target.starts_with("https://"))
                    && self.resolve(target).is_none()
                {
                    let url = target.split('#').next().unwrap_or(target);
                    let shown = gocompat::quote::quote(url.as_bytes());
                    return Err(format!("failing loading {shown}: schemas are not fetched"));
                }
                map.values()
                    .try_for_each(|inner| self.check_references(inner, depth + 1))
            }
            Value::Array(items) => items
                .iter()
                .try_for_each(|inner| self.check_references(inner, depth + 1)),
            _ => Ok(()),
        }
    }

    pub(super) fn check(&self, value: &Value) -> Option<Fault> {
        let at = At {
            value,
            path: &[],
            depth: 0,
        };
        self.schema(self.root, at).err()
    }

    /// Finds what a reference names; `None` where it is not in the document.
    fn resolve(&self, target: &str) -> Option<&'s Value> {
        let (document, fragment) = target.split_once('#').unwrap_or((target, ""));
        if document.contains("json-schema.org/") {
            return Some(&Value::Bool(true));
        }
        let base = if document.is_empty() {
            self.root
        } else {
            find_id(self.root, document, 0)?
        };
        if fragment.is_empty() {
            return Some(base);
        }
        let decoded = percent_decoded(fragment);
        if decoded.starts_with('/') {
            return base.pointer(&decoded);
        }
        find_anchor(base, fragment, 0)
    }

    fn schema(&self, schema: &Value, at: At<'_>) -> Outcome {
        let map = match schema {
            Value::Bool(false) => return Err(Fault::text(at.path, "false schema")),
            Value::Object(map) if at.depth <= DEPTH_MAX => map,
            _ => return Ok(Seen::default()),
        };
        let has_ref = map.get("$ref").and_then(Value::as_str);
        if let (Some(target), true) = (has_ref, self.draft < 2019) {
            return self.reference(target, at);
        }
        if let Some(fault) = self.simple(map, at) {
            return Err(fault);
        }
        let mut run = Run {
            checker: self,
            map,
            at,
            faults: Vec::new(),
            seen: Seen::default(),
        };
        run.all();
        match run.faults.len() {
            0 => Ok(run.seen),
            1 => Err(run.faults.remove(0)),
            _ => Err(Fault::group(at.path, run.faults)),
        }
    }

    fn reference(&self, target: &str, at: At<'_>) -> Outcome {
        let Some(schema) = self.resolve(target) else {
            return Ok(Seen::default());
        };
        let deeper = At {
            depth: at.depth + 1,
            ..at
        };
        self.schema(schema, deeper)
            .map_err(|fault| Fault::reference(at.path, fault))
    }

    /// Type, constant and enumeration: the first violation ends the check.
    fn simple(&self, map: &Map<String, Value>, at: At<'_>) -> Option<Fault> {
        if let Some(types) = map.get("type") {
            let wanted: Vec<&str> = match types {
                Value::String(one) => vec![one],
                Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            let got = type_of(at.value);
            let integral = wanted.contains(&"integer") && is_integer(at.value);
            if !wanted.is_empty() && !wanted.contains(&got) && !integral {
                return Some(Fault::text(
                    at.path,
                    format!("got {got}, want {}", sorted_types(&wanted).join(" or ")),
                ));
            }
        }
        if let Some(wanted) = map.get("const").filter(|_| self.draft > 4)
            && !equal(wanted, at.value)
        {
            let text = match wanted {
                Value::Array(_) | Value::Object(_) => "const failed".to_owned(),
                other => format!("value must be {}", shown(other)),
            };
            return Some(Fault::text(at.path, text));
        }
        if let Some(Value::Array(wanted)) = map.get("enum")
            && !wanted.iter().any(|one| equal(one, at.value))
        {
            return Some(Fault::text(at.path, enum_text(wanted)));
        }
        None
    }
}

fn enum_text(wanted: &[Value]) -> String {
    if wanted.iter().any(|one| one.is_array() || one.is_object()) {
        return "enum failed".to_owned();
    }
    let shown: Vec<String> = wanted.iter().map(shown).collect();
    match &shown[..] {
        [one] => format!("value must be {one}"),
        _ => format!("value must be one of {}", shown.join(", ")),
    }
}

/// Types in the order in which the library keeps them.
fn sorted_types<'t>(wanted: &[&'t str]) -> Vec<&'t str> {
    const ORDER: [&str; 7] = [
        "null", "boolean", "number", "integer", "string", "array", "object",
    ];
    let mut wanted = wanted.to_vec();
    wanted.sort_by_key(|name| ORDER.iter().position(|known| known == name));
    wanted
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
    value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// Equality by value: 1 and 1.0 are the same.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
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

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        let rest = bytes.as_slice();
        let digits = rest
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|_| byte == b'%')
        {
            Some(decoded) => {
                out.push(decoded);
                bytes.nth(1);
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Finds a schema by its `$id`, relative ones by their end.
fn find_id<'s>(schema: &'s Value, wanted: &str, depth: usize) -> Option<&'s Value> {
    find(schema, depth, &|map| {
        let id = map
            .get("$id")
            .or_else(|| map.get("id"))
            .and_then(Value::as_str);
        id.is_some_and(|id| {
            let id = id.trim_end_matches('#');
            id == wanted || id.ends_with(&format!("/{wanted}"))
        })
    })
}

fn find_anchor<'s>(schema: &'s Value, name: &str, depth: usize) -> Option<&'s Value> {
    find(schema, depth, &|map| {
        let is = |key: &str, wanted: &str| map.get(key).and_then(Value::as_str) == Some(wanted);
        is("$anchor", name)
            || is("$dynamicAnchor", name)
            || is("$id", &format!("#{name}"))
            || is("id", &format!("#{name}"))
    })
}

fn find<'s>(
    schema: &'s Value,
    depth: usize,
    test: &dyn Fn(&Map<String, Value>) -> bool,
) -> Option<&'s Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    match schema {
        Value::Object(map) if test(map) => Some(schema),
        Value::Object(map) => map.values().find_map(|inner| find(inner, depth + 1, test)),
        Value::Array(items) => items.iter().find_map(|inner| find(inner, depth + 1, test)),
        _ => None,
    }
}

/// One schema object at work on one value.
struct Run<'r, 's, 'v> {
    checker: &'r Checker<'s>,
    map: &'r Map<String, Value>,
    at: At<'v>,
    faults: Vec<Fault>,
    seen: Seen,
}

impl Run<'_, '_, '_> {
    fn all(&mut self) {
        if let Some(target) = self.map.get("$ref").and_then(Value::as_str) {
            let outcome = self.checker.reference(target, self.at);
            self.note(outcome);
        }
        match self.at.value {
            Value::Object(object) => self.object(object),
            Value::Array(items) => self.array(items),
            Value::String(text) => self.string(text),
            Value::Number(number) => self.number(number.as_f64().unwrap_or_default()),
            _ => {}
        }
        for key in ["$dynamicRef", "$recursiveRef"] {
            if let Some(target) = self.map.get(key).and_then(Value::as_str) {
                let outcome = self.checker.reference(target, self.at);
                self.note(outcome);
            }
        }
        self.conditions();
        self.unevaluated();
    }

    fn fault(&mut self, text: impl Into<String>) {
        self.faults.push(Fault::text(self.at.path, text));
    }

    /// Takes the outcome of a schema for the same value.
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Ok(seen) => self.seen.merge(seen),
            Err(fault) => self.faults.push(fault),
        }
    }

    fn same(&self, schema: &Value) -> Outcome {
        let deeper = At {
            depth: self.at.depth + 1,
            ..self.at
        };
        self.checker.schema(schema, deeper)
    }

    /// Checks a part of the value; its outcome does not count as looked at here.
    fn inner(&self, schema: &Value, value: &Value, name: &str) -> Result<(), Fault> {
        let mut path = self.at.path.to_vec();
        path.push(name.to_owned());
        let at = At {
            value,
            path: &path,
            depth: self.at.depth + 1,
        };
        self.checker.schema(schema, at).map(|_| ())
    }

    fn part(&mut self, schema: &Value, value: &Value, name: &str) {
        if let Err(fault) = self.inner(schema, value, name) {
            self.faults.push(fault);
        }
    }

    fn count(&self, key: &str) -> Option<usize> {
        self.map
            .get(key)
            .and_then(Value::as_f64)
            .map(|number| number as usize)
    }

    fn bounds(&mut self, got: usize, low: &str, high: &str) {
        let count = |number: usize| grouped(number as f64);
        if let Some(want) = self.count(low).filter(|want| got < *want) {
            self.fault(format!("{low}: got {}, want {}", count(got), count(want)));
        }
        if let Some(want) = self.count(high).filter(|want| got > *want) {
            self.fault(format!("{high}: got {}, want {}", count(got), count(want)));
        }
    }

    fn missing<'n>(&self, object: &Map<String, Value>, wanted: &'n [Value]) -> Vec<&'n str> {
        let names = wanted.iter().filter_map(Value::as_str);
        names.filter(|name| !object.contains_key(*name)).collect()
    }

    fn object(&mut self, object: &Map<String, Value>) {
        self.bounds(object.len(), "minProperties", "maxProperties");
        if let Some(Value::Array(wanted)) = self.map.get("required") {
            let missing = self.missing(object, wanted);
            match missing[..] {
                [] => {}
                [one] => self.fault(format!("missing property {}", quoted(one))),
                _ => self.fault(format!("missing properties {}", listed(missing))),
            }
        }
        self.dependencies(object, "dependencies");
        self.properties(object);
        if self.checker.draft > 4
            && let Some(schema) = self.map.get("propertyNames")
        {
            for name in object.keys() {
                let value = Value::String(name.clone());
                let at = At {
                    value: &value,
                    path: &[],
                    depth: self.at.depth + 1,
                };
                if let Err(fault) = self.checker.schema(schema, at) {
                    let causes = if fault.is_group() {
                        fault.causes
                    } else {
                        vec![fault]
                    };
                    let text = format!("invalid propertyName {}", quoted(name));
                    self.faults
                        .push(Fault::with_causes(self.at.path, text, causes));
                }
            }
        }
        self.dependencies(object, "dependentSchemas");
        self.dependencies(object, "dependentRequired");
    }

    fn dependencies(&mut self, object: &Map<String, Value>, key: &str) {
        let Some(Value::Object(all)) = self.map.get(key) else {
            return;
        };
        for (name, dependency) in all.iter().filter(|(name, _)| object.contains_key(*name)) {
            match dependency {
                Value::Array(wanted) => {
                    let missing = self.missing(object, wanted);
                    if !missing.is_empty() {
                        let (missing, name) = (listed(missing), quoted(name));
                        self.fault(format!("properties {missing} required, if {name} exists"));
                    }
                }
                schema => {
                    let outcome = self.same(schema);
                    self.note(outcome);
                }
            }
        }
    }

    fn properties(&mut self, object: &Map<String, Value>) {
        let patterns: Vec<(Regexp, &Value)> = match self.map.get("patternProperties") {
            Some(Value::Object(all)) => all
                .iter()
                .filter_map(|(re, schema)| Some((Regexp::new(re).ok()?, schema)))
                .collect(),
            _ => Vec::new(),
        };
        let mut additional = Vec::new();
        for (name, value) in object {
            let mut evaluated = false;
            if let Some(schema) = self.map.get("properties").and_then(|all| all.get(name)) {
                evaluated = true;
                self.part(schema, value, name);
            }
            for (regex, schema) in &patterns {
                if regex.is_match(name.as_bytes()) {
                    evaluated = true;
                    self.part(schema, value, name);
                }
            }
            match self.map.get("additionalProperties").filter(|_| !evaluated) {
                None => {}
                Some(Value::Bool(allowed)) => {
                    evaluated = true;
                    if !allowed {
                        additional.push(name.as_str());
                    }
                }
                Some(schema) => {
                    evaluated = true;
                    self.part(schema, value, name);
                }
            }
            if evaluated {
                self.seen.properties.insert(name.clone());
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

    fn array(&mut self, items: &[Value]) {
        self.bounds(items.len(), "minItems", "maxItems");
        if self.map.get("uniqueItems") == Some(&Value::Bool(true))
            && let Some((first, second)) = duplicates(items)
        {
            self.fault(format!("items at {first} and {second} are equal"));
        }
        let (tuple, rest) = if self.checker.draft < 2020 {
            match self.map.get("items") {
                Some(Value::Array(tuple)) => (&tuple[..], self.map.get("additionalItems")),
                other => (&[][..], other),
            }
        } else {
            let tuple = self.map.get("prefixItems").and_then(Value::as_array);
            (tuple.map_or(&[][..], Vec::as_slice), self.map.get("items"))
        };
        for (index, item) in items.iter().enumerate() {
            let schema = tuple.get(index).or(rest);
            if let Some(schema) = schema {
                self.seen.items.insert(index);
                let limited = self.checker.draft < 2020
                    && schema == &Value::Bool(false)
                    && index >= tuple.len();
                if !limited {
                    self.part(schema, item, &index.to_string());
                }
            }
        }
        if self.checker.draft < 2020
            && !tuple.is_empty()
            && rest == Some(&Value::Bool(false))
            && items.len() > tuple.len()
        {
            self.fault(format!(
                "last {} additionalItem(s) not allowed",
                items.len() - tuple.len()
            ));
        }
        self.contains(items);
    }

    fn contains(&mut self, items: &[Value]) {
        let Some(schema) = self.map.get("contains") else {
            return;
        };
        let (mut faults, mut matched) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            match self.inner(schema, item, &index.to_string()) {
                Ok(()) => matched.push(index),
                Err(fault) => faults.push(fault),
            }
        }
        let places = matched
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        match self.count("minContains") {
            Some(want) if matched.len() < want => {
                let text = if matched.is_empty() {
                    format!("min {want} items required to match contains schema, but none matched")
                } else {
                    let got = matched.len();
                    format!(
                        "min {want} items required to match contains schema, but matched {got} items at {places}"
                    )
                };
                self.faults
                    .push(Fault::with_causes(self.at.path, text, faults));
            }
            None if matched.is_empty() => {
                let text = "no items match contains schema";
                self.faults
                    .push(Fault::with_causes(self.at.path, text, faults));
            }
            _ => {}
        }
        if let Some(want) = self
            .count("maxContains")
            .filter(|want| matched.len() > *want)
        {
            let got = matched.len();
            self.fault(format!("max {want} items required to match contains schema, but matched {got} items at {places}"));
        }
        if self.checker.draft >= 2020 {
            self.seen.items.extend(matched);
        }
    }

    fn string(&mut self, text: &str) {
        self.bounds(text.chars().count(), "minLength", "maxLength");
        if let Some(Value::String(pattern)) = self.map.get("pattern")
            && let Ok(regex) = Regexp::new(pattern)
            && !regex.is_match(text.as_bytes())
        {
            self.fault(format!(
                "{} does not match pattern {}",
                quoted(text),
                quoted(pattern)
            ));
        }
    }

    fn number(&mut self, got: f64) {
        let want = |key: &str| self.map.get(key).and_then(Value::as_f64);
        let flag = |key: &str| self.map.get(key) == Some(&Value::Bool(true));
        let mut failed: Vec<(&str, f64)> = Vec::new();
        let old = self.checker.draft == 4;
        if let Some(low) = want("minimum") {
            if old && flag("exclusiveMinimum") && got <= low {
                failed.push(("exclusiveMinimum", low));
            } else if got < low {
                failed.push(("minimum", low));
            }
        }
        if let Some(high) = want("maximum") {
            if old && flag("exclusiveMaximum") && got >= high {
                failed.push(("exclusiveMaximum", high));
            } else if got > high {
                failed.push(("maximum", high));
            }
        }
        failed.extend(
            want("exclusiveMinimum")
                .filter(|low| got <= *low)
                .map(|low| ("exclusiveMinimum", low)),
        );
        failed.extend(
            want("exclusiveMaximum")
                .filter(|high| got >= *high)
                .map(|high| ("exclusiveMaximum", high)),
        );
        let multiple = |step: f64| {
            let quotient = got / step;
            (quotient - quotient.round()).abs() < 1e-9
        };
        failed.extend(
            want("multipleOf")
                .filter(|step| *step > 0.0 && !multiple(*step))
                .map(|step| ("multipleOf", step)),
        );
        for (key, want) in failed {
            self.fault(format!(
                "{key}: got {}, want {}",
                grouped(got),
                grouped(want)
            ));
        }
    }

    fn conditions(&mut self) {
        if let Some(schema) = self.map.get("not")
            && self.same(schema).is_ok()
        {
            self.fault("not failed");
        }
        let list = |key: &str| {
            self.map
                .get(key)
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice)
        };
        self.all_of(list("allOf"));
        self.any_of(list("anyOf"));
        self.one_of(list("oneOf"));
        if let Some(schema) = self.map.get("if").filter(|_| self.checker.draft >= 7) {
            let branch = match self.same(schema) {
                Ok(seen) => {
                    self.seen.merge(seen);
                    "then"
                }
                Err(_) => "else",
            };
            if let Some(schema) = self.map.get(branch) {
                let outcome = self.same(schema);
                self.note(outcome);
            }
        }
    }

    fn all_of(&mut self, schemas: &[Value]) {
        let mut faults = Vec::new();
        for schema in schemas {
            match self.same(schema) {
                Ok(seen) => self.seen.merge(seen),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            self.faults
                .push(Fault::with_causes(self.at.path, "allOf failed", faults));
        }
    }

    fn any_of(&mut self, schemas: &[Value]) {
        let mut faults = Vec::new();
        let mut matched = schemas.is_empty();
        for schema in schemas {
            match self.same(schema) {
                Ok(seen) => {
                    matched = true;
                    self.seen.merge(seen);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if !matched {
            self.faults
                .push(Fault::with_causes(self.at.path, "anyOf failed", faults));
        }
    }

    fn one_of(&mut self, schemas: &[Value]) {
        let mut faults = Vec::new();
        let mut matched: Option<usize> = None;
        for (index, schema) in schemas.iter().enumerate() {
            match (self.same(schema), matched) {
                (Ok(seen), None) => {
                    matched = Some(index);
                    self.seen.merge(seen);
                }
                (Ok(_), Some(first)) => {
                    self.fault(format!("oneOf failed, subschemas {first}, {index} matched"));
                    break;
                }
                (Err(fault), None) => faults.push(fault),
                (Err(_), Some(_)) => {}
            }
        }
        if matched.is_none() && !schemas.is_empty() {
            self.faults.push(Fault::with_causes(
                self.at.path,
                "oneOf failed, none matched",
                faults,
            ));
        }
    }

    fn unevaluated(&mut self) {
        if self.checker.draft < 2019 {
            return;
        }
        if let (Value::Object(object), Some(schema)) =
            (self.at.value, self.map.get("unevaluatedProperties"))
        {
            for (name, value) in object {
                if !self.seen.properties.contains(name) {
                    self.part(schema, value, name);
                    self.seen.properties.insert(name.clone());
                }
            }
        }
        if let (Value::Array(items), Some(schema)) =
            (self.at.value, self.map.get("unevaluatedItems"))
        {
            for (index, value) in items.iter().enumerate() {
                if !self.seen.items.contains(&index) {
                    self.part(schema, value, &index.to_string());
                    self.seen.items.insert(index);
                }
            }
        }
    }
}

fn duplicates(items: &[Value]) -> Option<(usize, usize)> {
    (1..items.len()).find_map(|second| {
        let first = items[..second]
            .iter()
            .position(|item| equal(item, &items[second]))?;
        Some((first, second))
    })
}

//! What a schema says about the value itself: objects, arrays, texts, numbers.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::compile::{Additional, Dependency, Id, Items};
use super::super::decimal::Decimal;
use super::super::fault::{Fault, float, grouped, listed, quoted};
use super::{At, Scope, Work, equal};

impl Work<'_> {
    pub(super) fn bounds(
        &mut self,
        got: usize,
        low: (&str, Option<usize>),
        high: (&str, Option<usize>),
    ) {
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

    pub(super) fn object(&mut self, map: &Map<String, Value>) {
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

    pub(super) fn required_with(
        &mut self,
        map: &Map<String, Value>,
        name: &str,
        wanted: &[String],
    ) {
        let missing = missing(map, wanted);
        if !missing.is_empty() {
            let (missing, name) = (listed(missing), quoted(name));
            self.fault(format!("properties {missing} required, if {name} exists"));
        }
    }

    pub(super) fn properties(&mut self, map: &Map<String, Value>) {
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

    pub(super) fn property_names(&mut self, map: &Map<String, Value>) {
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

    pub(super) fn array(&mut self, items: &[Value]) {
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

    pub(super) fn items(&mut self, items: &[Value]) {
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

    pub(super) fn contains(&mut self, part: Id, items: &[Value]) {
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

    pub(super) fn string(&mut self, text: &str) {
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

    pub(super) fn number(&mut self, got: Decimal) {
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
}

pub(super) fn missing<'n>(map: &Map<String, Value>, wanted: &'n [String]) -> Vec<&'n str> {
    let names = wanted.iter().map(String::as_str);
    names.filter(|name| !map.contains_key(*name)).collect()
}

/// The first item that equals an earlier one.
pub(super) fn duplicates(items: &[Value]) -> Option<(usize, usize)> {
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
pub(super) fn rough(value: &Value) -> String {
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

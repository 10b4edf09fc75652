//! Schemas within a schema, for the same value: references, conditions, alternatives, what is left over.

use serde_json::Value;

use super::super::compile::{Id, Part};
use super::super::fault::{Fault, grouped};
use super::Work;

impl Work<'_> {
    pub(super) fn dynamic_references(&mut self) {
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
    pub(super) fn outermost(&self, fallback: Id, find: impl Fn(&Part, Id) -> Option<Id>) -> Id {
        let found = self
            .at
            .scope
            .chain()
            .filter_map(|scope| find(self.run.part(scope.part), scope.part));
        found.last().unwrap_or(fallback)
    }

    pub(super) fn conditions(&mut self) {
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

    pub(super) fn any_of(&mut self) {
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

    pub(super) fn one_of(&mut self) {
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

    pub(super) fn unevaluated(&mut self) {
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

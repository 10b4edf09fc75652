//! Merging an applied value into a live one.
//!
//! Scalars, atomic lists and maps are taken whole from the applied side where it has them. Items of keyed lists and
//! sets keep the live order except where the applied order says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::{List, Map, Schema, TypeId};
use crate::{Map as JsonMap, Value};

use super::compare::for_each_key;
use super::path::PathElement;
use super::typed::{Handler, Selection, ValidationErrors, check_scalar, item_element, select};

/// Merges `right` (applied) into `left` (live); an empty result is absent.
pub(super) fn merge(
    schema: &Schema,
    ty: TypeId,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<Option<Value>, ValidationErrors> {
    if left.is_none() && right.is_none() {
        return Err(ValidationErrors::one(
            "at least one of lhs and rhs must be provided".into(),
        ));
    }
    let (value, errors) = Merger { schema }.node(Some(ty), left, right);
    if errors.0.is_empty() {
        Ok(value)
    } else {
        Err(errors)
    }
}

type Merged = (Option<Value>, ValidationErrors);

struct Merger<'a> {
    schema: &'a Schema,
}

impl<'a> Merger<'a> {
    fn node(&self, ty: Option<TypeId>, left: Option<&Value>, right: Option<&Value>) -> Merged {
        let ty = self.schema.get_or_invalid(ty);
        let (as_left, as_right) = (select(ty, left), select(ty, right));
        if right.is_none() {
            return self.shape(&as_left, left, right);
        }
        if left.is_none() || as_left.same(&as_right) {
            return self.shape(&as_right, left, right);
        }
        // The kinds differ: the right one wins, but the left must be well formed too.
        let (_, mut errors) = self.shape(&as_left, left, right);
        let (value, more) = self.shape(&as_right, left, right);
        errors.extend(more);
        (value, errors)
    }

    fn shape(&self, shape: &Selection<'a>, left: Option<&Value>, right: Option<&Value>) -> Merged {
        match shape.handler() {
            Ok(Handler::Map(map)) => self.map(map, left, right),
            Ok(Handler::Scalar(scalar)) => {
                let mut wrong = check_scalar(scalar, left, "lhs: ");
                let wrong_right = check_scalar(scalar, right, "rhs: ");
                if wrong.0.is_empty() || wrong_right.0.is_empty() {
                    return keep_right(left, right);
                }
                wrong.extend(wrong_right);
                (None, wrong)
            }
            Ok(Handler::List(list)) => self.list(list, left, right),
            Err(errors) => (None, errors),
        }
    }

    fn map(&self, map: &Map, left: Option<&Value>, right: Option<&Value>) -> Merged {
        let l = left.and_then(Value::as_object);
        let r = right.and_then(Value::as_object);
        let empty = l.is_none_or(|m| m.is_empty()) && r.is_none_or(|m| m.is_empty());
        if map.is_atomic() || empty {
            return keep_right(left, right);
        }
        let mut out = JsonMap::new();
        let mut errors = ValidationErrors::default();
        for_each_key(l, r, |key, left, right| {
            let (value, below) = self.node(map.type_of(key), left, right);
            if !below.0.is_empty() {
                errors.extend(below.below(&PathElement::field(key)));
            }
            if let Some(value) = value {
                out.insert(key.to_owned(), value);
            }
        });
        ((!out.is_empty()).then_some(Value::Object(out)), errors)
    }

    fn list(&self, list: &List, left: Option<&Value>, right: Option<&Value>) -> Merged {
        let l = left
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let r = right
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        if list.is_atomic() || (l.is_empty() && r.is_empty()) {
            return keep_right(left, right);
        }
        match (self.index(list, l, true), self.index(list, r, false)) {
            (Ok(l), Ok(r)) => {
                let out = self.list_items(list, &l, &r);
                (
                    (!out.is_empty()).then_some(Value::Array(out)),
                    ValidationErrors::default(),
                )
            }
            (l, r) => {
                let mut errors = r.err().unwrap_or_default();
                errors.extend(l.err().unwrap_or_default());
                (None, errors)
            }
        }
    }

    fn index<'v>(
        &self,
        list: &List,
        items: &'v [Value],
        duplicates: bool,
    ) -> Result<Indexed<'v>, ValidationErrors> {
        let mut errors = ValidationErrors::default();
        let mut indexed = Indexed {
            items: Vec::with_capacity(items.len()),
            by_element: BTreeMap::new(),
        };
        for (i, item) in items.iter().enumerate() {
            let element = match item_element(self.schema, list, item) {
                Ok(element) => element,
                Err(error) => {
                    errors.extend(ValidationErrors::one(format!("element {i}: {error}")));
                    continue;
                }
            };
            match indexed.by_element.get_mut(&element) {
                Some(_) if !duplicates => {
                    errors.extend(ValidationErrors::one(format!(
                        "duplicate entries for key {element}"
                    )));
                    continue;
                }
                // A repeated item stands for nothing when an applied item meets it.
                Some(seen) => *seen = &Value::Null,
                None => {
                    indexed.by_element.insert(element.clone(), item);
                }
            }
            indexed.items.push((element, item));
        }
        if errors.0.is_empty() {
            Ok(indexed)
        } else {
            Err(errors)
        }
    }

    /// Interleaves both orders: the items both have appear in the applied order, live-only items keep their place.
    fn list_items(&self, list: &List, left: &Indexed<'_>, right: &Indexed<'_>) -> Vec<Value> {
        let mut out = Vec::with_capacity(left.items.len().max(right.items.len()));
        let mut take = |l: Option<&Value>, r: Option<&Value>| {
            // Faults inside items are dropped, as the reference does.
            out.extend(self.node(Some(list.element), l, r).0);
        };
        let mut shared = right
            .items
            .iter()
            .map(|(element, _)| element)
            .filter(|element| left.by_element.contains_key(element));
        let mut next_shared = shared.next();
        let mut merged: BTreeSet<&PathElement> = BTreeSet::new();
        let (mut li, mut ri) = (0, 0);
        while li < left.items.len() || ri < right.items.len() {
            if let (Some((l, _)), Some((r, _))) = (left.items.get(li), right.items.get(ri)) {
                if l == r {
                    merged.insert(r);
                    take(left.get(l), right.get(l));
                    li += 1;
                    ri += 1;
                    next_shared = shared.next();
                    continue;
                }
                if right.by_element.contains_key(l) && next_shared.is_some_and(|next| next != l) {
                    // Shared, but another one comes first.
                    li += 1;
                    continue;
                }
            }
            if let Some((l, item)) = left.items.get(li) {
                if !right.by_element.contains_key(l) {
                    take(Some(item), None);
                    li += 1;
                    continue;
                }
                if merged.contains(l) {
                    li += 1;
                }
            }
            if let Some((r, _)) = right.items.get(ri) {
                merged.insert(r);
                take(left.get(r), right.get(r));
                ri += 1;
                if next_shared == Some(r) {
                    next_shared = shared.next();
                }
            }
        }
        out
    }
}

/// Items of a list with their elements, in order and by element.
struct Indexed<'v> {
    items: Vec<(PathElement, &'v Value)>,
    by_element: BTreeMap<PathElement, &'v Value>,
}

impl<'v> Indexed<'v> {
    fn get(&self, element: &PathElement) -> Option<&'v Value> {
        self.by_element.get(element).copied()
    }
}

fn keep_right(left: Option<&Value>, right: Option<&Value>) -> Merged {
    (right.or(left).cloned(), ValidationErrors::default())
}

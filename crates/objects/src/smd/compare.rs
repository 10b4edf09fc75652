//! Which fields differ between two values of one type.

use std::collections::BTreeMap;

use crate::Value;
use crate::schema::{List, Map, Schema, TypeId};

use super::matcher::FieldFilter;
use super::order::values_equal;
use super::path::PathElement;
use super::set::FieldSet;
use super::typed::{Handler, Selection, ValidationErrors, check_scalar, item_element, select};

/// The fields in which a right value differs from a left one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields only the right value has.
    pub added: FieldSet,
    /// Fields both have with different values.
    pub modified: FieldSet,
    /// Fields only the left value has.
    pub removed: FieldSet,
}

impl Comparison {
    /// Tells whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// Applies a filter to all three sets.
    #[must_use]
    pub fn filtered(self, filter: Option<&FieldFilter>) -> Self {
        let Some(filter) = filter else { return self };
        Self {
            added: filter.filter(&self.added),
            modified: filter.filter(&self.modified),
            removed: filter.filter(&self.removed),
        }
    }

    /// Hangs what was found below a node, and what was found of the node itself, under its element.
    fn push(&mut self, element: &PathElement, found: Found) {
        let Found { marks, below, .. } = found;
        if marks.added || !below.added.entries.is_empty() {
            self.added.push(element.clone(), marks.added, below.added);
        }
        if marks.modified || !below.modified.entries.is_empty() {
            self.modified
                .push(element.clone(), marks.modified, below.modified);
        }
        if marks.removed || !below.removed.entries.is_empty() {
            self.removed
                .push(element.clone(), marks.removed, below.removed);
        }
    }
}

/// Compares two values; an absent side makes everything added or removed.
pub(super) fn compare(
    schema: &Schema,
    ty: TypeId,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<Comparison, ValidationErrors> {
    let mut comparer = Comparer {
        schema,
        errors: ValidationErrors::default(),
    };
    if left.is_none() && right.is_none() {
        return Err(ValidationErrors::one(
            "at least one of lhs and rhs must be provided".into(),
        ));
    }
    let found = comparer.node(Some(ty), left, right);
    if comparer.errors.0.is_empty() {
        Ok(found.below)
    } else {
        Err(comparer.errors)
    }
}

/// What is said of a node itself.
#[derive(Clone, Copy, Default)]
struct Marks {
    added: bool,
    modified: bool,
    removed: bool,
}

#[derive(Default)]
struct Found {
    marks: Marks,
    below: Comparison,
    /// The node was compared as one piece.
    leaf: bool,
}

struct Comparer<'a> {
    schema: &'a Schema,
    errors: ValidationErrors,
}

impl<'a> Comparer<'a> {
    fn node(
        &mut self,
        ty: Option<TypeId>,
        left: Option<&'a Value>,
        right: Option<&'a Value>,
    ) -> Found {
        let ty = self.schema.get_or_invalid(ty);
        let (as_left, as_right) = (select(ty, left), select(ty, right));
        let mut found = if right.is_none() {
            self.shape(&as_left, left, right)
        } else if left.is_none() || as_left.same(&as_right) {
            self.shape(&as_right, left, right)
        } else {
            let mut first = self.shape(&as_left, left, right);
            let second = self.shape(&as_right, left, right);
            first.absorb(second);
            first
        };
        if !found.leaf {
            found.marks.added |= left.is_none();
            found.marks.removed |= left.is_some() && right.is_none();
        }
        found
    }

    fn shape(
        &mut self,
        shape: &Selection<'a>,
        left: Option<&'a Value>,
        right: Option<&'a Value>,
    ) -> Found {
        match shape.handler() {
            Ok(Handler::Map(map)) => self.map(map, left, right),
            Ok(Handler::Scalar(scalar)) => {
                let mut wrong = check_scalar(scalar, left, "lhs: ");
                let wrong_right = check_scalar(scalar, right, "rhs: ");
                if wrong.0.is_empty() || wrong_right.0.is_empty() {
                    return leaf(left, right);
                }
                wrong.extend(wrong_right);
                self.errors.extend(wrong);
                Found::default()
            }
            Ok(Handler::List(list)) => self.list(list, left, right),
            Err(errors) => {
                self.errors.extend(errors);
                Found::default()
            }
        }
    }

    fn map(&mut self, map: &'a Map, left: Option<&'a Value>, right: Option<&'a Value>) -> Found {
        let l = left.and_then(Value::as_object);
        let r = right.and_then(Value::as_object);
        let empty = l.is_none_or(|m| m.is_empty()) && r.is_none_or(|m| m.is_empty());
        if map.is_atomic() || empty {
            return leaf(left, right);
        }
        let mut found = Found::default();
        for_each_key(l, r, |key, left, right| {
            let ty = map.type_of(key);
            // Equal scalars of a declared type are the bulk of every comparison.
            if let (Some(a), Some(b)) = (left, right)
                && !a.is_object()
                && !a.is_array()
                && a == b
                && ty.is_some_and(|ty| self.schema.get(ty).scalar.is_some())
            {
                return;
            }
            let below = self.below(ty, left, right, || PathElement::field(key));
            if below.is_anything() {
                found.below.push(&PathElement::field(key), below);
            }
        });
        found
    }

    fn list(&mut self, list: &'a List, left: Option<&'a Value>, right: Option<&'a Value>) -> Found {
        let l = left.and_then(Value::as_array);
        let r = right.and_then(Value::as_array);
        let empty = l.is_none_or(|m| m.is_empty()) && r.is_none_or(|m| m.is_empty());
        if list.is_atomic() || empty {
            return leaf(left, right);
        }
        let mut items: BTreeMap<PathElement, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for (i, item) in l.into_iter().flatten().enumerate() {
            if let Some(element) = self.element(list, i, item) {
                items.entry(element).or_default().0.push(item);
            }
        }
        for (i, item) in r.into_iter().flatten().enumerate() {
            if let Some(element) = self.element(list, i, item) {
                items.entry(element).or_default().1.push(item);
            }
        }
        let mut found = Found::default();
        for (element, (left, right)) in items {
            let below = self.items(list, &element, &left, &right);
            found.below.push(&element, below);
        }
        found
    }

    fn element(&mut self, list: &List, index: usize, item: &Value) -> Option<PathElement> {
        match item_element(self.schema, list, item) {
            Ok(element) => Some(element),
            Err(error) => {
                self.errors
                    .extend(ValidationErrors::one(format!("element {index}: {error}")));
                None
            }
        }
    }

    /// Compares the items of one key: repeated items are compared as a whole.
    fn items(
        &mut self,
        list: &List,
        element: &PathElement,
        left: &[&'a Value],
        right: &[&'a Value],
    ) -> Found {
        let ty = Some(list.element);
        match (left, right) {
            (left, right) if left.len() < 2 && right.len() < 2 => {
                let (left, right) = (left.first().copied(), right.first().copied());
                self.below(ty, left, right, || element.clone())
            }
            (left, right) if left.len() >= 2 && right.len() >= 2 => {
                let equal = left.len() == right.len()
                    && left.iter().zip(right).all(|(a, b)| values_equal(a, b));
                let mut found = Found::default();
                found.marks.modified = !equal;
                found
            }
            (left, right) if left.len() >= 2 => {
                let mut found = match right.first() {
                    Some(right) => self.below(ty, None, Some(right), || element.clone()),
                    None => Found::default(),
                };
                found.marks.removed = true;
                found
            }
            (left, _) => {
                let mut found = match left.first() {
                    Some(left) => self.below(ty, Some(left), None, || element.clone()),
                    None => Found::default(),
                };
                found.marks.added = true;
                found
            }
        }
    }

    fn below(
        &mut self,
        ty: Option<TypeId>,
        left: Option<&'a Value>,
        right: Option<&'a Value>,
        element: impl Fn() -> PathElement,
    ) -> Found {
        let before = self.errors.0.len();
        let found = self.node(ty, left, right);
        if self.errors.0.len() > before {
            let own = ValidationErrors(self.errors.0.split_off(before));
            self.errors.extend(own.below(&element()));
        }
        found
    }
}

impl Found {
    fn is_anything(&self) -> bool {
        let Marks {
            added,
            modified,
            removed,
        } = self.marks;
        added
            || modified
            || removed
            || !self.below.added.entries.is_empty()
            || !self.below.modified.entries.is_empty()
            || !self.below.removed.entries.is_empty()
    }

    /// Adds what another shape of the same node found.
    fn absorb(&mut self, other: Self) {
        self.marks.added |= other.marks.added;
        self.marks.modified |= other.marks.modified;
        self.marks.removed |= other.marks.removed;
        self.below.added = self.below.added.union(&other.below.added);
        self.below.modified = self.below.modified.union(&other.below.modified);
        self.below.removed = self.below.removed.union(&other.below.removed);
        self.leaf = other.leaf;
    }
}

fn leaf(left: Option<&Value>, right: Option<&Value>) -> Found {
    let marks = match (left, right) {
        (None, _) => Marks {
            added: true,
            ..Marks::default()
        },
        (_, None) => Marks {
            removed: true,
            ..Marks::default()
        },
        (Some(left), Some(right)) => Marks {
            modified: !values_equal(left, right),
            ..Marks::default()
        },
    };
    Found {
        marks,
        below: Comparison::default(),
        leaf: true,
    }
}

/// Visits the union of the keys of two maps in order.
pub(super) fn for_each_key<'a>(
    left: Option<&'a crate::Map>,
    right: Option<&'a crate::Map>,
    mut visit: impl FnMut(&'a str, Option<&'a Value>, Option<&'a Value>),
) {
    let mut l = left.into_iter().flatten().peekable();
    let mut r = right.into_iter().flatten().peekable();
    loop {
        let order = match (l.peek(), r.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return,
        };
        let left = if order.is_le() { l.next() } else { None };
        let right = if order.is_ge() { r.next() } else { None };
        if let Some((key, _)) = left.or(right) {
            visit(key, left.map(|(_, v)| v), right.map(|(_, v)| v));
        }
    }
}

//! Sets of fields: a sorted tree in which every node may itself be a member.

use std::cmp::Ordering;

use crate::schema::{Schema, TypeId};

use super::path::{Path, PathElement};

/// A set of paths, as a manager owns them.
///
/// One sorted vector a level; the empty set allocates nothing. The root itself is never a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Sorted by element, unique. An entry is a member, or has members below, or both.
    pub(super) entries: Vec<Entry>,
}

/// One node below a level of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) element: PathElement,
    /// Whether the path that ends here is in the set.
    pub(super) member: bool,
    pub(super) children: FieldSet,
}

impl Entry {
    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

/// How two sets are combined, by what a node has on either side.
#[derive(Clone, Copy)]
enum Operation {
    Union,
    Intersection,
    Difference,
    RecursiveDifference,
}

impl FieldSet {
    /// Returns the empty set.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Builds a set from paths.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a [PathElement]>) -> Self {
        let mut set = Self::new();
        for path in paths {
            set.insert(path);
        }
        set
    }

    /// Tells whether nothing is a member.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(Entry::is_empty)
    }

    /// Counts the members.
    pub fn len(&self) -> usize {
        self.entries
            .iter()
            .map(|e| usize::from(e.member) + e.children.len())
            .sum()
    }

    /// Adds a path; the empty path is ignored, nobody owns a whole object.
    pub fn insert(&mut self, path: &[PathElement]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let entry = self.entry(first);
        if rest.is_empty() {
            entry.member = true;
        } else {
            entry.children.insert(rest);
        }
    }

    /// Tells whether a path is a member.
    pub fn has(&self, path: &[PathElement]) -> bool {
        match path {
            [] => false,
            [last] => self.has_element(last),
            [first, rest @ ..] => self.find(first).is_some_and(|e| e.children.has(rest)),
        }
    }

    /// Tells whether a path of one element is a member.
    pub fn has_element(&self, element: &PathElement) -> bool {
        self.find(element).is_some_and(|e| e.member)
    }

    /// Returns what is below an element, if anything is.
    pub fn below(&self, element: &PathElement) -> Option<&Self> {
        self.find(element)
            .map(|e| &e.children)
            .filter(|children| !children.entries.is_empty())
    }

    /// Calls `visit` for each member: those of a level first, then those below, in order.
    pub fn for_each(&self, visit: &mut dyn FnMut(&[PathElement])) {
        self.visit_below(&mut Path::new(), visit);
    }

    /// Lists the members in the order of [`FieldSet::for_each`].
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.for_each(&mut |path| paths.push(path.to_vec()));
        paths
    }

    /// Returns the members of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.entries.is_empty() {
            return self.clone();
        }
        self.combine(other, Operation::Union)
    }

    /// Returns the members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, Operation::Intersection)
    }

    /// Returns the members of this set that are not members of the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        if other.entries.is_empty() {
            return self.clone();
        }
        self.combine(other, Operation::Difference)
    }

    /// Returns the members of this set that neither are nor lie below a member of the other.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.combine(other, Operation::RecursiveDifference)
    }

    /// Returns the members that have no members below.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let entries = self.entries.iter().map(|e| Entry {
            element: e.element.clone(),
            member: e.member && e.children.entries.is_empty(),
            children: e.children.leaves(),
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// Adds every struct field on the way to a member; fields of plain maps and list items are not added.
    #[must_use]
    pub fn ensure_named_fields(&self, schema: &Schema, ty: Option<TypeId>) -> Self {
        let ty = ty.map(|ty| schema.get(ty));
        let map = ty.and_then(|t| t.map.as_ref());
        let list = ty.and_then(|t| t.list.as_ref());
        let entries = self.entries.iter().map(|entry| {
            let (named, child) = match (&entry.element, map, list) {
                (PathElement::Field(name), Some(map), _) => match map.field(name) {
                    Some(field) => (true, Some(field.ty)),
                    None => (false, map.element),
                },
                (PathElement::Key(_), _, Some(list)) => (false, Some(list.element)),
                _ => (false, None),
            };
            let below = !entry.children.entries.is_empty();
            Entry {
                element: entry.element.clone(),
                member: entry.member || (named && below),
                children: if below {
                    entry.children.ensure_named_fields(schema, child)
                } else {
                    Self::new()
                },
            }
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// Tells whether every node above a member is a member.
    pub(super) fn owns_its_parents(&self) -> bool {
        self.entries
            .iter()
            .all(|e| e.member && e.children.owns_its_parents())
    }

    /// Finds or makes the entry of an element.
    pub(super) fn entry(&mut self, element: &PathElement) -> &mut Entry {
        let at = match self.search(element) {
            Ok(at) => at,
            Err(at) => {
                let entry = Entry {
                    element: element.clone(),
                    member: false,
                    children: Self::new(),
                };
                self.entries.insert(at, entry);
                at
            }
        };
        &mut self.entries[at]
    }

    /// Adds an entry that sorts after all others in the common case; empty entries are dropped.
    pub(super) fn push(&mut self, element: PathElement, member: bool, children: Self) {
        if !member && children.entries.is_empty() {
            return;
        }
        let in_order = self.entries.last().is_none_or(|e| e.element < element);
        if in_order {
            self.entries.push(Entry {
                element,
                member,
                children,
            });
            return;
        }
        let entry = self.entry(&element);
        entry.member |= member;
        entry.children = if entry.children.entries.is_empty() {
            children
        } else {
            entry.children.union(&children)
        };
    }

    fn find(&self, element: &PathElement) -> Option<&Entry> {
        self.search(element).ok().map(|at| &self.entries[at])
    }

    fn search(&self, element: &PathElement) -> Result<usize, usize> {
        self.entries.binary_search_by(|e| e.element.cmp(element))
    }

    fn visit_below(&self, path: &mut Path, visit: &mut dyn FnMut(&[PathElement])) {
        for entry in self.entries.iter().filter(|e| e.member) {
            path.push(entry.element.clone());
            visit(path);
            path.pop();
        }
        for entry in &self.entries {
            if !entry.children.entries.is_empty() {
                path.push(entry.element.clone());
                entry.children.visit_below(path, visit);
                path.pop();
            }
        }
    }

    fn combine(&self, other: &Self, operation: Operation) -> Self {
        let (mut left, mut right) = (self.entries.iter(), other.entries.iter());
        let (mut a, mut b) = (left.next(), right.next());
        let mut out = Vec::new();
        let keep_left = !matches!(operation, Operation::Intersection);
        let keep_right = matches!(operation, Operation::Union);
        loop {
            let order = match (a, b) {
                (Some(a), Some(b)) => a.element.cmp(&b.element),
                (Some(_), None) if keep_left => Ordering::Less,
                (None, Some(_)) if keep_right => Ordering::Greater,
                _ => break,
            };
            if order.is_eq() {
                if let (Some(a), Some(b)) = (a, b) {
                    out.extend(combine_entries(a, b, operation));
                }
            } else if order.is_lt() {
                out.extend(a.filter(|_| keep_left).cloned());
            } else {
                out.extend(b.filter(|_| keep_right).cloned());
            }
            if order.is_le() {
                a = left.next();
            }
            if order.is_ge() {
                b = right.next();
            }
        }
        Self { entries: out }
    }
}

fn combine_entries(a: &Entry, b: &Entry, operation: Operation) -> Option<Entry> {
    let (member, children) = match operation {
        Operation::Union => (a.member || b.member, a.children.union(&b.children)),
        Operation::Intersection => (a.member && b.member, a.children.intersection(&b.children)),
        Operation::Difference => (a.member && !b.member, a.children.difference(&b.children)),
        Operation::RecursiveDifference if b.member => return None,
        Operation::RecursiveDifference => (a.member, a.children.recursive_difference(&b.children)),
    };
    (member || !children.is_empty()).then(|| Entry {
        element: a.element.clone(),
        member,
        children,
    })
}

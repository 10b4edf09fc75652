//! Filters of field sets: what a manager is recorded to own may leave out some fields.

use super::path::PathElement;
use super::set::{Entry, FieldSet};

/// Reduces the set that a manager is recorded to own.
#[derive(Clone, Debug)]
pub enum FieldFilter {
    /// Drops these paths and everything below them.
    Exclude(FieldSet),
    /// Keeps what matches.
    Include(SetMatcher),
}

impl FieldFilter {
    /// Returns the filtered set.
    pub fn filter(&self, set: &FieldSet) -> FieldSet {
        match self {
            Self::Exclude(excluded) => set.recursive_difference(excluded),
            Self::Include(matcher) => matcher.filter(set),
        }
    }
}

/// A pattern over field sets, with wildcards.
#[derive(Clone, Debug)]
pub enum SetMatcher {
    /// Matches everything from here on.
    Any,
    /// Matches members whose element matches, and below them what the inner matcher matches. Wildcards come first.
    Members(Vec<(PatternElement, SetMatcher)>),
}

/// Matches one path element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PatternElement {
    /// Any element.
    Any,
    /// An equal element.
    Is(PathElement),
}

impl PatternElement {
    fn matches(&self, element: &PathElement) -> bool {
        match self {
            Self::Any => true,
            Self::Is(own) => own == element,
        }
    }
}

impl SetMatcher {
    /// Builds a matcher of members, sorted so that wildcards take precedence.
    pub fn members(mut members: Vec<(PatternElement, Self)>) -> Self {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        Self::Members(members)
    }

    /// Matches everything that begins with a path of elements or wildcards.
    pub fn prefix(path: Vec<PatternElement>) -> Self {
        path.into_iter().rev().fold(Self::Any, |inner, element| {
            Self::Members(vec![(element, inner)])
        })
    }

    /// Matches what either matcher matches.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::Members(mut left), Self::Members(right)) => {
                for (element, inner) in right {
                    match left.iter_mut().find(|(own, _)| *own == element) {
                        Some((_, own)) => {
                            *own = std::mem::replace(own, Self::Any).merge(inner);
                        }
                        None => left.push((element, inner)),
                    }
                }
                Self::members(left)
            }
            _ => Self::Any,
        }
    }

    /// Returns the members that match.
    pub fn filter(&self, set: &FieldSet) -> FieldSet {
        let Self::Members(patterns) = self else {
            return set.clone();
        };
        let entries = set.entries.iter().filter_map(|entry| {
            let (_, inner) = patterns.iter().find(|(p, _)| p.matches(&entry.element))?;
            let kept = Entry {
                element: entry.element.clone(),
                member: entry.member,
                children: inner.filter(&entry.children),
            };
            (!kept.is_empty()).then_some(kept)
        });
        FieldSet {
            entries: entries.collect(),
        }
    }
}

//! Conflicts of an apply, in the server's words.

use std::fmt;

use crate::smd::gotext::push_go_quoted;
use crate::smd::{Conflict, Conflicts, FieldSet, PathElement};

use super::entry::Identity;

/// All conflicts of an apply; prints the Status message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyConflicts(Vec<Conflict>);

/// One cause of the Status, reason `FieldManagerConflict`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictCause {
    /// `conflict with "manager" …`.
    pub message: String,
    /// The field, such as `.spec.replicas`.
    pub field: String,
}

impl ApplyConflicts {
    pub(super) fn new(conflicts: Conflicts) -> Self {
        Self(conflicts.0)
    }

    /// Lists the causes: by manager, then in set order.
    pub fn causes(&self) -> Vec<ConflictCause> {
        self.0
            .iter()
            .map(|conflict| ConflictCause {
                message: format!("conflict with {}", shown(&conflict.manager)),
                field: PathElement::display_path(&conflict.path),
            })
            .collect()
    }

    /// Returns the conflicts over fields that are not in a set, or `None` where there are none.
    pub(super) fn without(&self, allowed: &FieldSet) -> Option<Self> {
        let left: Vec<Conflict> = self
            .0
            .iter()
            .filter(|conflict| !allowed.has(&conflict.path))
            .cloned()
            .collect();
        (!left.is_empty()).then_some(Self(left))
    }
}

impl fmt::Display for ApplyConflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            let path = PathElement::display_path(&only.path);
            return write!(
                f,
                "Apply failed with 1 conflict: conflict with {}: {path}",
                shown(&only.manager)
            );
        }
        let mut managers: Vec<&str> = self.0.iter().map(|c| c.manager.as_str()).collect();
        managers.sort_unstable();
        managers.dedup();
        let mut lines = Vec::new();
        for manager in managers {
            lines.push(format!("conflicts with {}:", shown(manager)));
            let own = self.0.iter().filter(|c| c.manager == manager);
            lines.extend(own.map(|c| format!("- {}", PathElement::display_path(&c.path))));
        }
        let count = self.0.len();
        write!(
            f,
            "Apply failed with {count} conflicts: {}",
            lines.join("\n")
        )
    }
}

impl std::error::Error for ApplyConflicts {}

fn shown(key: &str) -> String {
    let identity = Identity::read(key);
    let mut out = String::new();
    push_go_quoted(&mut out, &identity.manager);
    if !identity.subresource.is_empty() {
        out.push_str(" with subresource ");
        push_go_quoted(&mut out, &identity.subresource);
    }
    if !identity.applied {
        out.push_str(" using ");
        out.push_str(&identity.api_version);
    }
    out
}
